"""Event channels in a replay: ports handed out, answers, and which vCPU is told of which port.

A recording does not show the words that guest and Xen share. What the guest does with them is assumed to be
by the protocol: it unmasks each port that it binds, and handles each event as soon as it is told. What the
recording does show is predicted: return codes, new ports, and for every event that becomes pending which port
of which domain it is, which vCPU is told, and by which ABI.
"""

from typing import TYPE_CHECKING, Final, TypeAlias

from xenmodel.abi.event import LOWEST_PRIORITY
from xenmodel.events import arguments as calls
from xenmodel.events.calls import event_channel_op
from xenmodel.events.delivery import raise_port
from xenmodel.events.guest import unmask_quiet_word
from xenmodel.events.handling import handle
from xenmodel.events.setup import ExpandArray, InitControl, SetPriority
from xenmodel.hypercall import Call
from xenmodel.machine import Machine
from xenproofs.judge import trace
from xenproofs.judge.replay.answers import Answer, Judged, recorded
from xenproofs.judge.replay.report import Difference
from xenproofs.judge.replay.unseen import ABI, EVENT
from xenproofs.judge.trace import Hypercall
from xenspec.vocabulary import DOMID_IDLE, FREE, PIRQ, RESERVED, VIRQ, PortId, VcpuId

if TYPE_CHECKING:
    from xenproofs.judge.replay.engine import Replay

Line: TypeAlias = trace.Pending | Hypercall
Telling: TypeAlias = trace.Pending | trace.PortPending
HANDLER: Final = VcpuId((DOMID_IDLE, 0))
"""Xen's interrupt handler."""


def _call(args: trace.Args) -> calls.EventCall | None:  # noqa: PLR0911, PLR0912, C901 - one line a command
    """Return a recorded command as the model's; None for another hypercall's."""
    match args:
        case trace.AllocUnbound():
            return calls.AllocUnbound(args.dom, args.remote_dom)
        case trace.BindVirq():
            return calls.BindVirq(args.virq, args.vcpu)
        case trace.BindPirq():
            return calls.BindPirq(args.pirq, args.flags)
        case trace.BindIpi():
            return calls.BindIpi(args.vcpu)
        case trace.BindVcpu():
            return calls.BindVcpu(args.port, args.vcpu)
        case trace.ClosePort():
            return calls.Close(args.port)
        case trace.SendPort():
            return calls.Send(args.port)
        case trace.UnmaskPort():
            return calls.Unmask(args.port)
        case trace.ResetPorts():
            return calls.Reset(args.dom)
        case trace.InitControl():
            return InitControl(args.control_gfn, args.offset, args.vcpu)
        case trace.ExpandArray():
            return ExpandArray(args.array_gfn)
        case trace.SetPriority():
            return SetPriority(args.port, args.priority)
        case _:
            return None


def answer(replay: "Replay", x: Call, line: Hypercall) -> Judged | None:
    """Answer an event_channel_op, and say which port it opens; None for another hypercall."""
    call = _call(line.args)
    if call is None:
        return None
    if isinstance(call, calls.BindPirq) and not x.m.pirqs[x.domain, call.pirq].permitted:
        _permit(replay.machine, x, call.pirq)
        replay.stores.learnt_something()
        replay.report.assumed["physical interrupt that the domain may have"] += 1
    if replay.unseen.middle:
        replay.assume(_of_before(replay, x, line, call))
        if _by_an_unknown_abi(replay, x, line, call):
            return Judged(recorded(line), Answer(0))
    result = replay.drive(event_channel_op(x, call))
    if result.rc == 0:
        _note(replay, call, result.port)
    told = getattr(line.args, "port", None) if isinstance(call, OPENING) and line.ret == 0 else result.port
    why = "" if told == result.port else f"Xen hands out port {told}, the model {result.port}"
    if isinstance(call, OPENING) and result.rc == 0 and x.m.channels[x.domain].fifo:
        unmask_quiet_word(x.m, PortId((x.domain, result.port)))
        replay.show(unmask_quiet_word)
        replay.report.assumed["guest unmasks the port that it binds"] += 1
    return Judged(recorded(line), Answer(result.rc), why)


OPENING: Final = (calls.AllocUnbound, calls.BindVirq, calls.BindPirq, calls.BindIpi)


NAMING: Final = (calls.BindVcpu, calls.Close, calls.Send, calls.Unmask, SetPriority)


def _of_before(replay: "Replay", x: Call, line: Hypercall, call: calls.EventCall) -> list[str]:
    """Return what has to be assumed of ports that were bound before the recording begins."""
    if line.ret:
        return []
    if isinstance(call, OPENING):
        return replay.unseen.ports_below(replay.machine, x.domain, getattr(line.args, "port", 0))
    return replay.unseen.port(replay.machine, x.domain, call.port) if isinstance(call, NAMING) else []


def _by_an_unknown_abi(replay: "Replay", x: Call, line: Hypercall, call: calls.EventCall) -> bool:
    """Whether a priority is accepted, so that the domain has the FIFO ABI since before the recording."""
    channels = x.m.channels[x.domain]
    if not isinstance(call, SetPriority) or line.ret or channels.fifo or call.priority > LOWEST_PRIORITY:
        return False
    if not 0 < call.port < channels.valid or x.m.ports[x.domain, call.port].state == FREE:
        return False
    replay.report.assumed[ABI] += 1
    return True


def _note(replay: "Replay", call: calls.EventCall, port: int) -> None:
    """Note what a call that succeeded tells of ports."""
    if isinstance(call, OPENING):
        replay.unseen.opened(port)
    elif isinstance(call, calls.Close):
        replay.unseen.closed(call.port)


def _permit(m: Machine, x: Call, pirq: int) -> None:
    """Let a control domain have a physical interrupt: which ones it may have is the machine's matter."""
    m.pirqs[x.domain, pirq].permitted = x.m.domains[x.domain].privileged


def judge_pending(
    replay: "Replay", line: trace.Pending | Hypercall, event: trace.Pending | trace.PortPending
) -> None:
    """Compare a port that becomes pending with what the model tells, and let the guest handle it."""
    m = replay.machine
    p = PortId((event.dom, event.port))
    port = m.ports[p]
    taken = replay.unseen.tells(m, event.dom, event.port, fifo=bool(event.fifo))
    if taken == EVENT:
        replay.report.assumed[EVENT] += 1
        return
    wrong = "" if taken else _wrong(replay, line, p)
    abi = event.fifo if taken else m.channels[event.dom].fifo
    got = f"vCPU {port.vcpu}, {'FIFO' if abi else '2-level'}"
    expected = f"vCPU {event.notify_vcpu}, {'FIFO' if event.fifo else '2-level'}"
    agrees = not wrong and got == expected
    if taken and agrees:
        replay.report.assumed[taken] += 1
    else:
        replay.report.told.count(agrees=agrees)
    if not agrees:
        replay.report.diverged.add(
            Difference(line.n, f"port {event.port} pending", expected, got, wrong, line.line, replay.file)
        )
    v = VcpuId((event.dom, port.vcpu))
    if m.upcalls[v].pending:
        replay.drive(handle(m, v))
        replay.report.assumed["guest handles what it is told"] += 1


def _wrong(replay: "Replay", line: Line, p: PortId) -> str:
    """Let the model tell the port; return why it would not. A send has told it already."""
    m = replay.machine
    port = m.ports[p]
    if isinstance(line, Hypercall) and isinstance(line.args, trace.SendPort):
        notice = m.notices[line.dom, line.vcpu]
        return "" if (notice.domain, notice.port) == p else f"the model tells port {notice.port}"
    if port.state in (FREE, RESERVED):
        return "the port is not in use"
    if port.state not in (VIRQ, PIRQ):
        return "" if isinstance(line, Hypercall) else "only an interrupt comes by itself"
    replay.drive(raise_port(m, HANDLER, p))
    return ""
