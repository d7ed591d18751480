"""The operations of a case, put to the model.

Arguments are made as the asking program makes them, and answers noted as it notes them.
"""

from collections.abc import Callable
from typing import Final

from xenmodel.dispatch import memory_operation
from xenmodel.domains.page_frame_info import NOT_A_PAGE, PAGE_INFO_SHIFT, page_frame_info
from xenmodel.domains.traps import SetTrapTable, TrapInfo, set_trap_table
from xenmodel.domains.vm_assist import VmAssist, vm_assist
from xenmodel.hardware.access import PAGE_FAULT, Fault, load, store
from xenmodel.hardware.segments import load_selector
from xenmodel.hypercall import Result, run
from xenmodel.memory.descriptors import SetGdt, UpdateDescriptor, set_gdt, update_descriptor
from xenmodel.memory.memory_op import Exchange, Reservation
from xenmodel.memory.mmu_update import Command as MmuCommand
from xenmodel.memory.mmu_update import MmuUpdate
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp
from xenmodel.memory.update_va_mapping import UpdateVaMapping, update_va_mapping
from xenmodel.step import Refused
from xenproofs.judge.oracle import events, grants
from xenproofs.judge.oracle.compare import Got
from xenproofs.judge.oracle.harness import Harness
from xenproofs.judge.trace.case_ops import (
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
from xenproofs.judge.trace.case_ports import EvtDumpOp, EvtOp, EvtReadOp, EvtWriteOp, PollOp
from xenspec.vocabulary import DOMID_SELF, Mfn, Va

UPDATES: Final = {
    "n": MmuCommand.NORMAL,
    "m": MmuCommand.MACHPHYS,
    "ad": MmuCommand.PRESERVE_AD,
    "nt": MmuCommand.NO_TRANSLATE,
}
COMMANDS: Final = {
    "pin_l1": Command.PIN_L1_TABLE,
    "pin_l2": Command.PIN_L2_TABLE,
    "pin_l3": Command.PIN_L3_TABLE,
    "pin_l4": Command.PIN_L4_TABLE,
    "unpin": Command.UNPIN_TABLE,
    "new_baseptr": Command.NEW_BASEPTR,
    "tlb_flush_local": Command.TLB_FLUSH_LOCAL,
    "invlpg_local": Command.INVLPG_LOCAL,
    "tlb_flush_multi": Command.TLB_FLUSH_MULTI,
    "invlpg_multi": Command.INVLPG_MULTI,
    "tlb_flush_all": Command.TLB_FLUSH_ALL,
    "invlpg_all": Command.INVLPG_ALL,
    "flush_cache": Command.FLUSH_CACHE,
    "set_ldt": Command.SET_LDT,
    "new_user_baseptr": Command.NEW_USER_BASEPTR,
    "clear_page": Command.CLEAR_PAGE,
    "copy_page": Command.COPY_PAGE,
    "flush_cache_global": Command.FLUSH_CACHE_GLOBAL,
    "mark_super": Command.MARK_SUPER,
    "unmark_super": Command.UNMARK_SUPER,
}
ADDRESSES: Final = frozenset({"set_ldt", "invlpg_local", "invlpg_multi", "invlpg_all"})
"""Commands whose operand is an address, not a frame."""
GUARDED: Final = -9999
GDT_LIST: Final = 16
GDT_GIVEN: Final = 6
ASSIST: Final = {"enable": 0, "disable": 1}


def _batch(result: Result, *, nodone: int) -> Got:
    return Got(result.rc, result.done if result.counted and not nodone else None)


def ask_mmu_update(h: Harness, op: MmuUpdateOp) -> Got:
    """Put an mmu_update."""
    requests = tuple(_update(h, request) for request in op.reqs)
    return _batch(h.batch(MmuUpdate(requests, op.fd)), nodone=op.nodone)


def _update(h: Harness, request: Update) -> tuple[int, int]:
    address = h.names.machine_address(request.table)
    command = UPDATES[request.cmd]
    if command != MmuCommand.MACHPHYS:
        address += request.index * 8
    return address | command, h.names.word(request.value)


def ask_mmuext(h: Harness, op: MmuExtOp) -> Got:
    """Put an mmuext_op, unless the program guards itself against it."""
    commands = tuple(_command(h, command) for command in op.cmds)
    for command in commands:
        if command.command == Command.NEW_BASEPTR and not op.force and h.guarded(Mfn(command.arg1)):
            return Got(GUARDED)
    return _batch(h.batch(MmuextOp(commands, op.fd)), nodone=op.nodone)


def _command(h: Harness, command: ExtCommand) -> ExtOp:
    number = COMMANDS[command.name]
    operand, extra = command.operand, command.extra
    if number in (Command.TLB_FLUSH_MULTI, Command.INVLPG_MULTI):
        return ExtOp(number, h.names.va(operand or 0), None)
    if operand is None:
        return ExtOp(number)
    if command.name in ADDRESSES:
        return ExtOp(number, h.names.va(operand), extra if isinstance(extra, int) else 0)
    return ExtOp(number, h.names.frame(operand), 0 if extra is None else h.names.frame(extra))


def ask_uvm(h: Harness, op: UvmOp) -> Got:
    """Put an update_va_mapping."""
    call = UpdateVaMapping(h.names.va(op.va), h.names.word(op.pte), op.flags)
    return Got(run(update_va_mapping(h.x, call)).rc)


def ask_uvm_other(h: Harness, op: UvmOtherOp) -> Got:
    """Put an update_va_mapping_otherdomain."""
    call = UpdateVaMapping(h.names.va(op.va), h.names.word(op.pte), op.flags, op.dom)
    return Got(run(update_va_mapping(h.x, call)).rc)


def ask_set_gdt(h: Harness, op: SetGdtOp) -> Got:
    """Put a set_gdt: six frames as given, the last of them repeated; or no list at all."""
    given = ([h.names.frame(frame) for frame in op.frames] + [Mfn(0)] * GDT_GIVEN)[:GDT_GIVEN]
    frames = (given + [given[-1]] * GDT_LIST)[:GDT_LIST] if op.list else []
    return Got(run(set_gdt(h.x, SetGdt(tuple(frames), op.entries))).rc)


def ask_update_descriptor(h: Harness, op: UpdateDescriptorOp) -> Got:
    """Put an update_descriptor."""
    call = UpdateDescriptor(h.names.machine_address(op.page) + op.off, op.desc)
    return Got(run(update_descriptor(h.x, call)).rc)


def ask_set_trap_table(h: Harness, op: SetTrapTableOp) -> Got:
    """Put a set_trap_table; the program sets its own table again right after, which no answer shows."""
    call = SetTrapTable(())
    if op.mode == "null":
        call = SetTrapTable(None)
    elif op.mode == "entry":
        call = SetTrapTable((TrapInfo(op.vector, op.flags, op.cs, h.names.va(op.address or 0)),))
    elif op.mode == "ptr":
        call = _trap_table_at(h, h.names.va(op.address or 0))
    return Got(run(set_trap_table(h.x, call)).rc)


def _trap_table_at(h: Harness, va: Va) -> SetTrapTable:
    """Read a trap table of the guest, entries of 16 bytes up to one of address 0."""
    handlers: list[TrapInfo] = []
    while True:
        head, address = _load(h, va), _load(h, Va(va + 8))
        if isinstance(head, Fault) or isinstance(address, Fault):
            return SetTrapTable(tuple(handlers), readable=False)
        if not address:
            return SetTrapTable(tuple(handlers))
        handlers.append(TrapInfo(head & 0xFF, head >> 8 & 0xFF, head >> 16 & 0xFFFF, address))
        va = Va(va + 16)


def _load(h: Harness, va: Va) -> int | Fault:
    return run(load(h.x, va))


def ask_reservation(h: Harness, op: ReservationOp) -> Got:
    """Put a memory_op; name the frames that are handed out, and clear them."""
    exchanged = op.cmd == "exchange"
    domain = DOMID_SELF if op.dom is None else op.dom
    places = (
        tuple(h.names.page_va(str(page)) >> 12 for page in op.extents)
        if op.cmd in ("populate", "exchange")
        else ()
    )
    h.allow(map(str, op.extents))
    given = tuple(h.names.frame(frame) for frame in op.extents)
    call = (
        Exchange(domain, given, op.order, places, op.order, h.allocate)
        if exchanged
        else Reservation(op.cmd, domain, places or given, op.order, h.allocate)
    )
    result = run(memory_operation(h.x, call))
    for page, frame in zip(op.extents, result.frames, strict=False):
        h.names.replace(str(page), frame)
        if op.order == 0:
            h.clear(frame)
    new = result.rc == 0 if exchanged else result.rc > 0 and op.cmd != "decrease"
    if new:
        known = result.frames[: 1 if exchanged else 2]
        for page, frame in zip(op.extents, known, strict=False):
            h.names.show(str(page), frame)
    return Got(result.rc, done=result.done if exchanged else None, new=1 if new else None)


def ask_write(h: Harness, op: WriteOp) -> Got:
    """Store 8 bytes."""
    va, word = h.names.va(op.va), h.names.word(op.val)
    h.invalidate(va)
    fault = run(store(h.x, va, word))
    if fault is None:
        return Got(0)
    offset = (fault.address or 0) - va if fault.vector == PAGE_FAULT else None
    return Got(-1, fault=(fault.vector, fault.error), cr2off=offset)


def ask_read(h: Harness, op: ReadOp) -> Got:
    """Load 8 bytes."""
    va = h.names.va(op.va)
    h.invalidate(va)
    value = _load(h, va)
    if isinstance(value, Fault):
        return Got(-1, fault=(value.vector, value.error))
    return Got(0, val=h.names.entry(value))


def ask_load_seg(h: Harness, op: LoadSegOp) -> Got:
    """Load a selector."""
    fault = run(load_selector(h.x, op.sel))
    return Got(0) if fault is None else Got(-1, fault=(fault.vector, fault.error))


def ask_vm_assist(h: Harness, op: VmAssistOp) -> Got:
    """Put a vm_assist."""
    command = op.cmd if isinstance(op.cmd, int) else ASSIST[op.cmd]
    return Got(run(vm_assist(h.x, VmAssist(command, op.type))).rc)


def ask_page_info(h: Harness, op: PageInfoOp) -> Got:
    """Ask a toolstack's question about a frame; refused, the program's buffer holds the frame's number."""
    frame = h.names.frame(op.page)
    try:
        return Got(0, val=run(page_frame_info(h.x, frame, op.dom or 0)))
    except Refused as refusal:
        return Got(-refusal.errno, val=frame >> PAGE_INFO_SHIFT & NOT_A_PAGE)


ASK: Final[dict[type, Callable[..., Got]]] = {
    MmuUpdateOp: ask_mmu_update,
    MmuExtOp: ask_mmuext,
    UvmOp: ask_uvm,
    UvmOtherOp: ask_uvm_other,
    SetGdtOp: ask_set_gdt,
    UpdateDescriptorOp: ask_update_descriptor,
    LoadSegOp: ask_load_seg,
    SetTrapTableOp: ask_set_trap_table,
    ReservationOp: ask_reservation,
    WriteOp: ask_write,
    ReadOp: ask_read,
    VmAssistOp: ask_vm_assist,
    PageInfoOp: ask_page_info,
    EvtOp: events.ask_event,
    EvtDumpOp: events.ask_dump,
    EvtReadOp: events.ask_read,
    EvtWriteOp: events.ask_write,
    PollOp: events.ask_poll,
    **grants.ASK,
}
"""What is modelled, by the class of the operation."""
