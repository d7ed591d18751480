"""Rings at random: honest pairs lose nothing, a hostile peer breaks nothing, planted faults are found."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from xenproofs.bugs.rings import BARRIERS, CHECKS, FAULTS, RingFault
from xenproofs.explorer.rings.scopes import SCOPES
from xenproofs.machines.planting import planted
from xenproofs.machines.ring_stateful import HonestPair, HostilePeer
from xenproofs.machines.rings import Found, Setting, outcome, search, shortened

SNAPSHOT: Final = Path(__file__).resolve().parent.parent / "snapshots" / "rings_machine.txt"
DEEP: Final = os.environ.get("XENCHECK_PROFILE") == "deep"
RINGS: Final = 3000
SLOW: Final = (
    "frontend_items_unordered",
    "backend_items_unordered",
    "frontend_push_unfenced",
    "frontend_reads_unordered",
    "backend_reads_unordered",
    "frontend_question_unfenced",
    "index_behind_trusted",
    "looks_at_an_old_limit",
)
"""Faults that take long to find; the deep profile looks for them."""
FEW: Final = [name for name in FAULTS if name not in SLOW]


TestHonestPair = HonestPair.TestCase
TestHostilePeer = HostilePeer.TestCase


def found(one: RingFault) -> Found | None:
    """Drive rings of the kind in which the explorer finds the fault, until one breaks."""
    scope = SCOPES[one.scope]
    with planted(one.fault):
        return search(1, RINGS, only=Setting(scope.model, 2, scope.hostile))


def line(one: RingFault, story: Found | None) -> str:
    """Give a fault's line of the kept table."""
    if story is None:
        return f"{one.fault.name:<33}not found in {RINGS} rings"
    told = f"{one.fault.name:<33}{story.name:<40}{len(story.acts):>3} acts {story.steps:>5} steps"
    return f"{told} {story.rings:>5} rings"


@pytest.mark.parametrize("name", FAULTS if DEEP else FEW)
def test_a_planted_fault_is_found_as_kept(name: str) -> None:
    one = FAULTS[name]
    story = found(one)
    assert story is None or story.name in one.fault.breaks
    lines = SNAPSHOT.read_text("utf-8").splitlines()
    assert line(one, story) in lines
    assert len(lines) == len(BARRIERS) + len(CHECKS)


def test_random_rings_without_a_fault_break_nothing() -> None:
    assert search(7, 60) is None


def test_a_shortened_story_breaks_the_same_and_nothing_can_be_left_out() -> None:
    one = FAULTS["notify_only_past_the_event"]
    story = found(one)
    assert story is not None
    with planted(one.fault):
        assert outcome(story.setting, story.acts) == (story.name, story.steps)
        assert shortened(story.setting, story.acts, story.name) == story.acts
        for place in range(len(story.acts)):
            rest = [*story.acts[:place], *story.acts[place + 1 :]]
            assert outcome(story.setting, rest)[0] != story.name
    assert outcome(story.setting, story.acts)[0] == ""


def test_hypothesis_finds_a_planted_fault_itself() -> None:
    quick = settings(phases=[Phase.generate], max_examples=40, database=None, report_multiple_bugs=False)
    with planted(FAULTS["notify_compared_without_wrap"].fault), pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(HonestPair, settings=quick)
    assert "sleeper_will_be_told" in str(caught.value)
