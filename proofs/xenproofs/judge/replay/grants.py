"""Grant tables in a replay: sizes, versions and pages that Xen tells, compared with the model's.

A snapshot shows the pages that Xen shares with a domain, and not what each is for: which one is the first of
the grant table is learnt when it is told. It must be one of those.
"""

from typing import TYPE_CHECKING

from xenmodel.grants import arguments as calls
from xenmodel.grants.calls import grant_table_op
from xenmodel.hypercall import Call
from xenmodel.memory import holders
from xenmodel.memory.rows import NO_FRAME
from xenproofs.judge import trace
from xenproofs.judge.replay.answers import Answer, Judged, recorded
from xenproofs.judge.trace import Hypercall
from xenspec.vocabulary import GrantFrameId, Mfn

if TYPE_CHECKING:
    from xenproofs.judge.replay.engine import Replay

LEARNT = "page of a grant table that the snapshot shows as Xen's own"


def answer(replay: "Replay", x: Call, line: Hypercall) -> Judged | None:
    """Answer a grant_table_op, and say what it tells; None for another hypercall."""
    args = line.args
    call: calls.GrantCall
    told: tuple[int, ...]
    match args:
        case trace.GrantQuerySize():
            call = calls.QuerySize(args.dom)
            told, status = (args.nr_frames, args.max_nr_frames), args.status
        case trace.GrantSetVersion():
            call = calls.SetVersion(args.version)
            told, status = (args.version_out,), 0
        case trace.GrantSetupTable():
            call = calls.SetupTable(args.dom, args.nr_frames)
            told, status = args.frames, args.status
            _learn(replay, x, args.frames)
        case _:
            return None
    result = replay.drive(grant_table_op(x, call))
    agrees = (told, status) == (result.told, result.status)
    why = "" if agrees else f"Xen tells {told}, status {status}; the model {result.told}, {result.status}"
    return Judged(recorded(line), Answer(result.rc), why)


def _learn(replay: "Replay", x: Call, frames: tuple[Mfn, ...]) -> None:
    """Take pages that are told, and that are Xen's own, for pages that the table had before."""
    m = replay.machine
    for index, f in enumerate(frames[: m.grant_tables[x.domain].frames]):
        page, unknown, frame = GrantFrameId((x.domain, index)), m.unattributed[f], m.frames[f]
        if m.grant_frames[page].frame != NO_FRAME or not (unknown.typed and frame.special):
            continue
        source = (holders.unattributed(f)[0], f, unknown.typed - 1)
        m.ghost.move(f, source, holders.grant_frame(x.domain, index), typed=True, general=False)
        unknown.typed -= 1
        m.grant_frames[page].frame = f
        replay.stores.learnt_something()
        replay.report.assumed[LEARNT] += 1
