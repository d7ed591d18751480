"""What the steps of notices do: each takes its notice further, by one locked instruction."""

from xenproofs.judge.actions.registry import Actions, of_step
from xenspec.events.books import Stage, State
from xenspec.events.contracts import notices as n_
from xenspec.events.contracts import queues as q
from xenspec.events.contracts import signals as t
from xenspec.events.contracts.closing import peer
from xenspec.logic import ite
from xenspec.vocabulary import INTERDOMAIN, DomId, PortId, VcpuId


@of_step
def begin_send(s: State, n: VcpuId, p: PortId) -> Actions:
    """Begin to tell the other end of a port: the peer, or another vCPU by the port itself."""
    joined = s.ports[p].state == INTERDOMAIN
    far = peer(s, p)
    target = PortId((ite(joined, far[0], DomId(p[0])), ite(joined, far[1], p[1])))
    return n_.SEND.of(n_.Sent(n, p)), n_.BEGIN.of(n_.Begun(n, target, Stage.MARK))


@of_step
def begin_interrupt(_: State, n: VcpuId, p: PortId) -> Actions:
    """Begin to tell of an interrupt."""
    return n_.INTERRUPT.of(n_.Sent(n, p)), n_.BEGIN.of(n_.Begun(n, p, Stage.MARK))


@of_step
def begin_unmask(_: State, n: VcpuId, p: PortId) -> Actions:
    """Begin to unmask a port."""
    return n_.UNMASK.of(n_.Sent(n, p)), n_.BEGIN.of(n_.Begun(n, p, Stage.CLEAR))


@of_step
def begin_again(_: State, n: VcpuId, p: PortId) -> Actions:
    """Begin to tell what waited for a word."""
    return n_.AGAIN.of(n_.Sent(n, p)), n_.BEGIN.of(n_.Begun(n, p, Stage.MARK))


def further(n: VcpuId) -> Actions:
    """Take a notice further, by whichever ABI."""
    return (n_.GO_ON.of(n_.OfNotice(n)),)


def at(n: VcpuId, stage: Stage, *, fifo: bool) -> Actions:
    """Take a notice further that is at a stage of an ABI."""
    return n_.BY_ABI.of(n_.Staged(n, stage, fifo)), *further(n)


@of_step
def raise_upcall(_: State, n: VcpuId) -> Actions:
    """Raise an upcall."""
    return *further(n), n_.RAISE.of(n_.OfNotice(n))


@of_step
def kick(_: State, n: VcpuId) -> Actions:
    """Wake the vCPU that was told."""
    return *further(n), n_.KICK.of(n_.OfNotice(n))


@of_step
def wake_poller(_: State, n: VcpuId) -> Actions:
    """Wake a vCPU that polls."""
    return *further(n), n_.WAKE_POLLER.of(n_.OfNotice(n))


@of_step
def end_notice(_: State, n: VcpuId) -> Actions:
    """End a notice."""
    return *further(n), n_.END.of(n_.OfNotice(n))


# --- 2-level ------------------------------------------------------------------------------------------------


@of_step
def mark_pending(_: State, n: VcpuId) -> Actions:
    """Set a pending bit."""
    marked = t.MARK.of(n_.OfNotice(n))
    return *at(n, Stage.MARK, fifo=False), marked, t.PAY.of(n_.OfNotice(n))


@of_step
def look_at_mask(_: State, n: VcpuId) -> Actions:
    """Look at a mask bit."""
    return *at(n, Stage.LOOK, fifo=False), t.LOOK.of(n_.OfNotice(n))


@of_step
def clear_mask(_: State, n: VcpuId) -> Actions:
    """Clear a mask bit."""
    return *at(n, Stage.CLEAR, fifo=False), t.CLEAR_MASK.of(n_.OfNotice(n))


@of_step
def look_at_pending(_: State, n: VcpuId) -> Actions:
    """Look at a pending bit."""
    return *at(n, Stage.TEST, fifo=False), t.TEST.of(n_.OfNotice(n))


@of_step
def set_selector(_: State, n: VcpuId) -> Actions:
    """Set a selector bit."""
    return *at(n, Stage.SELECT, fifo=False), t.SELECT.of(n_.OfNotice(n))


# --- FIFO ---------------------------------------------------------------------------------------------------


@of_step
def save_pending(_: State, n: VcpuId) -> Actions:
    """Keep an event until there is a word."""
    return *further(n), q.SAVE.of(n_.OfNotice(n)), t.PAY.of(n_.OfNotice(n))


@of_step
def drop_event(_: State, n: VcpuId) -> Actions:
    """Drop an event."""
    return *further(n), q.DROP.of(n_.OfNotice(n)), t.PAY.of(n_.OfNotice(n))


@of_step
def lock_queues(_: State, n: VcpuId) -> Actions:
    """Lock the queues of a port."""
    return *further(n), q.LOCK.of(n_.OfNotice(n))


@of_step
def mark_word(_: State, n: VcpuId) -> Actions:
    """Set PENDING."""
    marked = q.MARK.of(n_.OfNotice(n))
    return *at(n, Stage.LOCKED, fifo=True), marked, t.PAY.of(n_.OfNotice(n))


@of_step
def look_at_word(_: State, n: VcpuId) -> Actions:
    """Look at MASKED."""
    return *at(n, Stage.LOOK, fifo=True), q.LOOK.of(n_.OfNotice(n))


@of_step
def unmask_word(_: State, n: VcpuId) -> Actions:
    """Clear MASKED."""
    return *at(n, Stage.CLEAR, fifo=True), q.CLEAR_MASKED.of(n_.OfNotice(n))


@of_step
def look_at_pending_word(_: State, n: VcpuId) -> Actions:
    """Look at PENDING."""
    return *at(n, Stage.TEST, fifo=True), q.TEST.of(n_.OfNotice(n))


@of_step
def link_word(_: State, n: VcpuId) -> Actions:
    """Set LINKED."""
    return *at(n, Stage.SELECT, fifo=True), q.LINK.of(n_.OfNotice(n))


@of_step
def link_to_tail(_: State, n: VcpuId) -> Actions:
    """Link a word to the tail."""
    one = n_.OfNotice(n)
    return *at(n, Stage.TAIL, fifo=True), q.TO_TAIL.of(one), q.APPEND.of(one)


@of_step
def find_queue_empty(_: State, n: VcpuId) -> Actions:
    """Find a queue empty."""
    return *at(n, Stage.TAIL, fifo=True), q.FIND_EMPTY.of(n_.OfNotice(n))


@of_step
def set_head(_: State, n: VcpuId) -> Actions:
    """Make a port the head."""
    one = n_.OfNotice(n)
    return *at(n, Stage.HEAD, fifo=True), q.SET_HEAD.of(one), q.APPEND.of(one)


@of_step
def set_ready(_: State, n: VcpuId) -> Actions:
    """Tell that a queue is not empty."""
    return *at(n, Stage.READY, fifo=True), q.SET_READY.of(n_.OfNotice(n))
