"""Consuming: bound what the peer's index says, copy an item once, check the copy, look again before sleep.

The peer may be hostile: it may change any word of the page at any time, also between two loads. So the
producer index is loaded once and compared with what there can be (RING_REQUEST_PROD_OVERFLOW and its twin):
more is a broken ring, which is left alone. An item is copied by one load (RING_COPY_REQUEST), and what is
checked and used is the copy. No more are taken than fit a ring (RING_REQUEST_CONS_OVERFLOW).

RING_FINAL_CHECK_FOR_REQUESTS and its twin: with nothing left, the event index is stored and ordered before a
last look at the producer index (xen_mb). Either that look finds the item, or whoever published it finds the
event index.
"""

from xenmodel.abi.ring import NOTHING, distance, is_response, number_of, overflows, slot_of, successor
from xenmodel.rings.machine import RingMachine, own_event, own_producer, peer_of, ring_step
from xenmodel.rings.memory import MEMORY, full_barrier, load, read_barrier, store
from xenmodel.rings.producing import room
from xenmodel.rings.rows import (
    AGAIN,
    ASK,
    ASKED,
    ASLEEP,
    BROKEN,
    COPIED,
    FILL,
    LOOK,
    READS,
    SLOT,
    TAKE,
    Location,
    Side,
)
from xenmodel.step import require
from xenspec.logic import Not
from xenspec.vocabulary import BACKEND, EINVAL, FRONTEND, RingSide


def _most(m: RingMachine, x: RingSide) -> int:
    """Return how many items there can be for a side from `cons` on: requests in a ring, or responses due."""
    side = m.sides[x]
    if x == FRONTEND:
        return distance(side.prod, side.cons, m.mask)
    return m.size - distance(side.cons, side.prod, m.mask)


def _ill(m: RingMachine, x: RingSide, found: int) -> bool:
    """Return whether a peer's producer index says more than there can be."""
    side = m.sides[x]
    if x == FRONTEND:
        return overflows(found, side.cons, _most(m, x), m.mask)
    return overflows(found, side.prod, m.size, m.mask)


def _must_answer(m: RingMachine, x: RingSide) -> bool:
    """Return whether a side is a backend with requests that wait for their responses."""
    return (room(m, x) != 0) if x == BACKEND else False


@ring_step("early.values", "sides.limit", "sides.stage")
def look(m: RingMachine, x: RingSide, age: int = 0) -> None:
    """Load the peer's producer index once, and bound it."""
    side = m.sides[x]
    require("the side looks", side.stage == LOOK, EINVAL)
    found = load(m, x, own_producer(peer_of(x)), age)
    if _ill(m, x, found):
        side.stage = BROKEN
    elif found == side.cons:
        side.stage = FILL if _must_answer(m, x) else ASK
    else:
        _bound(m, x, found)
        side.stage = READS


def _bound(m: RingMachine, x: RingSide, found: int) -> None:
    """Take no more than there can be, wherever the peer's index lies. Part of a step."""
    side = m.sides[x]
    if distance(found, side.cons, m.mask) <= _most(m, x):
        side.limit = found
    else:
        side.limit = successor(side.cons, _most(m, x), m.mask)


@ring_step("early.values", "sides.stage")
def order_reads(m: RingMachine, x: RingSide) -> None:
    """Let the items be loaded after the index that names them (xen_rmb)."""
    side = m.sides[x]
    require("the index names items", side.stage == READS, EINVAL)
    read_barrier(m, x)
    side.stage = TAKE


@ring_step("early.values", "sides.item", "sides.fetches", "sides.stage")
def copy_item(m: RingMachine, x: RingSide, age: int = 0) -> None:
    """Copy the next item: the only load of its slot."""
    side = m.sides[x]
    require("the side takes", side.stage == TAKE, EINVAL)
    require("there is an item", side.cons != side.limit, EINVAL)
    side.item = load(m, x, Location(SLOT, slot_of(side.cons, m.size)), age)
    side.fetches = side.fetches + 1
    side.stage = COPIED


@ring_step(
    "early.values",
    "sides.item",
    "sides.fetches",
    "sides.checked",
    "sides.cons",
    "sides.stage",
    "requests.sent",
    "requests.due",
    "requests.held",
    "requests.answers",
    "written.value",
)
def check_item(m: RingMachine, x: RingSide) -> None:
    """Check the copy and take it; what is no request, or answers none that waits, breaks the ring."""
    side = m.sides[x]
    require("an item is copied", side.stage == COPIED, EINVAL)
    side.checked = side.item
    if _acceptable(m, x, side.item):
        _take(m, x, side)
        side.cons = successor(side.cons, mask=m.mask)
        side.fetches = 0
        side.item = NOTHING
        side.checked = NOTHING
        side.stage = TAKE
    else:
        side.stage = BROKEN


def _acceptable(m: RingMachine, x: RingSide, item: int) -> bool:
    """Return whether a copied item is one that this side can have been sent."""
    if x == FRONTEND:
        return is_response(item) & m.requests[number_of(item)].sent
    return Not(is_response(item)) & Not(m.requests[number_of(item)].held)


def _take(m: RingMachine, x: RingSide, side: Side) -> None:
    """Do with the copy what is to be done. Part of a step."""
    row = m.requests[number_of(side.item)]
    m.written[peer_of(x), slot_of(side.cons, m.size)].value = NOTHING
    if x == FRONTEND:
        row.sent = False
        row.due = row.due - 1
    else:
        row.held = True
    row.answers = 0


@ring_step("sides.stage")
def end_batch(m: RingMachine, x: RingSide) -> None:
    """Be done with the items that were found: answer them, or look for more."""
    side = m.sides[x]
    require("the side takes", side.stage == TAKE, EINVAL)
    require("every item is taken", side.cons == side.limit, EINVAL)
    side.stage = FILL if _must_answer(m, x) else LOOK


@ring_step(*MEMORY, "sides.wanted", "sides.stage")
def ask_for_event(m: RingMachine, x: RingSide, ahead: int = 1) -> None:
    """Store the index of the item to be told of: the next one, or with a threshold a later one."""
    side = m.sides[x]
    require("there is nothing to take", side.stage == ASK, EINVAL)
    require("the item is due", (ahead == 1) | (ahead <= _most(m, x)), EINVAL)
    event = successor(side.cons, ahead, m.mask)
    store(m, x, own_event(x), event)
    side.wanted = event
    side.stage = ASKED


@ring_step("early.values", "sides.stage")
def order_event(m: RingMachine, x: RingSide) -> None:
    """Let the peer see the event index before this side looks for the last time (xen_mb)."""
    side = m.sides[x]
    require("the event index is stored", side.stage == ASKED, EINVAL)
    full_barrier(m, x)
    side.stage = AGAIN


@ring_step("early.values", "sides.stage")
def look_again(m: RingMachine, x: RingSide, age: int = 0) -> None:
    """Load the peer's producer index for the last time: sleep only if there is nothing new."""
    side = m.sides[x]
    require("the event index is ordered", side.stage == AGAIN, EINVAL)
    found = load(m, x, own_producer(peer_of(x)), age)
    if _ill(m, x, found):
        side.stage = BROKEN
    else:
        side.stage = ASLEEP if found == side.cons else LOOK
