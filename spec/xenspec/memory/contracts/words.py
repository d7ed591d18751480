"""Words: who may store where, and that the word is stored there and nowhere else.

Whoever stores raw words holds the frame as writable memory, or as a page of descriptors; the processor stores
through a translation that it has, and marks what it uses.
"""

from dataclasses import dataclass

from xenspec.contract import EVERY, Cells, Contract
from xenspec.logic import Not, implies
from xenspec.memory.contracts.references import InFlight
from xenspec.memory.contracts.types import held
from xenspec.memory.frames import NO_FRAME
from xenspec.memory.state import State
from xenspec.vocabulary import SEG, WRITABLE, EntryId, FlightId, Mfn, Mode


@dataclass(frozen=True, slots=True)
class Stored:
    """A word, and where it is stored."""

    frame: Mfn
    slot: int
    word: int


@dataclass(frozen=True, slots=True)
class Place:
    """A slot of a frame."""

    frame: Mfn
    slot: int


@dataclass(frozen=True, slots=True)
class Unwalked:
    """A flight with a top-level table that is looked at, and a slot of it."""

    k: FlightId
    slot: int


@dataclass(frozen=True, slots=True)
class Copied:
    """A frame that is written, the one that is read, and any slot."""

    frame: Mfn
    source: Mfn
    slot: int


@dataclass(frozen=True, slots=True)
class XensPage:
    """A top-level table, any slot, and whether the guest is to see the machine-to-physical map there."""

    frame: Mfn
    slot: int
    shown: bool


STORE: Contract[State, Stored] = Contract("store a word")
HOLD_MEMORY: Contract[State, InFlight] = Contract("hold writable memory")
HOLD_DESCRIPTORS: Contract[State, InFlight] = Contract("hold descriptors or memory")
ACCEPT: Contract[State, Stored] = Contract("accept a descriptor")
USE_ENTRY: Contract[State, Place] = Contract("use an entry")
LOAD: Contract[State, Place] = Contract("load a descriptor")
EMPTY_UNUSED: Contract[State, Unwalked] = Contract("empty a word of a table that no walk reads")
CLEAR: Contract[State, Place] = Contract("clear a page")
COPY: Contract[State, Copied] = Contract("copy a page")
WRITE_XENS: Contract[State, XensPage] = Contract("write Xen's own slots")
SHOW_MAP: Contract[State, XensPage] = Contract("show or hide the machine-to-physical map")


@STORE.asks(property=10)
def a_word_is_stored_inside_its_frame(s: State, a: Stored) -> bool:
    """A word is stored at a slot that the frame has."""
    return (a.slot >= 0) & (a.slot < s.pte.slots)


@STORE.does(property=33)
def the_word_is_stored(_: State, after: State, a: Stored) -> bool:
    """The slot holds the word."""
    return after.words[a.frame, a.slot] == a.word


@STORE.touches
def _store(_: State, a: Stored) -> tuple[Cells, ...]:
    return (Cells("words", (a.frame, a.slot), ("word",)),)


@HOLD_MEMORY.asks(property=(1, 15))
def raw_words_go_to_writable_memory(s: State, a: InFlight) -> bool:
    """Raw words are stored only into a frame that is held as writable memory."""
    return (s.flights[a.k].mode == Mode.HELD) & (held(s, a.k).type == WRITABLE)


@HOLD_DESCRIPTORS.asks(property=(1, 9, 15))
def descriptors_go_to_descriptor_pages_or_memory(s: State, a: InFlight) -> bool:
    """A descriptor is stored only into a frame that is held, as descriptors or as writable memory."""
    kind = held(s, a.k).type
    return (s.flights[a.k].mode == Mode.HELD) & ((kind == SEG) | (kind == WRITABLE))


@ACCEPT.asks(property=9)
def only_an_acceptable_descriptor_is_stored(s: State, a: Stored) -> bool:
    """A descriptor by which a guest would gain a privilege is refused."""
    return s.descriptors.accepted(a.word)


# --- What the processor stores ------------------------------------------------------------------------------


@USE_ENTRY.asks(property=10)
def the_processor_marks_what_it_can_use(s: State, a: Place) -> bool:
    """The processor uses a present entry of a table: one that is linked, or a slot of Xen's own."""
    entry = EntryId((a.frame, a.slot))
    return s.pte.present(s.words[entry]) & (s.entries[entry].linked | is_xens_slot(s, a.frame, a.slot))


def is_xens_slot(s: State, frame: int, slot: int) -> bool:
    """A slot of a table is Xen's own."""
    row = s.frames[frame]
    return (
        (row.type == s.pte.xen_level)
        & (s.pte.xen_in_each | row.top_l2)
        & (slot >= s.pte.xen_first)
        & (slot < s.pte.xen_end)
    )


@LOAD.asks(property=9)
def the_processor_loads_a_descriptor_in_place(s: State, a: Place) -> bool:
    """A descriptor is loaded from a page in place, and only if ring 3 may load it."""
    return (a.frame != NO_FRAME) & s.descriptors.loadable(s.words[a.frame, a.slot])


# --- Whole pages --------------------------------------------------------------------------------------------


@EMPTY_UNUSED.asks(property=(4, 10))
def only_what_no_walk_reads_is_emptied(s: State, a: Unwalked) -> bool:
    """The flight looks at a top-level table, has not come to the slot, and no walk reads it."""
    flight, frame = s.flights[a.k], s.frames[s.flights[a.k].frame]
    ahead = (frame.type == s.pte.levels) & (frame.next_slot <= a.slot)
    return (flight.mode == Mode.VALIDATING) & ahead & (a.slot >= s.pte.walked) & (a.slot < s.pte.slots)


@CLEAR.does(property=33)
def a_cleared_page_holds_zeros(_: State, after: State, a: Place) -> bool:
    """Every word of the page is zero."""
    return implies(_inside(after, a.slot), lambda: after.words[a.frame, a.slot] == 0)


def _inside(s: State, slot: int) -> bool:
    """A frame has such a slot."""
    return (slot >= 0) & (slot < s.pte.slots)


@CLEAR.touches
def _clear(_: State, a: Place) -> tuple[Cells, ...]:
    return (Cells("words", (a.frame, EVERY), ("word",)),)


@COPY.does(property=33)
def a_copied_page_holds_what_its_source_held(before: State, after: State, a: Copied) -> bool:
    """Every word of the page is what the same word of the source was."""
    return implies(
        _inside(after, a.slot), lambda: after.words[a.frame, a.slot] == before.words[a.source, a.slot]
    )


@COPY.touches
def _copy(_: State, a: Copied) -> tuple[Cells, ...]:
    return (Cells("words", (a.frame, EVERY), ("word",)),)


@WRITE_XENS.asks(property=10)
def xens_slots_are_written_before_the_table_is_used(s: State, a: XensPage) -> bool:
    """Xen writes its slots into a table of which everything was looked at and which nobody uses yet."""
    row = s.frames[a.frame]
    return (row.type == s.pte.xen_level) & (row.next_slot == s.pte.slots) & (row.type_count == 1)


@WRITE_XENS.does(property=10)
def xens_slots_hold_xens_words(_: State, after: State, a: XensPage) -> bool:
    """Every slot that is Xen's holds what Xen writes there, with the machine-to-physical map or without."""
    return implies(
        (a.slot >= after.pte.xen_first) & (a.slot < after.pte.xen_end),
        lambda: after.words[a.frame, a.slot] == after.xens.own(a.frame, a.slot, shown=a.shown),
    )


@WRITE_XENS.touches
def _write_xens(_: State, a: XensPage) -> tuple[Cells, ...]:
    return (Cells("words", (a.frame, EVERY), ("word",)),)


@WRITE_XENS.does(property=10)
def the_guests_slots_stay(before: State, after: State, a: XensPage) -> bool:
    """Every slot that is the guest's holds what it held."""
    return implies(
        _inside(after, a.slot) & ((a.slot < after.pte.xen_first) | (a.slot >= after.pte.xen_end)),
        lambda: after.words[a.frame, a.slot] == before.words[a.frame, a.slot],
    )


@SHOW_MAP.asks(property=10)
def the_map_is_shown_in_a_top_level_table(s: State, a: XensPage) -> bool:
    """The machine-to-physical map has a slot in top-level tables only."""
    return s.frames[a.frame].type == s.pte.levels


@SHOW_MAP.does(property=10)
def the_map_is_shown_or_hidden(_: State, after: State, a: XensPage) -> bool:
    """The slot of the machine-to-physical map holds what Xen writes there."""
    return after.words[a.frame, after.pte.xen_first] == after.xens.own(
        a.frame, after.pte.xen_first, shown=a.shown
    )


@SHOW_MAP.touches
def _show_map(s: State, a: XensPage) -> tuple[Cells, ...]:
    return (Cells("words", (a.frame, s.pte.xen_first), ("word",)),)


# --- Slot by slot -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OnFlight:
    """A flight, and a slot of the frame that it holds."""

    k: FlightId
    slot: int


TAKE_SLOT: Contract[State, OnFlight] = Contract("look at the next slot")
ADVANCE: Contract[State, Place] = Contract("come as far as a slot")


@TAKE_SLOT.asks(property=5, advisories=(299,))
def slots_are_looked_at_one_after_another(s: State, a: OnFlight) -> bool:
    """A table or a descriptor page is looked at slot by slot, by its one worker."""
    return (
        (s.flights[a.k].mode == Mode.VALIDATING)
        & (held(s, a.k).next_slot == a.slot)
        & (a.slot < s.pte.slots)
        & Not(held(s, a.k).partial_entry)
    )


@ADVANCE.does(property=(5, 17))
def the_work_has_come_so_far(_: State, after: State, a: Place) -> bool:
    """The next slot to look at is the one that is named."""
    return after.frames[a.frame].next_slot == a.slot


@ADVANCE.touches
def _advance(_: State, a: Place) -> tuple[Cells, ...]:
    return (Cells("frames", a.frame, ("next_slot",)),)
