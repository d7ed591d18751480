"""The live Xen itself: the model agrees with it, and a model with one rule missing does not.

Skipped, and said so, where QEMU or the real Xen are absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import pytest

from tests.duel.worlds import question, tools_or_skip
from xenmodel.abi.descriptor import Descriptors
from xenmodel.abi.geometry import FourLevel
from xenmodel.abi.grant import GrantEntries
from xenmodel.events.notices import open_notice
from xenproofs.duel.duel import Duel, Plan
from xenproofs.duel.live.answers import Ended
from xenproofs.duel.live.protocol import Field
from xenproofs.duel.live.xen import Boot, LiveXen
from xenproofs.judge.oracle.play import Player
from xenproofs.judge.trace.questions import Question, read_ops

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from xenmodel.events.rows import Notice, Stage
    from xenmodel.machine import Machine
    from xenproofs.duel.events import DuelReport
    from xenspec.vocabulary import PortId

CASES: Final = 450


@pytest.fixture(scope="module")
def live() -> Generator[LiveXen]:
    """Boot once for all tests of this file that ask as Domain0."""
    with LiveXen(tools_or_skip()) as xen:
        yield xen


def duel(xen: LiveXen, plan: Plan) -> DuelReport:
    """Run a duel; give its report."""
    run = Duel(plan, xen, Player(), lambda _: None)
    run.run()
    return run.report


def test_the_model_agrees_with_real_xen(live: LiveXen) -> None:
    report = duel(live, Plan(1, cases=CASES))
    assert (report.cases, report.disagreed) == (CASES, [])
    assert report.agreed + sum(report.deviations.values()) == CASES


def test_the_model_agrees_as_an_unprivileged_guest() -> None:
    with LiveXen(tools_or_skip(guest=True), by="guest") as xen:
        report = duel(xen, Plan(1, by="guest", cases=CASES))
    assert (report.cases, report.disagreed) == (CASES, [])


def test_a_case_that_a_dead_machine_did_not_begin_has_no_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def dead(self: Boot, script: bytes, cases: int) -> None:
        """Tell the machine nothing."""
        del script, cases
        self.booted.kernel.set(Field.FINISHED, 0)

    def ended(_: Boot) -> Ended:
        return Ended("crash", "")

    with LiveXen(tools_or_skip()) as xen:
        assert len(xen.ask([question(3, index, ("walks",)) for index in range(40)])) == 40
        monkeypatch.setattr(Boot, "_run", dead)
        monkeypatch.setattr(Boot, "_wait", ended)
        xen.begin([question(3, index, ("linear",)) for index in range(20)])
        (left,) = xen.collect()
    assert (left.crash, left.ops) == ("crash", ())


def test_a_frame_that_no_answer_names_is_told_by_its_flags(live: LiveXen) -> None:
    stories = (
        [{"op": "write", "va": "p1", "val": ["p3", 0x10000000000147]}, {"op": "read", "va": "p1"}],
        [{"op": "mmu_update", "reqs": [["p0", 300, "n", ["p3", 7]]]}, {"op": "read", "va": "p0+2400"}],
    )
    begin = [
        {"op": "uvm", "va": "p3", "pte": 0},
        {"op": "memory_op", "cmd": "exchange", "extents": ["p3", "p1"]},
    ]
    asked = [Question(str(n), "dom0", 6, 0, read_ops(begin + story)) for n, story in enumerate(stories)]
    for case in live.ask(asked):
        assert case.ops[1].answer.done == 1
        assert Player().play(case).agrees


def unchanged(word: int, *_rest: int, dirty: bool = False) -> int:
    """Leave a word as it is."""
    del dirty
    return word


def every(_word: int) -> bool:
    """Accept everything."""
    return True


def used(word: int, *, writing: bool) -> int:
    """Mark an entry of the first layout as in use, always as read alone."""
    del writing
    return word | 8


def unused(word: int, ref: int, *, reading: bool, writing: bool) -> int:
    """Leave the status of an entry of the second layout as it is."""
    del ref, reading, writing
    return word


PLANTED: Final[tuple[tuple[str, type, str, Callable[..., object], str, int], ...]] = (
    ("the processor sets accessed and dirty", FourLevel, "marked", unchanged, "walks", 8),
    (
        "an update can preserve accessed and dirty",
        FourLevel,
        "with_accessed_dirty_of",
        unchanged,
        "io_space",
        5,
    ),
    ("I/O frames are stored uncached", FourLevel, "io_adjusted", unchanged, "io_space", 4),
    ("some descriptors are refused", Descriptors, "accepted", every, "descriptors", 2),
    ("an entry in use shows that it is written", GrantEntries, "used", used, "grants", 3),
    (
        "the status of an entry that nobody uses is cleared",
        GrantEntries,
        "unused_status",
        unused,
        "new_grants",
        5,
    ),
)
"""Rule; where it is implemented; what is put in its place; the family that aims at it; most operations."""


@pytest.mark.parametrize(("rule", "owner", "name", "new", "family", "most"), PLANTED)
def test_a_rule_switched_off_is_found_and_shortened(  # noqa: PLR0913, PLR0917 - a row of the table
    live: LiveXen,
    monkeypatch: pytest.MonkeyPatch,
    rule: str,
    owner: type,
    name: str,
    new: Callable[..., object],
    family: str,
    most: int,
) -> None:
    monkeypatch.setattr(owner, name, staticmethod(new))
    report = duel(live, Plan(2, families=(family,), cases=150, batch=150))
    assert report.disagreed, f"not found: {rule}"
    shortest = min(len(found.question.ops) for found in report.disagreed)
    assert shortest <= most


@pytest.mark.parametrize(("family", "most"), [("channels", 3), ("fifo", 5)])
def test_a_vcpu_told_wrongly_is_found_and_shortened(
    live: LiveXen, monkeypatch: pytest.MonkeyPatch, family: str, most: int
) -> None:
    def to_vcpu_0(m: Machine, notice: Notice, stage: Stage, p: PortId) -> None:
        open_notice(m, notice, stage, p)
        notice.vcpu = 0

    monkeypatch.setattr("xenmodel.events.notices.open_notice", to_vcpu_0)
    report = duel(live, Plan(2, families=(family,), cases=150, batch=150))
    assert report.disagreed
    assert min(len(found.question.ops) for found in report.disagreed) <= most


def test_without_the_frame_table_answers_are_the_same_but_for_page_info(live: LiveXen) -> None:
    asked = [question(3, index, ("walks", "raw_writes", "descriptors", "linear")) for index in range(80)]
    with LiveXen(tools_or_skip(), frame_table=False) as blind:
        seen, unseen = live.ask(asked), blind.ask(asked)
    for one, other in zip(seen, unseen, strict=True):
        assert [bare(step.answer.rc) for step in one.ops] == [bare(step.answer.rc) for step in other.ops]
        assert not any(step.answer.st for step in other.ops)


def bare(rc: int) -> int | Literal["guarded"]:
    """Give a return code; the guard, which needs the frame table, answers for itself."""
    return "guarded" if rc == -9999 else rc


def test_a_case_that_ends_the_machine_is_told_and_the_next_one_is_answered() -> None:
    lost = {"op": "mmuext", "cmds": [["new_baseptr", "p0"]], "force": 1}
    fatal = [{"op": "uvm", "va": "p0", "pte": ["p0", 1]}, {"op": "mmuext", "cmds": [["pin_l4", "p0"]]}, lost]
    good = [{"op": "uvm", "va": "p0", "pte": 0}]
    asked = [
        Question(name, "dom0", 1, 0, read_ops(ops)) for name, ops in (("a", good), ("b", fatal), ("c", good))
    ]
    with LiveXen(tools_or_skip()) as xen:
        first, second, third = xen.ask(asked)
        assert xen.boots == 2
    assert (first.crash, third.crash) == (None, None)
    assert second.crash in {"crash", "hang"}
    assert [step.answer.rc for step in second.ops] == [0, 0]
