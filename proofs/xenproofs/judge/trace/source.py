"""Lines of a file that somebody else wrote, with their numbers; plain or gzip, told by the first bytes."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from xenspec.errors import BadInput

GZIP_MAGIC: Final = b"\x1f\x8b"
UNREADABLE: Final = (OSError, EOFError, zlib.error)
"""What a damaged or absent file raises while it is read (gzip.BadGzipFile is an OSError)."""


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (number, line) from 1 on.

    Raises:
        BadInput: the file cannot be read, or breaks off inside a compressed block.
    """
    number = 0
    try:
        with path.open("rb") as plain:
            packed = plain.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            plain.seek(0)
            stream = gzip.GzipFile(fileobj=plain) if packed else plain
            for number, line in enumerate(stream, 1):
                yield number, line
    except UNREADABLE as error:
        raise _unreadable(path, error, number + 1) from error


def whole(path: Path) -> bytes:
    """All of a file that is one document.

    Raises:
        BadInput: the file cannot be read, or breaks off.
    """
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(GZIP_MAGIC) else data
    except UNREADABLE as error:
        raise _unreadable(path, error, None) from error


def _unreadable(path: Path, error: Exception, line: int | None) -> BadInput:
    if isinstance(error, OSError) and error.strerror:
        return BadInput(f"cannot be read: {error.strerror}", file=str(path))
    return BadInput(f"breaks off or is damaged: {error}", file=str(path), line=line)
