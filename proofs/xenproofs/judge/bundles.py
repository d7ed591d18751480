"""Bundles: all invariants that range over one type of key, evaluated together for one key at a time.

An *instance* is a bundle at one key. It is evaluated anew when a row that it read changes in a field that its
bundle names; then only those of its invariants run that name one of the changed fields. Which rows it read is
remembered by row (`Dependency`), so that finding the instances of a changed row does not depend on how many
there are.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Final

from xenmodel.memory.holding import KINDS
from xenproofs.judge.adapter import AnyInvariant, Evaluate, evaluator, fetch, tracked
from xenproofs.judge.recording import ALL_FIELDS, Change, Layouts
from xenproofs.judge.tracking import StateView, names_in
from xenspec.logic import VACUOUS

OWN_TABLES: Final[dict[str, tuple[str, ...]]] = {
    "Mfn": ("frames", "counts"),
    "EntryId": ("entries", "words"),
    "WordId": ("words",),
    "VcpuId": ("vcpus",),
    "FlightId": ("flights",),
    "Cpu": ("cpus",),
    "TlbKey": ("tlb",),
    "GdtPage": ("gdt",),
    "LdtPage": ("ldt",),
    "EventFrameId": ("event_frames",),
    "EoiFrameId": ("eoi_frames",),
    **dict.fromkeys(KINDS, ("held",)),
}
"""By key type: the tables whose keys are of it, so that a change of a row there concerns the same key."""


@dataclass(slots=True)
class Dependency:
    """Which instances of a bundle read which rows of one table."""

    mask: int
    """The fields of the table that the bundle names."""
    tracked: dict[Hashable, object]
    """The rows read by the instance that is being evaluated."""
    own: bool
    """The bundle ranges over this table's keys: an instance's own row needs no note."""
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


@dataclass(slots=True)
class Plan:
    """The invariants of a bundle that name one of some changed fields."""

    functions: tuple[tuple[int, Evaluate], ...]
    """Each with its index in the bundle."""
    full: bool
    """All invariants of the bundle are in it."""
    seeking: bool = True
    """Some of them may have no witness yet."""
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
        "_functions",
        "_mask",
        "_masks",
        "_others",
        "_own",
        "_plans",
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
        self._functions = [evaluator(invariant) for invariant in invariants]
        names = [names_in(function) for function in self._functions]
        own = OWN_TABLES[key_type] if key_type not in KINDS else ()
        self.dependencies = {
            table: Dependency(layout.mask(found), tracked(view, table), table in own)
            for table, layout in layouts.by_table.items()
            if (found := frozenset[str]().union(*(n for n in names if table in n)))
        }
        self._mask = _union(d.mask for d in self.dependencies.values())
        self._masks = [
            _union(layout.mask(n) for table, layout in layouts.by_table.items() if table in n) for n in names
        ]
        self._plans: dict[int, Plan] = {}
        self._own = [
            (self.dependencies[table], fetch(view, table)) for table in own if table in self.dependencies
        ]
        self._others = [d for d in self.dependencies.values() if not d.own]
        self.dirty: dict[Hashable, int] = {}
        """Instances to be evaluated, with the fields that changed."""

    def mark(self, key: Hashable, mask: int = ALL_FIELDS) -> None:
        """Have the instance at `key` evaluated, as far as it names the fields of `mask`."""
        self.dirty[key] = self.dirty.get(key, 0) | mask

    def spread(self, table: str, changes: list[Change]) -> None:
        """Mark the instances that read a changed row of a table, and those whose own row it is."""
        dependency = self.dependencies[table]
        mask, own, readers, dirty = dependency.mask, dependency.own, dependency.readers, self.dirty
        for key, fields, _, _ in changes:
            if not fields & mask:
                continue
            if own:
                dirty[key] = dirty.get(key, 0) | fields
            for instance in readers.get(key, ()):
                dirty[instance] = dirty.get(instance, 0) | fields

    def run(self) -> list[tuple[AnyInvariant, Hashable]]:
        """Evaluate every marked instance; return the invariants that do not hold, with their keys."""
        failed: list[tuple[AnyInvariant, Hashable]] = []
        todo, self.dirty = self.dirty, {}
        view, plans, all_fields = self._view, self._plans, self._mask
        for key, fields in todo.items():
            plan = plans.get(fields & all_fields) or self._plan(fields & all_fields)
            plan.evaluated += 1
            for dependency, get in self._own:
                if (row := get(key)) is not None:
                    dependency.tracked[key] = row
            if plan.seeking:
                failed += self._seek(plan, key)
            else:
                for index, function in plan.functions:
                    truth = function(view, key)
                    if truth is not True and truth is not VACUOUS:
                        failed.append((self.tallies[index].invariant, key))
            self._settle(key, anew=plan.full)
        return failed

    def _seek(self, plan: Plan, key: Hashable) -> list[tuple[AnyInvariant, Hashable]]:
        """Evaluate one instance, looking for witnesses of the invariants that have none yet."""
        failed: list[tuple[AnyInvariant, Hashable]] = []
        for index, function in plan.functions:
            tally = self.tallies[index]
            truth = function(self._view, key)
            if truth is VACUOUS:
                tally.vacuous += not tally.witnessed
            elif truth is not True:
                failed.append((tally.invariant, key))
            elif not tally.witnessed:
                tally.witnessed, tally.witness = True, key
        plan.seeking = not all(self.tallies[index].witnessed for index, _ in plan.functions)
        return failed

    def _settle(self, key: Hashable, *, anew: bool) -> None:
        """Note which rows the instance read."""
        for dependency, _ in self._own:
            if len(dependency.tracked) == 1 and key in dependency.tracked:
                dependency.tracked.clear()
            else:
                dependency.settle(key, anew=anew)
        for dependency in self._others:
            if dependency.tracked or (anew and key in dependency.read):
                dependency.settle(key, anew=anew)

    def _plan(self, fields: int) -> Plan:
        """Return the plan for a set of changed fields, made on first use."""
        indices = [index for index, mask in enumerate(self._masks) if mask & fields]
        plan = self._plans[fields] = Plan(
            functions=tuple((index, self._functions[index]) for index in indices),
            full=len(indices) == len(self._functions),
        )
        return plan

    def evaluated(self) -> dict[str, int]:
        """Return how often each invariant was evaluated."""
        counts = dict.fromkeys((tally.invariant.name for tally in self.tallies), 0)
        for plan in self._plans.values():
            for index, _ in plan.functions:
                counts[self.tallies[index].invariant.name] += plan.evaluated
        return counts

    def instances_evaluated(self) -> int:
        """Return how many times an instance was evaluated, with whatever part of the bundle."""
        return sum(plan.evaluated for plan in self._plans.values())


def _union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found
