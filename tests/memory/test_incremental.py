"""What the monitor finds by looking at what changed is what it finds by looking at everything.

Worlds are played at random, then cells are damaged behind the steps' back: each damage must be reported at
once, by name and key, exactly as a full evaluation of the same state reports it.
"""

from __future__ import annotations

import dataclasses
from enum import IntEnum
from random import Random
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.memory import perturbing, reached
from xenproofs.judge.adapter import plain
from xenproofs.judge.ghost import HolderSets
from xenproofs.judge.holdings import recount
from xenproofs.judge.monitor import Monitor, Violation
from xenproofs.machines.moves import SUBSYSTEMS, draw, mood
from xenproofs.machines.world import World

if TYPE_CHECKING:
    from collections.abc import Hashable

MOVES: Final = 25
DAMAGED: Final = ("frames", "entries", "flights", "vcpus", "gdt", "ldt", "tlb", "cpus", "domains", "dirty")
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
    """Return the rows of some tables that exist."""
    journals = monitor.recorder.journals
    return [(table, key) for table in tables if table in journals for key in journals[table].store]


def damage(monitor: Monitor, rng: Random, tables: tuple[str, ...]) -> None:
    """Give a field of a random row another value."""
    table, key = rng.choice(rows_of(monitor, tables))
    row = monitor.recorder.journals[table][key]
    assert dataclasses.is_dataclass(row)
    name = rng.choice([field.name for field in dataclasses.fields(row)])
    value: object = getattr(row, name)
    setattr(row, name, rng.choice(perturbing.others(value, (0x100, 0x103, 0x105))))


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
        if rng.random() < 0.2:  # noqa: PLR2004 - one in five
            damage_word(monitor, rng)
        else:
            damage(monitor, rng, (*DAMAGED, *GHOSTS) if every_step else DAMAGED)
    at_once = found(monitor.after(monitor.recorder.drain()))
    assert at_once == found(monitor.check_all())


@given(seed=st.integers(0, 2**32))
def test_undone_damage_leaves_nothing(seed: int) -> None:
    monitor = played(seed, every_step=True, moves=10).monitor
    rng = Random(seed + 1)  # noqa: S311 - repeatable, not secret
    table, key = rng.choice(rows_of(monitor, (*DAMAGED, *GHOSTS)))
    row = monitor.recorder.journals[table][key]
    assert dataclasses.is_dataclass(row)
    kept = dataclasses.asdict(row)
    damage(monitor, rng, (table,))
    monitor.after(monitor.recorder.drain())
    row = monitor.recorder.journals[table][key]
    for name, value in kept.items():
        setattr(row, name, value)
    for changed in monitor.recorder.journals[table].store.values():
        assert isinstance(changed, object)
    monitor.after(monitor.recorder.drain())
    assert found(monitor.check_all()) <= found(monitor.check_all())
