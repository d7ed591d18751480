"""What the monitor finds by looking at what changed is what it finds by looking at everything.

Worlds are played at random, then cells are damaged behind the steps' back: each damage must be reported at
once, by name and key, exactly as a full evaluation of the same state reports it.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.memory import reached
from tests.memory.damaging import DAMAGED, GHOSTS, damage, damage_word, played
from xenmodel.memory.rows import IDLE
from xenproofs.judge.adapter import plain
from xenproofs.judge.holdings import holds_of, recount
from xenproofs.judge.monitor import Monitor, Violation
from xenproofs.judge.tracking import store_of

if TYPE_CHECKING:
    from collections.abc import Hashable


def found(violations: list[Violation]) -> set[tuple[str, Hashable]]:
    """Return violations as names and keys."""
    return {(violation.name, violation.key) for violation in violations}


@given(seed=st.integers(0, 2**32), hits=st.integers(1, 4), every_step=st.booleans())
def test_damage_is_found_as_a_full_evaluation_finds_it(seed: int, hits: int, *, every_step: bool) -> None:
    monitor = played(seed, every_step=every_step).monitor
    rng = Random(seed + 1)  # noqa: S311 - repeatable, not secret
    for _ in range(hits):
        if rng.random() < 0.2:
            damage_word(monitor, rng)
        else:
            damage(monitor, rng, (*DAMAGED, *GHOSTS) if every_step else DAMAGED)
    at_once = found(monitor.after(monitor.recorder.drain()))
    assert at_once == found(monitor.check_all())


@given(seed=st.integers(0, 2**32))
def test_nothing_is_left_of_damage_undone(seed: int) -> None:
    monitor = played(seed, every_step=True, moves=10).monitor
    undo = damage(monitor, Random(seed), (*DAMAGED, *GHOSTS))  # noqa: S311 - repeatable, not secret
    monitor.after(monitor.recorder.drain())
    undo()
    assert not monitor.after(monitor.recorder.drain())
    assert not monitor.check_all()


@given(seed=st.integers(0, 2**32), every_step=st.booleans())
def test_running_counts_are_a_recount(seed: int, *, every_step: bool) -> None:
    monitor = played(seed, every_step=every_step).monitor
    counts = {f: (row.typed, row.general) for f, row in store_of(monitor.ghosts.counts).items()}
    by_rows = recount(monitor.machine)
    assert {f: numbers for f, numbers in counts.items() if numbers != (0, 0)} == by_rows
    for f, frame in plain(monitor.machine.frames).rows():
        assert (frame.type_count, frame.ref_count) == counts.get(f, (0, 0)), hex(f)


@given(seed=st.integers(0, 2**32))
def test_holders_told_by_steps_are_those_of_the_rows(seed: int) -> None:
    monitor = played(seed, every_step=True).monitor
    told = {(*key, row.typed, row.general) for key, row in store_of(monitor.ghosts.held).items()}
    shown = {(h.frame, h.holder, h.typed, h.general) for h in holds_of(monitor.machine)}
    assert {hold for hold in told if hold[2] or hold[3]} == shown


@pytest.mark.parametrize("name", sorted(reached.SCENARIOS))
def test_damage_next_to_each_state_reached(name: str) -> None:
    rng = Random(name)  # noqa: S311 - repeatable, not secret
    monitor = Monitor.over(reached.SCENARIOS[name](), steps=True)
    monitor.start()
    reported = 0
    for _ in range(150):
        undo = damage(monitor, rng, (*DAMAGED, *GHOSTS))
        at_once = found(monitor.after(monitor.recorder.drain()))
        assert at_once == found(monitor.check_all())
        reported += bool(at_once)
        undo()
        assert not monitor.after(monitor.recorder.drain())
    assert reported > 30, "hardly any damage was found"


def test_damage_is_found_where_only_what_invariants_read_is_recorded() -> None:
    """Calls that nothing is in flight between: the monitor records less, and misses nothing."""
    tried, reported = 0, 0
    for name, make in sorted(reached.SCENARIOS.items()):
        machine, rng = make(), Random(name)  # noqa: S311 - repeatable, not secret
        if any(flight.mode != IDLE for _, flight in plain(machine.flights).rows()):
            continue
        monitor = Monitor.over(machine, sequential=True)
        assert not monitor.start()
        tried += 1
        for _ in range(60):
            undo = damage(monitor, rng, DAMAGED)
            at_once = found(monitor.after(monitor.recorder.drain()))
            assert at_once == found(monitor.check_all()), name
            reported += bool(at_once)
            undo()
            assert not monitor.after(monitor.recorder.drain())
    assert tried > 8, "hardly any state has nothing in flight"
    assert reported > 15 * tried, "hardly any damage was found"
