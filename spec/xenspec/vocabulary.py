"""The words that every layer shares: key types, page types, domain numbers, errno values.

Spelling follows Xen's public headers (xen/include/public/xen.h, arch-x86/xen.h, errno.h). Nothing here
computes; a number that has a unit says so.
"""

from enum import IntEnum
from typing import NewType

Mfn = NewType("Mfn", int)
"""Machine frame number: a 4 KiB frame of the machine."""
Pfn = NewType("Pfn", int)
"""Pseudo-physical frame number, as a guest counts its memory."""
Slot = NewType("Slot", int)
"""Index of an 8-byte word in a frame, 0..511."""
Va = NewType("Va", int)
"""Linear (virtual) address, 64 bits."""
Word = NewType("Word", int)
"""A raw 64-bit word: a page-table entry, a descriptor or data."""
DomId = NewType("DomId", int)
"""Domain number (domid_t)."""
Cpu = NewType("Cpu", int)
"""Physical CPU number."""
VcpuId = NewType("VcpuId", tuple[int, int])
"""A virtual CPU: (domain, number within the domain)."""
EntryId = NewType("EntryId", tuple[int, int])
"""A page-table slot: (frame of the table, slot)."""
FlightId = NewType("FlightId", tuple[tuple[int, int], int])
"""An in-flight reference: (virtual CPU, purpose and depth; see xenmodel.memory.holders)."""

SLOTS = 512
"""Words in a frame."""
PAGE_SIZE = 4096
"""Bytes in a frame."""


class PageType(IntEnum):
    """PGT_* of a frame: what it is exclusively used as while its type count is not zero."""

    NONE = 0
    L1 = 1
    L2 = 2
    L3 = 3
    L4 = 4
    SEG = 5
    SHARED = 6
    WRITABLE = 7


class Errno(IntEnum):
    """Xen's errno values (public/errno.h), positive; a hypercall returns them negated."""

    EPERM = 1
    ENOENT = 2
    ESRCH = 3
    EIO = 5
    E2BIG = 7
    EAGAIN = 11
    ENOMEM = 12
    EACCES = 13
    EFAULT = 14
    EBUSY = 16
    EEXIST = 17
    EINVAL = 22
    ENOSPC = 28
    ENOSYS = 38
    EOPNOTSUPP = 95


DOMID_SELF = DomId(0x7FF0)
DOMID_IO = DomId(0x7FF1)
DOMID_XEN = DomId(0x7FF2)
DOMID_COW = DomId(0x7FF3)
DOMID_INVALID = DomId(0x7FF4)
DOMID_IDLE = DomId(0x7FFF)
DOMID_FIRST_RESERVED = DomId(0x7FF0)
"""Domain numbers from here on name no ordinary domain."""
