"""The 2-level ABI: a pending and a mask bit a port, a selector a vCPU, all in memory that the guest writes.

Each step is one locked instruction on such a word, in the order that Xen's event_2l.c demands: who makes a
port pending and unmasked sets its selector bit, who sets that sets the upcall bit.
"""

from xenmodel.abi.event import selector_of
from xenmodel.events.notices import after, tell_at_last
from xenmodel.events.rows import S_CLEAR, S_END, S_LOOK, S_MARK, S_SELECT, S_TEST, S_UPCALL
from xenmodel.machine import Machine
from xenmodel.step import require, step
from xenspec.logic import Not, ite
from xenspec.vocabulary import EINVAL, VcpuId


@step(
    "signals.pending",
    "signals.teller",
    "signals.announcer",
    "ports.owed",
    "notices.stage",
    "notices.news",
)
def mark_pending(m: Machine, n: VcpuId) -> None:
    """Set the pending bit; who finds it set leaves the rest to who set it (evtchn_2l_set_pending)."""
    notice = m.notices[n]
    require("the port is to become pending", notice.stage == S_MARK, EINVAL)
    require("by the 2-level ABI", Not(notice.fifo), EINVAL)
    signal = m.signals[notice.domain, notice.port]
    already = signal.pending
    tell_at_last(m.ports[notice.domain, notice.port], n)
    signal.pending = True
    signal.teller = ite(already, signal.teller, n)
    signal.announcer = ite(already, signal.announcer, n)
    notice.news = ite(already, notice.news, True)  # noqa: FBT003 - the value, not a switch
    notice.stage = ite(already, S_END, S_LOOK)


@step("notices.stage")
def look_at_mask(m: Machine, n: VcpuId) -> None:
    """Look at the mask of the port that is pending now: masked, it is told when it is unmasked."""
    notice = m.notices[n]
    require("the port is pending", notice.stage == S_LOOK, EINVAL)
    require("by the 2-level ABI", Not(notice.fifo), EINVAL)
    notice.stage = ite(m.signals[notice.domain, notice.port].masked, after(notice), S_SELECT)


@step("signals.masked", "signals.teller", "notices.stage")
def clear_mask(m: Machine, n: VcpuId) -> None:
    """Clear the mask; who finds it clear has nothing to tell (evtchn_2l_unmask)."""
    notice = m.notices[n]
    require("the port is to be unmasked", notice.stage == S_CLEAR, EINVAL)
    require("by the 2-level ABI", Not(notice.fifo), EINVAL)
    signal = m.signals[notice.domain, notice.port]
    was = signal.masked
    signal.masked = False
    signal.teller = ite(was, n, signal.teller)
    notice.stage = ite(was, S_TEST, S_END)


@step("notices.stage")
def look_at_pending(m: Machine, n: VcpuId) -> None:
    """Look whether the port that is unmasked now became pending meanwhile."""
    notice = m.notices[n]
    require("the mask is clear", notice.stage == S_TEST, EINVAL)
    require("by the 2-level ABI", Not(notice.fifo), EINVAL)
    notice.stage = ite(m.signals[notice.domain, notice.port].pending, S_SELECT, S_END)


@step("selectors.set", "selectors.teller", "signals.raised", "notices.stage")
def set_selector(m: Machine, n: VcpuId) -> None:
    """Set the selector bit of the vCPU to be told; who finds it set leaves the upcall to who set it."""
    notice = m.notices[n]
    require("the port is pending and not masked", notice.stage == S_SELECT, EINVAL)
    require("by the 2-level ABI", Not(notice.fifo), EINVAL)
    selector = m.selectors[(notice.domain, notice.vcpu), selector_of(notice.port)]
    already = selector.set
    selector.set = True
    selector.teller = ite(already, selector.teller, n)
    m.signals[notice.domain, notice.port].raised = notice.vcpu
    notice.stage = ite(already, after(notice), S_UPCALL)
