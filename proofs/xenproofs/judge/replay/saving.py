"""Saved states: every table of rows, the words, and how far the recordings have been played.

Most rows of a table are alike, so each different row is saved once, as a number, its fields in the order of
its class, and the keys that have it. A row that says nothing (equal to what an absent key gives) is left
out. The names of the fields are saved with each table, so that a state of another version is refused and
not misread. Law: a replay that is saved and resumed anywhere finds what an uninterrupted one finds.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields, is_dataclass
from operator import attrgetter
from pathlib import Path
from typing import Final, TypeGuard

from xenmodel.machine import TABLES, Machine
from xenproofs.judge.replay.engine import Replay
from xenproofs.judge.trace import Cell, Row, SavedState, write_state
from xenproofs.judge.trace.words import is_list
from xenspec.errors import BadInput
from xenspec.table import PlainTable

META: Final = (
    "cpu_count",
    "frames",
    "top",
    "machine",
    "checkpoint",
    "first_n",
    "line",
    "n",
    "last_vcpu",
    "middle",
    "shown",
)
"""Single values: the machine's size, and the replay's position."""


def save(replay: Replay, path: Path) -> None:
    """Save a replay between two lines, whole or not at all.

    Raises:
        BadInput: the file cannot be written, or the machine stands in the middle of a call.
    """
    if replay.broken:
        raise BadInput("there is no state to save: the model gave up in the middle of a call", file=str(path))
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
        "unseen": [(name, tuple(sorted(numbers))) for name, numbers in replay.unseen.sets().items()],
    }
    columns: list[Row] = []
    for name in TABLES:
        alike = rows_alike(plain(m, name))
        columns.append((name, alike.columns))
        tables[name] = [
            (number, tuple(cell_of(value) for value in values), tuple(cell_of(key) for key in keys))
            for number, (values, keys) in enumerate(alike.keys.items())
        ]
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
        "middle": replay.unseen.middle,
        "shown": replay.unseen.shown,
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


@dataclass(frozen=True, slots=True)
class Alike:
    """The rows of a table that say something, by what they say."""

    columns: tuple[str, ...]
    keys: dict[tuple[object, ...], list[object]]


def rows_alike(table: PlainTable[Cell, object], leave_out: Collection[str] = ()) -> Alike:
    """Return the rows of a table that an absent key would not give, by their fields but for some."""
    found: dict[tuple[object, ...], list[object]] = {}
    columns: tuple[str, ...] = ()
    read: Callable[[object], tuple[object, ...]] | None = None
    for key, row in table.rows():
        if read is None:
            columns = tuple(name for name in columns_of(row) if name not in leave_out)
            read = _reader(columns)
        values = read(row)
        if values != read(table.fresh(key)):
            found.setdefault(values, []).append(key)
    return Alike(columns, found)


def _reader(columns: tuple[str, ...]) -> Callable[[object], tuple[object, ...]]:
    """Return a function that gives these fields of a row."""
    if len(columns) > 1:
        return attrgetter(*columns)
    return lambda row: tuple([getattr(row, name) for name in columns])


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
