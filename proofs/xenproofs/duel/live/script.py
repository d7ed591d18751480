"""Questions as the test kernel reads them: how each operation becomes a request."""

from collections.abc import Callable
from typing import Final

from xenmodel.memory.mmu_update import Command as UpdateCommand
from xenproofs.duel.live import port_script, protocol
from xenproofs.duel.live.protocol import Code
from xenproofs.duel.live.request import MASK, Operand, Places, Request, Unaskable
from xenproofs.judge.oracle.ask import COMMANDS, UPDATES
from xenproofs.judge.trace.case_ops import (
    CaseOp,
    ExtCommand,
    LoadSegOp,
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
from xenproofs.judge.trace.case_ports import GntSetVersionOp
from xenproofs.judge.trace.questions import Question
from xenspec.vocabulary import DOMID_SELF, PAGE_SIZE

MEMORY_COMMANDS: Final = {"increase": 0, "decrease": 1, "populate": 6, "exchange": 11}
ASSIST: Final = {"enable": 0, "disable": 1}
NEW_FRAME: Final = (MASK, 0, 0)
"""What `increase` passes for an extent: Xen writes the frame there."""
GDT_GIVEN: Final = 6
GDT_LIST: Final = 16


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
            protocol.CASE_HEADER.pack(len(question.ops), len(frames), _needs(question)),
            *(protocol.CASE_FRAME.pack(page.mfn, page.va, page.entry) for page in frames),
            *(REQUESTS[type(op)](op, places).packed() for op in question.ops),
        )
    )


def _needs(question: Question) -> int:
    """Return what the machine must be like for the case to begin as every case does."""
    changes = any(isinstance(op, GntSetVersionOp) for op in question.ops)
    return protocol.NEED_FREE_TABLE if changes else 0


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


REQUESTS: Final[dict[type[CaseOp], Callable[..., Request]]] = {
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
    **port_script.REQUESTS,
}
"""How each operation becomes a request."""
