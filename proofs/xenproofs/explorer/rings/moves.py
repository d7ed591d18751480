"""What may happen next in a scope: a step of a side, a store that arrives, a hostile store before a load.

A transition is named by its moves. A hostile store comes just before the load that it is for, and is taken
back after it: what is in the page matters only when the other side loads it.
"""

from dataclasses import dataclass
from itertools import chain

from xenmodel.abi.ring import request, response
from xenmodel.rings.machine import RingView, peer_of
from xenmodel.rings.protocol import LOADS, Move, drains, loaded, moves, take
from xenmodel.rings.rows import ASLEEP, SLOT
from xenmodel.step import Refused
from xenproofs.explorer.rings.scopes import RingScope
from xenproofs.explorer.rings.state import SIDES
from xenspec.vocabulary import RingSide

NEUTRAL = 0
"""What a hostile side leaves in a word."""
SIDE_STEPS, DRAINS = "step", "drain"


@dataclass(frozen=True, slots=True)
class Transition:
    """Some moves that happen at once, whose they are, and whether they are sure to happen some time."""

    actor: tuple[RingSide, str]
    moves: tuple[Move, ...]
    fair: bool = True

    @property
    def takes(self) -> bool:
        """Return whether an item is taken: progress."""
        return any(move.step == "check_item" for move in self.moves)


def transitions(m: RingView, scope: RingScope) -> list[Transition]:
    """Return what may happen next."""
    if scope.hostile is not None:
        return list(_against(m, scope, peer_of(scope.hostile)))
    found: list[Transition] = []
    for x in SIDES:
        steps = moves(m, x, lazy=scope.lazy)
        found += [Transition((x, SIDE_STEPS), (move,), move.step != "begin_send") for move in steps]
        found += [Transition((x, DRAINS), (move,)) for move in drains(m, x)]
    return found


def _against(m: RingView, scope: RingScope, x: RingSide) -> chain[Transition]:
    """Return the transitions of a side with a hostile peer."""
    side, hostile = m.sides[x], peer_of(x)
    steps = [Transition((x, SIDE_STEPS), (move,)) for move in moves(m, x, lazy=scope.lazy)]
    if side.stage == ASLEEP and not m.bells[x].pending:
        steps.append(Transition((hostile, SIDE_STEPS), (Move("ring_bell", (hostile,)),), fair=False))
    if side.stage not in LOADS or (steps and steps[0].moves[0].step == "end_batch"):
        return chain(steps)
    where = loaded(m, x)
    numbers = range(scope.mask + 1)
    values = chain(map(request, numbers), map(response, numbers)) if where.place == SLOT else numbers
    back = Move("scribble", (hostile, where, NEUTRAL))
    return chain(
        Transition((x, SIDE_STEPS), (Move("scribble", (hostile, where, value)), *one.moves, back))
        for value in values
        for one in steps
    )


def happen(m: RingView, transition: Transition) -> bool:
    """Make a transition; return whether it can happen now, else nothing has changed."""
    try:
        for move in transition.moves:
            take(m, move)
    except Refused:
        return False
    return True
