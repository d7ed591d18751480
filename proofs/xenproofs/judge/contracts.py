"""Contracts at run time: a single step that was run was permitted, did what it means, and nothing else.

The recorder keeps a changed row's values before and after, so that the state before is the machine with the
old values laid over: the check costs what changed.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Final, NamedTuple

from xenmodel.machine import TABLES
from xenmodel.step import STEPS
from xenproofs.judge.actions import ACTIONS, ANY_NUMBER, ANY_SLOT, Describe
from xenproofs.judge.adapter import AnyAction, described, members, table_of
from xenproofs.judge.refinement import row_of
from xenproofs.judge.tracking import WrittenByXen
from xenspec.contract import EVERY, Cells, OfDomain, Those
from xenspec.table import domain_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping
    from types import SimpleNamespace

    from xenproofs.judge.adapter import AnyTable
    from xenproofs.judge.recording import Cell, Change, Recorder, Write
    from xenspec.table import PlainWords

FRAME_CONDITION: Final = "nothing_else_changes"
FRAME_SENTENCE: Final = "A step changes no cell but those that its actions touch."


class Breach(NamedTuple):
    """A clause of a contract that does not hold of a step that was run."""

    clause: str
    step: str
    sentence: str
    properties: tuple[int, ...]
    detail: tuple[str, ...] = ()


class Rows:
    """A table as it is or was: old values of the rows that changed, over the rows as they are."""

    __slots__ = ("_old", "_store")

    def __init__(self, store: AnyTable, old: Mapping[Hashable, SimpleNamespace]) -> None:
        self._store = store
        self._old = old

    def __getitem__(self, key: Hashable) -> object:
        if key in self._old:
            return self._old[key]
        row = self._store.get(key)
        return self._store.fresh(key) if row is None else row

    @staticmethod
    def each(first: int, end: int, holds: Callable[[int], bool]) -> bool:
        """Return whether something holds of each number first .. end-1."""
        return all(holds(number) for number in range(first, end))


class WordsThen:
    """Words as they are or were."""

    __slots__ = ("_old", "_words")

    def __init__(self, words: PlainWords, old: Mapping[Hashable, object]) -> None:
        self._words = words
        self._old = old

    def __getitem__(self, key: tuple[int, int]) -> object:
        return self._old[key] if key in self._old else self._words[key]

    def all_zero(self, frame: int, first: int, end: int) -> bool:
        """Return whether every word in slots first .. end-1 is zero."""
        return not any(self[frame, slot] for slot in range(first, end))


class Moment:
    """A machine before or after a step."""

    __slots__ = ("_old", "_recorder")

    def __init__(self, recorder: Recorder, changes: Mapping[str, Iterable[Change]]) -> None:
        self._recorder = recorder
        layouts = recorder.layouts.by_table
        self._old: dict[str, dict[Hashable, SimpleNamespace]] = {
            table: {key: row_of(layouts[table].fields, old) for key, _, old, _ in of_table}
            for table, of_table in changes.items()
        }

    def __getattr__(self, name: str) -> object:
        if name == "words":
            old = {key: row.word for key, row in self._old.get("words", {}).items()}
            return WordsThen(self._recorder.words, old)
        if name == "xens":
            machine = self._recorder.machine
            return WrittenByXen(machine.xen_slots, machine.pte)
        if name in self._recorder.journals:
            return Rows(self._recorder.journals[name].store, self._old.get(name, {}))
        machine = self._recorder.machine
        return Rows(table_of(machine, name), {}) if name in TABLES else getattr(machine, name)


def breaches(
    step: str,
    arguments: tuple[object, ...],
    named: Mapping[str, object],
    recorder: Recorder,
    changes: dict[str, list[Change]],
) -> list[Breach]:
    """Return the clauses that a step broke, which has just ended well; none without a contract."""
    describe = ACTIONS.get(step)
    if describe is None:
        return []
    before, after = Moment(recorder, changes), Moment(recorder, {})
    bound = inspect.signature(STEPS[step]).bind(*arguments, **named)
    bound.apply_defaults()
    given = dict(bound.arguments)
    given.pop(next(iter(given)))
    writes = [w for w in recorder.writes(changes) if w.cell.table in (*TABLES, "words")]
    found: dict[str, Breach] = {}
    for slot in _slots(describe, writes):
        actions = described(describe, before, given | slot)
        for breach in _of(step, actions, before, after, writes):
            found.setdefault(breach.clause, breach)
    return list(found.values())


def _slots(describe: Describe, writes: Iterable[Write]) -> list[dict[str, object]]:
    """Return what `any_slot` is to be in turn: every last part of a key that was written, and another.

    And what `any_number` is: every number of a virtual CPU that rows were of which were written, and another.
    """
    told = inspect.signature(describe).parameters
    if ANY_SLOT not in told:
        return [{}]
    keys = [key for w in writes if (key := members(w.cell.key))]
    slots = {0, *(key[-1] for key in keys)}
    if ANY_NUMBER not in told:
        return [{ANY_SLOT: slot} for slot in slots]
    numbers = {0, *(vcpu[-1] for key in keys if (vcpu := members(key[0])))}
    return [{ANY_SLOT: slot, ANY_NUMBER: number} for slot in slots for number in numbers]


def _of(
    step: str, actions: list[AnyAction], before: Moment, after: Moment, writes: list[Write]
) -> Iterable[Breach]:
    for action in actions:
        for asked in action.permissions:
            if not asked.function(before):
                yield Breach(asked.name, step, asked.sentence, asked.properties, ("was not permitted",))
        for done in action.effects:
            if not done.function(before, after):
                yield Breach(done.name, step, done.sentence, done.properties, ("did not do this",))
    touched = [cells for action in actions for cells in action.touched(before) if cells.when]
    for w in writes:
        if not any(_covers(cells, w.cell) for cells in touched):
            changed = f"{w.cell} from {w.before} to {w.after}"
            yield Breach(FRAME_CONDITION, step, FRAME_SENTENCE, (10,), (changed,))


def _covers(cells: Cells, cell: Cell) -> bool:
    """Return whether a cell is one of those that may change."""
    if cells.table != cell.table or cell.field not in cells.fields:
        return False
    parts, keys = members(cells.key), members(cell.key)
    if parts is None or keys is None or isinstance(cells.key, OfDomain):
        return _names(cells.key, cell.key)
    return all(_names(part, key) for part, key in zip(parts, keys, strict=True))


def _names(part: object, key: object) -> bool:
    """Return whether a part of a key names a key's."""
    if isinstance(part, OfDomain):
        return domain_of(key) == part.domain
    if isinstance(part, Those):
        return isinstance(key, int) and bool(part.holds(key))
    return part is EVERY or part == key
