"""Page-table entries of grant mappings: stored and removed in a locked level-1 table of the mapping domain.

The entry holds the references of the granted frame, like any other: a guest that overwrites it releases them,
and its handle stays in use for good. An unmapping takes them from there, to drop them after the flush.
"""

from xenmodel.grants.pins import MAPPING, forget
from xenmodel.grants.rows import Mapping
from xenmodel.machine import Machine
from xenmodel.memory import holders
from xenmodel.memory.linking import (
    LINKED,
    link_slot,
    require_locked,
    require_present,
    require_reference,
    require_type,
    take_out,
)
from xenmodel.memory.rows import IDLE, Entry
from xenmodel.step import require, step
from xenspec.logic import Not
from xenspec.vocabulary import EAGAIN, EPERM, L1, DomId, FlightId, HandleId, Mfn, UnmapId, VcpuId


def _require_table(m: Machine, t: Mfn, domain: int) -> None:
    """Refuse unless the table is a level-1 table of the domain. Part of a step."""
    require("it is a level-1 table", m.frames[t].type == L1, EPERM)
    require("of the domain that maps", m.frames[t].owner == domain, EPERM)


@step(*LINKED, "words.word", "flights.mode", "flights.frame", "frames.linear", "mappings.stored")
def map_granted(
    m: Machine, k: FlightId, pair: tuple[FlightId, FlightId], slot: int, word: int, h: HandleId
) -> None:
    """Link a slot of a locked table to the frame of a pinned grant; `pair`: the new reference and the old."""
    kn, ko = pair
    t, row = m.flights[k].frame, m.mappings[h]
    require_locked(m, k, t, slot)
    _require_table(m, t, h[0])
    require("the handle is the caller's", m.vcpus[VcpuId(k[0])].domain == h[0], EAGAIN)
    require("the flight of the old reference is idle", m.flights[ko].mode == IDLE, EAGAIN)
    target, writable = m.pte.target(word), m.pte.writable(word)
    require_present(m, word)
    require("the handle is pinned for it", row.taken & row.pinned & row.host, EAGAIN)
    require("the grant is of the frame", row.frame == target, EAGAIN)
    require("the entry writes as the grant does", writable == Not(row.readonly), EAGAIN)
    require("no other entry is stored for it", Not(row.stored), EAGAIN)
    require_reference(m, kn, L1, target, writable=writable)
    require_type(m, L1, target, writable=writable)
    e = m.entries[t, slot]
    if e.linked:
        take_out(m, t, slot, ko, e)
    link_slot(m, t, slot, kn, word, backed=True)
    row.stored = True


@step(
    "entries.linked",
    "entries.linear",
    "words.word",
    "flights.mode",
    "flights.frame",
    "frames.linear",
    "mappings.stored",
)
def steal_granted(m: Machine, k: FlightId, ko: FlightId, slot: int, h: HandleId) -> None:
    """Empty an entry that maps what a handle does, to be stored elsewhere; its reference goes to flight `ko`.

    The guest named an address, not a handle (steal_linear_address): of its handles that map the frame so, any
    may be the one whose entry it is.
    """
    t, row = m.flights[k].frame, m.mappings[h]
    require_locked(m, k, t, slot)
    _require_table(m, t, h[0])
    require("the flight of the old reference is idle", m.flights[ko].mode == IDLE, EAGAIN)
    require("the mapping is live", row.live & row.host, EAGAIN)
    e = m.entries[t, slot]
    _require_maps(e, row)
    take_out(m, t, slot, ko, e)
    m.words[t, slot] = 0
    row.stored = False


def _require_maps(e: Entry, row: Mapping) -> None:
    """Refuse unless an entry maps what a handle does, as it does. Part of a step."""
    require("the entry maps the granted frame", e.linked & e.backed & (e.target == row.frame), EPERM)
    require("as the handle does", e.writable == Not(row.readonly), EPERM)
    require("the entry maps it in a level-1 table", e.linked_as == L1, EPERM)


UNMAPPING = ("unmappings.readonly", "unmappings.domain", "unmappings.ref", "unmappings.frame")


@step(
    "entries.linked",
    "entries.linear",
    "words.word",
    "unmappings.host",
    "unmappings.stamp",
    *UNMAPPING,
    *MAPPING,
)
def unmap_host(m: Machine, k: FlightId, i: UnmapId, h: HandleId, slot: int) -> None:
    """Remove the entry of a live mapping from a locked table, keeping its references until the flush."""
    t, row = m.flights[k].frame, m.mappings[h]
    require_locked(m, k, t, slot)
    _require_table(m, t, h[0])
    require("the mapping is live", row.live & row.host, EAGAIN)
    require("it is the caller's", i[0][0] == h[0], EAGAIN)
    _require_place(m, i, row, waiting=m.unmappings[i].host, other=m.unmappings[i].device)
    e, word = m.entries[t, slot], m.words[t, slot]
    require("the entry is present", m.pte.present(word), EPERM)
    _require_maps(e, row)
    e.linked = False
    m.words[t, slot] = 0
    m.ghost.move(
        row.frame,
        holders.entry(t, slot),
        holders.unmapped_host(i[0], i[1]),
        typed=Not(row.readonly),
        general=True,
    )
    m.unmappings[i].host = True
    m.unmappings[i].stamp = m.world[0].clock
    _note(m, i, row)
    row.host = False
    row.stored = False
    if Not(row.device):
        forget(row)


@step("unmappings.device", *UNMAPPING, *MAPPING)
def unmap_device(m: Machine, i: UnmapId, h: HandleId) -> None:
    """End a live mapping for devices, keeping its references until the flush."""
    row = m.mappings[h]
    require("the mapping is live", row.live & row.device, EAGAIN)
    require("it is the caller's", i[0][0] == h[0], EAGAIN)
    _require_place(m, i, row, waiting=m.unmappings[i].device, other=m.unmappings[i].host)
    m.ghost.move(
        row.frame,
        holders.device_map(h[0], h[1]),
        holders.unmapped_device(i[0], i[1]),
        typed=Not(row.readonly),
        general=True,
    )
    m.unmappings[i].device = True
    _note(m, i, row)
    row.device = False
    if Not(row.host):
        forget(row)


def _require_place(m: Machine, i: UnmapId, row: Mapping, *, waiting: bool, other: bool) -> None:
    """Refuse unless nothing waits at a place, or only the other part of the mapping. Part of a step."""
    unmapping = m.unmappings[i]
    same = (
        (unmapping.readonly == row.readonly)
        & (unmapping.domain == row.domain)
        & (unmapping.ref == row.ref)
        & (unmapping.frame == row.frame)
    )
    require("nothing waits at the place", Not(waiting) & (Not(other) | same), EAGAIN)


def _note(m: Machine, i: UnmapId, row: Mapping) -> None:
    """Note what an unmapping has yet to drop. Part of a step."""
    unmapping = m.unmappings[i]
    unmapping.readonly = row.readonly
    unmapping.domain = DomId(row.domain)
    unmapping.ref = row.ref
    unmapping.frame = row.frame
