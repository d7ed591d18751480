"""Where a replay begins: at a snapshot of the real Xen, or at a state that an earlier replay saved."""

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Final, TypeVar

from xenmodel.abi.memory_map import MemoryMap
from xenmodel.machine import TABLES, plain_machine
from xenproofs.judge.replay.engine import Replay
from xenproofs.judge.replay.loading import DOMAIN0, START_OF_DAY, Recount, load_snapshot, make_rows_of_io
from xenproofs.judge.replay.position import Position, at_snapshot
from xenproofs.judge.replay.saving import META, cell_of, columns_of, plain
from xenproofs.judge.replay.stores import GuestStores
from xenproofs.judge.replay.unseen import Unseen, in_the_middle
from xenproofs.judge.trace import Cell, Row, SavedState, Snapshot, is_state, read_snapshot, read_state
from xenspec.errors import BadInput
from xenspec.table import PlainTable, PlainWords

T = TypeVar("T")
NOT_ROWS: Final = ("meta", "ram", "words", "xen_slots", "known", "continued", "columns", "unseen")


def begin(path: Path) -> Replay:
    """Read a snapshot or a saved state, and return a replay that stands there.

    Raises:
        BadInput: the file cannot be read, or does not fit.
    """
    if is_state(path):
        state = read_state(path)
        try:
            return resumed(state)
        except _Misfit as error:
            raise BadInput(error.args[1], file=str(path), field=f"tables.{error.args[0]}") from error
    snapshot = read_snapshot(path)
    loaded = load_snapshot(snapshot)
    _check_recount(path, snapshot, loaded.recount)
    stores = GuestStores(loaded.machine, loaded.words, known=set(snapshot.tables))
    replay = Replay(loaded.machine, stores, memory=loaded.memory, position=at_snapshot(snapshot))
    if snapshot.snapshot != START_OF_DAY:
        vcpus = loaded.machine.domains[DOMAIN0].vcpus
        replay.unseen = in_the_middle(vcpus, loaded.recount.unattributed)
    if loaded.recount.unattributed:
        unexplained = "frame with references that the snapshot does not explain"
        replay.report.assumed[unexplained] = len(loaded.recount.unattributed)
    return replay


def _check_recount(path: Path, snapshot: Snapshot, recount: Recount) -> None:
    """Refuse a snapshot whose counts its own tables contradict; at the start all of them are explained.

    Raises:
        BadInput: a frame has fewer references than it has holders, or before any call more.
    """
    for mfn in recount.negative:
        message = f"frame {mfn:#x} is {snapshot.page_info[mfn]}, but more than that hold it"
        raise BadInput(message, file=str(path), field="page_info_runs")
    if snapshot.snapshot == START_OF_DAY:
        for mfn in recount.unattributed:
            message = f"frame {mfn:#x} is {snapshot.page_info[mfn]}, but fewer than that hold it"
            raise BadInput(message, file=str(path), field="page_info_runs")


class _Misfit(Exception):  # noqa: N818 - becomes a BadInput
    """A table of a saved state does not fit: its name, and why."""


def resumed(state: SavedState) -> Replay:
    """Return a replay as a saved state describes it."""
    tables = state.tables
    missing = {*NOT_ROWS, *TABLES} ^ set(tables)
    if missing:
        raise _Misfit(min(missing), "a state of this version has exactly the tables that it names")
    meta = {row[0]: row[1] for row in tables["meta"]}
    if tuple(meta) != META:
        raise _Misfit("meta", f"not the values {', '.join(META)}")
    ram = tuple((_number("ram", start), _number("ram", end)) for start, end in tables["ram"])
    memory = MemoryMap(ram, _number("meta", meta["frames"]))
    m = plain_machine(memory, cpu_count=_number("meta", meta["cpu_count"]))
    make_rows_of_io(m, memory)
    words = PlainWords()
    m.words = words
    for frame, cells in tables["words"]:
        words.pages[_number("words", frame)] = _page(cells)
    for slot, word in tables["xen_slots"]:
        m.xen_slots[_number("xen_slots", slot)] = _number("xen_slots", word)
    columns = {row[0]: row[1] for row in tables["columns"]}
    for name in TABLES:
        fill(plain(m, name), name, tables[name], columns.get(name))
    known = {_number("known", row[0]) for row in tables["known"]}
    replay = Replay(m, GuestStores(m, words, known=known), memory=memory, position=_position(meta))
    replay.last_vcpu = _number("meta", meta["last_vcpu"])
    replay.unseen = Unseen(bool(meta["middle"]), shown=_number("meta", meta["shown"]))
    _fill_unseen(replay.unseen, tables["unseen"])
    for vcpu, op, args in tables["continued"]:
        replay.continued[_number("continued", vcpu)] = str(op), str(args)
    return replay


def _fill_unseen(unseen: Unseen, rows: Sequence[Row]) -> None:
    sets = unseen.sets()
    for name, numbers in rows:
        if not isinstance(name, str) or name not in sets or not isinstance(numbers, tuple):
            raise _Misfit("unseen", f"a row is one of {', '.join(sets)}, and numbers")
        sets[name].update(_number("unseen", number) for number in numbers)


def fill(table: PlainTable[Cell, object], name: str, rows: Sequence[Row], columns: Cell) -> None:
    """Give a table the rows that were saved."""
    for _, cells, keys in rows:
        if not isinstance(cells, tuple) or not isinstance(keys, tuple) or not keys:
            raise _Misfit(name, "a row is its fields and the keys that have it")
        example = table.fresh(keys[0])
        names = columns_of(example)
        if columns != names or len(cells) != len(names):
            raise _Misfit(name, f"saved with the columns {columns}, this version has {names}")
        values = [value_of(name, getattr(example, n), cell) for n, cell in zip(names, cells, strict=True)]
        make: Callable[..., object] = type(example)
        for key in keys:
            table[key] = make(*values)


def value_of(table: str, example: object, cell: Cell) -> object:
    """Return a field from its cell; it is of the same kind as in a row that says nothing."""
    if type(cell_of(example)) is not type(cell):
        raise _Misfit(table, f"{cell!r} cannot stand where {example!r} does")
    if not isinstance(example, IntEnum) or not isinstance(cell, int):
        return cell
    try:
        return type(example)(cell)
    except ValueError as error:
        raise _Misfit(table, str(error)) from error


def _page(cells: Cell) -> dict[int, int]:
    if not isinstance(cells, tuple) or len(cells) % 2:
        raise _Misfit("words", "slots and words come in pairs")
    numbers = [_number("words", cell) for cell in cells]
    return dict(zip(numbers[::2], numbers[1::2], strict=True))


def _position(meta: Mapping[Cell, Cell]) -> Position:
    return Position(
        top=_number("meta", meta["top"]),
        machine=str(meta["machine"]),
        checkpoint=bool(meta["checkpoint"]),
        first_n=_number("meta", meta["first_n"]),
        line=_number("meta", meta["line"]),
        n=_number("meta", meta["n"]),
    )


def _number(table: str, cell: Cell) -> int:
    if not isinstance(cell, int) or isinstance(cell, bool):
        raise _Misfit(table, f"{cell!r} is no number")
    return cell
