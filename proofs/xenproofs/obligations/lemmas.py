"""Lemmas of the proof alone: true of every reachable state, over more than one key, of no use to a monitor.

Written like invariants. Each says what it is for; one that no proof needs is deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from xenmodel.hardware.representation import State as TlbState
from xenmodel.hardware.representation import may_be_walked
from xenmodel.memory import holders
from xenmodel.memory.holding import HeldState
from xenmodel.memory.rows import NO_FRAME, Place
from xenproofs.symbolic.sorts import K_CPU, K_FRAME, K_REF, K_SLOT
from xenspec.logic import Not, both, conj, implies
from xenspec.vocabulary import DOMID_INVALID, L1, NO_TYPE, SEG, SHARED, WRITABLE, EntryId

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenmodel.memory.holders import Holder
    from xenmodel.memory.holding import EntryHold
    from xenproofs.symbolic.sorts import Kind
    from xenspec.table import ReadTable
    from xenspec.vocabulary import Mfn, WordId

Holding = tuple[int, "Holder"]


def typed_holder_is_a_general_holder(s: HeldState, h: Holding) -> bool:
    """Who holds a type reference of a frame holds a general reference of it too, of Xen's own pages apart."""
    row = s.held[h]
    return implies(row.typed, lambda: row.general | s.frames[h[0]].special)


def page_of_xen_is_allocated(s: HeldState, f: Mfn) -> bool:
    """Xen's own pages are allocated: a guest cannot give them up, so that Xen's type reference holds them."""
    return implies(s.frames[f].special, lambda: s.frames[f].allocated)


def writable_frame_is_validated(s: HeldState, f: Mfn) -> bool:
    """A frame of type writable or shared is validated whether it is held or not, but for its flush."""
    frame = s.frames[f]
    return implies(
        ((frame.type == WRITABLE) | (frame.type == SHARED)) & Not(frame.flushing), lambda: frame.validated
    )


def flush_precedes_the_work(s: HeldState, f: Mfn) -> bool:
    """A frame that is being flushed is to be a table, descriptors or writable, and has no partial child."""
    frame = s.frames[f]
    return implies(
        frame.flushing, lambda: Not(frame.partial_entry) & Not(frame.validated) & (frame.type != SHARED)
    )


def no_frame_is_free_and_no_memory(s: WalkedState, f: Mfn) -> bool:
    """The number that names no frame is held by nobody, is not memory, has no type, and never was a table."""
    frame = s.frames[f]
    unused = (frame.ref_count == 0) & Not(frame.validated) & Not(s.demotions[f].demoted)
    return implies(f == NO_FRAME, lambda: unused & (frame.place == Place.IO) & (frame.type == NO_TYPE))


def live_frame_has_an_owner(s: HeldState, f: Mfn) -> bool:
    """A frame that somebody holds belongs to somebody."""
    return implies(s.frames[f].ref_count > 0, lambda: s.frames[f].owner != DOMID_INVALID)


def typed_entry_hold_is_of_a_linked_entry(s: HeldState, h: EntryHold) -> bool:
    """Who holds a type reference as an entry is linked: a partial child waits with a general one only."""
    return implies(s.held[h[0], holders.entry(h[1], h[2])].typed, lambda: s.entries[h[1], h[2]].linked)


def typed_entry_hold_is_of_a_validated_frame(s: HeldState, h: EntryHold) -> bool:
    """What an entry holds by its type is validated: nobody else is at work on it."""
    return implies(s.held[h[0], holders.entry(h[1], h[2])].typed, lambda: s.frames[h[0]].validated)


def looked_at_descriptor_is_stored(s: HeldState, w: WordId) -> bool:
    """In the part of a descriptor page that was looked at, every descriptor is in its stored form."""
    frame = s.frames[w[0]]
    return implies(
        (frame.type == SEG) & (frame.type_count > 0) & Not(frame.flushing) & (w[1] < frame.next_slot),
        lambda: s.descriptors.accepted(s.words[w]) & (s.descriptors.stored(s.words[w]) == s.words[w]),
    )


def free_frame_is_not_validated(s: HeldState, f: Mfn) -> bool:
    """A frame that nobody holds is validated as nothing."""
    return implies(s.frames[f].ref_count == 0, lambda: Not(s.frames[f].validated))


def mapped_frame_is_not_free(s: HeldState, e: EntryId) -> bool:
    """What a linked entry holds is held by somebody."""
    row = s.entries[e]
    return implies(row.linked & row.backed, lambda: s.frames[row.target].ref_count > 0)


# --- What a demoted table's words still lead to -------------------------------------------------------------


class Past(Protocol):
    """What an entry mapped until it was unlinked last."""

    @property
    def foreign(self) -> bool:
        """A frame of another domain than its table's."""
        ...


class WalkedState(HeldState, TlbState, Protocol):
    """The state that the lemmas about cached prefixes read."""

    @property
    def pasts(self) -> ReadTable[tuple[int, int], Past]: ...  # noqa: D102 - named by its table


def frame_that_may_be_walked_is_ahead_of_its_flush(s: WalkedState, h: tuple[int, int]) -> bool:
    """What a CPU may have cached the way to is not given away, nor its type changed, before its flush."""
    c, f = h
    frame = s.frames[f]
    return implies(
        both(_exists(s, c), lambda: may_be_walked(s, c, f)) & (frame.flushing | (frame.ref_count == 0)),
        lambda: c >= frame.cursor,
    )


def _exists(s: WalkedState, c: int) -> bool:
    return (c >= 0) & (c < s.cpu_count)


def word_of_a_demoted_table_leads_to_a_table(s: WalkedState, h: tuple[int, int, int]) -> bool:
    """Above L1, a word that a CPU may still read names the owner's table, or what the CPU may walk too."""
    c, t, slot = h
    d = s.demotions[t]
    return implies(may_be_read(s, c, t, slot) & (d.demoted_from > L1), lambda: _names_a_table(s, c, t, slot))


def may_be_read(s: WalkedState, c: int, t: int, slot: int) -> bool:
    """The CPU may walk through what was a table, by a word of the guest's that is linked no more."""
    mine = (
        (s.demotions[t].demoted_from != s.pte.xen_level) | (slot < s.pte.xen_first) | (slot >= s.pte.xen_end)
    )
    return (
        _exists(s, c)
        & may_be_walked(s, c, t)
        & mine
        & s.pte.present(s.words[t, slot])
        & Not(s.entries[t, slot].linked)
    )


def _names_a_table(s: WalkedState, c: int, t: int, slot: int) -> bool:
    """The word's target is, or was when the CPU could still get there, a table as the word needs it."""
    word, d = s.words[t, slot], s.demotions[t]
    g = s.pte.target(word)
    frame, was = s.frames[g], s.demotions[g]
    return Not(s.pte.large(word)) & (
        (frame.validated & (frame.owner == d.demoted_owner) & _fits(s, word, d.demoted_from, frame.type))
        | (
            may_be_walked(s, c, g)
            & (was.demoted_owner == d.demoted_owner)
            & _fits(s, word, d.demoted_from, was.demoted_from)
        )
    )


def _fits(s: WalkedState, word: int, level: int, kind: int) -> bool:
    """A table of `level` may link one of `kind`: of the level below, or of its own if read-only."""
    return (kind == level - 1) | ((kind == level) & Not(s.pte.writable(word)))


def word_of_a_demoted_l1_table_leads_to_memory(s: WalkedState, h: tuple[int, int, int]) -> bool:
    """What a CPU may still reach by a word of a demoted L1 table is its owner's, or flushed in time."""
    c, t, slot = h
    d, e = s.demotions[t], s.entries[t, slot]
    g = s.pte.target(s.words[t, slot])
    return implies(
        may_be_read(s, c, t, slot) & (d.demoted_from == L1) & e.backed,
        lambda: (
            _is_flushed_in_time(s, c, g)
            & (
                _was_mapped(s, t, slot, g)
                | (
                    ((s.frames[g].owner == d.demoted_owner) | (s.frames[g].ref_count == 0))
                    & implies(s.pte.writable(s.words[t, slot]), lambda: _is_memory(s, c, g))
                )
            )
        ),
    )


def _was_mapped(s: WalkedState, t: int, slot: int, g: int) -> bool:
    """The frame is another domain's, and was when its entry was unlinked: `mapping_is_authorised` held of it.

    Since a handle may end, or come to name another frame, while the word is still there, what allowed the
    mapping is not asked of the handle that it rested on: that was proved while the entry was linked.
    """
    return (s.frames[g].owner != s.demotions[t].demoted_owner) & s.pasts[t, slot].foreign


def _is_flushed_in_time(s: WalkedState, c: int, g: int) -> bool:
    """Before a free frame is given away the CPU is flushed."""
    frame = s.frames[g]
    return implies(frame.ref_count == 0, lambda: (frame.stamp >= s.cpus[c].flushed_at) & (c >= frame.cursor))


def _is_memory(s: WalkedState, c: int, g: int) -> bool:
    """The frame is writable memory, or free, or the CPU is to be flushed; and it was no table since."""
    frame = s.frames[g]
    return conj(
        (frame.type == WRITABLE) | (frame.ref_count == 0) | (frame.flushing & (c >= frame.cursor)),
        implies(
            (frame.type != WRITABLE) | (frame.type_count == 0),
            lambda: frame.stamp >= s.cpus[c].flushed_at,
        ),
        Not(s.demotions[g].demoted),
    )


LEMMAS: Final[tuple[tuple[tuple[Kind, ...], Callable[..., object]], ...]] = (
    ((K_FRAME, K_REF), typed_holder_is_a_general_holder),
    ((K_FRAME,), page_of_xen_is_allocated),
    ((K_FRAME,), writable_frame_is_validated),
    ((K_FRAME,), flush_precedes_the_work),
    ((K_FRAME,), no_frame_is_free_and_no_memory),
    ((K_FRAME,), live_frame_has_an_owner),
    ((K_FRAME, K_FRAME, K_SLOT), typed_entry_hold_is_of_a_linked_entry),
    ((K_FRAME, K_FRAME, K_SLOT), typed_entry_hold_is_of_a_validated_frame),
    ((K_FRAME, K_SLOT), looked_at_descriptor_is_stored),
    ((K_FRAME,), free_frame_is_not_validated),
    ((K_FRAME, K_SLOT), mapped_frame_is_not_free),
    ((K_CPU, K_FRAME), frame_that_may_be_walked_is_ahead_of_its_flush),
    ((K_CPU, K_FRAME, K_SLOT), word_of_a_demoted_table_leads_to_a_table),
    ((K_CPU, K_FRAME, K_SLOT), word_of_a_demoted_l1_table_leads_to_memory),
)

_ENTRIES: Final = (
    "table_entry_links_the_level_below",
    "linear_entry_links_its_own_level_read_only",
    "unbacked_link_is_to_itself_read_only",
    "linked_entry_is_of_a_table_of_its_level",
    "frame_without_a_type_is_not_in_use",
    "validated_table_has_every_slot",
    "frame_at_work_has_one_holder",
    "linked_slot_is_below_next_slot",
    "linked_entry_agrees_with_its_word",
    "present_slot_below_next_slot_is_linked",
)
_PREFIXES: Final = (
    *_ENTRIES,
    "prefix_is_on_a_cpu_that_exists",
    "prefix_leads_to_a_table_or_what_was_one",
    "demoted_frame_is_nothing_else_yet",
    "demoted_frame_stays_with_its_owner",
    "word_of_a_demoted_table_leads_to_a_table",
)
_ENDS: Final = (
    "frame_that_may_be_walked_is_ahead_of_its_flush",
    "flush_precedes_the_work",
    "free_frame_is_not_validated",
)
_LEAVES: Final = (
    *_PREFIXES,
    *_ENDS,
    "demoted_frame_out_of_use_is_stamped",
    "word_of_a_demoted_l1_table_leads_to_memory",
    "mapped_frame_is_not_free",
    "writable_entry_targets_writable_frame",
    "mapping_is_authorised",
)
_OF_WORDS: Final = (
    "validated_table_is_in_use",
    "flight_finds_its_frame_as_it_left_it",
    "frame_that_may_be_walked_is_ahead_of_its_flush",
    "demoted_frame_is_nothing_else_yet",
    "demoted_frame_out_of_use_is_stamped",
    "demoted_frame_stays_with_its_owner",
    "flush_precedes_the_work",
    "flush_is_not_in_the_future",
    "free_frame_is_not_validated",
    "memory_is_validated",
)
_DEMOTING: Final = (
    *_OF_WORDS,
    "frame_without_a_type_is_not_in_use",
    "validated_table_has_every_slot",
    "present_slot_below_next_slot_is_linked",
)
_MARKED: Final = tuple(
    f"using an entry, {how} a store, leaves `{what}`"
    for how in ("with", "without")
    for what in ("present", "writable", "large", "target")
)
_GRANTED: Final = (
    *_OF_WORDS,
    "no_frame_is_free_and_no_memory",
    "page_of_a_table_is_writable_memory",
    "page_of_status_is_writable_memory",
    "copy_is_of_what_was_granted",
)
_STORED: Final = (*_OF_WORDS, "cached_writable_was_no_table_since")
NEAR: Final[dict[str, tuple[str, ...]]] = {
    "extend_prefix.prefix_leads_to_a_table_or_what_was_one": _PREFIXES,
    "extend_prefix.prefix_of_a_frame_out_of_use_is_ahead_of_its_flush": (*_PREFIXES, *_ENDS),
    "fill_through.cached_writable_translation_reaches_no_table": _LEAVES,
    "fill_through.cached_translation_stays_with_its_owner": _LEAVES,
    "fill_through.cached_writable_targets_writable_or_is_to_be_flushed": _LEAVES,
    "fill_through.cached_writable_out_of_use_is_stamped": _LEAVES,
    "fill_through.cached_free_frame_is_stamped": _LEAVES,
    "fill_through.cached_free_frame_is_ahead_of_its_flush": _LEAVES,
    "fill_through.cached_writable_was_no_table_since": _LEAVES,
    "drop_type.word_of_a_demoted_table_leads_to_a_table": _DEMOTING,
    "drop_type.word_of_a_demoted_l1_table_leads_to_memory": _DEMOTING,
    "release.word_of_a_demoted_table_leads_to_a_table": (
        *_PREFIXES,
        "linked_entry_names_one_frame",
        "validated_table_is_in_use",
        "flight_finds_its_frame_as_it_left_it",
    ),
    "mark_used.word_of_a_demoted_table_leads_to_a_table": _MARKED,
    "mark_used.word_of_a_demoted_l1_table_leads_to_memory": _MARKED,
    "mark_through.word_of_a_demoted_table_leads_to_a_table": _MARKED,
    "mark_through.word_of_a_demoted_l1_table_leads_to_memory": _MARKED,
    "store_through.word_of_a_demoted_table_leads_to_a_table": _STORED,
    "store_through.word_of_a_demoted_l1_table_leads_to_memory": _STORED,
    "grants.word_of_a_demoted_table_leads_to_a_table": _GRANTED,
    "grants.word_of_a_demoted_l1_table_leads_to_memory": _GRANTED,
    "copy_unit.word_of_a_demoted_table_leads_to_a_table": (*_OF_WORDS, "copies_go_into_writable_memory"),
    "copy_unit.word_of_a_demoted_l1_table_leads_to_memory": (*_OF_WORDS, "copies_go_into_writable_memory"),
    "pin_passing.granting_domain_exists": ("table_of_the_second_layout_is_of_whom_there_is",),
    "mark_descriptor.word_of_a_demoted_table_leads_to_a_table": (
        "demoted_frame_is_nothing_else_yet",
        "gdt_page_is_of_the_descriptor_type",
        "ldt_page_is_of_the_descriptor_type",
        "flush_precedes_the_work",
    ),
    "word_of_a_demoted_table_leads_to_a_table": _OF_WORDS,
    "word_of_a_demoted_l1_table_leads_to_memory": _OF_WORDS,
}
"""What a statement follows from most often beside itself, statements and axioms: by its name, or by that of a
step, or of a subsystem, and its own."""
