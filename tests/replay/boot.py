"""What the tests of the replay share: the bundled boot, its beginning, and small changes to it."""

from __future__ import annotations

from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import structs

from xenmodel.machine import TABLES
from xenmodel.memory.rows import IDLE
from xenproofs.judge.replay.beginning import begin
from xenproofs.judge.replay.playing import collecting_rarely
from xenproofs.judge.replay.saving import plain, rows_alike
from xenproofs.judge.trace import Header, Hypercall, read_recording, write_recording

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xenproofs.judge.replay.engine import Replay
    from xenproofs.judge.trace import Line

FOLDER: Final = Path(__file__).resolve().parent.parent / "recordings"
BOOT: Final = FOLDER / "r1_boot.jsonl.gz"
START: Final = FOLDER / "r1_snap_sod.json.gz"
CHECKPOINT: Final = FOLDER / "r1_snap_0.json.gz"

BEGINNING: Final = 700
"""A few hundred calls: the first tables are pinned, the first entries changed, the first call preempted."""
VARIED: Final = 18_200
"""Calls up to which nearly every kind of call, answer and event is to be seen."""
CLOCKS: Final = frozenset({"epoch", "flushed_at", "clock", "stamp"})
"""Columns that count flushes: what is equal but for them is equal to the guest."""


@cache
def lines(until: int) -> tuple[Line, ...]:
    """Give the boot's lines up to a hypercall."""
    return tuple(takewhile(lambda line: line.n <= until, read_recording(BOOT)))


def replayed(played: Iterable[Line]) -> Replay:
    """Replay lines from the start of the boot."""
    replay = begin(START)
    with collecting_rarely():
        replay.play(BOOT, played)
    return replay


def call(n: int) -> Hypercall:
    """Give hypercall `n` of the boot's first part."""
    found = next(line for line in lines(VARIED) if line.n == n and isinstance(line, Hypercall))
    assert isinstance(found, Hypercall)
    return found


def changed(played: Iterable[Line], changes: dict[int, dict[str, object]]) -> list[Line]:
    """Replace fields of some hypercalls, by their numbers."""
    return [
        structs.replace(line, **changes[line.n])
        if isinstance(line, Hypercall) and line.n in changes
        else line
        for line in played
    ]


def written(path: Path, played: Iterable[Line], **header: str | int) -> Path:
    """Write lines as a recording with the boot's header."""
    whole: Header = structs.replace(read_recording(BOOT).header, **header)
    write_recording(path, whole, played)
    return path


def content(replay: Replay) -> dict[str, dict[tuple[object, ...], frozenset[object]]]:
    """Give all rows and words of a replay's machine that say something, but for how often it flushed."""
    found: dict[str, dict[tuple[object, ...], frozenset[object]]] = {}
    for name in TABLES:
        rows = rows_alike(plain(replay.machine, name), CLOCKS).keys
        found[name] = {row: frozenset(keys) for row, keys in rows.items()}
    found["flights"] = {row: keys for row, keys in found["flights"].items() if row[0] != IDLE}
    words = replay.stores.words.pages
    found["words"] = {(f,): frozenset(page.items()) for f, page in words.items() if page}
    return found
