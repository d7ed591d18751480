"""Pins and base pointers: the references by which a guest keeps whole trees of tables.

A pin keeps a table validated while nothing links it. A vCPU has a base pointer for its kernel and one for
its user mode; a new one is taken before the old one is dropped (new_guest_cr3, MMUEXT_NEW_USER_BASEPTR).
"""

from xenmodel.hardware.tlb import flush_cpus
from xenmodel.hypercall import Call, Preempted, Steps
from xenmodel.machine import Machine
from xenmodel.memory import holders
from xenmodel.memory.claim import drop_ref, take_ref
from xenmodel.memory.demotion import drop_leaf, release_both
from xenmodel.memory.descriptors import drop_ldt
from xenmodel.memory.promotion import take_type
from xenmodel.memory.rows import HELD, IDLE, NO_FRAME, REF
from xenmodel.memory.updates import flights
from xenmodel.memory.validation import defer, write_readonly_m2p
from xenmodel.step import Refused, require, step
from xenspec.logic import Not
from xenspec.vocabulary import EAGAIN, EINVAL, L1, L4, DomId, FlightId, Mfn, PageType, VcpuId

KERNEL, USER = 0, 1


@step("flights.mode", "frames.pinned")
def pin(m: Machine, k: FlightId) -> None:
    """Let a pin hold the table in flight (test_and_set_bit of PGT_pinned)."""
    flight = m.flights[k]
    require("the table is held", flight.mode == HELD, EAGAIN)
    frame = m.frames[flight.frame]
    require("it is a page table", (frame.type >= L1) & (frame.type <= L4), EAGAIN)
    require("the table is not pinned", Not(frame.pinned), EINVAL)
    frame.pinned = True
    m.ghost.move(flight.frame, holders.flight(k), holders.pin(flight.frame), typed=True, general=True)
    flight.mode = IDLE


@step("flights.mode", "flights.frame", "frames.pinned")
def unpin(m: Machine, k: FlightId, f: Mfn) -> None:
    """Take a pin's references in flight (test_and_clear_bit of PGT_pinned)."""
    flight, frame = m.flights[k], m.frames[f]
    require("flight is idle", flight.mode == IDLE, EAGAIN)
    require("the table is pinned", frame.pinned, EINVAL)
    frame.pinned = False
    m.ghost.move(f, holders.pin(f), holders.flight(k), typed=True, general=True)
    flight.frame = f
    flight.mode = HELD


@step("flights.mode", "flights.frame", "vcpus.base", "vcpus.user_base")
def swap_base(m: Machine, v: VcpuId, kn: FlightId, ko: FlightId, *, which: int) -> None:
    """Make the top-level table in flight `kn` (none if idle) the base pointer; the old one goes to `ko`."""
    new, old, vcpu = m.flights[kn], m.flights[ko], m.vcpus[v]
    require("there is such a base pointer", (which == KERNEL) | (which == USER), EINVAL)
    require("the flight of the old base is idle", old.mode == IDLE, EAGAIN)
    require("the new base is held, or it is none", (new.mode == HELD) | (new.mode == IDLE), EAGAIN)
    target = NO_FRAME
    if new.mode == HELD:
        target = new.frame
        frame = m.frames[target]
        require("it is a top-level table", frame.type == m.pte.levels, EAGAIN)
        require("it is the vCPU's domain's", frame.owner == vcpu.domain, EAGAIN)
    before = vcpu.base if which == KERNEL else vcpu.user_base
    if before != NO_FRAME:
        m.ghost.move(before, holders.base(v, which), holders.flight(ko), typed=True, general=True)
        old.frame = before
        old.mode = HELD
    if target != NO_FRAME:
        m.ghost.move(target, holders.flight(kn), holders.base(v, which), typed=True, general=True)
        new.mode = IDLE
    if which == KERNEL:
        vcpu.base = target
    else:
        vcpu.user_base = target


def pin_table(x: Call, f: Mfn, level: PageType, owner: DomId) -> Steps[None]:
    """MMUEXT_PIN_Ln_TABLE: promote and pin; of a table pinned already the new references are dropped."""
    m = x.m
    _, kn, _ = flights(x.vcpu)
    take_ref(m, kn, f, owner)
    yield take_ref
    try:
        yield from take_type(x, kn, level)
    except (Refused, Preempted):
        if m.flights[kn].mode == REF:
            drop_ref(m, kn)
            yield drop_ref
        raise
    try:
        pin(m, kn)
        yield pin
    except Refused:
        if level == L1:
            yield from drop_leaf(x, kn)
        else:
            defer(m, x.vcpu, kn)
            yield defer
        raise
    if owner != x.domain and m.domains[owner].dying:
        yield from _drop_late_pin(x, f)


def _drop_late_pin(x: Call, f: Mfn) -> Steps[None]:
    """Drop a pin set while the owner was destroyed: nobody else would (do_mmuext_op)."""
    _, kn, _ = flights(x.vcpu)
    unpin(x.m, kn, f)
    yield unpin
    try:
        yield from release_both(x, kn)
    except Preempted:
        defer(x.m, x.vcpu, kn)
        yield defer


def unpin_table(x: Call, f: Mfn, owner: DomId) -> Steps[None]:
    """MMUEXT_UNPIN_TABLE: drop the pin's references; an interrupted demotion goes on as the old table."""
    m = x.m
    k, _, ko = flights(x.vcpu)
    take_ref(m, k, f, owner)
    yield take_ref
    try:
        unpin(m, ko, f)
        yield unpin
    except Refused:
        drop_ref(m, k)
        yield drop_ref
        raise
    try:
        yield from release_both(x, ko)
    except Preempted:
        defer(m, x.vcpu, ko)
        yield defer
    drop_ref(m, k)
    yield drop_ref


def load_base(x: Call, f: Mfn) -> Steps[None]:
    """MMUEXT_NEW_BASEPTR: the same table again is a flush; else take it, drop the LDT and the old base."""
    m = x.m
    vcpu = m.vcpus[x.vcpu]
    if vcpu.base == f:
        yield from flush_cpus(x, everywhere=False)
        return
    _, kn, _ = flights(x.vcpu)
    yield from _take_top(x, kn, f)
    yield from drop_ldt(x)
    if _shows_m2p(x, f):
        write_readonly_m2p(m, kn, shown=True)
        yield write_readonly_m2p
    yield from _swap(x, KERNEL)


def _shows_m2p(x: Call, f: Mfn) -> bool:
    """Return whether Xen fills the slot of the read-only M2P when the table is loaded (fill_ro_mpt)."""
    slot = x.m.pte.m2p_slot
    return slot >= 0 and not x.m.domains[x.domain].m2p_strict and x.m.words[f, slot] == 0


def load_user_base(x: Call, f: int) -> Steps[None]:
    """MMUEXT_NEW_USER_BASEPTR: likewise for user mode; 0 leaves none."""
    m = x.m
    vcpu = m.vcpus[x.vcpu]
    current = 0 if vcpu.user_base == NO_FRAME else vcpu.user_base
    if current == f:
        return
    _, kn, _ = flights(x.vcpu)
    if f:
        yield from _take_top(x, kn, Mfn(f))
        if m.pte.m2p_slot >= 0 and m.domains[x.domain].m2p_strict:
            write_readonly_m2p(m, kn, shown=False)
            yield write_readonly_m2p
    yield from _swap(x, USER)


def _take_top(x: Call, k: FlightId, f: Mfn) -> Steps[None]:
    """Take a top-level table of the caller into flight `k`."""
    m = x.m
    take_ref(m, k, f, x.domain)
    yield take_ref
    try:
        yield from take_type(x, k, PageType(m.pte.levels))
    except (Refused, Preempted):
        if m.flights[k].mode == REF:
            drop_ref(m, k)
            yield drop_ref
        raise


def _swap(x: Call, which: int) -> Steps[None]:
    """Put the new base in place and release the old one; interrupted, it goes on as the old table."""
    m = x.m
    _, kn, ko = flights(x.vcpu)
    swap_base(m, x.vcpu, kn, ko, which=which)
    yield swap_base
    if which == KERNEL:
        yield from flush_cpus(x, everywhere=False)
    if m.flights[ko].mode == IDLE:
        return
    try:
        yield from release_both(x, ko)
    except Preempted:
        defer(m, x.vcpu, ko)
        yield defer
        raise
