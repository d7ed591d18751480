"""Type references: a frame is one thing at a time, and every CPU forgets what it was before it is another.

At count zero a frame may become another type; then each CPU that may translate to it is flushed, and its
contents are looked at, before anybody holds it as what it is to be (advisories 241, 299, 401).
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.logic import Not, implies, ite
from xenspec.memory.contracts.references import InFlight
from xenspec.memory.frames import FrameRow
from xenspec.memory.state import BookedFrameRow, State
from xenspec.vocabulary import L1, L4, NO_TYPE, SHARED, WRITABLE, FlightId, Mode, PageType

MOST_TYPED = (1 << 52) - 1
"""A type count that may not be raised any more (52 bits)."""
LOCK_AND_ANOTHER = 2
"""Type references of a frame that its lock and one more holder have."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A flight that holds a frame, and the type that it takes it as."""

    k: FlightId
    want: PageType


TAKE_TYPE: Contract[State, Typed] = Contract("take a type reference")
TAKE_AGAIN: Contract[State, InFlight] = Contract("take one more type reference")
LOCK: Contract[State, InFlight] = Contract("lock a page")
UNLOCK: Contract[State, InFlight] = Contract("unlock a page")
DROP_TYPE: Contract[State, InFlight] = Contract("drop a type reference")
FINISH_FLUSH: Contract[State, InFlight] = Contract("end a type change's flush")
BE_NONCOHERENT: Contract[State, InFlight] = Contract("remember a write-combining mapping")


def held(s: State, k: FlightId) -> BookedFrameRow:
    """Return the frame that a flight holds."""
    return s.frames[s.flights[k].frame]


def is_table(frame: FrameRow) -> bool:
    """The frame is a page table of some level, or was last."""
    return (frame.type >= L1) & (frame.type <= L4)


# --- Taking a type ------------------------------------------------------------------------------------------


def _changes(s: State, a: Typed) -> bool:
    """The frame, of which nobody has a type reference, becomes another type than it was last."""
    frame = held(s, a.k)
    return (frame.type_count == 0) & ((frame.type != a.want) | frame.top_l2)


def _begins(s: State, a: Typed) -> bool:
    """The frame is to be looked at from its first slot: last of this type, and not found to fit it."""
    frame = held(s, a.k)
    return (frame.type_count == 0) & (frame.type == a.want) & Not(frame.top_l2) & Not(frame.validated)


@TAKE_TYPE.asks(property=(6, 15))
def a_type_is_taken_of_a_frame_that_is_held(s: State, a: Typed) -> bool:
    """Whoever takes a frame's type holds a general reference of it."""
    return s.flights[a.k].mode == Mode.REF


@TAKE_TYPE.asks(property=10)
def no_guest_takes_xens_types(_: State, a: Typed) -> bool:
    """Neither `none` nor the type of a page that Xen shares can be taken."""
    return (a.want != NO_TYPE) & (a.want != SHARED)


@TAKE_TYPE.asks(property=(5, 6))
def a_frame_in_use_is_taken_as_what_it_is(s: State, a: Typed) -> bool:
    """While somebody has a type reference of a frame, it is taken as that type or not at all."""
    frame = held(s, a.k)
    return (frame.type_count == 0) | ((frame.type == a.want) & Not(frame.top_l2))


@TAKE_TYPE.asks(property=5, advisories=(299,))
def two_do_not_look_at_one_frame(s: State, a: Typed) -> bool:
    """A frame in use is taken when it is validated, or when its work waits for somebody to go on."""
    frame = held(s, a.k)
    return (frame.type_count == 0) | frame.validated | frame.partial


@TAKE_TYPE.asks(property=6)
def the_type_count_has_room(s: State, a: Typed) -> bool:
    """A type count at its limit is not raised."""
    return held(s, a.k).type_count < MOST_TYPED


@TAKE_TYPE.does(property=5)
def the_frame_is_of_the_type_taken(before: State, after: State, a: Typed) -> bool:
    """The frame is of the type that was asked for, and of no special kind of it."""
    frame = after.frames[before.flights[a.k].frame]
    return (frame.type == a.want) & Not(frame.top_l2)


@TAKE_TYPE.does(property=6)
def one_more_has_the_type(before: State, after: State, a: Typed) -> bool:
    """There is one type reference more; of a table whose work waits, its own one is taken over."""
    was, frame = held(before, a.k), after.frames[before.flights[a.k].frame]
    return frame.type_count == was.type_count + ite(was.partial & (was.type_count > 0), 0, 1)


@TAKE_TYPE.does(property=8, advisories=(241, 401))
def a_new_type_is_flushed_first(before: State, after: State, a: Typed) -> bool:
    """A frame that changes its type is not valid, and its flush begins with the first CPU."""
    frame = after.frames[before.flights[a.k].frame]
    return implies(
        _changes(before, a),
        lambda: (
            (after.flights[a.k].mode == Mode.FLUSHING)
            & frame.flushing
            & (frame.cursor == 0)
            & Not(frame.validated)
        ),
    )


@TAKE_TYPE.does(property=5)
def a_frame_that_fits_is_held_at_once(before: State, after: State, a: Typed) -> bool:
    """A validated frame of the type is held without more ado, and another one is looked at first."""
    return implies(
        Not(_changes(before, a)),
        lambda: after.flights[a.k].mode == ite(held(before, a.k).validated, Mode.HELD, Mode.VALIDATING),
    )


@TAKE_TYPE.does(property=5, advisories=(299,))
def work_that_waits_goes_on(before: State, after: State, a: Typed) -> bool:
    """A frame whose work is taken over waits no more."""
    return Not(after.frames[before.flights[a.k].frame].partial)


@TAKE_TYPE.does(property=5)
def a_frame_is_looked_at_from_its_first_slot(before: State, after: State, a: Typed) -> bool:
    """What is looked at anew is looked at from the first slot, with empty books."""
    return implies(_begins(before, a), lambda: _afresh(after.frames[before.flights[a.k].frame]))


def _afresh(frame: BookedFrameRow) -> bool:
    """Nothing of the frame was looked at."""
    return (frame.next_slot == 0) & (frame.linear == 0) & Not(frame.noncoherent)


@TAKE_TYPE.touches
def _take_type(s: State, a: Typed) -> tuple[Cells, ...]:
    f, changes = s.flights[a.k].frame, _changes(s, a)
    return (
        Cells("flights", a.k, ("mode",)),
        Cells("frames", f, ("type_count", "partial")),
        Cells("frames", f, ("type", "validated", "flushing", "cursor", "top_l2"), when=changes),
        Cells("frames", f, ("next_slot", "linear", "noncoherent"), when=_begins(s, a)),
    )


# --- Once more, and under the lock --------------------------------------------------------------------------


@TAKE_AGAIN.asks(property=(5, 6))
def only_a_validated_frame_in_use_is_taken_again(s: State, a: InFlight) -> bool:
    """A type reference is taken, whatever the type, of a held frame that is validated and in use."""
    frame = held(s, a.k)
    return (s.flights[a.k].mode == Mode.REF) & (frame.type_count > 0) & frame.validated


@TAKE_AGAIN.asks(property=6)
def the_count_of_a_frame_in_use_has_room(s: State, a: InFlight) -> bool:
    """A type count at its limit is not raised."""
    return held(s, a.k).type_count < MOST_TYPED


@TAKE_AGAIN.does(property=6)
def the_flight_has_the_type(before: State, after: State, a: InFlight) -> bool:
    """There is one type reference more, and the flight has it."""
    f = before.flights[a.k].frame
    return (after.frames[f].type_count == before.frames[f].type_count + 1) & (
        after.flights[a.k].mode == Mode.HELD
    )


@TAKE_AGAIN.touches
def _take_again(s: State, a: InFlight) -> tuple[Cells, ...]:
    return (
        Cells("flights", a.k, ("mode",)),
        Cells("frames", s.flights[a.k].frame, ("type_count",)),
    )


@LOCK.asks(property=(5, 10))
def one_at_a_time_updates_a_page(s: State, a: InFlight) -> bool:
    """A page that somebody has locked is not locked again."""
    return Not(held(s, a.k).locked)


@LOCK.does(property=(5, 10))
def the_page_is_locked(before: State, after: State, a: InFlight) -> bool:
    """The page is locked."""
    return after.frames[before.flights[a.k].frame].locked


@LOCK.touches
def _lock(s: State, a: InFlight) -> tuple[Cells, ...]:
    return (Cells("frames", s.flights[a.k].frame, ("locked",)),)


@UNLOCK.asks(property=(5, 6))
def only_a_locked_page_with_another_holder_is_unlocked(s: State, a: InFlight) -> bool:
    """The lock that is dropped is there, and so is another type reference: unlocking demotes nothing."""
    return (s.flights[a.k].mode == Mode.HELD) & held(s, a.k).locked & (held(s, a.k).type_count > 1)


@UNLOCK.does(property=(5, 6))
def the_page_is_open_with_one_holder_fewer(before: State, after: State, a: InFlight) -> bool:
    """The page is not locked, the lock's type reference is gone, and the general one is left."""
    f = before.flights[a.k].frame
    return (
        Not(after.frames[f].locked)
        & (after.frames[f].type_count == before.frames[f].type_count - 1)
        & (after.flights[a.k].mode == Mode.REF)
    )


@UNLOCK.touches
def _unlock(s: State, a: InFlight) -> tuple[Cells, ...]:
    return (
        Cells("flights", a.k, ("mode",)),
        Cells("frames", s.flights[a.k].frame, ("locked", "type_count")),
    )


# --- Dropping a type ----------------------------------------------------------------------------------------


def _demotes(s: State, a: InFlight) -> bool:
    """The last type reference of a page table goes: its entries are to be released first."""
    return (held(s, a.k).type_count == 1) & is_table(held(s, a.k))


@DROP_TYPE.asks(property=6)
def a_type_that_is_dropped_is_held(s: State, a: InFlight) -> bool:
    """The flight has a type reference."""
    return s.flights[a.k].mode == Mode.HELD


@DROP_TYPE.asks(property=(5, 6))
def a_locked_page_keeps_another_holder(s: State, a: InFlight) -> bool:
    """A page in use stays so while it is locked: the lock is never its only holder."""
    return Not(held(s, a.k).locked) | (held(s, a.k).type_count > LOCK_AND_ANOTHER)


@DROP_TYPE.does(property=(4, 5), advisories=(299,))
def the_last_drop_of_a_table_begins_its_demotion(before: State, after: State, a: InFlight) -> bool:
    """A table that nobody else has is not valid, and is released from its last slot down."""
    frame = after.frames[before.flights[a.k].frame]
    return implies(
        _demotes(before, a),
        lambda: (
            Not(frame.validated)
            & (frame.next_slot == before.pte.slots)
            & (after.flights[a.k].mode == Mode.DEVALIDATING)
        ),
    )


@DROP_TYPE.does(property=6)
def another_drop_leaves_one_holder_fewer(before: State, after: State, a: InFlight) -> bool:
    """Any other type reference is gone at once; the general one is left."""
    f = before.flights[a.k].frame
    return implies(
        Not(_demotes(before, a)),
        lambda: (
            (after.frames[f].type_count == before.frames[f].type_count - 1)
            & (after.flights[a.k].mode == Mode.REF)
        ),
    )


@DROP_TYPE.does(property=8, advisories=(241, 401))
def a_frame_out_of_use_is_stamped(before: State, after: State, a: InFlight) -> bool:
    """As the last type reference goes, the frame notes the flush clock."""
    f = before.flights[a.k].frame
    return implies(
        Not(_demotes(before, a)) & (before.frames[f].type_count == 1),
        lambda: after.frames[f].stamp == before.world[0].clock,
    )


DEMOTION = ("demoted", "demoted_at", "demoted_from", "demoted_owner")
"""What is noted of a table when it ceases to be one."""


@DROP_TYPE.touches
def _drop_type(s: State, a: InFlight) -> tuple[Cells, ...]:
    f, demotes = s.flights[a.k].frame, _demotes(s, a)
    return (
        Cells("flights", a.k, ("mode",)),
        Cells("frames", f, ("validated", "next_slot"), when=demotes),
        Cells("frames", f, ("type_count",), when=Not(demotes)),
        Cells("frames", f, ("stamp",), when=Not(demotes) & (s.frames[f].type_count == 1)),
        Cells("demotions", f, DEMOTION, when=demotes),
    )


# --- The flush of a type change -----------------------------------------------------------------------------


@FINISH_FLUSH.asks(property=8, advisories=(241, 401))
def every_cpu_was_looked_at(s: State, a: InFlight) -> bool:
    """A type change ends when no CPU may translate to the frame as what it was."""
    return (s.flights[a.k].mode == Mode.FLUSHING) & (held(s, a.k).cursor == s.cpu_count)


@FINISH_FLUSH.does(property=(5, 8))
def memory_is_valid_and_all_else_is_looked_at(before: State, after: State, a: InFlight) -> bool:
    """Writable memory is valid as it is and held; a table or a descriptor page is looked at from slot 0."""
    frame = after.frames[before.flights[a.k].frame]
    writable = held(before, a.k).type == WRITABLE
    return (
        Not(frame.flushing)
        & Not(frame.noncoherent)
        & (after.flights[a.k].mode == ite(writable, Mode.HELD, Mode.VALIDATING))
        & implies(writable, lambda: frame.validated)
        & implies(Not(writable), lambda: _afresh(frame))
    )


@FINISH_FLUSH.touches
def _finish_flush(s: State, a: InFlight) -> tuple[Cells, ...]:
    f, writable = s.flights[a.k].frame, held(s, a.k).type == WRITABLE
    return (
        Cells("flights", a.k, ("mode",)),
        Cells("frames", f, ("flushing", "noncoherent")),
        Cells("frames", f, ("validated",), when=writable),
        Cells("frames", f, ("next_slot", "linear"), when=Not(writable)),
        Cells("demotions", f, ("demoted",)),
    )


@BE_NONCOHERENT.asks(property=33, advisories=(402,))
def only_writable_memory_is_noncoherent(s: State, a: InFlight) -> bool:
    """What is mapped write-combining is held as writable memory."""
    return (s.flights[a.k].mode == Mode.HELD) & (held(s, a.k).type == WRITABLE)


@BE_NONCOHERENT.does(property=33, advisories=(402,))
def the_mapping_is_remembered(before: State, after: State, a: InFlight) -> bool:
    """The frame is known to have been mapped write-combining, until its caches are written back."""
    return after.frames[before.flights[a.k].frame].noncoherent


@BE_NONCOHERENT.touches
def _be_noncoherent(s: State, a: InFlight) -> tuple[Cells, ...]:
    return (Cells("frames", s.flights[a.k].frame, ("noncoherent",)),)
