"""Notices: a vCPU's work of making an event known, from the lock of the port to the last poller.

A notice holds the lock of the port that becomes pending, so that the port stays what it is; its stages are
the atomic instructions by which Xen changes words that the guest may change too. What is common to both ABIs
stands here: beginning, the upcall bit, waking the vCPU, waking pollers, the end.
"""

from collections.abc import Callable

from xenmodel.events.rows import (
    ANY_PORT,
    NO_PORT,
    NOBODY,
    S_CLEAR,
    S_END,
    S_IDLE,
    S_KICK,
    S_MARK,
    S_POLLERS,
    S_UPCALL,
    Notice,
    Port,
    Stage,
    Wait,
)
from xenmodel.hypercall import SPIN, Steps
from xenmodel.machine import Machine
from xenmodel.step import Refused, require, step
from xenspec.logic import Not, ite
from xenspec.vocabulary import (
    EAGAIN,
    EINVAL,
    FREE,
    INTERDOMAIN,
    IPI,
    PIRQ,
    RESERVED,
    VIRQ,
    DomId,
    PortId,
    VcpuId,
)

NOTICE = (
    "notices.stage",
    "notices.fifo",
    "notices.domain",
    "notices.port",
    "notices.vcpu",
    "notices.priority",
    "notices.news",
    "notices.cursor",
    "ports.readers",
)
"""What every step writes that opens a notice."""


def open_notice(m: Machine, notice: Notice, stage: Stage, p: PortId) -> None:
    """Lock a port and begin a notice of it. Part of a step."""
    port = m.ports[p]
    port.readers = port.readers + 1
    notice.stage = stage
    notice.fifo = m.channels[p[0]].fifo
    notice.domain = DomId(p[0])
    notice.port = p[1]
    notice.vcpu = port.vcpu
    notice.priority = port.priority
    notice.news = False
    notice.cursor = 0


@step(*NOTICE)
def begin_send(m: Machine, n: VcpuId, p: PortId) -> None:
    """Begin to tell the other end of a port: its peer, or the vCPU that it is for (evtchn_send)."""
    port, notice = m.ports[p], m.notices[n]
    require("the caller has no other notice to give", notice.stage == S_IDLE, EAGAIN)
    require("the port leads somewhere", (port.state == INTERDOMAIN) | (port.state == IPI), EINVAL)
    joined = port.state == INTERDOMAIN
    target = PortId((ite(joined, port.remote_domain, DomId(p[0])), ite(joined, port.remote_port, p[1])))
    open_notice(m, notice, S_MARK, target)


@step(*NOTICE)
def begin_interrupt(m: Machine, n: VcpuId, p: PortId) -> None:
    """Begin to tell of a virtual or physical interrupt (send_guest_*_virq, send_guest_pirq)."""
    port, notice = m.ports[p], m.notices[n]
    require("the CPU has no other notice to give", notice.stage == S_IDLE, EAGAIN)
    require("the port is an interrupt's", (port.state == VIRQ) | (port.state == PIRQ), EINVAL)
    open_notice(m, notice, S_MARK, p)


@step(*NOTICE)
def begin_unmask(m: Machine, n: VcpuId, p: PortId) -> None:
    """Begin to unmask a port in use (evtchn_unmask)."""
    port, notice = m.ports[p], m.notices[n]
    require("the caller has no other notice to give", notice.stage == S_IDLE, EAGAIN)
    require("the port is in use", (port.state != FREE) & (port.state != RESERVED), EINVAL)
    open_notice(m, notice, S_CLEAR, p)


@step(*NOTICE, "channels.told", "ports.owed")
def begin_again(m: Machine, n: VcpuId, p: PortId) -> None:
    """Begin to tell what waited for the port's word, although the port may have been closed meanwhile.

    Whoever adds a page of words comes to each of its ports in turn (add_page_to_event_array).
    """
    port, notice, channels = m.ports[p], m.notices[n], m.channels[p[0]]
    require("the caller has no other notice to give", notice.stage == S_IDLE, EAGAIN)
    require("the caller adds words", (channels.teller == n) & (n != NOBODY), EINVAL)
    require("and has come to the port", (channels.told == p[1]) & (p[1] < channels.words), EINVAL)
    require("an event waited for its word", port.saved, EINVAL)
    channels.told = channels.told + 1
    port.owed = n
    open_notice(m, notice, S_MARK, p)


def tell_at_last(port: Port, n: VcpuId) -> None:
    """Note that who was to make the port pending has done so, or tried to. Part of a step."""
    port.owed = ite(port.owed == n, NOBODY, port.owed)


def after(notice: Notice) -> Stage:
    """Return what comes after the vCPU has been told. Part of a step."""
    return ite(notice.news, S_POLLERS, S_END)


@step("upcalls.pending", "upcalls.teller", "notices.stage")
def raise_upcall(m: Machine, n: VcpuId) -> None:
    """Set the upcall bit; only who finds it clear wakes the vCPU (vcpu_mark_events_pending)."""
    notice = m.notices[n]
    require("the vCPU is to be told", notice.stage == S_UPCALL, EINVAL)
    upcall = m.upcalls[notice.domain, notice.vcpu]
    already = upcall.pending
    upcall.pending = True
    upcall.teller = ite(already, upcall.teller, n)
    notice.stage = ite(already, after(notice), S_KICK)


def unblock(wait: Wait) -> None:
    """Let a vCPU run; that ends its polling (vcpu_unblock). Part of a step."""
    wait.polling = wait.polling & Not(wait.blocked)
    wait.poll_port = ite(wait.blocked, NO_PORT, wait.poll_port)
    wait.blocked = False


@step("waits.blocked", "waits.polling", "waits.poll_port", "notices.stage")
def kick(m: Machine, n: VcpuId) -> None:
    """Wake the vCPU that has been told (vcpu_kick)."""
    notice = m.notices[n]
    require("the vCPU is to be woken", notice.stage == S_KICK, EINVAL)
    unblock(m.waits[notice.domain, notice.vcpu])
    notice.stage = after(notice)


@step("waits.blocked", "waits.polling", "waits.poll_port", "notices.stage", "notices.cursor")
def wake_poller(m: Machine, n: VcpuId) -> None:
    """Wake the next vCPU if it polls for the port (evtchn_check_pollers)."""
    notice = m.notices[n]
    require("pollers are to be woken", notice.stage == S_POLLERS, EINVAL)
    wait = m.waits[notice.domain, notice.cursor]
    wanted = (wait.poll_port == NO_PORT) | (wait.poll_port == ANY_PORT) | (wait.poll_port == notice.port)
    woken = wait.polling & wanted
    wait.polling = wait.polling & Not(woken)
    wait.poll_port = ite(woken, NO_PORT, wait.poll_port)
    wait.blocked = wait.blocked & Not(woken)
    notice.cursor = notice.cursor + 1
    notice.stage = ite(notice.cursor < m.domains[notice.domain].vcpus, S_POLLERS, S_END)


@step("notices.stage", "ports.readers")
def end_notice(m: Machine, n: VcpuId) -> None:
    """Let go of the port."""
    notice = m.notices[n]
    require("all is told", notice.stage == S_END, EINVAL)
    port = m.ports[notice.domain, notice.port]
    port.readers = port.readers - 1
    notice.stage = S_IDLE


def until_free(attempt: Callable[[], None]) -> Steps[None]:
    """Take a step as soon as the locks that it needs are free."""
    while True:
        try:
            attempt()
        except Refused as refusal:
            if refusal.errno != EAGAIN:
                raise
        else:
            return
        yield SPIN
