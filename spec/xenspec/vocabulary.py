"""The words that every layer shares: key types, page types, domain numbers, errno values.

Spelling follows Xen's public headers (xen/include/public/xen.h, arch-x86/xen.h, errno.h). Nothing here
computes; a number that has a unit says so.
"""

from enum import IntEnum
from typing import Final, NewType

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
TlbKey = NewType("TlbKey", tuple[int, int])
"""A place for a cached translation: (physical CPU, page number of the linear address)."""
DirtyId = NewType("DirtyId", tuple[int, int])
"""What a physical CPU may hold of a domain: (domain, physical CPU)."""
PrefixId = NewType("PrefixId", tuple[int, int, int])
"""A place for a cached prefix of walks: (physical CPU, level at which the table that it leads to is read,
number of the address range: the linear address without the bits that tables from that level down index)."""
WordId = NewType("WordId", tuple[int, int])
"""A raw word of a frame: (frame, slot)."""
GdtPage = NewType("GdtPage", tuple[tuple[int, int], int])
"""A page of a GDT: (virtual CPU, index)."""
LdtPage = NewType("LdtPage", tuple[tuple[int, int], int])
"""A page of an LDT shadow: (virtual CPU, index)."""
EventFrameId = NewType("EventFrameId", tuple[int, int])
"""A FIFO page of a domain: (domain, index)."""
EoiFrameId = NewType("EoiFrameId", int)
"""The page of PHYSDEVOP_pirq_eoi_gmfn of a domain, by the domain."""
PortId = NewType("PortId", tuple[int, int])
"""An event-channel port: (domain, port)."""
SelectorId = NewType("SelectorId", tuple[tuple[int, int], int])
"""A bit of a 2-level selector: (virtual CPU, number of the word of ports)."""
QueueId = NewType("QueueId", tuple[tuple[int, int], int])
"""A queue of FIFO events: (virtual CPU, priority)."""
PollId = NewType("PollId", tuple[tuple[int, int], int])
"""A port that a virtual CPU may poll: (virtual CPU, port of its domain)."""
VirqId = NewType("VirqId", tuple[tuple[int, int], int])
"""A virtual interrupt: (virtual CPU, number)."""
PirqId = NewType("PirqId", tuple[int, int])
"""A physical interrupt that a domain may bind: (domain, number)."""
GrantId = NewType("GrantId", tuple[int, int])
"""An entry of a grant table: (domain, reference)."""
HandleId = NewType("HandleId", tuple[int, int])
"""A mapping of a grant: (domain that maps, handle)."""
GrantFrameId = NewType("GrantFrameId", tuple[int, int])
"""A page of a grant table, or of its status: (domain, index)."""
UnmapId = NewType("UnmapId", tuple[tuple[int, int], int])
"""An unmapping under way: (virtual CPU, place in the batch)."""
CopyId = NewType("CopyId", tuple[tuple[int, int], int])
"""A side of a copy under way: (virtual CPU, 0 source or 1 destination)."""
TransferId = NewType("TransferId", tuple[int, int])
"""A transfer under way, by its virtual CPU."""
RingSide = NewType("RingSide", int)
"""A side of an I/O ring: FRONTEND or BACKEND."""
RequestId = NewType("RequestId", int)
"""The number by which a frontend knows a request again in its response."""

FRONTEND: Final = RingSide(0)
BACKEND: Final = RingSide(1)
"""The sides of an I/O ring: the one that asks, and the one that answers."""

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


class Mode(IntEnum):
    """What an in-flight reference is doing."""

    IDLE = 0
    REF = 1
    """Holds a general reference."""
    FLUSHING = 2
    """Holds both references; the frame changes its type, TLB flushes are under way."""
    VALIDATING = 3
    """Holds both references; the frame's entries are being taken, one by one."""
    HELD = 4
    """Holds both references of a validated frame."""
    DEVALIDATING = 5
    """Holds both references, the last typed one; the frame's entries are being released."""


class PortState(IntEnum):
    """ECS_* of an event-channel port: what it is bound to."""

    FREE = 0
    RESERVED = 1
    """Port 0, which is never handed out."""
    UNBOUND = 2
    """Waits for the named domain to bind it."""
    INTERDOMAIN = 3
    PIRQ = 4
    VIRQ = 5
    IPI = 6


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
    ERANGE = 34
    ENOSYS = 38
    EOPNOTSUPP = 95


NO_TYPE: Final = PageType.NONE
L1: Final = PageType.L1
L2: Final = PageType.L2
L3: Final = PageType.L3
L4: Final = PageType.L4
SEG: Final = PageType.SEG
SHARED: Final = PageType.SHARED
WRITABLE: Final = PageType.WRITABLE
"""The page types by themselves: reading a member of an enum costs more than a step's arithmetic."""

FREE: Final = PortState.FREE
RESERVED: Final = PortState.RESERVED
UNBOUND: Final = PortState.UNBOUND
INTERDOMAIN: Final = PortState.INTERDOMAIN
PIRQ: Final = PortState.PIRQ
VIRQ: Final = PortState.VIRQ
IPI: Final = PortState.IPI
"""The states of a port likewise."""

EPERM: Final = Errno.EPERM
ENOENT: Final = Errno.ENOENT
ESRCH: Final = Errno.ESRCH
EIO: Final = Errno.EIO
E2BIG: Final = Errno.E2BIG
EAGAIN: Final = Errno.EAGAIN
ENOMEM: Final = Errno.ENOMEM
EACCES: Final = Errno.EACCES
EFAULT: Final = Errno.EFAULT
EBUSY: Final = Errno.EBUSY
EEXIST: Final = Errno.EEXIST
EINVAL: Final = Errno.EINVAL
ENOSPC: Final = Errno.ENOSPC
ERANGE: Final = Errno.ERANGE
ENOSYS: Final = Errno.ENOSYS
EOPNOTSUPP: Final = Errno.EOPNOTSUPP
"""The errno values likewise."""

DOMID_SELF = DomId(0x7FF0)
DOMID_IO = DomId(0x7FF1)
DOMID_XEN = DomId(0x7FF2)
DOMID_COW = DomId(0x7FF3)
DOMID_INVALID = DomId(0x7FF4)
DOMID_IDLE = DomId(0x7FFF)
DOMID_FIRST_RESERVED = DomId(0x7FF0)
"""Domain numbers from here on name no ordinary domain."""
