"""Copies: a frame on each side, by a grant or of the caller's own, and bytes from one to the other.

GNTTABOP_copy (public/grant_table.h). A side by a grant may be a part of a page: no byte outside it is copied.
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.grants.books import State
from xenspec.grants.contracts.entries import Used
from xenspec.grants.state import CopyRow
from xenspec.logic import Not, implies, ite
from xenspec.vocabulary import PAGE_SIZE, WRITABLE, CopyId, DomId, FlightId, GrantId, Mode, VcpuId

SOURCE = 0
TARGET = 1
UNIT = 8
"""Bytes that are copied at once, at most."""


@dataclass(frozen=True, slots=True)
class OfSide:
    """A side of a copy."""

    c: CopyId


@dataclass(frozen=True, slots=True)
class Claimed:
    """A side of a copy, and the use of an entry that it is to be of."""

    c: CopyId
    use: Used


@dataclass(frozen=True, slots=True)
class Held:
    """A side of a copy, and a flight."""

    k: FlightId
    c: CopyId


@dataclass(frozen=True, slots=True)
class Bytes:
    """Where bytes come from and go to in the pages of both sides, and how many."""

    v: VcpuId
    source: int
    target: int
    count: int


CLAIM: Contract[State, Claimed] = Contract("claim an entry for a side of a copy")
UNCLAIM: Contract[State, OfSide] = Contract("give a side's claim up")
HOLD_SIDE: Contract[State, Held] = Contract("hold the frame of a side")
LEAVE_SIDE: Contract[State, Held] = Contract("let the frame of a side go")
COPY_BYTES: Contract[State, Bytes] = Contract("copy bytes")


def use_of(s: State, c: CopyId) -> Used:
    """Return the use of an entry that a side is of: by processors, of a part of a page perhaps."""
    row = s.copies[c]
    g, by = GrantId((row.domain, row.ref)), DomId(c[0][0])
    return Used(g, by, host=True, device=False, readonly=row.readonly, whole=False)


def is_free(s: State, c: CopyId) -> bool:
    """A side uses and holds nothing, and looks for nothing."""
    row = s.copies[c]
    return Not(row.pinned) & Not(row.held) & Not(row.asked) & Not(s.passed[c].pinned)


@CLAIM.asks(property=28)
def a_side_is_claimed_once(s: State, a: Claimed) -> bool:
    """The side is of no entry and no frame yet, and nothing is passed on to it."""
    return is_free(s, a.c)


@CLAIM.does(property=28)
def the_side_is_of_what_is_granted(_: State, after: State, a: Claimed) -> bool:
    """The side uses the entry, and is of the frame and the part that are remembered of it."""
    row, active = after.copies[a.c], after.active[a.use.g]
    return (
        row.pinned
        & (row.readonly == a.use.readonly)
        & (row.domain == a.use.g[0])
        & (row.ref == a.use.g[1])
        & (row.frame == active.frame)
        & (row.start == active.start)
        & (row.length == active.length)
        & (row.trans_domain == active.trans_domain)
        & (row.trans_ref == active.trans_ref)
    )


@CLAIM.touches
def _claim(_: State, a: Claimed) -> tuple[Cells, ...]:
    names = ("pinned", "readonly", "domain", "ref", "frame", "start", "length", "trans_domain", "trans_ref")
    return (Cells("copies", a.c, names),)


@UNCLAIM.asks(property=28)
def only_a_claim_is_given_up(s: State, a: OfSide) -> bool:
    """The side uses an entry."""
    return s.copies[a.c].pinned


@UNCLAIM.does(property=28)
def the_side_is_of_no_entry(_: State, after: State, a: OfSide) -> bool:
    """The side uses no entry any more."""
    return Not(after.copies[a.c].pinned)


@UNCLAIM.touches
def _unclaim(_: State, a: OfSide) -> tuple[Cells, ...]:
    return (Cells("copies", a.c, ("pinned",)),)


@HOLD_SIDE.asks(property=(2, 3, 28))
def a_side_by_a_grant_holds_what_was_granted(s: State, a: Held) -> bool:
    """A side by a grant holds the frame that it claimed, still owned by who granted it in the end."""
    row, flight = s.copies[a.c], s.flights[a.k]
    granted = (flight.frame == row.frame) & (s.frames[flight.frame].owner == row.trans_domain)
    return Not(row.held) & (Not(row.pinned) | granted)


@HOLD_SIDE.asks(property=(1, 6))
def a_side_is_held_as_it_is_in_flight(s: State, a: Held) -> bool:
    """The flight holds a general reference, or writable memory."""
    flight = s.flights[a.k]
    memory = (flight.mode == Mode.HELD) & (s.frames[flight.frame].type == WRITABLE)
    return (flight.mode == Mode.REF) | memory


@HOLD_SIDE.does(property=(6, 28))
def the_side_holds_the_frame(before: State, after: State, a: Held) -> bool:
    """The side has what the flight had."""
    row, flight = after.copies[a.c], before.flights[a.k]
    return (
        row.held
        & (row.frame == flight.frame)
        & (row.typed == (flight.mode == Mode.HELD))
        & (after.flights[a.k].mode == Mode.IDLE)
    )


@HOLD_SIDE.touches
def _hold_side(_: State, a: Held) -> tuple[Cells, ...]:
    return (Cells("copies", a.c, ("held", "typed", "frame")), Cells("flights", a.k, ("mode",)))


@LEAVE_SIDE.asks(property=6)
def a_side_is_let_go_into_an_idle_flight(s: State, a: Held) -> bool:
    """The side holds its frame, and the flight nothing."""
    return s.copies[a.c].held & (s.flights[a.k].mode == Mode.IDLE)


@LEAVE_SIDE.does(property=6)
def the_flight_has_what_the_side_held(before: State, after: State, a: Held) -> bool:
    """The flight has the side's frame as the side had it."""
    row, flight = before.copies[a.c], after.flights[a.k]
    return (
        Not(after.copies[a.c].held)
        & (flight.frame == row.frame)
        & (flight.mode == ite(row.typed, Mode.HELD, Mode.REF))
    )


@LEAVE_SIDE.touches
def _leave_side(_: State, a: Held) -> tuple[Cells, ...]:
    return (Cells("copies", a.c, ("held",)), Cells("flights", a.k, ("mode", "frame")))


# --- Bytes --------------------------------------------------------------------------------------------------


def _source(s: State, a: Bytes) -> CopyRow:
    return s.copies[a.v, SOURCE]


def _target(s: State, a: Bytes) -> CopyRow:
    return s.copies[a.v, TARGET]


def _granted(row: CopyRow, first: int, count: int) -> bool:
    """The bytes are among those that the side's entry grants, if it is by a grant."""
    return implies(row.pinned, lambda: (first >= row.start) & (first + count <= row.start + row.length))


@COPY_BYTES.asks(property=(3, 28))
def only_what_the_source_grants_is_read(s: State, a: Bytes) -> bool:
    """The bytes are of the frame that the source holds, and of the part of it that was granted."""
    return _source(s, a).held & _granted(_source(s, a), a.source, a.count)


@COPY_BYTES.asks(property=(1, 2, 28))
def only_what_the_target_grants_is_written(s: State, a: Bytes) -> bool:
    """The bytes go into memory that the target holds, and into a part of it that was granted for writing."""
    row = _target(s, a)
    writes = implies(row.pinned, lambda: Not(row.readonly))
    return row.held & row.typed & writes & _granted(row, a.target, a.count)


@COPY_BYTES.asks(property=10)
def a_copy_stays_inside_its_pages(s: State, a: Bytes) -> bool:  # noqa: ARG001 - of the arguments alone
    """Up to eight bytes are copied at once, none from or to outside the two pages."""
    few = (a.count > 0) & (a.count <= UNIT)
    from_here = (a.source >= 0) & (a.source + a.count <= PAGE_SIZE)
    return few & from_here & (a.target >= 0) & (a.target + a.count <= PAGE_SIZE)


@COPY_BYTES.does(property=33)
def the_bytes_are_copied(before: State, after: State, a: Bytes) -> bool:
    """The one or two words that the bytes go into hold them, and around them what they held."""
    given, kept = _source(before, a).frame, _target(before, a).frame
    s, t = before.grants.slot_of(a.source), before.grants.slot_of(a.target)
    words = (before.words[given, s], before.words[given, s + 1])
    low, high = before.grants.spliced(
        words, a.source, (before.words[kept, t], before.words[kept, t + 1]), a.target, a.count
    )
    two = before.grants.slot_of(a.target + a.count - 1) != t
    return (after.words[kept, t] == low) & implies(two, lambda: after.words[kept, t + 1] == high)


@COPY_BYTES.touches
def _copy_bytes(s: State, a: Bytes) -> tuple[Cells, ...]:
    kept, t = _target(s, a).frame, s.grants.slot_of(a.target)
    two = s.grants.slot_of(a.target + a.count - 1) != t
    return (Cells("words", (kept, t), ("word",)), Cells("words", (kept, t + 1), ("word",), when=two))
