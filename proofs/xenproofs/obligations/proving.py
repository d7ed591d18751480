"""Proving one step: every feasible path that changes a row, every statement that reads what it wrote.

Every row that a path wrote has made a transition that the specification allows (refinement, row by row).
Beside these, each step has obligations of its own: `refusal` (a path that is refused has written nothing,
and something was not permitted: xenproofs.obligations.refusing),
`declared writes` (a path writes only what the step declares), `not vacuous` (some path ends well), and the
claims that arise on the way (a holder is new, a holder is present). A path whose assumptions contradict
each other is taken from no state: it is counted as unreachable, and nothing is counted as proved of it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

from xenproofs.obligations.contracts import contract_goals, has_contract, permitted
from xenproofs.obligations.deciding import Decider, Obligation, solver
from xenproofs.obligations.event_lemmas import NEAR_EVENTS
from xenproofs.obligations.grant_lemmas import NEAR_GRANTS
from xenproofs.obligations.lemmas import NEAR as NEAR_MEMORY
from xenproofs.obligations.movements import LEANS, movements
from xenproofs.obligations.outcomes import Kind, Outcome, StepReport
from xenproofs.obligations.realms import EVENTS, GRANTS, MEMORY, REALMS, Realm, realm_of_step
from xenproofs.obligations.refusing import NOT_REFUSED, is_asked
from xenproofs.obligations.statements import Statement, statements
from xenproofs.obligations.staying import BY_IT, GIVEN, any_words, of_words, words_stay
from xenproofs.obligations.staying import NAME as WORDS_STAY
from xenproofs.solvers.cache import Cache, key
from xenproofs.solvers.verdict import Verdict
from xenproofs.solvers.z3_solver import Z3
from xenproofs.symbolic import terms
from xenproofs.symbolic.axioms import word_axioms
from xenproofs.symbolic.census import EVENT_FAMILIES, GRANT_FAMILIES
from xenproofs.symbolic.paths import Path, explore
from xenproofs.symbolic.scope import Unbounded
from xenproofs.symbolic.state import SymbolicMachine
from xenproofs.symbolic.traps import SoundnessError

if TYPE_CHECKING:
    from xenproofs.obligations.subjects import Subject
    from xenproofs.symbolic.terms import Term

FEASIBLE: Final = Z3(rlimit=6_000)
"""Closing a side of a fork is worth little work: a side that stays open costs obligations, not soundness."""
VACUOUS: Final = Z3(rlimit=30_000)
"""Whether any state takes a path; a proof's core tells what this does not find."""
NEAR: Final = {**NEAR_EVENTS, **NEAR_GRANTS, **NEAR_MEMORY}
DOMAINS: Final = "domains"
"""What is said of domains as such is assumed in every realm."""
EVERYTHING: Final = 100
"""Percent."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to prove."""

    solvers: tuple[str, ...] = ("z3",)
    sample: int = 100
    """Percent of the obligations."""
    keep_questions: bool = False
    cache: bool = True
    seed: int = 1
    disabled: frozenset[str] = frozenset()
    """Axioms that are left out."""
    rlimit: int = 4_000_000
    """Z3's bound of work for one obligation."""
    without: frozenset[str] = frozenset()
    """Statements that are neither assumed nor proved."""
    first_failure: bool = False
    """Stop at the first obligation that is not proved."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What must hold after a path, and what it follows from most often."""

    name: str
    formula: Term
    given: tuple[Term, ...] = ()
    realm: Realm = MEMORY


@dataclass(slots=True)
class Before:
    """What is known before any step."""

    statements: list[Statement]
    formulas: dict[str, Term]
    state: SymbolicMachine
    known: dict[str, list[Term]] = field(default_factory=dict[str, "list[Term]"])
    """What is assumed in each realm."""


@cache
def before(
    disabled: frozenset[str] = frozenset(),
    without: frozenset[str] = frozenset(),
    *,
    pae: bool = False,
) -> Before:
    """Return the statements over an arbitrary state, and all else that is assumed of it."""
    scope = Unbounded()
    path = Path((), lambda _: True, disabled=disabled, running=False)
    state = SymbolicMachine(path, scope, pae=pae)
    kept = [s for s in statements() if s.name not in without]
    formulas = {s.name: s.formula(state) for s in kept}
    of = {r.name: [formulas[s.name] for s in kept if s.realm == r] for r in REALMS}
    of[MEMORY.name] += [*state.background(), *state.ghost.counted_sets(state.entries)]
    axioms = {axiom.name: fact for axiom, fact in word_axioms(scope, disabled)}
    of[MEMORY.name] += axioms.values()
    formulas |= axioms
    of[EVENTS.name] += [formulas[s.name] for s in kept if s.subsystem == DOMAINS]
    counted = state.census.axioms(EVENT_FAMILIES)
    formulas |= {
        f"members of `{f.table}` count": fact for f, fact in zip(EVENT_FAMILIES, counted, strict=False)
    }
    of[EVENTS.name] += counted
    of[GRANTS.name] += [*of[MEMORY.name], *state.census.axioms(GRANT_FAMILIES)]
    return Before(kept, formulas, state, of)


class StepProof:
    """The proof of one step."""

    def __init__(self, subject: Subject, options: Options) -> None:
        self.subject = subject
        self.options = options
        self.start = before(options.disabled, options.without, pae=subject.pae)
        self.names = {id(formula): name for name, formula in self.start.formulas.items()}
        self.realm = realm_of_step(subject.subsystem, subject.writes)
        self.assumed = subject.preconditions(self.start.state)
        self.known = {name: list(known) for name, known in self.start.known.items()}
        self.cache = Cache(subject.name, enabled=options.cache)
        self.report = StepReport(subject.name, subject.subsystem)
        solvers = [solver(name, options.seed, options.rlimit) for name in options.solvers]
        self.decider = Decider(solvers, self.cache)
        self.machine: SymbolicMachine | None = None

    def prove(self) -> StepReport:
        """Prove every obligation of the step."""
        began = time.perf_counter()
        try:
            for number, path in enumerate(explore(self._run, self._feasible, self.options.disabled)):
                self._path(number, path)
                if self.options.first_failure and self.report.failed:
                    break
            if self.report.paths == self.report.refusals + self.report.unreachable and not self.report.failed:
                self._note(-1, "not vacuous", Kind.VACUOUS, "no path of the step ends well")
        except (SoundnessError, AttributeError) as error:
            self._note(-1, "symbolic execution", Kind.UNDECIDED, f"{type(error).__name__}: {error}")
        self.report.seconds = time.perf_counter() - began
        self.report.cached = sum(o.cached for o in self.report.outcomes)
        self.cache.save(keep=self.options.sample < EVERYTHING or len(self.options.solvers) == 1)
        return self.report

    def _run(self, path: Path) -> None:
        self.machine = SymbolicMachine(path, Unbounded(), pae=self.subject.pae)
        path.outcome = self.subject.run(self.machine)

    def _feasible(self, conditions: list[Term]) -> bool:
        known = [*self.known[self.realm.name], *self.assumed, *conditions]
        return self.decider.ask(FEASIBLE, known, self.realm).verdict is not Verdict.UNSAT

    def _path(self, number: int, path: Path) -> None:
        machine = self.machine
        if machine is None:
            raise RuntimeError("no step was run")
        self.report.paths += 1
        self.report.infeasible += path.infeasible
        written = machine.written()
        if path.outcome != "done":
            if written:
                note = f"{path.outcome}, but wrote {', '.join(written)}"
                self._note(number, "refusal", Kind.VIOLATED, note)
            self._refused(number, path)
            return
        undeclared = sorted(set(written) - self.subject.writes)
        if undeclared:
            self._note(number, "declared writes", Kind.VIOLATED, f"wrote {', '.join(undeclared)}")
        assumed = [*self.assumed, *path.conditions, *path.facts]
        if self._contradicts(assumed):
            self.report.unreachable += 1
            return
        trivial = self.report.trivial
        outcomes = self.outcomes(number, self._goals(path, machine), assumed)
        if outcomes is None:
            self.report.trivial = trivial
            self.report.unreachable += 1
        else:
            self.report.outcomes += outcomes

    def _contradicts(self, assumed: list[Term]) -> bool:
        """Return whether what is assumed of a path contradicts what is known: it then proves nothing."""
        whole = [*self.known[self.realm.name], *assumed]
        return self.decider.ask(VACUOUS, whole, self.realm).verdict is Verdict.UNSAT

    def _refused(self, number: int, path: Path) -> None:
        """Decide whether a path is refused only of what is not permitted, where that is told."""
        name = self.subject.name
        if not has_contract(name) or not is_asked(name, path.outcome):
            self.report.refusals += 1
            self.report.unasked += 1
            return
        assumed = [*self.assumed, *path.conditions, *path.facts]
        goal = Goal(NOT_REFUSED, terms.negation(permitted(self.subject, self.start.state)), (), self.realm)
        found = None if self._contradicts(assumed) else self.outcomes(number, [goal], assumed)
        if found is None:
            self.report.unreachable += 1
            return
        self.report.refusals += 1
        self.report.outcomes += found

    def _goals(self, path: Path, machine: SymbolicMachine) -> list[Goal]:
        """Return what must hold after a path."""
        own = self.realm if self.realm == GRANTS else MEMORY
        goals = [Goal(f"{name} ({n})", claim, (), self.realm) for n, (name, claim) in enumerate(path.claims)]
        after = {s.name: s.formula(machine) for s in self.start.statements}
        by_lemma = BY_IT.get(self.subject.name, frozenset[str]())
        for s in self.start.statements:
            if after[s.name] is self.start.formulas[s.name]:
                self.report.trivial += 1
            elif s.name not in by_lemma:
                formulas = self.start.formulas
                given = tuple(formulas[n] for n in (s.name, *self._near(s.name)) if n in formulas)
                given += tuple(after[n] for n in LEANS.get(s.name, ()) if n in after)
                realm = own if s.realm == MEMORY else s.realm
                goals.append(Goal(s.name, after[s.name], given, realm))
        goals += self._by_lemma(machine, [s for s in self.start.statements if s.name in by_lemma], own)
        for m in movements(machine.written()):
            given = tuple(after[name] for name in LEANS.get(m.name, ()) if name in after)
            goals.append(Goal(m.name, m.formula(self.start.state, machine), given, own))
        contract = contract_goals(self.subject, self.start.state, machine)
        return goals + [Goal(name, formula, realm=self.realm) for name, formula in contract]

    def _by_lemma(self, machine: SymbolicMachine, those: list[Statement], realm: Realm) -> list[Goal]:
        """Return the lemma about words that stay, and what is proved by it."""
        if not those or not machine.words.field.updates:
            return []
        start, words = self.start, any_words(machine)
        given = tuple(start.formulas[n] for n in GIVEN if n in start.formulas)
        stay = words_stay(start.state, words)
        return [
            Goal(WORDS_STAY, words_stay(start.state, machine.words.field), given, realm),
            *(
                Goal(s.name, of_words(s, machine, words), (start.formulas[s.name], stay), realm)
                for s in those
            ),
        ]

    def _near(self, name: str) -> tuple[str, ...]:
        """Return the names of what a statement follows from most often, of this step."""
        for place in (f"{self.subject.name}.", f"{self.subject.subsystem}."):
            if f"{place}{name}" in NEAR:
                return NEAR[f"{place}{name}"]
        return NEAR.get(name, ())

    def outcomes(self, number: int, goals: list[Goal], assumed: list[Term]) -> list[Outcome] | None:
        """Decide what must hold after a path; nothing if no state takes it."""
        found: list[Outcome] = []
        for goal in goals:
            name = goal.name
            if not self._chosen(name, number):
                continue
            known = self.known[goal.realm.name]
            decision = self.decider.decide(Obligation(goal.formula, assumed, goal.given, known, goal.realm))
            if decision.contradiction and name not in LEANS:  # what is leaned on may be what is broken
                return None
            if self.options.keep_questions:
                self.report.questions.append((f"{self.subject.name}-{number}-{name}", decision.question))
            kind, note = Kind.PROVED, ""
            if decision.failed is not None:
                kind, note = Kind.UNDECIDED, f"{decision.failed[0]} answers {decision.failed[1].value}"
            seconds, cached = decision.seconds, decision.cached
            used = tuple(self.names[id(term)] for term in decision.used if id(term) in self.names)
            found.append(Outcome(self.subject.name, number, name, kind, seconds, note, cached, used))
            if self.options.first_failure and decision.failed is not None:
                break
        return found

    def _chosen(self, name: str, number: int) -> bool:
        if self.options.sample >= EVERYTHING:
            return True
        return int(key(f"{self.subject.name} {number} {name}", "sample")[:8], 16) % 100 < self.options.sample

    def _note(self, number: int, name: str, kind: Kind, note: str) -> None:
        self.report.outcomes.append(Outcome(self.subject.name, number, name, kind, {}, note))
