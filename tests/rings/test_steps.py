"""Steps of a ring: each writes only what it declares, a refused one changes nothing, each is reached."""

from __future__ import annotations

import random
from dataclasses import fields
from typing import Final

import pytest

from xenmodel.rings import machine, rows
from xenmodel.rings.machine import RING_STEPS, RING_WRITES, RingMachine, plain_ring
from xenmodel.rings.protocol import Move, drains, moves, run, take
from xenmodel.rings.rows import ARM, ASLEEP, SC, TSO, Location, MemoryModel, Place
from xenmodel.step import Refused
from xenproofs.explorer.rings.state import FIELDS, SIDES, RingKeeper, Saved
from xenspec.vocabulary import BACKEND, FRONTEND

ACTS: Final = 4000


def written(before: Saved, after: Saved) -> set[str]:
    """Give the names of what differs, as steps declare them."""
    found = {
        f"sides.{name}"
        for old, new in zip(before.sides, after.sides, strict=True)
        for name, a, b in zip(FIELDS, old, new, strict=True)
        if a != b
    }
    others = {
        "cells.value": before.cells != after.cells,
        "buffers.stores": before.buffers != after.buffers,
        "early.values": before.early != after.early,
        "bells.pending": before.bells != after.bells,
        "written.value": before.written != after.written,
    }
    for place, name in enumerate(("sent", "held", "due", "answers"), start=1):
        old, new = ({(r[0], r[place]) for r in saved.requests if r[place]} for saved in (before, after))
        others[f"requests.{name}"] = old != new
    return found | {name for name, differs in others.items() if differs}


def any_move(m: RingMachine, rng: random.Random) -> Move:
    """Give a step that is next, or one out of turn, or a hostile one."""
    x = rng.choice(SIDES)
    kind = rng.random()
    turn = moves(m, x)
    if kind < 0.85 and turn:
        return rng.choice(turn)
    if kind < 0.97:
        waiting = drains(m, x)
        return rng.choice(waiting) if waiting else Move("drain", (x, 0))
    step = rng.choice(sorted(RING_STEPS))
    special: dict[str, tuple[object, ...]] = {
        "begin_send": (),
        "write_request": (rng.randrange(4),),
        "write_response": (rng.randrange(4),),
        "drain": (x, rng.randrange(3)),
        "scribble": (x, Location(rng.choice(list(Place)[:5]), 0), rng.randrange(6)),
    }
    return Move(step, special.get(step, (x,)))


@pytest.mark.parametrize("model", MemoryModel)
def test_a_step_writes_what_it_declares_and_a_refused_one_nothing(model: MemoryModel) -> None:
    rng = random.Random(model)  # noqa: S311 - the same walk each time
    m = plain_ring(2, model=model, start=(1 << 32) - 2)
    keeper, done = RingKeeper(m), set[str]()
    for act in range(ACTS):
        if act % 200 == 0:
            m = plain_ring(2, model=model, start=(1 << 32) - 2)
            keeper = RingKeeper(m)
        before, move = keeper.save(), any_move(m, rng)
        try:
            take(m, move)
        except Refused:
            assert keeper.save() == before, move
            continue
        done.add(move.step)
        assert written(before, keeper.save()) <= set(RING_WRITES[move.step]), move
    assert done == set(RING_STEPS) - ({"drain"} if model == SC else set())


@pytest.mark.parametrize("model", [SC, TSO, ARM])
@pytest.mark.parametrize("size", [1, 2, 8])
def test_a_pair_that_runs_in_turn_answers_every_request(model: MemoryModel, size: int) -> None:
    m = plain_ring(size, model=model, start=(1 << 32) - 3)
    for _ in range(4):
        for _ in run(m, FRONTEND, requests=size):
            pass
        for x in (BACKEND, FRONTEND, BACKEND, FRONTEND):
            take(m, Move("wake", (x,))) if m.bells[x].pending and not m.buffers[x].stores else None
            for _ in run(m, x):
                pass
            while m.buffers[x].stores:
                take(m, Move("drain", (x, 0)))
        assert [m.sides[x].stage for x in SIDES] == [ASLEEP, ASLEEP]
        assert m.sides[FRONTEND].cons == m.sides[FRONTEND].prod
    assert m.sides[FRONTEND].prod == (4 * size - 3) % (1 << 32)


def test_views_show_fields_of_the_rows() -> None:
    pairs = {"Side": "SideView", "Cell": "CellView", "Buffer": "BufferView", "Early": "EarlyView"}
    pairs |= {"Bell": "BellView", "Request": "RequestView"}
    for row, view in pairs.items():
        shown = {name for name in dir(getattr(machine, view)) if not name.startswith("_")}
        assert shown
        assert shown <= {field.name for field in fields(getattr(rows, row))}
