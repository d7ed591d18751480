"""Abstract rows of frames, domains and virtual CPUs: as much of them as the safety invariants speak of.

A state may have rows with more fields; it is the abstraction's business to give these their meaning.
"""

from typing import Final, Protocol

from xenspec.vocabulary import DomId, Mfn, PageType, VcpuId

NO_FRAME: Final = Mfn(-1)
"""What a field that may name a frame holds when it names none."""
NO_PFN: Final = (1 << 64) - 1
"""What the machine-to-physical map says of a frame that is no domain's (INVALID_M2P_ENTRY)."""


class FrameRow(Protocol):
    """One frame of the machine."""

    @property
    def owner(self) -> DomId:
        """The domain that it belongs to; a reserved number if to none."""
        ...

    @property
    def allocated(self) -> bool:
        """Its owner has not given it up."""
        ...

    @property
    def type(self) -> PageType:
        """What it is used as while `type_count` is not zero, and was last used as after that."""
        ...

    @property
    def type_count(self) -> int:
        """How many hold it as what it is."""
        ...

    @property
    def ref_count(self) -> int:
        """How many hold it; at zero it is free."""
        ...

    @property
    def validated(self) -> bool:
        """Its contents fit its type."""
        ...

    @property
    def pinned(self) -> bool:
        """Its owner keeps it a page table."""
        ...

    @property
    def mappable_io(self) -> bool:
        """It is device memory that a domain with I/O rights may map."""
        ...

    @property
    def readonly_io(self) -> bool:
        """It is device memory that nobody may map writable."""
        ...

    @property
    def top_l2(self) -> bool:
        """It is an L2 table for the top of the address space (PAE)."""
        ...

    @property
    def dirty(self) -> bool:
        """It holds an earlier owner's data."""
        ...


class DomainRow(Protocol):
    """One domain."""

    @property
    def privileged(self) -> bool:
        """It is the control domain."""
        ...

    @property
    def io_rights(self) -> bool:
        """It may map device memory."""
        ...

    @property
    def dying(self) -> bool:
        """Its end has begun."""
        ...


class AccountRow(Protocol):
    """One domain, as far as a step may change it."""

    @property
    def exists(self) -> bool:
        """It was created, and not yet buried."""
        ...

    @property
    def dying(self) -> bool:
        """Its end has begun."""
        ...

    @property
    def privileged(self) -> bool:
        """It is the control domain."""
        ...

    @property
    def io_rights(self) -> bool:
        """It may map device memory."""
        ...

    @property
    def pages(self) -> int:
        """Frames that it is charged for."""
        ...


class VcpuRow(Protocol):
    """One virtual CPU."""

    @property
    def domain(self) -> DomId:
        """The domain that it runs."""
        ...

    @property
    def base(self) -> Mfn:
        """Top-level table in kernel mode."""
        ...

    @property
    def user_base(self) -> Mfn:
        """Top-level table in user mode."""
        ...


class CpuRow(Protocol):
    """One physical CPU."""

    @property
    def current(self) -> VcpuId:
        """The virtual CPU that it runs."""
        ...

    @property
    def epoch(self) -> int:
        """Flushes of its translations so far."""
        ...


class FlushRow(Protocol):
    """One physical CPU's flushes."""

    @property
    def epoch(self) -> int:
        """How many flushes of everything there were."""
        ...

    @property
    def flushed_at(self) -> int:
        """The flush clock at the last of them."""
        ...


class ClockRow(Protocol):
    """The flush clock, one row."""

    @property
    def clock(self) -> int:
        """It ticks at each flush."""
        ...


class PageRow(Protocol):
    """A page of a descriptor table."""

    @property
    def frame(self) -> Mfn:
        """The frame that holds it."""
        ...
