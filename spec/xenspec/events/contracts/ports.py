"""Ports: opened by their domain, joined by the domain that was asked for.

EVTCHNOP_alloc_unbound, _bind_*, _close, _set_priority, _reset (public/event_channel.h). Who may open a port
of another domain, or reset it, is asked before any of these (XSM; the control domain).
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.events.books import NO_PORT, State
from xenspec.events.invariants import in_use, is_global
from xenspec.logic import Not, implies, ite
from xenspec.vocabulary import (
    FREE,
    INTERDOMAIN,
    IPI,
    UNBOUND,
    VIRQ,
    DomId,
    PirqId,
    PortId,
    PortState,
    VcpuId,
    VirqId,
)

A_BUCKET = 64
"""Ports that are made at a time."""
TWO_LEVEL_PORTS = 4096
"""EVTCHN_2L_NR_CHANNELS."""
DEFAULT_PRIORITY = 7
QUEUES = 16
"""EVTCHN_FIFO_MAX_QUEUES."""


@dataclass(frozen=True, slots=True)
class OfDomain:
    """A domain."""

    domain: DomId


@dataclass(frozen=True, slots=True)
class Opened:
    """A port, what it is to be bound to, and the number of the vCPU that it is to tell."""

    p: PortId
    state: PortState
    vcpu: int


@dataclass(frozen=True, slots=True)
class Awaited:
    """A port, and the domain that may bind it."""

    p: PortId
    remote: DomId


@dataclass(frozen=True, slots=True)
class OfVirq:
    """A port, and a virtual interrupt of a vCPU."""

    p: PortId
    v: VcpuId
    virq: int


@dataclass(frozen=True, slots=True)
class OfPirq:
    """A port, and a physical interrupt."""

    p: PortId
    pirq: int


@dataclass(frozen=True, slots=True)
class Joined:
    """A new port, the unbound one that it is joined to, and who joins them."""

    n: VcpuId
    local: PortId
    remote: PortId


@dataclass(frozen=True, slots=True)
class Retargeted:
    """A port, and the number of a vCPU, or of a priority."""

    p: PortId
    number: int


@dataclass(frozen=True, slots=True)
class ResetAt:
    """A domain, and the port that its reset is to go on with."""

    domain: DomId
    port: int


MAKE_PORTS: Contract[State, OfDomain] = Contract("make ports")
OPEN: Contract[State, Opened] = Contract("open a port")
AWAIT: Contract[State, Awaited] = Contract("wait for a domain to bind a port")
BIND_VIRQ: Contract[State, OfVirq] = Contract("bind a virtual interrupt")
BIND_PIRQ: Contract[State, OfPirq] = Contract("bind a physical interrupt")
JOIN: Contract[State, Joined] = Contract("join two ports")
RETARGET: Contract[State, Retargeted] = Contract("tell another vCPU")
PRIORITISE: Contract[State, Retargeted] = Contract("give a port a priority")
BEGIN_RESET: Contract[State, ResetAt] = Contract("begin a reset")
INTERRUPT_RESET: Contract[State, ResetAt] = Contract("interrupt a reset")
RESET_AT: Contract[State, ResetAt] = Contract("go on with a reset")


@MAKE_PORTS.does(property=(20, 23))
def a_bucket_of_ports_is_made(before: State, after: State, a: OfDomain) -> bool:
    """The domain has a bucket of ports more, all of them free."""
    return after.channels[a.domain].valid == before.channels[a.domain].valid + A_BUCKET


@MAKE_PORTS.touches
def _make_ports(_: State, a: OfDomain) -> tuple[Cells, ...]:
    return (Cells("channels", a.domain, ("valid",)),)


# --- Opening ------------------------------------------------------------------------------------------------


@OPEN.asks(property=(23, 32))
def only_a_free_port_of_a_living_domain_is_opened(s: State, a: Opened) -> bool:
    """The domain exists and is not dying, and the port is one of its free ones, which nobody works on."""
    domain, port = s.domains[a.p[0]], s.ports[a.p]
    there = (a.p[1] > 0) & (a.p[1] < s.channels[a.p[0]].valid)
    return domain.exists & Not(domain.dying) & there & (port.state == FREE) & (port.readers == 0)


@OPEN.asks(property=(23, 25))
def an_opened_port_has_a_bit_or_a_word_of_its_own(s: State, a: Opened) -> bool:
    """In the 2-level ABI the port has its bit; in the FIFO ABI it is on no queue any more."""
    channels = s.channels[a.p[0]]
    queued = (a.p[1] < channels.words) & s.event_words[a.p].linked
    return ite(channels.fifo, Not(queued), a.p[1] < TWO_LEVEL_PORTS)


@OPEN.asks(property=23)
def an_opened_port_tells_a_vcpu_of_its_domain(s: State, a: Opened) -> bool:
    """The vCPU that the port is to tell is one of the domain's."""
    return (a.vcpu >= 0) & (a.vcpu < s.domains[a.p[0]].vcpus)


@OPEN.does(property=23)
def the_port_is_bound(before: State, after: State, a: Opened) -> bool:
    """The port is bound as it was asked, tells the vCPU, and counts as active; no priority is left over."""
    port, channels = after.ports[a.p], before.channels[a.p[0]]
    return (
        (port.state == a.state)
        & (port.vcpu == a.vcpu)
        & implies(channels.fifo, lambda: port.priority == DEFAULT_PRIORITY)
        & (after.channels[a.p[0]].active == channels.active + 1)
    )


@OPEN.touches
def _open(s: State, a: Opened) -> tuple[Cells, ...]:
    return (
        Cells("ports", a.p, ("state", "vcpu")),
        Cells("ports", a.p, ("priority",), when=s.channels[a.p[0]].fifo),
        Cells("channels", a.p[0], ("active",)),
    )


@AWAIT.does(property=(15, 23))
def the_named_domain_may_bind_the_port(_: State, after: State, a: Awaited) -> bool:
    """The port waits for the domain that was named, and for no other."""
    return after.ports[a.p].remote_domain == a.remote


@AWAIT.touches
def _await(_: State, a: Awaited) -> tuple[Cells, ...]:
    return (Cells("ports", a.p, ("remote_domain",)),)


@BIND_VIRQ.asks(property=23)
def an_interrupt_is_bound_once_by_its_domain(s: State, a: OfVirq) -> bool:
    """The interrupt is of a vCPU of the port's domain (of vCPU 0 if global), and nothing is bound to it."""
    at_home = implies(is_global(a.virq), lambda: a.v[1] == 0)
    return (a.v[0] == a.p[0]) & at_home & (s.virqs[a.v, a.virq].port == NO_PORT)


@BIND_VIRQ.does(property=23)
def the_interrupt_and_the_port_name_each_other(_: State, after: State, a: OfVirq) -> bool:
    """The interrupt is bound to the port, and the port is for it."""
    return (after.ports[a.p].virq == a.virq) & (after.virqs[a.v, a.virq].port == a.p[1])


@BIND_VIRQ.touches
def _bind_virq(_: State, a: OfVirq) -> tuple[Cells, ...]:
    return (Cells("ports", a.p, ("virq",)), Cells("virqs", VirqId((a.v, a.virq)), ("port",)))


@BIND_PIRQ.asks(property=(15, 23))
def a_domain_binds_only_a_line_that_it_was_given(s: State, a: OfPirq) -> bool:
    """The control domain has given the domain the interrupt, there is one, and nothing is bound to it."""
    line = s.pirqs[a.p[0], a.pirq]
    return line.permitted & line.usable & (line.port == NO_PORT)


@BIND_PIRQ.does(property=23)
def the_line_and_the_port_name_each_other(_: State, after: State, a: OfPirq) -> bool:
    """The interrupt is bound to the port, and the port is for it."""
    return (after.ports[a.p].pirq == a.pirq) & (after.pirqs[a.p[0], a.pirq].port == a.p[1])


@BIND_PIRQ.touches
def _bind_pirq(_: State, a: OfPirq) -> tuple[Cells, ...]:
    return (Cells("ports", a.p, ("pirq",)), Cells("pirqs", PirqId((a.p[0], a.pirq)), ("port",)))


@JOIN.asks(property=(15, 23), advisories=(343,))
def a_domain_joins_only_a_port_that_waits_for_it(s: State, a: Joined) -> bool:
    """The far port is unbound and waits for this very domain; nobody works on it."""
    far = s.ports[a.remote]
    there = (a.remote[1] >= 0) & (a.remote[1] < s.channels[a.remote[0]].valid)
    return there & (far.state == UNBOUND) & (far.remote_domain == a.local[0]) & (far.readers == 0)


@JOIN.does(property=23)
def joined_ports_are_peers(_: State, after: State, a: Joined) -> bool:
    """Each port is joined to the other, and the new one is to be told of what was dropped before."""
    near, far = after.ports[a.local], after.ports[a.remote]
    return (
        ((near.remote_domain == a.remote[0]) & (near.remote_port == a.remote[1]))
        & ((far.remote_domain == a.local[0]) & (far.remote_port == a.local[1]))
        & ((far.state == INTERDOMAIN) & (near.owed == a.n))
    )


@JOIN.touches
def _join(_: State, a: Joined) -> tuple[Cells, ...]:
    peer = ("remote_domain", "remote_port")
    return (Cells("ports", a.local, (*peer, "owed")), Cells("ports", a.remote, (*peer, "state")))


# --- Changing -----------------------------------------------------------------------------------------------


@RETARGET.asks(property=23)
def only_what_is_not_one_vcpus_is_retargeted(s: State, a: Retargeted) -> bool:
    """The vCPU is the domain's, and what the port is bound to is not one vCPU's own."""
    port = s.ports[a.p]
    there = (a.number >= 0) & (a.number < s.domains[a.p[0]].vcpus)
    everyones = implies(port.state == VIRQ, lambda: is_global(port.virq))
    return there & in_use(port) & (port.state != IPI) & everyones


@RETARGET.does(property=23)
def the_port_tells_the_vcpu(_: State, after: State, a: Retargeted) -> bool:
    """The port tells the vCPU from now on."""
    return after.ports[a.p].vcpu == a.number


@RETARGET.touches
def _retarget(_: State, a: Retargeted) -> tuple[Cells, ...]:
    return (Cells("ports", a.p, ("vcpu",)),)


@PRIORITISE.asks(property=(10, 25))
def there_are_sixteen_priorities(_: State, a: Retargeted) -> bool:
    """The priority is one of those that there are queues of."""
    return (a.number >= 0) & (a.number < QUEUES)


@PRIORITISE.does(property=25)
def the_port_has_the_priority(_: State, after: State, a: Retargeted) -> bool:
    """The port is linked with the priority from the next time on; where it is linked now, it stays."""
    return after.ports[a.p].priority == a.number


@PRIORITISE.touches
def _prioritise(_: State, a: Retargeted) -> tuple[Cells, ...]:
    return (Cells("ports", a.p, ("priority",)),)


@BEGIN_RESET.asks(property=17, advisories=(344,))
def one_reset_is_under_way_at_a_time(s: State, a: ResetAt) -> bool:
    """No reset of the domain's ports is under way."""
    return s.channels[a.domain].reset_at == 0


@INTERRUPT_RESET.asks(property=17)
def a_reset_goes_on_with_a_port_that_exists(s: State, a: ResetAt) -> bool:
    """The port is one of those that the domain has."""
    return (a.port >= 0) & (a.port < s.channels[a.domain].valid)


@RESET_AT.does(property=17)
def the_reset_goes_on_there(_: State, after: State, a: ResetAt) -> bool:
    """The reset goes on with the port, or is over."""
    return after.channels[a.domain].reset_at == a.port


@RESET_AT.touches
def _reset_at(_: State, a: ResetAt) -> tuple[Cells, ...]:
    return (Cells("channels", a.domain, ("reset_at",)),)
