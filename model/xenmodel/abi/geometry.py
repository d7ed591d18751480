"""Paging geometries: what the code asks of page tables, and the three geometries that answer.

A geometry is a class of constants and static functions; a machine has one (`m.pte`). Slots count entries: a
frame has 512 of 8 bytes, or 1024 of 4 bytes in the two-level geometry, where a word is 4 bytes too. Recorded
data and the oracle judge the 4-level geometry only (docs/decisions/0005).

Three sorts of slots are not a guest's to change. *Xen's own*, `xen_first` .. `xen_end - 1` of tables of
`xen_level`: of all of them, or (PAE) of those L2 tables that are for the top of the address space (`top_l2`
of a frame). The *top slot* of a PAE top-level table, which must link such an L2 table. And what a walk never
reads: slots from `walked` on of a PAE top-level table.
"""

from typing import Protocol

from xenmodel.abi import pte, pte32
from xenspec.vocabulary import L2, L4, Mfn, PageType

NOWHERE = -1
"""A slot that no table has."""
NO_EXECUTION_OR_HIGH = pte.NX | pte.AVAIL_HIGH
TWO_TO_47 = 1 << 47
XEN_END_64 = 0xFFFF880000000000
"""Xen's range ends here in the 4-level geometry; it begins where bit 47 does."""
XEN_START_PAE = 0xF5800000
"""HYPERVISOR_COMPAT_VIRT_START."""
XEN_START_2003 = 0xFC000000
"""The top 64 MB."""


class PteShape(Protocol):
    """The constants of a geometry."""

    levels: int
    """How many levels of tables; also the type of a top-level table."""
    slots: int
    """Entries in a frame."""
    word_bytes: int
    """Bytes of an entry, and of a word of a frame."""
    word_mask: int
    """The largest word."""
    no_frame: int
    """The largest frame number of an entry; Xen refuses it with EINVAL where others get EPERM."""
    kernel_is_user: bool
    """A guest kernel runs in ring 3, so that the processor asks for USER on its behalf too."""
    xen_level: PageType
    """The type of the tables in which slots are Xen's own."""
    xen_first: int
    xen_end: int
    """Xen's own slots are xen_first .. xen_end-1."""
    xen_in_each: bool
    """Every table of `xen_level` has them, not only an L2 table for the top of the address space."""
    self_map: int
    """The one of Xen's own slots that links the table itself; NOWHERE if none does."""
    m2p_slot: int
    """The one of Xen's own slots that shows the read-only M2P on demand; NOWHERE if it is always shown."""
    top_slot: int
    """The slot of a top-level table that must link an L2 table for the top; NOWHERE if none must."""
    changeable: int
    """Slots of a top-level table from here on never change while it is one."""
    walked: int
    """Slots of a top-level table from here on are no entries."""
    linear_top: bool
    """A top-level table may link one of its own level."""


class PteFormat(PteShape, Protocol):
    """A geometry; in a proof, its functions are functions on an uninterpreted word."""

    def present(self, word: int, /) -> bool:
        """Return whether the processor would use the entry."""
        ...

    def large(self, word: int, /) -> bool:
        """Return whether an entry above L1 maps memory itself and names no table."""
        ...

    def writable(self, word: int, /) -> bool:
        """Return whether the entry grants writing."""
        ...

    def user(self, word: int, /) -> bool:
        """Return whether the entry lets user mode through."""
        ...

    def accessed(self, word: int, /) -> bool:
        """Return whether a walk has gone through the entry since the bit was cleared."""
        ...

    def dirty(self, word: int, /) -> bool:
        """Return whether a store has gone through the entry since the bit was cleared."""
        ...

    def is_global(self, word: int, /) -> bool:
        """Return whether the translation outlives a load of CR3."""
        ...

    def target(self, word: int, /) -> Mfn:
        """Return the frame that the entry names."""
        ...

    def entry(self, frame: int, flags: int, /) -> int:
        """Return the entry that names `frame` with `flags`."""
        ...

    def adjusted(self, word: int, level: int, /) -> int:
        """Return what Xen stores for what a guest writes at `level`."""
        ...

    def io_adjusted(self, word: int, /, *, readonly: bool) -> int:
        """Return an L1 entry to I/O space as Xen makes it."""
        ...

    def without_io_rights_refused(self, word: int, /) -> bool:
        """Return whether an L1 entry has flags that need I/O rights."""
        ...

    def table_flags_refused(self, word: int, level: int, /) -> bool:
        """Return whether an entry of a table of `level` above L1 has flags that Xen refuses."""
        ...

    def cached(self, word: int, /) -> bool:
        """Return whether an L1 entry asks for ordinary write-back caching."""
        ...

    def write_combining(self, word: int, /) -> bool:
        """Return whether an L1 entry is a writable write-combining mapping."""
        ...

    def same_but_for_fast_path(self, before: int, after: int, /) -> bool:
        """Return whether two entries differ only in flags that need no new validation."""
        ...

    def with_accessed_dirty_of(self, word: int, before: int, /) -> int:
        """Return `word` with the accessed and dirty bits of `before` added."""
        ...

    def marked(self, word: int, /, *, dirty: bool) -> int:
        """Return the entry after the processor used it."""
        ...

    def indices(self, va: int, /) -> tuple[int, ...]:
        """Return the slots that a walk of `va` uses, from the top level down to L1."""
        ...

    def canonical(self, va: int, /) -> bool:
        """Return whether the processor accepts the address at all."""
        ...

    def guest_address(self, va: int, /) -> bool:
        """Return whether the address is one, and outside Xen's range (__addr_ok)."""
        ...

    def addressable(self, va: int, /) -> bool:
        """Return whether an access of a guest reaches the paging unit: segment limits end below Xen."""
        ...


class FourLevelShape:
    """The constants of FourLevel."""

    __slots__ = ()

    levels = 4
    slots = 512
    word_bytes = 8
    word_mask = (1 << 64) - 1
    no_frame = pte.ALL_ONES
    kernel_is_user = True
    xen_level = L4
    xen_first = pte.XEN_FIRST_SLOT
    xen_end = pte.XEN_LAST_SLOT + 1
    xen_in_each = True
    self_map = 258
    m2p_slot = pte.XEN_FIRST_SLOT
    top_slot = NOWHERE
    changeable = 512
    walked = 512
    linear_top = True


class FourLevel(FourLevelShape):
    """x86-64: four levels of 512 8-byte entries; Xen has 0xffff800000000000 .. 0xffff87ffffffffff."""

    __slots__ = ()

    present = staticmethod(pte.present)
    writable = staticmethod(pte.writable)
    large = staticmethod(pte.large)
    user = staticmethod(pte.user)
    accessed = staticmethod(pte.accessed)
    dirty = staticmethod(pte.dirty)
    is_global = staticmethod(pte.is_global)
    target = staticmethod(pte.target)
    entry = staticmethod(pte.entry)
    adjusted = staticmethod(pte.adjusted)
    io_adjusted = staticmethod(pte.io_adjusted)
    without_io_rights_refused = staticmethod(pte.without_io_rights_refused)
    table_flags_refused = staticmethod(pte.table_flags_refused)
    cached = staticmethod(pte.cached)
    write_combining = staticmethod(pte.write_combining)
    same_but_for_fast_path = staticmethod(pte.same_but_for_fast_path)
    with_accessed_dirty_of = staticmethod(pte.with_accessed_dirty_of)
    marked = staticmethod(pte.marked)

    @staticmethod
    def indices(va: int) -> tuple[int, ...]:
        """Return the slots that a walk of `va` uses, from level 4 down to 1."""
        return va >> 39 & 511, va >> 30 & 511, va >> 21 & 511, va >> 12 & 511

    @staticmethod
    def canonical(va: int) -> bool:
        """Return whether bits 47..63 are equal."""
        return va < TWO_TO_47 or va >= (1 << 64) - TWO_TO_47

    @staticmethod
    def guest_address(va: int) -> bool:
        """Return whether the address is canonical and outside Xen's range."""
        return va < TWO_TO_47 or va >= XEN_END_64

    addressable = canonical


class Pae(FourLevel):
    """x86-32 with PAE: three levels of 8-byte entries; Xen has 0xf5800000 and above.

    As Xen 4.17 treats 32-bit guests: a top-level table has four entries, the fourth must link an L2 table of
    its own that no other table links, in which the slots from 0xf5800000 on are Xen's; that entry never
    changes. A top-level entry has no permissions of its own: Xen adds USER and RW, which the processor wants.
    """

    __slots__ = ()

    levels = 3
    kernel_is_user = False
    xen_level = L2
    xen_first = 428
    xen_end = 512
    xen_in_each = False
    self_map = NOWHERE
    m2p_slot = NOWHERE
    top_slot = 3
    changeable = 3
    walked = 4
    linear_top = False

    @staticmethod
    def adjusted(word: int, level: int, /) -> int:
        """Return what Xen stores for what a 32-bit guest writes at `level` (1..3)."""
        if level == 3 and word & pte.PRESENT:  # noqa: PLR2004 - the top level of this geometry
            return word | pte.USER | pte.RW
        return word

    @staticmethod
    def table_flags_refused(word: int, level: int, /) -> bool:
        """Return whether an L2 or L3 entry has flags that Xen refuses; more of them in L3."""
        refused = pte.TABLE_DISALLOWED
        if level == 3:  # noqa: PLR2004 - the top level of this geometry
            refused |= NO_EXECUTION_OR_HIGH
        return word & refused != 0

    @staticmethod
    def indices(va: int) -> tuple[int, ...]:
        """Return the slots that a walk of `va` uses, from level 3 down to 1."""
        return va >> 30 & 3, va >> 21 & 511, va >> 12 & 511

    @staticmethod
    def canonical(va: int) -> bool:
        """Return whether the address has 32 bits."""
        return va < 1 << 32

    @staticmethod
    def guest_address(va: int) -> bool:
        """Return whether the address is below Xen's range."""
        return va < XEN_START_PAE

    addressable = guest_address


class TwoLevel(FourLevel):
    """x86-32 as in the SOSP 2003 paper: two levels of 1024 4-byte entries; Xen has the top 64 MB.

    The last 16 slots of each page directory are Xen's. Descriptor tables are not modelled in this geometry
    (xenmodel.abi.descriptor.NoDescriptors).
    """

    __slots__ = ()

    levels = 2
    slots = 1024
    word_bytes = 4
    word_mask = (1 << 32) - 1
    no_frame = pte32.ALL_ONES
    kernel_is_user = False
    xen_level = L2
    xen_first = 1008
    xen_end = 1024
    self_map = NOWHERE
    m2p_slot = NOWHERE
    changeable = 1024
    walked = 1024

    target = staticmethod(pte32.target)
    entry = staticmethod(pte32.entry)
    adjusted = staticmethod(pte32.adjusted)

    @staticmethod
    def indices(va: int) -> tuple[int, ...]:
        """Return the slots that a walk of `va` uses, of the page directory and of the page table."""
        return va >> 22 & 1023, va >> 12 & 1023

    @staticmethod
    def canonical(va: int) -> bool:
        """Return whether the address has 32 bits."""
        return va < 1 << 32

    @staticmethod
    def guest_address(va: int) -> bool:
        """Return whether the address is below the top 64 MB."""
        return va < XEN_START_2003

    addressable = guest_address
