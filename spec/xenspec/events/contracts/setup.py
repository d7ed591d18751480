"""The ABI of a domain: switching to FIFO and back, its words and queues, and the pages that Xen keeps.

EVTCHNOP_init_control, _expand_array, _reset (public/event_channel.h); PHYSDEVOP_pirq_eoi_gmfn_v2;
VCPUOP_register_vcpu_info. Xen keeps each page as writable memory of the domain's own, once.
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.events.books import NO_PORT, NOBODY, Stage, State
from xenspec.events.contracts.ports import DEFAULT_PRIORITY
from xenspec.events.invariants import in_use
from xenspec.logic import Not
from xenspec.memory.frames import NO_FRAME
from xenspec.vocabulary import DomId, EventFrameId, Mfn, PortId, QueueId, VcpuId

A_PAGE = 1024
"""Event words in a page."""


@dataclass(frozen=True, slots=True)
class OfDomain:
    """A domain."""

    domain: DomId


@dataclass(frozen=True, slots=True)
class Locked:
    """A vCPU, and the domain whose event lock it has or takes."""

    n: VcpuId
    domain: DomId


@dataclass(frozen=True, slots=True)
class OfPort:
    """A port, and whether the guest has left its word masked."""

    p: PortId
    masked: bool = False


@dataclass(frozen=True, slots=True)
class OfQueue:
    """A queue."""

    k: QueueId


@dataclass(frozen=True, slots=True)
class Paged:
    """A page that Xen keeps for event channels, and its frame."""

    page: EventFrameId
    frame: Mfn


@dataclass(frozen=True, slots=True)
class EoiPage:
    """The page of a domain by which it tells that interrupts are handled."""

    domain: DomId
    frame: Mfn


@dataclass(frozen=True, slots=True)
class InfoPage:
    """The page by which Xen tells a vCPU of itself."""

    v: VcpuId
    frame: Mfn


HAVE_LOCK: Contract[State, Locked] = Contract("have the event lock")
TO_FIFO: Contract[State, Locked] = Contract("switch to the FIFO ABI")
TO_TWO_LEVEL: Contract[State, OfDomain] = Contract("switch to the 2-level ABI")
CARRY_OVER: Contract[State, OfPort] = Contract("carry a pending bit over")
MORE_WORDS: Contract[State, Locked] = Contract("have a page of words more")
PASS_WORD: Contract[State, OfDomain] = Contract("pass a port of which no event waited")
END_WORDS: Contract[State, Locked] = Contract("let go of the event lock")
MAKE_WORD: Contract[State, OfPort] = Contract("take a word as the guest left it")
MAKE_QUEUE: Contract[State, OfQueue] = Contract("make a queue empty")
SET_PAGE: Contract[State, Paged] = Contract("keep a page for event channels")
DROP_PAGE: Contract[State, Paged] = Contract("give a page of event channels back")
SET_EOI: Contract[State, EoiPage] = Contract("keep the page of handled interrupts")
SET_INFO: Contract[State, InfoPage] = Contract("keep the information page of a vCPU")


@HAVE_LOCK.asks(property=24)
def words_are_set_up_under_the_event_lock(s: State, a: Locked) -> bool:
    """The caller has the domain's event lock."""
    return (s.channels[a.domain].teller == a.n) & (a.n != NOBODY)


@TO_FIFO.asks(property=23)
def a_domain_switches_to_fifo_once(s: State, a: Locked) -> bool:
    """The domain uses the 2-level ABI; somebody asks for another."""
    return Not(s.channels[a.domain].fifo) & (a.n != NOBODY)


@TO_FIFO.does(property=(23, 25))
def the_domain_uses_fifo_without_words(_: State, after: State, a: Locked) -> bool:
    """The domain uses the FIFO ABI, and no port has a word yet; the caller has the event lock."""
    channels = after.channels[a.domain]
    return channels.fifo & (channels.words == 0) & (channels.told == 0) & (channels.teller == a.n)


@TO_FIFO.touches
def _to_fifo(_: State, a: Locked) -> tuple[Cells, ...]:
    return (Cells("channels", a.domain, ("fifo", "words", "told", "teller")),)


@TO_TWO_LEVEL.asks(property=23)
def a_domain_switches_back_without_ports(s: State, a: OfDomain) -> bool:
    """The domain uses the FIFO ABI, has no port in use, and nobody sets up event words."""
    channels = s.channels[a.domain]
    return channels.fifo & (channels.active == 0) & (channels.teller == NOBODY)


@TO_TWO_LEVEL.does(property=(23, 24))
def the_domain_uses_two_levels(_: State, after: State, a: OfDomain) -> bool:
    """The domain uses the 2-level ABI again; of bits that it left so nothing is promised."""
    channels = after.channels[a.domain]
    return Not(channels.fifo) & (channels.words == 0) & (channels.told == 0) & Not(channels.honest)


@TO_TWO_LEVEL.touches
def _to_two_level(_: State, a: OfDomain) -> tuple[Cells, ...]:
    return (Cells("channels", a.domain, ("fifo", "words", "told", "honest")),)


@CARRY_OVER.asks(property=(23, 24))
def bits_are_carried_over_before_there_are_words(s: State, a: OfPort) -> bool:
    """The port is one that exists, and there is no event word yet."""
    channels = s.channels[a.p[0]]
    return (channels.words == 0) & (a.p[1] > 0) & (a.p[1] < channels.valid)


@CARRY_OVER.does(property=(23, 24))
def no_pending_bit_is_lost_by_the_switch(before: State, after: State, a: OfPort) -> bool:
    """What was pending waits for its word; the port has the default priority."""
    port, old, was = after.ports[a.p], before.ports[a.p], before.signals[a.p].pending
    waits = (port.saved == (old.saved | was)) & (port.waiting == (old.waiting | was))
    return waits & (port.priority == DEFAULT_PRIORITY)


@CARRY_OVER.does(property=24)
def only_what_waits_for_a_closed_port_is_not_promised(before: State, after: State, a: OfPort) -> bool:
    """A domain with an event that waits for a port that it has closed is promised nothing."""
    old, new = before.channels[a.p[0]].honest, after.channels[a.p[0]].honest
    return new == (old & (in_use(before.ports[a.p]) | Not(after.ports[a.p].saved)))


@CARRY_OVER.touches
def _carry_over(_: State, a: OfPort) -> tuple[Cells, ...]:
    return (Cells("ports", a.p, ("saved", "waiting", "priority")), Cells("channels", a.p[0], ("honest",)))


@MORE_WORDS.asks(property=25)
def words_are_of_the_fifo_abi(s: State, a: Locked) -> bool:
    """The domain uses the FIFO ABI, and nobody else sets up words."""
    channels = s.channels[a.domain]
    return channels.fifo & (channels.teller == NOBODY) & (a.n != NOBODY)


@MORE_WORDS.does(property=25)
def a_page_of_words_is_added(before: State, after: State, a: Locked) -> bool:
    """As many ports more have a word as a page has; the caller has the event lock."""
    channels = after.channels[a.domain]
    return (channels.words == before.channels[a.domain].words + A_PAGE) & (channels.teller == a.n)


@MORE_WORDS.touches
def _more_words(_: State, a: Locked) -> tuple[Cells, ...]:
    return (Cells("channels", a.domain, ("words", "teller")),)


@PASS_WORD.asks(property=24)
def only_a_port_is_passed_of_which_nothing_waited(s: State, a: OfDomain) -> bool:
    """A port with a new word is left, and the next one has kept no event."""
    channels = s.channels[a.domain]
    port = s.ports[PortId((a.domain, channels.told))]
    return (channels.told < channels.words) & Not(port.saved)


@PASS_WORD.does(property=24)
def ports_are_come_to_in_their_order(before: State, after: State, a: OfDomain) -> bool:
    """The next port is the one behind."""
    return after.channels[a.domain].told == before.channels[a.domain].told + 1


@PASS_WORD.touches
def _pass_word(_: State, a: OfDomain) -> tuple[Cells, ...]:
    return (Cells("channels", a.domain, ("told",)),)


@END_WORDS.asks(property=24)
def the_event_lock_is_kept_until_all_is_told(s: State, a: Locked) -> bool:
    """Every port that exists and has a word was come to, and the caller has no notice to give."""
    channels = s.channels[a.domain]
    come = (channels.told == channels.words) | (channels.told >= channels.valid)
    return come & (s.notices[a.n].stage == Stage.IDLE)


@END_WORDS.does(property=24)
def nobody_has_the_event_lock(_: State, after: State, a: Locked) -> bool:
    """Nobody sets up words any more; ports that do not exist yet have no event that waits."""
    channels = after.channels[a.domain]
    return (channels.teller == NOBODY) & (channels.told == channels.words)


@END_WORDS.touches
def _end_words(_: State, a: Locked) -> tuple[Cells, ...]:
    return (Cells("channels", a.domain, ("told", "teller")),)


@MAKE_WORD.asks(property=25)
def a_word_in_use_is_not_made_anew(s: State, a: OfPort) -> bool:
    """The page of the word is not in use yet."""
    return a.p[1] >= s.channels[a.p[0]].words


@MAKE_WORD.does(property=25)
def a_new_word_is_on_no_queue(_: State, after: State, a: OfPort) -> bool:
    """The word is neither pending nor linked, and masked as the guest left it."""
    word = after.event_words[a.p]
    quiet = Not(word.pending) & Not(word.linked) & Not(word.busy) & (word.link == NO_PORT)
    return quiet & (word.masked == a.masked)


@MAKE_WORD.touches
def _make_word(_: State, a: OfPort) -> tuple[Cells, ...]:
    return (Cells("event_words", a.p, ("pending", "masked", "linked", "busy", "link")),)


@MAKE_QUEUE.asks(property=25)
def a_queue_in_use_is_not_made_anew(s: State, a: OfQueue) -> bool:
    """The vCPU has no control block, and no notice links to the queue."""
    return (s.event_frames[a.k[0][0], a.k[0][1]].frame == NO_FRAME) & Not(s.queues[a.k].locked)


@MAKE_QUEUE.does(property=25)
def a_new_queue_is_empty(_: State, after: State, a: OfQueue) -> bool:
    """The queue has no tail, no head, and is not ready."""
    queue, head = after.queues[a.k], after.heads[a.k]
    return (queue.tail == NO_PORT) & (head.port == NO_PORT) & Not(head.ready)


@MAKE_QUEUE.touches
def _make_queue(_: State, a: OfQueue) -> tuple[Cells, ...]:
    return (Cells("queues", a.k, ("tail", "linked")), Cells("heads", a.k, ("port", "ready")))


# --- Pages --------------------------------------------------------------------------------------------------


@SET_PAGE.asks(property=(6, 25))
def a_page_of_event_channels_is_set_once(s: State, a: Paged) -> bool:
    """Xen keeps no such page yet, and the frame is the domain's own."""
    return (s.event_frames[a.page].frame == NO_FRAME) & (s.frames[a.frame].owner == a.page[0])


@SET_PAGE.does(property=6)
def xen_keeps_the_page_of_event_channels(_: State, after: State, a: Paged) -> bool:
    """Xen keeps the frame as that page."""
    return after.event_frames[a.page].frame == a.frame


@SET_PAGE.touches
def _set_page(_: State, a: Paged) -> tuple[Cells, ...]:
    return (Cells("event_frames", a.page, ("frame",)),)


@DROP_PAGE.asks(property=(7, 25))
def a_page_is_given_back_when_no_word_is_in_it(s: State, a: Paged) -> bool:
    """Xen keeps the page, and the domain does not use the FIFO ABI any more."""
    return (s.event_frames[a.page].frame != NO_FRAME) & Not(s.channels[a.page[0]].fifo)


@DROP_PAGE.does(property=6)
def xen_keeps_the_page_no_more(_: State, after: State, a: Paged) -> bool:
    """There is no such page."""
    return after.event_frames[a.page].frame == NO_FRAME


@DROP_PAGE.touches
def _drop_page(_: State, a: Paged) -> tuple[Cells, ...]:
    return (Cells("event_frames", a.page, ("frame",)),)


@SET_EOI.asks(property=6)
def the_page_of_handled_interrupts_is_set_once(s: State, a: EoiPage) -> bool:
    """The domain has no such page, and the frame is its own."""
    return (s.eoi_frames[a.domain].frame == NO_FRAME) & (s.frames[a.frame].owner == a.domain)


@SET_EOI.does(property=6)
def xen_keeps_the_page_of_handled_interrupts(_: State, after: State, a: EoiPage) -> bool:
    """Xen keeps the frame as that page."""
    return after.eoi_frames[a.domain].frame == a.frame


@SET_EOI.touches
def _set_eoi(_: State, a: EoiPage) -> tuple[Cells, ...]:
    return (Cells("eoi_frames", a.domain, ("frame",)),)


@SET_INFO.asks(property=6)
def an_information_page_is_set_once(s: State, a: InfoPage) -> bool:
    """The vCPU has no such page, and the frame is its domain's own."""
    vcpu = s.vcpus[a.v]
    return (vcpu.info_frame == NO_FRAME) & (s.frames[a.frame].owner == vcpu.domain)


@SET_INFO.does(property=6)
def xen_keeps_the_information_page(_: State, after: State, a: InfoPage) -> bool:
    """Xen keeps the frame as that page."""
    return after.vcpus[a.v].info_frame == a.frame


@SET_INFO.touches
def _set_info(_: State, a: InfoPage) -> tuple[Cells, ...]:
    return (Cells("vcpus", a.v, ("info_frame",)),)
