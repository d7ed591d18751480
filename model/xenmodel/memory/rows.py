"""Rows of the memory subsystem, and the read-only views that hypercalls have of them.

A frame's type is exclusive while its type count is not zero; its two counts are the number of its holders
(xenmodel.memory.holders). Counts are plain integers here; `TYPE_LIMIT` and `REF_LIMIT` are Xen's widths.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from xenspec.vocabulary import DOMID_INVALID, DomId, Mfn, Mode, PageType

TYPE_LIMIT = (1 << 52) - 1
"""Largest type count (PGT_count_mask on x86-64)."""
REF_LIMIT = (1 << 54) - 3
"""Largest general count that get_page() still raises (PGC_count_mask, two reserved)."""
LINEAR_LIMIT = (1 << 15) - 1
"""Most linear entries that a table counts of its own: linear_pt_count is a signed 16-bit field."""
LINEAR_USES_LIMIT = 1 << 15
"""Most linear entries of others that a table counts, below zero (inc_linear_uses)."""
NO_PFN = (1 << 64) - 1
"""What the machine-to-physical map says of a frame that is no guest's (INVALID_M2P_ENTRY)."""
NO_FRAME = Mfn(-1)
"""A frame field that names no frame."""


class Place(IntEnum):
    """What kind of machine address a frame is."""

    RAM = 0
    IO = 1


IDLE: Final = Mode.IDLE
REF: Final = Mode.REF
FLUSHING: Final = Mode.FLUSHING
VALIDATING: Final = Mode.VALIDATING
HELD: Final = Mode.HELD
DEVALIDATING: Final = Mode.DEVALIDATING


@dataclass(slots=True)
class Frame:
    """Xen's page_info of one frame (public facts: xen/arch/x86/include/asm/mm.h)."""

    owner: DomId = DOMID_INVALID
    place: Place = Place.RAM
    allocated: bool = False
    special: bool = False
    """Xen's own page shared with a guest (PGC_xen_heap)."""
    mappable_io: bool = False
    """An I/O frame that a domain with I/O rights may map."""
    readonly_io: bool = False
    """An I/O frame that is never mapped writable (mmio_ro_ranges)."""
    type: PageType = PageType.NONE
    type_count: int = 0
    ref_count: int = 0
    validated: bool = False
    pinned: bool = False
    partial: bool = False
    """PGT_partial: validated up to `next_slot`, nobody is at work; holds both references itself."""
    partial_ref: bool = False
    """The general reference that goes with `partial` is still held (until the work is over)."""
    partial_entry: bool = False
    """PTF_partial_set: the entry at `next_slot` is itself partial and keeps its references."""
    next_slot: int = 0
    """nr_validated_ptes: entries below are linked, while a promotion or demotion is under way."""
    top_l2: bool = False
    """PGT_pae_xen_l2: last taken as the L2 table whose last slots are Xen's (PAE; see abi.geometry)."""
    linear: int = 0
    """linear_pt_count: above zero own linear entries, below zero uses as a linear target."""
    noncoherent: bool = False
    """PGT_non_coherent: was mapped writable and write-combining."""
    locked: bool = False
    """PGT_locked: a vCPU updates the frame's entries; it holds a type reference meanwhile."""
    flushing: bool = False
    cursor: int = 0
    """Next CPU that the flush of a type change looks at."""
    stamp: int = 0
    """Flush clock when the last typed or general reference went (tlbflush_timestamp)."""
    dirty: bool = False
    """Holds data of an earlier owner: to be scrubbed before another domain can read it."""


@dataclass(slots=True)
class Entry:
    """A page-table slot while it is linked: what its reference was taken for."""

    linked: bool = False
    linked_as: int = 0
    """The table's level when the entry was linked, 1..4."""
    target: Mfn = NO_FRAME
    writable: bool = False
    backed: bool = False
    """Holds a reference (an entry to I/O space, or a table's link to itself, does not)."""
    linear: bool = False
    """Links a table of the same level."""


@dataclass(slots=True)
class Flight:
    """A reference between two places: taken and not yet put into an entry, pin or base pointer."""

    mode: Mode = Mode.IDLE
    frame: Mfn = NO_FRAME


@dataclass(slots=True)
class MachineToPhys:
    """One entry of the machine-to-physical map."""

    pfn: int = NO_PFN


@dataclass(slots=True)
class Demotion:
    """When a frame last ceased to be a validated table, since its type last changed. Seldom read by steps.

    Until they are flushed, CPUs may walk through it by what they have cached (see hardware.representation).
    """

    demoted: bool = False
    """Whether it did."""
    demoted_at: int = 0
    """Flush clock then."""
    demoted_from: PageType = PageType.NONE
    """What it was."""
    demoted_owner: DomId = DOMID_INVALID
    """Whose it was."""
