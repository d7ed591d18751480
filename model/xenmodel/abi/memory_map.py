"""The machine's address map: which frame numbers are RAM, which a domain with I/O rights may map.

Measured on Xen 4.17 (oracle rules 2 and 4 of RULES.md): the first 256 frames and everything without RAM
below `IO_LIMIT` may be mapped by Domain0, but for the interrupt window; IO-APIC and HPET only read-only.
"""

from dataclasses import dataclass

from xenspec.vocabulary import Mfn

LOW_FRAMES = 0x100
"""Frames of the first megabyte: I/O by definition."""
MSI_WINDOW = range(0xFEE00, 0xFEF00)
"""The interrupt window, never mappable."""
READONLY_IO = frozenset({0xFEC00, 0xFED00})
"""IO-APIC and HPET: mappable, never writable."""
IO_LIMIT = 0xFD00000
"""First frame of the range that no domain may map."""


@dataclass(frozen=True, slots=True)
class MemoryMap:
    """RAM as half-open ranges of frame numbers; `frames` is the size of Xen's frame table."""

    ram: tuple[tuple[int, int], ...]
    frames: int

    def is_ram(self, mfn: int) -> bool:
        """Return whether the frame is RAM that Xen accounts for."""
        return mfn >= LOW_FRAMES and any(start <= mfn < end for start, end in self.ram)

    def mappable_io(self, mfn: int) -> bool:
        """Return whether a domain with I/O rights may map this I/O frame."""
        return not self.is_ram(mfn) and mfn < IO_LIMIT and mfn not in MSI_WINDOW

    def readonly_io(self, mfn: Mfn) -> bool:
        """Return whether Xen never maps this I/O frame writable."""
        return mfn in READONLY_IO
