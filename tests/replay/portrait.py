"""A machine as a snapshot in the middle of a run shows it: what the recorder would have written there."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import TYPE_CHECKING, Final

from xenmodel.memory.claim import is_table
from xenproofs.judge.adapter import plain
from xenspec.vocabulary import SLOTS, VcpuId

if TYPE_CHECKING:
    from pathlib import Path

    from xenmodel.machine import Machine
    from xenmodel.memory.rows import Frame

NO_PFN: Final = (1 << 64) - 1
ONLY_AT_THE_START: Final = ("start_info", "p2m_runs", "entry", "layout")


def portrait(m: Machine, like: Path, path: Path, *, vcpu: int, at_n: int) -> Path:
    """Write a snapshot of a machine just before hypercall `at_n` of a vCPU; `like` is one of the same run."""
    with gzip.open(like) as file:
        found: dict[str, object] = json.load(file)
    bases = m.vcpus[VcpuId((0, vcpu))]
    frames = [(f, row) for f, row in sorted(plain(m.frames).rows()) if row.owner == 0 and row.ref_count]
    found |= {
        "snapshot": "0",
        "at_n": at_n,
        "guest_table_mfn": bases.base,
        "guest_user_table_mfn": max(bases.user_base, 0),
        "owned_frames": len(frames),
        "page_info_runs": [(f, 1, count_info(row), type_info(row)) for f, row in frames],
        "type_histogram": Counter(str(int(row.type)) for _, row in frames),
        "tables": {str(f): _table(m, f, row) for f, row in frames if is_table(row.type) and row.validated},
        "m2p_runs": [(f, row.pfn if row.pfn >= 0 else NO_PFN, 1) for f, row in sorted(plain(m.m2p).rows())],
    }
    path.write_text(json.dumps({name: part for name, part in found.items() if name not in ONLY_AT_THE_START}))
    return path


def count_info(f: Frame) -> int:
    """Return a frame's count_info as Xen has it."""
    return f.allocated << 63 | f.special << 62 | f.ref_count


def type_info(f: Frame) -> int:
    """Return a frame's type_info as Xen has it."""
    flags = f.pinned << 59 | f.validated << 58 | f.partial << 57 | f.noncoherent << 55
    return int(f.type) << 61 | flags | f.type_count


def _table(m: Machine, f: int, row: Frame) -> dict[str, object]:
    entries = [(slot, m.words[f, slot]) for slot in range(SLOTS) if m.words[f, slot]]
    return {
        "level": int(row.type),
        "type_info": type_info(row),
        "count_info": count_info(row),
        "entries": entries,
    }
