"""Deciding one obligation: from few premises first, then from all.

Most obligations follow from the path and the statement itself; with a hundred quantified premises more, a
solver spends its time on those. Leaving premises out can lose a proof, never make a wrong one. So each
solver is first given the near premises; and where one has told which premises its proof used (the unsat
core), the next one is given these. Whoever finds no proof there is given everything; and if that is too much,
the few premises again, with the full bound of work. Only if all of this fails is the obligation not proved.
Every solver makes its own proof: a hint says what to look at, not what to
believe.

A core without the negated goal means that the premises contradict each other: nothing then was proved of
the goal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from xenproofs.obligations.realms import MEMORY, Realm
from xenproofs.solvers.cache import key
from xenproofs.solvers.cvc5_solver import Cvc5
from xenproofs.solvers.verdict import Answer, Verdict, script
from xenproofs.solvers.z3_solver import Z3
from xenproofs.symbolic import terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xenproofs.solvers.cache import Cache
    from xenproofs.symbolic.terms import Term

CONTRADICTION: Final = "!"
"""Follows a question's name in the cache where its premises were found to contradict each other."""


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

    def hasty(self) -> Solver:
        """Return the same solver with a small bound of work."""
        ...


@dataclass(frozen=True, slots=True)
class Obligation:
    """What must hold, and the premises, nearest first."""

    goal: Term
    path: Sequence[Term]
    """What was decided and assumed on the path."""
    own: Sequence[Term]
    """What it follows from most often, mostly the statement before the step; it may be assumed."""
    known: Sequence[Term]
    """All that is known before the step."""
    realm: Realm = MEMORY

    @property
    def near(self) -> list[Term]:
        """Return the near premises and the negated goal, which is the last."""
        return [*self.own, *self.path, terms.negation(self.goal)]

    @property
    def whole(self) -> list[Term]:
        """Return all premises and the negated goal, which is the last."""
        more = [premise for premise in self.own if premise not in self.known]
        return [*self.known, *more, *self.path, terms.negation(self.goal)]


@dataclass(slots=True)
class Decision:
    """What the solvers say of an obligation."""

    seconds: dict[str, float] = field(default_factory=dict[str, float])
    """By solver that proved it."""
    failed: tuple[str, Verdict] | None = None
    """The first solver that did not, with its last answer."""
    contradiction: bool = False
    """The premises contradict each other."""
    cached: bool = True
    question: str = ""
    """The whole question as SMT-LIB."""
    used: list[Term] = field(default_factory=list["Term"])
    """The assertions that the first proof used, if it was made now and its solver tells."""


def solver(name: str, seed: int, rlimit: int = 4_000_000) -> Solver:
    """Return a solver by its name."""
    return Z3(rlimit=rlimit, seed=seed, track=True) if name == "z3" else Cvc5(seed=seed)


def question_of(assertions: Sequence[Term], realm: Realm = MEMORY) -> str:
    """Return assertions over an unbounded state as SMT-LIB."""
    return script(assertions, realm.preamble, realm.sorts, realm.given)


class Decider:
    """Asks the solvers, one after the other, and remembers what was proved."""

    def __init__(self, solvers: Sequence[Solver], cache: Cache) -> None:
        self.solvers = solvers
        self.cache = cache

    def ask(self, one: Solver, assertions: Sequence[Term], realm: Realm = MEMORY) -> Answer:
        """Put one question, or find its answer."""
        question = question_of(assertions, realm)
        name = key(question, one.identity)
        answer = self.cache.find(name)
        if answer is None:
            answer = one.ask(question)
            self.cache.add(name, answer)
        return answer

    def decide(self, obligation: Obligation) -> Decision:
        """Have every solver prove the obligation; stop at the first that does not."""
        whole = obligation.whole
        decision = Decision(question=question_of(whole, obligation.realm))
        hint: list[Term] = []
        for one in self.solvers:
            name = key(decision.question, f"{one.identity} near first")
            answer = self.cache.find(name)
            if answer is not None:
                decision.contradiction |= self.cache.find(name + CONTRADICTION) is not None
            else:
                decision.cached = False
                answer, used = _solve(one, obligation, whole, hint)
                self.cache.add(name, answer)
                if used and used[-1] is not whole[-1]:
                    decision.contradiction = True
                    self.cache.add(name + CONTRADICTION, answer)
                hint = decision.used = hint or used
            if answer.verdict is not Verdict.UNSAT:
                decision.failed = (one.name, answer.verdict)
                break
            decision.seconds[one.name] = answer.seconds
        return decision


def _solve(
    one: Solver, obligation: Obligation, whole: list[Term], hint: list[Term]
) -> tuple[Answer, list[Term]]:
    """Return a solver's answer, and the assertions that its proof used, if it tells."""
    few = hint or obligation.near
    seconds = 0.0
    answer = Answer(Verdict.UNKNOWN, seconds)
    for assertions, asked in ((few, one.hasty()), (whole, one), (few, one)):
        last = answer
        answer = asked.ask(question_of(assertions, obligation.realm))
        seconds += answer.seconds
        if answer.verdict is Verdict.UNSAT:
            return Answer(answer.verdict, seconds), [assertions[n] for n in answer.core]
        if assertions is whole and Verdict.SAT in (last.verdict, answer.verdict):
            break  # more work on fewer premises finds no proof
    return Answer(answer.verdict, seconds, answer.reason), []
