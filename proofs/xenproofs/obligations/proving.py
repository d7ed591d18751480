"""Proving one step: every feasible path that changes a row, every statement that reads what it wrote.

Beside the statements, each step has obligations of its own: `refusal` (a path that is refused has written
nothing), `declared writes` (a path writes only what the step declares), `not vacuous` (no path's assumptions
contradict each other), and the claims that arise on the way (a holder is new, a holder is present).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol

from xenproofs.obligations.outcomes import Kind, Outcome, StepReport
from xenproofs.obligations.statements import Statement, statements
from xenproofs.solvers.cache import Cache, key
from xenproofs.solvers.cvc5_solver import Cvc5
from xenproofs.solvers.verdict import Answer, Verdict, script
from xenproofs.solvers.z3_solver import Z3
from xenproofs.symbolic import terms
from xenproofs.symbolic.axioms import word_axioms
from xenproofs.symbolic.paths import Path, explore
from xenproofs.symbolic.scope import Unbounded
from xenproofs.symbolic.sorts import REF_DATATYPE, REF_SORTS
from xenproofs.symbolic.state import SymbolicMachine
from xenproofs.symbolic.traps import SoundnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xenproofs.obligations.subjects import Subject
    from xenproofs.symbolic.terms import Term

FEASIBLE: Final = Z3(rlimit=6_000)
"""Closing a side of a fork is worth little work: a side that stays open costs obligations, not soundness."""
VACUOUS: Final = Z3(rlimit=30_000)


class Solver(Protocol):
    """What decides obligations."""

    @property
    def name(self) -> str:
        """Return the solver's name."""
        ...

    @property
    def identity(self) -> str:
        """Return what an answer depends on beside the question."""
        ...

    def ask(self, question: str) -> Answer:
        """Decide whether the assertions can all hold."""
        ...


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


def solver(name: str, seed: int, rlimit: int = 4_000_000) -> Solver:
    """Return a solver by its name."""
    return Z3(rlimit=rlimit, seed=seed) if name == "z3" else Cvc5(seed=seed)


@dataclass(slots=True)
class Before:
    """What is known before any step."""

    statements: list[Statement]
    formulas: dict[str, Term]
    state: SymbolicMachine
    known: list[Term] = field(default_factory=list["Term"])


@cache
def before(disabled: frozenset[str] = frozenset(), without: frozenset[str] = frozenset()) -> Before:
    """Return the statements over an arbitrary state, and all else that is assumed of it."""
    scope = Unbounded()
    path = Path((), lambda _: True, disabled=disabled, running=False)
    state = SymbolicMachine(path, scope)
    kept = [s for s in statements() if s.name not in without]
    formulas = {s.name: s.formula(state) for s in kept}
    known = [*formulas.values(), *state.background(), *state.ghost.counted_sets(state.entries)]
    known += [fact for _, fact in word_axioms(scope, disabled)]
    return Before(kept, formulas, state, known)


class StepProof:
    """The proof of one step."""

    def __init__(self, subject: Subject, options: Options) -> None:
        self.subject = subject
        self.options = options
        self.start = before(options.disabled, options.without)
        self.known = [*self.start.known, *subject.preconditions(self.start.state)]
        self.cache = Cache(subject.name, enabled=options.cache)
        self.report = StepReport(subject.name, subject.subsystem)
        self.solvers = [solver(name, options.seed, options.rlimit) for name in options.solvers]
        self.machine: SymbolicMachine | None = None

    def prove(self) -> StepReport:
        """Prove every obligation of the step."""
        began = time.perf_counter()
        try:
            for number, path in enumerate(explore(self._run, self._feasible, self.options.disabled)):
                self._path(number, path)
        except (SoundnessError, AttributeError) as error:
            self._note(-1, "symbolic execution", Kind.UNDECIDED, f"{type(error).__name__}: {error}")
        self.report.seconds = time.perf_counter() - began
        self.report.cached = sum(o.cached for o in self.report.outcomes)
        self.cache.save(keep=self.options.sample < 100 or len(self.options.solvers) == 1)  # noqa: PLR2004
        return self.report

    def _run(self, path: Path) -> None:
        self.machine = SymbolicMachine(path, Unbounded())
        path.outcome = self.subject.run(self.machine)

    def _feasible(self, conditions: list[Term]) -> bool:
        return self._ask(FEASIBLE, [*self.known, *conditions])[0].verdict is not Verdict.UNSAT

    def _ask(self, one: Solver, assertions: Sequence[Term]) -> tuple[Answer, str]:
        question = script(assertions, REF_DATATYPE, REF_SORTS)
        name = key(question, one.identity)
        answer = self.cache.find(name)
        if answer is None:
            answer = one.ask(question)
            self.cache.add(name, answer)
        return answer, question

    def _path(self, number: int, path: Path) -> None:
        machine = self.machine
        if machine is None:
            raise RuntimeError("no step was run")
        self.report.paths += 1
        self.report.infeasible += path.infeasible
        written = machine.written()
        if path.outcome != "done":
            self.report.refusals += 1
            if written:
                self._note(
                    number, "refusal", Kind.VIOLATED, f"{path.outcome}, but wrote {', '.join(written)}"
                )
            return
        undeclared = sorted(set(written) - self.subject.writes)
        if undeclared:
            self._note(number, "declared writes", Kind.VIOLATED, f"wrote {', '.join(undeclared)}")
        assumed = [*self.known, *path.conditions, *path.facts]
        if self._ask(VACUOUS, assumed)[0].verdict is Verdict.UNSAT:
            if self._ask(VACUOUS, [*self.known, *path.conditions])[0].verdict is Verdict.UNSAT:
                self.report.infeasible += 1
                return
            self._note(number, "not vacuous", Kind.VACUOUS, "the path's assumptions contradict each other")
            return
        for name, goal in self._goals(path, machine):
            if self._chosen(name, number):
                self._decide(number, name, assumed, goal)

    def _goals(self, path: Path, machine: SymbolicMachine) -> list[tuple[str, Term]]:
        goals = [(f"{name} ({n})", claim) for n, (name, claim) in enumerate(path.claims)]
        for s in self.start.statements:
            after = s.formula(machine)
            if after is self.start.formulas[s.name]:
                self.report.trivial += 1
            else:
                goals.append((s.name, after))
        return goals

    def _chosen(self, name: str, number: int) -> bool:
        if self.options.sample >= 100:  # noqa: PLR2004 - percent
            return True
        return int(key(f"{self.subject.name} {number} {name}", "sample")[:8], 16) % 100 < self.options.sample

    def _decide(self, number: int, name: str, assumed: list[Term], goal: Term) -> None:
        seconds: dict[str, float] = {}
        cached = True
        for one in self.solvers:
            answer, question = self._ask(one, [*assumed, terms.negation(goal)])
            cached = cached and answer.reason == "known"
            if self.options.keep_questions and one is self.solvers[0]:
                self.report.questions.append((f"{self.subject.name}-{number}-{name}", question))
            if answer.verdict is Verdict.UNSAT:
                seconds[one.name] = answer.seconds
                continue
            note = f"{one.name} answers {answer.verdict.value}"
            self.report.outcomes.append(
                Outcome(self.subject.name, number, name, Kind.UNDECIDED, seconds, note)
            )
            return
        self.report.outcomes.append(
            Outcome(self.subject.name, number, name, Kind.PROVED, seconds, cached=cached)
        )

    def _note(self, number: int, name: str, kind: Kind, note: str) -> None:
        self.report.outcomes.append(Outcome(self.subject.name, number, name, kind, {}, note))
