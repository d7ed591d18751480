"""Results of the test kernel for event channels and grants as answers."""

from collections.abc import Mapping
from typing import Final

from xenmodel.abi.event import EventOp
from xenproofs.judge.trace import case_ports as ports
from xenproofs.judge.trace.cases import Answer, OutValue, PageState, PortStatus
from xenspec.vocabulary import PAGE_SIZE

Names = Mapping[int, str]
"""Frames that have a name."""
MASK16: Final = 0xFFFF
INTERDOMAIN: Final = 2
"""EVTCHNSTAT_interdomain."""
TELLS_A_NUMBER: Final = frozenset(
    {"alloc_unbound", "bind_interdomain", "bind_virq", "bind_pirq", "bind_ipi", "init_control"}
)
"""Commands that tell a port, or the bits of a link."""


def port_answer(
    op: ports.EvtCaseOp | ports.GntCaseOp,
    rc: int,
    out: tuple[int, int, int],
    names: Names,
    changed: dict[str, PageState],
) -> Answer:
    """Return the answer to an operation on event channels or grants."""
    if isinstance(op, ports.EvtCaseOp):
        return Answer(rc, out=_event_out(op, rc, out), st=changed)
    failed = _signed(out[2]) or None if isinstance(op, STATUS_CALLS) else None
    if isinstance(op, ports.GntMapOp):
        if rc:
            return Answer(rc, hrc=_signed(out[2]), st=changed)
        device = names.get(out[1] // PAGE_SIZE) or hex(out[1])
        return Answer(rc, handle=out[0], dev=device, hrc=_signed(out[2]), st=changed)
    return Answer(rc, out=_grant_out(op, out, names), hrc=failed, st=changed)


STATUS_CALLS: Final = (
    ports.GntUnmapOp,
    ports.GntReplaceOp,
    ports.GntCopyOp,
    ports.GntQueryOp,
    ports.GntSetupOp,
    ports.GntStatusFramesOp,
    ports.GntSwapOp,
    ports.GntTransferOp,
)
"""Calls that answer with a status, beside the hypercall's own return code."""


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word


def _event_out(op: ports.EvtCaseOp, rc: int, out: tuple[int, int, int]) -> OutValue | None:
    match op:
        case ports.EvtDumpOp():
            return out
        case ports.EvtReadOp():
            return (out[0],)
        case ports.EvtOp():
            command = op.cmd if isinstance(op.cmd, str) else _command_name(op.cmd)
            if command in TELLS_A_NUMBER:
                return (out[0],)
            return _status(rc, out) if command == "status" else None
        case _:
            return None


def _command_name(number: int) -> str:
    known = number in set(EventOp)
    return EventOp(number).name.lower() if known else ""


def _status(rc: int, out: tuple[int, int, int]) -> OutValue:
    if rc:
        return out
    bound = (out[2] & MASK16, out[2] >> 32) if out[0] == INTERDOMAIN else out[2]
    return PortStatus(out[0], out[1], bound)


def _grant_out(op: ports.GntCaseOp, out: tuple[int, int, int], names: Names) -> OutValue | None:
    match op:
        case ports.GntReadOp() | ports.ForeignGntReadOp():
            frame = out[0] >> 32
            return out[0] & MASK16, out[0] >> 16 & MASK16, names.get(frame, frame)
        case ports.NewGntReadOp():
            flags, domain = out[0] & MASK16, out[0] >> 16 & MASK16
            return flags, domain, out[0] >> 32 & MASK16, out[0] >> 48, names.get(out[1], out[1])
        case ports.GntStatusOp() | ports.GntSetVersionOp() | ports.GntGetVersionOp():
            return (out[0],)
        case ports.GntQueryOp():
            return out[0], out[1]
        case _:
            return None
