"""Closing one port, all of a domain's (reset), and a dying domain's (evtchn_destroy)."""

from xenmodel.events import ports
from xenmodel.events.notices import until_free
from xenmodel.events.setup import drop_fifo
from xenmodel.hypercall import PREEMPT_BATCH, Call, Steps
from xenmodel.machine import View
from xenmodel.step import Refused, require
from xenspec.vocabulary import (
    EAGAIN,
    EBUSY,
    EINVAL,
    FREE,
    INTERDOMAIN,
    PIRQ,
    RESERVED,
    VIRQ,
    DomId,
    PortId,
)

PREEMPT_MASK = 0x3F
"""Every so many ports Xen looks whether to preempt a reset."""


def close(m: View, p: PortId) -> Steps[None]:
    """Close a port (evtchn_close); a joined one is parted from its peer."""
    state = m.ports[p].state
    if state in (FREE, RESERVED):
        raise Refused("the port is in use", EINVAL)
    if state == INTERDOMAIN:
        taken = ports.part
    elif state == VIRQ:
        taken = ports.close_virq
    elif state == PIRQ:
        taken = ports.close_pirq
    else:
        taken = ports.close_plain
    yield from until_free(lambda: taken(m, p))
    yield taken


def close_if_open(m: View, p: PortId) -> Steps[None]:
    """Close a port that may be free."""
    if m.ports[p].state not in (FREE, RESERVED):
        yield from close(m, p)


def reset(x: Call, domain: DomId, *, again: bool) -> Steps[bool]:
    """Close all ports of a domain, and switch it back to the 2-level ABI; return whether it came to the end.

    One reset at a time; a preempted one is gone on with. Ports that somebody opens meanwhile stay open, and
    the reset says so.
    """
    m = x.m
    channels = m.channels[domain]
    if not again:
        ports.begin_reset(m, domain)
        yield ports.begin_reset
    require("a reset is in progress", channels.reset_at != 0, EBUSY)
    port = channels.reset_at
    while port < channels.valid and channels.active:
        yield from close_if_open(m, PortId((domain, port)))
        if not port & PREEMPT_MASK and (yield PREEMPT_BATCH):
            ports.interrupt_reset(m, domain, port)
            yield ports.interrupt_reset
            return False
        port += 1
    ports.end_reset(m, domain)
    yield ports.end_reset
    if channels.active:
        raise Refused("nobody opened a port meanwhile", EAGAIN)
    if channels.fifo:
        yield from drop_fifo(x, domain)
    return True


def close_all(x: Call, domain: DomId) -> Steps[None]:
    """Close all ports of a dying domain, from the last one down: peers wait for it again, in vain."""
    m = x.m
    require("the domain is dying", m.domains[domain].dying, EINVAL)
    for port in range(m.channels[domain].valid - 1, 0, -1):
        yield from close_if_open(m, PortId((domain, port)))
    if m.channels[domain].fifo:
        yield from drop_fifo(x, domain)
