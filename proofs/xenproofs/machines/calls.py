"""From a move to the steps that it stands for."""

from collections.abc import Callable

from xenmodel.dispatch import dispatch
from xenmodel.hardware.access import Fault, load, store
from xenmodel.hypercall import Call, Result, Steps
from xenmodel.memory.descriptors import SetGdt, UpdateDescriptor
from xenmodel.memory.memory_op import Exchange, Reservation, exchange, reservation
from xenmodel.memory.mmu_update import MmuUpdate
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp
from xenmodel.memory.update_va_mapping import UpdateVaMapping
from xenproofs.machines.moves import SLOT_CHOICES, Move, frame_of, named, word_of
from xenproofs.machines.setup import BOOT_SLOT, FREE, FREE_START
from xenspec.vocabulary import DOMID_SELF, Mfn, PageType, Va

HIGH = 0xFFFF << 48
LDT_AT = 5
"""Slot of the boot L1 table whose page an LDT is put at."""


def address(slot: int) -> Va:
    """Return the address that the boot tables map by this slot of their L1 table."""
    return Va(HIGH | BOOT_SLOT << 39 | (slot % 16) << 12)


def free_frame(x: Call) -> Callable[[int], Mfn | None]:
    """Return an allocator: the first frame that nobody owns, single frames only."""

    def choose(order: int) -> Mfn | None:
        pool = range(FREE_START, FREE_START + FREE)
        own = (f for f in pool if x.m.frames[f].ref_count == 0 and x.m.frames[f].owner != x.domain)
        found = next(own, None) if order == 0 else None
        return None if found is None else Mfn(found)

    return choose


def steps_of(x: Call, move: Move) -> Steps[str]:
    """Return the steps of a call or of a guest's access; their result says how it ended."""
    if move.kind in ("load", "store"):
        return _access(x, move)
    if move.kind == "reserve":
        return _reserve(x, move)
    return _hypercall(x, move)


def _access(x: Call, move: Move) -> Steps[str]:
    va = Va(address(move.a) + move.b * 8)
    if move.kind == "load":
        found = yield from load(x, va)
        return f"#{found.vector}/{found.error:x}" if isinstance(found, Fault) else "value"
    fault = yield from store(x, va, word_of(x.domain, move.c, move.d))
    return "stored" if fault is None else f"#{fault.vector}/{fault.error:x}"


def _reserve(x: Call, move: Move) -> Steps[str]:
    frames = (frame_of(x.domain, move.a), frame_of(x.domain, move.c))
    dom = named(x.domain, move.d // 8)
    which = move.b % 4
    if which == 3:  # noqa: PLR2004 - the fourth of four
        done = yield from exchange(x, Exchange(dom, frames[:1], 0, (move.c,), 0, free_frame(x)))
        return str(done.rc)
    command = ("decrease", "populate", "increase")[which]
    result = yield from reservation(x, Reservation(command, dom, frames, 0, free_frame(x)))
    return f"{result.rc} done"


def _hypercall(x: Call, move: Move) -> Steps[str]:
    """Run a call and every continuation that it makes."""
    result = yield from dispatch(x, arguments(x, move))
    while result.continuation is not None:
        again = result.continuation.args
        if not isinstance(again, MmuUpdate | MmuextOp):
            raise TypeError(again)
        yield _re_entry
        result = yield from dispatch(x, again)
    return outcome(result)


def _re_entry() -> None:
    """Stands for the guest's re-entry: other vCPUs may run before it."""


def outcome(result: Result) -> str:
    """Return how a call ended."""
    return str(result.rc)


def arguments(x: Call, move: Move) -> MmuUpdate | MmuextOp | UpdateVaMapping | SetGdt | UpdateDescriptor:
    """Return the arguments of a hypercall."""
    dom, d = x.domain, move.d
    foreign = named(dom, d // 8)
    frame, slot = frame_of(dom, move.a), SLOT_CHOICES[move.b]
    if move.kind == "update":
        return MmuUpdate(((frame * 4096 + slot * 8 + _command(move), word_of(dom, move.c, d)),), foreign)
    if move.kind == "map":
        other = None if foreign == DOMID_SELF else foreign
        return UpdateVaMapping(address(move.a), word_of(dom, move.c, d), d // 8 % 8, other)
    if move.kind == "descriptors":
        return _descriptors(move, frame)
    return MmuextOp((_extended(x, move, frame),), foreign)


def _command(move: Move) -> int:
    """Return the command of an update: mostly normal."""
    return (0, 0, 0, 0, 0, 2, 3, 1)[move.d // 8 % 8]


def _descriptors(move: Move, frame: Mfn) -> SetGdt | UpdateDescriptor | MmuextOp:
    if move.d % 3 == 0:
        return SetGdt((frame,), 8 + move.b)
    if move.d % 3 == 1:
        return UpdateDescriptor(
            frame * 4096 + move.b * 8, (0x00CFFB00_0000FFFF, 0x00008200_00000000)[move.c % 2]
        )
    return MmuextOp((ExtOp(Command.SET_LDT, address(LDT_AT), move.b),), DOMID_SELF)


def _extended(x: Call, move: Move, frame: Mfn) -> ExtOp:
    """Return one operation of mmuext_op."""
    if move.kind == "pin":
        level = (PageType.L1, PageType.L1, PageType.L2, PageType.L3, PageType.L4)[move.c % 5]
        return ExtOp(Command.PIN_L1_TABLE + level - 1, frame)
    if move.kind == "page":
        other = frame_of(x.domain, move.c)
        return ExtOp((Command.CLEAR_PAGE, Command.COPY_PAGE)[move.d % 2], frame, other)
    if move.kind == "flush":
        kinds = (Command.TLB_FLUSH_LOCAL, Command.TLB_FLUSH_ALL, Command.INVLPG_LOCAL, Command.INVLPG_ALL)
        return ExtOp(kinds[move.c % 4], address(move.a))
    if move.kind == "user_base" and move.c % 3 == 0:
        return ExtOp(Command.NEW_USER_BASEPTR, 0)
    command = {
        "unpin": Command.UNPIN_TABLE,
        "base": Command.NEW_BASEPTR,
        "user_base": Command.NEW_USER_BASEPTR,
    }
    return ExtOp(command[move.kind], frame)
