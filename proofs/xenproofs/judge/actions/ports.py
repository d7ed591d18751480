"""What the steps do that open, join and close ports, and that change a domain's ABI and its pages."""

from xenproofs.judge.actions.registry import Actions, of_step
from xenspec.events.books import Stage, State
from xenspec.events.contracts import closing as c
from xenspec.events.contracts import notices as n_
from xenspec.events.contracts import ports as p_
from xenspec.events.contracts import setup as s_
from xenspec.memory.contracts import keeping as k_
from xenspec.memory.contracts import references as r
from xenspec.memory.contracts import words as w
from xenspec.vocabulary import (
    INTERDOMAIN,
    IPI,
    PIRQ,
    UNBOUND,
    VIRQ,
    DomId,
    EventFrameId,
    FlightId,
    PortId,
    QueueId,
    VcpuId,
)


@of_step
def make_ports(_: State, domain: DomId) -> Actions:
    """Make ports."""
    return (p_.MAKE_PORTS.of(p_.OfDomain(domain)),)


@of_step
def open_unbound(_: State, p: PortId, remote: DomId) -> Actions:
    """Open a port that another domain may bind."""
    return p_.OPEN.of(p_.Opened(p, UNBOUND, 0)), p_.AWAIT.of(p_.Awaited(p, remote))


@of_step
def open_ipi(_: State, p: PortId, vcpu: int) -> Actions:
    """Open a port between vCPUs of a domain."""
    return (p_.OPEN.of(p_.Opened(p, IPI, vcpu)),)


@of_step
def open_virq(_: State, p: PortId, v: VcpuId, virq: int) -> Actions:
    """Open a port for a virtual interrupt."""
    return p_.OPEN.of(p_.Opened(p, VIRQ, v[1])), p_.BIND_VIRQ.of(p_.OfVirq(p, v, virq))


@of_step
def open_pirq(_: State, p: PortId, pirq: int) -> Actions:
    """Open a port for a physical interrupt."""
    return p_.OPEN.of(p_.Opened(p, PIRQ, 0)), p_.BIND_PIRQ.of(p_.OfPirq(p, pirq))


@of_step
def join(_: State, n: VcpuId, local: PortId, remote: PortId) -> Actions:
    """Join a new port to an unbound one, and begin to tell of it."""
    opened = p_.OPEN.of(p_.Opened(local, INTERDOMAIN, 0))
    begun = n_.BEGIN.of(n_.Begun(n, local, Stage.MARK))
    return opened, p_.JOIN.of(p_.Joined(n, local, remote)), begun


@of_step
def close_plain(_: State, p: PortId) -> Actions:
    """Close a port to which nothing outside its domain is bound."""
    return c.BE_PLAIN.of(c.OfPort(p)), c.CLOSE.of(c.OfPort(p))


@of_step
def close_virq(_: State, p: PortId) -> Actions:
    """Close a port of a virtual interrupt."""
    return c.UNBIND_VIRQ.of(c.OfPort(p)), c.CLOSE.of(c.OfPort(p))


@of_step
def close_pirq(_: State, p: PortId) -> Actions:
    """Close a port of a physical interrupt."""
    return c.UNBIND_PIRQ.of(c.OfPort(p)), c.CLOSE.of(c.OfPort(p))


@of_step
def part(_: State, p: PortId) -> Actions:
    """Close one of two joined ports."""
    return c.PART.of(c.OfPort(p)), c.CLOSE.of(c.OfPort(p))


@of_step
def retarget(_: State, p: PortId, vcpu: int) -> Actions:
    """Tell another vCPU."""
    return (p_.RETARGET.of(p_.Retargeted(p, vcpu)),)


@of_step
def set_port_priority(_: State, p: PortId, priority: int) -> Actions:
    """Give a port a priority."""
    return (p_.PRIORITISE.of(p_.Retargeted(p, priority)),)


@of_step
def begin_reset(_: State, domain: DomId) -> Actions:
    """Begin a reset with port 1."""
    at = p_.ResetAt(domain, 1)
    return p_.BEGIN_RESET.of(at), p_.RESET_AT.of(at)


@of_step
def interrupt_reset(_: State, domain: DomId, port: int) -> Actions:
    """Go on with a reset later."""
    at = p_.ResetAt(domain, port)
    return p_.INTERRUPT_RESET.of(at), p_.RESET_AT.of(at)


@of_step
def end_reset(_: State, domain: DomId) -> Actions:
    """End a reset."""
    return (p_.RESET_AT.of(p_.ResetAt(domain, 0)),)


# --- ABIs ---------------------------------------------------------------------------------------------------


@of_step
def switch_to_fifo(_: State, n: VcpuId, domain: DomId) -> Actions:
    """Switch to the FIFO ABI."""
    return (s_.TO_FIFO.of(s_.Locked(n, domain)),)


@of_step
def switch_to_two_level(_: State, domain: DomId) -> Actions:
    """Switch to the 2-level ABI."""
    return (s_.TO_TWO_LEVEL.of(s_.OfDomain(domain)),)


@of_step
def carry_over(_: State, n: VcpuId, p: PortId) -> Actions:
    """Carry a pending bit over."""
    return s_.HAVE_LOCK.of(s_.Locked(n, DomId(p[0]))), s_.CARRY_OVER.of(s_.OfPort(p))


@of_step
def add_words(_: State, n: VcpuId, domain: DomId) -> Actions:
    """Have a page of words more."""
    return (s_.MORE_WORDS.of(s_.Locked(n, domain)),)


@of_step
def pass_word(_: State, n: VcpuId, domain: DomId) -> Actions:
    """Pass a port of which no event waited."""
    return s_.HAVE_LOCK.of(s_.Locked(n, domain)), s_.PASS_WORD.of(s_.OfDomain(domain))


@of_step
def end_words(_: State, n: VcpuId, domain: DomId) -> Actions:
    """Let go of the event lock."""
    lock = s_.Locked(n, domain)
    return s_.HAVE_LOCK.of(lock), s_.END_WORDS.of(lock)


@of_step
def make_word(_: State, p: PortId, *, masked: bool) -> Actions:
    """Take a word as the guest left it."""
    return (s_.MAKE_WORD.of(s_.OfPort(p, masked)),)


@of_step
def make_queue(_: State, v: VcpuId, priority: int) -> Actions:
    """Make a queue empty."""
    return (s_.MAKE_QUEUE.of(s_.OfQueue(QueueId((v, priority)))),)


# --- Pages --------------------------------------------------------------------------------------------------


def kept(k: FlightId) -> Actions:
    """Let a place hold what a flight holds as writable memory."""
    return w.HOLD_MEMORY.of(r.InFlight(k)), k_.KEEP.of(r.InFlight(k))


@of_step
def keep_event_frame(s: State, k: FlightId, domain: DomId, index: int) -> Actions:
    """Keep a page of event channels."""
    page = s_.Paged(EventFrameId((domain, index)), s.flights[k].frame)
    return *kept(k), s_.SET_PAGE.of(page)


@of_step
def release_event_frame(s: State, k: FlightId, domain: DomId, index: int) -> Actions:
    """Give a page of event channels back."""
    page = EventFrameId((domain, index))
    f = s.event_frames[page].frame
    return k_.GIVE_BACK.of(k_.GivenBack(k, f)), s_.DROP_PAGE.of(s_.Paged(page, f))


@of_step
def keep_eoi_frame(s: State, k: FlightId, domain: DomId) -> Actions:
    """Keep a domain's page of handled interrupts."""
    return *kept(k), s_.SET_EOI.of(s_.EoiPage(domain, s.flights[k].frame))


@of_step
def keep_vcpu_info(s: State, k: FlightId, v: VcpuId) -> Actions:
    """Keep a vCPU's information page."""
    return *kept(k), s_.SET_INFO.of(s_.InfoPage(v, s.flights[k].frame))
