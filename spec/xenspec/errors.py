"""Errors that name their place: what a reader of somebody else's data raises.

A recording, a snapshot or a case file is input, and input can be wrong. Whoever reads it raises `BadInput`
and nothing else, with as much of the place as is known; the command line turns it into one line on stderr and
exit code 2.
"""

from __future__ import annotations

from typing import Final, final


@final
class BadInput(Exception):  # noqa: N818 - it is the input that is bad; "BadInputError" would blame the reader
    """Input that cannot be used, and where: `FILE:LINE: field: message`, without what is not known.

    `line` counts from one, as editors do; it is None for a file that is one document.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message: Final = message
        self.file: Final = file
        self.line: Final = line
        self.field: Final = field

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        return ": ".join(part for part in (place, self.field, self.message) if part)
