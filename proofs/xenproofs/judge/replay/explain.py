"""Why a line of a recording differs: the replay is run again up to that line, and watched there.

What is shown: the two answers, the calls that led to it, every frame and slot that the line is about (before
and after it, with who holds the frame), and the steps that the model took.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xenmodel.machine import Machine
from xenproofs.judge.holdings import holds_of, name_of
from xenproofs.judge.replay.beginning import begin
from xenproofs.judge.replay.engine import Replay
from xenproofs.judge.replay.playing import play_all
from xenproofs.judge.replay.report import Breach, Difference, ReplayReport
from xenproofs.judge.replay.wording import cells_of, entry_text, frame_text, place_name, title
from xenproofs.judge.trace import Hypercall, Line

CELLS = 10
"""Frames and slots that are shown at most."""
HOLDERS = 6
"""Holders of a frame that are shown at most."""
STEPS = 60
"""Steps that are shown at most."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a recording."""

    file: str
    line: int


@dataclass(slots=True)
class Watch:
    """What is seen at one line of a replay."""

    replay: Replay
    place: Place
    story: tuple[Line, ...] = ()
    cells: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    names: list[str] = field(default_factory=list[str])
    before: list[str] = field(default_factory=list[str])
    steps: list[str] = field(default_factory=list[str])

    def line(self, line: Line) -> None:
        """Look at the state before the line in question, and stop after it."""
        if self.cells or self.story:
            self.replay.stop = True
        if line.line != self.place.line or self.replay.file != self.place.file:
            return
        m = self.replay.machine
        self.story = (*self.replay.recent, line)
        self.cells = cells_of(m, line)[:CELLS]
        self.names = [place_name(m, *cell) for cell in self.cells]
        self.before = [cell_text(m, *cell) for cell in self.cells]
        self.replay.observe_step = self._step

    def _step(self, shown: object) -> None:
        self.steps.append(str(getattr(shown, "__name__", shown)))


def first_found(report: ReplayReport) -> Difference | Breach | None:
    """Return what is to be explained: the first difference or violation, if there is any."""
    found: list[Difference | Breach] = [
        *report.diverged.first[:1],
        *report.event_differences.first[:1],
        *report.checked.first[:1],
    ]
    return min(found, key=lambda one: one.n, default=None)


def explain(start: Path, paths: Sequence[Path], found: Difference | Breach) -> list[str]:
    """Run a replay again, and tell what happens at the line where something was found.

    Raises:
        BadInput: a file has changed since, or cannot be read any more.
    """
    replay = begin(start)
    watch = Watch(replay, Place(found.file, found.line))
    replay.before_line = watch.line
    if found.line:
        play_all(replay, paths)
    return list(_told(watch, found))


def _told(watch: Watch, found: Difference | Breach) -> Iterator[str]:
    m = watch.replay.machine
    yield f"{found.file}:{found.line}: hypercall {found.n}"
    yield from _said(found)
    for line in watch.story[:-1]:
        yield f"  after     #{line.n} {title(line)}"
    for line in watch.story[-1:]:
        yield f"  at        #{line.n} {title(line)}"
        if isinstance(line, Hypercall):
            yield f"  made by   dom{line.dom} vCPU {line.vcpu}, base pointer {line.cr3:#x}"
    yield from _cells(m, watch)
    if watch.steps:
        yield f"  steps     {', '.join(watch.steps[:STEPS])}{' …' if len(watch.steps) > STEPS else ''}"


def _said(found: Difference | Breach) -> Iterator[str]:
    if isinstance(found, Breach):
        yield f"  violated  {found.name} at {found.key}, {found.when}: {found.sentence}"
        yield from (f"            {clause}" for clause in found.detail)
        return
    yield f"  Xen       {found.expected}"
    yield f"  model     {found.got}"
    if found.why:
        yield f"  why       {found.why}"


def _cells(m: Machine, watch: Watch) -> Iterator[str]:
    """Tell of each frame and slot what it was and is, and who holds the frame now."""
    holds = _holders(m, {frame for frame, _ in watch.cells})
    for (frame, slot), name, before in zip(watch.cells, watch.names, watch.before, strict=True):
        after = cell_text(m, frame, slot)
        yield f"  {name}: {before}" if before == after else f"  {name}: {before} -> {after}"
        if slot < 0:
            yield from (f"            held by {who}" for who in holds[frame])


def _holders(m: Machine, frames: set[int]) -> dict[int, list[str]]:
    """Return who holds each of some frames, named; those of one kind after the first few counted."""
    found: dict[int, list[str]] = {frame: [] for frame in frames}
    more: Counter[int] = Counter()
    for hold in holds_of(m):
        if hold.frame in found and len(found[hold.frame]) < HOLDERS:
            found[hold.frame].append(name_of(m, hold))
        elif hold.frame in found:
            more[hold.frame] += 1
    for frame, count in more.items():
        found[frame].append(f"{count} more")
    return found


def cell_text(m: Machine, frame: int, slot: int) -> str:
    """Return what a slot or a frame is now."""
    return frame_text(m, frame) if slot < 0 else entry_text(m.words[frame, slot])
