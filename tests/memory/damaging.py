"""Worlds that were played at random, and cells damaged behind the steps' back."""

from __future__ import annotations

import dataclasses
from random import Random
from typing import TYPE_CHECKING, Final

from tests.memory import perturbing
from xenproofs.machines.moves import SUBSYSTEMS, draw, mood
from xenproofs.machines.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from xenproofs.judge.monitor import Monitor

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
