"""The recording backing: a machine whose tables know which of their rows were touched, and what they held.

    recorder = Recorder.over(machine)     # takes the tables of a plain, perhaps loaded, machine over
    ... run steps on recorder.machine ...
    for change in recorder.drain(): ...   # what differs since the last drain

A `Journal` is a dictionary of the rows touched since the last drain, over the store that has them all:
reading a row again costs what it costs in a plain table, and only the first touch copies its fields. A row
that was written and written back is no change. A cell is (table, key, field); within a table a set of fields
is a number with one bit for each (`Layout`), because changes are many and must be cheap to hand on.
"""

from collections.abc import Callable, Collection, Hashable, ItemsView, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, fields
from itertools import compress
from operator import attrgetter, ne
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

from xenmodel.abi.memory_map import MemoryMap
from xenmodel.machine import TABLES, Machine, plain_machine
from xenmodel.memory.holders import Ghost
from xenproofs.judge.adapter import AnyJournal, AnyTable, any_journal, plain_words, table_of
from xenspec.table import PlainTable, PlainWords

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")

Values = tuple[object, ...]
"""The fields of a row, in their order."""
Wanted = Mapping[str, Collection[str]]
"""The names of fields, by table."""
ALL_FIELDS: Final = -1
"""The mask of a row that is new: every field."""


class Cell(NamedTuple):
    """One field of one row."""

    table: str
    key: Hashable
    field: str

    def __str__(self) -> str:
        return f"{self.table}[{self.key}].{self.field}"


class Write(NamedTuple):
    """A cell that changed."""

    cell: Cell
    before: object
    after: object


Change: TypeAlias = tuple[Hashable, int, Values, Values]
"""A row that changed: its key, which fields (a bit for each), and the recorded fields before and after."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of a table's rows, and the bit of each."""

    table: str
    fields: tuple[str, ...]
    first_bit: int
    bit_of: dict[str, int]
    """The bit of each field, by name."""
    whole: int
    """The bits of all fields."""

    def mask(self, names: frozenset[str]) -> int:
        """Return the bits of the fields among `names`."""
        return sum(bit for name, bit in self.bit_of.items() if name in names)

    def bits(self) -> tuple[int, ...]:
        """Return the bit of each field, in order."""
        return tuple(self.bit_of.values())

    def names(self, mask: int) -> list[str]:
        """Return the fields of a mask."""
        return [name for name, bit in zip(self.fields, self.bits(), strict=True) if mask & bit]


class Layouts:
    """The layouts of all tables; a table's bits follow those of the tables before it."""

    __slots__ = ("_next", "by_table")

    def __init__(self) -> None:
        self.by_table: dict[str, Layout] = {}
        self._next = 0

    def add(self, table: str, names: tuple[str, ...]) -> Layout:
        """Give a table's fields the next bits."""
        bits = {name: 1 << (self._next + i) for i, name in enumerate(names)}
        layout = self.by_table[table] = Layout(table, names, self._next, bits, sum(bits.values()))
        self._next += len(names)
        return layout


def reader(names: tuple[str, ...]) -> Callable[[object], Values]:
    """Return a function that copies the named fields of a row."""
    if len(names) == 1:
        name = names[0]
        return lambda row: (getattr(row, name),)
    return attrgetter(*names)


class Journal(PlainTable[K, R], Generic[K, R]):
    """The rows of `store` that were touched since the last drain."""

    __slots__ = ("_bits", "_read", "created", "known", "layout", "store")

    def __init__(self, store: PlainTable[K, R], layout: Layout) -> None:
        super().__init__(store.name, store.fresh)
        self.store = store
        self.layout = layout
        self.known: dict[K, Values] = {}
        """What each row that was ever touched held at the last drain: it is read once, not at every touch."""
        self.created: set[K] = set()
        self._read = reader(layout.fields)
        self._bits = layout.bits()

    def __missing__(self, key: K) -> R:
        row = self.store.get(key)
        if row is None:
            row = self.store[key]
            self.created.add(key)
        if key not in self.known:
            self.known[key] = self._read(row)
        self[key] = row
        return row

    def rows(self) -> ItemsView[K, R]:
        """Return the rows that exist so far, touched or not, by key."""
        return self.store.items()

    def changes(self) -> list[Change]:
        """Return the rows that differ from what they were at the last drain, and new ones; begin anew."""
        found: list[Change] = []
        read, known, created = self._read, self.known, self.created
        for key, row in self.items():
            old, new = known[key], read(row)
            if key in created:
                known[key] = new
                found.append((key, ALL_FIELDS, old, new))
            elif new != old:
                known[key] = new
                found.append((key, sum(compress(self._bits, map(ne, old, new))), old, new))
        self.clear()
        if created:
            created.clear()
        return found


class JournalPages(dict[int, dict[int, int]]):
    """Words by frame; a page that is put in place of another is noted word by word."""

    __slots__ = ("before",)

    def __init__(self, pages: dict[int, dict[int, int]], before: dict[tuple[int, int], int]) -> None:
        super().__init__(pages)
        self.before = before

    def __setitem__(self, frame: int, page: dict[int, int]) -> None:
        self._note(frame, page)
        super().__setitem__(frame, page)

    def begin(self, frame: int) -> dict[int, int]:
        """Give a frame that has no words a page for them."""
        page: dict[int, int] = {}
        super().__setitem__(frame, page)
        return page

    def discard(self, frame: int) -> None:
        """Forget a frame's words."""
        self._note(frame, {})
        super().pop(frame, None)

    def _note(self, frame: int, page: dict[int, int]) -> None:
        old = self.get(frame, {})
        before = self.before
        for slot in old.keys() | page.keys():
            if (frame, slot) not in before:
                before[frame, slot] = old.get(slot, 0)


class JournalWords(PlainWords):
    """Words that remember what was in place of each one written since the last drain."""

    __slots__ = ("_emptied", "_pages", "before", "layout")

    def __init__(self, words: PlainWords, layout: Layout) -> None:
        super().__init__(words.slots, (words.xen_first, words.xen_end), words.self_map)
        self.before: dict[tuple[int, int], int] = {}
        self._emptied: set[tuple[int, int]] = set()
        self.layout = layout
        self.pages = self._pages = JournalPages(words.pages, self.before)

    def __setitem__(self, key: tuple[int, int], word: int) -> None:
        page = self.pages.get(key[0])
        if page is None:
            page = self._pages.begin(key[0])
        if key not in self.before:
            self.before[key] = page.get(key[1], 0)
        if word:
            page[key[1]] = word
        else:
            page.pop(key[1], None)

    def clear(self, frame: int) -> None:
        """Make every word of the frame zero."""
        self._pages.discard(frame)

    def keys(self) -> Iterator[tuple[int, int]]:
        """Return the places of all words that are not zero, or were not when they were recorded."""
        yield from ((frame, slot) for frame, page in self.pages.items() for slot in page)
        yield from (key for key in self._emptied if not self[key])

    def changes(self) -> list[Change]:
        """Return the words that differ from what they were at the last drain; begin anew."""
        mask = 1 << self.layout.first_bit
        found: list[Change] = [
            (key, mask, (old,), (new,)) for key, old in self.before.items() if (new := self[key]) != old
        ]
        self._emptied.update(key for key in self.before if not self[key])
        self.before.clear()
        return found


@dataclass(slots=True)
class Recorder:
    """A machine over journals, and the journals by table name."""

    machine: Machine
    layouts: Layouts
    journals: dict[str, AnyJournal]
    words: JournalWords

    @classmethod
    def over(cls, m: Machine, ghost: Ghost | None = None, wanted: Wanted | None = None) -> "Recorder":
        """Take over the tables of a plain machine, which must not be used from now on but through this.

        Recorded are all tables and fields, or only the fields `wanted` of each table.
        """
        layouts, journals, machine = Layouts(), dict[str, AnyJournal](), copy(m)
        words = JournalWords(plain_words(m.words), layouts.add("words", ("word",)))
        machine.words = words
        machine.ghost = m.ghost if ghost is None else ghost
        for table in TABLES:
            store = table_of(m, table)
            names = field_names(row_class(store))
            if wanted is not None:
                names = tuple(name for name in names if name in wanted.get(table, ()))
            if names:
                journals[table] = Journal(store, layouts.add(table, names))
                setattr(machine, table, journals[table])
        return cls(machine, layouts, journals, words)

    def watch(self, table: PlainTable[K, R], row: type[R]) -> Journal[K, R]:
        """Record a table that is not the machine's: ghost state."""
        journal = Journal(table, self.layouts.add(table.name, field_names(row)))
        self.journals[table.name] = any_journal(journal)
        return journal

    def drain(self) -> dict[str, list[Change]]:
        """Return the rows and words that changed since the last drain, by table; begin anew."""
        found = {
            name: changes
            for name, journal in self.journals.items()
            if journal and (changes := journal.changes())
        }
        if self.words.before and (changes := self.words.changes()):
            found["words"] = changes
        return found

    def writes(self, changes: dict[str, list[Change]]) -> list[Write]:
        """Return the cells of changes, with what they held before and hold now."""
        return [
            Write(Cell(table, key, name), before, after)
            for table, of_table in changes.items()
            for key, _, old, new in of_table
            for name, before, after in zip(self.layouts.by_table[table].fields, old, new, strict=True)
            if before != after
        ]


def row_class(store: AnyTable) -> type:
    """Return the class of a table's rows; some can only be made for a key of their table's kind."""
    for key in (0, (0, 0)):
        try:
            return type(store.fresh(key))
        except TypeError:
            continue
    raise TypeError(f"table {store.name} makes no row for a number or a pair")


def field_names(row: type) -> tuple[str, ...]:
    """Return the fields of a row class, in order."""
    return tuple(f.name for f in fields(row))


def recording_machine(memory: MemoryMap, *, cpu_count: int = 1, ghost: Ghost | None = None) -> Recorder:
    """Return the recorder of an empty machine with the given address map."""
    return Recorder.over(plain_machine(memory, cpu_count=cpu_count), ghost)
