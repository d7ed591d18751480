"""Recordings in a row, and what is to be done with what a replay finds."""

import gc
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from xenproofs.judge.replay.engine import Replay
from xenproofs.judge.replay.position import enter, skipped
from xenproofs.judge.trace import Line, Recording, read_recording
from xenspec.errors import BadInput

RARELY = (100_000, 50, 100)
"""Thresholds of the cyclic garbage collector while a replay runs: it makes hardly any cycles."""

MEANWHILE = "call of another vCPU between the snapshot and the recording"


def play_all(replay: Replay, paths: Sequence[Path], until: int | None = None) -> None:
    """Play recordings one after another, each from where the one before ends, up to hypercall `until`.

    Raises:
        BadInput: a recording cannot be read, or does not go on where the machine stands.
    """
    with collecting_rarely():
        for index, path in enumerate(paths):
            recording = read_recording(path)
            if unseen := skipped(replay.position, recording.header):
                replay.report.assumed[MEANWHILE] += unseen
            behind = enter(replay.position, recording.header, path, resume=index == 0)
            if not replay.play(path, _after(replay, recording, behind), until):
                return


def _after(replay: Replay, recording: Recording, behind: int) -> Iterator[Line]:
    """Yield the lines of a recording after line `behind`.

    Raises:
        BadInput: it is not the recording in which the state was saved.
    """
    n = replay.position.n
    for line in recording:
        if line.line > behind:
            yield line
        elif line.line == behind and line.n != n:
            message = f"the state was saved after hypercall {n}, in another recording"
            raise BadInput(message, file=str(recording.path), line=line.line, field="n")


@contextmanager
def collecting_rarely() -> Generator[None]:
    """Let the cyclic garbage collector look rarely, and not at all at what is there already."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*RARELY)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
