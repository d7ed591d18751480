"""Handles: one for each mapping, handed out before it begins and free again when nothing is left of it.

A handle names one use of one entry for as long as it is handed out (maptrack; public/grant_table.h,
GNTTABOP_map_grant_ref). The guest has it from the moment that the mapping is complete.
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.grants.books import HandleRow, State
from xenspec.grants.contracts.entries import Used
from xenspec.logic import Not, implies, ite
from xenspec.memory.frames import NO_FRAME
from xenspec.vocabulary import DOMID_INVALID, WRITABLE, DomId, FlightId, GrantId, HandleId, Mode

A_PAGE = 256
"""Handles that Xen keeps track of in one page."""
ROW = (
    "taken",
    "pinned",
    "live",
    "host",
    "device",
    "readonly",
    "stored",
    "by_entry",
    "domain",
    "ref",
    "frame",
)
"""All of a handle."""


@dataclass(frozen=True, slots=True)
class OfDomain:
    """A domain."""

    domain: DomId


@dataclass(frozen=True, slots=True)
class Wanted:
    """A handle, the entry that it is to be of, and what is to be mapped how."""

    h: HandleId
    g: GrantId
    host: bool
    device: bool
    readonly: bool


@dataclass(frozen=True, slots=True)
class OfHandle:
    """A handle."""

    h: HandleId


@dataclass(frozen=True, slots=True)
class Given:
    """A handle, the flight with the reference that devices are to keep, and how the guest named its place."""

    k: FlightId
    h: HandleId
    by_entry: bool


@dataclass(frozen=True, slots=True)
class Freed:
    """A handle, and the flight that is to have what devices had of its frame."""

    k: FlightId
    h: HandleId


MORE_HANDLES: Contract[State, OfDomain] = Contract("have more handles")
HAND_OUT: Contract[State, Wanted] = Contract("hand a handle out")
TAKE_BACK: Contract[State, OfHandle] = Contract("take a handle back")
FORGET: Contract[State, OfHandle] = Contract("forget a handle")
HOLD_PIN: Contract[State, OfHandle] = Contract("have a handle hold a pin")
LOSE_PIN: Contract[State, OfHandle] = Contract("take a handle's pin")
BE_UNPINNED: Contract[State, OfHandle] = Contract("have no pin yet")
GIVE_HANDLE: Contract[State, Given] = Contract("give a handle to its guest")
END_OF_DYING: Contract[State, Freed] = Contract("end a mapping of a dying domain")


def use_of(s: State, h: HandleId) -> Used:
    """Return the use of an entry that a handle is for."""
    row = s.mappings[h]
    return Used(GrantId((row.domain, row.ref)), DomId(h[0]), row.host, row.device, row.readonly)


def held_as(row: HandleRow) -> Mode:
    """How a flight holds the frame of a mapping: as writable memory if the mapping writes."""
    return ite(row.readonly, Mode.REF, Mode.HELD)


@MORE_HANDLES.asks(property=20)
def handles_are_limited(s: State, a: OfDomain) -> bool:
    """A domain that is at its limit gets no more handles."""
    return s.grant_tables[a.domain].handles < s.grant_tables[a.domain].handle_limit


@MORE_HANDLES.does(property=20)
def a_page_of_handles_is_made(before: State, after: State, a: OfDomain) -> bool:
    """There are as many handles more as Xen keeps track of in a page."""
    return after.grant_tables[a.domain].handles == before.grant_tables[a.domain].handles + A_PAGE


@MORE_HANDLES.touches
def _more_handles(_: State, a: OfDomain) -> tuple[Cells, ...]:
    return (Cells("grant_tables", a.domain, ("handles",)),)


@HAND_OUT.asks(property=28)
def only_a_free_handle_is_handed_out(s: State, a: Wanted) -> bool:
    """The handle exists and is free: none is of two mappings."""
    return (a.h[1] >= 0) & (a.h[1] < s.grant_tables[DomId(a.h[0])].handles) & Not(s.mappings[a.h].taken)


@HAND_OUT.asks(property=28)
def a_handle_is_of_something(s: State, a: Wanted) -> bool:  # noqa: ARG001 - of the arguments alone
    """A handle is of a mapping for processors, for devices, or for both."""
    return a.host | a.device


@HAND_OUT.does(property=28)
def the_handle_is_of_what_is_wanted(_: State, after: State, a: Wanted) -> bool:
    """The handle is taken for the entry and the kind of mapping; nothing is mapped by it yet."""
    row = after.mappings[a.h]
    return (
        row.taken
        & (row.domain == a.g[0])
        & (row.ref == a.g[1])
        & (row.host == a.host)
        & (row.device == a.device)
        & (row.readonly == a.readonly)
        & Not(row.pinned)
        & Not(row.live)
        & Not(row.stored)
        & Not(row.by_entry)
        & (row.frame == NO_FRAME)
    )


@HAND_OUT.does(property=28)
def handles_come_back_as_late_as_can_be(_: State, after: State, a: Wanted) -> bool:
    """The next free handle is looked for behind this one."""
    return after.grant_tables[DomId(a.h[0])].next_handle == a.h[1] + 1


@HAND_OUT.touches
def _hand_out(_: State, a: Wanted) -> tuple[Cells, ...]:
    return (Cells("mappings", a.h, ROW), Cells("grant_tables", a.h[0], ("next_handle",)))


@TAKE_BACK.asks(property=28)
def what_is_in_use_is_not_taken_back(s: State, a: OfHandle) -> bool:
    """Only a handle that holds no pin, and that its guest does not have, is taken back."""
    row = s.mappings[a.h]
    return row.taken & Not(row.pinned) & Not(row.live)


@FORGET.does(property=28)
def a_forgotten_handle_names_nothing(_: State, after: State, a: OfHandle) -> bool:
    """The handle is free: it holds nothing and names nothing."""
    row = after.mappings[a.h]
    return (
        Not(row.taken)
        & Not(row.pinned)
        & Not(row.live)
        & Not(row.host)
        & Not(row.device)
        & Not(row.readonly)
        & Not(row.stored)
        & Not(row.by_entry)
        & (row.domain == DOMID_INVALID)
        & (row.ref == 0)
        & (row.frame == NO_FRAME)
    )


@FORGET.touches
def _forget(_: State, a: OfHandle) -> tuple[Cells, ...]:
    return (Cells("mappings", a.h, ROW),)


# --- Pins ---------------------------------------------------------------------------------------------------


@BE_UNPINNED.asks(property=28)
def a_handle_is_pinned_once(s: State, a: OfHandle) -> bool:
    """A handle that is handed out holds one pin at most."""
    return s.mappings[a.h].taken & Not(s.mappings[a.h].pinned)


@HOLD_PIN.does(property=28)
def a_pinned_handle_is_of_the_granted_frame(_: State, after: State, a: OfHandle) -> bool:
    """The handle holds a pin of the frame that is remembered of its entry."""
    row = after.mappings[a.h]
    return row.pinned & (row.frame == after.active[row.domain, row.ref].frame)


@HOLD_PIN.touches
def _hold_pin(_: State, a: OfHandle) -> tuple[Cells, ...]:
    return (Cells("mappings", a.h, ("pinned", "frame")),)


@LOSE_PIN.asks(property=28)
def a_mapping_in_use_keeps_its_pin(s: State, a: OfHandle) -> bool:
    """A pin is taken back only while no entry is stored for it, and the guest does not have the handle."""
    row = s.mappings[a.h]
    return row.taken & row.pinned & Not(row.live) & Not(row.stored)


@LOSE_PIN.does(property=28)
def the_handle_has_no_pin(_: State, after: State, a: OfHandle) -> bool:
    """The handle holds no pin any more."""
    return Not(after.mappings[a.h].pinned)


@LOSE_PIN.touches
def _lose_pin(_: State, a: OfHandle) -> tuple[Cells, ...]:
    return (Cells("mappings", a.h, ("pinned",)),)


# --- The guest's --------------------------------------------------------------------------------------------


@GIVE_HANDLE.asks(property=28)
def only_a_pinned_handle_is_given(s: State, a: Given) -> bool:
    """A guest is given a handle once, and that holds a pin."""
    row = s.mappings[a.h]
    return row.taken & row.pinned & Not(row.live)


@GIVE_HANDLE.asks(property=(1, 2, 7, 28))
def devices_keep_the_granted_frame(s: State, a: Given) -> bool:
    """Devices get what was granted: held in flight, the granting domain's, writable memory if written."""
    row, flight = s.mappings[a.h], s.flights[a.k]
    frame = s.frames[row.frame]
    return implies(
        row.device,
        lambda: (
            (flight.frame == row.frame)
            & (flight.mode == held_as(row))
            & (frame.owner == row.domain)
            & (row.readonly | (frame.type == WRITABLE))
        ),
    )


@GIVE_HANDLE.does(property=28)
def the_guest_has_the_handle(before: State, after: State, a: Given) -> bool:
    """The guest may unmap by the handle; what devices need is theirs now."""
    row = after.mappings[a.h]
    idle = implies(before.mappings[a.h].device, lambda: after.flights[a.k].mode == Mode.IDLE)
    return row.live & (row.by_entry == a.by_entry) & idle


@GIVE_HANDLE.touches
def _give_handle(s: State, a: Given) -> tuple[Cells, ...]:
    return (
        Cells("mappings", a.h, ("live", "by_entry")),
        Cells("flights", a.k, ("mode",), when=s.mappings[a.h].device),
    )


@END_OF_DYING.asks(property=(28, 32))
def only_mappings_of_the_dying_end_unasked(s: State, a: Freed) -> bool:
    """Xen ends a mapping by itself only of a domain whose end has begun, and only what its guest had."""
    return s.domains[DomId(a.h[0])].dying & s.mappings[a.h].live & (s.flights[a.k].mode == Mode.IDLE)


@END_OF_DYING.does(property=(6, 32))
def what_devices_had_is_in_flight(before: State, after: State, a: Freed) -> bool:
    """The flight has what devices had of the frame."""
    row, flight = before.mappings[a.h], after.flights[a.k]
    return implies(row.device, lambda: (flight.frame == row.frame) & (flight.mode == held_as(row)))


@END_OF_DYING.touches
def _end_of_dying(s: State, a: Freed) -> tuple[Cells, ...]:
    return (Cells("flights", a.k, ("mode", "frame"), when=s.mappings[a.h].device),)
