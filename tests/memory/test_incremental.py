"""What the monitor finds by looking at what changed is what it finds by looking at everything.

Worlds are played at random, then cells are damaged behind the steps' back: each damage must be reported at
once, by name and key, exactly as a full evaluation of the same state reports it.
"""

from __future__ import annotations

import dataclasses
from random import Random
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.memory import perturbing, reached
from xenproofs.judge.adapter import plain
from xenproofs.judge.holdings import holds_of, recount
from xenproofs.judge.monitor import Monitor, Violation
from xenproofs.judge.tracking import store_of
from xenproofs.machines.moves import SUBSYSTEMS, draw, mood
from xenproofs.machines.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

MOVES: Final = 25
NEARBY: Final = (0x100, 0x103, 0x105)
"""Frames of the first domain: two tables and a spare one."""
DAMAGED: Final = (
    *("frames", "entries", "flights", "vcpus", "gdt", "ldt", "tlb", "cpus", "domains", "dirty"),
    *("grant_tables", "grant_frames", "active", "mappings", "unmappings", "copies"),
)
GHOSTS: Final = ("held", "counts", "authors")


def played(seed: int, *, every_step: bool, moves: int = MOVES) -> World:
    """Return a world after some random moves; nothing may be wrong with it."""
    rng = Random(seed)  # noqa: S311 - repeatable, not secret
    world = World.new(every_step=every_step)
    kinds = mood(rng, SUBSYSTEMS[rng.choice(sorted(SUBSYSTEMS))])
    for _ in range(moves):
        world.play(draw(rng, kinds))
    assert not world.violations, world.violations[0]
    return world


def found(violations: list[Violation]) -> set[tuple[str, Hashable]]:
    """Return violations as names and keys."""
    return {(violation.name, violation.key) for violation in violations}


def rows_of(monitor: Monitor, tables: tuple[str, ...]) -> list[tuple[str, Hashable]]:
    """Return the rows of some tables that exist; of counts, those of frames that do."""
    journals = monitor.recorder.journals
    frames = journals["frames"].store
    return [
        (table, key)
        for table in tables
        if table in journals
        for key in journals[table].store
        if table != "counts" or key in frames
    ]


def damage(monitor: Monitor, rng: Random, tables: tuple[str, ...]) -> Callable[[], None]:
    """Give a field of a random row another value; return what undoes it."""
    table, key = rng.choice(rows_of(monitor, tables))
    row = monitor.recorder.journals[table][key]
    assert dataclasses.is_dataclass(row)
    name = rng.choice([field.name for field in dataclasses.fields(row)])
    before: object = getattr(row, name)
    setattr(row, name, rng.choice(perturbing.others(before, NEARBY)))
    return lambda: setattr(monitor.recorder.journals[table][key], name, before)


def damage_word(monitor: Monitor, rng: Random) -> None:
    """Give a word another value."""
    words = monitor.recorder.words
    at = rng.choice(sorted(words.keys()))
    words[at] = rng.choice(perturbing.ENTRIES)


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
