"""The shrinker is judged by what people get to read: known breaches end in known, short stories."""

from __future__ import annotations

from math import inf

import pytest

from xenproofs.explorer.scopes import SCOPES
from xenproofs.explorer.search import Explorer
from xenproofs.machines.breach import breach
from xenproofs.machines.episode import Plan, moves_of
from xenproofs.machines.faults import FAULTS
from xenproofs.machines.fuzz import Campaign
from xenproofs.machines.moves import Move
from xenproofs.machines.planting import planted
from xenproofs.machines.shrink import Shrinker

SHORTEST = {
    "write_permission_is_added_on_the_fast_path": Move("map", 2, a=1, c=1, d=1),
    "base_released_first": Move("base", 0, a=4),
}
"""A fault, and a single move that shows it."""


@pytest.mark.parametrize("name", SHORTEST)
def test_a_story_is_at_most_half_as_long_again_as_the_shortest(name: str) -> None:
    with planted(FAULTS[name]):
        only = breach([SHORTEST[name]])
        assert only is not None
        noise = [move for move in moves_of(Plan(seed=2), 0) if move.kind in ("load", "flush", "evict")]
        long = [*noise[:20], SHORTEST[name], *noise[20:30]]
        shrinker = Shrinker(long, only.name)
        assert len(shrinker.run()) == 1
        assert shrinker.used < 300


def test_a_budget_is_kept() -> None:
    name = "base_released_first"
    with planted(FAULTS[name]):
        only = breach([SHORTEST[name]])
        assert only is not None
        shrinker = Shrinker([SHORTEST[name]] * 40, only.name, budget=3)
        assert shrinker.run()
        assert shrinker.used == 3


def test_without_a_fault_nothing_breaks() -> None:
    assert all(breach([move]) is None for move in SHORTEST.values())


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("write_permission_is_added_on_the_fast_path", "alone"),
        ("a_failed_promotion_is_not_rolled_back", "alone"),
        ("flushed_before_claim", "raced"),
        ("failure_keeps_its_count", "alone"),
    ],
)
def test_what_guests_find_is_told_nearly_as_shortly_as_the_explorer_tells_it(name: str, scope: str) -> None:
    (shortest,) = Explorer(SCOPES[scope], fault=FAULTS[name]).run().violations
    (story,) = (
        Campaign(Plan(seed=1, fault=name), inf, shrink_candidates=1500, shrink_seconds=inf).run().stories
    )
    assert len(story.moves) <= 1.5 * len(shortest.story)
