"""Stores against the protocol: what a domain may spoil.

It may store what it likes into the words that it shares with Xen (public/xen.h, public/event_channel.h), and
so lose its own events; nothing here touches what Xen keeps, or what is another domain's. That is the frame
condition of each of these.
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.events.books import State
from xenspec.logic import Not
from xenspec.vocabulary import DomId, PortId, QueueId, SelectorId, VcpuId


@dataclass(frozen=True, slots=True)
class OfDomain:
    """A domain."""

    domain: DomId


@dataclass(frozen=True, slots=True)
class Signalled:
    """A port, and the 2-level bits that are stored."""

    p: PortId
    pending: bool
    masked: bool


@dataclass(frozen=True, slots=True)
class Selected:
    """A virtual CPU, a word of ports, and the selector bit that is stored."""

    v: VcpuId
    bank: int
    value: bool


@dataclass(frozen=True, slots=True)
class Upcalled:
    """A virtual CPU, and the upcall bytes that are stored."""

    v: VcpuId
    pending: bool
    masked: bool


@dataclass(frozen=True, slots=True)
class Worded:
    """A port, and the event word that is stored: pending, masked, linked, busy, and the link."""

    p: PortId
    bits: tuple[bool, bool, bool, bool]
    link: int


@dataclass(frozen=True, slots=True)
class Headed:
    """A virtual CPU, a queue, and what is stored as its head and ready bit."""

    v: VcpuId
    priority: int
    port: int
    ready: bool


SPOIL: Contract[State, OfDomain] = Contract("store against the protocol")
SPOIL_SIGNAL: Contract[State, Signalled] = Contract("store 2-level bits")
SPOIL_SELECTOR: Contract[State, Selected] = Contract("store a selector bit")
SPOIL_UPCALL: Contract[State, Upcalled] = Contract("store upcall bytes")
SPOIL_WORD: Contract[State, Worded] = Contract("store an event word")
SPOIL_HEAD: Contract[State, Headed] = Contract("store a head")


@SPOIL.does(property=24)
def who_spoils_its_words_is_promised_nothing(_: State, after: State, a: OfDomain) -> bool:
    """The domain has not kept to the protocol."""
    return Not(after.channels[a.domain].honest)


@SPOIL.touches
def _spoil(_: State, a: OfDomain) -> tuple[Cells, ...]:
    return (Cells("channels", a.domain, ("honest",)),)


@SPOIL_SIGNAL.does(property=33)
def the_bits_are_stored(_: State, after: State, a: Signalled) -> bool:
    """The port has the bits."""
    return (after.signals[a.p].pending == a.pending) & (after.signals[a.p].masked == a.masked)


@SPOIL_SIGNAL.touches
def _spoil_signal(_: State, a: Signalled) -> tuple[Cells, ...]:
    return (Cells("signals", a.p, ("pending", "masked")),)


@SPOIL_SELECTOR.does(property=33)
def the_selector_is_stored(_: State, after: State, a: Selected) -> bool:
    """The selector bit is as it was stored."""
    return after.selectors[a.v, a.bank].set == a.value


@SPOIL_SELECTOR.touches
def _spoil_selector(_: State, a: Selected) -> tuple[Cells, ...]:
    return (Cells("selectors", SelectorId((a.v, a.bank)), ("set",)),)


@SPOIL_UPCALL.does(property=33)
def the_upcall_bytes_are_stored(_: State, after: State, a: Upcalled) -> bool:
    """The upcall bytes are as they were stored."""
    return (after.upcalls[a.v].pending == a.pending) & (after.upcalls[a.v].masked == a.masked)


@SPOIL_UPCALL.touches
def _spoil_upcall(_: State, a: Upcalled) -> tuple[Cells, ...]:
    return (Cells("upcalls", a.v, ("pending", "masked")),)


@SPOIL_WORD.does(property=33)
def the_event_word_is_stored(_: State, after: State, a: Worded) -> bool:
    """The word is as it was stored."""
    word, (pending, masked, linked, busy) = after.event_words[a.p], a.bits
    first = (word.pending == pending) & (word.masked == masked)
    return first & (word.linked == linked) & (word.busy == busy) & (word.link == a.link)


@SPOIL_WORD.touches
def _spoil_word(_: State, a: Worded) -> tuple[Cells, ...]:
    return (Cells("event_words", a.p, ("pending", "masked", "linked", "busy", "link")),)


@SPOIL_HEAD.does(property=33)
def the_head_is_stored(_: State, after: State, a: Headed) -> bool:
    """The head and the ready bit are as they were stored."""
    head = after.heads[a.v, a.priority]
    return (head.port == a.port) & (head.ready == a.ready)


@SPOIL_HEAD.touches
def _spoil_head(_: State, a: Headed) -> tuple[Cells, ...]:
    return (Cells("heads", QueueId((a.v, a.priority)), ("port", "ready")),)
