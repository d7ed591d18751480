"""Bundles: all invariants that range over one type of key, evaluated together for one key at a time.

An *instance* is a bundle at one key. When a row that it read changes, in a field that its bundle names, those
of its invariants run that the change can concern: they name a changed field; and if one was vacuous when it
last ran, its premise names one (what only its consequent would have read, it did not read). Which rows an
instance read is remembered by row (`Dependency`), so that finding the instances of a changed row does not
depend on how many there are.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Final

from xenmodel.grants.holding import KINDS as GRANT_KINDS
from xenmodel.memory.holding import KINDS as MEMORY_KINDS
from xenproofs.judge.adapter import AnyInvariant, Evaluate, evaluator, fetch, rows_read
from xenproofs.judge.recording import ALL_FIELDS, Change, Layouts, Values
from xenproofs.judge.tracking import StateView, names_in, premise_names
from xenspec.logic import VACUOUS

KINDS: Final = {**MEMORY_KINDS, **GRANT_KINDS}
"""The kind of holder (the first part of its name) that each key type ranges over."""
OWN_TABLES: Final[dict[str, tuple[str, ...]]] = {
    "Mfn": ("frames", "counts"),
    "EntryId": ("entries", "words"),
    "WordId": ("words",),
    "VcpuId": ("vcpus", "upcalls", "waits", "notices", "handlers"),
    "FlightId": ("flights",),
    "Cpu": ("cpus",),
    "TlbKey": ("tlb",),
    "GdtPage": ("gdt",),
    "LdtPage": ("ldt",),
    "EventFrameId": ("event_frames",),
    "EoiFrameId": ("eoi_frames",),
    "DomId": ("domains", "channels"),
    "PortId": ("ports", "signals", "event_words"),
    "SelectorId": ("selectors", "scans"),
    "QueueId": ("queues", "heads", "taken"),
    "VirqId": ("virqs",),
    "PirqId": ("pirqs",),
    "GrantId": ("active", "pins"),
    "HandleId": ("mappings",),
    "UnmapId": ("unmappings",),
    "CopyId": ("copies",),
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

    index: int
    bit: int
    function: Evaluate
    names: int
    """The fields that it names."""
    premise: int
    """Those that it may read before it turns out to be vacuous."""
    local: bool
    """Its premise reads only rows of the instance's own key; of a hold, that is the hold."""


@dataclass(slots=True)
class Plan:
    """The invariants that some changed fields can concern, given which ones are vacuous."""

    texts: tuple[Text, ...]
    bits: int
    anew: bool
    """All others were vacuous by their own rows alone: what the instance reads now is all that it reads."""
    known: list[Text] = field(default_factory=list[Text])
    """Those that have a witness."""
    unseen: list[Text] = field(default_factory=list[Text])
    """Those that have none yet."""
    evaluated: int = 0


@dataclass(slots=True)
class Tally:
    """What became of one invariant."""

    invariant: AnyInvariant
    vacuous: int = 0
    """Evaluations in which its premise did not hold, until the first one in which it did."""
    witness: Hashable | None = None
    """A key at which its premise held, and so did it."""
    witnessed: bool = False


class Bundle:
    """The invariants of one key type, and the state of their instances."""

    __slots__ = (
        "_mask",
        "_others",
        "_own",
        "_plans",
        "_seeds",
        "_texts",
        "_vacuous",
        "_view",
        "dependencies",
        "dirty",
        "key_type",
        "tallies",
    )

    def __init__(
        self, key_type: str, invariants: list[AnyInvariant], layouts: Layouts, view: StateView
    ) -> None:
        self.key_type = key_type
        self._view = view
        self.tallies = [Tally(invariant) for invariant in invariants]
        own = OWN_TABLES[key_type] if key_type not in KINDS else ()
        local = own or ("held",)
        self._texts = [_text(i, invariant, layouts, local) for i, invariant in enumerate(invariants)]
        fields = _union(text.names for text in self._texts)
        self.dependencies = {
            table: Dependency(fields & mask, rows_read(view, table), table in own)
            for table, layout in layouts.by_table.items()
            if fields & (mask := layout.mask(frozenset(layout.fields)))
        }
        if key_type in BOUNDS:
            self._bind(layouts, *BOUNDS[key_type])
        self._mask = fields
        self._plans: dict[tuple[int, int], Plan] = {}
        self._vacuous: dict[Hashable, int] = {}
        self._seeds = [
            (self.dependencies[table].tracked, fetch(view, table))
            for table in own
            if table in self.dependencies and table != "words"
        ]
        self._own = [d for d in self.dependencies.values() if d.own]
        self._others = [d for d in self.dependencies.values() if not d.own]
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
        todo, self.dirty = self.dirty, {}
        view, plans, vacuous, all_fields = self._view, self._plans, self._vacuous, self._mask
        for key, changed in todo.items():
            before = vacuous.get(key, 0)
            plan = plans.get((changed & all_fields, before)) or self._plan(changed & all_fields, before)
            plan.evaluated += 1
            for seeds, get in self._seeds:
                if (row := get(key)) is not None:
                    seeds[key] = row
            now = before & ~plan.bits
            for text in plan.known:
                truth = text.function(view, key)
                if truth is VACUOUS:
                    now |= text.bit
                elif truth is not True:
                    failed.append((self.tallies[text.index].invariant, key))
            if plan.unseen:
                now |= self._seek(plan, key, failed)
            if now != before:
                vacuous[key] = now
            self._settle(key, anew=plan.anew)
        return failed

    def _seek(self, plan: Plan, key: Hashable, failed: list[tuple[AnyInvariant, Hashable]]) -> int:
        """Evaluate the invariants of one instance that have no witness yet; return those that are vacuous."""
        vacuous, found = 0, False
        for text in plan.unseen:
            tally = self.tallies[text.index]
            truth = text.function(self._view, key)
            if truth is VACUOUS:
                vacuous |= text.bit
                tally.vacuous += 1
            elif truth is not True:
                failed.append((tally.invariant, key))
            else:
                found = True
                if not tally.witnessed:
                    tally.witnessed, tally.witness = True, key
        if found:
            self._sort(plan)
        return vacuous

    def _sort(self, plan: Plan) -> None:
        """Tell the invariants of a plan that have a witness from those that have none."""
        plan.known = [text for text in plan.texts if self.tallies[text.index].witnessed]
        plan.unseen = [text for text in plan.texts if not self.tallies[text.index].witnessed]

    def _settle(self, key: Hashable, *, anew: bool) -> None:
        """Note which rows the instance read."""
        for dependency in self._own:
            tracked = dependency.tracked
            if len(tracked) == 1 and key in tracked:
                tracked.clear()
            elif tracked or (anew and dependency.read and key in dependency.read):
                dependency.settle(key, anew=anew)
        for dependency in self._others:
            if dependency.tracked or (anew and dependency.read and key in dependency.read):
                dependency.settle(key, anew=anew)

    def _plan(self, fields: int, vacuous: int) -> Plan:
        """Return the plan for a set of changed fields, given which invariants are vacuous."""
        texts = tuple(t for t in self._texts if fields & (t.premise if vacuous & t.bit else t.names))
        left = [t for t in self._texts if t not in texts]
        anew = all(vacuous & t.bit and t.local for t in left)
        plan = self._plans[fields, vacuous] = Plan(texts, _union(t.bit for t in texts), anew)
        self._sort(plan)
        return plan

    def evaluated(self) -> dict[str, int]:
        """Return how often each invariant was evaluated."""
        counts = dict.fromkeys((tally.invariant.name for tally in self.tallies), 0)
        for plan in self._plans.values():
            for text in plan.texts:
                counts[self.tallies[text.index].invariant.name] += plan.evaluated
        return counts

    def instances_evaluated(self) -> int:
        """Return how many times an instance was evaluated, with whatever part of the bundle."""
        return sum(plan.evaluated for plan in self._plans.values())


def _text(index: int, invariant: AnyInvariant, layouts: Layouts, own: tuple[str, ...]) -> Text:
    """Return an invariant with what it names."""
    function = evaluator(invariant)
    names, premise = names_in(function), premise_names(function)
    return Text(
        index=index,
        bit=1 << index,
        function=function,
        names=_fields(layouts, names),
        premise=_fields(layouts, premise),
        local=all(table in own for table in layouts.by_table if table in premise),
    )


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
