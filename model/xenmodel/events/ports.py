"""Ports: opening, joining, closing. Each step is a region under the event locks of the domains it names.

Xen takes a domain's event_lock to change what a port is, and the port's own lock exclusively where the port
becomes free or ceases to be (`readers` is zero then). Looking for the lowest free port is a search through
the view; the step that opens the port checks that it is free.
"""

from xenmodel.abi.event import BUCKET_PORTS, DEFAULT_PRIORITY, QUEUES, TWO_LEVEL_PORTS, is_global
from xenmodel.events.notices import NOTICE, open_notice
from xenmodel.events.rows import NO_PORT, S_IDLE, S_MARK
from xenmodel.machine import Machine
from xenmodel.step import require, step
from xenspec.logic import Not, implies, ite
from xenspec.vocabulary import (
    EAGAIN,
    EBUSY,
    EEXIST,
    EINVAL,
    ENOSPC,
    EPERM,
    ESRCH,
    FREE,
    INTERDOMAIN,
    IPI,
    PIRQ,
    RESERVED,
    UNBOUND,
    VIRQ,
    DomId,
    PortId,
    PortState,
    VcpuId,
)

OPENS = ("ports.state", "ports.vcpu", "ports.priority", "channels.active")
"""What every step writes that opens a port."""


@step("channels.valid")
def make_ports(m: Machine, domain: DomId) -> None:
    """Make the next bucket of ports; it stays, whatever becomes of the call (evtchn_allocate_port)."""
    m.channels[domain].valid = m.channels[domain].valid + BUCKET_PORTS


def _require_free(m: Machine, p: PortId) -> None:
    """Refuse unless the port can be handed out. Part of a step."""
    channels = m.channels[p[0]]
    require("the domain exists", m.domains[p[0]].exists, ESRCH)
    require("the domain lives", Not(m.domains[p[0]].dying), EINVAL)
    require("it has a vCPU to be told", m.domains[p[0]].vcpus > 0, EINVAL)
    require("the port exists", (p[1] > 0) & (p[1] < channels.valid), EINVAL)
    require("it has its bits", channels.fifo | (p[1] < TWO_LEVEL_PORTS), ENOSPC)
    require("the port is free", m.ports[p].state == FREE, EBUSY)
    require("nobody works on it", m.ports[p].readers == 0, EAGAIN)
    on_queue = channels.fifo & (p[1] < channels.words) & m.event_words[p].linked
    require("it is on no queue any more", Not(on_queue), EBUSY)


def _open(m: Machine, p: PortId, state: PortState, vcpu: int) -> None:
    """Put a free port to use; a new port has the default priority (evtchn_fifo_init). Part of a step."""
    port, channels = m.ports[p], m.channels[p[0]]
    port.state = state
    port.vcpu = vcpu
    port.priority = ite(channels.fifo, DEFAULT_PRIORITY, port.priority)
    channels.active = channels.active + 1


@step(*OPENS, "ports.remote_domain")
def open_unbound(m: Machine, p: PortId, remote: DomId) -> None:
    """Open a port that the remote domain may bind (evtchn_alloc_unbound)."""
    _require_free(m, p)
    _open(m, p, UNBOUND, 0)
    m.ports[p].remote_domain = remote


@step(*OPENS)
def open_ipi(m: Machine, p: PortId, vcpu: int) -> None:
    """Open a port by which a domain's vCPUs tell one of them (evtchn_bind_ipi)."""
    _require_free(m, p)
    require("the vCPU exists", (vcpu >= 0) & (vcpu < m.domains[p[0]].vcpus), EINVAL)
    _open(m, p, IPI, vcpu)


@step(*OPENS, "ports.virq", "virqs.port")
def open_virq(m: Machine, p: PortId, v: VcpuId, virq: int) -> None:
    """Open a port for a virtual interrupt of a vCPU (evtchn_bind_virq)."""
    binding = m.virqs[v, virq]
    require("the vCPU is the domain's", v[0] == p[0], EINVAL)
    require("the vCPU exists", (v[1] >= 0) & (v[1] < m.domains[p[0]].vcpus), EINVAL)
    require("a global interrupt is vCPU 0's", implies(is_global(virq), lambda: v[1] == 0), EINVAL)
    require("the interrupt is not bound", binding.port == NO_PORT, EEXIST)
    _require_free(m, p)
    _open(m, p, VIRQ, v[1])
    m.ports[p].virq = virq
    binding.port = p[1]


@step(*OPENS, "ports.pirq", "pirqs.port")
def open_pirq(m: Machine, p: PortId, pirq: int) -> None:
    """Open a port for a physical interrupt (evtchn_bind_pirq)."""
    line = m.pirqs[p[0], pirq]
    require("the domain may have the interrupt", line.permitted, EPERM)
    require("the interrupt is not bound", line.port == NO_PORT, EEXIST)
    _require_free(m, p)
    require("there is such an interrupt to have", line.usable, EINVAL)
    _open(m, p, PIRQ, 0)
    m.ports[p].pirq = pirq
    line.port = p[1]


JOINS = ("ports.remote_domain", "ports.remote_port", "ports.owed")


@step(*OPENS, *JOINS, *NOTICE)
def join(m: Machine, n: VcpuId, local: PortId, remote: PortId) -> None:
    """Join a new port to the remote domain's unbound one, and begin to tell the local domain.

    Notices to the unbound port were dropped; so the new port is made pending (evtchn_bind_interdomain).
    """
    far, notice = m.ports[remote], m.notices[n]
    require("the remote port exists", (remote[1] >= 0) & (remote[1] < m.channels[remote[0]].valid), EINVAL)
    require("it waits to be bound", far.state == UNBOUND, EINVAL)
    require("by this domain", far.remote_domain == local[0], EINVAL)
    _require_free(m, local)
    require("nobody works on the remote port", far.readers == 0, EAGAIN)
    require("the caller has no other notice to give", notice.stage == S_IDLE, EAGAIN)
    _open(m, local, INTERDOMAIN, 0)
    near = m.ports[local]
    near.remote_domain = DomId(remote[0])
    near.remote_port = remote[1]
    far.state = INTERDOMAIN
    far.remote_domain = DomId(local[0])
    far.remote_port = local[1]
    near.owed = n
    open_notice(m, notice, S_MARK, local)


CLOSES = (
    "ports.state",
    "ports.vcpu",
    "channels.active",
    "channels.honest",
    "signals.pending",
    "event_words.pending",
)


def _close(m: Machine, p: PortId) -> None:
    """Make a port free, and no longer pending (evtchn_free). Part of a step.

    An event that waits for the port's word goes on waiting: that is the domain's own doing.
    """
    port, channels = m.ports[p], m.channels[p[0]]
    if channels.fifo:
        m.event_words[p].pending = False
    else:
        m.signals[p].pending = False
    port.state = FREE
    port.vcpu = 0
    channels.active = channels.active - 1
    channels.honest = channels.honest & Not(port.saved & (channels.told <= p[1]))


@step(*CLOSES)
def close_plain(m: Machine, p: PortId) -> None:
    """Close an unbound port, or one between a domain's own vCPUs."""
    port = m.ports[p]
    require("the port is unbound or for vCPUs", (port.state == UNBOUND) | (port.state == IPI), EINVAL)
    require("nobody works on it", port.readers == 0, EAGAIN)
    _close(m, p)


@step(*CLOSES, "virqs.port")
def close_virq(m: Machine, p: PortId) -> None:
    """Close a port of a virtual interrupt: nobody wants the interrupt any more."""
    port = m.ports[p]
    require("the port is a virtual interrupt's", port.state == VIRQ, EINVAL)
    require("nobody works on it", port.readers == 0, EAGAIN)
    home = ite(is_global(port.virq), 0, port.vcpu)
    m.virqs[(p[0], home), port.virq].port = NO_PORT
    _close(m, p)


@step(*CLOSES, "pirqs.port")
def close_pirq(m: Machine, p: PortId) -> None:
    """Close a port of a physical interrupt: nobody wants the interrupt any more."""
    port = m.ports[p]
    require("the port is a physical interrupt's", port.state == PIRQ, EINVAL)
    require("nobody works on it", port.readers == 0, EAGAIN)
    m.pirqs[p[0], port.pirq].port = NO_PORT
    _close(m, p)


@step(*CLOSES, "ports.remote_domain")
def part(m: Machine, p: PortId) -> None:
    """Close one of two joined ports: the other waits for the closer's domain again."""
    port = m.ports[p]
    require("the port is joined to another", port.state == INTERDOMAIN, EINVAL)
    far = m.ports[port.remote_domain, port.remote_port]
    require("nobody works on it", port.readers == 0, EAGAIN)
    require("nobody works on the other", far.readers == 0, EAGAIN)
    _close(m, p)
    far.state = UNBOUND
    far.remote_domain = DomId(p[0])


@step("ports.vcpu")
def retarget(m: Machine, p: PortId, vcpu: int) -> None:
    """Tell another vCPU from now on (evtchn_bind_vcpu); what is pending stays with the one that was told."""
    port = m.ports[p]
    require("the vCPU exists", (vcpu >= 0) & (vcpu < m.domains[p[0]].vcpus), EINVAL)
    require("the port is in use", (port.state != FREE) & (port.state != RESERVED), EINVAL)
    require("its vCPU is not fixed", port.state != IPI, EINVAL)
    require("its interrupt is global", implies(port.state == VIRQ, lambda: is_global(port.virq)), EINVAL)
    port.vcpu = vcpu


@step("ports.priority")
def set_port_priority(m: Machine, p: PortId, priority: int) -> None:
    """Link the port to another queue from the next time on (evtchn_fifo_set_priority)."""
    require("there is such a priority", (priority >= 0) & (priority < QUEUES), EINVAL)
    m.ports[p].priority = priority


@step("channels.reset_at")
def begin_reset(m: Machine, domain: DomId) -> None:
    """Say that a reset is in progress, from port 1 on (evtchn_reset)."""
    channels = m.channels[domain]
    require("no other reset is in progress", channels.reset_at == 0, EBUSY)
    channels.reset_at = 1


@step("channels.reset_at")
def interrupt_reset(m: Machine, domain: DomId, port: int) -> None:
    """Keep where the reset is to go on."""
    channels = m.channels[domain]
    require("the port exists", (port >= 0) & (port < channels.valid), EINVAL)
    channels.reset_at = port


@step("channels.reset_at")
def end_reset(m: Machine, domain: DomId) -> None:
    """Say that the reset is over; the caller looks whether anybody opened a port meanwhile."""
    m.channels[domain].reset_at = 0
