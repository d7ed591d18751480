"""Safety of I/O rings: indices stay in order, a slot is read once, nothing is lost.

What is said of a side's own indices and of what it takes holds whatever the peer does to the shared page.
What is said of both sides holds as long as both keep to the protocol (`honest`): a side that does not may
lose its own items.
"""

from xenspec.invariant import Kind, Registry
from xenspec.logic import Not, both, implies
from xenspec.rings.state import (
    ASLEEP,
    BROKEN,
    COPIED,
    PUSHED,
    RingState,
    SideRow,
    ahead,
    other,
    slot,
)
from xenspec.vocabulary import BACKEND, FRONTEND, RequestId, RingSide

SAFETY: Registry[RingState] = Registry("rings", Kind.SAFETY)
invariant = SAFETY.invariant


def honest(s: RingState) -> bool:
    """Return whether both sides have kept to the protocol."""
    return s.sides[FRONTEND].honest & s.sides[BACKEND].honest


def pushing(side: SideRow) -> bool:
    """Return whether a side has stored a producer index and not yet decided or sent the event."""
    return (side.stage == PUSHED[0]) | (side.stage == PUSHED[1]) | (side.stage == PUSHED[2])


def unasked(s: RingState, taker: SideRow, index: int) -> bool:
    """Return whether a producer index has not reached the item that a side asked to be told of."""
    return ahead(s, index, taker.cons) < ahead(s, taker.wanted, taker.cons)


# --- One side, whatever the peer does ----------------------------------------------------------------------


@invariant(property=26)
def ring_holds_no_more_than_its_size(s: RingState, x: RingSide) -> bool:
    """Requests without a taken response, and requests taken and not answered, fit the ring."""
    side = s.sides[x]
    return implies(x == FRONTEND, lambda: ahead(s, side.prod, side.cons) <= s.size) & implies(
        x == BACKEND, lambda: ahead(s, side.cons, side.prod) <= s.size
    )


@invariant(property=26)
def items_to_take_are_bounded(s: RingState, x: RingSide) -> bool:
    """A side takes no more items than requests fit the ring, or responses are due."""
    side = s.sides[x]
    wanting = ahead(s, side.limit, side.cons)
    return implies(x == FRONTEND, lambda: wanting <= ahead(s, side.prod, side.cons)) & implies(
        x == BACKEND, lambda: wanting + ahead(s, side.cons, side.prod) <= s.size
    )


@invariant(property=26)
def slot_is_fetched_once(s: RingState, x: RingSide) -> bool:
    """The slot of an item is loaded once, and not before its turn."""
    side = s.sides[x]
    at_work = (side.stage == COPIED) | (side.stage == BROKEN)
    return (side.fetches <= 1) & implies(side.fetches == 1, lambda: at_work)


@invariant(property=26)
def copy_is_what_was_checked(s: RingState, x: RingSide) -> bool:
    """What a side keeps of an item is what its check has looked at."""
    side = s.sides[x]
    return implies((side.checked != -1), lambda: side.checked == side.item)


@invariant(property=26)
def request_is_answered_once(s: RingState, r: RequestId) -> bool:
    """A request has at most one response, and none while the backend still holds it."""
    row = s.requests[r]
    return implies(honest(s), lambda: (row.answers <= 1) & implies(row.held, lambda: row.answers == 0))


@invariant(property=26)
def held_request_was_sent(s: RingState, r: RequestId) -> bool:
    """What the backend holds is a request that the frontend waits for."""
    row = s.requests[r]
    return implies(both(row.held, lambda: honest(s)), lambda: row.sent)


@invariant(property=26)
def response_is_handed_up_once(s: RingState, r: RequestId) -> bool:
    """A frontend hands up one response to each request that it has sent, and no other."""
    row = s.requests[r]
    return (row.due == 1) & row.sent | (row.due == 0) & Not(row.sent)


# --- Both sides --------------------------------------------------------------------------------------------


@invariant(property=26)
def indices_are_in_order(s: RingState, x: RingSide) -> bool:
    """Responses are taken after they are written, after requests are taken, after these are written."""
    front, back = s.sides[FRONTEND], s.sides[BACKEND]

    def order() -> bool:
        published, written = ahead(s, back.pushed, front.cons), ahead(s, back.prod, front.cons)
        taken, sent = ahead(s, back.cons, front.cons), ahead(s, front.pushed, front.cons)
        return (
            (published <= written)
            & (written <= taken)
            & (taken <= sent)
            & (sent <= ahead(s, front.prod, front.cons))
            & (ahead(s, front.prod, front.cons) <= s.size)
        )

    return implies(both(x == FRONTEND, lambda: honest(s)), order)


@invariant(property=26)
def only_published_items_are_taken(s: RingState, x: RingSide) -> bool:
    """What a side is going to take, its peer has published."""
    side, peer = s.sides[x], s.sides[other(x)]
    return implies(honest(s), lambda: ahead(s, side.limit, side.cons) <= ahead(s, peer.pushed, side.cons))


@invariant(property=(26, 29))
def copy_is_what_was_written(s: RingState, x: RingSide) -> bool:
    """The copy of an item is what the peer wrote for it, not what the slot held before."""
    side = s.sides[x]
    return implies(
        both(side.stage == COPIED, lambda: honest(s)),
        lambda: side.item == s.written[other(x), slot(s, side.cons)].value,
    )


@invariant(property=26)
def honest_ring_is_never_broken(s: RingState, x: RingSide) -> bool:
    """A side that keeps to the protocol is not taken for one that breaks it."""
    return implies(s.sides[x].stage == BROKEN, lambda: Not(honest(s)))


@invariant(property=(27, 29))
def sleeper_will_be_told(s: RingState, x: RingSide) -> bool:
    """Nothing that a sleeper asked for is published without an event, unless its peer is still at it."""
    side, peer = s.sides[x], s.sides[other(x)]
    return implies(
        both((side.stage == ASLEEP) & Not(s.bells[x].pending), lambda: honest(s)),
        lambda: unasked(s, side, peer.pushed) | pushing(peer),
    )


@invariant(property=(27, 29))
def push_for_a_sleeper_ends_in_an_event(s: RingState, x: RingSide) -> bool:
    """A push that a sleeper waits for began before the item that it asked for, so it will notify."""
    side, peer = s.sides[x], s.sides[other(x)]
    deciding = (peer.stage == PUSHED[0]) | (peer.stage == PUSHED[1])
    return implies(
        both((side.stage == ASLEEP) & Not(s.bells[x].pending) & deciding, lambda: honest(s)),
        lambda: unasked(s, side, peer.pushed) | unasked(s, side, peer.old),
    )
