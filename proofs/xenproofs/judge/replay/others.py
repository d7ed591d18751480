"""Calls outside the memory batches that hold frames or whose answer the model knows; no others."""

from typing import TYPE_CHECKING

from xenmodel.domains import telling, timers, vcpu_op
from xenmodel.events.frames import hold_eoi_frame
from xenmodel.hypercall import Call
from xenmodel.memory.memory_op import Exchange, exchange
from xenmodel.memory.rows import Place
from xenproofs.judge import trace
from xenproofs.judge.replay import grants, ports
from xenproofs.judge.replay.answers import Answer, Judged, recorded
from xenproofs.judge.replay.unseen import STATE
from xenproofs.judge.trace import Hypercall
from xenspec.vocabulary import DOMID_INVALID, PAGE_SIZE, Errno, Mfn, VcpuId

if TYPE_CHECKING:
    from xenproofs.judge.replay.engine import Replay

VERSION_COMMAND, FEATURES_COMMAND = 0, 6
"""XENVER_version, XENVER_get_features."""
WRITE_COMMAND = 0
"""CONSOLEIO_write."""
PAUSES = ("block", "yield")
"""SCHEDOP_*: the vCPU waits, for an event or for its turn; the answer comes when it runs again."""
SWITCHES = (trace.VcpuIsUp, trace.VcpuUp, trace.VcpuDown)
ADDRESS_BITS = 0xFF
"""Where XENMEMF_address_bits stands in the flags of an extent."""


def name(line: Hypercall) -> str:
    """Return a call's name with its command, as reports count it."""
    args = line.args
    command: object = getattr(args, "cmd", None)
    if isinstance(args, trace.OtherArgs | trace.Unknown):
        command = args.fields.get("cmd")
    elif command is None:
        command = getattr(getattr(args, "__struct_config__", None), "tag", None)
    return f"{line.op}/{command}" if isinstance(command, str | int) else line.op


def answer(replay: "Replay", x: Call, line: Hypercall) -> Judged | None:
    """Return what was recorded and what the model says; None for a call that the model does not implement."""
    args = line.args
    if isinstance(args, trace.MemoryExchange):
        return _exchange(replay, x, line, args)
    if isinstance(args, trace.OtherArgs):
        return _told(x, line, args)
    if isinstance(args, trace.VcpuCall):
        code = _vcpu(replay, x, line, args)
    elif isinstance(args, trace.MaximumReservation):
        code = x.m.domains[x.domain].max_pages
    elif (judged := ports.answer(replay, x, line) or grants.answer(replay, x, line)) is not None:
        return judged
    else:
        code = _held_frame(replay, x, args)
    return None if code is None else Judged(recorded(line), Answer(code))


def _held_frame(replay: "Replay", x: Call, args: trace.Args) -> int | None:
    """Answer the calls by which Xen holds a frame for interrupts, and those by which nothing changes."""
    if isinstance(args, trace.PhysdevOp) and args.eoi_gmfn is not None:
        return replay.drive(hold_eoi_frame(x, args.eoi_gmfn))
    known = isinstance(args, trace.MachphysMapping) or (
        isinstance(args, trace.SchedOp) and args.cmd in PAUSES
    )
    return 0 if known else None


def _told(x: Call, line: Hypercall, args: trace.OtherArgs) -> Judged | None:
    """Answer calls by which nothing changes."""
    if line.op == "xen_version":
        return _version(x, line, args)
    if line.op == "console_io" and args.fields.get("cmd") == WRITE_COMMAND:
        return Judged(recorded(line), Answer(telling.console_write(x.m.domains[x.domain])))
    return None


def _version(x: Call, line: Hypercall, args: trace.OtherArgs) -> Judged | None:
    """Answer the questions for the version and for the features of a PV domain."""
    if args.fields.get("cmd") == VERSION_COMMAND:
        return Judged(recorded(line), Answer(telling.VERSION))
    if args.fields.get("cmd") != FEATURES_COMMAND or args.fields.get("submap_idx") != 0:
        return None
    told, has = args.fields.get("submap"), telling.features(x.m.domains[x.domain])
    why = "" if told == has else f"Xen told of the features {told}, the model has {has}"
    return Judged(recorded(line), Answer(0), why)


def _vcpu(replay: "Replay", x: Call, line: Hypercall, args: trace.VcpuCall) -> int | None:
    """Answer the vcpu_op commands that concern frames or a vCPU's state."""
    v = VcpuId((line.dom, args.vcpuid))
    if v[1] in replay.unseen.vcpus and v != x.vcpu and isinstance(args, SWITCHES) and line.ret in (0, 1):
        replay.report.assumed[STATE] += 1
        return line.ret if isinstance(args, trace.VcpuIsUp) else 0
    if isinstance(args, trace.VcpuIsUp):
        return vcpu_op.is_up(x, v)
    if isinstance(args, trace.RegisterVcpuInfo):
        return replay.drive(vcpu_op.register_info(x, v, args.mfn, args.offset))
    if isinstance(args, trace.VcpuUp | trace.VcpuDown):
        return replay.drive(vcpu_op.set_up(x, v, up=isinstance(args, trace.VcpuUp)))
    if isinstance(args, trace.VcpuInitialise):
        return replay.drive(vcpu_op.initialise(x, v, _context(args.ctxt.rest())))
    return _timer(replay, x, v, args)


def _timer(replay: "Replay", x: Call, v: VcpuId, args: trace.VcpuCall) -> int | None:
    """Answer the vcpu_op commands about time."""
    if isinstance(args, trace.SetSingleshotTimer):
        return replay.drive(timers.set_singleshot(x, v, args.timeout_abs_ns))
    if isinstance(args, trace.StopSingleshotTimer):
        return replay.drive(timers.set_singleshot(x, v, 0))
    if isinstance(args, trace.StopPeriodicTimer):
        return replay.drive(timers.set_periodic(x, v, 0))
    if isinstance(args, trace.RegisterRunstate):
        return replay.drive(timers.register_runstate(x, v, args.addr))
    return None


def _context(rest: trace.GuestContext) -> vcpu_op.NewContext:
    return vcpu_op.NewContext(
        rest.base_mfn, rest.user_base_mfn, rest.gdt_frames, rest.gdt_ents, rest.ldt_base, rest.ldt_ents
    )


def _exchange(replay: "Replay", x: Call, line: Hypercall, args: trace.MemoryExchange) -> Judged:
    """Answer an exchange; which frames the allocator hands out, and that it has none, is an input."""
    chosen = list(args.taken.extents_out)
    short = line.ret == -Errno.ENOMEM
    assumed = replay.report.assumed
    refused: list[str] = []

    def allocate(order: int) -> Mfn | None:
        if short or not chosen:
            assumed["out of memory"] += 1
            return None
        assumed["frames chosen by the allocator"] += 1
        first = chosen.pop(0)
        refused.extend(inadmissible(x, first, order, args.taken.mem_flags))
        return first

    call = Exchange(
        args.given.domid,
        args.given.extents,
        args.given.extent_order,
        args.taken.extents,
        args.taken.extent_order,
        allocate,
        args.nr_exchanged_in,
    )
    result = replay.drive(exchange(x, call))
    expected = Answer(line.ret, done=args.nr_exchanged)
    return Judged(expected, Answer(result.rc, done=result.done), refused[0] if refused else "")


def inadmissible(x: Call, first: Mfn, order: int, mem_flags: int) -> list[str]:
    """Return why Xen's allocator cannot have handed out this extent: nothing if it can."""
    size = 1 << order
    width = mem_flags & ADDRESS_BITS
    if first % size:
        return [f"the extent at {first:#x} is not aligned to its order {order}"]
    if width and (first + size) * PAGE_SIZE > 1 << width:
        return [f"the extent at {first:#x} is above the {width} address bits that were asked for"]
    for f in range(first, first + size):
        frame = x.m.frames[f]
        if frame.place != Place.RAM:
            return [f"Xen's allocator cannot hand out {f:#x}: it is no memory"]
        if frame.ref_count or frame.owner != DOMID_INVALID:
            return [f"Xen's allocator cannot hand out {f:#x}: dom{frame.owner} has it"]
    return []
