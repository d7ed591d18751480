"""Saved states: every table of rows, the words, and how far the recordings have been played.

A row is saved as its key and its fields, in the order of its class; a row that says nothing (equal to what
an absent key gives) is left out. The names of the columns are saved with each table, so that a state of
another version is refused and not misread. Law: a replay that is saved and resumed anywhere finds what an
uninterrupted one finds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Final, TypeGuard

from xenmodel.machine import TABLES, Machine
from xenproofs.judge.replay.engine import Replay
from xenproofs.judge.trace import Cell, Row, SavedState, write_state
from xenproofs.judge.trace.words import is_list
from xenspec.errors import BadInput
from xenspec.table import PlainTable

META: Final = ("cpu_count", "frames", "top", "machine", "checkpoint", "first_n", "line", "n", "last_vcpu")
"""Single values: the machine's size, and the replay's position."""


def save(replay: Replay, path: Path) -> None:
    """Save a replay between two lines, whole or not at all.

    Raises:
        BadInput: the file cannot be written.
    """
    try:
        write_state(path, state_of(replay))
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror or error}", file=str(path)) from error


def state_of(replay: Replay) -> SavedState:
    """Return everything that a later replay needs to go on."""
    m = replay.machine
    meta = _meta(replay)
    tables: dict[str, Sequence[Row]] = {
        "meta": [(name, meta[name]) for name in META],
        "ram": list(replay.memory.ram),
        "words": [(f, _flat(page)) for f, page in sorted(replay.stores.words.pages.items()) if page],
        "xen_slots": sorted(m.xen_slots.items()),
        "known": [(mfn,) for mfn in sorted(replay.stores.known)],
        "continued": [(vcpu, op, args) for vcpu, (op, args) in sorted(replay.continued.items())],
    }
    columns: list[Row] = []
    for name in TABLES:
        rows = list(_saved_rows(plain(m, name)))
        if rows:
            columns.append((name, rows[0][0]))
        tables[name] = [(key, *cells) for _, key, cells in rows]
    tables["columns"] = columns
    return SavedState(tables)


def _meta(replay: Replay) -> dict[str, Cell]:
    p = replay.position
    return {
        "cpu_count": replay.machine.cpu_count,
        "frames": replay.memory.frames,
        "top": p.top,
        "machine": p.machine,
        "checkpoint": p.checkpoint,
        "first_n": p.first_n,
        "line": p.line,
        "n": p.n,
        "last_vcpu": replay.last_vcpu,
    }


def _flat(page: dict[int, int]) -> tuple[int, ...]:
    """Return slots and words in turn."""
    return tuple(part for pair in sorted(page.items()) for part in pair)


def plain(m: Machine, name: str) -> PlainTable[Cell, object]:
    """Return a table of a machine by its name.

    Raises:
        TypeError: the machine's rows are not plain ones.
    """
    table: object = getattr(m, name)
    if not _is_plain(table):
        raise TypeError(f"{name}: only a machine of plain rows can be saved")
    return table


def _is_plain(table: object) -> TypeGuard[PlainTable[Cell, object]]:
    return isinstance(table, PlainTable)


def _saved_rows(table: PlainTable[Cell, object]) -> Iterator[tuple[tuple[str, ...], Cell, list[Cell]]]:
    """Yield (columns, key, cells) of the rows that say something."""
    for key, row in table.rows():
        if row != table.fresh(key):
            names = columns_of(row)
            yield names, key, [cell_of(getattr(row, name)) for name in names]


def columns_of(row: object) -> tuple[str, ...]:
    """Return the names of a row's fields."""
    if not is_dataclass(row):
        raise TypeError(row)
    return tuple(column.name for column in fields(row))


def cell_of(value: object) -> Cell:
    """Return a field as it is saved: enumerations as their numbers, keys of several parts as lists."""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if is_list(value):
        return tuple(cell_of(part) for part in value)
    raise TypeError(value)
