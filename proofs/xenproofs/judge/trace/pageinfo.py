"""The two words that Xen keeps for each frame: type_info and count_info of `struct page_info`.

type_info: 63..61 type, 60 locked, 59 pinned, 58 validated, 56 partial, 55 non-coherent, below that the type
count. count_info: 63 allocated, 62 Xen's heap, 58..52 cache attributes and state, below that the general
count. Compared are type, pinned, validated, partial, both counts, allocated and heap. Locked, non-coherent
and the cache attributes are not (the recordings' own rule; the oracle's cases do compare non-coherent).
"""

from dataclasses import dataclass
from typing import Final

from xenspec.vocabulary import PageType

TYPE_SHIFT: Final = 61
LOCKED: Final = 1 << 60
PINNED: Final = 1 << 59
VALIDATED: Final = 1 << 58
PARTIAL: Final = 1 << 56
NONCOHERENT: Final = 1 << 55
TYPE_COUNT: Final = NONCOHERENT - 1
ALLOCATED: Final = 1 << 63
XENHEAP: Final = 1 << 62
REF_COUNT: Final = (1 << 52) - 1

COMPARED: Final = (
    "type",
    "type_count",
    "validated",
    "pinned",
    "partial",
    "allocated",
    "xenheap",
    "ref_count",
)
"""The fields in which a model must agree with Xen: all but `noncoherent`, which follows cache attributes."""


@dataclass(frozen=True, slots=True)
class PageInfo:
    """Both words of a frame, decoded."""

    type: PageType
    type_count: int
    validated: bool
    pinned: bool
    partial: bool
    noncoherent: bool
    allocated: bool
    xenheap: bool
    ref_count: int

    def differences(self, other: "PageInfo") -> tuple[str, ...]:
        """Names of the compared fields in which the two differ; empty where they agree."""
        pairs = zip(COMPARED, self.compared(), other.compared(), strict=True)
        return tuple(name for name, mine, theirs in pairs if mine != theirs)

    def agrees(self, other: "PageInfo") -> bool:
        """Whether no compared field differs."""
        return self.compared() == other.compared()

    def compared(self) -> tuple[int, ...]:
        """The values of COMPARED, in its order."""
        flags = (self.validated, self.pinned, self.partial, self.allocated, self.xenheap)
        return (self.type, self.type_count, *flags, self.ref_count)

    def __str__(self) -> str:
        """As the oracle writes it: `l1 1 pv, refs 3 a`."""
        kind = "wr" if self.type is PageType.WRITABLE else self.type.name.lower()
        flags = _letters(p=self.pinned, v=self.validated, t=self.partial, n=self.noncoherent)
        owner = _letters(a=self.allocated, h=self.xenheap)
        return f"{kind} {self.type_count} {flags}, refs {self.ref_count} {owner}"


def decode_page_info(type_info: int, count_info: int) -> PageInfo:
    """Decode the two words."""
    return PageInfo(
        type=PageType(type_info >> TYPE_SHIFT),
        type_count=type_info & TYPE_COUNT,
        validated=bool(type_info & VALIDATED),
        pinned=bool(type_info & PINNED),
        partial=bool(type_info & PARTIAL),
        noncoherent=bool(type_info & NONCOHERENT),
        allocated=bool(count_info & ALLOCATED),
        xenheap=bool(count_info & XENHEAP),
        ref_count=count_info & REF_COUNT,
    )


def decode_type_info(type_info: int) -> PageInfo:
    """Decode type_info alone, as of a frame without references."""
    return decode_page_info(type_info, 0)


def encode_type_info(info: PageInfo) -> int:
    """The type_info word of `info`, with the bits that are not kept in it clear."""
    flags = (PINNED * info.pinned) | (VALIDATED * info.validated) | (PARTIAL * info.partial)
    return (info.type << TYPE_SHIFT) | flags | (NONCOHERENT * info.noncoherent) | info.type_count


def encode_count_info(info: PageInfo) -> int:
    """The count_info word of `info`, with the bits that are not kept in it clear."""
    return (ALLOCATED * info.allocated) | (XENHEAP * info.xenheap) | info.ref_count


def _letters(**flags: bool) -> str:
    return "".join(letter for letter, is_set in flags.items() if is_set)
