"""The mutant run: states outside, with narrow counters, of idle CPUs; what is redundant, and what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from xenmodel.memory import claim, representation
from xenproofs.bugs.dropping import droppable
from xenproofs.obligations.mutants import BOUNDS, RLIMIT, Bound, judge, shown
from xenproofs.obligations.proving import Options
from xenproofs.obligations.redundancy import is_redundant
from xenproofs.obligations.subjects import subjects
from xenproofs.obligations.widths import NARROW, narrow_counters

if TYPE_CHECKING:
    from xenproofs.bugs.rewriter import Edit

BY_NAME: Final = {bound.name: bound for bound in reversed(BOUNDS)}
"""The cheapest of each name."""
OPTIONS: Final = Options(cache=False, rlimit=RLIMIT, first_failure=True)


def dropped(step: str, start: str) -> Edit:
    """Return the edit that drops the one statement of a step that begins so."""
    found = [e for e in droppable(subjects()[step].module, step) if e.old.startswith(start)]
    assert len(found) == 1
    return found[0]


SHOWN: Final = (
    ("flush_cpu", "require('the CPU exists'", "outside", "only_a_cpu_of_the_machine_is_flushed"),
    ("give_back", "require('the frame is memory'", "outside", "no_frame_is_free_and_no_memory"),
    ("lock_page", "require('type count has room'", "narrow", "counts_stay_in_their_width"),
    ("idle_cpu", "row.current = idle", "idle", "the_cpu_runs_nobody"),
    ("idle_cpu", "flush(m, cpu)", "idle", "a_flush_drops_all_and_ticks_the_clock"),
)


@pytest.mark.parametrize(("step", "start", "bound", "falls"), SHOWN)
def test_a_state_is_shown_only_in_the_instance_that_has_it(
    step: str, start: str, bound: str, falls: str
) -> None:
    edit = dropped(step, start)
    found = shown(step, edit, BY_NAME[bound], ())
    assert found is not None
    assert falls in found.broken
    if bound != "idle":
        assert shown(step, edit, Bound("small"), ()) is None


def limits() -> set[object]:
    """Return the width of the count of types, as steps and invariants name it."""
    return {vars(module)["TYPE_LIMIT"] for module in (claim, representation)}


def test_counters_are_narrow_for_a_while_only() -> None:
    wide = limits()
    with narrow_counters():
        assert limits() == {NARROW["TYPE_LIMIT"]}
    assert limits() == wide != {NARROW["TYPE_LIMIT"]}


REDUNDANT: Final = (
    ("mark_through", "require('the CPU exists'", "redundant"),
    ("find_queue_empty", "require('by the FIFO ABI'", "redundant"),
    ("create_vcpu", "m.vcpus[v].domain = d", "redundant"),
    ("make_queue", "queue.linked = 0", "survives"),
)


@pytest.mark.parametrize(("step", "start", "fate"), REDUNDANT)
def test_what_changes_nothing_is_told_from_what_nobody_notices(step: str, start: str, fate: str) -> None:
    assert judge(step, dropped(step, start)).fate == fate


@pytest.mark.parametrize(("step", "start", "bound", "falls"), SHOWN)
def test_what_is_needed_is_not_redundant(step: str, start: str, bound: str, falls: str) -> None:
    del bound, falls
    assert not is_redundant(subjects()[step], dropped(step, start), OPTIONS)
