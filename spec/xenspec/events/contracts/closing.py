"""Closing a port: it becomes free and quiet, and what it was bound to is bound to nothing, or waits again.

EVTCHNOP_close, _reset (public/event_channel.h).
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.events.books import NO_PORT, State
from xenspec.events.invariants import in_use, is_global
from xenspec.logic import Not, ite
from xenspec.vocabulary import (
    FREE,
    INTERDOMAIN,
    IPI,
    UNBOUND,
    VIRQ,
    PirqId,
    PortId,
    PortState,
    VcpuId,
    VirqId,
)


@dataclass(frozen=True, slots=True)
class OfPort:
    """A port."""

    p: PortId


CLOSE: Contract[State, OfPort] = Contract("close a port")
BE_PLAIN: Contract[State, OfPort] = Contract("be bound to nothing outside the domain")
UNBIND_VIRQ: Contract[State, OfPort] = Contract("unbind a virtual interrupt")
UNBIND_PIRQ: Contract[State, OfPort] = Contract("unbind a physical interrupt")
PART: Contract[State, OfPort] = Contract("part two ports")


@CLOSE.asks(property=23, advisories=(343,))
def only_a_port_in_use_is_closed_that_nobody_works_on(s: State, a: OfPort) -> bool:
    """The port is bound to something, and no notice holds it."""
    return in_use(s.ports[a.p]) & (s.ports[a.p].readers == 0)


@CLOSE.does(property=23)
def a_closed_port_is_free_and_quiet(before: State, after: State, a: OfPort) -> bool:
    """The port is free, tells vCPU 0 if opened again, is not pending, and counts no more as active."""
    port, channels = after.ports[a.p], before.channels[a.p[0]]
    quiet = ite(channels.fifo, Not(after.event_words[a.p].pending), Not(after.signals[a.p].pending))
    fewer = after.channels[a.p[0]].active == channels.active - 1
    return (port.state == FREE) & (port.vcpu == 0) & quiet & fewer


@CLOSE.does(property=24)
def who_closes_a_waiting_port_loses_what_is_promised(before: State, after: State, a: OfPort) -> bool:
    """A domain that closes a port whose event waits for its word breaks the protocol; no other close does."""
    channels = before.channels[a.p[0]]
    waits = before.ports[a.p].saved & (channels.told <= a.p[1])
    return after.channels[a.p[0]].honest == (channels.honest & Not(waits))


@CLOSE.touches
def _close(s: State, a: OfPort) -> tuple[Cells, ...]:
    fifo = s.channels[a.p[0]].fifo
    return (
        Cells("ports", a.p, ("state", "vcpu")),
        Cells("channels", a.p[0], ("active", "honest")),
        Cells("event_words", a.p, ("pending",), when=fifo),
        Cells("signals", a.p, ("pending",), when=Not(fifo)),
    )


@BE_PLAIN.asks(property=23)
def a_plain_port_is_nobody_elses(s: State, a: OfPort) -> bool:
    """The port waits to be bound, or is between a domain's own vCPUs: nothing else names it."""
    return (s.ports[a.p].state == UNBOUND) | (s.ports[a.p].state == IPI)


def _bound_to(s: State, a: OfPort) -> VirqId:
    """Return the virtual interrupt that a port is for."""
    port = s.ports[a.p]
    return VirqId((VcpuId((a.p[0], ite(is_global(port.virq), 0, port.vcpu))), port.virq))


@UNBIND_VIRQ.asks(property=23)
def a_port_of_a_virtual_interrupt_is_unbound(s: State, a: OfPort) -> bool:
    """The port is for a virtual interrupt, which is bound to it."""
    return (s.ports[a.p].state == VIRQ) & (s.virqs[_bound_to(s, a)].port == a.p[1])


@UNBIND_VIRQ.does(property=23)
def nobody_wants_the_virtual_interrupt(before: State, after: State, a: OfPort) -> bool:
    """Nothing is bound to the interrupt."""
    return after.virqs[_bound_to(before, a)].port == NO_PORT


@UNBIND_VIRQ.touches
def _unbind_virq(s: State, a: OfPort) -> tuple[Cells, ...]:
    return (Cells("virqs", _bound_to(s, a), ("port",)),)


@UNBIND_PIRQ.asks(property=23)
def a_port_of_a_physical_interrupt_is_unbound(s: State, a: OfPort) -> bool:
    """The port is for a physical interrupt, which is bound to it."""
    port = s.ports[a.p]
    return (port.state == PortState.PIRQ) & (s.pirqs[a.p[0], port.pirq].port == a.p[1])


@UNBIND_PIRQ.does(property=23)
def nobody_wants_the_physical_interrupt(before: State, after: State, a: OfPort) -> bool:
    """Nothing is bound to the interrupt."""
    return after.pirqs[a.p[0], before.ports[a.p].pirq].port == NO_PORT


@UNBIND_PIRQ.touches
def _unbind_pirq(s: State, a: OfPort) -> tuple[Cells, ...]:
    return (Cells("pirqs", PirqId((a.p[0], s.ports[a.p].pirq)), ("port",)),)


def peer(s: State, p: PortId) -> PortId:
    """Return the port that a joined one leads to."""
    return PortId((s.ports[p].remote_domain, s.ports[p].remote_port))


@PART.asks(property=23, advisories=(343,))
def only_joined_ports_are_parted(s: State, a: OfPort) -> bool:
    """The port is joined to another one, and nobody works on that one either."""
    return (s.ports[a.p].state == INTERDOMAIN) & (s.ports[peer(s, a.p)].readers == 0)


@PART.does(property=(15, 23))
def the_peer_waits_for_the_same_domain_again(before: State, after: State, a: OfPort) -> bool:
    """The other port is unbound, and may be bound by the domain that it was joined to."""
    far = after.ports[peer(before, a.p)]
    return (far.state == UNBOUND) & (far.remote_domain == a.p[0])


@PART.touches
def _part(s: State, a: OfPort) -> tuple[Cells, ...]:
    return (Cells("ports", peer(s, a.p), ("state", "remote_domain")),)
