"""A dying domain gives up what it holds: base pointers, descriptor tables, event pages, pins, its frames.

In Xen's order (domain_relinquish_resources, relinquish_memory), preemptible between frames and inside tables.
Every phase finds nothing to do once it is over, so that a re-entry simply begins again. A table that another
table links is demoted when that one is; linear tables are one deep (advisory 240), so that no circle of
tables holds itself, and what Xen forces apart for lack of that is not needed. Partial tables are taken over.

What others hold of a dying domain's frames stays: a frame is free when its last holder lets go.
"""

from collections.abc import Callable, Iterable

from xenmodel.domains.traps import VECTORS, set_handler
from xenmodel.events.closing import close_all
from xenmodel.grants.releasing import release_mappings
from xenmodel.hardware.tlb import idle_cpu
from xenmodel.hypercall import PREEMPT_BATCH, SPIN, Call, Preempted, Steps, frame_info, note
from xenmodel.machine import Machine
from xenmodel.memory import holders
from xenmodel.memory.claim import drop_ref, take_ref
from xenmodel.memory.demotion import demote, drop_leaf, finish_old_table, release_both, release_type
from xenmodel.memory.descriptors import SetGdt, drop_ldt, set_gdt, set_ldt_place
from xenmodel.memory.reservation import drop_allocated
from xenmodel.memory.roots import KERNEL, USER, swap_base, unpin
from xenmodel.memory.rows import DEVALIDATING, HELD, IDLE, NO_FRAME, REF
from xenmodel.memory.updates import flights
from xenmodel.memory.validation import defer
from xenmodel.step import Refused, require, step
from xenspec.vocabulary import EAGAIN, EINVAL, Cpu, DomId, FlightId, Mfn, VcpuId

PageList = Callable[[DomId], Iterable[Mfn]]
"""Given a domain, returns its frames in any order (Xen's page_list); others among them do no harm."""


@step("flights.mode", "flights.frame", "eoi_frames.frame")
def release_eoi_frame(m: Machine, k: FlightId, d: DomId) -> None:
    """Take the references of a dying domain's EOI page in flight."""
    flight, page = m.flights[k], m.eoi_frames[d]
    require("flight is idle", flight.mode == IDLE, EAGAIN)
    require("the domain is dying", m.domains[d].dying, EINVAL)
    require("the page is set", page.frame != NO_FRAME, EINVAL)
    m.ghost.move(page.frame, holders.eoi_frame(d), holders.flight(k), typed=True, general=True)
    flight.frame = page.frame
    flight.mode = HELD
    page.frame = NO_FRAME


@step("flights.mode", "flights.frame", "vcpus.info_frame")
def release_vcpu_info(m: Machine, k: FlightId, v: VcpuId) -> None:
    """Take the references of a dying domain's vCPU information page in flight (unmap_vcpu_info)."""
    flight, vcpu = m.flights[k], m.vcpus[v]
    require("flight is idle", flight.mode == IDLE, EAGAIN)
    require("the domain is dying", m.domains[vcpu.domain].dying, EINVAL)
    require("the page is set", vcpu.info_frame != NO_FRAME, EINVAL)
    m.ghost.move(vcpu.info_frame, holders.vcpu_info(v), holders.flight(k), typed=True, general=True)
    flight.frame = vcpu.info_frame
    flight.mode = HELD
    vcpu.info_frame = NO_FRAME


@step("flights.mode", "frames.partial")
def take_partial(m: Machine, k: FlightId) -> None:
    """Take over the demotion of a dying domain's partial table that flight `k` holds."""
    flight = m.flights[k]
    require("flight holds a general reference", flight.mode == REF, EAGAIN)
    frame = m.frames[flight.frame]
    require("the table is partial", frame.partial, EAGAIN)
    require("its owner is dying", m.domains[frame.owner].dying, EINVAL)
    frame.partial = False
    m.ghost.move(flight.frame, holders.partial(flight.frame), holders.flight(k), typed=True, general=False)
    flight.mode = DEVALIDATING


def leave_cpus(x: Call, d: DomId) -> Steps[None]:
    """Wait until its vCPUs are in no hypercall, and let every CPU leave the domain (domain_pause)."""
    m = x.m
    for number in range(m.domains[d].vcpus):
        for purpose in holders.Purpose:
            while m.flights[(d, number), purpose].mode != IDLE:
                yield SPIN
    for cpu in range(m.cpu_count):
        if m.vcpus[m.cpus[cpu].current].domain == d:
            idle_cpu(m, Cpu(cpu))
            yield idle_cpu


def relinquish(x: Call, d: DomId, pages: PageList) -> Steps[None]:
    """Give up all that a dying domain holds. Raises Preempted: begin again."""
    yield from close_all(x, d)
    yield from release_mappings(x, d)
    vcpus = [VcpuId((d, number)) for number in range(x.m.domains[d].vcpus)]
    for v in vcpus:
        yield from _drop_bases(Call(x.m, v, d, x.events))
    for v in vcpus:
        yield from _drop_descriptors(Call(x.m, v, d, x.events))
    yield from _drop_pages_of_xen(x, d, vcpus)
    for f in pages(d):
        yield from _drop_frame(x, d, f)
        if (yield PREEMPT_BATCH):
            raise Preempted


def _drop_bases(y: Call) -> Steps[None]:
    """Drop a vCPU's old table and its base pointers (vcpu_destroy_pagetables), as a call of its own."""
    m = y.m
    _, kn, ko = flights(y.vcpu)
    yield from finish_old_table(y, ko)
    for which in (KERNEL, USER):
        vcpu = m.vcpus[y.vcpu]
        if (vcpu.base if which == KERNEL else vcpu.user_base) == NO_FRAME:
            continue
        swap_base(m, y.vcpu, kn, ko, which=which)
        yield swap_base
        try:
            yield from release_both(y, ko)
        except Preempted:
            defer(m, y.vcpu, ko)
            yield defer
            raise


def _drop_descriptors(y: Call) -> Steps[None]:
    """Drop a vCPU's GDT and LDT, and its exception handlers."""
    m = y.m
    yield from drop_ldt(y)
    set_ldt_place(m, y.vcpu, 0, 0)
    yield set_ldt_place
    yield from set_gdt(y, SetGdt((), 0))
    for vector in range(VECTORS):
        if m.traps[y.vcpu, vector].address:
            set_handler(m, y.vcpu, vector, 0, 0, 0)
            yield set_handler


def _drop_pages_of_xen(x: Call, d: DomId, vcpus: Iterable[VcpuId]) -> Steps[None]:
    """Drop the pages by which Xen tells the domain of interrupts and of its vCPUs."""
    m = x.m
    _, _, ko = flights(x.vcpu)
    if m.eoi_frames[d].frame != NO_FRAME:
        release_eoi_frame(m, ko, d)
        yield release_eoi_frame
        yield from drop_leaf(x, ko)
    for v in vcpus:
        if m.vcpus[v].info_frame != NO_FRAME:
            release_vcpu_info(m, ko, v)
            yield release_vcpu_info
            yield from drop_leaf(x, ko)


def _drop_frame(x: Call, d: DomId, f: Mfn) -> Steps[None]:
    """Drop a frame's pin and its allocation; finish it if it is a partial table (relinquish_memory)."""
    m = x.m
    k, _, _ = flights(x.vcpu)
    if m.frames[f].special:
        return
    try:
        take_ref(m, k, f, d)
        yield take_ref
    except Refused:
        return
    try:
        if m.frames[f].pinned:
            yield from _drop_pin(x, f)
        if m.frames[f].partial:
            take_partial(m, k)
            yield take_partial
            note(x, "devalidate", f, m.frames[f].type, frame_info(x, f))
            yield from demote(x, k)
    except Preempted:
        drop_ref(m, k)
        yield drop_ref
        raise
    drop_allocated(m, k)
    yield drop_allocated
    drop_ref(m, k)
    yield drop_ref


def _drop_pin(x: Call, f: Mfn) -> Steps[None]:
    """Drop a pin's references; an interrupted demotion leaves the table partial, to be taken over."""
    m = x.m
    _, _, ko = flights(x.vcpu)
    unpin(m, ko, f)
    yield unpin
    try:
        yield from release_type(x, ko)
    except Preempted:
        drop_ref(m, ko)
        yield drop_ref
        raise
    drop_ref(m, ko)
    yield drop_ref
