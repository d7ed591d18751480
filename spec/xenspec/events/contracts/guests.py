"""The guest's side: what a vCPU does by the protocol (public/xen.h, public/event_channel.h).

Only a vCPU that runs does anything, and only to its own domain's words: nothing here touches what Xen keeps.
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.events.books import NO_PORT, State
from xenspec.events.contracts.ports import QUEUES
from xenspec.events.invariants import WORD_PORTS
from xenspec.logic import Not, ite
from xenspec.vocabulary import PortId, QueueId, SelectorId, VcpuId


@dataclass(frozen=True, slots=True)
class OfVcpu:
    """A virtual CPU."""

    v: VcpuId


@dataclass(frozen=True, slots=True)
class UpcallMask:
    """A virtual CPU, and whether upcalls are to be masked."""

    v: VcpuId
    masked: bool


@dataclass(frozen=True, slots=True)
class Looked:
    """A virtual CPU, and a port that it looks at."""

    v: VcpuId
    p: PortId


@dataclass(frozen=True, slots=True)
class Consumed:
    """A virtual CPU, and the number of a word of ports, or of a queue."""

    v: VcpuId
    number: int


@dataclass(frozen=True, slots=True)
class OfPort:
    """A port."""

    p: PortId


RUN: Contract[State, OfVcpu] = Contract("run")
DELIVER: Contract[State, OfVcpu] = Contract("deliver an upcall")
SET_MASK: Contract[State, UpcallMask] = Contract("mask or unmask upcalls")
ENTER: Contract[State, OfVcpu] = Contract("clear the upcall byte")
LEAVE: Contract[State, OfVcpu] = Contract("leave the handler")
TAKE_SELECTOR: Contract[State, OfVcpu] = Contract("take a selector bit")
TAKE_QUEUE: Contract[State, OfVcpu] = Contract("take a queue")
PASS: Contract[State, OfVcpu] = Contract("pass what needs nothing")
PASS_SELECTOR: Contract[State, OfVcpu] = Contract("pass a selector bit")
PASS_QUEUE: Contract[State, OfVcpu] = Contract("pass a queue")
HANDLE: Contract[State, Looked] = Contract("handle a port of a word")
PASS_PORT: Contract[State, Consumed] = Contract("pass a port of a word")
UNLINK: Contract[State, Consumed] = Contract("unlink the head of a queue")
HANDLE_UNLINKED: Contract[State, Consumed] = Contract("handle what was unlinked")
UNMASK_QUIET: Contract[State, OfPort] = Contract("unmask a word that is not pending")
MASK: Contract[State, OfPort] = Contract("mask a port")
UNPEND: Contract[State, OfPort] = Contract("clear a pending bit")


@RUN.asks(property=18)
def a_vcpu_that_sleeps_does_nothing(s: State, a: OfVcpu) -> bool:
    """The vCPU does not sleep."""
    return Not(s.waits[a.v].blocked)


@DELIVER.asks(property=24)
def an_upcall_is_delivered_that_is_pending_and_let_in(s: State, a: OfVcpu) -> bool:
    """An upcall is pending, and the vCPU lets it interrupt."""
    return s.upcalls[a.v].pending & Not(s.upcalls[a.v].masked)


@SET_MASK.does(property=24)
def upcalls_are_masked_as_asked(_: State, after: State, a: UpcallMask) -> bool:
    """Upcalls are masked, or not, as was asked; one that is pending stays pending."""
    return after.upcalls[a.v].masked == a.masked


@SET_MASK.touches
def _set_mask(_: State, a: UpcallMask) -> tuple[Cells, ...]:
    return (Cells("upcalls", a.v, ("masked",)),)


@ENTER.does(property=24)
def all_is_looked_at_after_the_upcall_is_cleared(_: State, after: State, a: OfVcpu) -> bool:
    """The upcall byte is clear, and the handler looks at everything from the first on."""
    handler = after.handlers[a.v]
    return Not(after.upcalls[a.v].pending) & handler.running & (handler.cursor == 0)


@ENTER.touches
def _enter(_: State, a: OfVcpu) -> tuple[Cells, ...]:
    return (Cells("upcalls", a.v, ("pending",)), Cells("handlers", a.v, ("running", "cursor")))


@LEAVE.asks(property=24)
def a_handler_is_left_that_has_looked_at_all(s: State, a: OfVcpu) -> bool:
    """The handler has looked at every selector bit, or every queue."""
    end = ite(s.channels[a.v[0]].fifo, QUEUES, WORD_PORTS)
    return s.handlers[a.v].running & (s.handlers[a.v].cursor >= end)


@LEAVE.does(property=24)
def the_handler_has_ended(_: State, after: State, a: OfVcpu) -> bool:
    """The handler does not run."""
    return Not(after.handlers[a.v].running)


@LEAVE.touches
def _leave(_: State, a: OfVcpu) -> tuple[Cells, ...]:
    return (Cells("handlers", a.v, ("running",)),)


# --- What the handler looks at ------------------------------------------------------------------------------


def _selector(s: State, a: OfVcpu) -> SelectorId:
    """Return the selector bit that the handler looks at."""
    return SelectorId((a.v, s.handlers[a.v].cursor))


def _queue(s: State, a: OfVcpu) -> QueueId:
    """Return the queue that the handler looks at."""
    return QueueId((a.v, s.handlers[a.v].cursor))


def _looks(s: State, a: OfVcpu, *, fifo: bool, end: int) -> bool:
    """The handler runs, by the ABI, and is not at the end."""
    handler = s.handlers[a.v]
    return (s.channels[a.v[0]].fifo == fifo) & handler.running & (handler.cursor < end)


@TAKE_SELECTOR.asks(property=24)
def a_selector_is_taken_that_is_set(s: State, a: OfVcpu) -> bool:
    """The handler has come to a selector bit that is set, whose word nobody looks at."""
    k = _selector(s, a)
    looks = _looks(s, a, fifo=False, end=WORD_PORTS)
    return looks & s.selectors[k].set & Not(s.scans[k].running)


@TAKE_SELECTOR.does(property=24)
def the_whole_word_is_looked_at(before: State, after: State, a: OfVcpu) -> bool:
    """The bit is clear, and every port of its word is to be looked at."""
    k = _selector(before, a)
    return Not(after.selectors[k].set) & after.scans[k].running & (after.scans[k].cursor == 0)


@TAKE_SELECTOR.touches
def _take_selector(s: State, a: OfVcpu) -> tuple[Cells, ...]:
    k = _selector(s, a)
    return (Cells("selectors", k, ("set",)), Cells("scans", k, ("running", "cursor")))


@TAKE_QUEUE.asks(property=(24, 25))
def a_queue_is_taken_that_is_ready(s: State, a: OfVcpu) -> bool:
    """The handler has come to a queue that is ready, and that nobody consumes."""
    k = _queue(s, a)
    return _looks(s, a, fifo=True, end=QUEUES) & s.heads[k].ready & Not(s.taken[k].running)


@TAKE_QUEUE.does(property=(24, 25))
def the_queue_is_consumed(before: State, after: State, a: OfVcpu) -> bool:
    """The ready bit is clear, and the queue is to be consumed."""
    k = _queue(before, a)
    return Not(after.heads[k].ready) & after.taken[k].running


@TAKE_QUEUE.touches
def _take_queue(s: State, a: OfVcpu) -> tuple[Cells, ...]:
    k = _queue(s, a)
    return (Cells("heads", k, ("ready",)), Cells("taken", k, ("running",)))


@PASS_SELECTOR.asks(property=24)
def a_selector_is_passed_that_needs_nothing(s: State, a: OfVcpu) -> bool:
    """The bit is clear, and its word has been looked at."""
    k = _selector(s, a)
    looks = _looks(s, a, fifo=False, end=WORD_PORTS)
    return looks & Not(s.selectors[k].set) & Not(s.scans[k].running)


@PASS_QUEUE.asks(property=(24, 25))
def a_queue_is_passed_that_needs_nothing(s: State, a: OfVcpu) -> bool:
    """The queue is not ready, and has been consumed."""
    k = _queue(s, a)
    return _looks(s, a, fifo=True, end=QUEUES) & Not(s.heads[k].ready) & Not(s.taken[k].running)


@PASS.does(property=(17, 24))
def the_handler_comes_one_further(before: State, after: State, a: OfVcpu) -> bool:
    """The handler looks at the next one."""
    return after.handlers[a.v].cursor == before.handlers[a.v].cursor + 1


@PASS.touches
def _pass(_: State, a: OfVcpu) -> tuple[Cells, ...]:
    return (Cells("handlers", a.v, ("cursor",)),)


def _goes_on(before: State, after: State, k: SelectorId) -> bool:
    """The word is looked at one port further, until its last."""
    cursor = before.scans[k].cursor + 1
    return (after.scans[k].cursor == cursor) & (after.scans[k].running == (cursor < WORD_PORTS))


@HANDLE.asks(property=(23, 24))
def a_port_is_handled_that_is_pending_and_not_masked(s: State, a: Looked) -> bool:
    """The vCPU has come to the port in a word of its domain; the port is pending and not masked."""
    scan, signal = s.scans[a.v, a.p[1] // WORD_PORTS], s.signals[a.p]
    here = (a.p[0] == a.v[0]) & scan.running & (scan.cursor == a.p[1] % WORD_PORTS)
    return here & signal.pending & Not(signal.masked)


@HANDLE.does(property=(23, 24))
def a_handled_port_is_not_pending(before: State, after: State, a: Looked) -> bool:
    """The pending bit is clear before the event is handled, and the next port is looked at."""
    k = SelectorId((a.v, a.p[1] // WORD_PORTS))
    return Not(after.signals[a.p].pending) & _goes_on(before, after, k)


@HANDLE.touches
def _handle(_: State, a: Looked) -> tuple[Cells, ...]:
    scan = Cells("scans", (a.v, a.p[1] // WORD_PORTS), ("cursor", "running"))
    return (Cells("signals", a.p, ("pending",)), scan)


@PASS_PORT.asks(property=24)
def a_port_is_passed_that_needs_nothing_here(s: State, a: Consumed) -> bool:
    """The port is not pending, or masked, or was selected for another vCPU."""
    scan = s.scans[a.v, a.number]
    signal = s.signals[a.v[0], a.number * WORD_PORTS + scan.cursor]
    deliverable = signal.pending & Not(signal.masked)
    return scan.running & Not(deliverable & (signal.raised == a.v[1]))


@PASS_PORT.does(property=(17, 24))
def the_next_port_is_looked_at(before: State, after: State, a: Consumed) -> bool:
    """The word is looked at one port further, until its last."""
    return _goes_on(before, after, SelectorId((a.v, a.number)))


@PASS_PORT.touches
def _pass_port(_: State, a: Consumed) -> tuple[Cells, ...]:
    return (Cells("scans", (a.v, a.number), ("cursor", "running")),)


# --- Queues -------------------------------------------------------------------------------------------------


def _first(s: State, a: Consumed) -> PortId:
    """Return the first port of a queue that is consumed."""
    taken = s.taken[a.v, a.number]
    return PortId((a.v[0], ite(taken.head == NO_PORT, s.heads[a.v, a.number].port, taken.head)))


@UNLINK.asks(property=25)
def the_head_of_a_consumed_queue_is_unlinked(s: State, a: Consumed) -> bool:
    """The vCPU consumes the queue, has come to it, and has handled what it unlinked last."""
    taken = s.taken[a.v, a.number]
    return taken.running & (taken.port == NO_PORT) & (s.handlers[a.v].cursor == a.number)


@UNLINK.does(property=25)
def what_the_head_linked_is_the_head(before: State, after: State, a: Consumed) -> bool:
    """The first word is not linked and links none; what it linked is the first now."""
    p, taken = _first(before, a), after.taken[a.v, a.number]
    word = after.event_words[p]
    next_one = taken.head == before.event_words[p].link
    return Not(word.linked) & (word.link == NO_PORT) & next_one & (taken.port == p[1])


@UNLINK.touches
def _unlink(s: State, a: Consumed) -> tuple[Cells, ...]:
    p = _first(s, a)
    link = s.event_words[p].link
    return (
        Cells("event_words", p, ("linked", "link")),
        Cells("event_words", (a.v[0], link), ("before",), when=link != NO_PORT),
        Cells("taken", QueueId((a.v, a.number)), ("head", "port")),
    )


@HANDLE_UNLINKED.asks(property=25)
def what_was_unlinked_is_handled(s: State, a: Consumed) -> bool:
    """The vCPU has unlinked a word and not looked at it yet."""
    taken = s.taken[a.v, a.number]
    return taken.running & (taken.port != NO_PORT)


@HANDLE_UNLINKED.does(property=(24, 25))
def a_masked_event_stays_pending(before: State, after: State, a: Consumed) -> bool:
    """The event is handled, and not pending any more, unless masked; without a next one all is consumed."""
    old, new = before.taken[a.v, a.number], after.taken[a.v, a.number]
    word, now = before.event_words[a.v[0], old.port], after.event_words[a.v[0], old.port]
    handled = now.pending == (word.pending & word.masked)
    return handled & (new.port == NO_PORT) & (new.running == (old.head != NO_PORT))


@HANDLE_UNLINKED.does(property=24)
def the_most_urgent_queue_is_looked_at_next(_: State, after: State, a: Consumed) -> bool:
    """The handler is at the queue of the highest priority."""
    return after.handlers[a.v].cursor == 0


@HANDLE_UNLINKED.touches
def _handle_unlinked(s: State, a: Consumed) -> tuple[Cells, ...]:
    k = QueueId((a.v, a.number))
    return (
        Cells("event_words", (a.v[0], s.taken[k].port), ("pending",)),
        Cells("taken", k, ("port", "running")),
        Cells("handlers", a.v, ("cursor",)),
    )


# --- At any time --------------------------------------------------------------------------------------------


@UNMASK_QUIET.asks(property=24)
def a_guest_unmasks_alone_what_is_not_pending(s: State, a: OfPort) -> bool:
    """The port has a word that is not pending: else the hypercall is needed, that tells the event."""
    channels = s.channels[a.p[0]]
    return channels.fifo & (a.p[1] < channels.words) & Not(s.event_words[a.p].pending)


@UNMASK_QUIET.does(property=24)
def the_quiet_word_is_not_masked(_: State, after: State, a: OfPort) -> bool:
    """MASKED and BUSY are clear."""
    return Not(after.event_words[a.p].masked) & Not(after.event_words[a.p].busy)


@UNMASK_QUIET.touches
def _unmask_quiet(_: State, a: OfPort) -> tuple[Cells, ...]:
    return (Cells("event_words", a.p, ("masked", "busy")),)


@MASK.does(property=23)
def the_port_is_masked(before: State, after: State, a: OfPort) -> bool:
    """The port is masked, by the ABI of its domain."""
    return ite(before.channels[a.p[0]].fifo, after.event_words[a.p].masked, after.signals[a.p].masked)


@MASK.touches
def _mask(s: State, a: OfPort) -> tuple[Cells, ...]:
    fifo = s.channels[a.p[0]].fifo
    word = Cells("event_words", a.p, ("masked",), when=fifo)
    return (word, Cells("signals", a.p, ("masked",), when=Not(fifo)))


@UNPEND.does(property=23)
def the_port_is_not_pending(before: State, after: State, a: OfPort) -> bool:
    """The port is not pending, by the ABI of its domain."""
    word, signal = after.event_words[a.p], after.signals[a.p]
    return ite(before.channels[a.p[0]].fifo, Not(word.pending), Not(signal.pending))


@UNPEND.touches
def _unpend(s: State, a: OfPort) -> tuple[Cells, ...]:
    fifo = s.channels[a.p[0]].fifo
    word = Cells("event_words", a.p, ("pending",), when=fifo)
    return (word, Cells("signals", a.p, ("pending",), when=Not(fifo)))
