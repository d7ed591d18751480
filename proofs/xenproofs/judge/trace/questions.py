"""Questions: cases that nobody has answered yet, and writing the answered ones to a file."""

import gzip
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec.json import Decoder, Encoder

from xenproofs.judge.trace.case_ops import MmuExtOp, MmuUpdateOp, ReservationOp
from xenproofs.judge.trace.cases import Case, Operation
from xenproofs.judge.trace.words import Wire
from xenspec.errors import BadInput

_ENCODE: Final = Encoder()
_OPS: Final = Decoder(tuple[Operation, ...])
BLOCK: Final = 1000
"""Cases that are compressed together."""


class Question(Wire, frozen=True):
    """A case to ask: `by` says who asks; `np` pages of the asker, `nf` frames of the other domain."""

    id: str
    by: Literal["dom0", "guest"]
    np: int
    nf: int
    ops: tuple[Operation, ...]

    def shortened(self, ops: Sequence[Operation]) -> "Question":
        """Return the same case with other operations."""
        return msgspec.structs.replace(self, ops=tuple(ops))


def read_ops(data: object) -> tuple[Operation, ...]:
    """Return the operations that plain data of the oracle's format describes.

    Raises:
        msgspec.ValidationError: it does not fit.
    """
    return _OPS.decode(_ENCODE.encode(data))


def parts(op: Operation) -> int:
    """Return of how many requests an operation consists, of which some can be left out; 0: it is no batch."""
    match op:
        case MmuUpdateOp():
            return len(op.reqs)
        case MmuExtOp():
            return len(op.cmds)
        case ReservationOp():
            return len(op.extents)
        case _:
            return 0


def with_parts(op: Operation, kept: Sequence[int]) -> Operation:
    """Return a batch with these of its requests alone."""
    match op:
        case MmuUpdateOp():
            return msgspec.structs.replace(op, reqs=tuple(op.reqs[index] for index in kept))
        case MmuExtOp():
            return msgspec.structs.replace(op, cmds=tuple(op.cmds[index] for index in kept))
        case ReservationOp():
            return msgspec.structs.replace(op, extents=tuple(op.extents[index] for index in kept))
        case _:
            return op


class CaseWriter:
    """Writes answered cases, one a line, so that `read_cases` reads them; compressed if the name ends in .gz.

    The file appears whole, when `finish` is called, or not at all.
    """

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._lines: Final[list[bytes]] = []
        self._packed: Final = path.suffix == ".gz"
        self._part: Final = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            self._file: Final = self._part.open("wb")
        except OSError as error:
            raise BadInput(f"cannot be written: {error.strerror}", file=str(path)) from error

    def add(self, case: Case) -> None:
        """Write a case."""
        self._lines.append(_ENCODE.encode(case))
        if len(self._lines) >= BLOCK:
            self._flush()

    def _flush(self) -> None:
        """Write the lines collected; a compressed file is a sequence of compressed blocks."""
        block = b"".join(line + b"\n" for line in self._lines)
        self._lines.clear()
        self._file.write(gzip.compress(block, mtime=0) if self._packed else block)

    def finish(self) -> None:
        """Let the file appear."""
        self._flush()
        self._file.close()
        self._part.replace(self._path)

    def close(self) -> None:
        """Forget what was written, unless it was finished."""
        self._file.close()
        self._part.unlink(missing_ok=True)
