"""What a script is made of: places, where a case happens, and requests with their operands.

The driver chooses the fresh pages of a case, so every name is a number here, but for what only the kernel
knows: a frame that Xen may hand out during the case, what an earlier request saved, and where the case's
grant references begin. Those are left to the kernel, by slots.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from struct import Struct
from typing import Final, TypeAlias, TypeGuard, get_args

from xenproofs.duel.live import protocol
from xenproofs.duel.live.protocol import Code
from xenproofs.judge.trace.naming import EntryRef, SpecialName
from xenspec.vocabulary import PAGE_SIZE

MASK: Final = (1 << 64) - 1
MASK32: Final = (1 << 32) - 1
PAGE_SHIFT: Final = 12
FLAG_BITS: Final = 0xFFF | 0xFFF << 52
LIVE: Final = "l1e:"
OWN_REFS: Final = 64
"""Grant references below are relative to the case's first one; larger ones are meant as they are."""

SPECIAL: Final = frozenset(get_args(SpecialName))

Operand: TypeAlias = tuple[int, int, int]
"""Base, slot, shift."""


class Unaskable(Exception):  # noqa: N818 - says what the question is
    """A question names what it does not have, or asks for more than the kernel takes."""


def is_special(name: str) -> TypeGuard[SpecialName]:
    """Return whether a name is that of a frame of the machine."""
    return name in SPECIAL


@dataclass(frozen=True, slots=True)
class Page:
    """A frame of a case: own address and address of the level-1 entry that maps it; both 0 for a foreign one.

    `entry_address` is that entry's machine address.
    """

    mfn: int
    va: int = 0
    entry: int = 0
    entry_address: int = 0


@dataclass(frozen=True, slots=True)
class Places:
    """Where a case takes place: its pages, foreign frames, and the named frames of the machine."""

    pages: tuple[Page, ...]
    foreign: tuple[Page, ...]
    special: Mapping[SpecialName, int]
    first_page: int
    """Address of the kernel's page 0: frame lists count from here."""

    def slot(self, name: str) -> int:
        """Return the slot, from 1, of a page or foreign frame."""
        index = int(name[1:])
        have = self.pages if name[0] == "p" else self.foreign
        if index >= len(have):
            raise Unaskable(f"the case has no {name}")
        return index + 1 if name[0] == "p" else len(self.pages) + index + 1

    def page(self, name: str) -> Page:
        """Return a page of the asking domain."""
        index = int(name[1:])
        if name[0] != "p" or index >= len(self.pages):
            raise Unaskable(f"the case has no page {name}")
        return self.pages[index]

    def frame(self, ref: str | int) -> Operand:
        """Return a frame's number."""
        if isinstance(ref, int):
            return ref & MASK, 0, 0
        if is_special(ref):
            return self._machine_frame(ref), 0, 0
        return 0, self.slot(ref), 0

    def address_in(self, ref: str | int, offset: int) -> Operand:
        """Return the machine address of a byte of a frame; a number is an address already."""
        if isinstance(ref, int):
            return ref + offset & MASK, 0, 0
        if ref.startswith(LIVE):
            return self.page(ref.removeprefix(LIVE)).entry_address + offset, 0, 0
        if is_special(ref):
            return self._machine_frame(ref) * PAGE_SIZE + offset, 0, 0
        return offset, self.slot(ref), PAGE_SHIFT

    def entry(self, ref: EntryRef) -> Operand:
        """Return a page-table entry."""
        if isinstance(ref, int):
            return ref & MASK, 0, 0
        if isinstance(ref.frame, int):
            return (ref.frame << PAGE_SHIFT | ref.flags) & MASK, 0, 0
        flags = ref.flags & FLAG_BITS
        if is_special(ref.frame):
            return self._machine_frame(ref.frame) << PAGE_SHIFT | flags, 0, 0
        return flags, self.slot(ref.frame), PAGE_SHIFT

    def _machine_frame(self, name: SpecialName) -> int:
        found = self.special.get(name)
        if found is None:
            raise Unaskable(f"this machine has no {name}")
        return found

    def value(self, ref: str | int) -> Operand:
        """Return a number, what slot k saved (`$k`), or a frame's number."""
        if isinstance(ref, int) or ref[0] != "$":
            return self.frame(ref)
        slot = int(ref[1:])
        if slot >= protocol.MOST_SAVED:
            raise Unaskable(f"the kernel has no slot {ref}")
        return 0, protocol.SLOT_SAVED + slot, 0

    def va(self, ref: str | int) -> Operand:
        """Return an address."""
        if isinstance(ref, int):
            return ref & MASK, 0, 0
        name, _, offset = ref.partition("+")
        return self.page(name).va + int(offset or 0), 0, 0


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a script."""

    code: Code
    operands: tuple[Operand, ...] = ()
    flags: int = 0
    a: int = 0
    b: int = 0
    c: int = 0

    def packed(self) -> bytes:
        """Return the request as the kernel reads it."""
        flat = [part for operand in self.operands for part in operand]
        count = len(self.operands)
        return _layout(count).pack(
            self.code, count, self.flags, self.a & MASK, self.b & MASK, self.c & MASK, *flat
        )


@cache
def _layout(operands: int) -> Struct:
    return Struct("<" + protocol.REQUEST + protocol.OPERAND * operands)


def reference(ref: int) -> Operand:
    """Return a grant reference."""
    return (ref, protocol.SLOT_REFERENCES, 0) if ref < OWN_REFS else (ref & MASK32, 0, 0)
