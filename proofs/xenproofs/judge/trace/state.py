"""A saved machine state (`xencheck-state-1`): tables of plain rows, one gzip JSON document.

Rules of the format:
- a table is a list of rows, a row a list of cells: first the key, then the field values; whoever saves
  decides what they mean;
- a cell is an integer of 64 bits, a text, a truth value, null, or a list of cells (a key of several parts is
  one list);
- the rows of a table have the same number of cells, and no key is there twice.

Written to a temporary file beside the target, which then takes its name: a reader sees the old state or the
new one, never half of one. The same state gives the same bytes.
"""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.json import Decoder, Encoder

from xenproofs.judge.trace.files import replace_file
from xenproofs.judge.trace.misfits import DECODE_ERRORS, misfit
from xenproofs.judge.trace.source import whole
from xenproofs.judge.trace.words import Misfit, Wire, is_list
from xenspec.errors import BadInput

STATE_FORMAT: Final = "xencheck-state-1"

Cell: TypeAlias = "int | str | bool | Sequence[Cell] | None"
Row: TypeAlias = Sequence[Cell]


@dataclass(frozen=True, slots=True)
class SavedState:
    """All tables of a machine, by name. As read, rows and lists within are tuples: keys can be hashed."""

    tables: Mapping[str, Sequence[Row]]


class _Document(Wire, frozen=True):
    format: str
    tables: dict[str, list[list[object]]]


class _Marked(Struct, frozen=True):
    """Any document that says its format; other fields do not matter."""

    format: str


_MARKED: Final = Decoder(_Marked)
_DOCUMENT: Final = Decoder(_Document)
_ENCODER: Final = Encoder()


def write_state(path: Path, state: SavedState) -> None:
    """Save `state` at `path`, whole or not at all.

    Raises:
        ValueError: the state breaks a rule of the format.
        OSError: the file cannot be written.
    """
    try:
        tables = {name: [_row(row) for row in rows] for name, rows in state.tables.items()}
        for name, rows in tables.items():
            _check_rows(name, rows)
    except Misfit as error:
        raise ValueError(f"{error.field}: {error.message}") from error
    document = _ENCODER.encode({"format": STATE_FORMAT, "tables": tables})
    replace_file(path, gzip.compress(document, mtime=0))


def read_state(path: Path) -> SavedState:
    """Read a saved state.

    Raises:
        BadInput: the file cannot be read or breaks a rule of the format.
    """
    try:
        document = _DOCUMENT.decode(whole(path))
        if document.format != STATE_FORMAT:
            raise Misfit("format", f"{document.format!r} is not {STATE_FORMAT!r}")
        tables = {name: _rows(name, rows) for name, rows in document.tables.items()}
    except DECODE_ERRORS as error:
        found = misfit(error)
        raise BadInput(found.message, file=str(path), field=found.field) from error
    return SavedState(tables)


def is_state(path: Path) -> bool:
    """Tell whether a file says that it is a saved state; what else it is, or that it is none, is not judged.

    Raises:
        BadInput: the file cannot be read.
    """
    data = whole(path)
    try:
        return _MARKED.decode(data).format == STATE_FORMAT
    except DECODE_ERRORS:
        return False


def _rows(table: str, rows: Sequence[Sequence[object]]) -> list[tuple[Cell, ...]]:
    try:
        checked = [_row(row) for row in rows]
    except Misfit as error:
        raise error.inside(f"tables.{table}") from error
    _check_rows(table, checked)
    return checked


def _row(row: Sequence[object]) -> tuple[Cell, ...]:
    return tuple(_cell(value) for value in row)


def _cell(value: object) -> Cell:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise Misfit(None, f"{value} is wider than 64 bits")
        return int(value)
    if is_list(value):
        return tuple(_cell(item) for item in value)
    raise Misfit(None, f"a cell cannot be {type(value).__name__}")


def _check_rows(table: str, rows: Sequence[Row]) -> None:
    keys: set[Cell] = set()
    for index, row in enumerate(rows):
        where = f"tables.{table}[{index}]"
        if not row or len(row) != len(rows[0]):
            raise Misfit(where, f"{len(row)} cells, the first row has {len(rows[0])}")
        if row[0] in keys:
            raise Misfit(where, f"key {row[0]!r} is there twice")
        keys.add(row[0])
