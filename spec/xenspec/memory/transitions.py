"""What a step may do to a frame, an entry, a domain, or a CPU.

The residues that real Xen leaves are allowed here by name: a failed promotion leaves no type, a demotion
keeps the type at count zero, a frame given up lives on while others hold it.
"""

from xenspec.logic import Not, implies
from xenspec.memory.entries import EntryRow
from xenspec.memory.frames import AccountRow, ClockRow, FlushRow, FrameRow, VcpuRow
from xenspec.transition import Transitions
from xenspec.vocabulary import DOMID_FIRST_RESERVED, NO_TYPE

FRAMES: Transitions[FrameRow] = Transitions("frames")
ENTRIES: Transitions[EntryRow] = Transitions("entries")
DOMAINS: Transitions[AccountRow] = Transitions("domains")
VCPUS: Transitions[VcpuRow] = Transitions("vcpus")
CPUS: Transitions[FlushRow] = Transitions("cpus")
WORLD: Transitions[ClockRow] = Transitions("world")
frame = FRAMES.transition
entry = ENTRIES.transition


@frame(property=5, advisories=(148, 241, 299, 401))
def type_changes_only_out_of_use(before: FrameRow, after: FrameRow) -> bool:
    """A frame's type changes only while nobody holds it, or to none as the last holder goes."""
    return implies(
        before.type != after.type,
        lambda: (before.type_count == 0) | ((after.type == NO_TYPE) & (after.type_count == 0)),
    )


@frame(property=(2, 7), advisories=(380,))
def owner_changes_only_unheld(before: FrameRow, after: FrameRow) -> bool:
    """A frame changes hands only from or to the pool of free frames: nobody holds it on one side."""
    return implies(before.owner != after.owner, lambda: (before.ref_count == 0) | (after.ref_count == 0))


@frame(property=6)
def counts_move_by_one(before: FrameRow, after: FrameRow) -> bool:
    """A step takes or drops at most one reference of each kind of a frame."""
    return (
        (after.type_count <= before.type_count + 1)
        & (before.type_count <= after.type_count + 1)
        & (after.ref_count <= before.ref_count + 1)
        & (before.ref_count <= after.ref_count + 1)
    )


@frame(property=7, advisories=(100,))
def given_frame_is_clean_and_untyped(before: FrameRow, after: FrameRow) -> bool:
    """A free frame comes to a domain allocated, scrubbed and without a type."""
    return implies(
        (before.ref_count == 0) & (after.ref_count > 0),
        lambda: (
            after.allocated
            & Not(after.dirty)
            & (after.type == NO_TYPE)
            & (after.type_count == 0)
            & (after.owner < DOMID_FIRST_RESERVED)
        ),
    )


@frame(property=7)
def freed_frame_keeps_nothing(before: FrameRow, after: FrameRow) -> bool:
    """A frame that its last holder lets go is nobody's, has no type, and is marked as to be scrubbed."""
    return implies(
        (before.ref_count > 0) & (after.ref_count == 0),
        lambda: (
            Not(after.allocated)
            & after.dirty
            & (after.type == NO_TYPE)
            & (after.type_count == 0)
            & Not(after.pinned)
            & (after.owner >= DOMID_FIRST_RESERVED)
        ),
    )


@frame(property=5, advisories=(299,))
def validity_ends_with_the_last_holder(before: FrameRow, after: FrameRow) -> bool:
    """A validated frame ceases to be so only as its last typed holder goes, or out of use."""
    return implies(before.validated & Not(after.validated), lambda: before.type_count <= 1)


@frame(property=10)
def a_frame_keeps_its_place(before: FrameRow, after: FrameRow) -> bool:
    """Nothing makes device memory of memory, or the other way round."""
    return (before.mappable_io == after.mappable_io) & (before.readonly_io == after.readonly_io)


@frame(property=5)
def pinned_frame_keeps_its_type(before: FrameRow, after: FrameRow) -> bool:
    """A frame that stays pinned stays the same kind of table, validated."""
    return implies(before.pinned & after.pinned, lambda: (before.type == after.type) & (after.type_count > 0))


@entry(property=4, advisories=(148,))
def linked_entry_keeps_its_level(before: EntryRow, after: EntryRow) -> bool:
    """While an entry stays linked, the level that it is linked at stays the same."""
    return implies(before.linked & after.linked, lambda: before.linked_as == after.linked_as)


@entry(property=(1, 4), advisories=(182,))
def table_link_gains_no_write_permission_in_place(before: EntryRow, after: EntryRow) -> bool:
    """An entry that links itself or its own level stays read-only while it names the same frame."""
    return implies(
        before.linked
        & after.linked
        & (before.target == after.target)
        & (before.linked_as > 1)
        & (before.linear | Not(before.backed))
        & (after.linear | Not(after.backed)),
        lambda: Not(after.writable),
    )


@DOMAINS.transition(property=(10, 15))
def privileges_stay(before: AccountRow, after: AccountRow) -> bool:
    """A domain that exists gains and loses no privilege by a step."""
    return implies(
        before.exists & after.exists,
        lambda: (before.privileged == after.privileged) & (before.io_rights == after.io_rights),
    )


@DOMAINS.transition(property=19)
def pages_are_charged_one_by_one(before: AccountRow, after: AccountRow) -> bool:
    """A step charges a domain for one frame, or for one fewer."""
    return (after.pages <= before.pages + 1) & (before.pages <= after.pages + 1)


@DOMAINS.transition(property=32)
def the_dying_stay_so(before: AccountRow, after: AccountRow) -> bool:
    """The end of a domain, once begun, is not called off."""
    return implies(before.dying & after.exists, lambda: after.dying)


@VCPUS.transition(property=(10, 15))
def base_pointers_change_one_by_one(before: VcpuRow, after: VcpuRow) -> bool:
    """A step changes one base pointer of a virtual CPU, never both."""
    return (before.base == after.base) | (before.user_base == after.user_base)


@CPUS.transition(property=8)
def flushes_are_not_undone(before: FlushRow, after: FlushRow) -> bool:
    """What a CPU has flushed stays flushed: its epoch and its last flush never go back."""
    return (before.epoch <= after.epoch) & (before.flushed_at <= after.flushed_at)


@WORLD.transition(property=8, advisories=(401,))
def the_flush_clock_never_goes_back(before: ClockRow, after: ClockRow) -> bool:
    """The flush clock never goes back: what was stamped later stays later."""
    return before.clock <= after.clock
