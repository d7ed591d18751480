"""Faults planted in the model: each edit fits the model's text, and the fuzz engine finds what it breaks.

A few are looked for each time; the deep profile looks for all of them.
"""

from __future__ import annotations

import dataclasses
import os

import pytest

from xenmodel.step import WRITES
from xenproofs.bugs.catalogue import OF_MEMORY
from xenproofs.judge.monitor import STEP_INVARIANTS
from xenproofs.machines.breach import CRASH, DEADLOCK, ILLEGAL_HOLDER, breach
from xenproofs.machines.catalogued import AROUND, CATALOGUED, LEFT, slug
from xenproofs.machines.episode import Plan
from xenproofs.machines.event_faults import EVENT_FAULTS
from xenproofs.machines.faults import FAULTS
from xenproofs.machines.fuzz import Campaign
from xenproofs.machines.laws import CHARGED
from xenproofs.machines.moves import parse
from xenproofs.machines.planting import Edit, Fault, Outdated, Statement, function_of, planted, unplanted

DEEP = os.environ.get("XENCHECK_PROFILE") == "deep"
QUICK = (
    "write_permission_is_added_on_the_fast_path",
    "base_released_first",
    "freed_while_mapped",
    "refusal_leaves_a_store",
    "write_undeclared",
    "a_partial_table_does_not_keep_its_reference",
    "switch_without_flush",
    "flushed_before_claim",
    "stamp_taken_early",
    "unlocked_update",
    "peer_left_joined",
    "bound_without_notice",
    "selected_without_upcall",
    "closed_and_still_pending",
    "polled_without_a_look",
    "interrupt_left_bound",
)
OF_EVENTS = {fault.name for fault in EVENT_FAULTS}
NAMED = {i.name for i in STEP_INVARIANTS} | {
    CHARGED,
    CRASH,
    DEADLOCK,
    ILLEGAL_HOLDER,
    LEFT,
    "declared_writes",
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_planted_and_taken_out_again(fault: Fault) -> None:
    before = [function_of(edit.function).__code__ for edit in fault.edits]
    with planted(fault):
        during = [function_of(edit.function).__code__ for edit in fault.edits]
        assert all(new is not old for new, old in zip(during, before, strict=True))
    after = [function_of(edit.function).__code__ for edit in fault.edits]
    assert all(new is old for new, old in zip(after, before, strict=True))
    assert set(fault.breaks) <= NAMED


def test_a_world_is_made_without_the_fault_that_is_planted() -> None:
    fault = FAULTS["switch_without_flush"]
    function = function_of(fault.edits[0].function)
    original = function.__code__
    with planted(fault):
        assert function.__code__ is not original
        with unplanted():
            assert function.__code__ is original
        assert function.__code__ is not original


def test_a_declared_write_is_taken_away_and_given_back() -> None:
    fault = FAULTS["a_write_is_not_declared"]
    step, write = fault.undeclared
    before = WRITES[step]
    with planted(fault):
        assert set(before) - set(WRITES[step]) == {write}
    assert WRITES[step] == before


def test_every_planted_bug_of_memory_is_planted_among_the_guests_too() -> None:
    assert [fault.name for fault in CATALOGUED] == [slug(bug.name) for bug in OF_MEMORY]
    assert AROUND.keys() == {bug.name for bug in OF_MEMORY}


@pytest.mark.parametrize("name", FAULTS if DEEP else QUICK)
def test_the_fuzz_engine_finds_it_and_tells_a_short_story(name: str) -> None:
    fault = FAULTS[name]
    subsystem = "events" if name in OF_EVENTS else "memory"
    plan = Plan(1, subsystem, every_step=fault.every_step, fault=name)
    campaign = Campaign(plan, seconds=1800 if DEEP else 60, shrink_seconds=60 if DEEP else 8)
    (story,) = campaign.run().stories
    assert {story.breach.name, *story.breach.names} & set(fault.breaks)
    assert len(story.moves) <= 12
    lines = [parse(line) for line in story.trace]
    with planted(fault):
        assert breach(lines, every_step=fault.every_step) is not None
    assert breach(lines, every_step=fault.every_step) is None


def test_an_edit_that_no_longer_fits_is_refused() -> None:
    fault = FAULTS["switch_without_flush"]
    (edit,) = fault.edits
    assert isinstance(edit, Edit)
    (statement,) = FAULTS["no_flush_before_a_frame_changes_its_type"].edits
    assert isinstance(statement, Statement)
    nothing = dataclasses.replace(statement.edit, old="no_such_statement()")
    for wrong in (
        dataclasses.replace(statement, edit=nothing),
        dataclasses.replace(edit, before="no such text"),
        dataclasses.replace(edit, function="memory.claim:no_such_step"),
        Edit(edit.function, edit.before, "no_such_name()"),
    ):
        with (
            pytest.raises(Outdated),
            planted(dataclasses.replace(fault, edits=(wrong,))),
        ):
            pass
