"""Page-table entries of the 4-level x86-64 geometry, as Xen 4.17 reads and adjusts them.

Flags are in the low 12 bits and in bits 52..63; the frame number is bits 12..51. A guest kernel runs in
ring 3, so Xen adds USER to what the guest writes; bit 52 (`GUEST_KERNEL`) remembers that it was the
kernel's own (xen/arch/x86/include/asm/x86_64/page.h; measured in the recordings and the oracle).
"""

from xenspec.vocabulary import Mfn

PRESENT = 0x1
RW = 0x2
USER = 0x4
PWT = 0x8
PCD = 0x10
ACCESSED = 0x20
DIRTY = 0x40
PSE = 0x80
PAT = 0x80
GLOBAL = 0x100
AVAIL = 0xE00
GUEST_KERNEL = 1 << 52
AVAIL_HIGH = 0x7FF << 52
NX = 1 << 63

FRAME_SHIFT = 12
FRAME_BITS = 40
ALL_ONES = (1 << FRAME_BITS) - 1
"""The frame number that names no frame at all; Xen refuses it with EINVAL where others get EPERM."""
_FRAME_FIELD = ALL_ONES << FRAME_SHIFT

CACHE = PWT | PCD | PAT
WRITE_COMBINING = PAT
"""Cache bits of a write-combining mapping: the only ones that Xen tracks as non-coherent."""
TABLE_DISALLOWED = PWT | PCD | PSE | GLOBAL
"""Flags refused in L2..L4 entries."""
FAST_PATH = NX | AVAIL_HIGH | AVAIL | GLOBAL | DIRTY | ACCESSED | USER
"""Flags that may change without a new validation of the entry."""
ACCESSED_DIRTY = ACCESSED | DIRTY

XEN_FIRST_SLOT = 256
XEN_LAST_SLOT = 271
"""L4 slots that belong to Xen: 0xffff800000000000 .. 0xffff87ffffffffff."""


def present(word: int) -> bool:
    """Return whether the processor would use the entry."""
    return word & PRESENT != 0


def writable(word: int) -> bool:
    """Return whether the entry grants writing."""
    return word & RW != 0


def large(word: int) -> bool:
    """Return whether an entry above L1 maps memory itself, 2 MiB or more at once, and names no table."""
    return word & PSE != 0


def user(word: int) -> bool:
    """Return whether the entry lets ring 3 through."""
    return word & USER != 0


def accessed(word: int) -> bool:
    """Return whether a walk has gone through the entry since the bit was cleared."""
    return word & ACCESSED != 0


def dirty(word: int) -> bool:
    """Return whether a store has gone through the entry since the bit was cleared."""
    return word & DIRTY != 0


def is_global(word: int) -> bool:
    """Return whether the translation outlives a load of CR3."""
    return word & GLOBAL != 0


def target(word: int) -> Mfn:
    """Return the frame that the entry names."""
    return (word & _FRAME_FIELD) >> FRAME_SHIFT  # type: ignore[return-value]  # Mfn() costs as much again


def entry(frame: int, flags: int) -> int:
    """Return the entry that names `frame` with `flags`."""
    return (frame << FRAME_SHIFT) & _FRAME_FIELD | flags


def without_io_rights_refused(word: int) -> bool:
    """Return whether an L1 entry has cache bits that a domain without I/O rights may not choose."""
    return word & CACHE != 0


def table_flags_refused(word: int, _level: int, /) -> bool:
    """Return whether an L2..L4 entry has flags that Xen refuses, at whatever level."""
    return word & TABLE_DISALLOWED != 0


def cached(word: int) -> bool:
    """Return whether an L1 entry asks for ordinary write-back caching."""
    return word & CACHE == 0


def write_combining(word: int) -> bool:
    """Return whether an L1 entry is a writable write-combining mapping."""
    return word & (CACHE | RW) == WRITE_COMBINING | RW


def adjusted(word: int, level: int, /) -> int:
    """Return what Xen stores for what a 64-bit guest writes at `level` (1..4)."""
    if not word & PRESENT:
        return word
    if level == 1:
        if not word & USER:
            return word | GUEST_KERNEL | USER
        if not word & GUEST_KERNEL:
            return word | GLOBAL | USER
        return word
    if level == 4:  # noqa: PLR2004 - the top level of this geometry
        return word | USER | ACCESSED
    return word | USER


def io_adjusted(word: int, *, readonly: bool) -> int:
    """Return an L1 entry to I/O space as Xen makes it: uncached unless asked, read-only ranges read-only."""
    if readonly and word & RW:
        word ^= RW
    caching = word & CACHE
    if caching == 0:
        return word ^ (PWT | PCD)
    if caching == PWT:
        return word ^ PCD
    if caching == PWT | PAT:
        return word ^ (PCD | PAT)
    return word


def same_but_for_fast_path(before: int, after: int) -> bool:
    """Return whether two entries differ only in flags that need no new validation."""
    return (before ^ after) & ~FAST_PATH & ((1 << 64) - 1) == 0


def with_accessed_dirty_of(word: int, before: int) -> int:
    """Return `word` with the accessed and dirty bits of `before` added (MMU_PT_UPDATE_PRESERVE_AD)."""
    return word | before & ACCESSED_DIRTY


def marked(word: int, *, dirty: bool) -> int:
    """Return the entry after the processor used it."""
    return word | (ACCESSED_DIRTY if dirty else ACCESSED)
