"""The memory of a running machine: a file that QEMU and this process both map.

Addresses here are machine addresses, which QEMU keeps at the same offsets of the file: the machine has less
memory than its hole for I/O begins at.
"""

import mmap
import os
from dataclasses import dataclass
from struct import Struct
from typing import Final

from xenmodel.abi import pte
from xenspec.vocabulary import PAGE_SIZE

WORD: Final = Struct("<Q")
LEVEL_SHIFTS: Final = (39, 30, 21, 12)
SUPERPAGE: Final = 0x80
SUPERPAGE_SHIFTS: Final = (30, 21)
INDEX_MASK: Final = 511


@dataclass(frozen=True, slots=True)
class Walk:
    """How an address is translated: the machine addresses of the entries passed, from level 4 down.

    Args:
        entries: machine addresses of the entries.
        target: machine address that the walk reaches, or None where an entry is not present.
        size: bytes that the last entry maps.
    """

    entries: tuple[int, ...]
    target: int | None
    size: int


class Memory:
    """The machine's memory, as words and bytes."""

    def __init__(self, size: int) -> None:
        self.size: Final = size
        self.fd: Final = os.memfd_create("xencheck-duel-memory")
        os.ftruncate(self.fd, size)
        self._map: Final = mmap.mmap(self.fd, size)

    def word(self, address: int) -> int:
        """Return the 64-bit word at an address."""
        found: tuple[int] = WORD.unpack_from(self._map, address)
        return found[0]

    def set_word(self, address: int, value: int) -> None:
        """Write a 64-bit word."""
        WORD.pack_into(self._map, address, value)

    def read(self, address: int, size: int) -> bytes:
        """Return a copy of some bytes."""
        return self._map[address : address + size]

    def write(self, address: int, data: bytes) -> None:
        """Write some bytes."""
        self._map[address : address + len(data)] = data

    def walk(self, root: int, va: int) -> Walk:
        """Translate an address by the tables under the frame `root`."""
        passed: list[int] = []
        table = root * PAGE_SIZE
        for shift in LEVEL_SHIFTS:
            address = table + (va >> shift & INDEX_MASK) * WORD.size
            entry = self.word(address)
            passed.append(address)
            if not pte.present(entry):
                return Walk(tuple(passed), None, 1 << shift)
            table = pte.target(entry) * PAGE_SIZE
            if shift == LEVEL_SHIFTS[-1] or (shift in SUPERPAGE_SHIFTS and entry & SUPERPAGE):
                inside = (1 << shift) - 1
                return Walk(tuple(passed), table & ~inside | va & inside, 1 << shift)
        raise AssertionError("a walk ends at its fourth level")

    def close(self) -> None:
        """Give the memory back; QEMU must have ended, or it keeps its own mapping."""
        self._map.close()
        os.close(self.fd)
