"""The state that the representation invariants of memory read, and their registry.

It is the machine's tables and one ghost table: `counts`, the number of each frame's holders, which moves
only where somebody takes or drops a reference, and never by the code that moves the real counts.
"""

from typing import Protocol

from xenmodel.abi.descriptor import DescriptorFormat
from xenmodel.abi.geometry import PteFormat
from xenmodel.views import EntryView, FlightView, FrameView, NamedFrameView, VcpuView
from xenspec.invariant import Kind, Registry
from xenspec.table import ReadTable
from xenspec.vocabulary import L1, L4, PageType


class CountsRow(Protocol):
    """How many holders a frame has. Ghost: no step reads it."""

    @property
    def typed(self) -> int:
        """Holders of a type reference."""
        ...

    @property
    def general(self) -> int:
        """Holders of a general reference."""
        ...

    @property
    def own(self) -> int:
        """Linear entries that the frame, a table, has."""
        ...

    @property
    def uses(self) -> int:
        """Linear entries that link the frame, a table."""
        ...


class XenSlots(Protocol):
    """What Xen writes into the slots of a top-level table that belong to it."""

    def written(self, frame: int, slot: int, word: int, /) -> bool:
        """Return whether Xen itself leaves `word` at (frame, slot)."""
        ...


class State(Protocol):
    """The state that the invariants of this module read."""

    @property
    def frames(self) -> ReadTable[int, FrameView]: ...  # noqa: D102 - named by its table
    @property
    def entries(self) -> ReadTable[tuple[int, int], EntryView]: ...  # noqa: D102
    @property
    def words(self) -> ReadTable[tuple[int, int], int]: ...  # noqa: D102
    @property
    def flights(self) -> ReadTable[tuple[tuple[int, int], int], FlightView]: ...  # noqa: D102
    @property
    def vcpus(self) -> ReadTable[tuple[int, int], VcpuView]: ...  # noqa: D102
    @property
    def gdt(self) -> ReadTable[tuple[tuple[int, int], int], NamedFrameView]: ...  # noqa: D102
    @property
    def ldt(self) -> ReadTable[tuple[tuple[int, int], int], NamedFrameView]: ...  # noqa: D102
    @property
    def event_frames(self) -> ReadTable[tuple[int, int], NamedFrameView]: ...  # noqa: D102
    @property
    def eoi_frames(self) -> ReadTable[int, NamedFrameView]: ...  # noqa: D102
    @property
    def counts(self) -> ReadTable[int, CountsRow]: ...  # noqa: D102
    @property
    def cpu_count(self) -> int: ...  # noqa: D102
    @property
    def pte(self) -> PteFormat: ...  # noqa: D102
    @property
    def descriptors(self) -> DescriptorFormat: ...  # noqa: D102
    @property
    def xens(self) -> XenSlots: ...  # noqa: D102


REPRESENTATION: Registry[State] = Registry("memory", Kind.REPRESENTATION)
invariant = REPRESENTATION.invariant


def is_table(kind: PageType) -> bool:
    """Return whether a type is one of the page-table types."""
    return (kind >= L1) & (kind <= L4)
