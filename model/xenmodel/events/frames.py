"""Frames that Xen keeps writable for event channels and interrupts: FIFO pages and the EOI page.

EVTCHNOP_init_control, EVTCHNOP_expand_array and PHYSDEVOP_pirq_eoi_gmfn each take both references of a
frame of the caller as writable memory, and keep them.
"""

from xenmodel.hypercall import Call, Steps
from xenmodel.machine import Machine
from xenmodel.memory import holders
from xenmodel.memory.claim import take_ref
from xenmodel.memory.demotion import drop_leaf
from xenmodel.memory.rows import HELD, IDLE, NO_FRAME
from xenmodel.memory.targets import take_writable
from xenmodel.memory.updates import flights
from xenmodel.step import Refused, require, step
from xenspec.logic import Not
from xenspec.vocabulary import EAGAIN, EBUSY, EINVAL, WRITABLE, DomId, FlightId, Mfn, VcpuId


def _held_writable(m: Machine, k: FlightId, domain: DomId) -> Mfn:
    """Refuse unless flight `k` holds a domain's frame as writable memory; return it. Part of a step."""
    flight = m.flights[k]
    require("the frame is held", flight.mode == HELD, EAGAIN)
    require("it is the domain's own", m.frames[flight.frame].owner == domain, EINVAL)
    require("as writable memory", m.frames[flight.frame].type == WRITABLE, EAGAIN)
    return flight.frame


@step("flights.mode", "event_frames.frame")
def keep_event_frame(m: Machine, k: FlightId, domain: DomId, index: int) -> None:
    """Let a FIFO page of the domain hold the frame in flight."""
    f = _held_writable(m, k, domain)
    page = m.event_frames[domain, index]
    require("the page is not set yet", page.frame == NO_FRAME, EINVAL)
    m.ghost.move(f, holders.flight(k), holders.event_frame(domain, index), typed=True, general=True)
    page.frame = f
    m.flights[k].mode = IDLE


@step("flights.mode", "flights.frame", "event_frames.frame")
def release_event_frame(m: Machine, k: FlightId, domain: DomId, index: int) -> None:
    """Take the references of a FIFO page back into a flight."""
    page, flight = m.event_frames[domain, index], m.flights[k]
    require("the page is set", page.frame != NO_FRAME, EINVAL)
    require("the domain uses it no more", Not(m.channels[domain].fifo), EBUSY)
    require("the flight is free", flight.mode == IDLE, EAGAIN)
    m.ghost.move(page.frame, holders.event_frame(domain, index), holders.flight(k), typed=True, general=True)
    flight.frame = page.frame
    flight.mode = HELD
    page.frame = NO_FRAME


@step("flights.mode", "eoi_frames.frame")
def keep_eoi_frame(m: Machine, k: FlightId, domain: DomId) -> None:
    """Let the domain's EOI page hold the frame in flight."""
    f = _held_writable(m, k, domain)
    page = m.eoi_frames[domain]
    require("the page is not set yet", page.frame == NO_FRAME, EBUSY)
    m.ghost.move(f, holders.flight(k), holders.eoi_frame(domain), typed=True, general=True)
    page.frame = f
    m.flights[k].mode = IDLE


@step("flights.mode", "vcpus.info_frame")
def keep_vcpu_info(m: Machine, k: FlightId, v: VcpuId) -> None:
    """Let a vCPU's information page hold the frame in flight."""
    vcpu = m.vcpus[v]
    f = _held_writable(m, k, vcpu.domain)
    require("the page is not set yet", vcpu.info_frame == NO_FRAME, EINVAL)
    m.ghost.move(f, holders.flight(k), holders.vcpu_info(v), typed=True, general=True)
    vcpu.info_frame = f
    m.flights[k].mode = IDLE


def take_frame(x: Call, f: Mfn) -> Steps[FlightId]:
    """Take a frame of the caller as writable memory; return the flight that holds it. Refuses with EINVAL."""
    _, kn, _ = flights(x.vcpu)
    take_ref(x.m, kn, f, x.domain)
    yield take_ref
    yield from take_writable(x, kn, EINVAL)
    return kn


def hold_event_frame(x: Call, f: Mfn, index: int) -> Steps[int]:
    """EVTCHNOP_init_control (index = vCPU) and expand_array (index = 4096 + page): return 0 or an errno."""
    try:
        kn = yield from take_frame(x, f)
    except Refused as refusal:
        return -refusal.errno
    try:
        keep_event_frame(x.m, kn, x.domain, index)
        yield keep_event_frame
    except Refused as refusal:
        yield from drop_leaf(x, kn)
        return -refusal.errno
    return 0


def hold_eoi_frame(x: Call, f: Mfn) -> Steps[int]:
    """PHYSDEVOP_pirq_eoi_gmfn: return 0 or an errno."""
    try:
        kn = yield from take_frame(x, f)
    except Refused as refusal:
        return -refusal.errno
    try:
        keep_eoi_frame(x.m, kn, x.domain)
        yield keep_eoi_frame
    except Refused as refusal:
        yield from drop_leaf(x, kn)
        return -refusal.errno
    return 0
