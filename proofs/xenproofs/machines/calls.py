"""From a move to the call that it stands for: its name, its steps, how it ended.

A call's name and outcome are those of the public interface (`mmuext_op:pin_l1 × EBUSY`), so that coverage can
be compared with what real Xen was seen to answer (`xenproofs.machines.outcomes`).
"""

from collections.abc import Callable

from xenmodel.dispatch import dispatch
from xenmodel.domains.vcpu_op import register_info
from xenmodel.hardware.access import Fault, load, store
from xenmodel.hardware.segments import load_selector
from xenmodel.hypercall import Call, Result, Steps
from xenmodel.memory.descriptors import SetGdt, UpdateDescriptor
from xenmodel.memory.memory_op import Exchange, Reservation, exchange, reservation
from xenmodel.memory.mmu_update import MmuUpdate
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp
from xenmodel.memory.update_va_mapping import UpdateVaMapping
from xenproofs.machines import domains, grants
from xenproofs.machines.domains import re_entry
from xenproofs.machines.events import KINDS as EVENT_MOVES
from xenproofs.machines.events import event_name, event_steps
from xenproofs.machines.moves import (
    DESCRIPTORS,
    SLOT_CHOICES,
    Move,
    address,
    extra,
    frame_of,
    named,
    word_of,
)
from xenproofs.machines.setup import DOMAINS, FREE, FREE_START, estate
from xenspec.vocabulary import DOMID_INVALID, DOMID_SELF, Errno, Mfn, PageType, Va, VcpuId

COMMANDS = (0, 0, 0, 0, 2, 3, 1, 0)
"""The command of an update by its choice; the last one names the owner of the tables too (PFD)."""
OTHERS_TABLES = 7
UPDATES = ("normal", "machphys", "preserve_ad", "no_translate")
UPDATE_VA = ("update_va_mapping", "update_va_mapping_otherdomain")
RESERVES = ("decrease", "populate", "increase", "exchange")
PINS = (PageType.L1, PageType.L1, PageType.L2, PageType.L3, PageType.L4)
PAGES = (Command.CLEAR_PAGE, Command.COPY_PAGE)
FLUSHES = (Command.TLB_FLUSH_LOCAL, Command.TLB_FLUSH_ALL, Command.INVLPG_LOCAL, Command.INVLPG_ALL)
CACHES = (Command.FLUSH_CACHE, Command.FLUSH_CACHE_GLOBAL, Command.MARK_SUPER, Command.UNMARK_SUPER)
SELECTORS = (0x3, 0xB, 0x7, 0xF, 0x17, 0x7F, 0xE02B, 0x2007)
TWO_PAGES, TOO_MANY = 513, 9000
"""Entries of a GDT of two pages, and of one that is too long."""
POOL = tuple(
    Mfn(f)
    for f in (
        *(f for domain in DOMAINS for f in estate(domain).spare),
        *range(FREE_START, FREE_START + FREE),
    )
)
"""Frames that the allocator has, once nobody owns them."""
INFO_BEYOND = 4090
"""An offset from which a vCPU's information does not fit into its page."""


def names_other(move: Move) -> bool:
    """Return whether an update by address names the owner of the frames: one in four does."""
    return extra(move.d) % 4 == 3  # noqa: PLR2004


def call_name(move: Move) -> str:
    """Return the name of a move's call in the public interface, or the move's kind."""
    if move.kind in EVENT_MOVES:
        return event_name(move)
    if move.kind in ("pin", "unpin", "base", "user_base", "page", "flush", "cache"):
        return f"mmuext_op:{_command(move).name.lower().removesuffix('_table')}"
    if move.kind == "update":
        return f"mmu_update:{UPDATES[COMMANDS[extra(move.d)]]}"
    if move.kind == "reserve":
        return f"memory_op:{RESERVES[move.b % 4]}"
    return {
        **grants.NAMES,
        "table": f"grant_table_op:{grants.table_op(move)}",
        "destroy": domains.NAME,
        "info": "vcpu_op:register_vcpu_info",
        "map": UPDATE_VA[names_other(move)],
        "descriptors": ("set_gdt", "update_descriptor", "mmuext_op:set_ldt")[move.d % 3],
        "batch": ("mmu_update:batch", "mmuext_op:batch")[move.b % 2],
    }.get(move.kind, move.kind)


def outcome(rc: int) -> str:
    """Return how a hypercall ended: `ok`, or the errno's name."""
    return "ok" if rc == 0 else Errno(-rc).name if rc < 0 else str(rc)


SHARED_MOVES: dict[str, Callable[[Call, Move], Steps[str]]] = {
    **dict.fromkeys(grants.KINDS, grants.steps_of),
    **dict.fromkeys(domains.KINDS, domains.steps_of),
    **dict.fromkeys(EVENT_MOVES, event_steps),
}
"""Moves of grants, of event channels, and of a domain's end."""


def free_frame(x: Call) -> Callable[[int], Mfn | None]:
    """Return an allocator: the first frame that nobody owns, one that was given up before; single ones."""

    def choose(order: int) -> Mfn | None:
        own = (f for f in POOL if x.m.frames[f].ref_count == 0 and x.m.frames[f].owner == DOMID_INVALID)
        return next(own, None) if order == 0 else None

    return choose


def steps_of(x: Call, move: Move) -> Steps[str]:
    """Return the steps of a call or of a guest's access; their result says how it ended."""
    if move.kind in ("load", "store", "select"):
        return _access(x, move)
    if move.kind == "reserve":
        return _reserve(x, move)
    if move.kind == "info":
        return _register(x, move)
    if move.kind in SHARED_MOVES:
        return SHARED_MOVES[move.kind](x, move)
    return _hypercall(x, move)


def _access(x: Call, move: Move) -> Steps[str]:
    va = Va(address(move.a) + move.b * 8)
    if move.kind == "load":
        found = yield from load(x, va)
        return _fault(found) if isinstance(found, Fault) else "value"
    if move.kind == "select":
        fault = yield from load_selector(x, SELECTORS[move.b % len(SELECTORS)])
        return "loaded" if fault is None else f"#{fault.vector}"
    fault = yield from store(x, va, word_of(x.domain, move.c, move.d))
    return "stored" if fault is None else _fault(fault)


def _register(x: Call, move: Move) -> Steps[str]:
    """Let a page of the guest's become what Xen writes a vCPU's information to; there is no third vCPU."""
    number, offset = move.b % 3, (0, INFO_BEYOND)[extra(move.d) == 0]
    rc = yield from register_info(x, VcpuId((x.domain, number)), frame_of(x.domain, move.a), offset)
    return outcome(rc)


def _fault(fault: Fault) -> str:
    return f"#{fault.vector}/{fault.error:x}"


def _reserve(x: Call, move: Move) -> Steps[str]:
    frames = (frame_of(x.domain, move.a), frame_of(x.domain, move.c))
    dom = named(x.domain, move.d)
    command = RESERVES[move.b % 4]
    if command == "exchange":
        done = yield from exchange(x, Exchange(dom, frames[:1], 0, (move.c,), 0, free_frame(x)))
        return outcome(done.rc)
    result = yield from reservation(x, Reservation(command, dom, frames, 0, free_frame(x)))
    return f"{result.rc} done"


def _hypercall(x: Call, move: Move) -> Steps[str]:
    """Run a call and every continuation that it makes."""
    result: Result = yield from dispatch(x, arguments(x, move))
    while result.continuation is not None:
        again = result.continuation.args
        if not isinstance(again, MmuUpdate | MmuextOp):
            raise TypeError(again)
        yield re_entry
        result = yield from dispatch(x, again)
    return outcome(result.rc)


def arguments(x: Call, move: Move) -> MmuUpdate | MmuextOp | UpdateVaMapping | SetGdt | UpdateDescriptor:
    """Return the arguments of a hypercall."""
    dom, d = x.domain, move.d
    foreign = named(dom, d)
    frame = frame_of(dom, move.a)
    if move.kind == "update":
        tables = 2 - dom if extra(d) == OTHERS_TABLES else 0
        return MmuUpdate((_request(x, move, frame),), tables << 16 | foreign)
    if move.kind == "map":
        other = foreign if names_other(move) else None
        return UpdateVaMapping(address(move.a), word_of(dom, move.c, d), (0, 1, 2, 5, 6)[extra(d) % 5], other)
    if move.kind == "descriptors":
        return _descriptors(x, move)
    if move.kind == "batch":
        return _batch(x, move)
    return MmuextOp((_extended(x, move, frame),), foreign)


def _request(x: Call, move: Move, frame: Mfn, step: int = 0) -> tuple[int, int]:
    """Return a request of mmu_update; `step` slots further in a batch."""
    slot = (SLOT_CHOICES[move.b] + step) % 512
    command = COMMANDS[extra(move.d)]
    return frame * 4096 + slot * 8 + command, word_of(x.domain, move.c + step, move.d)


def _batch(x: Call, move: Move) -> MmuUpdate | MmuextOp:
    """Return a batch: neighbouring slots of one table, or a table pinned, unpinned and pinned again."""
    frame, foreign = frame_of(x.domain, move.a), named(x.domain, move.d)
    if move.b % 2 == 0:
        return MmuUpdate(tuple(_request(x, move, frame, step) for step in range(3)), foreign)
    pinning = ExtOp(Command.PIN_L1_TABLE + PINS[move.c % 5] - 1, frame)
    return MmuextOp((pinning, ExtOp(Command.UNPIN_TABLE, frame), pinning), foreign)


def _descriptors(x: Call, move: Move) -> SetGdt | UpdateDescriptor | MmuextOp:
    frame = frame_of(x.domain, move.a)
    if move.d % 3 == 0:
        entries = (8, 8, TWO_PAGES, 0, TOO_MANY)[extra(move.d) % 5]
        return SetGdt((frame, frame_of(x.domain, move.c)), entries)
    if move.d % 3 == 1:
        return UpdateDescriptor(frame * 4096 + move.b * 8, DESCRIPTORS[move.c % len(DESCRIPTORS)])
    crooked = 8 if extra(move.d) == 0 else 0
    return MmuextOp((ExtOp(Command.SET_LDT, address(move.a) + crooked, move.b),), DOMID_SELF)


def _command(move: Move) -> Command:
    """Return the command of an mmuext_op of one operation."""
    if move.kind == "pin":
        return Command(Command.PIN_L1_TABLE + PINS[move.c % 5] - 1)
    if move.kind == "page":
        return PAGES[move.b % 2]
    if move.kind == "flush":
        return FLUSHES[move.c % 4]
    if move.kind == "cache":
        return CACHES[move.c % 4]
    return {
        "unpin": Command.UNPIN_TABLE,
        "base": Command.NEW_BASEPTR,
        "user_base": Command.NEW_USER_BASEPTR,
    }[move.kind]


def _extended(x: Call, move: Move, frame: Mfn) -> ExtOp:
    """Return one operation of mmuext_op."""
    command = _command(move)
    if move.kind == "page":
        return ExtOp(command, frame, frame_of(x.domain, move.c))
    if move.kind == "flush":
        return ExtOp(command, address(move.a))
    if move.kind == "user_base" and move.c % 3 == 0:
        return ExtOp(command, 0)
    return ExtOp(command, frame)
