"""The end of a replay: every table and every frame's page_info against the real Xen's snapshot.

Ignored, as the recordings' README says: accessed and dirty bits (the hardware sets them), L4 slots 256..271
(Xen's own), lock and cache-attribute bits of page_info.
"""

from xenmodel.abi.pte import ACCESSED_DIRTY
from xenmodel.machine import Machine
from xenmodel.memory.claim import is_table
from xenmodel.memory.rows import Frame
from xenproofs.judge.replay.report import Compared, Expectation
from xenproofs.judge.trace import PageInfo, Snapshot
from xenspec.table import XEN_END_SLOT, XEN_FIRST_SLOT, PlainTable
from xenspec.vocabulary import SLOTS

TOP = 4
DOMAIN0 = 0


def compare(m: Machine, snapshot: Snapshot) -> Expectation:
    """Compare the machine with the snapshot."""
    result = Expectation()
    _compare_tables(m, snapshot, result.tables)
    _compare_page_info(m, snapshot, result.page_info)
    for mfn, pfn in snapshot.m2p():
        theirs = (1 << 64) - 1 if pfn is None else pfn
        if m.m2p[mfn].pfn != theirs:
            result.m2p.difference(f"frame {mfn:#x}: Xen {theirs:#x}, model {m.m2p[mfn].pfn:#x}")
        result.m2p.compared += 1
    return result


def _compare_page_info(m: Machine, snapshot: Snapshot, result: Compared) -> None:
    frames = m.frames
    for run in snapshot.page_info_runs:
        info = run.info
        theirs = info.compared()
        for mfn in range(run.mfn, run.mfn + run.length):
            if compared(frames[mfn]) != theirs:
                result.difference(f"frame {mfn:#x}: Xen {info}, model {page_info(m, mfn)}")
        result.compared += run.length
    if isinstance(m.frames, PlainTable):
        for mfn, frame in m.frames.rows():
            if frame.owner == DOMAIN0 and frame.ref_count and mfn not in snapshot.page_info:
                result.difference(f"frame {mfn:#x}: Domain0 has it in the model alone")


def compared(f: Frame) -> tuple[int, ...]:
    """Return the fields of a frame that page_info shows, as PageInfo.compared orders them."""
    flags = (f.validated, f.pinned, f.partial, f.allocated, f.special)
    return (f.type, f.type_count, *flags, f.ref_count)


def page_info(m: Machine, mfn: int) -> PageInfo:
    """Return the model's page_info of a frame."""
    f = m.frames[mfn]
    return PageInfo(
        type=f.type,
        type_count=f.type_count,
        validated=f.validated,
        pinned=f.pinned,
        partial=f.partial,
        noncoherent=f.noncoherent,
        allocated=f.allocated,
        xenheap=f.special,
        ref_count=f.ref_count,
    )


def _compare_tables(m: Machine, snapshot: Snapshot, result: Compared) -> None:
    for mfn, table in snapshot.tables.items():
        result.compared += 1
        theirs: dict[int, int] = {e.slot: e.word for e in table.entries}
        for slot in range(SLOTS):
            if table.level == TOP and XEN_FIRST_SLOT <= slot < XEN_END_SLOT:
                continue
            xens, mine = theirs.get(slot, 0), m.words[mfn, slot]
            if (mine ^ xens) & ~ACCESSED_DIRTY:
                result.difference(f"L{table.level} {mfn:#x}[{slot}]: Xen {xens:#x}, model {mine:#x}")
                break
    if isinstance(m.frames, PlainTable):
        for mfn, frame in m.frames.rows():
            if is_table(frame.type) and frame.validated and mfn not in snapshot.tables:
                result.difference(f"frame {mfn:#x}: a table in the model alone")
