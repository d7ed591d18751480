"""Paging geometries: what the steps ask of a page-table entry, and which geometry answers.

Recorded data and the oracle judge the 4-level geometry only.
"""

from typing import Protocol

from xenmodel.abi import pte
from xenspec.vocabulary import Mfn


class PteFormat(Protocol):
    """The decoders of a page-table entry; in a proof they are functions on an uninterpreted word."""

    @property
    def levels(self) -> int:
        """Return the number of levels."""
        ...

    def present(self, word: int, /) -> bool:
        """Return whether the processor would use the entry."""
        ...

    def writable(self, word: int, /) -> bool:
        """Return whether the entry grants writing."""
        ...

    def target(self, word: int, /) -> Mfn:
        """Return the frame that the entry names."""
        ...

    def write_combining(self, word: int, /) -> bool:
        """Return whether an L1 entry is a writable write-combining mapping."""
        ...

    def with_accessed_dirty_of(self, word: int, before: int, /) -> int:
        """Return `word` with the accessed and dirty bits of `before` added."""
        ...

    def marked(self, word: int, /, *, dirty: bool) -> int:
        """Return the entry after the processor used it."""
        ...


class FourLevel:
    """x86-64: four levels of 512 8-byte entries."""

    __slots__ = ()

    levels = 4
    present = staticmethod(pte.present)
    writable = staticmethod(pte.writable)
    target = staticmethod(pte.target)
    write_combining = staticmethod(pte.write_combining)
    with_accessed_dirty_of = staticmethod(pte.with_accessed_dirty_of)
    marked = staticmethod(pte.marked)
