"""The laws of the small world are evaluated, and each sees what is changed behind the monitor's back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from xenproofs.judge.tracking import store_of
from xenproofs.machines import world as worlds
from xenproofs.machines.laws import CHARGED, COUNTS, broken_laws
from xenproofs.machines.moves import ABSENT, Move
from xenproofs.machines.setup import DOMAINS, estate
from xenproofs.machines.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenmodel.machine import Machine

FRAME = estate(DOMAINS[0]).spare[0]


def lost_type(m: Machine) -> None:
    """Lose a type reference."""
    store_of(m.frames)[FRAME].type_count -= 1


def lost_reference(m: Machine) -> None:
    """Lose a general reference."""
    store_of(m.frames)[FRAME].ref_count -= 1


def forgotten_entry(m: Machine) -> None:
    """Unlink an entry and keep what it held."""
    store_of(m.entries)[estate(DOMAINS[0]).tables[3], 4].linked = False


def charged_twice(m: Machine) -> None:
    """Charge a domain for a frame that it has not."""
    store_of(m.domains)[DOMAINS[1]].pages += 1


def stolen(m: Machine) -> None:
    """Let a frame change its owner, and nobody's account."""
    store_of(m.frames)[FRAME].owner = DOMAINS[1]


DAMAGES = (
    (lost_type, {COUNTS}),
    (lost_reference, {COUNTS}),
    (forgotten_entry, {COUNTS}),
    (charged_twice, {CHARGED}),
    (stolen, {CHARGED}),
)


@pytest.mark.parametrize("every_step", [False, True], ids=["call", "step"])
@pytest.mark.parametrize(("damage", "names"), DAMAGES)
def test_a_law_sees_what_nobody_told(
    damage: Callable[[Machine], None], names: set[str], *, every_step: bool
) -> None:
    world = World.new(every_step=every_step)
    assert not broken_laws(world.monitor.machine)
    damage(world.monitor.machine)
    assert not world.monitor.after_call(DOMAINS[0]), "the monitor follows what it is told"
    assert {violation.name for violation in broken_laws(world.monitor.machine)} == names


@pytest.mark.parametrize("every_step", [False, True], ids=["call", "step"])
def test_the_laws_are_looked_at_after_every_move_or_every_step(
    monkeypatch: pytest.MonkeyPatch, *, every_step: bool
) -> None:
    asked: list[Machine] = []

    def heard(m: Machine) -> list[object]:
        asked.append(m)
        return []

    monkeypatch.setattr(worlds, "broken_laws", heard)
    world = World.new(every_step=every_step)
    world.play(Move("map", 2, a=1, c=ABSENT))
    moves = 1 + world.steps if every_step else 1
    assert world.steps > 0
    assert len(asked) == moves
    world.finish()
    assert asked == [world.monitor.machine] * (moves + 1)
