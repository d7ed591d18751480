"""GNTTABOP_*, GNTMAP_*, GTF_*, GNTST_*: numbers and layouts of grant tables (public/grant_table.h).

A table is an array of entries in pages that Xen shares with their domain. Version 1: a word an entry, flags
in bits 0..15, domain in 16..31, frame in 32..63. Version 2: two words, the header in the lower half of the
first; the second names the frame; of a transitive entry (GTF_transitive) the upper half of the first names
another domain, and the second a reference of that domain's table. What Xen reports of an entry in use
(GTF_reading, GTF_writing) is in the entry's own flags in version 1, and in pages of 16-bit status words in
version 2.
"""

from enum import IntEnum
from typing import Final, Protocol, TypeAlias

from xenspec.vocabulary import DomId, Mfn

RESERVED_ENTRIES: Final = 8
"""GNTTAB_NR_RESERVED_ENTRIES: entries that a change of version keeps."""
DEFAULT_LIMIT: Final = 64
"""gnttab_max_frames: pages of a table."""
HANDLES_A_PAGE: Final = 256
"""Mappings that Xen keeps track of in one page (MAPTRACK_PER_PAGE)."""
DEFAULT_HANDLES: Final = 1024 * HANDLES_A_PAGE
"""gnttab_max_maptrack_frames, in handles."""
PIN_ROOM: Final = 128
"""From here on Xen takes no further mapping of a kind: its counters have 8 bits, the highest is the guard."""
NO_HANDLE: Final = 0xFFFF_FFFF
"""INVALID_MAPTRACK_HANDLE."""
UNMAP_BATCH: Final = 32
"""GNTTAB_UNMAP_BATCH_SIZE: unmappings between two flushes."""

DEVICE_MAP: Final = 1
HOST_MAP: Final = 2
READONLY: Final = 4
APPLICATION_MAP: Final = 8
CONTAINS_PTE: Final = 16
"""GNTMAP_*."""
AVAILABLE_SHIFT: Final = 16
"""GNTMAP_guest_avail0: what the guest wants in the bits of the entry that are its own."""

TYPE_MASK: Final = 3
PERMIT_ACCESS: Final = 1
ACCEPT_TRANSFER: Final = 2
TRANSITIVE: Final = 3
E_READONLY: Final = 4
E_READING: Final = 8
E_WRITING: Final = 16
E_SUB_PAGE: Final = 0x100
COMMITTED: Final = 4
COMPLETED: Final = 8
"""GTF_*; those of a transfer last."""

MASK16: Final = 0xFFFF
MASK32: Final = 0xFFFF_FFFF
MASK64: Final = (1 << 64) - 1

PTE_MAP: Final = 0x61 | 1 << 63
"""Present, accessed, dirty, no execution: what every entry of a grant mapping has."""
PTE_WRITABLE: Final = 0x2
PTE_USER: Final = 0x4
PTE_AVAILABLE: Final = 9
"""Lowest of the three bits of an entry that are the guest's own."""


Pair: TypeAlias = tuple[int, int]
"""Two neighbouring words."""


class GrantOp(IntEnum):
    """The commands of grant_table_op."""

    MAP_GRANT_REF = 0
    UNMAP_GRANT_REF = 1
    SETUP_TABLE = 2
    TRANSFER = 4
    COPY = 5
    QUERY_SIZE = 6
    UNMAP_AND_REPLACE = 7
    SET_VERSION = 8
    GET_STATUS_FRAMES = 9
    GET_VERSION = 10
    SWAP_GRANT_REF = 11
    CACHE_FLUSH = 12


class GrantStatus(IntEnum):
    """GNTST_*: how one operation of a batch ended."""

    OKAY = 0
    GENERAL_ERROR = -1
    BAD_DOMAIN = -2
    BAD_GNTREF = -3
    BAD_HANDLE = -4
    BAD_VIRT_ADDR = -5
    BAD_DEV_ADDR = -6
    PERMISSION_DENIED = -8
    BAD_PAGE = -9
    BAD_COPY_ARG = -10
    EAGAIN = -12
    NO_SPACE = -13


class GrantFormat(Protocol):
    """Where the entries of a table are and what their words say."""

    def place(self, version: int, ref: int, /) -> tuple[int, int]:
        """Return the page of an entry, counted from 0, and the slot of its first word."""
        ...

    def status_place(self, ref: int, /) -> tuple[int, int]:
        """Return the status page of an entry (version 2), and the slot of the word with its status."""
        ...

    def entries(self, version: int, frames: int, /) -> int:
        """Return how many entries so many pages have."""
        ...

    def status_frames(self, frames: int, /) -> int:
        """Return how many status pages go with so many pages (version 2)."""
        ...

    def permits(self, word: int, /, *, whole: bool) -> bool:
        """Return whether an entry lets its domain in; `whole`: to the whole page."""
        ...

    def transitive(self, word: int, /) -> bool:
        """Return whether an entry stands for a grant of another domain (version 2)."""
        ...

    def through(self, first: int, second: int, /) -> tuple[DomId, int]:
        """Return the domain and the reference that a transitive entry names."""
        ...

    def accepts_transfer(self, word: int, /) -> bool:
        """Return whether an entry waits for a frame: no other flag than that may be set."""
        ...

    def readonly(self, word: int, /) -> bool:
        """Return whether an entry grants no writing."""
        ...

    def sub_page(self, word: int, /) -> bool:
        """Return whether an entry grants a part of its page only."""
        ...

    def domain(self, word: int, /) -> DomId:
        """Return the domain that an entry is for."""
        ...

    def frame(self, version: int, first: int, second: int, /) -> Mfn:
        """Return the frame that an entry names."""
        ...

    def pfn(self, version: int, first: int, second: int, /) -> int:
        """Return the number that stands in an entry for its frame: of a transfer, what is to name it."""
        ...

    def part(self, first: int, /) -> tuple[int, int]:
        """Return the offset and the length of what an entry for a part of a page grants, in bytes."""
        ...

    def used(self, word: int, /, *, writing: bool) -> int:
        """Return a word with the flags of an entry in use set: reading, and writing if asked."""
        ...

    def unused(self, word: int, /, *, reading: bool, writing: bool) -> int:
        """Return a word with these flags cleared."""
        ...

    def used_status(self, word: int, ref: int, /, *, writing: bool) -> int:
        """Return a word of status with the flags of entry `ref` set (version 2)."""
        ...

    def unused_status(self, word: int, ref: int, /, *, reading: bool, writing: bool) -> int:
        """Return a word of status with the flags of entry `ref` cleared (version 2)."""
        ...

    def status_from(self, word: int, ref: int, source: int, other: int, /) -> int:
        """Return a word in which entry `ref` has the status of `other` in `source` (version 2)."""
        ...

    def fits_old(self, first: int, second: int, /) -> bool:
        """Return whether an entry of version 2 can be one of version 1."""
        ...

    def as_old(self, first: int, second: int, status: int, ref: int, /) -> int:
        """Return entry `ref` of version 2, whose status is in `status`, as one of version 1."""
        ...

    def as_new(self, word: int, /) -> tuple[int, int, int]:
        """Return an entry of version 1 as one of version 2, and its status in a word's first place."""
        ...

    def committed(self, word: int, /) -> int:
        """Return an entry that a transfer has been promised to."""
        ...

    def with_frame(self, version: int, first: int, second: int, frame: int, /) -> tuple[int, int]:
        """Return the words of an entry that names another frame."""
        ...

    def completed(self, word: int, /) -> int:
        """Return an entry whose transfer is complete."""
        ...

    def slot_of(self, offset: int, /) -> int:
        """Return the slot of the word that a byte of a page is in."""
        ...

    def spliced(self, given: Pair, source: int, kept: Pair, target: int, count: int, /) -> Pair:
        """Return two words after a copy of up to 8 bytes into them.

        Args:
            given: the word that the first byte is in, and the one after it.
            source: where the bytes begin in their page.
            kept: the words to be changed, as they were.
            target: where the bytes go in their page.
            count: how many bytes.
        """
        ...


class GrantEntries:
    """The layouts of a 64-bit machine."""

    @staticmethod
    def place(version: int, ref: int, /) -> tuple[int, int]:
        """Return the page of an entry, counted from 0, and the slot of its first word."""
        return (ref >> 9, ref & 511) if version == 1 else (ref >> 8, (ref & 255) << 1)

    @staticmethod
    def status_place(ref: int, /) -> tuple[int, int]:
        """Return the status page of an entry (version 2), and the slot of the word with its status."""
        return ref >> 11, (ref & 2047) >> 2

    @staticmethod
    def entries(version: int, frames: int, /) -> int:
        """Return how many entries so many pages have."""
        return frames << (9 if version == 1 else 8)

    @staticmethod
    def status_frames(frames: int, /) -> int:
        """Return how many status pages go with so many pages (version 2)."""
        return (frames + 7) >> 3

    @staticmethod
    def permits(word: int, /, *, whole: bool) -> bool:
        """Return whether an entry lets its domain in; `whole`: to the whole page."""
        return word & (TYPE_MASK | (E_SUB_PAGE if whole else 0)) == PERMIT_ACCESS

    @staticmethod
    def transitive(word: int, /) -> bool:
        """Return whether an entry stands for a grant of another domain (version 2)."""
        return word & TYPE_MASK == TRANSITIVE

    @staticmethod
    def through(first: int, second: int, /) -> tuple[DomId, int]:
        """Return the domain and the reference that a transitive entry names."""
        return DomId(first >> 32 & MASK16), second & MASK32

    @staticmethod
    def accepts_transfer(word: int, /) -> bool:
        """Return whether an entry waits for a frame: no other flag than that may be set."""
        return word & MASK16 == ACCEPT_TRANSFER

    @staticmethod
    def readonly(word: int, /) -> bool:
        """Return whether an entry grants no writing."""
        return word & E_READONLY != 0

    @staticmethod
    def sub_page(word: int, /) -> bool:
        """Return whether an entry grants a part of its page only."""
        return word & E_SUB_PAGE != 0

    @staticmethod
    def domain(word: int, /) -> DomId:
        """Return the domain that an entry is for."""
        return DomId(word >> 16 & MASK16)

    @staticmethod
    def frame(version: int, first: int, second: int, /) -> Mfn:
        """Return the frame that an entry names."""
        return Mfn(first >> 32 & MASK32) if version == 1 else Mfn(second)

    @staticmethod
    def pfn(version: int, first: int, second: int, /) -> int:
        """Return the number that stands in an entry for its frame."""
        return first >> 32 & MASK32 if version == 1 else second

    @staticmethod
    def part(first: int, /) -> tuple[int, int]:
        """Return the offset and the length of what an entry for a part of a page grants, in bytes."""
        return first >> 32 & MASK16, first >> 48 & MASK16

    @staticmethod
    def used(word: int, /, *, writing: bool) -> int:
        """Return a word with the flags of an entry in use set: reading, and writing if asked."""
        return word | E_READING | (E_WRITING if writing else 0)

    @staticmethod
    def unused(word: int, /, *, reading: bool, writing: bool) -> int:
        """Return a word with these flags cleared."""
        return word & ~((E_READING if reading else 0) | (E_WRITING if writing else 0))

    @staticmethod
    def used_status(word: int, ref: int, /, *, writing: bool) -> int:
        """Return a word of status with the flags of entry `ref` set (version 2)."""
        return word | (E_READING | (E_WRITING if writing else 0)) << ((ref & 3) << 4)

    @staticmethod
    def unused_status(word: int, ref: int, /, *, reading: bool, writing: bool) -> int:
        """Return a word of status with the flags of entry `ref` cleared (version 2)."""
        return word & ~(((E_READING if reading else 0) | (E_WRITING if writing else 0)) << ((ref & 3) << 4))

    @staticmethod
    def status_from(word: int, ref: int, source: int, other: int, /) -> int:
        """Return a word in which entry `ref` has the status of `other` in `source` (version 2)."""
        shift = (ref & 3) << 4
        return word & ~(MASK16 << shift) & MASK64 | (source >> ((other & 3) << 4) & MASK16) << shift

    @staticmethod
    def fits_old(first: int, second: int, /) -> bool:
        """Return whether an entry of version 2 can be one of version 1."""
        kind = first & TYPE_MASK
        return kind != TRANSITIVE and (kind != PERMIT_ACCESS or second <= MASK32)

    @staticmethod
    def as_old(first: int, second: int, status: int, ref: int, /) -> int:
        """Return entry `ref` of version 2, whose status is in `status`, as one of version 1."""
        if first & TYPE_MASK != PERMIT_ACCESS:
            return 0
        return first & MASK32 | status >> ((ref & 3) << 4) & MASK16 | (second & MASK32) << 32

    @staticmethod
    def as_new(word: int, /) -> tuple[int, int, int]:
        """Return an entry of version 1 as one of version 2, and its status in a word's first place."""
        used = word & (E_READING | E_WRITING)
        return word & MASK32 & ~used, word >> 32, used

    @staticmethod
    def committed(word: int, /) -> int:
        """Return an entry that a transfer has been promised to."""
        return word | COMMITTED

    @staticmethod
    def with_frame(version: int, first: int, second: int, frame: int, /) -> tuple[int, int]:
        """Return the words of an entry that names another frame."""
        if version == 1:
            return first & MASK32 | (frame & MASK32) << 32, second
        return first, frame

    @staticmethod
    def completed(word: int, /) -> int:
        """Return an entry whose transfer is complete."""
        return word | COMPLETED

    @staticmethod
    def slot_of(offset: int, /) -> int:
        """Return the slot of the word that a byte of a page is in."""
        return offset >> 3

    @staticmethod
    def spliced(given: Pair, source: int, kept: Pair, target: int, count: int, /) -> Pair:
        """Return two words after a copy of up to 8 bytes into them; see `GrantFormat.spliced`."""
        ones = (1 << 8 * count) - 1
        taken = (given[0] | given[1] << 64) >> 8 * (source & 7) & ones
        shift = 8 * (target & 7)
        both = (kept[0] | kept[1] << 64) & ~(ones << shift) | taken << shift
        return both & MASK64, both >> 64


def entry_flags(flags: int) -> int:
    """Return the flags of the page-table entry that GNTMAP flags ask for (grant_to_pte_flags)."""
    return (
        PTE_MAP
        | (0 if flags & READONLY else PTE_WRITABLE)
        | (PTE_USER if flags & APPLICATION_MAP else 0)
        | (flags >> AVAILABLE_SHIFT & 7) << PTE_AVAILABLE
    )
