"""The two programs: what a side may do at each stage, and whole runs of it.

`moves` lists the steps that a side's program has next, with their arguments: the explorer and the machines
choose among them, so that every interleaving of single accesses is a sequence of moves. `run` drives a side
until it sleeps, as a driver would without interruption.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from xenmodel.hypercall import Steps
from xenmodel.rings import consuming, hostile, memory, producing
from xenmodel.rings.machine import RING_STEPS, RingView, own_event, own_producer, peer_of
from xenmodel.rings.memory import ages
from xenmodel.rings.rows import (
    AGAIN,
    ASK,
    ASKED,
    ASLEEP,
    CHECK,
    COPIED,
    FENCE,
    FILL,
    LOOK,
    NOTIFY,
    ORDER,
    PUBLISH,
    READS,
    SLOT,
    TAKE,
    Location,
    Stage,
)
from xenspec.vocabulary import FRONTEND, RingSide

MODULES: Final = (consuming, hostile, memory, producing)
"""Where the steps of a ring are."""


NUMBERS: Final = 2
"""Numbers of requests for each slot: more than one, so that a request differs from the last in its slot."""


class Move(NamedTuple):
    """A step by its name, with its arguments."""

    step: str
    arguments: tuple[object, ...] = ()


ALONE: Final[dict[Stage, str]] = {
    ORDER: "order_items",
    PUBLISH: "publish",
    FENCE: "order_index",
    NOTIFY: "notify",
    READS: "order_reads",
    COPIED: "check_item",
    ASKED: "order_event",
}
"""The step of a stage that has no choice."""
LOADS: Final[dict[Stage, str]] = {
    CHECK: "check_notify",
    LOOK: "look",
    AGAIN: "look_again",
    TAKE: "copy_item",
}
"""The step of a stage that loads a word."""


def loaded(m: RingView, x: RingSide) -> Location:
    """Return the word that a side's next step loads, at a stage with a load."""
    side = m.sides[x]
    if side.stage == CHECK:
        return own_event(peer_of(x))
    if side.stage == TAKE:
        return Location(SLOT, side.cons & (m.size - 1))
    return own_producer(x) if side.stage == FILL else own_producer(peer_of(x))


def moves(m: RingView, x: RingSide, *, lazy: bool = False) -> list[Move]:
    """Return the steps that a side's program has next; some of them may still have to wait.

    `lazy`: a frontend asks to be told only when more than half of its requests are answered.
    """
    side = m.sides[x]
    if side.stage in ALONE:
        return [Move(ALONE[side.stage], (x,))]
    if side.stage in LOADS and (side.stage != TAKE or side.cons != side.limit):
        return [Move(LOADS[side.stage], (x, age)) for age in range(ages(m, x, loaded(m, x)))]
    if side.stage == ASLEEP:
        return [*([Move("wake", (x,))] if m.bells[x].pending else ()), *_sends(m, x)]
    if side.stage == ASK:
        return [Move("ask_for_event", (x, _ahead(m, x) if lazy else 1))]
    if side.stage == FILL:
        return list(_writes(m, x))
    return [Move("end_batch", (x,))] if side.stage == TAKE else []


def _ahead(m: RingView, x: RingSide) -> int:
    """Return how far ahead a lazy side asks: past half of the responses that are due."""
    due = (m.sides[x].prod - m.sides[x].cons) & m.mask
    return (due >> 1) + 1 if x == FRONTEND else 1


def _sends(m: RingView, x: RingSide) -> list[Move]:
    """Return that a frontend's application may send."""
    able = x == FRONTEND and m.sides[x].left != 0 and producing.room(m, x) != 0
    return [Move("begin_send")] if able else []


def _writes(m: RingView, x: RingSide) -> Iterator[Move]:
    """Give what a side may write, and that it may push what it has written."""
    side = m.sides[x]
    if x == FRONTEND:
        if side.left != 0 and producing.room(m, x) != 0:
            yield Move("write_request", (free_number(m),))
    else:
        for r in held(m):
            yield Move("write_response", (r,))
    if side.prod != side.pushed:
        for age in range(ages(m, x, own_producer(x))):
            yield Move("begin_push", (x, age))


def held(m: RingView) -> list[int]:
    """Return the requests that the backend has taken and not answered."""
    return [r for r in range(NUMBERS * m.size) if m.requests[r].held]


def free_number(m: RingView) -> int:
    """Return the number that a frontend gives its next request: the next that is free, counting round."""
    count = NUMBERS * m.size
    first = m.sides[FRONTEND].prod
    free = (n for i in range(count) if not m.requests[n := (first + i) % count].sent)
    return next(free, first % count)


def drains(m: RingView, x: RingSide) -> list[Move]:
    """Return the stores of a side that may reach memory next."""
    stores = m.buffers[x].stores
    return [Move("drain", (x, n)) for n in range(len(stores)) if memory.may_arrive(m, x, n)]


def take(m: RingView, move: Move) -> None:
    """Run the step of a move."""
    RING_STEPS[move.step](m, *move.arguments)


def run(m: RingView, x: RingSide, *, requests: int = 0) -> Steps[None]:
    """Run a side until it sleeps; a frontend first sends so many requests, if it sleeps now.

    Each step is yielded by its name. Where a barrier waits for a store, the oldest store arrives first.
    """
    if requests:
        yield _do(m, Move("begin_send"))
        for _ in range(requests):
            yield _do(m, Move("write_request", (free_number(m),)))
        yield _do(m, Move("begin_push", (x, 0)))
    while m.sides[x].stage != ASLEEP and (next_moves := moves(m, x)):
        while m.buffers[x].stores:
            yield _do(m, Move("drain", (x, 0)))
        yield _do(m, next_moves[0])
    return


def _do(m: RingView, move: Move) -> str:
    take(m, move)
    return move.step
