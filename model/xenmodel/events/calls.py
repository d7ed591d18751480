"""HYPERVISOR_event_channel_op: every command, with its checks in the order that real Xen answers them.

Public interface: xen/include/public/event_channel.h. The order is that of xen/common/event_channel.c, and
was compared with what real Xen answers (oracle rules 20-24).
"""

from collections.abc import Callable
from typing import assert_never

from xenmodel.abi.event import FIFO_PORTS, STATUS, TWO_LEVEL_PORTS, VIRQS, is_global
from xenmodel.domains.naming import addressed_domain, require_control
from xenmodel.events import ports
from xenmodel.events.arguments import (
    AllocUnbound,
    BindInterdomain,
    BindIpi,
    BindPirq,
    BindVcpu,
    BindVirq,
    Close,
    EventCall,
    EventResult,
    PortStatus,
    Reset,
    Send,
    Status,
    Unknown,
    Unmask,
)
from xenmodel.events.closing import close, reset
from xenmodel.events.delivery import send, tell, unmask
from xenmodel.events.notices import until_free
from xenmodel.events.rows import NO_PORT
from xenmodel.events.setup import (
    ExpandArray,
    InitControl,
    SetPriority,
    expand_array,
    init_control,
    set_priority,
)
from xenmodel.hypercall import Call, Steps
from xenmodel.machine import View
from xenmodel.step import Refused
from xenspec.vocabulary import (
    DOMID_SELF,
    EEXIST,
    EINVAL,
    ENOENT,
    ENOSPC,
    ENOSYS,
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
    VcpuId,
)


def named_domain(x: Call, dom: int) -> DomId:
    """Return the domain that a number means, the caller's own number too; refuse one that is not there."""
    domain = addressed_domain(x, dom)
    if domain is None:
        raise Refused("the named domain exists", ESRCH)
    return domain


def free_port(m: View, domain: DomId) -> Steps[PortId]:
    """Find the lowest free port, making ports if need be (get_free_port)."""
    channels = m.channels[domain]
    if m.domains[domain].dying:
        raise Refused("the domain lives", EINVAL)
    end = min(channels.limit + 1, FIFO_PORTS if channels.fifo else TWO_LEVEL_PORTS)
    port = 0
    while port < end:
        if port >= channels.valid:
            ports.make_ports(m, domain)
            yield ports.make_ports
        busy = channels.fifo and port < channels.words and m.event_words[domain, port].linked
        if m.ports[domain, port].state == FREE and not busy:
            return PortId((domain, port))
        port += 1
    raise Refused("the domain may have one more port", ENOSPC)


def valid_port(m: View, domain: DomId, port: int) -> PortId:
    """Refuse a port that was never made."""
    if not 0 <= port < m.channels[domain].valid:
        raise Refused("the port exists", EINVAL)
    return PortId((domain, port))


def _own_vcpu(x: Call, vcpu: int) -> VcpuId:
    if not 0 <= vcpu < x.m.domains[x.domain].vcpus:
        raise Refused("the vCPU exists", ENOENT)
    return VcpuId((x.domain, vcpu))


def _opened(p: PortId, step: Callable[..., None], attempt: Callable[[], None]) -> Steps[EventResult]:
    """Open a port, and answer its number."""
    yield from until_free(attempt)
    yield step
    return EventResult(port=p[1])


def alloc_unbound(x: Call, call: AllocUnbound) -> Steps[EventResult]:
    """EVTCHNOP_alloc_unbound: the remote domain need not exist."""
    m = x.m
    domain = named_domain(x, call.dom)
    p = yield from free_port(m, domain)
    require_control(x, domain)
    remote = x.domain if call.remote == DOMID_SELF else DomId(call.remote)
    return (yield from _opened(p, ports.open_unbound, lambda: ports.open_unbound(m, p, remote)))


def bind_interdomain(x: Call, call: BindInterdomain) -> Steps[EventResult]:
    """EVTCHNOP_bind_interdomain: the new port is pending at once."""
    m, n = x.m, x.vcpu
    remote = named_domain(x, call.remote)
    local = yield from free_port(m, x.domain)
    far = valid_port(m, remote, call.remote_port)
    if m.ports[far].state != UNBOUND or m.ports[far].remote_domain != x.domain:
        raise Refused("the port waits for this domain", EINVAL)
    yield from until_free(lambda: ports.join(m, n, local, far))
    yield ports.join
    yield from tell(m, n)
    return EventResult(port=local[1])


def bind_virq(x: Call, call: BindVirq) -> Steps[EventResult]:
    """EVTCHNOP_bind_virq."""
    m = x.m
    if call.virq >= VIRQS or (is_global(call.virq) and call.vcpu):
        raise Refused("the interrupt is there for that vCPU", EINVAL)
    v = _own_vcpu(x, call.vcpu)
    if m.virqs[v, call.virq].port != NO_PORT:
        raise Refused("the interrupt is not bound", EEXIST)
    p = yield from free_port(m, x.domain)
    return (yield from _opened(p, ports.open_virq, lambda: ports.open_virq(m, p, v, call.virq)))


def bind_pirq(x: Call, call: BindPirq) -> Steps[EventResult]:
    """EVTCHNOP_bind_pirq."""
    m = x.m
    if call.pirq >= m.channels[x.domain].pirqs:
        raise Refused("the interrupt has a number that the domain may name", EINVAL)
    line = m.pirqs[x.domain, call.pirq]
    if not line.permitted:
        raise Refused("the domain may have the interrupt", EPERM)
    if line.port != NO_PORT:
        raise Refused("the interrupt is not bound", EEXIST)
    p = yield from free_port(m, x.domain)
    return (yield from _opened(p, ports.open_pirq, lambda: ports.open_pirq(m, p, call.pirq)))


def bind_ipi(x: Call, call: BindIpi) -> Steps[EventResult]:
    """EVTCHNOP_bind_ipi."""
    v = _own_vcpu(x, call.vcpu)
    p = yield from free_port(x.m, x.domain)
    return (yield from _opened(p, ports.open_ipi, lambda: ports.open_ipi(x.m, p, v[1])))


def bind_vcpu(x: Call, call: BindVcpu) -> Steps[EventResult]:
    """EVTCHNOP_bind_vcpu: the vCPU is looked at before the port."""
    v = _own_vcpu(x, call.vcpu)
    p = valid_port(x.m, x.domain, call.port)
    ports.retarget(x.m, p, v[1])
    yield ports.retarget
    return EventResult()


def send_event(x: Call, call: Send) -> Steps[EventResult]:
    """EVTCHNOP_send: what goes to an unbound port is dropped."""
    p = valid_port(x.m, x.domain, call.port)
    state = x.m.ports[p].state
    if state in (INTERDOMAIN, IPI):
        yield from send(x.m, x.vcpu, p)
    elif state != UNBOUND:
        raise Refused("the port leads somewhere", EINVAL)
    return EventResult()


def unmask_port(x: Call, call: Unmask) -> Steps[EventResult]:
    """EVTCHNOP_unmask: a port that is not in use is left as it is."""
    p = valid_port(x.m, x.domain, call.port)
    if x.m.ports[p].state not in (FREE, RESERVED):
        yield from unmask(x.m, x.vcpu, p)
    return EventResult()


def port_status(x: Call, call: Status) -> Steps[EventResult]:
    """EVTCHNOP_status: changes nothing."""
    yield from ()
    m = x.m
    domain = named_domain(x, call.dom)
    p = valid_port(m, domain, call.port)
    require_control(x, domain)
    port = m.ports[p]
    peered, bound = port.state == INTERDOMAIN, port.state in (UNBOUND, INTERDOMAIN)
    interrupt = port.virq if port.state == VIRQ else port.pirq if port.state == PIRQ else 0
    status = PortStatus(
        STATUS[port.state],
        port.vcpu,
        domain=port.remote_domain if bound else 0,
        port=port.remote_port if peered else 0,
        interrupt=interrupt,
    )
    return EventResult(status=status)


def reset_ports(x: Call, call: Reset) -> Steps[EventResult]:
    """EVTCHNOP_reset and reset_cont: only a paused domain can be reset by another."""
    domain = named_domain(x, call.dom)
    require_control(x, domain)
    if domain != x.domain and x.m.channels[domain].started:
        raise Refused("the domain does not run", EINVAL)
    finished = yield from reset(x, domain, again=call.again)
    return EventResult(restart=not finished)


def close_port(x: Call, call: Close) -> Steps[EventResult]:
    """EVTCHNOP_close."""
    yield from close(x.m, valid_port(x.m, x.domain, call.port))
    return EventResult()


def _unknown() -> Steps[EventResult]:
    yield from ()
    return EventResult(rc=-ENOSYS)


def _wrapped(steps: Steps[int]) -> Steps[EventResult]:
    rc = yield from steps
    return EventResult(rc=rc)


def _command(x: Call, call: EventCall) -> Steps[EventResult]:  # noqa: PLR0911, PLR0912, C901 - one line a command
    """Return the steps of a command."""
    match call:
        case AllocUnbound():
            return alloc_unbound(x, call)
        case BindInterdomain():
            return bind_interdomain(x, call)
        case BindVirq():
            return bind_virq(x, call)
        case BindPirq():
            return bind_pirq(x, call)
        case BindIpi():
            return bind_ipi(x, call)
        case BindVcpu():
            return bind_vcpu(x, call)
        case Close():
            return close_port(x, call)
        case Send():
            return send_event(x, call)
        case Unmask():
            return unmask_port(x, call)
        case Status():
            return port_status(x, call)
        case Reset():
            return reset_ports(x, call)
        case InitControl():
            return _wrapped(init_control(x, call))
        case ExpandArray():
            return _wrapped(expand_array(x, call))
        case SetPriority():
            return _wrapped(set_priority(x, call))
        case Unknown():
            return _unknown()
    assert_never(call)


def event_channel_op(x: Call, call: EventCall) -> Steps[EventResult]:
    """Run one command."""
    try:
        return (yield from _command(x, call))
    except Refused as refusal:
        return EventResult(rc=-refusal.errno)
