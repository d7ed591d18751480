"""By whose call an entry to another domain's frame was linked: ghost state that no step reads.

Only such entries have a row here; what maps its own domain's frames needs nobody's authority.
"""

from collections.abc import Iterable

from xenmodel.memory.rows import Entry, Frame
from xenproofs.judge.adapter import keys_of
from xenproofs.judge.recording import Change, Journal, Recorder
from xenproofs.judge.tracking import Author, store_of
from xenspec.table import PlainTable
from xenspec.vocabulary import DomId

Key = tuple[int, int]


class Authors:
    """The authors of a machine's entries."""

    __slots__ = ("_entries", "_frames", "table")

    def __init__(self, recorder: Recorder) -> None:
        authors = PlainTable[Key, Author]("authors", lambda _: Author())
        self.table: Journal[Key, Author] = recorder.watch(authors, Author)
        self._entries: PlainTable[Key, Entry] = store_of(recorder.machine.entries)
        self._frames: PlainTable[int, Frame] = store_of(recorder.machine.frames)

    def _owner(self, f: int) -> DomId:
        """Return a frame's owner, and make no row for it."""
        frame = self._frames.get(f)
        return (self._frames.fresh(f) if frame is None else frame).owner

    def _is_foreign(self, e: Key, row: Entry) -> bool:
        return row.linked and row.backed and self._owner(row.target) != self._owner(e[0])

    def begin(self) -> None:
        """Take the entries that are there as linked by their tables' owners."""
        for e, row in self._entries.items():
            if self._is_foreign(e, row):
                self.table[e].domain = self._owner(e[0])

    def note(self, changes: Iterable[Change], actor: DomId | None) -> list[Change]:
        """Take what changed as linked by `actor`, or by the tables' owners; return the changes of authors."""
        known = self.table.store
        for e in keys_of(changes, self._entries):
            row = self._entries[e]
            if row.linked and (e in known or self._is_foreign(e, row)):
                self.table[e].domain = self._owner(e[0]) if actor is None else actor
        return self.table.changes()
