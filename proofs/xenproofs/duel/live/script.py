"""Questions as the test kernel reads them.

The driver chooses the fresh pages of a case, so every name is a number here, except a frame that Xen may
hand out during the case: that one is left to the kernel, as the slot of the case that holds it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from struct import Struct
from typing import Final, TypeAlias, TypeGuard, get_args

from xenmodel.memory.mmu_update import Command as UpdateCommand
from xenproofs.duel.live import protocol
from xenproofs.duel.live.protocol import Code
from xenproofs.judge.oracle.ask import COMMANDS, UPDATES
from xenproofs.judge.trace.case_ops import (
    ExtCommand,
    LoadSegOp,
    MemoryCaseOp,
    MmuExtOp,
    MmuUpdateOp,
    PageInfoOp,
    ReadOp,
    ReservationOp,
    SetGdtOp,
    SetTrapTableOp,
    Update,
    UpdateDescriptorOp,
    UvmOp,
    UvmOtherOp,
    VmAssistOp,
    WriteOp,
)
from xenproofs.judge.trace.naming import EntryRef, SpecialName
from xenproofs.judge.trace.questions import Question
from xenspec.vocabulary import DOMID_SELF, PAGE_SIZE

MASK: Final = (1 << 64) - 1
PAGE_SHIFT: Final = 12
FLAG_BITS: Final = 0xFFF | 0xFFF << 52
LIVE: Final = "l1e:"
MEMORY_COMMANDS: Final = {"increase": 0, "decrease": 1, "populate": 6, "exchange": 11}
ASSIST: Final = {"enable": 0, "disable": 1}
NEW_FRAME: Final = (MASK, 0, 0)
"""What `increase` passes for an extent: Xen writes the frame there."""
GDT_GIVEN: Final = 6
GDT_LIST: Final = 16

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


def encode(question: Question, places: Places) -> bytes:
    """Return a case of a script.

    Raises:
        Unaskable: it names a page that it does not have, or is too long.
    """
    frames = (*places.pages, *places.foreign)
    if len(frames) > protocol.MOST_FRAMES:
        raise Unaskable(f"{len(frames)} frames, the kernel takes {protocol.MOST_FRAMES}")
    return b"".join(
        (
            protocol.CASE_HEADER.pack(len(question.ops), len(frames)),
            *(protocol.CASE_FRAME.pack(page.mfn, page.va, page.entry) for page in frames),
            *(REQUESTS[type(op)](op, places).packed() for op in question.ops),
        )
    )


def _within(count: int, most: int) -> None:
    if count > most:
        raise Unaskable(f"{count} in one call, the kernel takes {most}")


def _mmu_update(op: MmuUpdateOp, places: Places) -> Request:
    _within(len(op.reqs), protocol.MOST_UPDATES)
    operands = tuple(part for request in op.reqs for part in _update(request, places))
    return Request(Code.MMU_UPDATE, operands, op.nodone * protocol.FLAG_NODONE, op.fd)


def _update(request: Update, places: Places) -> tuple[Operand, Operand]:
    command = UPDATES[request.cmd]
    index = 0 if command == UpdateCommand.MACHPHYS else request.index
    base, slot, shift = places.address_in(request.table, index * 8)
    return (base | command, slot, shift), places.entry(request.value)


def _mmuext(op: MmuExtOp, places: Places) -> Request:
    _within(len(op.cmds), protocol.MOST_UPDATES)
    operands = tuple(part for command in op.cmds for part in _command(command, places))
    flags = op.nodone * protocol.FLAG_NODONE | op.force * protocol.FLAG_FORCE
    return Request(Code.MMUEXT, operands, flags, op.fd)


def _command(command: ExtCommand, places: Places) -> tuple[Operand, Operand, Operand]:
    none: Operand = (0, 0, 0)
    number: Operand = (COMMANDS[command.name], 0, 0)
    first = none if command.operand is None else command.operand
    second = none if command.extra is None else places.frame(command.extra)
    if isinstance(first, tuple):
        return number, none, second
    if command.name == "set_ldt" or command.name.startswith("invlpg"):
        return number, places.va(first), second
    if command.name.startswith(("tlb_flush", "flush_cache")):
        return number, none, places.va(first)
    return number, places.frame(first), second


def _uvm(op: UvmOp, places: Places) -> Request:
    return Request(Code.UPDATE_VA, (places.va(op.va), places.entry(op.pte), (op.flags, 0, 0)))


def _uvm_other(op: UvmOtherOp, places: Places) -> Request:
    operands = (places.va(op.va), places.entry(op.pte), (op.flags, 0, 0))
    return Request(Code.UPDATE_VA_OTHER, operands, a=op.dom)


def _set_gdt(op: SetGdtOp, places: Places) -> Request:
    """Six frames as given, the last of them repeated: the list is always as long as a GDT can be."""
    nothing: Operand = (0, 0, 0)
    given = [*map(places.frame, op.frames), *[nothing] * GDT_GIVEN][:GDT_GIVEN]
    frames = (*given, *[given[-1]] * (GDT_LIST - GDT_GIVEN))
    return Request(Code.SET_GDT, frames, 0 if op.list else protocol.FLAG_NO_LIST, op.entries)


def _update_descriptor(op: UpdateDescriptorOp, places: Places) -> Request:
    return Request(Code.UPDATE_DESCRIPTOR, (places.address_in(op.page, op.off), (op.desc, 0, 0)))


def _load_seg(op: LoadSegOp, places: Places) -> Request:
    del places
    return Request(Code.LOAD_SELECTOR, a=op.sel)


def _set_trap_table(op: SetTrapTableOp, places: Places) -> Request:
    entry = op.vector | op.flags << 8 | op.cs << 16
    address = places.va(0 if op.address is None else op.address)
    return Request(Code.SET_TRAP_TABLE, (address,), a=protocol.TRAPS[op.mode], b=entry)


def _memory_op(op: ReservationOp, places: Places) -> Request:
    _within(len(op.extents), protocol.MOST_EXTENTS)
    domain = DOMID_SELF if op.dom is None else op.dom
    operands = tuple(part for extent in op.extents for part in _extent(op, extent, places))
    slots = 0
    if op.cmd != "decrease":
        for index, extent in enumerate(op.extents):
            slots |= (places.slot(str(extent)) - 1) << 8 * index
    packed = op.order | domain << 16 | op.mem_flags << 32
    return Request(Code.MEMORY_OP, operands, a=MEMORY_COMMANDS[op.cmd], b=packed, c=slots)


def _extent(op: ReservationOp, extent: str | int, places: Places) -> tuple[Operand, Operand]:
    """Return what is passed for an extent, and for the place that an exchange fills again."""
    place: Operand = (0, 0, 0)
    if op.cmd in ("populate", "exchange"):
        place = ((_page_va(str(extent), places) - places.first_page & MASK) // PAGE_SIZE, 0, 0)
    if op.cmd == "increase":
        return NEW_FRAME, place
    return (place if op.cmd == "populate" else places.frame(extent)), place


def _page_va(name: str, places: Places) -> int:
    """Return a page's own address; a foreign frame has none, and counts as address 0."""
    return places.page(name).va if name[0] == "p" else 0


def _write(op: WriteOp, places: Places) -> Request:
    return Request(Code.STORE, (places.va(op.va), places.entry(op.val)))


def _read(op: ReadOp, places: Places) -> Request:
    return Request(Code.LOAD, (places.va(op.va),))


def _vm_assist(op: VmAssistOp, places: Places) -> Request:
    del places
    return Request(Code.VM_ASSIST, a=op.cmd if isinstance(op.cmd, int) else ASSIST[op.cmd], b=op.type)


def _page_info(op: PageInfoOp, places: Places) -> Request:
    return Request(Code.PAGE_INFO, (places.frame(op.page),), a=op.dom or 0)


REQUESTS: Final[dict[type[MemoryCaseOp], Callable[..., Request]]] = {
    MmuUpdateOp: _mmu_update,
    MmuExtOp: _mmuext,
    UvmOp: _uvm,
    UvmOtherOp: _uvm_other,
    SetGdtOp: _set_gdt,
    UpdateDescriptorOp: _update_descriptor,
    LoadSegOp: _load_seg,
    SetTrapTableOp: _set_trap_table,
    ReservationOp: _memory_op,
    WriteOp: _write,
    ReadOp: _read,
    VmAssistOp: _vm_assist,
    PageInfoOp: _page_info,
}
"""How each operation becomes a request."""
