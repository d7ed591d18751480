"""Mappings: a granted frame in a page-table entry, and its way out of there.

What a page-table entry means is said in xenspec.memory.contracts.entries; here it is said which entry a
handle lets its domain store or empty. After an entry is removed its references wait for the flush (advisory
218).
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.grants.books import State
from xenspec.grants.contracts.handles import OfHandle
from xenspec.logic import Not, ite
from xenspec.memory.contracts.entries import TakenOut
from xenspec.vocabulary import L1, FlightId, HandleId, Mfn, Mode, UnmapId, VcpuId


@dataclass(frozen=True, slots=True)
class Mapped:
    """A handle, the table and the slot of its entry, and who stores which word there."""

    v: VcpuId
    h: HandleId
    table: Mfn
    slot: int
    word: int


@dataclass(frozen=True, slots=True)
class Entered:
    """A handle, and the table and slot of an entry."""

    h: HandleId
    table: Mfn
    slot: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A handle, and the place at which the end of its mapping waits for a flush."""

    h: HandleId
    i: UnmapId


@dataclass(frozen=True, slots=True)
class Over:
    """An unmapping, and the flight that is to have the reference that it kept."""

    i: UnmapId
    k: FlightId


MAP: Contract[State, Mapped] = Contract("map a granted frame")
OF_ITS_ENTRY: Contract[State, Entered] = Contract("name the entry of a mapping")
UNSTORE: Contract[State, OfHandle] = Contract("empty the entry of a mapping to move it")
REMOVE: Contract[State, TakenOut] = Contract("remove an entry and keep its reference")
END_HOST: Contract[State, Ended] = Contract("end a mapping of processors")
END_DEVICE: Contract[State, Ended] = Contract("end a mapping of devices")
AFTER_FLUSH: Contract[State, Over] = Contract("let go after the flush")
LET_GO_HOST: Contract[State, Over] = Contract("let go what processors had")
LET_GO_DEVICE: Contract[State, Over] = Contract("let go what devices had")
NOTED = ("readonly", "domain", "ref", "frame")


@MAP.asks(property=(2, 3, 15, 28), advisories=(224,))
def an_entry_maps_what_its_handle_lets(s: State, a: Mapped) -> bool:
    """An entry is stored for a pinned handle of processors: of its frame, writable only as was granted."""
    row = s.mappings[a.h]
    return (
        row.taken
        & row.pinned
        & row.host
        & (s.pte.target(a.word) == row.frame)
        & (s.pte.writable(a.word) == Not(row.readonly))
    )


@MAP.asks(property=(2, 28))
def a_handle_has_one_entry(s: State, a: Mapped) -> bool:
    """For one handle one entry is stored."""
    return Not(s.mappings[a.h].stored)


@MAP.asks(property=(2, 15))
def the_domain_of_the_handle_maps_for_itself(s: State, a: Mapped) -> bool:
    """A grant is mapped by the domain to which the handle belongs, in a level-1 table of its own."""
    table = s.frames[a.table]
    return (s.vcpus[a.v].domain == a.h[0]) & (table.owner == a.h[0]) & (table.type == L1)


@MAP.does(property=28)
def the_handle_has_its_entry(_: State, after: State, a: Mapped) -> bool:
    """The entry is stored for the handle."""
    return after.mappings[a.h].stored


@MAP.touches
def _map(_: State, a: Mapped) -> tuple[Cells, ...]:
    return (Cells("mappings", a.h, ("stored",)),)


@OF_ITS_ENTRY.asks(property=(2, 7, 28))
def the_entry_maps_what_the_handle_does(s: State, a: Entered) -> bool:
    """A handle that its guest has ends by an entry of the domain's that maps the frame as the handle does."""
    row, table, e = s.mappings[a.h], s.frames[a.table], s.entries[a.table, a.slot]
    return (
        (row.live & row.host & (table.owner == a.h[0]) & (table.type == L1))
        & (e.linked & e.backed & (e.linked_as == L1))
        & (e.target == row.frame)
        & (e.writable == Not(row.readonly))
    )


@UNSTORE.does(property=28)
def no_entry_is_stored_for_the_handle(_: State, after: State, a: OfHandle) -> bool:
    """No entry is stored for the handle, so that one may be stored elsewhere."""
    return Not(after.mappings[a.h].stored)


@UNSTORE.touches
def _unstore(_: State, a: OfHandle) -> tuple[Cells, ...]:
    return (Cells("mappings", a.h, ("stored",)),)


@REMOVE.does(property=(2, 28))
def the_processor_maps_the_frame_no_more(_: State, after: State, a: TakenOut) -> bool:
    """The entry is not linked any more."""
    return Not(after.entries[a.table, a.slot].linked)


@REMOVE.touches
def _remove(_: State, a: TakenOut) -> tuple[Cells, ...]:
    return (Cells("entries", (a.table, a.slot), ("linked",)),)


# --- The end of a mapping -----------------------------------------------------------------------------------


def _fits(s: State, a: Ended, *, waiting: bool, other: bool) -> bool:
    """Nothing waits at the place, or only the other part of the same mapping."""
    row, place = s.mappings[a.h], s.unmappings[a.i]
    same = (
        (place.readonly == row.readonly)
        & (place.domain == row.domain)
        & (place.ref == row.ref)
        & (place.frame == row.frame)
    )
    return Not(waiting) & (Not(other) | same)


def _noted(before: State, after: State, a: Ended) -> bool:
    """The place says what is to be let go."""
    row, place = before.mappings[a.h], after.unmappings[a.i]
    return (
        (place.readonly == row.readonly)
        & (place.domain == row.domain)
        & (place.ref == row.ref)
        & (place.frame == row.frame)
    )


@END_HOST.asks(property=(15, 28))
def only_its_own_domain_ends_a_mapping(s: State, a: Ended) -> bool:
    """A mapping that its guest has is ended by a virtual CPU of that domain, at a place free for it."""
    place = s.unmappings[a.i]
    ours = s.mappings[a.h].live & s.mappings[a.h].host & (a.i[0][0] == a.h[0])
    return ours & _fits(s, a, waiting=place.host, other=place.device)


@END_HOST.does(property=(7, 8, 28), advisories=(218,))
def what_was_mapped_waits_for_the_flush(before: State, after: State, a: Ended) -> bool:
    """The use goes on at its place, as of the flush clock now; nothing is let go yet."""
    place = after.unmappings[a.i]
    return _noted(before, after, a) & place.host & (place.stamp == before.world[0].clock)


@END_HOST.does(property=28)
def the_handle_maps_nothing_for_processors(_: State, after: State, a: Ended) -> bool:
    """The handle is not for processors any more."""
    return Not(after.mappings[a.h].host) & Not(after.mappings[a.h].stored)


@END_HOST.touches
def _end_host(_: State, a: Ended) -> tuple[Cells, ...]:
    return (
        Cells("unmappings", a.i, ("host", "stamp", *NOTED)),
        Cells("mappings", a.h, ("host", "stored")),
    )


@END_DEVICE.asks(property=(15, 28))
def only_its_own_domain_ends_a_mapping_of_devices(s: State, a: Ended) -> bool:
    """A mapping of devices is ended by a virtual CPU of its domain, at a place that is free for it."""
    place = s.unmappings[a.i]
    ours = s.mappings[a.h].live & s.mappings[a.h].device & (a.i[0][0] == a.h[0])
    return ours & _fits(s, a, waiting=place.device, other=place.host)


@END_DEVICE.does(property=(7, 28))
def what_devices_had_waits(before: State, after: State, a: Ended) -> bool:
    """The use goes on at its place, and the handle is not for devices any more."""
    return _noted(before, after, a) & after.unmappings[a.i].device & Not(after.mappings[a.h].device)


@END_DEVICE.touches
def _end_device(_: State, a: Ended) -> tuple[Cells, ...]:
    return (Cells("unmappings", a.i, ("device", *NOTED)), Cells("mappings", a.h, ("device",)))


# --- After the flush ----------------------------------------------------------------------------------------


@AFTER_FLUSH.asks(property=(7, 8, 28), advisories=(218,))
def no_cpu_translates_by_what_is_let_go(s: State, a: Over) -> bool:
    """Every CPU that may translate for the domain was flushed since the entry was removed."""
    domain, stamp = a.i[0][0], s.unmappings[a.i].stamp
    return s.cpus.each(
        0, s.cpu_count, lambda c: Not(s.dirty[domain, c].dirty) | (s.cpus[c].flushed_at > stamp)
    )


def _kept(before: State, after: State, a: Over) -> bool:
    """The flight has the reference that the place kept, of writable memory if the mapping wrote."""
    row, flight = before.unmappings[a.i], after.flights[a.k]
    return (flight.frame == row.frame) & (flight.mode == ite(row.readonly, Mode.REF, Mode.HELD))


@LET_GO_HOST.asks(property=(6, 28))
def processors_are_let_go_once(s: State, a: Over) -> bool:
    """What processors had waits at the place, and the flight is idle."""
    return s.unmappings[a.i].host & (s.flights[a.k].mode == Mode.IDLE)


@LET_GO_HOST.does(property=(6, 28))
def what_processors_had_is_in_flight(before: State, after: State, a: Over) -> bool:
    """The flight has the reference of the entry, and nothing waits at the place for processors."""
    return _kept(before, after, a) & Not(after.unmappings[a.i].host)


@LET_GO_HOST.touches
def _let_go_host(_: State, a: Over) -> tuple[Cells, ...]:
    return (Cells("unmappings", a.i, ("host",)), Cells("flights", a.k, ("mode", "frame")))


@LET_GO_DEVICE.asks(property=(6, 28))
def devices_are_let_go_once(s: State, a: Over) -> bool:
    """What devices had waits at the place, and the flight is idle."""
    return s.unmappings[a.i].device & (s.flights[a.k].mode == Mode.IDLE)


@LET_GO_DEVICE.does(property=(6, 28))
def what_devices_had_goes_into_flight(before: State, after: State, a: Over) -> bool:
    """The flight has the reference of devices, and nothing waits at the place for them."""
    return _kept(before, after, a) & Not(after.unmappings[a.i].device)


@LET_GO_DEVICE.touches
def _let_go_device(_: State, a: Over) -> tuple[Cells, ...]:
    return (Cells("unmappings", a.i, ("device",)), Cells("flights", a.k, ("mode", "frame")))
