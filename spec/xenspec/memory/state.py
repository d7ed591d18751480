"""The state that contracts speak of: abstract rows, with the books that Xen keeps while it works on them.

Safety invariants need none of these fields. A contract says what one action does, and between two actions on
a frame there is work under way: a reference in flight, a table looked at as far as some slot, a flush that
has come as far as some CPU. These are Xen's own notions (page_info, tlbflush_timestamp), not one model's.
"""

from typing import Protocol

from xenspec.memory.entries import EntryRow, Geometry, TranslationRow
from xenspec.memory.frames import AccountRow, ClockRow, CpuRow, FrameRow, PageRow, VcpuRow
from xenspec.table import ReadTable
from xenspec.vocabulary import Mfn, Mode


class BookedFrameRow(FrameRow, Protocol):
    """A frame with what Xen keeps of it while its references and its type change."""

    @property
    def special(self) -> bool:
        """It is Xen's own, shared with a guest."""
        ...

    @property
    def partial(self) -> bool:
        """Work on it was interrupted: it holds itself until that goes on."""
        ...

    @property
    def partial_ref(self) -> bool:
        """The general reference that goes with `partial` is still held."""
        ...

    @property
    def partial_entry(self) -> bool:
        """The entry at `next_slot` waits, itself partial."""
        ...

    @property
    def next_slot(self) -> int:
        """While it is worked on: the first slot that was not looked at."""
        ...

    @property
    def linear(self) -> int:
        """Above zero its entries that link its own level, below zero such links to it."""
        ...

    @property
    def noncoherent(self) -> bool:
        """It was mapped writable and write-combining."""
        ...

    @property
    def locked(self) -> bool:
        """A virtual CPU updates its entries."""
        ...

    @property
    def flushing(self) -> bool:
        """Its type has changed, and CPUs may still translate to it as what it was."""
        ...

    @property
    def cursor(self) -> int:
        """The first CPU whose flush was not looked at."""
        ...

    @property
    def stamp(self) -> int:
        """The flush clock when it was last in use."""
        ...


class FlightRow(Protocol):
    """A reference that a virtual CPU has taken and not yet put anywhere."""

    @property
    def mode(self) -> Mode:
        """What it is doing."""
        ...

    @property
    def frame(self) -> Mfn:
        """The frame that it holds, unless idle."""
        ...


class NumberedRow(Protocol):
    """An entry of the machine-to-physical map."""

    @property
    def pfn(self) -> int:
        """The number by which its owner knows the frame."""
        ...


class ChargedDomainRow(AccountRow, Protocol):
    """A domain with its quota."""

    @property
    def vcpus(self) -> int:
        """How many virtual CPUs it has."""
        ...

    @property
    def xen_pages(self) -> int:
        """Pages of Xen's own that it may map, which are charged to nobody."""
        ...

    @property
    def max_pages(self) -> int:
        """As many frames it may be charged for."""
        ...


class RunningVcpuRow(VcpuRow, Protocol):
    """A virtual CPU with what it runs on and with its descriptor tables."""

    @property
    def initialised(self) -> bool:
        """It may run."""
        ...

    @property
    def cpu(self) -> int:
        """The physical CPU that it ran on last."""
        ...

    @property
    def old_table(self) -> Mfn:
        """The table whose release it must finish first."""
        ...

    @property
    def old_partial(self) -> bool:
        """Of that table only a general reference is left."""
        ...

    @property
    def gdt_entries(self) -> int:
        """How many descriptors of its GDT count."""
        ...

    @property
    def ldt_base(self) -> int:
        """Where its LDT is."""
        ...

    @property
    def ldt_entries(self) -> int:
        """How many descriptors of its LDT count."""
        ...

    @property
    def info_frame(self) -> Mfn:
        """The page by which Xen tells it of itself."""
        ...


class RunningCpuRow(CpuRow, Protocol):
    """A physical CPU with its flushes."""

    @property
    def loads(self) -> int:
        """How often it has loaded CR3 alone."""
        ...

    @property
    def flushed_at(self) -> int:
        """The flush clock at its last flush."""
        ...


class DirtyRow(Protocol):
    """What one CPU may hold of one domain."""

    @property
    def dirty(self) -> bool:
        """It may hold translations of the domain."""
        ...


class CachedRow(TranslationRow, Protocol):
    """A cached translation with all its parts."""

    @property
    def user(self) -> bool:
        """User mode may use it."""
        ...

    @property
    def is_global(self) -> bool:
        """It outlasts a load of CR3."""
        ...

    @property
    def loads(self) -> int:
        """Its CPU's loads of CR3 when it was filled."""
        ...


class EntryFormat(Geometry, Protocol):
    """What contracts ask of page-table entries."""

    @property
    def slots(self) -> int:
        """How many slots a table has."""
        ...

    @property
    def walked(self) -> int:
        """How many of a top-level table walks read."""
        ...

    @property
    def top_slot(self) -> int:
        """The slot of a top-level table that links one with Xen's slots (PAE); negative: there is none."""
        ...

    def present(self, word: int, /) -> bool:
        """The processor would use the entry."""
        ...

    def writable(self, word: int, /) -> bool:
        """The entry grants writing."""
        ...

    def target(self, word: int, /) -> Mfn:
        """The frame that the entry names."""
        ...

    def marked(self, word: int, /, *, dirty: bool) -> int:
        """The entry after the processor used it, with a store if `dirty`."""
        ...


class DescriptorFormat(Protocol):
    """What contracts ask of segment descriptors."""

    def accepted(self, word: int, /) -> bool:
        """Xen lets the descriptor stand in a guest's table."""
        ...

    def stored(self, word: int, /) -> int:
        """What an accepted descriptor is stored as."""
        ...

    def loadable(self, word: int, /) -> bool:
        """Ring 3 may load the descriptor, were it present."""
        ...

    def used(self, word: int, /) -> int:
        """The descriptor after the processor loaded it."""
        ...


class Contents(ReadTable[tuple[int, int], int], Protocol):
    """The raw words of frames."""

    def all_zero(self, frame: int, first: int, end: int) -> bool:
        """Return whether every word in slots first .. end-1 is zero."""
        ...


class XensWords(Protocol):
    """What Xen writes into its own slots."""

    def own(self, frame: int, slot: int, /, *, shown: bool) -> int:
        """Return Xen's word of a slot; the machine-to-physical map's is empty unless `shown`."""
        ...


class State(Protocol):
    """The state before or after an action of memory or of a translation cache."""

    @property
    def frames(self) -> ReadTable[int, BookedFrameRow]: ...  # noqa: D102 - named by its table
    @property
    def entries(self) -> ReadTable[tuple[int, int], EntryRow]: ...  # noqa: D102
    @property
    def words(self) -> Contents: ...  # noqa: D102
    @property
    def flights(self) -> ReadTable[tuple[tuple[int, int], int], FlightRow]: ...  # noqa: D102
    @property
    def m2p(self) -> ReadTable[int, NumberedRow]: ...  # noqa: D102
    @property
    def domains(self) -> ReadTable[int, ChargedDomainRow]: ...  # noqa: D102
    @property
    def vcpus(self) -> ReadTable[tuple[int, int], RunningVcpuRow]: ...  # noqa: D102
    @property
    def gdt(self) -> ReadTable[tuple[tuple[int, int], int], PageRow]: ...  # noqa: D102
    @property
    def ldt(self) -> ReadTable[tuple[tuple[int, int], int], PageRow]: ...  # noqa: D102
    @property
    def event_frames(self) -> ReadTable[tuple[int, int], PageRow]: ...  # noqa: D102
    @property
    def eoi_frames(self) -> ReadTable[int, PageRow]: ...  # noqa: D102
    @property
    def cpus(self) -> ReadTable[int, RunningCpuRow]: ...  # noqa: D102
    @property
    def dirty(self) -> ReadTable[tuple[int, int], DirtyRow]: ...  # noqa: D102
    @property
    def tlb(self) -> ReadTable[tuple[int, int], CachedRow]: ...  # noqa: D102
    @property
    def world(self) -> ReadTable[int, ClockRow]: ...  # noqa: D102
    @property
    def pte(self) -> EntryFormat: ...  # noqa: D102
    @property
    def descriptors(self) -> DescriptorFormat: ...  # noqa: D102
    @property
    def xens(self) -> XensWords: ...  # noqa: D102
    @property
    def cpu_count(self) -> int: ...  # noqa: D102
