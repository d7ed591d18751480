"""Calls outside the memory batches that hold frames or whose answer the model knows; the rest is not modelled."""

from typing import TYPE_CHECKING

from xenmodel.domains import vcpu_op
from xenmodel.events.frames import hold_eoi_frame, hold_event_frame
from xenmodel.hypercall import Call
from xenmodel.memory.memory_op import Exchange, exchange
from xenproofs.judge import trace
from xenproofs.judge.trace.recording import Hypercall
from xenspec.vocabulary import Errno, Mfn, VcpuId

if TYPE_CHECKING:
    from xenproofs.judge.replay.engine import Replay

ARRAY_PAGES = 4096
"""Event-array pages are numbered from here among a domain's event frames; control blocks by vCPU below."""


def name(line: Hypercall) -> str:
    """Return a call's name with its command, as reports count it."""
    command = getattr(line.args, "cmd", None)
    if command is None:
        tag = getattr(getattr(line.args, "__struct_config__", None), "tag", None)
        command = tag if isinstance(tag, str) else None
    return line.op if command is None else f"{line.op}/{command}"


def answer(replay: "Replay", x: Call, line: Hypercall) -> tuple[str, str] | None:
    """Return what was recorded and what the model says; None for a call that the model does not implement."""
    args = line.args
    if isinstance(args, trace.MemoryExchange):
        return _exchange(replay, x, line, args)
    if isinstance(args, trace.MachphysMapping):
        return str(line.ret), "0"
    if isinstance(args, trace.MaximumReservation):
        return str(line.ret), str(x.m.domains[x.domain].max_pages)
    if isinstance(args, trace.VcpuCall):
        return _vcpu(replay, x, line, args)
    if isinstance(args, trace.InitControl):
        return str(line.ret), str(replay.drive(hold_event_frame(x, args.control_gfn, args.vcpu)))
    if isinstance(args, trace.ExpandArray):
        return str(line.ret), str(replay.drive(hold_event_frame(x, args.array_gfn, _next_array(x))))
    if isinstance(args, trace.PhysdevOp) and args.eoi_gmfn is not None:
        return str(line.ret), str(replay.drive(hold_eoi_frame(x, args.eoi_gmfn)))
    return None


def _next_array(x: Call) -> int:
    """Return the first event-array page that is not set."""
    index = ARRAY_PAGES
    while x.m.event_frames[x.domain, index].frame >= 0:
        index += 1
    return index


def _vcpu(replay: "Replay", x: Call, line: Hypercall, args: trace.VcpuCall) -> tuple[str, str] | None:
    """Answer the vcpu_op commands that concern frames or a vCPU's state."""
    v = VcpuId((line.dom, args.vcpuid))
    if isinstance(args, trace.VcpuIsUp):
        return str(line.ret), str(vcpu_op.is_up(x, v))
    if isinstance(args, trace.RegisterVcpuInfo):
        return str(line.ret), str(replay.drive(vcpu_op.register_info(x, v, args.mfn, args.offset)))
    if isinstance(args, trace.VcpuUp | trace.VcpuDown):
        up = isinstance(args, trace.VcpuUp)
        return str(line.ret), str(replay.drive(vcpu_op.set_up(x, v, up=up)))
    if isinstance(args, trace.VcpuInitialise):
        rest = args.ctxt.rest()
        context = vcpu_op.NewContext(
            rest.base_mfn,
            rest.user_base_mfn,
            tuple(rest.gdt_frames),
            rest.gdt_ents,
            rest.ldt_base,
            rest.ldt_ents,
        )
        return str(line.ret), str(replay.drive(vcpu_op.initialise(x, v, context)))
    return None


def _exchange(
    replay: "Replay", x: Call, line: Hypercall, args: trace.MemoryExchange
) -> tuple[str, str]:
    """Answer an exchange; which frames the allocator hands out, and that it has none, is an input."""
    chosen = list(args.taken.extents_out)
    short = line.ret == -Errno.ENOMEM
    assumed = replay.report.assumed

    def allocate(_order: int) -> Mfn | None:
        if short or not chosen:
            assumed["out of memory"] += 1
            return None
        assumed["frames chosen by the allocator"] += 1
        return Mfn(chosen.pop(0))

    call = Exchange(
        args.given.domid,
        tuple(args.given.extents),
        args.given.extent_order,
        tuple(args.taken.extents),
        args.taken.extent_order,
        allocate,
        args.nr_exchanged_in,
    )
    result = replay.drive(exchange(x, call))
    return f"{line.ret}, done {args.nr_exchanged}", f"{result.rc}, done {result.done}"
