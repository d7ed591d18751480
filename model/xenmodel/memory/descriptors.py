"""Descriptor tables: GDT pages are checked when they are set, LDT pages when a selector first needs them.

A descriptor page has type SEG while the GDT or an LDT shadow holds it. The LDT shadow is dropped by a
change of the base pointer or of the LDT, not by unmapping the page (oracle rule 11).
"""

from dataclasses import dataclass

from xenmodel.abi import descriptor
from xenmodel.hardware.walk import walk
from xenmodel.hypercall import Call, Result, Steps
from xenmodel.machine import Machine
from xenmodel.memory import holders
from xenmodel.memory.claim import drop_ref, take_ref
from xenmodel.memory.demotion import drop_leaf
from xenmodel.memory.promotion import take_type
from xenmodel.memory.rows import HELD, IDLE, NO_FRAME
from xenmodel.memory.updates import flights
from xenmodel.step import Refused, require, step
from xenspec.vocabulary import (
    EAGAIN,
    EFAULT,
    EINVAL,
    PAGE_SIZE,
    SEG,
    SLOTS,
    WRITABLE,
    FlightId,
    Mfn,
    Mode,
    Va,
    VcpuId,
)

MAX_LDT_ENTRIES = 8192
LDT_PAGES = 16
GDT_PAGES = 14
"""Pages of a GDT that belong to the guest (FIRST_RESERVED_GDT_PAGE)."""


@dataclass(frozen=True, slots=True)
class SetGdt:
    """HYPERVISOR_set_gdt: frames of descriptors, and how many descriptors count."""

    frames: tuple[int, ...]
    entries: int


@dataclass(frozen=True, slots=True)
class UpdateDescriptor:
    """HYPERVISOR_update_descriptor: one descriptor at a machine address."""

    address: int
    value: int


@step("flights.mode", "flights.frame", "gdt.frame")
def put_gdt_page(m: Machine, v: VcpuId, kn: FlightId, ko: FlightId, index: int) -> None:
    """Let page `index` of the GDT hold the page in flight `kn` (none if idle); the old one goes to `ko`."""
    new, old, page = m.flights[kn], m.flights[ko], m.gdt[v, index]
    _swap_page(m, (new.mode, old.mode), kn, v)
    before, comes = page.frame, new.mode == HELD
    if before != NO_FRAME:
        m.ghost.move(before, holders.gdt(v, index), holders.flight(ko), typed=True, general=True)
        old.frame = before
        old.mode = HELD
    page.frame = NO_FRAME
    if comes:
        m.ghost.move(new.frame, holders.flight(kn), holders.gdt(v, index), typed=True, general=True)
        page.frame = new.frame
        new.mode = IDLE


def _swap_page(m: Machine, modes: tuple[Mode, Mode], kn: FlightId, v: VcpuId) -> None:
    """Guards of the two steps that swap a page of a descriptor table."""
    require("the flight of the old page is idle", modes[1] == IDLE, EAGAIN)
    require(
        "the new page is a held descriptor page, or none",
        (modes[0] == IDLE) | (modes[0] == HELD) & (m.frames[m.flights[kn].frame].type == SEG),
        EAGAIN,
    )
    require(
        "the new page is the vCPU's domain's",
        (modes[0] == IDLE) | (m.frames[m.flights[kn].frame].owner == m.vcpus[v].domain),
        EAGAIN,
    )


@step("flights.mode", "flights.frame", "ldt.frame")
def put_ldt_page(m: Machine, v: VcpuId, kn: FlightId, ko: FlightId, index: int) -> None:
    """Let page `index` of the LDT shadow hold the page in flight `kn` (none if idle); the old one to `ko`."""
    new, old, page = m.flights[kn], m.flights[ko], m.ldt[v, index]
    _swap_page(m, (new.mode, old.mode), kn, v)
    before, comes = page.frame, new.mode == HELD
    if before != NO_FRAME:
        m.ghost.move(before, holders.ldt(v, index), holders.flight(ko), typed=True, general=True)
        old.frame = before
        old.mode = HELD
    page.frame = NO_FRAME
    if comes:
        m.ghost.move(new.frame, holders.flight(kn), holders.ldt(v, index), typed=True, general=True)
        page.frame = new.frame
        new.mode = IDLE


@step("vcpus.gdt_entries")
def set_gdt_size(m: Machine, v: VcpuId, entries: int) -> None:
    """Store how many descriptors of the GDT count."""
    m.vcpus[v].gdt_entries = entries


@step("vcpus.ldt_base", "vcpus.ldt_entries")
def set_ldt_place(m: Machine, v: VcpuId, base: int, entries: int) -> None:
    """Store where the LDT is; its pages are looked at when a selector needs them."""
    vcpu = m.vcpus[v]
    vcpu.ldt_base = base
    vcpu.ldt_entries = entries


@step("words.word")
def write_descriptor(m: Machine, k: FlightId, slot: int, word: int) -> None:
    """Store an acceptable descriptor, as Xen makes it, into a frame held as descriptors or as memory."""
    flight = m.flights[k]
    require("the frame is held", flight.mode == HELD, EAGAIN)
    kind = m.frames[flight.frame].type
    require("as descriptors or as memory", (kind == SEG) | (kind == WRITABLE), EAGAIN)
    require("the descriptor is acceptable", m.descriptors.accepted(word), EINVAL)
    require("the slot exists", (slot >= 0) & (slot < m.pte.slots), EINVAL)
    m.words[flight.frame, slot] = m.descriptors.stored(word)


def set_gdt(x: Call, call: SetGdt, v: VcpuId | None = None) -> Steps[Result]:
    """Take every new page first, then put them in place of the old ones (pv_set_gdt)."""
    m = x.m
    vcpu = x.vcpu if v is None else v
    pages = -(-call.entries // SLOTS)
    if call.entries > descriptor.FIRST_RESERVED_GDT_ENTRY:
        return Result(rc=-EINVAL)
    if pages > len(call.frames):
        return Result(rc=-EFAULT)
    taken: list[FlightId] = []
    try:
        for index in range(pages):
            k = FlightId((x.vcpu, holders.DEPTH * (index + 8)))
            yield from _take_page(x, k, Mfn(call.frames[index]))
            taken.append(k)
    except Refused:
        for k in reversed(taken):
            yield from drop_leaf(x, k)
        return Result(rc=-EINVAL)
    _, kn, ko = flights(x.vcpu)
    for index in range(GDT_PAGES):
        if m.gdt[vcpu, index].frame != NO_FRAME:
            put_gdt_page(m, vcpu, kn, ko, index)
            yield put_gdt_page
            yield from drop_leaf(x, ko)
    for index, k in enumerate(taken):
        put_gdt_page(m, vcpu, k, ko, index)
        yield put_gdt_page
    set_gdt_size(m, vcpu, call.entries)
    yield set_gdt_size
    return Result()


def _take_page(x: Call, k: FlightId, f: Mfn) -> Steps[None]:
    """Take a descriptor page of the caller into flight `k`."""
    m = x.m
    take_ref(m, k, f, x.domain)
    yield take_ref
    try:
        yield from take_type(x, k, SEG)
    except Refused:
        drop_ref(m, k)
        yield drop_ref
        raise


def update_descriptor(x: Call, call: UpdateDescriptor) -> Steps[Result]:
    """Store one descriptor into any page of the caller that is no page table (do_update_descriptor)."""
    m = x.m
    if call.address % 8 or not m.descriptors.accepted(call.value):
        return Result(rc=-EINVAL)
    k, _, _ = flights(x.vcpu)
    f = Mfn(call.address // PAGE_SIZE)
    try:
        take_ref(m, k, f, x.domain)
        yield take_ref
    except Refused:
        return Result(rc=-EINVAL)
    kind = m.frames[f].type
    try:
        yield from take_type(x, k, SEG if kind == SEG else WRITABLE)
    except Refused:
        drop_ref(m, k)
        yield drop_ref
        return Result(rc=-EINVAL)
    write_descriptor(m, k, call.address % PAGE_SIZE // 8, call.value)
    yield write_descriptor
    yield from drop_leaf(x, k)
    return Result()


def set_ldt(x: Call, address: int, entries: int) -> Steps[None]:
    """MMUEXT_SET_LDT: note the place; a change drops the shadow of the old one."""
    m = x.m
    base = address if entries else 0
    if entries > MAX_LDT_ENTRIES or (entries and (address % PAGE_SIZE or not m.pte.guest_address(address))):
        raise Refused("the LDT is aligned, small enough and the guest's", EINVAL)
    vcpu = m.vcpus[x.vcpu]
    if (vcpu.ldt_base, vcpu.ldt_entries) == (base, entries):
        return
    yield from drop_ldt(x)
    set_ldt_place(m, x.vcpu, base, entries)
    yield set_ldt_place


def drop_ldt(x: Call) -> Steps[None]:
    """Drop every page of the LDT shadow (pv_destroy_ldt)."""
    m = x.m
    if m.vcpus[x.vcpu].ldt_entries == 0:
        return
    _, _, ko = flights(x.vcpu)
    idle = FlightId((x.vcpu, holders.Purpose.SOURCE))
    for index in range(LDT_PAGES):
        if m.ldt[x.vcpu, index].frame != NO_FRAME:
            put_ldt_page(m, x.vcpu, idle, ko, index)
            yield put_ldt_page
            yield from drop_leaf(x, ko)


def map_ldt_page(x: Call, offset: int) -> Steps[bool]:
    """Let the LDT shadow hold the page that covers `offset`; return whether it does."""
    m = x.m
    vcpu = m.vcpus[x.vcpu]
    index = offset // PAGE_SIZE
    if m.ldt[x.vcpu, index].frame != NO_FRAME:
        return True
    found = yield from walk(x, vcpu.base, Va(vcpu.ldt_base + index * PAGE_SIZE), mark=False)
    if found is None or not m.pte.present(found.word):
        return False
    _, kn, ko = flights(x.vcpu)
    try:
        yield from _take_page(x, kn, m.pte.target(found.word))
    except Refused:
        return False
    put_ldt_page(m, x.vcpu, kn, ko, index)
    yield put_ldt_page
    return True
