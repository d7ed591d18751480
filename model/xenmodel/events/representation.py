"""How this model keeps its books of event channels: what a notice holds, and at which stage it answers.

The safety invariants say that somebody is at work on what is not told yet; these say at which stage, so that
each step can be seen to keep them.
"""

from typing import Protocol

from xenmodel.abi.event import BUCKET_PORTS, QUEUES, TWO_LEVEL_PORTS, WORD_PORTS
from xenmodel.events.rows import (
    NO_PORT,
    NOBODY,
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
)
from xenmodel.events.views import (
    ChannelsView,
    EventWordView,
    HandlerView,
    HeadView,
    NoticeView,
    PolledPortView,
    PortView,
    QueueView,
    ScanView,
    SelectorView,
    SignalView,
    TakenView,
    UpcallView,
    WaitView,
)
from xenmodel.memory.rows import NO_FRAME
from xenmodel.views import DomainView, NamedFrameView
from xenspec.invariant import Kind, Registry
from xenspec.logic import Not, either, implies
from xenspec.table import ReadTable
from xenspec.vocabulary import FREE, RESERVED, DomId, PortId, QueueId, SelectorId, VcpuId


class State(Protocol):
    """The state that the invariants of this module read."""

    @property
    def domains(self) -> ReadTable[int, DomainView]: ...  # noqa: D102
    @property
    def channels(self) -> ReadTable[int, ChannelsView]: ...  # noqa: D102 - named by its table
    @property
    def ports(self) -> ReadTable[tuple[int, int], PortView]: ...  # noqa: D102
    @property
    def signals(self) -> ReadTable[tuple[int, int], SignalView]: ...  # noqa: D102
    @property
    def selectors(self) -> ReadTable[tuple[tuple[int, int], int], SelectorView]: ...  # noqa: D102
    @property
    def upcalls(self) -> ReadTable[tuple[int, int], UpcallView]: ...  # noqa: D102
    @property
    def event_words(self) -> ReadTable[tuple[int, int], EventWordView]: ...  # noqa: D102
    @property
    def heads(self) -> ReadTable[tuple[tuple[int, int], int], HeadView]: ...  # noqa: D102
    @property
    def queues(self) -> ReadTable[tuple[tuple[int, int], int], QueueView]: ...  # noqa: D102
    @property
    def waits(self) -> ReadTable[tuple[int, int], WaitView]: ...  # noqa: D102
    @property
    def polled(self) -> ReadTable[tuple[tuple[int, int], int], PolledPortView]: ...  # noqa: D102
    @property
    def notices(self) -> ReadTable[tuple[int, int], NoticeView]: ...  # noqa: D102
    @property
    def handlers(self) -> ReadTable[tuple[int, int], HandlerView]: ...  # noqa: D102
    @property
    def scans(self) -> ReadTable[tuple[tuple[int, int], int], ScanView]: ...  # noqa: D102
    @property
    def taken(self) -> ReadTable[tuple[tuple[int, int], int], TakenView]: ...  # noqa: D102
    @property
    def event_frames(self) -> ReadTable[tuple[int, int], NamedFrameView]: ...  # noqa: D102


REPRESENTATION: Registry[State] = Registry("events", Kind.REPRESENTATION)
invariant = REPRESENTATION.invariant


def of_port(n: NoticeView, p: PortId) -> bool:
    """The notice is of the port."""
    return (n.domain == p[0]) & (n.port == p[1])


def _for_vcpu(n: NoticeView, v: tuple[int, int]) -> bool:
    """The notice is for the vCPU."""
    return (n.domain == v[0]) & (n.vcpu == v[1])


# --- Notices ----------------------------------------------------------------------------------------------


@invariant(property=23, advisories=(343,))
def notice_holds_its_port(s: State, n: VcpuId) -> bool:
    """The port that a notice is of is locked, and so stays in use, unless it only waited for its word."""
    notice = s.notices[n]
    port = s.ports[notice.domain, notice.port]
    return implies(
        notice.stage != S_IDLE,
        lambda: (
            (port.readers > 0) & ((port.state != FREE) & (port.state != RESERVED) | notice.fifo & port.saved)
        ),
    )


@invariant(property=25)
def linking_notice_holds_its_queue(s: State, n: VcpuId) -> bool:
    """Who links an event word holds the lock of its queue, on a vCPU that has a control block."""
    notice = s.notices[n]
    stage = notice.stage
    linking = (
        (stage == S_LOCKED) | (stage == S_LOOK) | (stage == S_SELECT) | (stage == S_TAIL) | (stage == S_HEAD)
    )
    return implies(
        notice.fifo & linking,
        lambda: (
            s.queues[(notice.domain, notice.vcpu), notice.priority].locked
            & (s.event_frames[notice.domain, notice.vcpu].frame != NO_FRAME)
        ),
    )


@invariant(property=(23, 24))
def joined_port_is_told_at_once(s: State, p: PortId) -> bool:
    """Who joins a port, or has added its word, makes it pending: what was sent before was dropped or kept."""
    port = s.ports[p]

    def answered() -> bool:
        notice = s.notices[port.owed]
        return of_port(notice, p) & ((notice.stage == S_MARK) | (notice.stage == S_LOCKED))

    return implies(port.owed != NOBODY, answered)


@invariant(property=23)
def counts_of_ports_are_not_negative(s: State, d: DomId) -> bool:
    """A domain has no fewer ports in use than none, and a reset goes on at a port that exists."""
    channels = s.channels[d]
    return (
        (channels.valid >= BUCKET_PORTS)
        & (channels.active >= 0)
        & (channels.reset_at >= 0)
        & (channels.reset_at < channels.valid)
    )


@invariant(property=23)
def locks_are_not_negative(s: State, p: PortId) -> bool:
    """No fewer notices than none hold a port."""
    return s.ports[p].readers >= 0


@invariant(property=23)
def notice_has_news_once_it_is_marked(s: State, n: VcpuId) -> bool:
    """Who has not set a pending bit yet has nothing to tell those who poll for it."""
    notice = s.notices[n]
    stage = notice.stage
    early = (stage == S_MARK) | (stage == S_CLEAR) | (stage == S_TEST) | (stage == S_LOCKED)
    return implies(early, lambda: Not(notice.news))


@invariant(property=24)
def notice_begins_with_the_first_vcpu(s: State, n: VcpuId) -> bool:
    """Who has not come to those that poll yet will look at all of them."""
    notice = s.notices[n]
    stage = notice.stage
    over = (stage == S_IDLE) | (stage == S_POLLERS) | (stage == S_END)
    return implies(Not(over), lambda: notice.cursor == 0)


@invariant(property=23)
def notice_of_a_closed_port_is_the_teller_s(s: State, n: VcpuId) -> bool:
    """Who tells of a port that was closed meanwhile does so under the event lock of the port's domain."""
    notice = s.notices[n]
    port, channels = s.ports[notice.domain, notice.port], s.channels[notice.domain]
    return implies(
        (notice.stage != S_IDLE) & ((port.state == FREE) | (port.state == RESERVED)),
        lambda: (channels.teller == n) & (n != NOBODY) & Not(channels.honest),
    )


@invariant(property=23)
def closed_port_keeps_no_event_of_the_honest(s: State, p: PortId) -> bool:
    """No event waits for the word of a closed port, unless its domain closed the port while one did."""
    port, channels = s.ports[p], s.channels[p[0]]
    return implies(
        port.saved & (channels.told <= p[1]) & ((port.state == FREE) | (port.state == RESERVED)),
        lambda: Not(channels.honest),
    )


@invariant(property=24)
def words_are_told_of_in_turn(s: State, d: DomId) -> bool:
    """Whoever adds words comes to all of them before it lets go of the event lock."""
    channels = s.channels[d]
    return (
        ((channels.told >= 0) & (channels.told <= channels.words))
        & ((channels.teller != NOBODY) | (channels.told == channels.words))
        & ((channels.teller == NOBODY) | channels.fifo)
        & implies(channels.honest & Not(channels.fifo), lambda: channels.words == 0)
    )


@invariant(property=24)
def kept_event_is_told_when_its_word_comes(s: State, p: PortId) -> bool:
    """An event that waits is kept with a port in use, and is told as who adds words comes to it."""
    port, channels = s.ports[p], s.channels[p[0]]
    in_use = (port.state != FREE) & (port.state != RESERVED)
    told = (port.owed != NOBODY) & s.notices[port.owed].fifo
    return implies(
        channels.honest & port.waiting,
        lambda: channels.fifo & port.saved & in_use & ((channels.told <= p[1]) | told),
    )


@invariant(property=23)
def notice_is_by_the_abi_of_its_stage(s: State, n: VcpuId) -> bool:
    """A notice by the FIFO ABI is of a domain that uses it, and no other one locks and links."""
    notice = s.notices[n]
    stage = notice.stage
    queued = (stage == S_LOCKED) | (stage == S_TAIL) | (stage == S_HEAD) | (stage == S_READY)
    return implies(stage != S_IDLE, lambda: implies(notice.fifo, lambda: s.channels[notice.domain].fifo)) & (
        implies(queued, lambda: notice.fifo)
    )


@invariant(property=25)
def notice_is_of_a_priority_that_exists(s: State, n: VcpuId) -> bool:
    """A notice tells by one of the sixteen queues."""
    notice = s.notices[n]
    return implies(notice.stage != S_IDLE, lambda: (notice.priority >= 0) & (notice.priority < QUEUES))


@invariant(property=25)
def port_is_of_a_priority_that_exists(s: State, p: PortId) -> bool:
    """A port has one of the sixteen priorities."""
    port = s.ports[p]
    return (port.priority >= 0) & (port.priority < QUEUES)


@invariant(property=23)
def two_level_port_has_its_bits(s: State, p: PortId) -> bool:
    """A port that is in use by the 2-level ABI has a bit among those of the shared page."""
    port = s.ports[p]
    in_use = (port.state != FREE) & (port.state != RESERVED)
    return implies(Not(s.channels[p[0]].fifo) & in_use, lambda: p[1] < TWO_LEVEL_PORTS)


@invariant(property=24)
def selector_is_of_a_word(s: State, k: SelectorId) -> bool:
    """Only the words that there are get selected: the handler comes to each of them."""
    channels = s.channels[k[0][0]]
    return implies(
        channels.honest & Not(channels.fifo) & s.selectors[k].set, lambda: (k[1] >= 0) & (k[1] < WORD_PORTS)
    )


# --- Who answers for what is not told yet -----------------------------------------------------------------


@invariant(property=24)
def unselected_port_is_between_pending_and_selected(s: State, p: PortId) -> bool:
    """A port that is pending, not masked and not selected was marked or unmasked, and is to be selected."""
    channels, signal, port = s.channels[p[0]], s.signals[p], s.ports[p]
    v = (p[0], signal.raised)
    word, place = p[1] // 64, p[1] % 64
    open_port = (port.state != FREE) & (port.state != RESERVED)
    ahead = s.selectors[v, word].set | s.scans[v, word].running & (s.scans[v, word].cursor <= place)

    def answered() -> bool:
        notice = s.notices[signal.teller]
        stage = notice.stage
        before = (stage == S_LOOK) | (stage == S_TEST) | (stage == S_SELECT)
        return of_port(notice, p) & Not(notice.fifo) & before

    return implies(
        channels.honest & Not(channels.fifo) & signal.pending & Not(signal.masked) & open_port,
        lambda: either(ahead, answered),
    )


@invariant(property=24)
def untold_selector_has_its_upcall_next(s: State, k: SelectorId) -> bool:
    """Who set a selector bit that the vCPU has not been told of sets its upcall bit next."""
    channels, selector, handler = s.channels[k[0][0]], s.selectors[k], s.handlers[k[0]]

    def answered() -> bool:
        notice = s.notices[selector.teller]
        return _for_vcpu(notice, k[0]) & (notice.stage == S_UPCALL)

    return implies(
        channels.honest & Not(channels.fifo) & selector.set,
        lambda: either(s.upcalls[k[0]].pending | handler.running & (handler.cursor <= k[1]), answered),
    )


@invariant(property=24)
def unwoken_vcpu_is_kicked_next(s: State, v: VcpuId) -> bool:
    """Who set the upcall bit of a vCPU that sleeps wakes it next."""
    wait, upcall = s.waits[v], s.upcalls[v]

    def answered() -> bool:
        notice = s.notices[upcall.teller]
        return _for_vcpu(notice, v) & (notice.stage == S_KICK)

    asleep = wait.blocked & Not(wait.checking)
    return implies(s.channels[v[0]].honest & asleep & upcall.pending & Not(upcall.masked), answered)


# --- Queues -----------------------------------------------------------------------------------------------


@invariant(property=(24, 25))
def unlinked_word_is_between_pending_and_linked(s: State, p: PortId) -> bool:
    """A port that is pending, not masked and on no queue was marked or unmasked, and is to be linked."""
    channels, word, port = s.channels[p[0]], s.event_words[p], s.ports[p]
    taken = s.taken[(p[0], port.last_vcpu), port.last_priority]
    open_port = (port.state != FREE) & (port.state != RESERVED)

    def answered() -> bool:
        notice = s.notices[word.teller]
        stage = notice.stage
        before = (stage == S_MARK) | (stage == S_LOCKED) | (stage == S_TEST)
        return of_port(notice, p) & notice.fifo & (before | (stage == S_LOOK) | (stage == S_SELECT))

    exposed = word.pending & Not(word.masked) & open_port & (p[1] < channels.words)
    return implies(
        channels.honest & channels.fifo & exposed,
        lambda: either(word.linked | (taken.port == p[1]), answered),
    )


@invariant(property=25)
def unready_queue_is_made_ready_next(s: State, k: QueueId) -> bool:
    """Who set the head of a queue that is neither ready nor consumed makes it ready next."""
    channels, tail = s.channels[k[0][0]], s.queues[k].tail
    linked = channels.honest & channels.fifo & (tail != 0) & s.event_words[k[0][0], tail].linked

    def answered() -> bool:
        notice = s.notices[s.heads[k].setter]
        return _for_vcpu(notice, k[0]) & (notice.priority == k[1]) & (notice.stage == S_READY)

    taken = s.taken[k]
    read = taken.running & ((taken.head != NO_PORT) | (taken.port == NO_PORT))
    return implies(linked, lambda: either(s.heads[k].ready | read, answered))
