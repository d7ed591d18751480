"""Questions: cases that nobody has answered yet, and writing the answered ones to a file."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec.json import Encoder

from xenproofs.judge.trace.case_ops import MemoryCaseOp, MmuExtOp, MmuUpdateOp, ReservationOp
from xenproofs.judge.trace.cases import Case
from xenproofs.judge.trace.words import Wire

_ENCODE: Final = Encoder()


class Question(Wire, frozen=True):
    """A case to ask: `by` says who asks; `np` pages of the asker, `nf` frames of the other domain."""

    id: str
    by: Literal["dom0", "guest"]
    np: int
    nf: int
    ops: tuple[MemoryCaseOp, ...]

    def shortened(self, ops: Sequence[MemoryCaseOp]) -> "Question":
        """Return the same case with other operations."""
        return msgspec.structs.replace(self, ops=tuple(ops))


def read_op(data: object) -> MemoryCaseOp:
    """Return the operation that plain data of the oracle's format describes.

    Raises:
        msgspec.ValidationError: it does not fit.
    """
    found: MemoryCaseOp = msgspec.convert(data, MemoryCaseOp, strict=True)
    return found


def parts(op: MemoryCaseOp) -> int:
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


def with_parts(op: MemoryCaseOp, kept: Sequence[int]) -> MemoryCaseOp:
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


def write_cases(path: Path, cases: Iterable[Case]) -> int:
    """Write cases with their answers, one a line, so that `read_cases` reads them; return how many.

    The file appears whole or not at all.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    count = 0
    try:
        with part.open("wb") as file:
            for case in cases:
                file.write(_ENCODE.encode(case) + b"\n")
                count += 1
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count
