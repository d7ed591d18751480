"""The operations of oracle cases that concern memory: what real Xen was asked.

A default is the asking program's. `nodone` passes no pointer for the number done.
"""

from typing import Annotated, Final, Literal, TypeAlias, get_args

from msgspec import Meta

from xenproofs.judge.trace.naming import EntryRef, ForeignName, Frame, FrameOrVa, SpecialName, TableRef, VaRef
from xenproofs.judge.trace.words import U8, U16, U64, DomIdU16, Flag, Wire, WordU64

INVLPG_ALL: Final = 6
"""UVMF_INVLPG | UVMF_ALL, the flags of a mapping update that names none."""
SELF: Final = 0x7FF0


class Update(Wire, frozen=True, array_like=True):
    """`[table, index, cmd, value]`.

    cmd: n normal, ad preserve A/D, nt no translate, m machphys (then `value` is the new M2P entry).
    """

    table: TableRef
    index: Annotated[int, Meta(ge=0, le=511)]
    cmd: Literal["n", "ad", "nt", "m"]
    value: EntryRef


class CaseOp(Wire, frozen=True, tag_field="op"):
    """One operation of a case."""


class MmuUpdateOp(CaseOp, frozen=True, tag="mmu_update", omit_defaults=True):
    """One mmu_update hypercall."""

    reqs: tuple[Update, ...]
    fd: U64 = SELF
    nodone: Flag = 0


# fmt: off
ExtName: TypeAlias = Literal[
    "pin_l1", "pin_l2", "pin_l3", "pin_l4", "unpin", "new_baseptr", "new_user_baseptr",
    "clear_page", "copy_page", "mark_super", "unmark_super",
    "set_ldt", "invlpg_local", "invlpg_all", "invlpg_multi",
    "tlb_flush_local", "tlb_flush_all", "tlb_flush_multi", "flush_cache", "flush_cache_global",
]
# fmt: on
ONE_OPERAND: Final = frozenset(
    {
        "pin_l1",
        "pin_l2",
        "pin_l3",
        "pin_l4",
        "unpin",
        "new_baseptr",
        "new_user_baseptr",
        "clear_page",
        "mark_super",
        "unmark_super",
        "invlpg_local",
        "invlpg_all",
    }
)
FRAMES: Final = frozenset(get_args(ForeignName) + get_args(SpecialName))
TWO_OPERANDS: Final = frozenset({"copy_page", "set_ldt"})


class ExtCommand(Wire, frozen=True, array_like=True, omit_defaults=True):
    """`[name, operand, extra]`; copy_page: destination, source; set_ldt: address, number."""

    name: ExtName
    operand: FrameOrVa | None = None
    extra: Frame | None = None

    def __post_init__(self) -> None:
        given = (self.operand is not None) + (self.extra is not None)
        wanted = 2 if self.name in TWO_OPERANDS else 1 if self.name in ONE_OPERAND else given
        if given != wanted:
            raise ValueError(f"{self.name} has {given} operands, not {wanted}")
        is_page_va = isinstance(self.operand, str) and self.operand.startswith("p")
        if isinstance(self.operand, str) and not is_page_va and self.operand not in FRAMES:
            raise ValueError(f"no frame is called {self.operand!r}")


class MmuExtOp(CaseOp, frozen=True, tag="mmuext", omit_defaults=True):
    """One mmuext_op hypercall; `force` loads even a table that the test kernel cannot survive."""

    cmds: tuple[ExtCommand, ...]
    fd: U64 = SELF
    nodone: Flag = 0
    force: Flag = 0


class UvmOp(CaseOp, frozen=True, tag="uvm", omit_defaults=True):
    """update_va_mapping."""

    va: VaRef
    pte: EntryRef
    flags: U64 = INVLPG_ALL


class UvmOtherOp(CaseOp, frozen=True, tag="uvm_other", omit_defaults=True):
    """update_va_mapping_otherdomain."""

    va: VaRef
    dom: DomIdU16
    pte: EntryRef
    flags: U64 = INVLPG_ALL


class SetGdtOp(CaseOp, frozen=True, tag="set_gdt", omit_defaults=True):
    """set_gdt; `list` false passes no list of frames."""

    frames: tuple[Frame, ...]
    entries: U64
    list: bool = True


class UpdateDescriptorOp(CaseOp, frozen=True, tag="update_descriptor"):
    """update_descriptor of the 8 bytes at `off` in `page`."""

    page: Frame
    off: U16
    desc: WordU64


class LoadSegOp(CaseOp, frozen=True, tag="load_seg"):
    """Load the selector `sel` into %fs."""

    sel: U16


class SetTrapTableOp(CaseOp, frozen=True, tag="set_trap_table", omit_defaults=True):
    """set_trap_table: one entry, a null pointer, the pointer `address`, or the test kernel's own table."""

    mode: Literal["entry", "null", "ptr", "ours"]
    vector: U8 = 0
    flags: U8 = 0
    cs: U16 = 0
    address: VaRef | None = None


class ReservationOp(CaseOp, frozen=True, tag="memory_op", omit_defaults=True):
    """A reservation call on the named extents, each of 2^order frames."""

    cmd: Literal["decrease", "increase", "populate", "exchange"]
    extents: tuple[Frame, ...]
    order: U8 = 0
    dom: DomIdU16 | None = None
    mem_flags: U64 = 0


class WriteOp(CaseOp, frozen=True, tag="write"):
    """An 8-byte store of `val` at `va`, with no stale translation."""

    va: VaRef
    val: EntryRef


class ReadOp(CaseOp, frozen=True, tag="read"):
    """An 8-byte load."""

    va: VaRef


class VmAssistOp(CaseOp, frozen=True, tag="vm_assist"):
    """vm_assist; a number is a command of that number."""

    cmd: Literal["enable", "disable"] | U64
    type: U64


class PageInfoOp(CaseOp, frozen=True, tag="pginfo", omit_defaults=True):
    """XEN_DOMCTL_getpageframeinfo3 of one frame."""

    page: Frame
    dom: DomIdU16 | None = None


MemoryCaseOp: TypeAlias = (
    MmuUpdateOp
    | MmuExtOp
    | UvmOp
    | UvmOtherOp
    | SetGdtOp
    | UpdateDescriptorOp
    | LoadSegOp
    | SetTrapTableOp
    | ReservationOp
    | WriteOp
    | ReadOp
    | VmAssistOp
    | PageInfoOp
)
