"""Names that oracle cases give to frames and addresses, and how page-table entries are written with them.

`p0`.. are fresh pages of the calling domain, `f0`.. of the other one; the rest are frames of the test kernel
and of the machine. A frame may also be a plain machine frame number. An answer calls `pN~` the frame that
page N had before it was replaced.
"""

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta

from xenproofs.judge.trace.words import U64, VaU64, Wire
from xenspec.vocabulary import Va

# fmt: off
PageName: TypeAlias = Literal["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"]
ForeignName: TypeAlias = Literal["f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7"]
SpecialName: TypeAlias = Literal[
    "bootl4", "bootl3", "bootl2", "bootl1", "shinfo", "gnt0", "dshinfo", "dgnt0", "startinfo",
    "xen", "invalid", "mmio_vga", "mmio_lapic",
]
OldName: TypeAlias = Literal[
    "p0~", "p1~", "p2~", "p3~", "p4~", "p5~", "p6~", "p7~",
    "f0~", "f1~", "f2~", "f3~", "f4~", "f5~", "f6~", "f7~",
]
LiveEntryName: TypeAlias = Literal[
    "l1e:p0", "l1e:p1", "l1e:p2", "l1e:p3", "l1e:p4", "l1e:p5", "l1e:p6", "l1e:p7",
]
# fmt: on
FrameName: TypeAlias = PageName | ForeignName | SpecialName
Frame: TypeAlias = FrameName | U64
"""A frame by name, or a machine frame number."""
TableRef: TypeAlias = FrameName | LiveEntryName | U64
"""Where an update goes: slots of a frame, or (`l1e:p3`) the L1 entry that now maps p3 at its own address."""
PageVa: TypeAlias = Annotated[str, Meta(pattern=r"^p[0-7](\+\d{1,6})?$")]
VaRef: TypeAlias = PageVa | VaU64
"""An address: `p3` or `p3+16` in the calling domain's own mapping of p3, or a number."""
FrameOrVa: TypeAlias = (
    Annotated[str, Meta(pattern=r"^(p[0-7](\+\d{1,6})?|f[0-7]|[a-z]+_?[a-z]*[0-9]?)$")] | U64
)
"""Operand of an extended operation: a frame, or where the operation takes an address, a `VaRef`."""
SavedValue: TypeAlias = Annotated[str, Meta(pattern=r"^\$\d{1,2}$")]
"""`$k`: what an earlier operation saved in slot k (0 before the first)."""
Operand: TypeAlias = SavedValue | U64
EventOperand: TypeAlias = Annotated[str, Meta(pattern=r"^(\$\d{1,2}|[pf][0-7]|[a-z]+_?[a-z]*[0-9]?)$")] | U64
"""Argument of an event channel call: an `Operand`, or a frame."""

LIVE: Final = "l1e:"


class NamedEntry(Wire, frozen=True, array_like=True):
    """`[frame, flags]`: the entry `frame << 12 | flags`, flags being bits 0..11 and 52..63."""

    frame: Frame | OldName
    flags: U64


EntryRef: TypeAlias = U64 | NamedEntry
"""A page-table entry: a raw word, or a frame with flags."""


def split_va(va: VaRef) -> tuple[str, int] | Va:
    """`p3+16` is ("p3", 16); a number stays what it is."""
    if isinstance(va, int):
        return va
    page, _, offset = va.partition("+")
    return page, int(offset or 0)


def live_page(table: TableRef) -> str | None:
    """The page whose live entry `table` names (`l1e:p3`), or None where it names a frame."""
    if isinstance(table, str) and table.startswith(LIVE):
        return table.removeprefix(LIVE)
    return None
