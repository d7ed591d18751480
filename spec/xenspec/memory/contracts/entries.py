"""Page-table entries: who may name which frame in which table, and what is stored.

An entry is stored with the reference that it needs, which was taken before; what it held before goes into
flight, so that no frame is without a holder in between. The counts of linear links are books of both tables;
their values are what invariants say.
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.logic import Not, either, implies, ite
from xenspec.memory.contracts.types import is_table
from xenspec.memory.contracts.words import is_xens_slot
from xenspec.memory.entries import EntryRow
from xenspec.memory.state import State
from xenspec.vocabulary import L1, WRITABLE, FlightId, Mfn, Mode

MOST_LINEAR = (1 << 15) - 1
"""A number of own linear entries that may not be raised any more (a signed 16-bit field)."""
MOST_LINEAR_USES = 1 << 15
"""A number of linear entries of others, counted below zero, that may not be raised any more."""


@dataclass(frozen=True, slots=True)
class Linked:
    """An entry that is stored: where, what, and how it is backed."""

    table: Mfn
    slot: int
    word: int
    backed: bool
    linear: bool


@dataclass(frozen=True, slots=True)
class Backing:
    """The flight whose reference a table's new entry takes over."""

    kn: FlightId
    table: Mfn
    word: int
    linear: bool


@dataclass(frozen=True, slots=True)
class Named:
    """A flight at work on a table, and the word by which the table is to name a frame."""

    k: FlightId
    table: Mfn
    word: int


@dataclass(frozen=True, slots=True)
class TakenOut:
    """A slot of a table whose reference goes to a flight."""

    table: Mfn
    slot: int
    ko: FlightId


@dataclass(frozen=True, slots=True)
class Locked:
    """A flight that has locked a table, and a slot of it."""

    k: FlightId
    slot: int


LINK: Contract[State, Linked] = Contract("link an entry")
BACK: Contract[State, Backing] = Contract("back an entry by a reference")
NAME: Contract[State, Named] = Contract("name a frame")
NAME_UNBACKED: Contract[State, Named] = Contract("name a frame without a reference")
NAME_LINEAR: Contract[State, Named] = Contract("name a table of the same level")
TAKE_OUT: Contract[State, TakenOut] = Contract("take an entry's reference out")
UNLINK: Contract[State, TakenOut] = Contract("unlink an entry")
UPDATE: Contract[State, Locked] = Contract("update a table in use")
CHANGE_FLAGS: Contract[State, Linked] = Contract("change an entry's flags")
STORE_ABSENT: Contract[State, Linked] = Contract("store a word that is not present")


@LINK.asks(property=4)
def a_linked_word_is_present_and_names_one_frame(s: State, a: Linked) -> bool:
    """Only a word that the processor would use is linked, and above L1 it maps no memory itself."""
    return s.pte.present(a.word) & either(s.frames[a.table].type == L1, lambda: Not(s.pte.large(a.word)))


@LINK.does(property=(1, 4, 33))
def the_entry_is_linked_as_its_word_says(before: State, after: State, a: Linked) -> bool:
    """The entry is linked at its table's level, with the target and the permission of its word."""
    entry = after.entries[a.table, a.slot]
    return (
        entry.linked
        & (entry.linked_as == before.frames[a.table].type)
        & (entry.target == before.pte.target(a.word))
        & (entry.writable == before.pte.writable(a.word))
        & (entry.backed == a.backed)
        & (entry.linear == a.linear)
    )


@LINK.touches
def _link(s: State, a: Linked) -> tuple[Cells, ...]:
    names = ("linked", "linked_as", "target", "writable", "backed", "linear")
    return (
        Cells("entries", (a.table, a.slot), names),
        Cells("frames", a.table, ("linear",), when=a.linear),
        Cells("frames", s.pte.target(a.word), ("linear",), when=a.linear),
    )


def _needs_type(s: State, a: Backing) -> bool:
    """The entry needs a type reference: it is writable, or of a table above L1."""
    return (s.frames[a.table].type > L1) | s.pte.writable(a.word)


@BACK.asks(property=(1, 4, 6))
def the_reference_is_the_one_that_the_entry_needs(s: State, a: Backing) -> bool:
    """The flight holds the word's target, typed if the entry is writable or of a table above L1."""
    return (s.flights[a.kn].frame == s.pte.target(a.word)) & (
        s.flights[a.kn].mode == ite(_needs_type(s, a), Mode.HELD, Mode.REF)
    )


@BACK.asks(property=(1, 4))
def the_target_is_of_the_type_that_the_entry_needs(s: State, a: Backing) -> bool:
    """The target is a table of the level below, or of the same level if linear; or writable, if written."""
    kind, level = s.frames[s.pte.target(a.word)].type, s.frames[a.table].type
    return implies(_needs_type(s, a), lambda: kind == ite(level == L1, WRITABLE, level - ite(a.linear, 0, 1)))


@BACK.does(property=6)
def the_reference_is_the_entrys_now(_: State, after: State, a: Backing) -> bool:
    """The flight holds nothing any more."""
    return after.flights[a.kn].mode == Mode.IDLE


@BACK.touches
def _back(_: State, a: Backing) -> tuple[Cells, ...]:
    return (Cells("flights", a.kn, ("mode",)),)


# --- Authority ----------------------------------------------------------------------------------------------


@NAME.asks(property=(2, 15))
def a_table_names_its_owners_frames(s: State, a: Named) -> bool:
    """A table names frames of its own domain; the control domain may map others, in L1 tables."""
    target, table = s.frames[s.pte.target(a.word)], s.frames[a.table]
    actor = s.domains[s.vcpus[a.k[0]].domain]
    return (target.owner == table.owner) | ((table.type == L1) & actor.privileged)


@NAME_UNBACKED.asks(property=(1, 2, 4, 15))
def without_a_reference_only_devices_and_itself(s: State, a: Named) -> bool:
    """Without a reference an L1 table maps device memory of a domain with I/O rights; others themselves."""
    table, target = s.frames[a.table], s.pte.target(a.word)
    device = s.frames[target]
    return ite(
        table.type == L1,
        s.domains[table.owner].io_rights
        & device.mappable_io
        & Not(s.pte.writable(a.word) & device.readonly_io),
        is_table(table) & (target == a.table) & Not(s.pte.writable(a.word)),
    )


@NAME_LINEAR.asks(property=(1, 4), advisories=(182, 240))
def a_table_of_the_same_level_is_named_read_only_one_deep(s: State, a: Named) -> bool:
    """A table above L1 names another validated one of its level, read-only; the two are no chain."""
    table, target = s.frames[a.table], s.pte.target(a.word)
    other = s.frames[target]
    return (
        is_table(table)
        & (table.type > L1)
        & (other.type == table.type)
        & other.validated
        & (target != a.table)
        & Not(s.pte.writable(a.word))
        & (table.linear >= 0)
        & (other.linear <= 0)
    )


@NAME_LINEAR.asks(property=6)
def the_linear_counts_have_room(s: State, a: Named) -> bool:
    """A table's own linear entries, and others' to it, are not counted beyond their field."""
    other = s.frames[s.pte.target(a.word)]
    return (s.frames[a.table].linear < MOST_LINEAR) & (other.linear > -MOST_LINEAR_USES)


# --- Taking out ---------------------------------------------------------------------------------------------


def _kept(s: State, a: TakenOut) -> EntryRow:
    return s.entries[a.table, a.slot]


@TAKE_OUT.asks(property=6)
def an_old_reference_goes_to_an_idle_flight(s: State, a: TakenOut) -> bool:
    """The flight that is to have an entry's old reference holds nothing."""
    return s.flights[a.ko].mode == Mode.IDLE


@TAKE_OUT.does(property=6)
def the_flight_has_what_the_entry_held(before: State, after: State, a: TakenOut) -> bool:
    """The flight holds the old target, typed if the entry was writable or of a table above L1."""
    old = _kept(before, a)
    typed = (old.linked_as > L1) | old.writable
    return implies(
        old.linked & old.backed,
        lambda: (
            (after.flights[a.ko].frame == old.target)
            & (after.flights[a.ko].mode == ite(typed, Mode.HELD, Mode.REF))
        ),
    )


@TAKE_OUT.touches
def _take_out(s: State, a: TakenOut) -> tuple[Cells, ...]:
    old = _kept(s, a)
    held, linear = old.linked & old.backed, old.linked & old.linear
    return (
        Cells("flights", a.ko, ("mode", "frame"), when=held),
        Cells("frames", a.table, ("linear",), when=linear),
        Cells("frames", old.target, ("linear",), when=linear),
    )


@UNLINK.does(property=4)
def the_processor_uses_the_slot_no_more(_: State, after: State, a: TakenOut) -> bool:
    """The slot is not linked, and counts as no linear link."""
    return Not(after.entries[a.table, a.slot].linked) & Not(after.entries[a.table, a.slot].linear)


@UNLINK.touches
def _unlink(_: State, a: TakenOut) -> tuple[Cells, ...]:
    return (Cells("entries", (a.table, a.slot), ("linked", "linear")),)


# --- Updating a table in use --------------------------------------------------------------------------------


@UPDATE.asks(property=(5, 10))
def only_a_held_table_is_updated(s: State, a: Locked) -> bool:
    """Whoever updates a table in use holds it as the table that it is."""
    return (s.flights[a.k].mode == Mode.HELD) & is_table(s.frames[s.flights[a.k].frame])


@UPDATE.asks(property=10)
def xens_slots_are_not_updated(s: State, a: Locked) -> bool:
    """A guest updates slots that the table has and that are not Xen's own."""
    f = s.flights[a.k].frame
    return (a.slot >= 0) & (a.slot < s.pte.slots) & Not(is_xens_slot(s, f, a.slot))


@CHANGE_FLAGS.asks(property=(1, 2, 4))
def flags_change_only_of_a_link_to_the_same_frame(s: State, a: Linked) -> bool:
    """What is changed in place is linked, and goes on naming the same frame with the same permission."""
    entry = s.entries[a.table, a.slot]
    return (
        entry.linked
        & s.pte.present(a.word)
        & (entry.target == s.pte.target(a.word))
        & (entry.writable == s.pte.writable(a.word))
    )


@STORE_ABSENT.asks(property=4)
def what_is_not_linked_is_not_present(s: State, a: Linked) -> bool:
    """A word that is stored without a link is one that the processor does not use."""
    return Not(s.pte.present(a.word))
