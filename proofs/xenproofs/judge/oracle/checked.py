"""The start of a case under the monitor: every invariant is held against every call of it.

One monitor watches all cases of an asker, since beginning to watch costs more than a case: between two cases
every row and word that the first one changed is put back, which the monitor sees as one more change.
"""

from collections.abc import Hashable
from typing import Final

from xenmodel.machine import TABLES
from xenproofs.judge.adapter import AnyJournal, keys_of
from xenproofs.judge.monitor import Monitor, Violation
from xenproofs.judge.oracle.start import Asker, Bench, Emptied, Start


class CheckedBench:
    """Makes starts whose machine is watched by a monitor."""

    def __init__(self, by: Asker) -> None:
        self._bench: Final = Bench(by)
        self._bench.restart()
        self._bench.make_rows()
        begun = self._bench.start
        self._monitor: Final = Monitor.over(begun.machine)
        self.start: Final = Start(self._monitor.machine, begun.asker, begun.domain, begun.first_va)
        self.broken: Final = tuple(self._monitor.start())
        """Invariants that the start itself breaks."""
        recorded = self._monitor.recorder.journals
        unrecorded = [getattr(begun.machine, name) for name in TABLES if name not in recorded]
        self._unrecorded: Final = [table for table in unrecorded if isinstance(table, Emptied)]
        """Tables that no invariant here speaks of: emptied between two cases, as they are at the start."""
        self._changed: Final[dict[str, set[Hashable]]] = {}
        self._written: Final[set[tuple[int, int]]] = set()

    def restart(self) -> Start:
        """Put back what the case before has changed, and return the machine as it was."""
        for name, keys in self._changed.items():
            _put_back(self._monitor.recorder.journals[name], keys)
        for table in self._unrecorded:
            table.clear()
        words = self.start.machine.words
        for at in self._written:
            words[at] = self._bench.first_word(at)
        self._changed.clear()
        self._written.clear()
        self._monitor.after(self._monitor.recorder.drain())
        return self.start

    def after_call(self) -> list[Violation]:
        """Evaluate what a call of the asker has changed."""
        self._monitor.actor = self.start.domain
        changes = self._monitor.recorder.drain()
        self._written.update(keys_of(changes.get("words", ()), self._monitor.recorder.words.before))
        for name, of_table in changes.items():
            if name != "words":
                self._changed.setdefault(name, set()).update(key for key, *_ in of_table)
        return self._monitor.after(changes)


def _put_back(journal: AnyJournal, keys: set[Hashable]) -> None:
    """Give rows the fields with which they begin."""
    for key in keys:
        row, first = journal[key], journal.store.fresh(key)
        for name in journal.layout.fields:
            setattr(row, name, getattr(first, name))
