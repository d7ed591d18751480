"""Segment descriptors: which 8-byte values Xen lets into a descriptor table, and as what it stores them.

Layout: Intel SDM volume 3, 3.4.5 and 5.8.3. Xen (check_descriptor; oracle rules 17 of REPORT.md and 10 of
RULES.md) accepts: not present; code and data, stored with DPL 3; system type 0, unchanged; a call gate to
an allowed selector with nothing in the low byte of its upper half, stored with DPL 0 and its own DPL moved
into the selector's RPL. A guest kernel runs in ring 3, so that a requested DPL below 3 becomes 3.
"""

from typing import Protocol

DESCRIPTOR_BYTES = 8
PRESENT = 1 << 47
CODE_OR_DATA = 1 << 44
DPL_SHIFT = 45
DPL_MASK = 3 << DPL_SHIFT
TYPE_SHIFT = 40
TYPE_MASK = 0xF << TYPE_SHIFT
ACCESSED = 1 << 40
CALL_GATE = 0xC
EXECUTABLE = 1 << 43
CONFORMING = 1 << 42
READABLE = 1 << 41
GATE_RESERVED = 0xFF << 32
SELECTOR_SHIFT = 16
SELECTOR_MASK = 0xFFFF << SELECTOR_SHIFT
RING_3 = 3
TABLE_INDICATOR = 4
"""The bit of a selector that names the LDT instead of the GDT."""
FIRST_RESERVED_GDT_ENTRY = 7168
FLAT_RING3_CS = 0xE033
"""Xen's own flat code selector for 64-bit guests (public/arch-x86/xen-x86_64.h)."""
FLAT_RING3 = frozenset({0xE023, 0xE02B, FLAT_RING3_CS})
"""Selectors of Xen's own part of the GDT that ring 3 may load."""


class DescriptorFormat(Protocol):
    """What the steps ask of a descriptor."""

    def accepted(self, word: int, /) -> bool:
        """Return whether the descriptor may stand in a guest's table."""
        ...

    def stored(self, word: int, /) -> int:
        """Return what an accepted descriptor is stored as."""
        ...

    def used(self, word: int, /) -> int:
        """Return the descriptor after the processor loaded it."""
        ...

    def loadable(self, word: int, /) -> bool:
        """Return whether ring 3 may load the descriptor into a data segment register, were it present."""
        ...


def system_type(word: int) -> int:
    """Return the 4-bit type field."""
    return (word & TYPE_MASK) >> TYPE_SHIFT


def gate_selector(word: int) -> int:
    """Return a gate's target selector."""
    return (word & SELECTOR_MASK) >> SELECTOR_SHIFT


def selector_allowed(selector: int) -> bool:
    """Return whether a gate may name this selector: the guest's part of the GDT, the LDT, Xen's flat code."""
    guest_part = selector >> 3 < FIRST_RESERVED_GDT_ENTRY
    return guest_part or selector == FLAT_RING3_CS or selector & TABLE_INDICATOR != 0


def accepted(word: int) -> bool:
    """Return whether the descriptor may stand in a guest's table."""
    if not word & PRESENT or word & CODE_OR_DATA:
        return True
    kind = system_type(word)
    if kind == 0:
        return True
    return kind == CALL_GATE and selector_allowed(gate_selector(word)) and not word & GATE_RESERVED


def stored(word: int) -> int:
    """Return what an accepted descriptor is stored as."""
    if not word & PRESENT:
        return word
    if word & CODE_OR_DATA:
        return word | RING_3 << DPL_SHIFT
    if system_type(word) == 0:
        return word
    return word & ~DPL_MASK | RING_3 << SELECTOR_SHIFT


def present(word: int) -> bool:
    """Return whether the segment is there."""
    return word & PRESENT != 0


def loadable(word: int) -> bool:
    """Return whether ring 3 may load the descriptor into a data segment register, were it present."""
    if not word & CODE_OR_DATA:
        return False
    if word & EXECUTABLE and not word & READABLE:
        return False
    conforming = word & (EXECUTABLE | CONFORMING) == EXECUTABLE | CONFORMING
    return conforming or word & DPL_MASK == DPL_MASK


def used(word: int) -> int:
    """Return the descriptor after the processor loaded it."""
    return word | ACCESSED


def in_ring_3(selector: int) -> int:
    """Return the selector with the privilege that Xen leaves a 64-bit guest (fixup_guest_code_selector)."""
    return selector | RING_3


class Descriptors:
    """Descriptors of x86-64."""

    __slots__ = ()

    accepted = staticmethod(accepted)
    stored = staticmethod(stored)
    used = staticmethod(used)
    loadable = staticmethod(loadable)


class NoDescriptors:
    """Descriptors of a machine that models none: a page of zeros may be a descriptor table, nothing else."""

    __slots__ = ()

    @staticmethod
    def accepted(_word: int) -> bool:
        """Return False: it is asked of words other than zero."""
        return False

    @staticmethod
    def stored(word: int) -> int:
        """Return the null descriptor as it is."""
        return word

    used = stored

    @staticmethod
    def loadable(_word: int) -> bool:
        """Return False: there is none to load."""
        return False
