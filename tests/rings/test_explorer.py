"""The explorer of rings visits what it visited before, and tells the shortest story of each planted fault.

The tables are kept in tests/snapshots. A barrier that is left out is told in each of the three memories:
where it is missed, by what; where it is not, with the number of states that were looked at.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from xencheck.cli import run
from xencheck.exits import Exit
from xenmodel.rings.rows import MemoryModel
from xenproofs.bugs.rings import BARRIERS, CHECKS, FAULTS, RingFault
from xenproofs.explorer.rings.scopes import SCOPES
from xenproofs.explorer.rings.search import RingExplorer
from xenproofs.machines.planting import planted

if TYPE_CHECKING:
    from xenproofs.explorer.search import ExploreReport

SNAPSHOTS: Final = Path(__file__).resolve().parent.parent / "snapshots"
DEEP: Final = os.environ.get("XENCHECK_PROFILE") == "deep"

COUNTS: Final[dict[str, tuple[int, int, int]]] = {
    "sc wide": (3530, 6752, 71),
    "tso wide": (5525, 11351, 85),
    "hostile frontend": (4010, 4889, 84),
    "hostile backend": (658, 914, 73),
}
"""Of a scope: states, transitions, depth."""
DEEP_COUNTS: Final[dict[str, tuple[int, int, int]]] = {"arm wide": (14656, 30726, 92)}
MEMORIES: Final = {MemoryModel.SC: "sc wide", MemoryModel.TSO: "tso wide", MemoryModel.ARM: "arm wide"}


KNOWN: Final[dict[str, tuple[int, int, int]]] = COUNTS | DEEP_COUNTS if DEEP else COUNTS


@pytest.mark.parametrize("scope", KNOWN)
def test_it_visits_what_it_is_known_to_visit(scope: str) -> None:
    report = RingExplorer(SCOPES[scope]).run()
    assert not report.violations
    assert report.complete
    assert (report.states, report.transitions, report.depth) == KNOWN[scope]


def kept(name: str) -> dict[str, str]:
    """Give the lines of a kept table by their first two columns."""
    lines = (SNAPSHOTS / name).read_text("utf-8").splitlines()
    return {" ".join(line[:58].split()): line for line in lines}


def line(fault: str, scope: str, report: ExploreReport) -> str:
    """Give the line of a table for one exploration."""
    start = f"{fault:<33}{scope:<25}"
    if not report.violations:
        return f"{start}nothing is broken in {report.states} states"
    (violation,) = report.violations
    return f"{start}{violation.invariant:<40}{len(violation.story):>3} steps"


def found(one: RingFault, scope: str) -> str:
    """Explore with a fault; what breaks is what was named beforehand. Give the line."""
    with planted(one.fault):
        report = RingExplorer(SCOPES[scope], books=False).run()
    assert not {v.invariant for v in report.violations} - set(one.fault.breaks)
    return line(one.fault.name, scope, report)


@pytest.mark.parametrize("one", CHECKS, ids=lambda one: one.fault.name)
def test_a_planted_fault_has_the_kept_shortest_story(one: RingFault) -> None:
    assert found(one, one.scope) == kept("rings_faults.txt")[f"{one.fault.name} {one.scope}"]


EVERY_BARRIER: Final = [(one, memory) for one in BARRIERS for memory in MemoryModel]
QUICK: Final = [
    (one, memory)
    for one, memory in EVERY_BARRIER
    if memory not in one.harmless or one.fault.name == "backend_reads_unordered"
]


@pytest.mark.parametrize(
    ("one", "memory"),
    EVERY_BARRIER if DEEP else QUICK,
    ids=lambda value: value.fault.name if isinstance(value, RingFault) else value.name,
)
def test_each_barrier_is_missed_where_memory_needs_it(one: RingFault, memory: MemoryModel) -> None:
    told = found(one, MEMORIES[memory])
    assert ("nothing is broken" in told) == (memory in one.harmless)
    assert told == kept("rings_barriers.txt")[f"{one.fault.name} {MEMORIES[memory]}"]


def test_a_story_reads_as_it_is_kept() -> None:
    one = FAULTS["frontend_push_unfenced"]
    with planted(one.fault):
        (violation,) = RingExplorer(SCOPES["tso wide"], books=False).run().violations
    told = "\n".join((violation.text, *violation.story, ""))
    assert told == (SNAPSHOTS / "rings_story.txt").read_text("utf-8")


def test_the_command_explores_rings(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explore", "rings", "--scope", "hostile backend"]) == Exit.HOLDS
    assert "658 states" in capsys.readouterr().out
    assert run(["explore", "rings", "--scope", "sc", "--fault", "full_ring_written"]) == Exit.VIOLATED
    assert "ring_holds_no_more_than_its_size" in capsys.readouterr().out
    assert run(["explore", "rings", "--scope", "alone"]) == Exit.BAD_INPUT
    assert run(["explore", "rings", "--fault", "no such"]) == Exit.BAD_INPUT
