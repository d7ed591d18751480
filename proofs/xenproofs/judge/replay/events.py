"""Type events: what the model says Xen validates, devalidates and retypes, against what Xen did."""

from collections.abc import Sequence

from xenmodel.hypercall import FrameInfo, TypeEvent
from xenproofs.judge import trace
from xenproofs.judge.replay.report import Difference, ReplayReport
from xenproofs.judge.trace.pageinfo import (
    ALLOCATED,
    PARTIAL,
    PINNED,
    REF_COUNT,
    TYPE_COUNT,
    TYPE_SHIFT,
    VALIDATED,
    decode_page_info,
)

TYPE_COMPARED = 7 << TYPE_SHIFT | PINNED | VALIDATED | PARTIAL | TYPE_COUNT
COUNT_COMPARED = ALLOCATED | REF_COUNT


def judge_events(report: ReplayReport, line: trace.Hypercall, mine: Sequence[TypeEvent], file: str) -> None:
    """Compare a call's type events with the recorded ones: kind, frame, type, order, counts just before."""
    theirs = [e for e in line.events if isinstance(e, trace.TypeEvent)]
    for index in range(max(len(theirs), len(mine))):
        ours = mine[index] if index < len(mine) else None
        xens = theirs[index] if index < len(theirs) else None
        same = ours is not None and xens is not None and agree(ours, xens)
        report.events.count(agrees=same)
        if not same:
            expected = "nothing" if xens is None else of_xen(xens)
            got = "nothing" if ours is None else of_model(ours)
            name = f"{line.op}, event {index}"
            report.event_differences.add(Difference(line.n, name, expected, got, "", line.line, file))


def agree(mine: TypeEvent, theirs: trace.TypeEvent) -> bool:
    """Return whether two events are the same, and the frame's counts and flags before them too."""
    before = mine.before
    type_word = before.type << TYPE_SHIFT | before.type_count
    if before.pinned:
        type_word |= PINNED
    if before.validated:
        type_word |= VALIDATED
    if before.partial:
        type_word |= PARTIAL
    count_word = before.ref_count | ALLOCATED if before.allocated else before.ref_count
    return (
        mine.mfn == theirs.mfn
        and mine.kind == theirs.ev
        and mine.type == theirs.type
        and type_word == theirs.old_type_info & TYPE_COMPARED
        and count_word == theirs.old_count_info & COUNT_COMPARED
    )


def of_model(event: TypeEvent) -> str:
    """Return the model's event as text."""
    return f"{event.kind} {event.mfn:#x} as {int(event.type)} from {_info(event.before)}"


def of_xen(event: trace.TypeEvent) -> str:
    """Return a recorded event as text."""
    p = decode_page_info(event.old_type_info, event.old_count_info)
    before = FrameInfo(p.type, p.type_count, p.validated, p.pinned, p.partial, p.ref_count, p.allocated)
    return f"{event.ev} {event.mfn:#x} as {int(event.type)} from {_info(before)}"


def _info(info: FrameInfo) -> str:
    shown = {"p": info.pinned, "v": info.validated, "t": info.partial, "a": info.allocated}
    flags = "".join(letter for letter, on in shown.items() if on)
    return f"type {int(info.type)} count {info.type_count} refs {info.ref_count} {flags}"
