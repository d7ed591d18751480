"""The quality of shortening: planted disagreements come out as short as they can be, within the budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tests.duel.worlds import Echo, Planted
from xenproofs.duel.duel import Duel, Plan
from xenproofs.duel.events import Found, Progress, Shortened
from xenproofs.duel.minimise import Budget, minimise
from xenproofs.judge.trace.case_ops import MmuExtOp, MmuUpdateOp, ReadOp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xenproofs.duel.events import Event
    from xenproofs.judge.trace.cases import Operation


@given(st.integers(1, 40), st.sets(st.integers(0, 39), max_size=6))
def test_what_is_needed_remains_and_nothing_else(length: int, wanted: set[int]) -> None:
    needed = {index for index in wanted if index < length}
    asked = 0

    def first(candidates: Sequence[Sequence[int]]) -> int | None:
        nonlocal asked
        asked += len(candidates)
        return next((n for n, one in enumerate(candidates) if needed <= set(one)), None)

    budget = Budget(5000)
    assert minimise(range(length), first, budget) == sorted(needed)
    assert asked == 5000 - budget.left


@given(st.integers(1, 40), st.integers(0, 30))
def test_a_spent_budget_ends_the_search_with_what_it_has(length: int, budget: int) -> None:
    asked = 0

    def first(candidates: Sequence[Sequence[int]]) -> int | None:
        nonlocal asked
        asked += len(candidates)
        return next((n for n, one in enumerate(candidates) if length - 1 in one), None)

    assert length - 1 in minimise(range(length), first, Budget(budget))
    assert asked <= budget


def pinned_then_read(ops: Sequence[Operation]) -> int | None:
    """Find a read after an update of p0 and a pin of anything: three operations, of one request each."""
    updated = pinned = False
    for index, op in enumerate(ops):
        if isinstance(op, MmuUpdateOp):
            updated |= any(request.table == "p0" for request in op.reqs)
        elif isinstance(op, MmuExtOp):
            pinned |= any(command.name == "pin_l4" for command in op.cmds)
        elif isinstance(op, ReadOp) and updated and pinned:
            return index
    return None


def test_a_planted_disagreement_comes_out_as_short_as_it_is() -> None:
    told: list[Event] = []
    xen = Echo()
    duel = Duel(Plan(7, families=("walks",), cases=1), xen, Planted(pinned_then_read), told.append)
    duel.run()
    (found,) = duel.report.disagreed
    story = found.question.ops
    assert [op.__struct_config__.tag for op in story] == ["mmu_update", "mmuext", "read"]
    assert isinstance(story[0], MmuUpdateOp)
    assert len(story[0].reqs) == 1
    assert (found.index, found.fields) == (2, ("rc",))
    assert found.found_ops > 10
    assert found.asked < 150
    assert xen.asked == 1 + 2 + found.asked


def test_the_story_is_told_before_it_is_shortened() -> None:
    told: list[Event] = []
    Duel(Plan(7, families=("walks",), cases=1), Echo(), Planted(pinned_then_read), told.append).run()
    kinds = [type(event) for event in told]
    assert kinds[0] is Found
    assert kinds[-2:] == [Shortened, Progress]


def test_without_a_budget_the_story_stays_as_it_was_found() -> None:
    plan = Plan(7, families=("walks",), cases=1, budget=0)
    duel = Duel(plan, Echo(), Planted(pinned_then_read), lambda _: None)
    duel.run()
    (found,) = duel.report.disagreed
    assert len(found.question.ops) == found.found_ops
    assert found.asked == 0
