"""Where in the recordings a machine stands, and whether a recording goes on from there.

Hypercalls are numbered through all recordings of one run. A recording follows if its first number is the
next one; the recording in which a state was saved may be given again, and goes on behind the saved line.

Where a domain has several vCPUs, calls of the others are issued, and written, while the one that announces a
checkpoint is under way. They are in the file before, although their numbers are higher: so a recording may
also begin right behind the call with which the file before ends, or, after a snapshot, that many calls later.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xenproofs.judge.replay.loading import START_OF_DAY, vcpu_count
from xenproofs.judge.trace import Header, Snapshot
from xenspec.errors import BadInput

MEANWHILE: Final = 256
"""Calls of other vCPUs that may lie between a snapshot and the recording after it; more are missing."""


@dataclass(slots=True)
class Position:
    """How far the recordings have been played."""

    top: int = 0
    """The highest hypercall number that is behind the machine."""
    machine: str = ""
    """What the recorder says of the machine; a recording of another one does not follow."""
    checkpoint: bool = False
    """Whether call `top + 1` only announced the snapshot, so that a recording may begin behind it."""
    first_n: int = 0
    """First number of the recording in which the machine stands; 0 between recordings."""
    line: int = 0
    """The line of that recording that was played last."""
    n: int = 0
    """The number in that line."""


def at_snapshot(snapshot: Snapshot) -> Position:
    """Return where a snapshot stands: just before its hypercall."""
    checkpoint = snapshot.snapshot != START_OF_DAY
    return Position(top=snapshot.at_n - 1, machine=snapshot.machine, checkpoint=checkpoint)


def skipped(position: Position, header: Header) -> int:
    """Return how many calls of other vCPUs lie between a snapshot and a recording after it, unseen."""
    if not position.checkpoint or vcpu_count(header.machine) == 1:
        return 0
    between = header.first_n - (position.top + 2)
    return between if 0 < between <= MEANWHILE else 0


def enter(position: Position, header: Header, path: Path, *, resume: bool) -> int:
    """Step to the beginning of a recording; return how many of its lines are behind the machine already.

    Only the first recording after a saved state may be one that the state is in the middle of (`resume`).

    Raises:
        BadInput: the recording does not begin where the machine stands.
    """
    if position.machine and header.machine != position.machine:
        raise _misfit(path, "machine", f"recorded on another machine than the state: {header.machine!r}")
    if resume and position.first_n == header.first_n:
        return position.line
    follows = {position.top + 1, position.top + 1 + position.checkpoint + skipped(position, header)}
    if position.n and vcpu_count(header.machine) > 1:
        follows.add(position.n + 1)
    if header.first_n not in follows:
        how = "a gap" if header.first_n > position.top else "an overlap"
        raise _misfit(
            path,
            "first_n",
            f"begins at hypercall {header.first_n}, but hypercall {position.top + 1} is the next ({how})",
        )
    position.first_n = header.first_n
    position.line = position.n = 0
    position.checkpoint = False
    return 0


def _misfit(path: Path, field: str, message: str) -> BadInput:
    return BadInput(message, file=str(path), line=1, field=field)
