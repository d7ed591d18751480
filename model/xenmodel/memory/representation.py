"""How this model keeps its books of frames, entries and flights: invariants over the concrete rows.

The counts of a frame are the number of its holders (ghost state, see xenmodel.memory.books); who these are is
the matter of xenmodel.memory.holding.

The states between the steps of a promotion or demotion are told apart by four fields. FLUSHING: `flushing`,
type set, nothing validated. At work: neither `validated` nor `flushing` nor `partial`, entries below
`next_slot` linked, one typed holder in flight. Partial: the same, held by itself. Validated: at rest.
"""

from xenmodel.memory.books import REPRESENTATION, State, is_table
from xenmodel.memory.rows import (
    DEVALIDATING,
    FLUSHING,
    HELD,
    IDLE,
    LINEAR_LIMIT,
    LINEAR_USES_LIMIT,
    NO_FRAME,
    REF_LIMIT,
    TYPE_LIMIT,
    VALIDATING,
)
from xenmodel.views import FrameView
from xenspec.logic import Not, conj, implies, ite
from xenspec.vocabulary import (
    DOMID_INVALID,
    L1,
    SEG,
    SHARED,
    WRITABLE,
    EntryId,
    EoiFrameId,
    EventFrameId,
    FlightId,
    Mfn,
    Mode,
    VcpuId,
    WordId,
)

__all__ = ["REPRESENTATION"]

invariant = REPRESENTATION.invariant


# --- Counts -------------------------------------------------------------------------------------------------


@invariant(property=6, advisories=(58, 113, 299))
def type_count_is_the_number_of_typed_holders(s: State, f: Mfn) -> bool:
    """A frame's type count is the number of those who hold it as what it is."""
    return s.frames[f].type_count == s.counts[f].typed


@invariant(property=6, advisories=(58, 113, 299))
def ref_count_is_the_number_of_holders(s: State, f: Mfn) -> bool:
    """A frame's general count is the number of those who hold it."""
    return s.frames[f].ref_count == s.counts[f].general


@invariant(property=6)
def counts_stay_in_their_width(s: State, f: Mfn) -> bool:
    """No count leaves its field, two are never negative; a partial table may take the reserved reference."""
    frame = s.frames[f]
    return (
        (frame.type_count >= 0)
        & (frame.type_count <= TYPE_LIMIT)
        & (frame.ref_count >= 0)
        & (frame.ref_count <= REF_LIMIT + ite(frame.partial_ref, 1, 0))
        & (frame.linear + LINEAR_USES_LIMIT >= 0)
        & (frame.linear <= LINEAR_LIMIT)
    )


@invariant(property=(4, 6), advisories=(240, 309))
def linear_counter_tells_own_entries_from_uses(s: State, f: Mfn) -> bool:
    """A table's linear counter is its own linear entries less the uses of it, and it has not both."""
    counts = s.counts[f]
    return (
        (s.frames[f].linear == counts.own - counts.uses)
        & (counts.own >= 0)
        & (counts.uses >= 0)
        & ((counts.own == 0) | (counts.uses == 0))
    )


# --- Frames -------------------------------------------------------------------------------------------------


@invariant(property=5, advisories=(299,))
def validated_table_has_every_slot(s: State, f: Mfn) -> bool:
    """A validated page table has been looked at up to its last slot."""
    frame = s.frames[f]
    return implies(frame.validated & is_table(frame.type), lambda: frame.next_slot == s.pte.slots)


@invariant(property=5)
def memory_is_validated(s: State, f: Mfn) -> bool:
    """Writable and shared memory is validated, in use or not, once the flush of its change is over."""
    frame = s.frames[f]
    return implies(
        ((frame.type == WRITABLE) | (frame.type == SHARED)) & Not(frame.flushing),
        lambda: frame.validated,
    )


@invariant(property=(5, 8), advisories=(401,))
def flushing_frame_is_in_no_other_state(s: State, f: Mfn) -> bool:
    """A frame whose change of type is being flushed is neither partial nor pinned, and counts its CPUs."""
    frame = s.frames[f]
    return implies(
        frame.flushing,
        lambda: (
            Not(frame.partial)
            & Not(frame.partial_ref)
            & Not(frame.pinned)
            & (frame.cursor >= 0)
            & (frame.cursor <= s.cpu_count)
        ),
    )


@invariant(property=5, advisories=(299, 401))
def unvalidated_frame_has_one_holder(s: State, f: Mfn) -> bool:
    """A frame that is not validated has at most one typed holder: who is at work on it, or itself."""
    frame = s.frames[f]
    return implies(Not(frame.validated), lambda: frame.type_count <= 1)


@invariant(property=5, advisories=(299, 401))
def frame_at_work_has_one_holder(s: State, f: Mfn) -> bool:
    """A frame that is being flushed, or is an unfinished table, has exactly one typed holder."""
    frame = s.frames[f]
    return implies(
        frame.flushing | frame.partial | frame.partial_ref | frame.partial_entry,
        lambda: (frame.type_count == 1) & Not(frame.validated),
    )


@invariant(property=5, advisories=(299,))
def partial_frame_is_a_table_that_holds_itself(s: State, f: Mfn) -> bool:
    """A partial frame is an unfinished page table with both references of its own."""
    frame = s.frames[f]
    return implies(
        frame.partial,
        lambda: is_table(frame.type) & Not(frame.flushing) & frame.partial_ref,
    )


@invariant(property=6, advisories=(299,))
def partial_reference_is_of_an_unfinished_table(s: State, f: Mfn) -> bool:
    """The general reference of a partial table lasts no longer than the work on it."""
    frame = s.frames[f]
    return implies(frame.partial_ref, lambda: is_table(frame.type) & Not(frame.flushing))


@invariant(property=(5, 6), advisories=(299,))
def partial_entry_is_the_next_of_an_unfinished_table(s: State, f: Mfn) -> bool:
    """A partial child waits at the slot where the work on its parent goes on."""
    frame = s.frames[f]
    return implies(
        frame.partial_entry,
        lambda: is_table(frame.type) & (frame.type > L1) & (frame.next_slot < s.pte.slots),
    )


@invariant(property=5)
def next_slot_is_a_slot_or_the_end(s: State, f: Mfn) -> bool:
    """The next slot to look at is one of the frame, or its end."""
    frame = s.frames[f]
    return (frame.next_slot >= 0) & (frame.next_slot <= s.pte.slots)


@invariant(property=5)
def table_with_slots_looked_at_is_in_use(s: State, f: Mfn) -> bool:
    """A page table of which slots were looked at is held as one; out of use, it has nothing linked."""
    frame = s.frames[f]
    return implies(is_table(frame.type) & (frame.next_slot != 0), lambda: frame.type_count > 0)


@invariant(property=7)
def ownerless_frame_keeps_nothing(s: State, f: Mfn) -> bool:
    """A frame that belongs to nobody is in no state of work and counts nothing."""
    frame = s.frames[f]
    return implies(
        frame.owner == DOMID_INVALID,
        lambda: (
            Not(frame.partial)
            & Not(frame.partial_ref)
            & Not(frame.partial_entry)
            & Not(frame.flushing)
            & (frame.linear == 0)
            & Not(frame.noncoherent)
        ),
    )


@invariant(property=5, advisories=(402,))
def noncoherent_frame_is_writable(s: State, f: Mfn) -> bool:
    """Only writable memory is marked as mapped write-combining, or what is just ceasing to be it."""
    frame = s.frames[f]
    return implies(frame.noncoherent, lambda: (frame.type == WRITABLE) | frame.flushing)


# --- Entries ------------------------------------------------------------------------------------------------


@invariant(property=5, advisories=(299,))
def linked_slot_is_below_next_slot(s: State, e: EntryId) -> bool:
    """An entry is linked only in the part of its table that has been looked at."""
    return implies(
        s.entries[e].linked,
        lambda: (e[1] >= 0) & (e[1] < s.frames[e[0]].next_slot) & Not(s.frames[e[0]].flushing),
    )


@invariant(property=(1, 4), advisories=(148, 182))
def linked_entry_agrees_with_its_word(s: State, e: EntryId) -> bool:
    """The row of a linked entry says what the processor reads: present, the target, the permission."""
    row = s.entries[e]
    return implies(
        row.linked,
        lambda: (
            s.pte.present(s.words[e])
            & (s.pte.target(s.words[e]) == row.target)
            & (s.pte.writable(s.words[e]) == row.writable)
        ),
    )


@invariant(property=5, advisories=(299,))
def present_slot_below_next_slot_is_linked(s: State, e: EntryId) -> bool:
    """What the processor would use in the validated part of a table is linked, Xen's own slots apart."""
    return implies(
        s.pte.present(s.words[e]) & Not(s.entries[e].linked),
        lambda: (
            (e[1] >= s.frames[e[0]].next_slot)
            | Not(is_table(s.frames[e[0]].type))
            | s.frames[e[0]].flushing
            | is_xens(s, e[0], e[1])
            | ((s.frames[e[0]].type == s.pte.levels) & (e[1] >= s.pte.walked))
        ),
    )


def is_xens(s: State, f: int, slot: int) -> bool:
    """Return whether a slot is Xen's own, the frame being of its type."""
    return (
        (s.frames[f].type == s.pte.xen_level)
        & (s.pte.xen_in_each | s.frames[f].top_l2)
        & (slot >= s.pte.xen_first)
        & (slot < s.pte.xen_end)
    )


@invariant(property=4, advisories=(240,))
def linear_entry_is_counted_at_both_ends(s: State, e: EntryId) -> bool:
    """A linear entry is linked; its table counts it as its own, its target as a use, so that none is both."""
    row = s.entries[e]
    return implies(
        row.linear,
        lambda: row.linked & (s.frames[e[0]].linear > 0) & (s.frames[row.target].linear < 0),
    )


@invariant(property=10)
def xens_slots_hold_what_xen_wrote(s: State, w: WordId) -> bool:
    """The slots of a validated table that belong to Xen hold Xen's words."""
    return implies(
        (w[1] >= s.pte.xen_first) & (w[1] < s.pte.xen_end) & Not(s.xens.written(w[0], w[1], s.words[w])),
        lambda: Not(is_xens(s, w[0], w[1]) & s.frames[w[0]].validated),
    )


@invariant(property=9)
def unstored_descriptor_is_in_no_descriptor_page(s: State, w: WordId) -> bool:
    """A word that Xen would refuse as a descriptor, or change, is in no validated descriptor page."""
    return implies(
        Not(_is_stored_form(s, w)),
        lambda: (s.frames[w[0]].type != SEG) | Not(s.frames[w[0]].validated),
    )


def _is_stored_form(s: State, w: WordId) -> bool:
    """The word is a descriptor that Xen accepts, in the form in which it stores it."""
    return s.descriptors.accepted(s.words[w]) & (s.descriptors.stored(s.words[w]) == s.words[w])


# --- Flights and virtual CPUs -------------------------------------------------------------------------------


@invariant(property=(5, 6), advisories=(299, 401))
def flight_finds_its_frame_as_it_left_it(s: State, k: FlightId) -> bool:
    """What an in-flight reference is doing is what its frame is in: flushed, worked on, or validated."""
    flight = s.flights[k]
    return implies(flight.mode != IDLE, lambda: _finds(flight.mode, s.frames[flight.frame]))


def _finds(mode: Mode, frame: FrameView) -> bool:
    """The frame is as a flight in this mode leaves it."""
    return conj(
        implies(mode == FLUSHING, lambda: frame.flushing & (frame.type_count == 1)),
        implies(
            (mode == VALIDATING) | (mode == DEVALIDATING),
            lambda: Not(frame.flushing) & Not(frame.validated) & Not(frame.partial) & (frame.type_count == 1),
        ),
        implies(mode == VALIDATING, lambda: is_table(frame.type) | (frame.type == SEG)),
        implies(mode == DEVALIDATING, lambda: is_table(frame.type)),
        implies(mode == HELD, lambda: frame.validated & (frame.type_count > 0)),
    )


@invariant(property=7)
def flight_is_of_a_live_frame(s: State, k: FlightId) -> bool:
    """A frame with a reference in flight is not free."""
    return implies(s.flights[k].mode != IDLE, lambda: s.frames[s.flights[k].frame].ref_count > 0)


@invariant(property=(5, 6), advisories=(58,))
def old_table_is_held_or_partial(s: State, v: VcpuId) -> bool:
    """A vCPU's old table is validated and held, or partial with a reference left to drop."""
    vcpu = s.vcpus[v]
    return conj(
        implies(
            (vcpu.old_table != NO_FRAME) & Not(vcpu.old_partial),
            lambda: s.frames[vcpu.old_table].validated,
        ),
        implies(vcpu.old_partial, lambda: vcpu.old_table != NO_FRAME),
    )


def _is_writable(s: State, f: Mfn, domain: int) -> bool:
    """The frame is writable memory in use, and the domain's own."""
    frame = s.frames[f]
    return (frame.type == WRITABLE) & frame.validated & (frame.owner == domain)


@invariant(property=6)
def vcpu_is_of_the_domain_of_its_number(s: State, v: VcpuId) -> bool:
    """A vCPU is of the domain that its number names, whether it was created yet or not."""
    return s.vcpus[v].domain == v[0]


@invariant(property=(1, 2, 6, 32))
def vcpu_info_is_writable_memory(s: State, v: VcpuId) -> bool:
    """The page that a vCPU's information is written to is writable memory of its domain's own."""
    f = s.vcpus[v].info_frame
    return implies(f != NO_FRAME, lambda: _is_writable(s, f, s.vcpus[v].domain))


@invariant(property=(1, 2, 6, 32))
def event_frame_is_writable_memory(s: State, p: EventFrameId) -> bool:
    """A page that Xen writes a domain's events to is writable memory of that domain's own."""
    f = s.event_frames[p].frame
    return implies(f != NO_FRAME, lambda: _is_writable(s, f, p[0]))


@invariant(property=(1, 2, 6, 32))
def eoi_frame_is_writable_memory(s: State, p: EoiFrameId) -> bool:
    """The page that Xen marks a domain's interrupts in is writable memory of that domain's own."""
    f = s.eoi_frames[p].frame
    return implies(f != NO_FRAME, lambda: _is_writable(s, f, p))
