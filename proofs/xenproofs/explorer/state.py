"""States of a small world: saved and restored row by row, compared in a canonical form.

The canonical form leaves out default rows, and the times and epochs of flushes: only cached translations
depend on them, and these worlds have none. Frames are renamed so that of all exchanges of interchangeable
ones the least remains.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Generic, TypeVar

from xenmodel.abi import pte
from xenmodel.machine import Machine
from xenmodel.memory.rows import Entry, Flight, Frame
from xenproofs.judge.tracking import store_of
from xenspec.table import PlainWords, Table

K = TypeVar("K")
R = TypeVar("R")
Numbers = tuple[int, ...]
Renaming = dict[int, int]
TIMES = frozenset({"stamp", "flushed_at", "clock", "epoch"})
"""Fields that are times of the flush clock, or an epoch."""

VCPU = ("domain", "cpu", "base", "user_base", "old_table", "old_partial")


def _names(row: type) -> tuple[str, ...]:
    return tuple(one.name for one in fields(row))


PARTIAL_ENTRY = _names(Frame).index("partial_entry")


@dataclass
class Kept(Generic[K, R]):
    """One table: how its keys and its fields with frames are renamed."""

    table: Table[K, R]
    names: tuple[str, ...]
    key: Callable[[K, Renaming], Numbers]
    frames: frozenset[str] = frozenset()
    _defaults: dict[K, Numbers] = field(default_factory=dict[K, Numbers])

    def __post_init__(self) -> None:
        self._values: Callable[[R], Numbers] = attrgetter(*self.names)

    def read(self) -> dict[K, Numbers]:
        """Return every row that is not a default one."""
        store = store_of(self.table)
        values = self._values
        rows = ((key, values(row)) for key, row in store.items())
        return {key: found for key, found in rows if found != self._default(key)}

    def _default(self, key: K) -> Numbers:
        """Return the values of a row that was never written."""
        found = self._defaults.get(key)
        if found is None:
            found = self._defaults[key] = self._values(store_of(self.table).fresh(key))
        return found

    def write(self, rows: dict[K, Numbers]) -> None:
        """Make the table hold these rows and default ones."""
        store = store_of(self.table)
        for key in [*store, *(key for key in rows if key not in store)]:
            wanted = rows.get(key) or self._default(key)
            if wanted != self._values(store[key]):
                self._set(key, wanted)

    def _set(self, key: K, values: Numbers) -> None:
        row = self.table[key]
        for name, value in zip(self.names, values, strict=True):
            setattr(row, name, value)

    def plain(self, rows: dict[K, Numbers], renaming: Renaming) -> tuple[Numbers, ...]:
        """Return rows as numbers: renamed, sorted, without times."""
        return tuple(
            sorted((*self.key(key, renaming), *self._plain(values, renaming)) for key, values in rows.items())
        )

    def _plain(self, values: Numbers, renaming: Renaming) -> Iterator[int]:
        for name, value in zip(self.names, values, strict=True):
            if name in self.frames:
                yield renaming.get(value, value)
            elif name not in TIMES:
                yield value


@dataclass(frozen=True, slots=True)
class Saved:
    """The rows of a state that are not default ones."""

    frames: dict[int, Numbers]
    entries: dict[tuple[int, int], Numbers]
    flights: dict[tuple[tuple[int, int], int], Numbers]
    vcpus: dict[tuple[int, int], Numbers]
    cpus: dict[int, Numbers]
    world: dict[int, Numbers]
    words: dict[tuple[int, int], int]


class Keeper:
    """Saves, restores and compares the states of one machine."""

    __slots__ = ("_cpus", "_entries", "_flights", "_frames", "_machine", "_vcpus", "_world")

    def __init__(self, m: Machine) -> None:
        self._machine = m
        self._frames = Kept(m.frames, _names(Frame), lambda f, new: (new.get(f, f),))
        self._entries = Kept(
            m.entries, _names(Entry), lambda e, new: (new.get(e[0], e[0]), e[1]), frozenset({"target"})
        )
        self._flights = Kept(m.flights, _names(Flight), lambda k, _: (*k[0], k[1]), frozenset({"frame"}))
        bases = frozenset({"base", "user_base", "old_table"})
        self._vcpus = Kept(m.vcpus, VCPU, lambda v, _: v, bases)
        self._cpus = Kept(m.cpus, ("epoch", "flushed_at"), lambda c, _: (c,))
        self._world = Kept(m.world, ("clock", "clock"), lambda w, _: (w,))

    def save(self) -> Saved:
        """Return the state as it is."""
        words = self._machine.words
        if not isinstance(words, PlainWords):
            raise TypeError(words)
        return Saved(
            self._frames.read(),
            self._entries.read(),
            self._flights.read(),
            self._vcpus.read(),
            self._cpus.read(),
            self._world.read(),
            {(f, slot): word for f, page in words.pages.items() for slot, word in page.items()},
        )

    def restore(self, saved: Saved) -> None:
        """Make the state what it was."""
        self._frames.write(saved.frames)
        self._entries.write(saved.entries)
        self._flights.write(saved.flights)
        self._vcpus.write(saved.vcpus)
        self._cpus.write(saved.cpus)
        self._world.write(saved.world)
        now = self.save().words
        for place in now.keys() | saved.words.keys():
            if now.get(place, 0) != saved.words.get(place, 0):
                self._machine.words[place] = saved.words.get(place, 0)

    def canonical(self, saved: Saved, renamings: list[Renaming]) -> tuple[object, ...]:
        """Return the least form of a state under the renamings."""
        return min(self._plain(saved, renaming) for renaming in renamings)

    def _in_use(self, saved: Saved) -> dict[tuple[int, int], Numbers]:
        """Leave out what is left in the rows of entries that are linked no more, which nothing reads.

        The slot at which the work on a table has stopped may keep a child there.
        """
        waiting = {f for f, values in saved.frames.items() if values[PARTIAL_ENTRY]}
        return {e: values for e, values in saved.entries.items() if values[0] or e[0] in waiting}

    def _plain(self, saved: Saved, new: Renaming) -> tuple[tuple[Numbers, ...], ...]:
        words = ((new.get(f, f), slot, _renamed(word, new)) for (f, slot), word in saved.words.items())
        return (
            self._frames.plain(saved.frames, new),
            self._entries.plain(self._in_use(saved), new),
            self._flights.plain(_busy(saved.flights), new),
            self._vcpus.plain(saved.vcpus, new),
            tuple(sorted(words)),
        )


def _busy(flights: dict[tuple[tuple[int, int], int], Numbers]) -> dict[tuple[tuple[int, int], int], Numbers]:
    """Leave out what is left in the rows of idle flights."""
    return {k: values for k, values in flights.items() if values[0]}


def _renamed(word: int, new: Renaming) -> int:
    f = pte.target(word)
    return word if f not in new else word & ~pte.entry(f, 0) | pte.entry(new[f], 0)
