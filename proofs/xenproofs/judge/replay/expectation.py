"""The end of a replay: every table and every frame's page_info against the real Xen's snapshot.

Ignored, as the recordings' README says: accessed and dirty bits (the hardware sets them), L4 slots 256..271
(Xen's own), lock and cache-attribute bits of page_info.
"""

from xenmodel.abi.pte import ACCESSED_DIRTY
from xenmodel.machine import Machine
from xenproofs.judge.replay.report import Compared, ReplayReport
from xenproofs.judge.trace.pageinfo import PageInfo
from xenproofs.judge.trace.snapshot import Snapshot
from xenspec.table import XEN_END_SLOT, XEN_FIRST_SLOT, PlainTable
from xenspec.vocabulary import PageType

TOP = 4


def compare(m: Machine, snapshot: Snapshot, report: ReplayReport) -> None:
    """Compare the machine with the snapshot, into the report."""
    report.tables, report.page_info, report.m2p = Compared(), Compared(), Compared()
    _compare_tables(m, snapshot, report.tables)
    for mfn, info in snapshot.page_info.items():
        mine = page_info(m, mfn)
        report.page_info.add(same=info.agrees(mine), example=f"frame {mfn:#x}: Xen {info}, model {mine}")
    _compare_owned(m, snapshot, report.page_info)
    for mfn, pfn in snapshot.m2p():
        now = m.m2p[mfn].pfn
        theirs = (1 << 64) - 1 if pfn is None else pfn
        report.m2p.add(same=now == theirs, example=f"frame {mfn:#x}: Xen {theirs:#x}, model {now:#x}")


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
        theirs = {e.slot: e.word for e in table.entries}
        example = ""
        for slot in range(512):
            if table.level == TOP and XEN_FIRST_SLOT <= slot < XEN_END_SLOT:
                continue
            mine = m.words[mfn, slot]
            if (mine ^ theirs.get(slot, 0)) & ~ACCESSED_DIRTY:
                example = f"entry {slot} of L{table.level} {mfn:#x}: Xen {theirs.get(slot, 0):#x}, model {mine:#x}"
                break
        result.add(same=not example, example=example)
    if isinstance(m.frames, PlainTable):
        for mfn, frame in m.frames.rows():
            if PageType.L1 <= frame.type <= PageType.L4 and frame.validated and mfn not in snapshot.tables:
                result.add(same=False, example=f"frame {mfn:#x} is a table to the model alone")


def _compare_owned(m: Machine, snapshot: Snapshot, result: Compared) -> None:
    """Count frames that only the model gives to Domain0."""
    if isinstance(m.frames, PlainTable):
        for mfn, frame in m.frames.rows():
            if frame.owner == 0 and frame.ref_count and mfn not in snapshot.page_info:
                result.add(same=False, example=f"frame {mfn:#x} belongs to Domain0 in the model alone")
