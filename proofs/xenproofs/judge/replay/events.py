"""Type events: what the model says Xen validates, devalidates and retypes, against what Xen did."""

from typing import TYPE_CHECKING

from xenmodel.hypercall import Call, FrameInfo, TypeEvent
from xenproofs.judge import trace
from xenproofs.judge.replay.report import Difference
from xenproofs.judge.trace.pageinfo import decode_page_info
from xenproofs.judge.trace.recording import Hypercall
from xenspec.vocabulary import PageType

if TYPE_CHECKING:
    from xenproofs.judge.replay.engine import Replay


def judge_events(replay: "Replay", line: Hypercall, x: Call) -> None:
    """Compare a call's type events with the recorded ones: kind, frame, type, order, counts just before."""
    tally = replay.report.events
    theirs = [e for e in line.events if isinstance(e, trace.TypeEvent)]
    mine = x.events
    for event in mine:
        if event.kind == "settype" and event.type == PageType.WRITABLE:
            replay.stores.became_writable(event.mfn)
    if not theirs and not mine:
        return
    tally.judged += len(theirs)
    for index in range(max(len(theirs), len(mine))):
        expected = of_xen(theirs[index]) if index < len(theirs) else "nothing"
        got = of_model(mine[index]) if index < len(mine) else "nothing"
        if expected == got:
            tally.agreed += 1
        else:
            tally.differ(Difference(line.n, f"event {index}", expected, got, "", line.line, replay.file))


def of_model(event: TypeEvent) -> str:
    """Return the model's event as text."""
    return f"{event.kind} {event.mfn:#x} as {int(event.type)} from {_info(event.before)}"


def of_xen(event: trace.TypeEvent) -> str:
    """Return a recorded event as text."""
    p = decode_page_info(event.old_type_info, event.old_count_info)
    before = FrameInfo(
        p.type, p.type_count, p.validated, p.pinned, p.partial, p.ref_count, p.allocated
    )
    return f"{event.ev} {event.mfn:#x} as {int(event.type)} from {_info(before)}"


def _info(info: FrameInfo) -> str:
    flags = "".join(
        letter
        for letter, on in zip("pvta", (info.pinned, info.validated, info.partial, info.allocated), strict=True)
        if on
    )
    return f"type {int(info.type)} count {info.type_count} refs {info.ref_count} {flags}"
