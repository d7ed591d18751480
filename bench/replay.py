"""How fast the replay is, and whether the cost of a call grows with the machine.

    python bench/replay.py [--steps N] [--window N] [--domains N ...]

Prints the two tables of docs/benchmarks.md. CPU seconds, not seconds of the wall: other work on the machine
does not count. The first table has the bundled boot with `--check off`, `call` and `step`, load and first
evaluation included. The second one has the cost of a call on ever larger machines: beside Domain0 stand
copies of it, with all its frames, tables and holders, each under another number; the calls are the same.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from xenmodel.abi import pte
from xenmodel.memory.rows import NO_FRAME
from xenproofs.judge.adapter import plain
from xenproofs.judge.replay.beginning import begin
from xenproofs.judge.replay.checking import Check, Checking
from xenproofs.judge.replay.playing import play_all
from xenspec.table import SELF_MAP_SLOT, XEN_END_SLOT, XEN_FIRST_SLOT
from xenspec.vocabulary import DomId, Mfn, PageType, VcpuId

if TYPE_CHECKING:
    from xenmodel.machine import Machine
    from xenproofs.judge.replay.engine import Replay

FOLDER: Final = Path(__file__).resolve().parent.parent / "tests" / "recordings"
BOOT: Final = FOLDER / "r1_boot.jsonl.gz"
START: Final = FOLDER / "r1_snap_sod.json.gz"
STRIDE: Final = 0x100000
"""Frames from one copy to the next."""
WARM_UP: Final = 3000
"""Calls before the window: in them the first tables are built."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the replay.")
    parser.add_argument("--steps", type=int, default=18_000, help="calls to play with --check step")
    parser.add_argument("--window", type=int, default=15_000, help="calls that are timed on each machine")
    parser.add_argument("--domains", type=int, nargs="+", default=[1, 2, 4, 6, 8, 10])
    options = parser.parse_args()
    print("| check | hypercalls | load | replay | hypercalls/s, load included |")
    print("| --- | --- | --- | --- | --- |")
    for check, until in ((Check.OFF, None), (Check.CALL, None), (Check.STEP, options.steps)):
        print(boot_row(check, until), flush=True)
    print("\n| domains | live frames | load | off | call | step |")
    print("| --- | --- | --- | --- | --- | --- |")
    for domains in options.domains:
        print(size_row(domains, options.window), flush=True)


def boot_row(check: Check, until: int | None) -> str:
    """Replay the boot, or its beginning, and return a row of the first table."""
    started = time.process_time()
    replay = begin(START)
    if check is not Check.OFF:
        Checking(replay, check)
    loaded = time.process_time()
    play_all(replay, [BOOT], until)
    ended = time.process_time()
    expect_none(replay)
    calls = replay.report.hypercalls
    rate = calls / (ended - started)
    return f"| {check.value} | {calls:,} | {loaded - started:.1f} s | {ended - loaded:.1f} s | {rate:,.0f} |"


def size_row(domains: int, window: int) -> str:
    """Time the same calls on a machine with so many domains; return a row of the second table."""
    cells: list[str] = []
    for check in Check:
        calls = window if check is not Check.STEP else window // 5
        replay = begin(START)
        play_all(replay, [BOOT], WARM_UP)
        for number in range(1, domains):
            add_copy(replay, number)
        live = sum(frame.ref_count > 0 for frame in plain(replay.machine.frames).values())
        started = time.process_time()
        if check is not Check.OFF:
            Checking(replay, check)
        loaded = time.process_time()
        play_all(replay, [BOOT], WARM_UP + calls)
        cost = (time.process_time() - loaded) / calls * 1e6
        expect_none(replay)
        if not cells:
            cells = [str(domains), f"{live:,}"]
        if check is Check.CALL:
            cells.insert(2, f"{loaded - started:.1f} s")
        cells.append(f"{cost:.0f} µs")
    return f"| {' | '.join(cells)} |"


def expect_none(replay: Replay) -> None:
    """Refuse to measure what is wrong."""
    if not replay.report.agrees:
        raise SystemExit(f"not measured: {(*replay.report.diverged.first, *replay.report.checked.first)[:1]}")


def add_copy(replay: Replay, number: int) -> None:
    """Put a copy of Domain0 beside it, as domain `number`: frames, tables, entries, holders."""
    m, shift, domain = replay.machine, number * STRIDE, DomId(number)
    copy_domain(m, domain, shift)
    frames = plain(m.frames)
    own = {f for f, row in frames.items() if row.owner == 0}
    for f in own:
        frames[f + shift] = replace(frames[f], owner=domain)
    entries = plain(m.entries)
    for (t, slot), row in [(key, row) for key, row in entries.items() if key[0] in own and row.linked]:
        target = Mfn(row.target + shift) if row.target in own else row.target
        entries[t + shift, slot] = replace(row, target=target)
    pages = replay.stores.words.pages
    for f, page in [(f, page) for f, page in pages.items() if f in own]:
        level = frames[f].type
        pages[f + shift] = {s: moved(w, s, level, own, shift) for s, w in page.items()}
    for f, unknown in list(plain(m.unattributed).items()):
        if f in own:
            plain(m.unattributed)[f + shift] = replace(unknown)


def moved(word: int, slot: int, level: PageType, own: set[int], shift: int) -> int:
    """Return a word of a copied table: it names the copy of what the word named, if that is copied."""
    is_xens = level == PageType.L4 and XEN_FIRST_SLOT <= slot < XEN_END_SLOT and slot != SELF_MAP_SLOT
    if not PageType.L1 <= level <= PageType.L4 or is_xens or not pte.present(word):
        return word
    return word + (shift << pte.FRAME_SHIFT) if pte.target(word) in own else word


def copy_domain(m: Machine, domain: DomId, shift: int) -> None:
    """Copy Domain0's row and those of its vCPUs, GDT, LDT and other pages."""
    plain(m.domains)[domain] = replace(m.domains[0])
    for v, row in list(plain(m.vcpus).items()):
        if v[0] == 0:
            plain(m.vcpus)[domain, v[1]] = replace(
                row,
                domain=domain,
                base=shifted(row.base, shift),
                user_base=shifted(row.user_base, shift),
                info_frame=shifted(row.info_frame, shift),
                old_table=shifted(row.old_table, shift),
            )
    for table in (plain(m.gdt), plain(m.ldt)):
        for (v, index), page in list(table.items()):
            if v[0] == 0:
                table[VcpuId((domain, v[1])), index] = replace(page, frame=shifted(page.frame, shift))


def shifted(f: Mfn, shift: int) -> Mfn:
    """Return the copy of a frame; no frame stays none."""
    return f if f == NO_FRAME else Mfn(f + shift)


if __name__ == "__main__":
    main()
