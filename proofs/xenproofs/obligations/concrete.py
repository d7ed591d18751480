"""From a solver's state to the executable: the rows are loaded, and the step really runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, get_type_hints

from xenmodel.abi.geometry import Pae
from xenmodel.abi.memory_map import MemoryMap
from xenmodel.machine import plain_machine
from xenmodel.step import Refused
from xenproofs.obligations.subjects import OF_PAE
from xenproofs.symbolic.state import SCHEMA

if TYPE_CHECKING:
    from xenmodel.machine import Machine
    from xenproofs.obligations.refuter import Counterexample
    from xenproofs.obligations.subjects import Parameter, Subject

CELL: Final = re.compile(r"(\w+)\.(\w+)\((.*)\)$")
NAMED: Final = re.compile(r"(frame|vcpu|flight)_(\d+)$")
PAIR: Final = re.compile(r"\(?vcpu_of[ (](-?\d+),? (-?\d+)\)")
"""A virtual CPU as a pair of numbers, as SMT-LIB writes it, or Z3."""
Value = int | bool | tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a step did from a loaded state: how it ended, and the actors that matter."""

    outcome: str
    changed: tuple[str, ...]
    """Cells that it changed, with the values before and after."""
    actors: tuple[str, ...]
    """Rows that are not as at the beginning of time."""


class Loader:
    """Reads a counterexample's values."""

    def __init__(self, found: Counterexample) -> None:
        self.cells = found.cells

    def value(self, text: str) -> Value:
        """Return the Python value of a solver's value."""
        if text in ("true", "false", "True", "False"):
            return text.lower() == "true"
        if text == "no_frame":
            return -1
        pair = PAIR.match(text)
        if pair:
            return int(pair.group(1)), int(pair.group(2))
        named = NAMED.match(text)
        if named:
            return self._key(named.group(1), int(named.group(2)))
        if text.startswith("#x"):
            return int(text, 0)
        return int(text.replace("(- ", "-").replace("(-", "-").strip("() "))

    def _key(self, kind: str, number: int) -> Value:
        if kind == "frame":
            return number
        if kind == "vcpu":
            return (self.value(self.cells.get(f"vcpus.domain(vcpu_{number})", "0")), number)
        owner = self.cells.get(f"flight_vcpu(flight_{number})", "vcpu_0")
        return (self.value(owner), number)

    def key(self, text: str) -> Value:
        """Return a table's key."""
        parts = [self.value(part) for part in text.split(", ")]
        return parts[0] if len(parts) == 1 else tuple(parts)


def load(found: Counterexample) -> Machine:
    """Return a machine in the state that was found."""
    loader = Loader(found)
    count = _number(loader.value(found.cells["cpu_count"]))
    pte = Pae() if found.step in OF_PAE else None
    machine = plain_machine(MemoryMap(((0, 1 << 16),), 1 << 16), cpu_count=count, pte=pte)
    for cell, text in found.cells.items():
        parsed = CELL.match(cell)
        if parsed is None or parsed.group(1) not in (*SCHEMA, "words"):
            continue
        table, field, keys = parsed.groups()
        if table == "words":
            machine.words[_pair(loader.key(keys))] = _number(loader.value(text))
            continue
        hint = get_type_hints(SCHEMA[table][0])[field]
        value = loader.value(text)
        row = _rows(machine, table)[loader.key(keys)]
        setattr(row, field, hint(value) if isinstance(hint, type) and isinstance(value, int) else value)
    return machine


def _rows(machine: Machine, table: str) -> dict[object, object]:
    rows: object = getattr(machine, table)
    if not isinstance(rows, dict):
        raise TypeError(table)
    return rows  # pyright: ignore[reportUnknownVariableType]


def _pair(key: Value) -> tuple[int, int]:
    if not isinstance(key, tuple):
        raise TypeError(key)
    first, second = key
    return _number(first), _number(second)


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(value)
    return value


def _picture(machine: Machine) -> dict[str, str]:
    """Return every field of every row as text."""
    found = {
        f"{table}[{key!r}].{name}": _shown(getattr(row, name))
        for table, (kind, _) in SCHEMA.items()
        for key, row in _rows(machine, table).items()
        for name in get_type_hints(kind)
    }
    words: object = machine.words
    pages: dict[int, dict[int, int]] = getattr(words, "pages", {})
    return found | {f"words[{f}, {s}]": f"{w:#x}" for f, page in pages.items() for s, w in page.items()}


def _shown(value: object) -> str:
    return value.name if isinstance(value, Enum) else repr(value)


def _argument(loader: Loader, parameter: Parameter) -> object:
    values = [loader.value(loader.cells[str(constant)]) for constant in parameter.constants]
    return tuple(values) if len(values) > 1 else values[0]


def run_counterexample(subject: Subject, found: Counterexample) -> Ran:
    """Load the state, run the step with the arguments, and return what it did."""
    machine = load(found)
    loader = Loader(found)
    before = _picture(machine)
    positional = [_argument(loader, p) for p in subject.parameters if p.name not in subject.keywords]
    keyword = {p.name: _argument(loader, p) for p in subject.parameters if p.name in subject.keywords}
    try:
        subject.function(machine, *positional, **keyword)
        outcome = "done"
    except Refused as refusal:
        outcome = f"refused: {refusal.guard}"
    after = _picture(machine)
    changed = tuple(
        f"{cell}: {before.get(cell, 'nothing')} becomes {after[cell]}"
        for cell in after
        if before.get(cell) != after[cell]
    )
    return Ran(outcome, changed, _actors(loader, subject))


def _actors(loader: Loader, subject: Subject) -> tuple[str, ...]:
    """Return the arguments by name and value."""
    return tuple(
        f"{p.name} = {', '.join(loader.cells[str(c)] for c in p.constants)}" for p in subject.parameters
    )
