"""The FIFO ABI: how a port becomes pending and is put on a queue, in words that the guest may change.

Public interface: evtchn_fifo_control_block, the event word (public/event_channel.h). Whoever links a word
holds the locks of the queue that it goes to and of the one that it was on last: no event is dropped as a port
changes its queue.
"""

from xenspec.contract import Cells, Contract
from xenspec.events.books import NO_PORT, QueueBook, Stage, State
from xenspec.events.contracts.notices import OfNotice, rest, told
from xenspec.events.contracts.signals import port_of
from xenspec.logic import Not, implies, ite
from xenspec.memory.frames import NO_FRAME
from xenspec.vocabulary import PortId, QueueId, VcpuId

SAVE: Contract[State, OfNotice] = Contract("keep an event until there is a word")
DROP: Contract[State, OfNotice] = Contract("drop an event")
LOCK: Contract[State, OfNotice] = Contract("lock the queues of a port")
MARK: Contract[State, OfNotice] = Contract("set PENDING")
LOOK: Contract[State, OfNotice] = Contract("look at MASKED")
CLEAR_MASKED: Contract[State, OfNotice] = Contract("clear MASKED")
TEST: Contract[State, OfNotice] = Contract("look at PENDING")
LINK: Contract[State, OfNotice] = Contract("set LINKED")
APPEND: Contract[State, OfNotice] = Contract("append a word to its queue")
TO_TAIL: Contract[State, OfNotice] = Contract("link a word to the tail")
FIND_EMPTY: Contract[State, OfNotice] = Contract("find a queue empty")
SET_HEAD: Contract[State, OfNotice] = Contract("make a port the head")
SET_READY: Contract[State, OfNotice] = Contract("tell that a queue is not empty")


def queue_of(s: State, a: OfNotice) -> QueueId:
    """Return the queue that a notice links to."""
    return QueueId((told(s, a), s.notices[a.n].priority))


def last_queue(s: State, a: OfNotice) -> QueueId:
    """Return the queue that the notice's port was last on."""
    p = port_of(s, a)
    return QueueId((VcpuId((p[0], s.ports[p].last_vcpu)), s.ports[p].last_priority))


def _has_word(s: State, a: OfNotice) -> bool:
    """The port has an event word."""
    return s.notices[a.n].port < s.channels[s.notices[a.n].domain].words


def _has_block(s: State, a: OfNotice) -> bool:
    """The vCPU to be told has a control block."""
    return s.event_frames[told(s, a)].frame != NO_FRAME


# --- Without a word, or a queue -----------------------------------------------------------------------------


@SAVE.asks(property=(24, 25))
def an_event_waits_only_for_a_missing_word(s: State, a: OfNotice) -> bool:
    """There is an event to be told, or a mask to be cleared, and no word for the port."""
    notice = s.notices[a.n]
    at = (notice.stage == Stage.MARK) | (notice.stage == Stage.CLEAR)
    return notice.fifo & at & Not(_has_word(s, a))


@SAVE.does(property=(24, 25))
def the_event_waits_for_its_word(before: State, after: State, a: OfNotice) -> bool:
    """An event is kept with the port, one that is kept already stays so; nothing is unmasked."""
    p, event = port_of(before, a), before.notices[a.n].stage == Stage.MARK
    kept = after.ports[p].saved == (before.ports[p].saved | event)
    waits = after.ports[p].waiting == (before.ports[p].waiting | event)
    return kept & waits & (after.notices[a.n].stage == Stage.END)


@SAVE.touches
def _save(s: State, a: OfNotice) -> tuple[Cells, ...]:
    return (Cells("ports", port_of(s, a), ("saved", "waiting")),)


@DROP.asks(property=(24, 25))
def an_event_is_dropped_only_without_a_control_block(s: State, a: OfNotice) -> bool:
    """The vCPU to be told has no control block, and so no queues."""
    notice = s.notices[a.n]
    return notice.fifo & (notice.stage == Stage.MARK) & Not(_has_block(s, a))


@DROP.does(property=24)
def a_domain_without_queues_is_promised_nothing(before: State, after: State, a: OfNotice) -> bool:
    """The domain has not kept to the protocol: it should have set up a control block."""
    honest = after.channels[before.notices[a.n].domain].honest
    return Not(honest) & (after.notices[a.n].stage == Stage.END)


@DROP.touches
def _drop(s: State, a: OfNotice) -> tuple[Cells, ...]:
    return (Cells("channels", s.notices[a.n].domain, ("honest",)),)


# --- With both queues locked --------------------------------------------------------------------------------


def _next_queue(s: State, a: OfNotice) -> QueueId:
    """Return the queue that the notice's port is to be linked on."""
    return QueueId((told(s, a), s.ports[port_of(s, a)].priority))


@LOCK.asks(property=25)
def queues_are_locked_by_one_notice(s: State, a: OfNotice) -> bool:
    """The port has a word and its vCPU a control block; neither queue is locked."""
    notice = s.notices[a.n]
    free = Not(s.queues[_next_queue(s, a)].locked) & Not(s.queues[last_queue(s, a)].locked)
    return notice.fifo & (notice.stage == Stage.MARK) & _has_word(s, a) & _has_block(s, a) & free


@LOCK.does(property=25)
def both_queues_are_the_notices(before: State, after: State, a: OfNotice) -> bool:
    """The queue of the port's priority and the one that it was last on are locked for the notice."""
    k, notice = _next_queue(before, a), after.notices[a.n]
    return (
        _is_held(after.queues[k], a)
        & _is_held(after.queues[last_queue(before, a)], a)
        & (notice.priority == k[1])
        & (notice.stage == Stage.LOCKED)
    )


def _is_held(queue: QueueBook, a: OfNotice) -> bool:
    """The queue is locked for the notice."""
    return queue.locked & (queue.holder == a.n)


@LOCK.touches
def _lock(s: State, a: OfNotice) -> tuple[Cells, ...]:
    return (
        Cells("queues", _next_queue(s, a), ("locked", "holder")),
        Cells("queues", last_queue(s, a), ("locked", "holder")),
        Cells("notices", a.n, ("priority",)),
    )


@MARK.does(property=(23, 24))
def the_word_is_pending(before: State, after: State, a: OfNotice) -> bool:
    """PENDING is set, no event waits for the word any more, and this one is news if it was not set."""
    p, notice = port_of(before, a), after.notices[a.n]
    news = notice.news == Not(before.event_words[p].pending)
    told = after.event_words[p].pending & Not(after.ports[p].waiting)
    return told & news & (notice.stage == Stage.LOOK)


@MARK.touches
def _mark(s: State, a: OfNotice) -> tuple[Cells, ...]:
    word = Cells("event_words", port_of(s, a), ("pending", "teller", "announcer"))
    return (word, Cells("ports", port_of(s, a), ("waiting",)), Cells("notices", a.n, ("news",)))


@LOOK.does(property=(24, 25))
def a_masked_word_is_linked_later(before: State, after: State, a: OfNotice) -> bool:
    """A masked port is not linked now, and its queues are free; any other is, and they stay locked."""
    masked, notice = before.event_words[port_of(before, a)].masked, before.notices[a.n]
    new, last = queue_of(before, a), last_queue(before, a)
    free = Not(after.queues[new].locked) & Not(after.queues[last].locked)
    goes_on = after.notices[a.n].stage == ite(masked, rest(notice), Stage.SELECT)
    return goes_on & implies(masked, lambda: free)


@LOOK.touches
def _look(s: State, a: OfNotice) -> tuple[Cells, ...]:
    masked = s.event_words[port_of(s, a)].masked
    return (
        Cells("queues", queue_of(s, a), ("locked",), when=masked),
        Cells("queues", last_queue(s, a), ("locked",), when=masked),
    )


@CLEAR_MASKED.asks(property=25)
def only_a_word_is_unmasked(s: State, a: OfNotice) -> bool:
    """The port has an event word."""
    return _has_word(s, a)


@CLEAR_MASKED.does(property=24)
def the_word_is_not_masked(before: State, after: State, a: OfNotice) -> bool:
    """MASKED is clear, and it is looked whether the port is pending."""
    word = after.event_words[port_of(before, a)]
    return Not(word.masked) & (after.notices[a.n].stage == Stage.TEST)


@CLEAR_MASKED.touches
def _clear_masked(s: State, a: OfNotice) -> tuple[Cells, ...]:
    return (Cells("event_words", port_of(s, a), ("masked", "teller")),)


@TEST.does(property=24)
def a_pending_word_is_told_as_if_new(before: State, after: State, a: OfNotice) -> bool:
    """A port that is pending as its mask is cleared is told; any other needs nothing."""
    pending = before.event_words[port_of(before, a)].pending
    return after.notices[a.n].stage == ite(pending, Stage.MARK, Stage.END)


# --- Linking ------------------------------------------------------------------------------------------------


@LINK.does(property=25)
def a_word_is_linked_once(before: State, after: State, a: OfNotice) -> bool:
    """LINKED is set; who finds it set has nothing to link, and both queues are free."""
    p, notice = port_of(before, a), before.notices[a.n]
    already, new = before.event_words[p].linked, after.queues[queue_of(before, a)].locked
    then = ite(already, rest(notice), Stage.TAIL)
    return after.event_words[p].linked & (after.notices[a.n].stage == then) & (new == Not(already))


@LINK.does(property=25)
def a_port_that_changes_its_queue_leaves_no_tail_behind(before: State, after: State, a: OfNotice) -> bool:
    """A word that is linked anew is of the queue that it goes to, and the tail of no other; that is free."""
    p, notice, last = port_of(before, a), before.notices[a.n], last_queue(before, a)
    port, k = after.ports[p], queue_of(before, a)
    other = (last[0][1] != k[0][1]) | (last[1] != k[1])
    return implies(
        Not(before.event_words[p].linked),
        lambda: (
            (port.last_vcpu == notice.vcpu)
            & (port.last_priority == notice.priority)
            & ((after.queues[last].tail != p[1]) | (p[1] == NO_PORT))
        ),
    ) & implies(other, lambda: Not(after.queues[last].locked))


@LINK.touches
def _link(s: State, a: OfNotice) -> tuple[Cells, ...]:
    p = port_of(s, a)
    new = Not(s.event_words[p].linked)
    return (
        Cells("event_words", p, ("linked", "linker", "before"), when=new),
        Cells("queues", last_queue(s, a), ("locked",)),
        Cells("queues", last_queue(s, a), ("tail",), when=new),
        Cells("queues", queue_of(s, a), ("locked",)),
        Cells("ports", p, ("last_vcpu", "last_priority"), when=new),
    )


@APPEND.does(property=25)
def the_port_is_the_tail(before: State, after: State, a: OfNotice) -> bool:
    """The port is the queue's tail, one more was put on it, and the queue is free."""
    k = queue_of(before, a)
    old, new = before.queues[k], after.queues[k]
    return (new.tail == before.notices[a.n].port) & (new.linked == old.linked + 1) & Not(new.locked)


@APPEND.touches
def _append(s: State, a: OfNotice) -> tuple[Cells, ...]:
    word = Cells("event_words", port_of(s, a), ("order", "before"))
    return (word, Cells("queues", queue_of(s, a), ("tail", "linked", "locked")))


def _tail(s: State, a: OfNotice) -> PortId:
    """Return the port that was put last on the queue that a notice links to."""
    return PortId((s.notices[a.n].domain, s.queues[queue_of(s, a)].tail))


def _is_empty(s: State, a: OfNotice) -> bool:
    """The queue has no tail, or the guest has taken it."""
    return (_tail(s, a)[1] == NO_PORT) | Not(s.event_words[_tail(s, a)].linked)


@TO_TAIL.asks(property=25)
def a_word_is_linked_to_a_tail_that_is_there(s: State, a: OfNotice) -> bool:
    """The queue has a tail that the guest has not taken."""
    return Not(_is_empty(s, a))


@TO_TAIL.does(property=25)
def the_tail_links_the_word(before: State, after: State, a: OfNotice) -> bool:
    """The old tail's word names the port, and does not say that it is being changed."""
    word, notice = after.event_words[_tail(before, a)], before.notices[a.n]
    return (word.link == notice.port) & Not(word.busy) & (after.notices[a.n].stage == rest(notice))


@TO_TAIL.touches
def _to_tail(s: State, a: OfNotice) -> tuple[Cells, ...]:
    return (Cells("event_words", _tail(s, a), ("link", "busy")),)


@FIND_EMPTY.asks(property=25)
def only_an_empty_queue_gets_a_head(s: State, a: OfNotice) -> bool:
    """The queue has no tail, or the guest has taken it."""
    return _is_empty(s, a)


@FIND_EMPTY.does(property=25)
def the_head_is_next(_: State, after: State, a: OfNotice) -> bool:
    """The port is to be the head."""
    return after.notices[a.n].stage == Stage.HEAD


@SET_HEAD.does(property=25)
def the_port_is_the_head(before: State, after: State, a: OfNotice) -> bool:
    """The control block names the port as the head, and the queue is to be made ready."""
    head = after.heads[queue_of(before, a)].port == before.notices[a.n].port
    return head & (after.notices[a.n].stage == Stage.READY)


@SET_HEAD.touches
def _set_head(s: State, a: OfNotice) -> tuple[Cells, ...]:
    return (Cells("heads", queue_of(s, a), ("port", "setter")),)


@SET_READY.does(property=24)
def the_queue_is_ready(before: State, after: State, a: OfNotice) -> bool:
    """The queue is ready; who finds it not to be raises an upcall, else that is left to who made it ready."""
    k, notice = queue_of(before, a), before.notices[a.n]
    then = ite(before.heads[k].ready, rest(notice), Stage.UPCALL)
    return after.heads[k].ready & (after.notices[a.n].stage == then)


@SET_READY.touches
def _set_ready(s: State, a: OfNotice) -> tuple[Cells, ...]:
    k = queue_of(s, a)
    return (Cells("heads", k, ("ready", "teller"), when=Not(s.heads[k].ready)),)
