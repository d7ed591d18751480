"""Stories as files: what `xencheck fuzz` keeps, and `xencheck replay` plays again.

JSON lines. The first one says what it is: `{"story": 1, "subsystem", "invariant", "check", "fault"}`; each
other one has a move as `parse` reads it, and the move as it is told: `{"move": "pin vcpu=0 a=4", "told": …}`.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xenproofs.machines.breach import Breach, breach
from xenproofs.machines.faults import fault_named
from xenproofs.machines.moves import SUBSYSTEMS, Move, describe, parse
from xenproofs.machines.planting import planted
from xenproofs.machines.story import Story, tell
from xenspec.errors import BadInput

VERSION: Final = 1
CHECKS: Final = {"call": False, "step": True}
"""The ways of checking, and whether every step is checked."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A story as it was kept."""

    subsystem: str
    invariant: str
    """What was broken."""
    every_step: bool
    fault: str
    """The planted fault that it was found with; none: the model as it was."""
    moves: tuple[Move, ...]

    def play(self) -> Breach | None:
        """Play it on a fresh world, its fault planted; return what breaks."""
        with planted(fault_named(self.fault)):
            return breach(self.moves, every_step=self.every_step)

    @property
    def text(self) -> str:
        """The text of its file."""
        check = next(name for name, every_step in CHECKS.items() if every_step == self.every_step)
        head = {
            "story": VERSION,
            "subsystem": self.subsystem,
            "invariant": self.invariant,
            "check": check,
            "fault": self.fault,
        }
        lines = [head, *({"move": describe(move), "told": tell(move)} for move in self.moves)]
        return "".join(json.dumps(line) + "\n" for line in lines)


def trace_of(story: Story, subsystem: str) -> Trace:
    """Return a story as it is to be kept."""
    return Trace(subsystem, story.breach.name, story.every_step, story.fault, story.moves)


def is_story(path: Path) -> bool:
    """Return whether a file begins as a story does."""
    try:
        with path.open("rb") as file:
            return file.read(8).startswith(b'{"story"')
    except OSError:
        return False


def read_trace(path: Path) -> Trace:
    """Read a story.

    Raises:
        BadInput: it cannot be read, or is no story.
    """
    try:
        head, *rest = [_object(line) for line in path.read_text("utf-8").splitlines()]
        _require_known(head)
        fault_named(head["fault"])
        moves = tuple(parse(line["move"]) for line in rest)
        return Trace(head["subsystem"], head["invariant"], CHECKS[head["check"]], head["fault"], moves)
    except (OSError, KeyError, ValueError) as error:
        raise BadInput(f"no story: {error}", file=str(path)) from None


def _require_known(head: dict[str, str]) -> None:
    if head["story"] != str(VERSION) or head["subsystem"] not in SUBSYSTEMS:
        raise ValueError(head)


def _object(line: str) -> dict[str, str]:
    """Return the members of a JSON object as text."""
    loaded: object = json.loads(line)
    if not isinstance(loaded, dict):
        raise ValueError(line)  # noqa: TRY004 - of the file, not of a type
    members: dict[object, object] = loaded  # pyright: ignore[reportUnknownVariableType]
    return {str(name): str(value) for name, value in members.items()}


def default_folder() -> Path:
    """Return the folder in which stories are kept: in the user's cache folder (XDG_CACHE_HOME)."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "xencheck" / "stories"


def keep(trace: Trace, folder: Path) -> Path:
    """Keep a story under a name of its own; the same story again is the same file."""
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(trace.text.encode()).hexdigest()[:16]
    path = folder / f"{trace.subsystem}-{digest}.story"
    path.write_text(trace.text, "utf-8")
    return path


def kept(folder: Path | None) -> list[Trace]:
    """Return the stories of a folder; what cannot be read is passed over."""
    found: list[Trace] = []
    for path in sorted(folder.glob("*.story")) if folder is not None else ():
        try:
            found.append(read_trace(path))
        except BadInput:
            continue
    return found
