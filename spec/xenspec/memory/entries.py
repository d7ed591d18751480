"""Abstract rows of page-table entries and cached translations, and the state that safety invariants read.

An entry is *linked* while the processor may use it: its table is validated past it, or is being so. Its row
says what it was linked as, so that an invariant about an entry need not ask what its table is now.
"""

from typing import Protocol

from xenspec.memory.frames import CpuRow, DomainRow, FrameRow, PageRow, VcpuRow
from xenspec.table import ReadTable
from xenspec.vocabulary import DomId, Mfn


class EntryRow(Protocol):
    """One slot of a page table."""

    @property
    def linked(self) -> bool:
        """The slot is present in the validated part of its table."""
        ...

    @property
    def linked_as(self) -> int:
        """Level of its table when it was linked, from 1."""
        ...

    @property
    def target(self) -> Mfn:
        """The frame that it names."""
        ...

    @property
    def writable(self) -> bool:
        """It grants writing."""
        ...

    @property
    def backed(self) -> bool:
        """It holds a reference of its target; device memory and a table's link to itself do without."""
        ...

    @property
    def linear(self) -> bool:
        """It links another table of its own level."""
        ...


class AuthorRow(Protocol):
    """By whose hand an entry was linked. Ghost: no step reads it."""

    @property
    def domain(self) -> DomId:
        """The domain whose call stored the entry."""
        ...


class GrantedRow(Protocol):
    """What a live grant allows an entry to map."""

    @property
    def readable(self) -> bool:
        """A live grant lets the entry's domain read the target."""
        ...

    @property
    def writable(self) -> bool:
        """A live grant lets the entry's domain write the target."""
        ...


class TranslationRow(Protocol):
    """One cached translation."""

    @property
    def valid(self) -> bool:
        """It was filled and not dropped by itself."""
        ...

    @property
    def frame(self) -> Mfn:
        """The frame that it leads to."""
        ...

    @property
    def writable(self) -> bool:
        """It lets the guest write."""
        ...

    @property
    def epoch(self) -> int:
        """Its CPU's epoch when it was filled: in a later one it is gone."""
        ...

    @property
    def domain(self) -> DomId:
        """The domain that its CPU ran when it was filled."""
        ...

    @property
    def foreign(self) -> bool:
        """It led to another domain's frame when it was filled: by the control domain's doing."""
        ...


class Geometry(Protocol):
    """What the specification asks of the paging geometry."""

    @property
    def levels(self) -> int:
        """How many levels of tables there are; also the type of a top-level table."""
        ...

    @property
    def xen_level(self) -> int:
        """The level of the tables in which slots are Xen's own."""
        ...

    @property
    def xen_in_each(self) -> bool:
        """All tables of `xen_level` have them, not only those for the top of the address space."""
        ...

    @property
    def xen_first(self) -> int:
        """The first of Xen's own slots."""
        ...

    @property
    def xen_end(self) -> int:
        """The slot after the last of Xen's own."""
        ...

    def large(self, word: int, /) -> bool:
        """An entry above L1 maps memory itself and names no table."""
        ...


class Segments(Protocol):
    """What the specification asks of a segment descriptor."""

    def harmless(self, word: int, /) -> bool:
        """Return whether the guest gains nothing by a descriptor (see xenspec.memory.descriptors)."""
        ...


class MemoryState(Protocol):
    """The state that the safety invariants of memory read."""

    @property
    def frames(self) -> ReadTable[int, FrameRow]: ...  # noqa: D102 - named by its table
    @property
    def entries(self) -> ReadTable[tuple[int, int], EntryRow]: ...  # noqa: D102
    @property
    def words(self) -> ReadTable[tuple[int, int], int]: ...  # noqa: D102
    @property
    def domains(self) -> ReadTable[int, DomainRow]: ...  # noqa: D102
    @property
    def vcpus(self) -> ReadTable[tuple[int, int], VcpuRow]: ...  # noqa: D102
    @property
    def gdt(self) -> ReadTable[tuple[tuple[int, int], int], PageRow]: ...  # noqa: D102
    @property
    def ldt(self) -> ReadTable[tuple[tuple[int, int], int], PageRow]: ...  # noqa: D102
    @property
    def cpus(self) -> ReadTable[int, CpuRow]: ...  # noqa: D102
    @property
    def tlb(self) -> ReadTable[tuple[int, int], TranslationRow]: ...  # noqa: D102
    @property
    def authors(self) -> ReadTable[tuple[int, int], AuthorRow]: ...  # noqa: D102
    @property
    def granted(self) -> ReadTable[tuple[int, int], GrantedRow]: ...  # noqa: D102
    @property
    def pte(self) -> Geometry: ...  # noqa: D102
    @property
    def segments(self) -> Segments: ...  # noqa: D102
