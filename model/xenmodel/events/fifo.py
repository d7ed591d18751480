"""The FIFO ABI: a word a port, and queues that Xen links words to and the guest unlinks them from.

Under the locks of the queue that a port was last on and the one it goes to, Xen sets PENDING, then LINKED if
the port is not masked, then links the word to the tail's, or makes it the head of an empty queue; a tail
whose word is no longer linked means that the queue is empty. Each step is one locked instruction on a word
that the guest may change, with what Xen alone sees and changes beside it (event_fifo.c).
"""

from xenmodel.events.notices import after, tell_at_last
from xenmodel.events.rows import (
    NO_PORT,
    S_CLEAR,
    S_END,
    S_HEAD,
    S_LOCKED,
    S_LOOK,
    S_MARK,
    S_READY,
    S_SELECT,
    S_TAIL,
    S_TEST,
    S_UPCALL,
    Notice,
    Queue,
)
from xenmodel.machine import Machine
from xenmodel.memory.rows import NO_FRAME
from xenmodel.step import require, step
from xenspec.logic import Not, ite
from xenspec.vocabulary import EAGAIN, EINVAL, VcpuId


def _queue(m: Machine, notice: Notice) -> Queue:
    """Return the queue to link to. Part of a step."""
    return m.queues[(notice.domain, notice.vcpu), notice.priority]


def _last_queue(m: Machine, notice: Notice) -> Queue:
    """Return the queue that the port was last linked on. Part of a step."""
    port = m.ports[notice.domain, notice.port]
    return m.queues[(notice.domain, port.last_vcpu), port.last_priority]


def _without_word(m: Machine, notice: Notice) -> bool:
    """Return whether the page that holds the port's word is missing. Part of a step."""
    return notice.port >= m.channels[notice.domain].words


@step("ports.saved", "ports.waiting", "ports.owed", "notices.stage")
def save_pending(m: Machine, n: VcpuId) -> None:
    """Keep the event until there is a page for the port's word; nothing can be unmasked there."""
    notice = m.notices[n]
    require("by the FIFO ABI", notice.fifo, EINVAL)
    require("an event is to be told", (notice.stage == S_MARK) | (notice.stage == S_CLEAR), EINVAL)
    require("there is no word", _without_word(m, notice), EINVAL)
    port = m.ports[notice.domain, notice.port]
    port.saved = port.saved | (notice.stage == S_MARK)
    port.waiting = port.waiting | (notice.stage == S_MARK)
    tell_at_last(port, n)
    notice.stage = S_END


@step("channels.honest", "ports.owed", "notices.stage")
def drop_event(m: Machine, n: VcpuId) -> None:
    """Drop an event for a vCPU without a control block: the guest should have set one up before."""
    notice = m.notices[n]
    require("by the FIFO ABI", notice.fifo, EINVAL)
    require("an event is to be told", notice.stage == S_MARK, EINVAL)
    no_block = m.event_frames[notice.domain, notice.vcpu].frame == NO_FRAME
    require("there is no control block", no_block, EINVAL)
    tell_at_last(m.ports[notice.domain, notice.port], n)
    m.channels[notice.domain].honest = False
    notice.stage = S_END


@step("queues.locked", "queues.holder", "notices.stage", "notices.priority")
def lock_queues(m: Machine, n: VcpuId) -> None:
    """Lock the queue of the port's priority and the one that it was on."""
    notice = m.notices[n]
    require("by the FIFO ABI", notice.fifo, EINVAL)
    require("an event is to be told", notice.stage == S_MARK, EINVAL)
    require("there is a word", Not(_without_word(m, notice)), EINVAL)
    block = m.event_frames[notice.domain, notice.vcpu].frame
    require("there is a control block", block != NO_FRAME, EINVAL)
    priority = m.ports[notice.domain, notice.port].priority
    queue = m.queues[(notice.domain, notice.vcpu), priority]
    last = _last_queue(m, notice)
    require("the queues are not locked", Not(queue.locked) & Not(last.locked), EAGAIN)
    queue.locked = True
    queue.holder = n
    last.locked = True
    last.holder = n
    notice.priority = priority
    notice.stage = S_LOCKED


def _unlock(queue: Queue, last: Queue, condition: bool) -> None:  # noqa: FBT001 - a condition of the step
    """Unlock both queues where the condition holds. Part of a step."""
    queue.locked = queue.locked & Not(condition)
    last.locked = last.locked & Not(condition)


@step(
    "event_words.pending",
    "event_words.teller",
    "event_words.announcer",
    "ports.owed",
    "ports.waiting",
    "notices.stage",
    "notices.news",
)
def mark_word(m: Machine, n: VcpuId) -> None:
    """Set PENDING; unlike in the 2-level ABI, who finds it set goes on."""
    notice = m.notices[n]
    require("by the FIFO ABI", notice.fifo, EINVAL)
    require("the queues are locked", notice.stage == S_LOCKED, EINVAL)
    word, port = m.event_words[notice.domain, notice.port], m.ports[notice.domain, notice.port]
    already = word.pending
    tell_at_last(port, n)
    port.waiting = False
    word.pending = True
    word.teller = n
    word.announcer = ite(already, word.announcer, n)
    notice.news = Not(already)
    notice.stage = S_LOOK


@step("queues.locked", "notices.stage")
def look_at_word(m: Machine, n: VcpuId) -> None:
    """Look whether the port is masked: then its word is linked when it is unmasked."""
    notice = m.notices[n]
    require("by the FIFO ABI", notice.fifo, EINVAL)
    require("the port is pending", notice.stage == S_LOOK, EINVAL)
    masked = m.event_words[notice.domain, notice.port].masked
    _unlock(_queue(m, notice), _last_queue(m, notice), masked)
    notice.stage = ite(masked, after(notice), S_SELECT)


@step("event_words.masked", "event_words.teller", "notices.stage")
def unmask_word(m: Machine, n: VcpuId) -> None:
    """Clear MASKED (evtchn_fifo_unmask)."""
    notice = m.notices[n]
    require("by the FIFO ABI", notice.fifo, EINVAL)
    require("the port is to be unmasked", notice.stage == S_CLEAR, EINVAL)
    require("there is a word", Not(_without_word(m, notice)), EINVAL)
    word = m.event_words[notice.domain, notice.port]
    word.masked = False
    word.teller = n
    notice.stage = S_TEST


@step("notices.stage")
def look_at_pending_word(m: Machine, n: VcpuId) -> None:
    """Look whether the port that is unmasked now is pending: then tell it as if it had just become so."""
    notice = m.notices[n]
    require("by the FIFO ABI", notice.fifo, EINVAL)
    require("the mask is clear", notice.stage == S_TEST, EINVAL)
    notice.stage = ite(m.event_words[notice.domain, notice.port].pending, S_MARK, S_END)


@step(
    "event_words.linked",
    "event_words.linker",
    "event_words.before",
    "queues.tail",
    "queues.locked",
    "ports.last_vcpu",
    "ports.last_priority",
    "notices.stage",
)
def link_word(m: Machine, n: VcpuId) -> None:
    """Set LINKED; who finds it set has nothing to tell. A tail that is linked anew ends its old queue."""
    notice = m.notices[n]
    require("by the FIFO ABI", notice.fifo, EINVAL)
    require("the port is pending and not masked", notice.stage == S_SELECT, EINVAL)
    word, port = m.event_words[notice.domain, notice.port], m.ports[notice.domain, notice.port]
    queue, last = _queue(m, notice), _last_queue(m, notice)
    already = word.linked
    word.linked = True
    word.linker = ite(already, word.linker, n)
    word.before = ite(already, word.before, NO_PORT)
    last.tail = ite(Not(already) & (last.tail == notice.port), NO_PORT, last.tail)
    last.locked = False
    queue.locked = Not(already)
    port.last_vcpu = ite(already, port.last_vcpu, notice.vcpu)
    port.last_priority = ite(already, port.last_priority, notice.priority)
    notice.stage = ite(already, after(notice), S_TAIL)


LINKS = ("event_words.order", "event_words.before", "queues.linked", "queues.tail", "queues.locked")


def _append(m: Machine, notice: Notice, queue: Queue, before: int) -> None:
    """Make the port the queue's tail, and unlock the queue. Part of a step."""
    word = m.event_words[notice.domain, notice.port]
    word.order = queue.linked
    word.before = before
    queue.linked = queue.linked + 1
    queue.tail = notice.port
    queue.locked = False


@step("event_words.link", "event_words.busy", *LINKS, "notices.stage")
def link_to_tail(m: Machine, n: VcpuId) -> None:
    """Make the tail's word link the port's, while the tail is linked (evtchn_fifo_set_link)."""
    notice = m.notices[n]
    require("by the FIFO ABI", notice.fifo, EINVAL)
    require("the word is linked", notice.stage == S_TAIL, EINVAL)
    queue = _queue(m, notice)
    require("the queue has a tail", queue.tail != NO_PORT, EINVAL)
    tail = m.event_words[notice.domain, queue.tail]
    require("which the guest has not taken", tail.linked, EINVAL)
    tail.link = notice.port
    tail.busy = False
    _append(m, notice, queue, queue.tail)
    notice.stage = after(notice)


@step("notices.stage")
def find_queue_empty(m: Machine, n: VcpuId) -> None:
    """Find that the queue has no tail, or one that the guest has taken."""
    notice = m.notices[n]
    require("by the FIFO ABI", notice.fifo, EINVAL)
    require("the word is linked", notice.stage == S_TAIL, EINVAL)
    queue = _queue(m, notice)
    empty = (queue.tail == NO_PORT) | Not(m.event_words[notice.domain, queue.tail].linked)
    require("the queue is empty", empty, EINVAL)
    notice.stage = S_HEAD


@step("heads.port", "heads.setter", *LINKS, "notices.stage")
def set_head(m: Machine, n: VcpuId) -> None:
    """Make the port the head of the empty queue."""
    notice = m.notices[n]
    require("by the FIFO ABI", notice.fifo, EINVAL)
    require("the queue is empty", notice.stage == S_HEAD, EINVAL)
    head = m.heads[(notice.domain, notice.vcpu), notice.priority]
    head.port = notice.port
    head.setter = n
    _append(m, notice, _queue(m, notice), NO_PORT)
    notice.stage = S_READY


@step("heads.ready", "heads.teller", "notices.stage")
def set_ready(m: Machine, n: VcpuId) -> None:
    """Tell that the queue is not empty; who finds it told leaves the upcall to who told it."""
    notice = m.notices[n]
    require("by the FIFO ABI", notice.fifo, EINVAL)
    require("the head is set", notice.stage == S_READY, EINVAL)
    head = m.heads[(notice.domain, notice.vcpu), notice.priority]
    already = head.ready
    head.ready = True
    head.teller = ite(already, head.teller, n)
    notice.stage = ite(already, after(notice), S_UPCALL)
