"""The proof of rings: facts of indices, steps on symbolic rows; what is altered or planted is refuted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from xencheck.commands import prove_rings as command
from xencheck.exits import Exit
from xenproofs.bugs.rings import CHECKS, RingFault
from xenproofs.machines.planting import planted
from xenproofs.obligations.ring_facts import RingFact, decided, ring_facts
from xenproofs.obligations.ring_running import EXPECTED, RingRun, prove_rings, solver_named
from xenproofs.obligations.ring_steps import OF_SLOTS, RingProof, ring_steps
from xenproofs.solvers.z3_solver import Z3
from xenspec.rings.invariants import SAFETY

SNAPSHOT: Final = Path(__file__).resolve().parent.parent / "snapshots" / "rings_proof.txt"
HELPERS: Final = {"_ill": "look", "_bound": "look", "room": "write_request", "_acceptable": "check_item"}
"""The step that shows a fault in a function that is no step."""
WORK: Final = 2_000_000
"""A fault is refuted with little work; what takes more is not asked for here."""
QUICK: Final = ("begin_send", "write_request", "begin_push", "copy_item", "ask_for_event", "ring_bell")


@pytest.mark.parametrize("fact", ring_facts(), ids=lambda fact: fact.name)
@pytest.mark.parametrize("solver", ["z3", "cvc5"])
def test_a_fact_is_proved_and_an_altered_one_refuted(fact: RingFact, solver: str) -> None:
    assert decided(fact, solver_named(solver))


@pytest.mark.parametrize("step", QUICK)
def test_a_step_keeps_every_invariant_by_both_solvers(step: str) -> None:
    report = RingProof(step, (solver_named("z3"), solver_named("cvc5"))).prove()
    assert report.proved
    assert not report.refuted + report.undecided
    expected = json.loads(EXPECTED.read_text("utf-8"))[step]
    assert [report.paths, report.refusals, report.proved, report.trivial] == expected


def test_every_step_is_expected_and_what_is_left_out_exists() -> None:
    assert set(json.loads(EXPECTED.read_text("utf-8"))) == set(ring_steps())
    assert {invariant.name for invariant in SAFETY} >= OF_SLOTS


def refuted(one: RingFault) -> str:
    """Give the line of a fault: the invariants that its steps are refuted to keep."""
    found: set[str] = set()
    names = [edit.function.partition(":")[2] for edit in one.fault.edits]
    with planted(one.fault):
        for step in dict.fromkeys(HELPERS.get(name, name) for name in names):
            report = RingProof(step, (Z3(rlimit=WORK),)).prove()
            found |= {name.partition(": ")[2].partition("[")[0] for name in report.refuted}
    return f"{one.fault.name:<33}{' '.join(sorted(found)) or 'not seen by the proof'}"


@pytest.mark.parametrize("one", CHECKS, ids=lambda one: one.fault.name)
def test_a_planted_fault_is_refuted_as_kept(one: RingFault) -> None:
    lines = SNAPSHOT.read_text("utf-8").splitlines()
    (kept,) = [line for line in lines if line.split()[0] == one.fault.name]
    assert refuted(one) == kept


def nothing(run: RingRun) -> list[str]:
    """Find no surprise in a run."""
    del run
    return []


def replace(monkeypatch: pytest.MonkeyPatch, run: RingRun) -> None:
    """Let the command give this run."""

    def prove(names: tuple[str, ...], **rest: object) -> RingRun:
        del names, rest
        return run

    monkeypatch.setattr("xenproofs.obligations.ring_running.prove_rings", prove)


def test_the_command_tells_what_was_decided(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = prove_rings(("z3",), steps=("ring_bell",))
    replace(monkeypatch, run)
    code = command.prove_rings(("z3",), seed=1, write_expected=False, in_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["facts"], told["altered"], told["steps"]) == (12, 11, 1)
    assert code == Exit.VIOLATED, "the other steps are missed"


def test_undecided_is_not_green(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run = prove_rings(("z3",), steps=("ring_bell",))
    run.reports[0].undecided.append("something")
    replace(monkeypatch, run)
    monkeypatch.setattr(RingRun, "surprises", nothing)
    assert command.prove_rings(("z3",), seed=1, write_expected=False, in_json=False) == Exit.UNDECIDED
    assert "undecided: something" in capsys.readouterr().out
