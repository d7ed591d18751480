"""Lemmas of the proof alone: true of every reachable state, over more than one key, of no use to a monitor.

Written like invariants. Each says what it is for; one that no proof needs is deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xenmodel.memory import holders
from xenmodel.memory.rows import NO_FRAME, Place
from xenproofs.symbolic.sorts import K_FRAME, K_REF, K_SLOT
from xenspec.logic import Not, implies
from xenspec.vocabulary import DOMID_INVALID, NO_TYPE, SEG, SHARED, WRITABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenmodel.memory.holders import Holder
    from xenmodel.memory.holding import EntryHold, HeldState
    from xenproofs.symbolic.sorts import Kind
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


def no_frame_is_free_and_no_memory(s: HeldState, f: Mfn) -> bool:
    """The number that names no frame is held by nobody, is not memory and has no type."""
    frame = s.frames[f]
    return implies(
        f == NO_FRAME,
        lambda: (frame.ref_count == 0) & (frame.place == Place.IO) & (frame.type == NO_TYPE),
    )


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
)
