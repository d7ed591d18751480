"""GNTTABOP_map_grant_ref: handle, pin, references, page-table entry; undone from the end where one fails.

The order is Xen's (map_grant_ref): a device mapping takes its references before a host mapping does, and the
granted frame's type is asked for only then, so that a frame in use as a table is refused with its pins taken
back. What was mapped at the address before is released for good.
"""

from xenmodel.abi.grant import (
    CONTAINS_PTE,
    DEVICE_MAP,
    HOST_MAP,
    READONLY,
    GrantStatus,
    entry_flags,
)
from xenmodel.grants.arguments import (
    BAD_DOMAIN,
    BAD_GNTREF,
    BAD_PAGE,
    GENERAL_ERROR,
    NO_SPACE,
    OKAY,
    Answer,
    MapGrantRef,
)
from xenmodel.grants.entries import exists
from xenmodel.grants.host import map_granted
from xenmodel.grants.pins import (
    add_handles,
    clear_marks,
    free_handle,
    give_handle,
    pin_entry,
    take_handle,
    unpin_entry,
)
from xenmodel.hardware.walk import l1_table_of
from xenmodel.hypercall import Call, Steps
from xenmodel.memory.claim import take_ref
from xenmodel.memory.demotion import drop_leaf
from xenmodel.memory.holders import Purpose
from xenmodel.memory.promotion import take_type
from xenmodel.memory.rows import IDLE
from xenmodel.memory.updates import flights, take_locked_l1, unlock_and_drop
from xenmodel.step import Refused
from xenspec.vocabulary import (
    DOMID_FIRST_RESERVED,
    EINVAL,
    EPERM,
    PAGE_SIZE,
    WRITABLE,
    DomId,
    FlightId,
    GrantId,
    HandleId,
    Mfn,
    Va,
)

WORD_BYTES = 8


def domain_by_id(x: Call, number: int) -> DomId | None:
    """Return the domain of a number, which is not DOMID_SELF (rcu_lock_domain_by_id)."""
    if number >= DOMID_FIRST_RESERVED or not x.m.domains[number].exists:
        return None
    return DomId(number)


def map_grant_ref(x: Call, op: MapGrantRef) -> Steps[Answer]:
    """Map one grant."""
    m = x.m
    if not op.flags & (DEVICE_MAP | HOST_MAP):
        return Answer(BAD_GNTREF)
    granter = domain_by_id(x, op.dom)
    if granter is None:
        return Answer(BAD_DOMAIN)
    g = GrantId((granter, op.ref))
    h = yield from _new_handle(x, g, op.flags)
    if h is None:
        return Answer(NO_SPACE)
    status = yield from _pin_and_map(x, g, h, op)
    if status != OKAY:
        free_handle(m, h)
        yield free_handle
        return Answer(status)
    return Answer(OKAY, h[1], m.mappings[h].frame * PAGE_SIZE)


def _new_handle(x: Call, g: GrantId, flags: int) -> Steps[HandleId | None]:
    """Take the next free handle; make more of them if none is left."""
    m = x.m
    table = m.grant_tables[x.domain]
    while True:
        numbers = (*range(table.next_handle, table.handles), *range(min(table.next_handle, table.handles)))
        free = next((n for n in numbers if not m.mappings[x.domain, n].taken), None)
        if free is not None:
            break
        try:
            add_handles(m, x.domain)
        except Refused:
            return None
        yield add_handles
    h = HandleId((x.domain, free))
    host, device = bool(flags & HOST_MAP), bool(flags & DEVICE_MAP)
    take_handle(m, h, g, host=host, device=device, readonly=bool(flags & READONLY))
    yield take_handle
    return h


def _pin_and_map(x: Call, g: GrantId, h: HandleId, op: MapGrantRef) -> Steps[GrantStatus]:
    """Pin the entry, then take what the mapping needs; return how it ended, everything undone if badly."""
    m = x.m
    if not exists(m, g):
        return BAD_GNTREF
    _, kn, _ = flights(x.vcpu)
    ks = FlightId((x.vcpu, Purpose.SOURCE))
    try:
        pin_entry(m, ks if m.mappings[h].device else kn, h)
        yield pin_entry
    except Refused as refusal:
        if refusal.errno != EINVAL:
            return GENERAL_ERROR
        clear_marks(m, h)
        yield clear_marks
        return BAD_PAGE
    try:
        yield from _take_references(x, DomId(g[0]), h)
        if m.mappings[h].host:
            yield from _map_host(x, h, op)
    except Refused:
        yield from drop_leaf(x, kn)
        yield from drop_leaf(x, ks)
        unpin_entry(m, h)
        yield unpin_entry
        return GENERAL_ERROR
    give_handle(m, ks, h, by_entry=bool(op.flags & CONTAINS_PTE))
    yield give_handle
    return OKAY


def _take_references(x: Call, granter: DomId, h: HandleId) -> Steps[None]:
    """Take the references of a mapping: of devices into flight SOURCE, of the entry into flight NEW."""
    m, row = x.m, x.m.mappings[h]
    _, kn, _ = flights(x.vcpu)
    first = FlightId((x.vcpu, Purpose.SOURCE)) if row.device else kn
    if m.flights[first].mode == IDLE:
        take_ref(m, first, row.frame, m.frames[row.frame].owner)
        yield take_ref
    if m.frames[row.frame].owner != granter:
        raise Refused("the frame is the granting domain's still", EPERM)
    if row.device and not row.readonly:
        yield from take_type(x, first, WRITABLE)
    if row.host:
        if row.device:
            take_ref(m, kn, row.frame, granter)
            yield take_ref
        if not row.readonly:
            yield from take_type(x, kn, WRITABLE)


def _map_host(x: Call, h: HandleId, op: MapGrantRef) -> Steps[None]:
    """Store the entry of a host mapping, and drop what was mapped there (create_grant_pv_mapping)."""
    m = x.m
    k, kn, ko = flights(x.vcpu)
    word = m.pte.adjusted(m.pte.entry(m.mappings[h].frame, entry_flags(op.flags)), 1)
    slot = yield from lock_entry(x, op.host_addr, by_entry=bool(op.flags & CONTAINS_PTE))
    try:
        map_granted(m, k, (kn, ko), slot, word, h)
        yield map_granted
    except Refused:
        yield from unlock_and_drop(x)
        raise
    yield from unlock_and_drop(x)
    yield from drop_leaf(x, ko)


def lock_entry(x: Call, address: int, *, by_entry: bool) -> Steps[int]:
    """Lock the caller's level-1 table that an address names, in flight PAGE; return the slot.

    `by_entry`: it is the machine address of the entry itself, else a linear one. Raises Refused.
    """
    if by_entry:
        if address % WORD_BYTES:
            raise Refused("the entry's address is aligned", EPERM)
        table, slot = Mfn(address // PAGE_SIZE), address % PAGE_SIZE // WORD_BYTES
    else:
        found = yield from l1_table_of(x, Va(address))
        if found is None:
            raise Refused("the address has an L1 table", EPERM)
        table, slot = found, x.m.pte.indices(Va(address))[-1]
    if not (yield from take_locked_l1(x, table, x.domain)):
        raise Refused("the table is a level-1 table of the caller", EPERM)
    return slot
