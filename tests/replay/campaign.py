"""Damage to the bundled boot: single bits flipped, single calls dropped; each is found or changes nothing.

    python -m tests.replay.campaign [--seed N] [--update]

A damaged line goes through the reader and then, like the lines that follow it, through the replay. That the
reader refuses a recording with a call dropped, because its number is missing, is left out: the replay has to
do without. A mutant is *found* where the line is refused, an answer or event differs, or the end differs from
the checkpoint; the rest must end in the very machine of the undamaged recording, by the digest of all that
Xen keeps or would look at (not the contents of pages that are neither tables nor descriptors now). The table
is compared with tests/snapshots/replay_campaign.txt. A mutant runs in a process that is forked off the
undamaged replay just before its line, and ends at the first difference.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import structs

from tests.replay.boot import BOOT, CHECKPOINT, START, content
from xenproofs.judge.adapter import plain
from xenproofs.judge.replay.beginning import begin
from xenproofs.judge.replay.expectation import compare
from xenproofs.judge.replay.playing import collecting_rarely
from xenproofs.judge.replay.wording import title
from xenproofs.judge.trace import Hypercall, read_recording, read_snapshot
from xenspec.errors import BadInput
from xenspec.vocabulary import L1, SEG

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xenproofs.judge.replay.engine import Replay
    from xenproofs.judge.trace import Line, Snapshot

SNAPSHOT: Final = Path(__file__).resolve().parent.parent / "snapshots" / "replay_campaign.txt"
SEED: Final = 417
FLIPS, NUMBERS, DROPS = 20, 20, 50
NUMBER: Final = re.compile(rb"(?<=[:\[,])\d+")
BITS: Final = 64
NEAR: Final = 60
"""Lines that are read together with a damaged one."""


@dataclass(slots=True)
class Mutant:
    """One damage: to which line, what, and what became of it."""

    kind: str
    line: int
    what: str
    text: bytes | None
    """The line as it now is; None where it is dropped."""
    outcome: str = ""


@dataclass(slots=True)
class Campaign:
    """The boot, and what is done to it."""

    texts: list[bytes]
    lines: list[Line]
    mutants: list[Mutant]
    folder: Path
    expected: Snapshot | None
    """What the end must agree with, if the lines come so far."""
    children: dict[int, Mutant] = field(default_factory=dict[int, Mutant])
    started: int = 0

    def run(self, cores: int) -> None:
        """Play the boot, and let every mutant part from it at its line."""
        replay = begin(START)
        by_line: dict[int, list[Mutant]] = {}
        for mutant in self.mutants:
            by_line.setdefault(mutant.line, []).append(mutant)

        def part(line: Line) -> None:
            for mutant in by_line.get(line.line, ()):
                while len(self.children) >= cores:
                    self._collect()
                self._fork(replay, mutant)

        replay.before_line = part
        with collecting_rarely():
            replay.play(BOOT, self.lines)
        end = digest(replay)
        while self.children:
            self._collect()
        for mutant in self.mutants:
            if mutant.outcome.startswith("equal"):
                same = mutant.outcome == f"equal {end}"
                mutant.outcome = "the same end" if same else "MISSED: another end"

    def _fork(self, replay: Replay, mutant: Mutant) -> None:
        child = os.fork()
        if child:
            self.children[child] = mutant
            return
        outcome = "MISSED: the program failed"
        try:
            outcome = self._outcome(replay, mutant)
        finally:
            (self.folder / str(os.getpid())).write_text(outcome, encoding="utf-8")
            os._exit(0)

    def _collect(self) -> None:
        child, _ = os.wait()
        told = self.folder / str(child)
        self.children.pop(child).outcome = told.read_text(encoding="utf-8")

    def _outcome(self, replay: Replay, mutant: Mutant) -> str:
        """Play the damaged line, if there is one, and the rest."""
        index = mutant.line - 2
        rest: Sequence[Line] = self.lines[index + 1 :]
        if mutant.text is not None:
            try:
                damaged = self._read(mutant.text, index)
            except BadInput:
                return "refused by the reader"
            rest = [structs.replace(damaged, line=mutant.line), *rest]
        return self._played(replay, rest, mutant.line)

    def _read(self, text: bytes, index: int) -> Line:
        """Read a damaged line among the lines that follow it.

        Raises:
            BadInput: it cannot be read, or its number is out of place.
        """
        later = self.lines[index : index + NEAR]
        first_n = next(line.n for line in later if isinstance(line, Hypercall))
        header = json.loads(self.texts[0]) | {"first_n": first_n, "phase": "workload"}
        path = self.folder / f"{os.getpid()}.jsonl"
        rest = self.texts[index + 2 : index + NEAR]
        path.write_bytes(b"".join([json.dumps(header).encode(), b"\n", text, *rest]))
        lines = list(read_recording(path))  # all of them: the last one shows which numbers are missing
        return lines[0]

    def _played(self, replay: Replay, rest: Sequence[Line], line: int) -> str:
        """Play lines until something is found; say what, or which machine is left."""
        report = replay.report

        def look(_: Line) -> None:
            replay.stop = bool(report.diverged.total or report.event_differences.total)

        replay.before_line = look
        replay.play(BOOT, rest)
        found = (*report.diverged.first, *report.event_differences.first)
        if found:
            distance = found[0].line - line
            return f"found {f'{distance} lines on' if distance else 'there'}: {found[0].op}"
        differ = compare(replay.machine, self.expected).differ if self.expected is not None else 0
        return f"found at the end: {differ} cells" if differ else f"equal {digest(replay)}"


def digest(replay: Replay) -> str:
    """Give a name to what a machine keeps and would look at; the same content has the same name."""
    found = content(replay)
    frames = plain(replay.machine.frames)
    in_use = {(f,) for f, row in frames.items() if row.type_count and L1 <= row.type <= SEG}
    found["words"] = {f: words for f, words in found["words"].items() if f in in_use}
    found["entries"] = {row: keys for row, keys in found["entries"].items() if row[0] is True}
    parts = [
        (name, sorted((repr(row), sorted(map(repr, keys))) for row, keys in rows.items()))
        for name, rows in sorted(found.items())
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def mutants(
    texts: Sequence[bytes], lines: Sequence[Line], seed: int, counts: tuple[int, int, int]
) -> Iterator[Mutant]:
    """Choose what to damage: bits of the text, bits of numbers, calls to drop."""
    rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    ends = [0]
    for text in texts[1:]:
        ends.append(ends[-1] + len(text))
    for _ in range(counts[0]):
        at = rng.randrange(ends[-1])
        number = next(i for i, end in enumerate(ends) if end > at)
        yield flipped(lines, texts, number, at - ends[number - 1], rng.randrange(8))
    calls = [line for line in lines if isinstance(line, Hypercall)]
    for _ in range(counts[1]):
        yield number_changed(rng.choice(calls), texts, rng)
    for line in rng.sample(calls, counts[2]):
        yield Mutant("call dropped", line.line, f"#{line.n} {brief(line)}", None)


def flipped(lines: Sequence[Line], texts: Sequence[bytes], number: int, at: int, bit: int) -> Mutant:
    """Flip one bit of a line's text."""
    text = bytearray(texts[number])
    before = bytes(text[at : at + 1])
    text[at] ^= 1 << bit
    what = f"{brief(lines[number - 1])}, byte {at}: {before!r} becomes {bytes(text[at : at + 1])!r}"
    return Mutant("bit of the text", number + 1, what, bytes(text))


def number_changed(line: Hypercall, texts: Sequence[bytes], rng: random.Random) -> Mutant:
    """Flip one bit of one number of a call."""
    text = texts[line.line - 1]
    found = rng.choice(list(NUMBER.finditer(text)))
    value = int(found[0]) ^ 1 << rng.randrange(BITS)
    changed = text[: found.start()] + str(value).encode() + text[found.end() :]
    name = text[: found.start()].rsplit(b'"', 2)[-2].decode()
    what = f"#{line.n} {brief(line)}, {name} {int(found[0]):#x} becomes {value:#x}"
    return Mutant("bit of a number", line.line, what, changed)


def brief(line: Line) -> str:
    """Give a line in very few words."""
    return title(line).split(";")[0][:60]


def table(campaign: Campaign) -> str:
    """Lay out what became of each mutant, and count."""
    rows = [f"{m.kind:15}  line {m.line:6}  {m.what}\n    {m.outcome}" for m in campaign.mutants]
    counts = {"refused": 0, "found": 0, "the same end": 0, "MISSED": 0}
    for mutant in campaign.mutants:
        counts[next(name for name in counts if mutant.outcome.startswith(name))] += 1
    return "\n".join([*rows, "", ", ".join(f"{count} {name}" for name, count in counts.items()), ""])


def main() -> int:
    """Run the campaign; 1 if a mutant was missed, or the table is not the one that is checked in."""
    parser = argparse.ArgumentParser(prog="python -m tests.replay.campaign")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--update", action="store_true", help="check the table in")
    options = parser.parse_args()
    texts = gzip.decompress(BOOT.read_bytes()).splitlines(keepends=True)
    lines = list(read_recording(BOOT))
    with tempfile.TemporaryDirectory() as folder:
        chosen = list(mutants(texts, lines, options.seed, (FLIPS, NUMBERS, DROPS)))
        campaign = Campaign(texts, lines, chosen, Path(folder), read_snapshot(CHECKPOINT))
        campaign.run(os.cpu_count() or 1)
    text = table(campaign)
    print(text)  # noqa: T201 - the table is the output
    if options.update:
        SNAPSHOT.write_text(text, encoding="utf-8")
    if "MISSED" in text.replace("0 MISSED", ""):
        return 1
    known = options.seed != SEED or SNAPSHOT.read_text(encoding="utf-8") == text
    return 0 if known else 1


if __name__ == "__main__":
    sys.exit(main())
