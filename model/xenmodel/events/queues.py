"""How this model keeps its books of FIFO queues: whole chains, one writer each, and where a guest reads them.

Between two appends a queue is a chain of words: each links the next one, `order` counts up by one from word
to word, the last one is the tail. Its first word is what the guest goes on with, or the head in the control
block while the guest has read nothing. A word is *being linked* while LINKED is set and the chain does not
have it yet: the queue's lock is held by that notice.
"""

from xenmodel.events.rows import S_HEAD, S_LOCKED, S_LOOK, S_READY, S_SELECT, S_TAIL, S_UPCALL
from xenmodel.events.sleeping import REPRESENTATION, State
from xenmodel.memory.rows import NO_FRAME
from xenspec.logic import Not, either, implies, ite
from xenspec.vocabulary import DomId, PortId, QueueId, VcpuId

__all__ = ["REPRESENTATION"]

invariant = REPRESENTATION.invariant


def is_live(s: State, d: DomId) -> bool:
    """Return whether a domain uses the FIFO ABI, and keeps to the protocol."""
    channels = s.channels[d]
    return channels.honest & channels.fifo


def is_being_linked(s: State, p: PortId) -> bool:
    """Return whether a notice has set LINKED, and has not put the word on its queue yet."""
    notice = s.notices[s.event_words[p].linker]
    return (
        (notice.domain == p[0])
        & (notice.port == p[1])
        & notice.fifo
        & ((notice.stage == S_TAIL) | (notice.stage == S_HEAD))
    )


def is_on(s: State, p: PortId, k: QueueId) -> bool:
    """Return whether a word is on a queue."""
    port = s.ports[p]
    return is_on_some(s, p) & (k[0][0] == p[0]) & (k[0][1] == port.last_vcpu) & (k[1] == port.last_priority)


def is_on_some(s: State, p: PortId) -> bool:
    """Return whether a word is on the queue that its port was last linked on."""
    return (
        is_live(s, DomId(p[0]))
        & (p[1] > 0)
        & (p[1] < s.channels[p[0]].words)
        & s.event_words[p].linked
        & Not(is_being_linked(s, p))
    )


def has_words(s: State, k: QueueId) -> bool:
    """Return whether a queue is not empty."""
    tail = s.queues[k].tail
    return (tail != 0) & s.event_words[k[0][0], tail].linked


# --- Locks ------------------------------------------------------------------------------------------------


@invariant(property=25)
def linking_notice_owns_its_queue(s: State, n: VcpuId) -> bool:
    """Who links an event word took the lock of its queue itself; the port has a word."""
    notice = s.notices[n]
    stage = notice.stage
    linking = (stage == S_LOCKED) | (stage == S_LOOK) | (stage == S_SELECT)
    queue = s.queues[(notice.domain, notice.vcpu), notice.priority]
    return implies(
        notice.fifo & (linking | (stage == S_TAIL) | (stage == S_HEAD)),
        lambda: queue.locked & (queue.holder == n) & (notice.port < s.channels[notice.domain].words),
    )


@invariant(property=25)
def linking_notice_owns_the_last_queue(s: State, n: VcpuId) -> bool:
    """Who is about to link an event word has also locked the queue that it was on last."""
    notice = s.notices[n]
    stage = notice.stage
    port = s.ports[notice.domain, notice.port]
    queue = s.queues[(notice.domain, port.last_vcpu), port.last_priority]
    return implies(
        notice.fifo & ((stage == S_LOCKED) | (stage == S_LOOK) | (stage == S_SELECT)),
        lambda: queue.locked & (queue.holder == n),
    )


@invariant(property=25)
def word_is_linked_by_its_notice(s: State, n: VcpuId) -> bool:
    """A word that a notice is linking has its LINKED bit from that notice, and links nothing."""
    notice = s.notices[n]
    word, port = s.event_words[notice.domain, notice.port], s.ports[notice.domain, notice.port]
    linking = notice.fifo & ((notice.stage == S_TAIL) | (notice.stage == S_HEAD))
    return implies(
        linking & is_live(s, notice.domain),
        lambda: (
            word.linked
            & (word.linker == n)
            & (word.link == 0)
            & (word.before == 0)
            & (port.last_vcpu == notice.vcpu)
            & (port.last_priority == notice.priority)
        ),
    )


@invariant(property=25)
def queue_stays_empty_until_its_head_is_set(s: State, n: VcpuId) -> bool:
    """A queue that a notice found empty is so until the notice sets its head."""
    notice = s.notices[n]
    k = QueueId(((notice.domain, notice.vcpu), notice.priority))
    return implies(
        notice.fifo & (notice.stage == S_HEAD) & is_live(s, notice.domain), lambda: Not(has_words(s, k))
    )


# --- Words ------------------------------------------------------------------------------------------------


@invariant(property=25)
def word_out_of_use_is_clean(s: State, p: PortId) -> bool:
    """A word that there is no page for yet is neither pending nor linked."""
    channels, word = s.channels[p[0]], s.event_words[p]
    unused = Not(channels.fifo) | (p[1] >= channels.words) | (p[1] <= 0)
    return implies(channels.honest & unused, lambda: Not(word.pending) & Not(word.linked))


@invariant(property=25)
def unlinked_word_links_nothing(s: State, p: PortId) -> bool:
    """A word that is not on a queue has no next one."""
    word = s.event_words[p]
    return implies(s.channels[p[0]].honest & Not(word.linked), lambda: word.link == 0)


@invariant(property=25)
def word_is_followed_by_the_next(s: State, p: PortId) -> bool:
    """What a word on a queue links is the next one of the same queue."""
    word, port = s.event_words[p], s.ports[p]
    p2 = PortId((p[0], word.link))
    following = s.event_words[p2]
    return implies(
        is_on_some(s, p) & (word.link != 0),
        lambda: (
            is_on(s, p2, QueueId(((p[0], port.last_vcpu), port.last_priority)))
            & (following.before == p[1])
            & (following.order == word.order + 1)
        ),
    )


@invariant(property=25)
def word_follows_the_one_before(s: State, p: PortId) -> bool:
    """The word before one on a queue is on it too, and links it."""
    word, port = s.event_words[p], s.ports[p]
    p2 = PortId((p[0], word.before))
    before = s.event_words[p2]
    return implies(
        is_on_some(s, p) & (word.before != 0),
        lambda: (
            is_on(s, p2, QueueId(((p[0], port.last_vcpu), port.last_priority)))
            & (before.link == p[1])
            & (word.order == before.order + 1)
        ),
    )


@invariant(property=25)
def word_is_not_behind_the_tail(s: State, p: PortId) -> bool:
    """The tail of a queue is on it, and the only one of its last place."""
    word, port = s.event_words[p], s.ports[p]

    def ends_there() -> bool:
        k = QueueId(((p[0], port.last_vcpu), port.last_priority))
        tail = s.queues[k].tail
        last = s.event_words[p[0], tail]
        return (
            has_words(s, k)
            & (word.order <= last.order)
            & implies((word.order == last.order) | (word.link == 0), lambda: tail == p[1])
        )

    return implies(is_on_some(s, p), ends_there)


def first_of(s: State, k: QueueId) -> int:
    """Return the first word of a queue that is not empty."""
    taken = s.taken[k]
    return ite(taken.head == 0, s.heads[k].port, taken.head)


@invariant(property=25)
def word_is_not_ahead_of_the_first(s: State, p: PortId) -> bool:
    """The first word of a queue is the only one of its place, and the only one with none before it."""
    word, port = s.event_words[p], s.ports[p]

    def begins_there() -> bool:
        first = first_of(s, QueueId(((p[0], port.last_vcpu), port.last_priority)))
        order = s.event_words[p[0], first].order
        alone = implies((word.order == order) | (word.before == 0), lambda: first == p[1])
        return (word.order >= order) & alone

    return implies(is_on_some(s, p), begins_there)


# --- Queues -----------------------------------------------------------------------------------------------


@invariant(property=25)
def tail_was_linked_on_its_queue(s: State, k: QueueId) -> bool:
    """The tail of a queue was put there last, whether it is still there or not."""
    queue = s.queues[k]
    p = PortId((k[0][0], queue.tail))
    word, port = s.event_words[p], s.ports[p]
    return implies(
        is_live(s, DomId(k[0][0])) & (queue.tail != 0),
        lambda: (
            (queue.tail > 0)
            & (queue.tail < s.channels[p[0]].words)
            & (k[0][0] == p[0])
            & (k[0][1] == port.last_vcpu)
            & (k[1] == port.last_priority)
            & (word.order + 1 == queue.linked)
            & implies(word.linked, lambda: (word.link == 0) & Not(is_being_linked(s, p)))
        ),
    )


@invariant(property=25)
def first_word_is_on_its_queue(s: State, k: QueueId) -> bool:
    """A queue that is not empty has a first word, with none before it."""
    p = PortId((k[0][0], first_of(s, k)))
    return implies(
        is_live(s, DomId(k[0][0])) & has_words(s, k),
        lambda: is_on(s, p, k) & (s.event_words[p].before == 0),
    )


@invariant(property=25)
def guest_goes_on_where_there_are_words(s: State, k: QueueId) -> bool:
    """What the guest is to unlink next is there: the queue is not empty."""
    taken = s.taken[k]
    reading = taken.running & (taken.port == 0)
    return implies(
        is_live(s, DomId(k[0][0])),
        lambda: (
            implies((taken.head != 0) | reading, lambda: has_words(s, k) & taken.running)
            & implies(taken.port != 0, lambda: taken.running)
        ),
    )


@invariant(property=25)
def ready_queue_has_words(s: State, k: QueueId) -> bool:
    """A queue that is ready has a head that the guest has not read yet."""
    taken = s.taken[k]
    return implies(
        is_live(s, DomId(k[0][0])) & s.heads[k].ready,
        lambda: has_words(s, k) & (taken.head == 0) & (Not(taken.running) | (taken.port != 0)),
    )


@invariant(property=25)
def queue_is_made_ready_once(s: State, n: VcpuId) -> bool:
    """Until a notice has made a queue ready whose head it has set, the guest does not read it."""
    notice = s.notices[n]
    k = QueueId(((notice.domain, notice.vcpu), notice.priority))
    taken, head = s.taken[k], s.heads[k]
    return implies(
        notice.fifo & (notice.stage == S_READY) & is_live(s, notice.domain),
        lambda: (
            has_words(s, k)
            & (taken.head == 0)
            & (Not(taken.running) | (taken.port != 0))
            & Not(head.ready)
            & (head.setter == n)
        ),
    )


@invariant(property=25)
def queue_without_a_control_block_is_empty(s: State, k: QueueId) -> bool:
    """Before a vCPU has a control block nothing was put on its queues."""
    frame = s.event_frames[k[0][0], k[0][1]].frame
    return implies(s.channels[k[0][0]].honest & (frame == NO_FRAME), lambda: s.queues[k].tail == 0)


@invariant(property=25)
def queue_of_the_other_abi_is_empty(s: State, k: QueueId) -> bool:
    """A domain that uses the 2-level ABI has nothing on queues, and consumes none."""
    channels, taken = s.channels[k[0][0]], s.taken[k]
    return implies(
        channels.honest & Not(channels.fifo),
        lambda: (
            (s.queues[k].tail == 0)
            & Not(s.heads[k].ready)
            & Not(taken.running)
            & (taken.head == 0)
            & (taken.port == 0)
        ),
    )


@invariant(property=24)
def untold_queue_has_its_upcall_next(s: State, k: QueueId) -> bool:
    """Who made a queue ready that the vCPU has not been told of sets its upcall bit next."""
    head, handler = s.heads[k], s.handlers[k[0]]

    def answered() -> bool:
        notice = s.notices[head.teller]
        meant = (notice.domain == k[0][0]) & (notice.vcpu == k[0][1])
        return meant & (notice.stage == S_UPCALL)

    return implies(
        is_live(s, DomId(k[0][0])) & head.ready,
        lambda: either(s.upcalls[k[0]].pending | handler.running & (handler.cursor <= k[1]), answered),
    )


@invariant(property=24)
def ready_queue_has_a_priority(s: State, k: QueueId) -> bool:
    """Only the queues that there are become ready: the handler comes to each of them."""
    return implies(
        s.channels[k[0][0]].honest & s.heads[k].ready,
        lambda: (k[1] >= 0) & (k[1] < 16),  # noqa: PLR2004
    )
