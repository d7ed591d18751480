"""States of a small world: saved and restored row by row, compared in a canonical form.

The canonical form leaves out default rows. Times and epochs of flushes matter to cached translations alone:
of a translation counts whether its CPU still has it, of a frame's stamp whether each CPU was flushed since;
where a world caches nothing both are left out. A flush makes every CPU's flush later than all stamps, a new
stamp is later than all flushes, so that what is kept determines what becomes of it. When tables ceased to be
ones is restored with a state, since invariants read it, and left out of its form: where no CPU walks by
prefixes no step reads it. Names are changed so that of all exchanges of what is interchangeable the least
form remains.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Generic, TypeVar

from xenmodel.hardware.rows import TlbEntry
from xenmodel.hardware.tlb import is_cached
from xenmodel.machine import Machine
from xenmodel.memory.rows import Demotion, Entry, Flight, Frame
from xenproofs.explorer.renaming import NOTHING, Renaming
from xenproofs.judge.adapter import plain_words
from xenproofs.judge.tracking import store_of
from xenspec.table import Table

K = TypeVar("K")
R = TypeVar("R")
Numbers = tuple[int, ...]
TIMES = frozenset({"stamp", "flushed_at", "clock", "epoch", "loads"})
"""Fields that are times of the flush clock, or number flushes."""

VCPU = ("base", "user_base", "old_table", "old_partial", "gdt_entries")
"""What of a vCPU changes in these worlds; where it runs does not."""


def names_of(row: type) -> tuple[str, ...]:
    """Return the fields of a row's class."""
    return tuple(one.name for one in fields(row))


PARTIAL_ENTRY = names_of(Frame).index("partial_entry")


@dataclass
class Kept(Generic[K, R]):
    """One table: how its keys and its fields with frames are renamed."""

    table: Table[K, R]
    names: tuple[str, ...]
    key: Callable[[K, Renaming], Numbers]
    frames: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
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
                yield renaming.frame(value)
            elif name in self.domains:
                yield renaming.domain(value)
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
    tlb: dict[tuple[int, int], Numbers]
    demotions: dict[int, Numbers]
    words: dict[tuple[int, int], int]
    charged: dict[int, Numbers]
    """How many frames each domain is charged for."""
    gdt: dict[tuple[tuple[int, int], int], Numbers]


class Keeper:
    """Saves, restores and compares the states of one machine."""

    __slots__ = (
        "_charged",
        "_cpus",
        "_demotions",
        "_entries",
        "_flights",
        "_frames",
        "_gdt",
        "_machine",
        "_stamped",
        "_tlb",
        "_vcpus",
        "_world",
    )

    def __init__(self, m: Machine, stamped: tuple[int, ...] = ()) -> None:
        """Keep a machine; `stamped`: the frames whose stamps matter, all of them if anything is cached."""
        self._machine = m
        self._stamped = stamped
        self._frames = Kept(
            m.frames, names_of(Frame), lambda f, new: (new.frame(f),), domains=frozenset({"owner"})
        )
        self._entries = Kept(
            m.entries, names_of(Entry), lambda e, new: (new.frame(e[0]), e[1]), frozenset({"target"})
        )
        self._flights = Kept(
            m.flights,
            names_of(Flight),
            lambda k, new: (new.domain(k[0][0]), k[0][1], k[1]),
            frozenset({"frame"}),
        )
        self._vcpus = Kept(
            m.vcpus,
            VCPU,
            lambda v, new: (new.domain(v[0]), v[1]),
            frozenset({"base", "user_base", "old_table"}),
        )
        self._tlb = Kept(
            m.tlb,
            names_of(TlbEntry),
            lambda x, new: (new.cpu(x[0]), x[1]),
            frozenset({"frame"}),
            frozenset({"domain"}),
        )
        self._cpus = Kept(m.cpus, ("epoch", "loads", "drops", "flushed_at"), lambda c, new: (new.cpu(c),))
        self._demotions = Kept(m.demotions, names_of(Demotion), lambda f, new: (new.frame(f),))
        self._charged = Kept(m.domains, ("pages",) * 2, lambda d, new: (new.domain(d),))
        self._gdt = Kept(
            m.gdt,
            ("frame",) * 2,  # of one field alone `attrgetter` makes no tuple
            lambda page, new: (new.domain(page[0][0]), page[0][1], page[1]),
            frozenset({"frame"}),
        )
        self._world = Kept(m.world, ("clock", "clock"), lambda w, _: (w,))

    def local(self, value: object) -> object:
        """Return what a value of a call in progress tells of it: a number, as all else comes from those."""
        return value if isinstance(value, int) else None

    def save(self) -> Saved:
        """Return the state as it is."""
        return Saved(
            self._frames.read(),
            self._entries.read(),
            self._flights.read(),
            self._vcpus.read(),
            self._cpus.read(),
            self._world.read(),
            self._tlb.read(),
            self._demotions.read(),
            self._words(),
            self._charged.read(),
            self._gdt.read(),
        )

    def _words(self) -> dict[tuple[int, int], int]:
        """Return every word that is not zero."""
        pages = plain_words(self._machine.words).pages
        return {(f, slot): word for f, page in pages.items() for slot, word in page.items()}

    def restore(self, saved: Saved) -> None:
        """Make the state what it was."""
        self._frames.write(saved.frames)
        self._entries.write(saved.entries)
        self._flights.write(saved.flights)
        self._vcpus.write(saved.vcpus)
        self._cpus.write(saved.cpus)
        self._world.write(saved.world)
        self._tlb.write(saved.tlb)
        self._charged.write(saved.charged)
        self._gdt.write(saved.gdt)
        self._demotions.write(saved.demotions)
        now = self._words()
        for place in now.keys() | saved.words.keys():
            if now.get(place, 0) != saved.words.get(place, 0):
                self._machine.words[place] = saved.words.get(place, 0)

    def canonical(self, saved: Saved, renamings: list[Renaming], *, busy: bool) -> tuple[object, ...]:
        """Return the least form of the present state, which was just saved, under the renamings.

        `busy`: a call is in progress.
        """
        if len(renamings) == 1:
            return self._form(saved, NOTHING, busy=busy)
        return min(self._form(saved, renaming, busy=busy) for renaming in renamings)

    def _in_use(self, saved: Saved) -> dict[tuple[int, int], Numbers]:
        """Leave out what is left in the rows of entries that are linked no more, which nothing reads.

        The slot at which the work on a table has stopped may keep a child there.
        """
        waiting = {f for f, values in saved.frames.items() if values[PARTIAL_ENTRY]}
        return {e: values for e, values in saved.entries.items() if values[0] or e[0] in waiting}

    def _cached(self, saved: Saved) -> dict[tuple[int, int], Numbers]:
        """Leave out translations that their CPU has no more."""
        rows = store_of(self._machine.tlb)
        return {x: values for x, values in saved.tlb.items() if is_cached(self._machine, x[0], rows[x])}

    def _flushed(self, new: Renaming) -> tuple[Numbers, ...]:
        """Return of each frame that matters which CPUs were not flushed since its stamp."""
        frames, cpus = store_of(self._machine.frames), store_of(self._machine.cpus)
        count = range(self._machine.cpu_count)
        return tuple(
            sorted(
                (new.frame(f), *sorted(new.cpu(c) for c in count if cpus[c].flushed_at <= frames[f].stamp))
                for f in self._stamped
            )
        )

    def _form(self, saved: Saved, new: Renaming, *, busy: bool) -> tuple[object, ...]:
        """Return the form of a state under a renaming."""
        del busy
        return self._plain(saved, new)

    def _word(self, place: tuple[int, int], word: int, new: Renaming) -> int:
        """Return a word of a frame, renamed."""
        del place
        return new.word(word)

    def _plain(self, saved: Saved, new: Renaming) -> tuple[tuple[Numbers, ...], ...]:
        words = ((new.frame(e[0]), e[1], self._word(e, word, new)) for e, word in saved.words.items())
        return (
            self._frames.plain(saved.frames, new),
            self._entries.plain(self._in_use(saved), new),
            self._flights.plain(_busy(saved.flights), new),
            self._vcpus.plain(saved.vcpus, new),
            self._tlb.plain(self._cached(saved), new),
            self._flushed(new),
            self._charged.plain(saved.charged, new),
            self._gdt.plain(saved.gdt, new),
            tuple(sorted(words)),
        )


def _busy(flights: dict[tuple[tuple[int, int], int], Numbers]) -> dict[tuple[tuple[int, int], int], Numbers]:
    """Leave out what is left in the rows of idle flights."""
    return {k: values for k, values in flights.items() if values[0]}
