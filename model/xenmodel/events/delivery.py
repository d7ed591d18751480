"""Delivery: which step a notice takes next, by its ABI and stage; and where notices come from.

Who calls: a hypercall of a vCPU (send, unmask, bind_interdomain), or Xen's interrupt handler on a physical
CPU, which is written as vCPU (DOMID_IDLE, number of the CPU).
"""

from collections.abc import Callable
from typing import Final

from xenmodel.abi.event import is_global
from xenmodel.events import fifo, two_level
from xenmodel.events.notices import (
    begin_again,
    begin_interrupt,
    begin_send,
    begin_unmask,
    end_notice,
    kick,
    raise_upcall,
    until_free,
    wake_poller,
)
from xenmodel.events.rows import (
    NO_PORT,
    S_CLEAR,
    S_END,
    S_HEAD,
    S_IDLE,
    S_KICK,
    S_LOCKED,
    S_LOOK,
    S_MARK,
    S_POLLERS,
    S_READY,
    S_SELECT,
    S_TAIL,
    S_TEST,
    S_UPCALL,
    Stage,
)
from xenmodel.hypercall import Steps
from xenmodel.machine import View
from xenmodel.memory.rows import NO_FRAME
from xenspec.vocabulary import DomId, PortId, VcpuId

NoticeStep = Callable[[View, VcpuId], None]

BOTH: Final[dict[Stage, NoticeStep]] = {
    S_UPCALL: raise_upcall,
    S_KICK: kick,
    S_POLLERS: wake_poller,
    S_END: end_notice,
}
TWO_LEVEL: Final[dict[Stage, NoticeStep]] = {
    **BOTH,
    S_MARK: two_level.mark_pending,
    S_LOOK: two_level.look_at_mask,
    S_CLEAR: two_level.clear_mask,
    S_TEST: two_level.look_at_pending,
    S_SELECT: two_level.set_selector,
}
FIFO: Final[dict[Stage, NoticeStep]] = {
    **BOTH,
    S_LOCKED: fifo.mark_word,
    S_LOOK: fifo.look_at_word,
    S_TEST: fifo.look_at_pending_word,
    S_SELECT: fifo.link_word,
    S_HEAD: fifo.set_head,
    S_READY: fifo.set_ready,
}


def next_step(m: View, n: VcpuId) -> NoticeStep:
    """Return the next step of a notice; by the FIFO ABI, three stages depend on what is there."""
    notice = m.notices[n]
    if not notice.fifo:
        return TWO_LEVEL[notice.stage]
    if notice.stage in (S_MARK, S_CLEAR):
        if notice.port >= m.channels[notice.domain].words:
            return fifo.save_pending
        if notice.stage == S_CLEAR:
            return fifo.unmask_word
        block = m.event_frames[notice.domain, notice.vcpu].frame
        return fifo.drop_event if block == NO_FRAME else fifo.lock_queues
    if notice.stage == S_TAIL:
        tail = m.queues[(notice.domain, notice.vcpu), notice.priority].tail
        linked = tail != NO_PORT and m.event_words[notice.domain, tail].linked
        return fifo.link_to_tail if linked else fifo.find_queue_empty
    return FIFO[notice.stage]


def tell(m: View, n: VcpuId) -> Steps[None]:
    """Take a notice that has begun to its end."""
    notice = m.notices[n]
    while notice.stage != S_IDLE:
        taken = next_step(m, n)
        if taken is fifo.lock_queues:
            yield from until_free(lambda: fifo.lock_queues(m, n))
        else:
            taken(m, n)
        yield taken


def send(m: View, n: VcpuId, p: PortId) -> Steps[None]:
    """Tell the other end of a port."""
    begin_send(m, n, p)
    yield begin_send
    yield from tell(m, n)


def unmask(m: View, n: VcpuId, p: PortId) -> Steps[None]:
    """Unmask a port, and tell what became pending meanwhile."""
    begin_unmask(m, n, p)
    yield begin_unmask
    yield from tell(m, n)


def raise_again(m: View, n: VcpuId, p: PortId) -> Steps[None]:
    """Tell an event that waited for its word."""
    begin_again(m, n, p)
    yield begin_again
    yield from tell(m, n)


def raise_port(m: View, cpu: VcpuId, p: PortId) -> Steps[None]:
    """Tell of an interrupt by its port."""
    begin_interrupt(m, cpu, p)
    yield begin_interrupt
    yield from tell(m, cpu)


def raise_virq(m: View, cpu: VcpuId, v: VcpuId, virq: int) -> Steps[None]:
    """Raise a virtual interrupt of a vCPU, or of its domain if it is a global one; unbound, it is lost."""
    home = VcpuId((v[0], 0)) if is_global(virq) else v
    port = m.virqs[home, virq].port
    if port != NO_PORT:
        yield from raise_port(m, cpu, PortId((home[0], port)))


def raise_pirq(m: View, cpu: VcpuId, domain: DomId, pirq: int) -> Steps[None]:
    """Raise a physical interrupt of a domain."""
    port = m.pirqs[domain, pirq].port
    if port != NO_PORT:
        yield from raise_port(m, cpu, PortId((domain, port)))
