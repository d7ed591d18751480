"""Producing: write items, publish them, and find out whether the peer is to be told.

RING_PUSH_REQUESTS_AND_CHECK_NOTIFY and its twin for responses (xen/include/public/io/ring.h): the old index
is read, the items are ordered before the new one (xen_wmb), which is stored and ordered before the look at
the peer's event index (xen_mb). The peer is told if the new items reach the one that it waits for.
"""

from xenmodel.abi.ring import crossed, distance, free_requests, request, response, slot_of, successor
from xenmodel.rings.machine import (
    RingMachine,
    RingView,
    own_event,
    own_producer,
    peer_of,
    ring_step,
)
from xenmodel.rings.memory import MEMORY, full_barrier, load, store, write_barrier
from xenmodel.rings.rows import (
    ASLEEP,
    CHECK,
    FENCE,
    FILL,
    LOOK,
    NO_LIMIT,
    NOTIFY,
    ORDER,
    PUBLISH,
    SLOT,
    Location,
)
from xenmodel.step import require
from xenspec.logic import Not
from xenspec.vocabulary import BACKEND, EINVAL, FRONTEND, RequestId, RingSide


def room(m: RingView, x: RingSide) -> int:
    """Return how many items a side may write: free requests, or requests that wait for their response."""
    side = m.sides[x]
    if x == FRONTEND:
        return free_requests(side.prod, side.cons, m.size, m.mask)
    return distance(side.cons, side.prod, m.mask)


@ring_step("sides.stage")
def begin_send(m: RingMachine) -> None:
    """Leave a frontend's sleep because its application has a request, and there is a slot for it."""
    side = m.sides[FRONTEND]
    require("the frontend sleeps", side.stage == ASLEEP, EINVAL)
    require("the application has a request", side.left != 0, EINVAL)
    require("the ring is not full", room(m, FRONTEND) != 0, EINVAL)
    side.stage = FILL


@ring_step(*MEMORY, "written.value", "sides.prod", "sides.left", "requests.sent", "requests.due")
def write_request(m: RingMachine, r: RequestId) -> None:
    """Write the next request, by a number that no request has which waits for its response."""
    side = m.sides[FRONTEND]
    require("the frontend writes", side.stage == FILL, EINVAL)
    require("the application has a request", side.left != 0, EINVAL)
    require("the ring is not full", room(m, FRONTEND) != 0, EINVAL)
    row = m.requests[r]
    require("the number is free", Not(row.sent), EINVAL)
    row.sent = True
    row.due = row.due + 1
    _write(m, FRONTEND, request(r))
    if side.left != NO_LIMIT:
        side.left = side.left - 1


@ring_step(*MEMORY, "written.value", "sides.prod", "requests.held", "requests.answers")
def write_response(m: RingMachine, r: RequestId) -> None:
    """Write the response to a request, in the slot of a request that was copied."""
    side, row = m.sides[BACKEND], m.requests[r]
    require("the backend writes", side.stage == FILL, EINVAL)
    require("there is a slot", room(m, BACKEND) != 0, EINVAL)
    require("the request waits for its response", row.held, EINVAL)
    row.held = False
    row.answers = row.answers + 1
    _write(m, BACKEND, response(r))


def _write(m: RingMachine, x: RingSide, item: int) -> None:
    """Write an item into the next slot. Part of a step."""
    side = m.sides[x]
    slot = slot_of(side.prod, m.size)
    store(m, x, Location(SLOT, slot), item)
    m.written[x, slot].value = item
    side.prod = successor(side.prod, mask=m.mask)


@ring_step("early.values", "sides.old", "sides.stage")
def begin_push(m: RingMachine, x: RingSide, age: int = 0) -> None:
    """Load the producer index that is in the page, before the push changes it."""
    side = m.sides[x]
    require("the side writes", side.stage == FILL, EINVAL)
    require("there is something to push", side.prod != side.pushed, EINVAL)
    side.old = load(m, x, own_producer(x), age)
    side.stage = ORDER


@ring_step("buffers.stores", "sides.stage")
def order_items(m: RingMachine, x: RingSide) -> None:
    """Let the peer see the items before the index that names them (xen_wmb)."""
    side = m.sides[x]
    require("the old index is read", side.stage == ORDER, EINVAL)
    write_barrier(m, x)
    side.stage = PUBLISH


@ring_step(*MEMORY, "sides.pushed", "sides.stage")
def publish(m: RingMachine, x: RingSide) -> None:
    """Store the new producer index."""
    side = m.sides[x]
    require("the items are ordered", side.stage == PUBLISH, EINVAL)
    store(m, x, own_producer(x), side.prod)
    side.pushed = side.prod
    side.stage = FENCE


@ring_step("early.values", "sides.stage")
def order_index(m: RingMachine, x: RingSide) -> None:
    """Let the peer see the new index before this side looks at the event index (xen_mb)."""
    side = m.sides[x]
    require("the index is stored", side.stage == FENCE, EINVAL)
    full_barrier(m, x)
    side.stage = CHECK


@ring_step("early.values", "sides.old", "sides.stage")
def check_notify(m: RingMachine, x: RingSide, age: int = 0) -> None:
    """Load the peer's event index, and decide whether the peer is to be told."""
    side = m.sides[x]
    require("the index is ordered", side.stage == CHECK, EINVAL)
    event = load(m, x, own_event(peer_of(x)), age)
    side.stage = NOTIFY if crossed(side.pushed, side.old, event, m.mask) else LOOK
    side.old = side.pushed


@ring_step("early.values", "bells.pending", "sides.stage")
def notify(m: RingMachine, x: RingSide) -> None:
    """Send the event: a hypercall, which everything that the side did before comes before."""
    side = m.sides[x]
    require("the peer is to be told", side.stage == NOTIFY, EINVAL)
    full_barrier(m, x)
    m.bells[peer_of(x)].pending = True
    side.stage = LOOK


@ring_step("early.values", "bells.pending", "sides.stage")
def wake(m: RingMachine, x: RingSide) -> None:
    """Take the event that was sent, and look what there is: a locked instruction clears the pending bit."""
    side, bell = m.sides[x], m.bells[x]
    require("the side sleeps", side.stage == ASLEEP, EINVAL)
    require("an event is pending", bell.pending, EINVAL)
    full_barrier(m, x)
    bell.pending = False
    side.stage = LOOK
