"""Bundles: all invariants that range over one type of key, evaluated together for one key at a time.

An *instance* is a bundle at one key. When a row that it read changes, in a field that its bundle names, those
of its invariants run that the change can concern: they name a changed field; and if one was vacuous when it
last ran, its premise names one (what only its consequent would have read, it did not read). Which rows an
instance read is remembered by row (`Dependency`), so that finding the instances of a changed row does not
depend on how many there are. A bundle runs as one function, see xenproofs.judge.compiling.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from xenmodel.grants.holding import KINDS as GRANT_KINDS
from xenmodel.machine import TABLES
from xenmodel.memory.holding import KINDS as MEMORY_KINDS
from xenproofs.judge.adapter import AnyInvariant, Evaluate, evaluator, rows_read
from xenproofs.judge.compiling import Cells, Program, Reads, compiled
from xenproofs.judge.recording import ALL_FIELDS, Change, Layouts, Values
from xenproofs.judge.tracking import StateView, names_in, premise_names

KINDS: Final = {**MEMORY_KINDS, **GRANT_KINDS}
"""The kind of holder (the first part of its name) that each key type ranges over."""
OWN_TABLES: Final[dict[str, tuple[str, ...]]] = {
    "Mfn": ("frames", "counts", "demotions"),
    "EntryId": ("entries", "words"),
    "WordId": ("words",),
    "VcpuId": ("vcpus", "upcalls", "waits", "notices", "handlers"),
    "FlightId": ("flights",),
    "Cpu": ("cpus",),
    "TlbKey": ("tlb",),
    "PrefixId": ("prefixes",),
    "DirtyId": ("dirty",),
    "GdtPage": ("gdt",),
    "LdtPage": ("ldt",),
    "EventFrameId": ("event_frames",),
    "EoiFrameId": ("eoi_frames",),
    "DomId": ("domains", "channels"),
    "PortId": ("ports", "signals", "event_words"),
    "SelectorId": ("selectors", "scans"),
    "QueueId": ("queues", "heads", "taken"),
    "PollId": ("polled",),
    "VirqId": ("virqs",),
    "PirqId": ("pirqs",),
    "GrantId": ("active", "pins"),
    "HandleId": ("mappings",),
    "UnmapId": ("unmappings",),
    "CopyId": ("copies", "passed"),
    "GrantFrameId": ("grant_frames", "status_frames"),
    **dict.fromkeys(KINDS, ("held",)),
}
"""By key type: the tables whose keys are of it, so that a change of a row there concerns the same key."""

BOUNDS: Final = {"EntryId": ("frames", "next_slot")}
"""By key type (frame, slot): a field of the frame that is only ever compared with the slot, as `slot < field`
or `slot >= field`. When it moves, it concerns the slots that it has passed, and no others. A test reads
the invariants' texts to see that this is all they do with it."""


@dataclass(slots=True)
class Dependency:
    """Which instances of a bundle read which rows of one table."""

    mask: int
    """The fields of the table that the bundle names."""
    tracked: dict[Hashable, object]
    """The rows read by the instance that is being evaluated."""
    own: bool
    """The bundle ranges over this table's keys: an instance's own row needs no note."""
    bound: int = 0
    """The bit of a field that concerns only the slots that it passes."""
    place: int = 0
    """Its place in a row's recorded values."""
    readers: dict[Hashable, set[Hashable]] = field(default_factory=dict[Hashable, set[Hashable]])
    read: dict[Hashable, tuple[Hashable, ...]] = field(default_factory=dict[Hashable, tuple[Hashable, ...]])

    def settle(self, key: Hashable, *, anew: bool) -> None:
        """Note what the instance at `key` read: instead of what it read before if `anew`, else beside it."""
        tracked = self.tracked
        if self.own:
            tracked.pop(key, None)
        rows = tuple(tracked)
        tracked.clear()
        before = self.read.get(key, ())
        if rows == before:
            return
        if not anew:
            rows = (*before, *(row for row in rows if row not in before))
        readers = self.readers
        for row in before:
            if row not in rows:
                readers[row].discard(key)
        for row in rows:
            if row not in before:
                readers.setdefault(row, set()).add(key)
        self.read[key] = rows


@dataclass(frozen=True, slots=True)
class Text:
    """One invariant as its bundle runs it."""

    bit: int
    names: int
    """The fields that it names."""
    premise: int
    """Those that it may read before it turns out to be vacuous."""
    local: bool
    """Its premise reads only rows of the instance's own key; of a hold, that is the hold."""


@dataclass(slots=True)
class Plan:
    """The invariants that some changed fields can concern, given which ones are vacuous."""

    bits: int
    anew: bool
    """All others were vacuous by their own rows alone: what the instance reads now is all that it reads."""
    evaluated: int = 0


@dataclass(slots=True)
class Tally:
    """What became of one invariant."""

    invariant: AnyInvariant
    witness: Hashable | None = None
    """A key at which its premise held, and so did it."""
    witnessed: bool = False


class Bundle:
    """The invariants of one key type, and the state of their instances."""

    __slots__ = (
        "_evaluate",
        "_mask",
        "_plans",
        "_texts",
        "_tracking",
        "_unseen",
        "_vacuous",
        "dependencies",
        "dirty",
        "key_type",
        "program",
        "tallies",
    )

    def __init__(
        self, key_type: str, invariants: list[AnyInvariant], layouts: Layouts, view: StateView
    ) -> None:
        self.key_type = key_type
        self.tallies = [Tally(invariant) for invariant in invariants]
        own = own_tables(key_type)
        functions = tuple(map(evaluator, invariants))
        self.program = compiled(functions, own)
        self._evaluate = self.program.bind(view)
        self._texts = _texts(functions, self.program, layouts, own or frozenset({"held"}))
        fields = _union(text.names for text in self._texts)
        self.dependencies = {
            table: Dependency(fields & layout.whole, rows_read(view, table), table in own)
            for table, layout in layouts.by_table.items()
            if fields & layout.whole
        }
        if key_type in BOUNDS:
            self._bind(layouts, *BOUNDS[key_type])
        self._mask = fields
        self._unseen = _union(text.bit for text in self._texts)
        self._plans: dict[tuple[int, int], Plan] = {}
        self._vacuous: dict[Hashable, int] = {}
        elsewhere = self.dependencies if self.program.interpreted else self.program.elsewhere
        self._tracking = [d for table, d in self.dependencies.items() if table in elsewhere]
        self.dirty: dict[Hashable, int] = {}
        """Instances to be evaluated, with the fields that changed."""

    def _bind(self, layouts: Layouts, table: str, bound: str) -> None:
        """Note which bit of a table is a bound, and where it stands in a row."""
        if table in self.dependencies and bound in layouts.by_table[table].fields:
            self.dependencies[table].bound = layouts.by_table[table].mask(frozenset({bound}))
            self.dependencies[table].place = layouts.by_table[table].fields.index(bound)

    def mark(self, key: Hashable, mask: int = ALL_FIELDS) -> None:
        """Have the instance at `key` evaluated, as far as it names the fields of `mask`."""
        self.dirty[key] = self.dirty.get(key, 0) | mask

    def spread(self, dependency: Dependency, changes: list[Change]) -> None:
        """Mark the instances that read a changed row of a table, and those whose own row it is."""
        mask, own, readers, dirty = dependency.mask, dependency.own, dependency.readers, self.dirty
        for key, fields, old, new in changes:
            if not fields & mask:
                continue
            if own:
                dirty[key] = dirty.get(key, 0) | fields
            known = readers.get(key)
            if not known:
                continue
            others = fields
            if fields & dependency.bound and fields != ALL_FIELDS:
                self._pass(dependency, key, fields, (old, new))
                others = fields & ~dependency.bound
            for instance in known if others & mask else ():
                dirty[instance] = dirty.get(instance, 0) | others

    def _pass(
        self, dependency: Dependency, key: Hashable, fields: int, values: tuple[Values, Values]
    ) -> None:
        """Mark the readers of a frame's row whose slots the bound has passed."""
        one, two = (number(row[dependency.place]) for row in values)
        known, dirty = dependency.readers[key], self.dirty
        low, high = min(one, two), max(one, two)
        few = high - low <= len(known)
        for instance in ((key, slot) for slot in range(low, high)) if few else tuple(known):
            if instance in known and (few or low <= slot_of(instance) < high):
                dirty[instance] = dirty.get(instance, 0) | fields

    def run(self) -> list[tuple[AnyInvariant, Hashable]]:
        """Evaluate every marked instance; return the invariants that do not hold, with their keys."""
        failed: list[tuple[AnyInvariant, Hashable]] = []
        broken: list[int] = []
        todo, self.dirty = self.dirty, {}
        plans, vacuous, all_fields, evaluate = self._plans, self._vacuous, self._mask, self._evaluate
        for key, changed in todo.items():
            before = vacuous.get(key, 0)
            plan = plans.get((changed & all_fields, before)) or self._plan(changed & all_fields, before)
            bits = plan.bits
            if not bits:
                continue
            plan.evaluated += 1
            now = before & ~bits | evaluate(key, bits, broken)
            if broken:
                failed += [(self.tallies[place].invariant, key) for place in dict.fromkeys(broken)]
            if bits & ~now & self._unseen:
                self._witness(bits & ~now & self._unseen, key, broken)
            broken.clear()
            if now != before:
                vacuous[key] = now
            if self._tracking:
                self._settle(key, anew=plan.anew)
        return failed

    def _witness(self, bits: int, key: Hashable, broken: list[int]) -> None:
        """Note that at a key the premises of some invariants held that were not seen to do so before."""
        for place, tally in enumerate(self.tallies):
            if bits & 1 << place and place not in broken:
                tally.witnessed, tally.witness = True, key
                self._unseen &= ~(1 << place)

    def _settle(self, key: Hashable, *, anew: bool) -> None:
        """Note which rows the instance read."""
        for dependency in self._tracking:
            if dependency.tracked or (anew and key in dependency.read):
                dependency.settle(key, anew=anew)

    def _plan(self, fields: int, vacuous: int) -> Plan:
        """Return the plan for a set of changed fields, given which invariants are vacuous."""
        bits, anew = 0, True
        for text in self._texts:
            if fields & (text.premise if vacuous & text.bit else text.names):
                bits |= text.bit
            elif not (vacuous & text.bit and text.local):
                anew = False
        plan = self._plans[fields, vacuous] = Plan(bits, anew)
        return plan

    def evaluated(self) -> dict[str, int]:
        """Return how often each invariant was evaluated."""
        return {
            tally.invariant.name: sum(
                plan.evaluated for plan in self._plans.values() if plan.bits & 1 << place
            )
            for place, tally in enumerate(self.tallies)
        }

    def instances_evaluated(self) -> int:
        """Return how many times an instance was evaluated, with whatever part of the bundle."""
        return sum(plan.evaluated for plan in self._plans.values())


def own_tables(key_type: str) -> frozenset[str]:
    """Return the tables whose rows a key of a type names."""
    return frozenset[str]() if key_type in KINDS else frozenset(OWN_TABLES[key_type])


def cells_of(key_type: str, invariants: list[AnyInvariant]) -> Iterator[tuple[str, str]]:
    """Yield the fields, by table, that the invariants of a key type may read; of words, `word`."""
    functions = tuple(map(evaluator, invariants))
    for function, reads in zip(functions, compiled(functions, own_tables(key_type)).reads, strict=True):
        if reads is not None:
            yield from reads.names
        else:
            yield from ((table, name) for table in TABLES for name in names_in(function))


def _texts(
    functions: tuple[Evaluate, ...], program: Program, layouts: Layouts, own: frozenset[str]
) -> list[Text]:
    """Return a bundle's invariants with what they name; of the tables `own`, rows at the key are local."""
    return [
        _interpreted(place, function, layouts)
        if (reads := program.reads[place]) is None
        else _compiled(place, reads, layouts, own)
        for place, function in enumerate(functions)
    ]


def _compiled(place: int, reads: Reads, layouts: Layouts, own: frozenset[str]) -> Text:
    tables = {table for table, _ in reads.premise}
    return Text(
        bit=1 << place,
        names=_of_cells(layouts, reads.names),
        premise=_of_cells(layouts, reads.premise),
        local=tables <= own and reads.premise_elsewhere <= {"held"},
    )


def _of_cells(layouts: Layouts, cells: Cells) -> int:
    """Return the bits of fields of tables that are recorded."""
    found = 0
    for table, name in cells:
        if table in layouts.by_table:
            found |= layouts.by_table[table].bit_of.get(name, 0)
    return found


def _interpreted(place: int, function: Evaluate, layouts: Layouts) -> Text:
    names, premise = _fields(layouts, names_in(function)), _fields(layouts, premise_names(function))
    return Text(bit=1 << place, names=names, premise=premise, local=False)


def _fields(layouts: Layouts, names: frozenset[str]) -> int:
    """Return the fields among `names`, of the tables among them; words are read without naming a field."""
    tables = [layout for table, layout in layouts.by_table.items() if table in names]
    return _union(layout.mask(names | {"word"}) for layout in tables)


def slot_of(key: object) -> int:
    """Return the slot of an entry's key."""
    if not isinstance(key, tuple):
        raise TypeError(key)
    parts: tuple[object, ...] = key  # pyright: ignore[reportUnknownVariableType]  # of whatever it is made
    return number(parts[-1])


def number(value: object) -> int:
    """Return a recorded number."""
    if not isinstance(value, int):
        raise TypeError(value)
    return value


def _union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found
