"""Page-table entries of the two-level x86-32 geometry: 4 bytes, the frame number in bits 12..31.

The flags of the low 12 bits are those of xenmodel.abi.pte; there is no NX, nothing above the frame number.
A guest kernel runs in ring 1, to which user pages and supervisor pages are the same, so that Xen adds nothing
to what the guest writes: segmentation keeps the guest out of Xen's range (SOSP 2003, section 3.3).
"""

from xenspec.vocabulary import Mfn

FRAME_SHIFT = 12
FRAME_BITS = 20
ALL_ONES = (1 << FRAME_BITS) - 1
"""The frame number that names no frame at all."""
_FRAME_FIELD = ALL_ONES << FRAME_SHIFT


def target(word: int) -> Mfn:
    """Return the frame that the entry names."""
    return (word & _FRAME_FIELD) >> FRAME_SHIFT  # type: ignore[return-value]  # Mfn() costs as much again


def entry(frame: int, flags: int) -> int:
    """Return the entry that names `frame` with `flags`."""
    return (frame << FRAME_SHIFT) & _FRAME_FIELD | flags


def adjusted(word: int, _level: int, /) -> int:
    """Return what Xen stores for what the guest writes: the same."""
    return word
