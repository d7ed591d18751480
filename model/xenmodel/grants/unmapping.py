"""GNTTABOP_unmap_grant_ref and unmap_and_replace: entries removed, CPUs flushed, then references dropped.

Up to 32 operations share one flush; only after it are references and pins dropped (unmap_common, then
unmap_common_complete). A handle is free before: another vCPU may get it while the flush is under way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from xenmodel.domains.modes import crash
from xenmodel.grants.arguments import (
    BAD_DEV_ADDR,
    BAD_HANDLE,
    GENERAL_ERROR,
    OKAY,
    Answer,
    UnmapAndReplace,
    UnmapGrantRef,
)
from xenmodel.grants.entries import add_pins, exists, mark_less_used
from xenmodel.grants.host import map_granted, steal_granted, unmap_device, unmap_host
from xenmodel.grants.mapping import lock_entry
from xenmodel.grants.pins import PINS
from xenmodel.hardware.tlb import flush_cpus
from xenmodel.hypercall import Call, Steps
from xenmodel.machine import Machine
from xenmodel.memory import holders
from xenmodel.memory.demotion import drop_leaf
from xenmodel.memory.linking import empty, replace, replace_unbacked
from xenmodel.memory.rows import HELD, IDLE, REF, Place
from xenmodel.memory.updates import flights, unlock_and_drop
from xenmodel.step import Refused, require, step
from xenspec.logic import Not, ite
from xenspec.vocabulary import EAGAIN, EPERM, PAGE_SIZE, FlightId, GrantId, HandleId, UnmapId

UnmapOp = UnmapGrantRef | UnmapAndReplace


@step(*PINS, "unmappings.host", "flights.mode", "flights.frame", "words.word")
def finish_host(m: Machine, k: FlightId, i: UnmapId) -> None:
    """Take a pin of the processor back; the references of its entry are in flight `k` from now on."""
    flight, row = m.flights[k], m.unmappings[i]
    require("flight is idle", flight.mode == IDLE, EAGAIN)
    require("an entry was removed", row.host, EAGAIN)
    require("no CPU translates by it any more", _is_flushed(m, i), EAGAIN)
    holder = holders.unmapped_host(i[0], i[1])
    m.ghost.move(row.frame, holder, holders.flight(k), typed=Not(row.readonly), general=True)
    _take_back(m, k, i, host=True)
    row.host = False


@step(*PINS, "unmappings.device", "flights.mode", "flights.frame", "words.word")
def finish_device(m: Machine, k: FlightId, i: UnmapId) -> None:
    """Take a pin of devices back; its references are in flight `k` from now on."""
    flight, row = m.flights[k], m.unmappings[i]
    require("flight is idle", flight.mode == IDLE, EAGAIN)
    require("a device mapping was ended", row.device, EAGAIN)
    holder = holders.unmapped_device(i[0], i[1])
    m.ghost.move(row.frame, holder, holders.flight(k), typed=Not(row.readonly), general=True)
    _take_back(m, k, i, host=False)
    row.device = False


def _is_flushed(m: Machine, i: UnmapId) -> bool:
    """Return whether every CPU that may translate for the domain was flushed since. Part of a step."""
    domain, stamp = i[0][0], m.unmappings[i].stamp
    return m.cpus.each(
        0, m.cpu_count, lambda c: Not(m.dirty[domain, c].dirty) | (m.cpus[c].flushed_at > stamp)
    )


def _take_back(m: Machine, k: FlightId, i: UnmapId, *, host: bool) -> None:
    """Lower the pins, and put the reference in flight `k`. Part of a step."""
    row, flight = m.unmappings[i], m.flights[k]
    g = GrantId((row.domain, row.ref))
    add_pins(m.active[g], -1, host=host, device=Not(host), readonly=row.readonly)
    mark_less_used(m, g, readonly=row.readonly)
    flight.frame = row.frame
    flight.mode = ite(row.readonly, REF, HELD)


def unmap_batch(x: Call, ops: Sequence[UnmapOp]) -> Steps[tuple[Answer, ...]]:
    """Unmap as many as share a flush, then flush and drop what they held."""
    answers: list[Answer] = []
    for index, op in enumerate(ops):
        answers.append((yield from _unmap(x, UnmapId((x.vcpu, index)), op)))
    yield from flush_cpus(x, everywhere=True)
    _, _, ko = flights(x.vcpu)
    for index in range(len(ops)):
        i = UnmapId((x.vcpu, index))
        if x.m.unmappings[i].device:
            finish_device(x.m, ko, i)
            yield finish_device
            yield from drop_leaf(x, ko)
        if x.m.unmappings[i].host:
            finish_host(x.m, ko, i)
            yield finish_host
            yield from drop_leaf(x, ko)
    return tuple(answers)


def _unmap(x: Call, i: UnmapId, op: UnmapOp) -> Steps[Answer]:
    """Remove what one operation names; what it held waits at place `i`."""
    m = x.m
    h = HandleId((x.domain, op.handle))
    row = m.mappings[h]
    if op.handle >= m.grant_tables[x.domain].handles or not row.live:
        return Answer(BAD_HANDLE)
    if not m.domains[row.domain].exists:
        crash(m, x.domain)
        yield crash
        return Answer(OKAY)
    if not exists(m, GrantId((row.domain, row.ref))):
        return Answer(BAD_HANDLE)
    device = op.dev_bus_addr if isinstance(op, UnmapGrantRef) else 0
    mapped = row.device and device != 0
    if mapped and device != row.frame * PAGE_SIZE:
        return Answer(BAD_DEV_ADDR)
    if op.host_addr and row.host:
        try:
            yield from _remove(x, i, h, op)
        except Refused:
            return Answer(GENERAL_ERROR)
    # Another vCPU may have ended it while the entry was removed: Xen locks the grant over both parts.
    if mapped and row.device and device == row.frame * PAGE_SIZE:
        unmap_device(m, i, h)
        yield unmap_device
    return Answer(OKAY)


def _remove(x: Call, i: UnmapId, h: HandleId, op: UnmapOp) -> Steps[None]:
    """Remove the entry of a mapping, and put the one of another address there if asked. Raises Refused."""
    m = x.m
    k, kn, ko = flights(x.vcpu)
    by_entry = m.mappings[h].by_entry
    stolen: Stolen | None = None
    if isinstance(op, UnmapAndReplace) and op.new_addr:
        if by_entry:
            raise Refused("an entry that was named is not replaced", EPERM)
        stolen = yield from _steal_entry(x, op.new_addr, h)
    try:
        slot = yield from lock_entry(x, op.host_addr, by_entry=by_entry)
        try:
            unmap_host(m, k, i, h, slot)
            yield unmap_host
        except Refused:
            yield from unlock_and_drop(x)
            raise
    except Refused:
        yield from drop_leaf(x, kn)
        raise
    if stolen is not None:
        yield from _put_stolen(x, slot, stolen)
    yield from unlock_and_drop(x)
    yield from drop_leaf(x, ko)


@dataclass(frozen=True, slots=True)
class Stolen:
    """What an entry was before it was emptied."""

    word: int
    handle: HandleId | None
    """By which handle it maps another domain's frame; none if it needs no grant."""


def _steal_entry(x: Call, address: int, ending: HandleId) -> Steps[Stolen | None]:
    """Empty the entry of an address; its reference stays in flight NEW (steal_linear_address).

    `ending`: the handle whose entry it will replace.
    """
    m = x.m
    k, kn, _ = flights(x.vcpu)
    slot = yield from lock_entry(x, address, by_entry=False)
    t = m.flights[k].frame
    word, e = m.words[t, slot], m.entries[t, slot]
    h: HandleId | None = None
    try:
        if e.linked and e.backed and not _needs_no_grant(x, t, e.target):
            h = _handle_of(x, e.target, ending, writable=e.writable)
            steal_granted(m, k, kn, slot, h)
            yield steal_granted
        else:
            empty(m, k, kn, slot, 0)
            yield empty
    except Refused:
        yield from unlock_and_drop(x)
        raise
    yield from unlock_and_drop(x)
    return Stolen(word, h) if word else None


def _needs_no_grant(x: Call, t: int, target: int) -> bool:
    """Return whether the caller may map a frame in a table without a grant."""
    return x.m.frames[target].owner == x.m.frames[t].owner or x.m.domains[x.domain].privileged


def _put_stolen(x: Call, slot: int, stolen: Stolen) -> Steps[None]:
    """Store a stolen entry in a slot of the locked table, with the reference in flight NEW, if it has one."""
    m = x.m
    k, kn, ko = flights(x.vcpu)
    word, target = stolen.word, m.pte.target(stolen.word)
    if not m.pte.present(word):
        empty(m, k, ko, slot, word)
        yield empty
    elif m.frames[target].place == Place.IO:
        replace_unbacked(m, k, kn, ko, slot, word)
        yield replace_unbacked
    elif stolen.handle is None:
        replace(m, k, kn, ko, slot, word)
        yield replace
    else:
        map_granted(m, k, (kn, ko), slot, word, stolen.handle)
        yield map_granted


def _handle_of(x: Call, f: int, ending: HandleId, *, writable: bool) -> HandleId:
    """Return a handle of the caller's by which a frame of another domain is mapped, not the one that ends."""
    m = x.m
    for number in range(m.grant_tables[x.domain].handles):
        row = m.mappings[x.domain, number]
        maps = row.live and row.host and row.frame == f and row.readonly != writable
        if maps and number != ending[1]:
            return HandleId((x.domain, number))
    raise Refused("a grant lets the caller map the frame", EPERM)
