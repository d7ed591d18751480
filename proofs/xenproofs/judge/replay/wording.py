"""A recorded line in words: what was asked, of which frame and slot, and which cells it is about."""

from collections.abc import Iterator

from xenmodel.abi import pte
from xenmodel.machine import Machine
from xenproofs.judge import trace
from xenproofs.judge.trace import Hypercall, Line, TrappedWrite
from xenspec.vocabulary import PAGE_SIZE, PageType, VcpuId

WORD_BYTES = 8
COMMAND_MASK = 7
MACHPHYS = 1
SHIFTS = (39, 30, 21, 12)
"""Where the slots of the four levels stand in an address."""
REQUESTS = 6
"""Requests of a batch that are spelled out."""


def title(line: Line) -> str:
    """Return a line in a few words."""
    if isinstance(line, TrappedWrite):
        return f"a store to {line.va:#x} that traps"
    if not isinstance(line, Hypercall):
        return "an event aside"
    return f"{line.op} {_short(line.args)}".rstrip()


def _short(args: trace.Args) -> str:
    """Return the arguments on one line."""
    if isinstance(args, trace.MmuUpdate):
        return _listed(["re-entry"] * args.preempted + [request_text(r) for r in args.reqs])
    if isinstance(args, trace.MmuextOp):
        return _listed(["re-entry"] * args.preempted + [ext_text(op) for op in args.ops])
    if isinstance(args, trace.UpdateVaMapping | trace.UpdateVaMappingOtherdomain):
        return f"{args.va:#x}: {entry_text(args.val)}"
    if isinstance(args, trace.Multicall):
        return _listed([f"{call.op} {_short(call.args)}" for call in args.calls])
    if isinstance(args, trace.MemoryExchange):
        return f"{args.given.nr_extents} extents of order {args.given.extent_order}"
    return str(getattr(args, "cmd", ""))


def _listed(texts: list[str]) -> str:
    more = f"; {len(texts) - REQUESTS} more" if len(texts) > REQUESTS else ""
    return "; ".join(texts[:REQUESTS]) + more


def request_text(request: trace.MmuRequest) -> str:
    """Return one request of an mmu_update."""
    frame, slot = request.ptr // PAGE_SIZE, request.ptr % PAGE_SIZE // WORD_BYTES
    if request.ptr & COMMAND_MASK == MACHPHYS:
        return f"m2p of {frame:#x} becomes {request.val:#x}"
    return f"{frame:#x}[{slot}] becomes {entry_text(request.val)}"


def ext_text(op: trace.ExtOp) -> str:
    """Return one operation of a mmuext_op."""
    place = op.mfn if op.mfn is not None else op.linear_addr
    return op.cmd if place is None else f"{op.cmd} {place:#x}"


def entry_text(word: int) -> str:
    """Return a word as the page-table entry that it would be."""
    if not pte.present(word):
        return f"{word:#x} (absent)"
    return f"{word:#x} (frame {pte.target(word):#x}, {'writable' if pte.writable(word) else 'read-only'})"


def cells_of(m: Machine, line: Line) -> list[tuple[int, int]]:
    """Return the (frame, slot) that a line is about; slot -1 where it is about the frame as a whole."""
    if isinstance(line, TrappedWrite):
        place = (line.store_maddr // PAGE_SIZE, line.store_maddr % PAGE_SIZE // WORD_BYTES)
        return [place, *_targets(m, place, line.post), (place[0], -1)]
    if not isinstance(line, Hypercall):
        return []
    found = list(_cells(m, VcpuId((line.dom, line.vcpu)), line.args))
    found += [(e.mfn, -1) for e in line.events if isinstance(e, trace.TypeEvent)]
    return list(dict.fromkeys(found))


def _cells(m: Machine, v: VcpuId, args: trace.Args) -> Iterator[tuple[int, int]]:
    if isinstance(args, trace.MmuUpdate):
        for request in args.reqs:
            place = (request.ptr // PAGE_SIZE, request.ptr % PAGE_SIZE // WORD_BYTES)
            if request.ptr & COMMAND_MASK != MACHPHYS:
                yield from (place, *_targets(m, place, request.val), (place[0], -1))
    elif isinstance(args, trace.MmuextOp):
        yield from ((op.mfn, -1) for op in args.ops if op.mfn is not None)
    elif isinstance(args, trace.UpdateVaMapping):
        found = l1_slot(m, v, args.va)
        if found is not None:
            yield from (found, *_targets(m, found, args.val), (found[0], -1))
    elif isinstance(args, trace.Multicall):
        for call in args.calls:
            yield from _cells(m, v, call.args)
    elif isinstance(args, trace.MemoryExchange):
        yield from ((f, -1) for f in (*args.given.extents, *args.taken.extents_out))


def _targets(m: Machine, place: tuple[int, int], word: int) -> Iterator[tuple[int, int]]:
    """Yield the frames that an entry named and will name."""
    for entry in (m.words[place], word):
        if pte.present(entry):
            yield pte.target(entry), -1


def l1_slot(m: Machine, v: VcpuId, va: int) -> tuple[int, int] | None:
    """Return the L1 entry of an address as the raw words have it."""
    table = m.vcpus[v].base
    for shift in SHIFTS[:-1]:
        word = m.words[table, va >> shift & 511]
        if not pte.present(word):
            return None
        table = pte.target(word)
    return table, va >> SHIFTS[-1] & 511


def frame_text(m: Machine, mfn: int) -> str:
    """Return what Xen's books say of a frame."""
    f = m.frames[mfn]
    kind = "writable" if f.type == PageType.WRITABLE else f.type.name.lower()
    flags = {"pinned": f.pinned, "validated": f.validated, "partial": f.partial, "allocated": f.allocated}
    said = "".join(f", {name}" for name, on in flags.items() if on)
    return f"dom{f.owner}'s, type {kind} {f.type_count}, references {f.ref_count}{said}"


def place_name(m: Machine, mfn: int, slot: int) -> str:
    """Return a frame or one of its slots by its role."""
    f = m.frames[mfn]
    role = f.type.name if f.type_count and PageType.L1 <= f.type <= PageType.L4 else "frame"
    return f"{role} {mfn:#x}" if slot < 0 else f"{role} {mfn:#x}[{slot}]"
