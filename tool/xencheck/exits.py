"""The exit codes of the command line: what a script may rely on."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How a run ended: a command returns one, and `xencheck.cli.run` maps whatever else ends a run."""

    HOLDS = 0
    """Everything asked for was checked, and holds."""
    VIOLATED = 1
    """A property is violated, or an answer differs from the real hypervisor's."""
    BAD_INPUT = 2
    """Wrong usage, or a file that cannot be accepted."""
    UNDECIDED = 3
    """Undecided, vacuous or skipped: not a failure of the model, and no evidence for it either."""
    INTERNAL = 4
    """A fault of this program."""
    INTERRUPTED = 130
    """Stopped from the keyboard."""
    PIPE_CLOSED = 141
    """The reader of the output went away, as in `xencheck … | head`."""
