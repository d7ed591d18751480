"""The monitor: all invariants, held against a running machine, at the cost of what changes.

    monitor = Monitor.over(machine)         # a plain machine, loaded or empty; from now on monitor.machine
    violations = monitor.start()             # every instance once
    ... run a hypercall of domain d on monitor.machine ...
    violations = monitor.after_call(d)       # call mode: what the call changed

Step mode (`Monitor.over(machine, steps=True)`) keeps exact sets of holders beside the machine, and is to be
told of each step as hypercalls yield them, before the next one runs:

    monitor.begin_call(d)
    for shown in hypercall: violations = monitor.after_step(shown)      # or: monitor.drive(d, hypercall)

It then also reports writes that a step does not declare; `IllegalHolder` is raised where one takes or drops a
reference wrongly. `monitor.try_step(step, *arguments)` checks a refusal too, or else what the step means.
`monitor.counts()` says how much was evaluated, `monitor.tallies()` what became of each invariant.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, ParamSpec, TypeVar

from xenmodel.events.queues import REPRESENTATION as EVENT_BOOKS
from xenmodel.grants.holding import HOLDING as GRANT_HOLDING
from xenmodel.grants.representation import REPRESENTATION as GRANTS
from xenmodel.hardware.representation import REPRESENTATION as TLB
from xenmodel.hypercall import Marker, Steps
from xenmodel.machine import Machine
from xenmodel.memory.holding import HOLDING
from xenmodel.memory.representation import REPRESENTATION
from xenmodel.step import WRITES, Refused
from xenproofs.judge.adapter import AnyInvariant, keys_of, stateless
from xenproofs.judge.authors import Authors
from xenproofs.judge.bundles import KINDS, OWN_TABLES, Bundle, Dependency, Tally
from xenproofs.judge.contracts import breaches
from xenproofs.judge.counting import RunningCounts
from xenproofs.judge.declaring import Declared
from xenproofs.judge.explain import explain
from xenproofs.judge.ghost import HolderSets
from xenproofs.judge.granting import GrantBooks, GrantTables
from xenproofs.judge.holdings import of_frame
from xenproofs.judge.recorders import recorder_for
from xenproofs.judge.recording import ALL_FIELDS, Change, Recorder
from xenproofs.judge.refinement import forbidden
from xenproofs.judge.refusals import Refusals
from xenproofs.judge.tracking import Ghosts, StateView, store_of
from xenspec.domains.invariants import SAFETY as DOMAINS
from xenspec.events.invariants import SAFETY as EVENTS
from xenspec.grants.invariants import SAFETY as GRANT_SAFETY
from xenspec.memory.invariants import SAFETY
from xenspec.vocabulary import DomId

T = TypeVar("T")
P = ParamSpec("P")

CALL_INVARIANTS: Final = (
    *(*stateless(SAFETY), *stateless(REPRESENTATION), *stateless(TLB), *stateless(DOMAINS)),
    *(*stateless(EVENTS), *stateless(EVENT_BOOKS), *stateless(GRANT_SAFETY), *stateless(GRANTS)),
)
"""What call mode checks: it keeps no sets of holders."""
STEP_INVARIANTS: Final = (*CALL_INVARIANTS, *stateless(HOLDING), *stateless(GRANT_HOLDING))
"""All of them."""
Concerned = list[tuple[Bundle, Dependency]]
"""Bundles, each with how it depends on a table."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold, or a rule of steps that was broken."""

    name: str
    key: Hashable
    sentence: str
    properties: tuple[int, ...]
    detail: tuple[str, ...]
    """What was given and what is broken, with the values."""

    def __str__(self) -> str:
        return "\n  ".join((f"{self.name} at {self.key}: {self.sentence}", *self.detail))


@dataclass(frozen=True, slots=True)
class Counted:
    """How much a monitor has done."""

    instances: int
    """Evaluations of one key with what of its bundle was concerned."""
    evaluated: int
    """Evaluations of single invariants."""
    invariants: int
    witnessed: int
    """Invariants whose premise was seen to hold."""
    refusals: int
    """Refusals of steps that were held against the step's contract."""
    unasked: int
    """Refusals for what no contract asks."""


@dataclass(slots=True)
class Monitor:
    """All invariants over one machine."""

    recorder: Recorder
    machine: Machine
    bundles: dict[str, Bundle]
    view: StateView
    ghosts: Ghosts
    counting: RunningCounts
    authors: Authors
    grants: GrantBooks
    declared: Declared
    sets: HolderSets | None
    """The holders as steps tell them, in step mode."""
    refusals: Refusals
    """What steps were refused."""
    actor: DomId | None = DomId(0)
    """The domain whose call is being made."""
    _by_table: dict[str, Concerned] = field(default_factory=dict[str, Concerned])
    _concerned: dict[str, dict[int, Concerned]] = field(default_factory=dict[str, dict[int, Concerned]])
    """The same, by table and by the fields that changed."""
    _holds: dict[str, Bundle] = field(default_factory=dict[str, Bundle])
    """The bundle of each kind of holder."""
    _count_fields: tuple[int, int] = (0, 0)
    """The fields of `counts` that are about holders, and those about linear entries."""

    @classmethod
    def over(
        cls,
        machine: Machine,
        *,
        steps: bool = False,
        sequential: bool = False,
        invariants: Iterable[AnyInvariant] | None = None,
    ) -> "Monitor":
        """Take over a plain machine; the invariants are all that the mode can check unless given.

        Where calls are `sequential` nothing is in flight between them. Call mode then records only what the
        invariants read, and no flights: a reference left in one shows as a count without its holder.
        """
        chosen = list((STEP_INVARIANTS if steps else CALL_INVARIANTS) if invariants is None else invariants)
        if sequential and not steps:
            chosen = [invariant for invariant in chosen if invariant.key != "FlightId"]
        sets = HolderSets.of(machine) if steps else HolderSets()
        recorder = recorder_for(machine, sets, chosen, steps=steps, sequential=sequential)
        authors, books = Authors(recorder), GrantTables.watched(recorder)
        ghosts = Ghosts(sets.counts, sets.held, authors.table, books.granted, books.pins, books.shares)
        view = StateView.of(recorder.machine, ghosts)
        bundles = {
            key: Bundle(key, [i for i in chosen if i.key == key], recorder.layouts, view)
            for key in dict.fromkeys(invariant.key for invariant in chosen)
        }
        monitor = cls(
            recorder=recorder,
            machine=recorder.machine,
            bundles=bundles,
            view=view,
            ghosts=ghosts,
            counting=RunningCounts(recorder, store_of(sets.counts), holders=not steps),
            authors=authors,
            grants=GrantBooks(recorder, books, store_of(authors.table)),
            declared=Declared(recorder.layouts),
            sets=sets if steps else None,
            refusals=Refusals(recorder),
        )
        monitor._find_dependencies()
        return monitor

    def _find_dependencies(self) -> None:
        """Note which bundles depend on which table, and the fields of `counts` by what they are about."""
        layouts = self.recorder.layouts.by_table
        for table in layouts:
            self._by_table[table] = [
                (b, b.dependencies[table]) for b in self.bundles.values() if table in b.dependencies
            ]
            self._concerned[table] = {}
        self._holds = {KINDS[key_type]: b for key_type, b in self.bundles.items() if key_type in KINDS}
        mask = layouts["counts"].mask
        self._count_fields = (mask(frozenset({"typed", "general"})), mask(frozenset({"own", "uses"})))

    @property
    def steps(self) -> bool:
        """Whether every step is checked."""
        return self.sets is not None

    # --- Evaluating -----------------------------------------------------------------------------------------

    def start(self) -> list[Violation]:
        """Evaluate every instance once; entries that link another domain's frame count as their owner's."""
        self.recorder.drain()
        self.counting.start()
        self._counted()
        self.authors.begin()
        self.grants.start()
        self.recorder.drain()
        self.refusals.watch()
        return self.check_all()

    def check_all(self) -> list[Violation]:
        """Evaluate every instance, whatever changed."""
        for bundle in self.bundles.values():
            for key in self.keys(bundle.key_type):
                bundle.mark(key)
        return self._run()

    def after_call(self, actor: DomId | None) -> list[Violation]:
        """Evaluate what a call of `actor` changed; None: calls of several, each in tables of its own."""
        self.actor = actor
        return self.after(self.recorder.drain())

    def after(self, changes: dict[str, list[Change]]) -> list[Violation]:
        """Evaluate what changes concern."""
        self.counting.apply(changes)
        if self.counting.touched or self.counting.relinked:
            changes.setdefault("counts", []).extend(self._counted())
        if "entries" in changes:
            changes["authors"] = self.authors.note(changes["entries"], self.actor)
        self.grants.apply(changes)
        if self.sets is not None:
            self._admit(self.sets, changes)
        for table, of_table in changes.items():
            fields = 0
            for change in of_table:
                fields |= change[1]
            concerned = self._concerned[table].get(fields)
            for bundle, dependency in self._concern(table, fields) if concerned is None else concerned:
                if dependency.own or dependency.readers:
                    bundle.spread(dependency, of_table)
        if self.sets is not None and "held" in changes:
            self._mark_holds(changes["held"])
        return self._run()

    def _concern(self, table: str, fields: int) -> Concerned:
        """Return the bundles that some fields of a table concern."""
        found = [(bundle, d) for bundle, d in self._by_table[table] if fields & d.mask]
        self._concerned[table][fields] = found
        return found

    def _counted(self) -> list[Change]:
        """Return which counts have changed."""
        of_holders, of_entries = self._count_fields
        counting, known = self.counting, store_of(self.machine.frames)
        found: list[Change] = [(f, of_holders, (), ()) for f in counting.touched if f in known]
        found += [(f, of_entries, (), ()) for f in counting.relinked if f in known]
        counting.touched.clear()
        counting.relinked.clear()
        return found

    def _run(self) -> list[Violation]:
        failed = [failure for bundle in self.bundles.values() if bundle.dirty for failure in bundle.run()]
        told = [Violation(*breach) for breach in self.refusals.taken()]
        return told + [self._violation(invariant, key) for invariant, key in failed]

    def _violation(self, invariant: AnyInvariant, key: Hashable) -> Violation:
        detail = explain(invariant, self.view, key)
        return Violation(invariant.name, key, invariant.sentence, invariant.properties, detail)

    def keys(self, key_type: str) -> Iterator[Hashable]:
        """Return every key of a type that has a row."""
        if key_type in KINDS:
            for frame, holder in store_of(self.ghosts.held):
                if holder[0] == KINDS[key_type]:
                    yield (frame, holder[1], holder[2])
            return
        for table in OWN_TABLES[key_type]:
            if table == "words":
                yield from self.recorder.words.keys()
            elif table != "counts":
                yield from self.recorder.journals[table].store

    def _mark_holds(self, changes: Iterable[Change]) -> None:
        """Mark the instances of holds that are new."""
        for frame, (kind, a, b) in keys_of(changes, store_of(self.ghosts.held)):
            if kind in self._holds:
                self._holds[kind].mark((frame, a, b))

    def _admit(self, sets: HolderSets, changes: dict[str, list[Change]]) -> None:
        """Let frames that were not known before have the holders that their first rows show."""
        frames = store_of(self.machine.frames)
        new = [change for change in changes.get("frames", ()) if change[1] == ALL_FIELDS]
        for f in keys_of(new, frames):
            for frame, holder, typed, general in of_frame(f, frames.fresh(f)):
                sets.take(frame, holder, typed=typed, general=general)
        if new:
            for table in ("held", "counts"):
                changes.setdefault(table, []).extend(self.recorder.journals[table].changes())

    # --- Step mode ------------------------------------------------------------------------------------------

    def begin_call(self, actor: DomId) -> None:
        """Note who makes the call whose steps follow."""
        self.actor = actor

    def after_step(self, shown: object) -> list[Violation]:
        """Check what the step that was yielded has changed, and that it declares it."""
        if isinstance(shown, Marker):
            return []
        return self._after_changes(getattr(shown, "__name__", ""), self.recorder.drain())

    def _after_changes(self, step: str, changes: dict[str, list[Change]]) -> list[Violation]:
        """Check what a step has changed: declared, as rows may change, and every invariant concerned."""
        return self._undeclared(step, changes) + self._forbidden(changes) + self.after(changes)

    def _forbidden(self, changes: dict[str, list[Change]]) -> list[Violation]:
        """Return the rows that changed as the specification allows no step to change them."""
        return [
            Violation(found.rule, found.key, found.sentence, found.properties, found.changed)
            for found in forbidden(changes, self.recorder.layouts)
        ]

    def drive(
        self, actor: DomId, hypercall: Steps[T], preempt: Callable[[], bool] = lambda: False
    ) -> tuple[T, list[Violation]]:
        """Run a hypercall to its end, checking after every step; `preempt` answers its preemption points."""
        self.begin_call(actor)
        found: list[Violation] = []
        answer: bool | None = None
        try:
            while True:
                shown = hypercall.send(answer)
                answer = preempt() if isinstance(shown, Marker) else None
                found += self.after_step(shown)
        except StopIteration as end:
            result: T = end.value
            found += self._after_changes("", self.recorder.drain())
            return result, found

    def try_step(
        self, step: Callable[P, object], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[Refused | None, list[Violation]]:
        """Run one step; refused, it must have changed nothing, else no more than it declares."""
        self.recorder.drain()
        name = getattr(step, "__name__", "")
        try:
            step(*args, **kwargs)
        except Refused as refusal:
            changes = self.recorder.drain()
            return refusal, self._undeclared(f"{name}, refused", changes) + self.after(changes)
        changes = self.recorder.drain()
        told = [Violation(*breach) for breach in breaches(name, args, kwargs, self.recorder, changes)]
        return None, told + self._after_changes(name, changes)

    def _undeclared(self, step: str, changes: dict[str, list[Change]]) -> list[Violation]:
        """Return the writes that a step does not declare."""
        writes = WRITES.get(step, ())
        suspects = self.declared.suspects(writes, changes)
        return [
            Violation(
                "declared_writes",
                write.cell,
                "A step changes only what it declares, and nothing if it is refused.",
                (10, 16),
                (f"{step or 'nothing'}: {write.cell} from {write.before} to {write.after}",),
            )
            for write in (self.recorder.writes(suspects) if suspects else ())
            if f"{write.cell.table}.{write.cell.field}" not in writes
        ]

    # --- What was done --------------------------------------------------------------------------------------

    def tallies(self) -> list[Tally]:
        """Return what became of each invariant."""
        return [tally for bundle in self.bundles.values() for tally in bundle.tallies]

    def evaluated(self) -> dict[str, int]:
        """Return how often each invariant was evaluated."""
        return {name: n for bundle in self.bundles.values() for name, n in bundle.evaluated().items()}

    def counts(self) -> Counted:
        """Return how much was done."""
        tallies = self.tallies()
        return Counted(
            instances=sum(bundle.instances_evaluated() for bundle in self.bundles.values()),
            evaluated=sum(self.evaluated().values()),
            invariants=len(tallies),
            witnessed=sum(tally.witnessed for tally in tallies),
            refusals=self.refusals.checked,
            unasked=self.refusals.unasked,
        )

    def vacuous(self) -> list[str]:
        """Return the invariants whose premise was never seen to hold."""
        return [tally.invariant.name for tally in self.tallies() if not tally.witnessed]
