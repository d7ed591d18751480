"""Operations on event channels, put to the model: what the asking program passes, and what it notes.

Its answers show the first words of pending and mask bits, and the first selector bit and upcall byte of four
vCPUs; an operand `$k` is what an earlier operation that succeeded saved in slot k.
"""

from typing import Final

from xenmodel.abi.event import LINK_BITS, WORD_PORTS, EventOp, selector_of
from xenmodel.events import arguments as calls
from xenmodel.events.calls import event_channel_op
from xenmodel.events.guest import scribble_selector, scribble_signal, scribble_upcall
from xenmodel.events.setup import InitControl, SetPriority
from xenmodel.events.waiting import Poll, give_up_poll, poll
from xenmodel.hypercall import run
from xenproofs.judge.oracle.compare import Got, Out
from xenproofs.judge.oracle.harness import Harness
from xenproofs.judge.trace.case_ports import EvtDumpOp, EvtOp, EvtReadOp, EvtWriteOp, PollOp
from xenspec.vocabulary import DOMID_SELF, DomId, PortId, VcpuId

MASK32: Final = 0xFFFF_FFFF
MASK16: Final = 0xFFFF
DUMPED_VCPUS: Final = 4
BITS_A_VCPU: Final = 4
MOST_PORT: Final = 4095
MOST_VCPU: Final = 31
"""The program cuts ports and vCPUs of its own reads and writes to these."""
NUMBERED: Final = {command.value: command.name.lower() for command in EventOp}


def operand(h: Harness, value: str | int) -> int:
    """Return a number, what slot k holds (0 before anything is saved), or the frame that a name means."""
    if isinstance(value, int):
        return value
    return h.saved.get(value[1:].lstrip("0") or "0", 0) if value[0] == "$" else h.names.frame(value)


def _call(h: Harness, op: EvtOp) -> calls.EventCall:  # noqa: PLR0911, PLR0912, C901 - one line a command
    """Return the call with its operands, cut to the widths of the interface."""
    whole = [operand(h, value) for value in op.args]
    first, second, third = (*(value & MASK32 for value in whole), 0, 0, 0)[:3]
    match NUMBERED.get(op.cmd) if isinstance(op.cmd, int) else op.cmd:
        case "alloc_unbound":
            return calls.AllocUnbound(first & MASK16, second & MASK16)
        case "bind_interdomain":
            return calls.BindInterdomain(first & MASK16, second)
        case "bind_virq":
            return calls.BindVirq(first, second)
        case "bind_pirq":
            return calls.BindPirq(first, second)
        case "bind_ipi":
            return calls.BindIpi(first)
        case "bind_vcpu":
            return calls.BindVcpu(first, second)
        case "close":
            return calls.Close(first)
        case "send":
            return calls.Send(first)
        case "unmask":
            return calls.Unmask(first)
        case "status":
            return calls.Status(first & MASK16, second)
        case "reset":
            return calls.Reset(first & MASK16)
        case "reset_cont":
            return calls.Reset(first & MASK16, again=True)
        case "init_control":
            return InitControl(whole[0], second, third)
        case "expand_array":
            return h.fifo.expansion(whole[0])
        case "set_priority":
            return SetPriority(first, second)
        case _:
            return calls.Unknown(op.cmd if isinstance(op.cmd, int) else -1)


OPENING: Final = (
    calls.AllocUnbound,
    calls.BindInterdomain,
    calls.BindVirq,
    calls.BindPirq,
    calls.BindIpi,
)


def ask_event(h: Harness, op: EvtOp) -> Got:
    """Put an event_channel_op; a preempted reset is gone on with."""
    call = _call(h, op)
    result = h.fifo.ask(lambda: run(event_channel_op(h.x, call)))
    out: Out | None = None
    if isinstance(call, OPENING):
        out = (result.port,)
    if isinstance(call, InitControl):
        out = (0 if result.rc else LINK_BITS,)
        if not result.rc:
            h.fifo.begin_block(call.vcpu, call.offset)
    if isinstance(call, calls.Status):
        out = (0, 0, 0) if result.status is None else _status(result.status)
    if op.save is not None and result.rc == 0:
        h.saved[str(op.save)] = first_of(out)
    return Got(result.rc, out=out)


def first_of(out: Out | None) -> int:
    """Return the first number that an operation gave out, which it saves if asked; 0 if it gave none."""
    first = out[0] if out else 0
    return first if isinstance(first, int) else 0


def ask_poll(h: Harness, op: PollOp) -> Got:
    """Poll, and wake up at once: the time that the program gives is over."""
    m, v = h.start.machine, h.start.asker
    rc = run(poll(h.x, Poll(tuple(operand(h, port) & MASK32 for port in op.ports))))
    if m.waits[v].blocked:
        give_up_poll(m, v)  # what the timer does (poll_timer_fn)
    return Got(rc)


INTERDOMAIN_STATUS: Final = 2
UNBOUND_STATUS: Final = 1


def _status(status: calls.PortStatus) -> Out:
    """Return a status as answers show it."""
    if status.status == INTERDOMAIN_STATUS:
        return status.status, status.vcpu, (status.domain, status.port)
    return status.status, status.vcpu, status.domain if status.status == UNBOUND_STATUS else status.interrupt


def _domain(h: Harness, dom: int | None) -> DomId:
    return h.start.domain if dom is None or dom == DOMID_SELF else DomId(dom)


def ask_dump(h: Harness, op: EvtDumpOp) -> Got:
    """Read the first words of a shared_info."""
    m, domain = h.start.machine, _domain(h, op.dom)
    pending = masked = vcpus = 0
    for port in range(WORD_PORTS):
        signal = m.signals[domain, port]
        pending |= signal.pending << port
        masked |= signal.masked << port
    for number in range(DUMPED_VCPUS):
        v = VcpuId((domain, number))
        vcpus |= (m.selectors[v, 0].set | m.upcalls[v].pending << 1) << BITS_A_VCPU * number
    return Got(0, out=(pending, masked, vcpus))


def ask_read(h: Harness, op: EvtReadOp) -> Got:
    """Read the bits of one port, its selector bit and the upcall byte of a vCPU."""
    m, domain = h.start.machine, _domain(h, op.dom)
    port, v = operand(h, op.port) & MOST_PORT, VcpuId((domain, op.vcpu & MOST_VCPU))
    signal = m.signals[domain, port]
    selected = m.selectors[v, selector_of(port)].set
    bits = signal.pending | signal.masked << 1 | selected << 2 | m.upcalls[v].pending << 3
    return Got(0, out=(bits,))


def ask_write(h: Harness, op: EvtWriteOp) -> Got:
    """Store into the own shared_info: one bit, a whole selector, or an upcall byte."""
    m = h.start.machine
    port, v = operand(h, op.port) & MOST_PORT, VcpuId((h.start.domain, op.vcpu & MOST_VCPU))
    p = PortId((h.start.domain, port))
    signal, upcall = m.signals[p], m.upcalls[v]
    match op.cmd:
        case "set_pending" | "clr_pending":
            scribble_signal(m, p, pending=op.cmd == "set_pending", masked=signal.masked)
        case "set_mask" | "clr_mask":
            scribble_signal(m, p, pending=signal.pending, masked=op.cmd == "set_mask")
        case "clr_sel":
            for word in range(WORD_PORTS):
                scribble_selector(m, v, word, value=False)
        case "clr_upcall":
            scribble_upcall(m, v, pending=False, masked=upcall.masked)
    return Got(0)
