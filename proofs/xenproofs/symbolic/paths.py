"""Paths through a step: a decision forks, the other side is explored by running the step again.

A condition is decided once on a path and then known. Before it forks a path asks whether each side is
feasible under what is known so far; only an `unsat` closes a side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from xenproofs.symbolic import terms
from xenproofs.symbolic.terms import FALSE, TRUE, Term
from xenproofs.symbolic.traps import LoopError, OutsideStepError

MOST_DECISIONS = 60
"""A loop-free step with O(1) rows decides far fewer conditions."""

Feasible = Callable[[list[Term]], bool]


@dataclass(slots=True)
class Path:
    """One run of a step: what was decided, assumed and claimed on the way."""

    prefix: tuple[bool, ...]
    feasible: Feasible
    decided: dict[Term, bool] = field(default_factory=dict[Term, bool])
    facts: list[Term] = field(default_factory=list[Term])
    """Instances of listed axioms (xenproofs.symbolic.axioms)."""
    claims: list[tuple[str, Term]] = field(default_factory=list[tuple[str, Term]])
    """Obligations that arise on the way: a holder is new, a holder is present."""
    forks: list[tuple[bool, ...]] = field(default_factory=list[tuple[bool, ...]])
    disabled: frozenset[str] = frozenset()
    """Names of axioms that are left out, to see which proofs need them."""
    infeasible: int = 0
    running: bool = True
    outcome: str = "done"
    """`done`, or `refused: GUARD`."""

    @property
    def conditions(self) -> list[Term]:
        """Return what was decided, as formulas."""
        return [c if side else terms.negation(c) for c, side in self.decided.items()]

    def decide(self, condition: Term) -> bool:
        """Choose a side of a condition: a known one, the one to explore, or the first feasible one."""
        if condition is TRUE or condition is FALSE:
            return condition is TRUE
        if not self.running:
            raise OutsideStepError(f"bool() of {condition}")
        if condition in self.decided:
            return self.decided[condition]
        opposite = terms.negation(condition)
        if opposite in self.decided:
            return not self.decided[opposite]
        if len(self.decided) >= MOST_DECISIONS:
            raise LoopError(
                f"more than {MOST_DECISIONS} decisions on one path: a loop over a symbolic bound?"
            )
        side = self._choose(condition, opposite)
        self.decided[condition] = side
        return side

    def _choose(self, condition: Term, opposite: Term) -> bool:
        position = len(self.decided)
        if position < len(self.prefix):
            return self.prefix[position]
        known = self.conditions + self.facts
        if not self.feasible([*known, condition]):
            self.infeasible += 1
            return False
        if self.feasible([*known, opposite]):
            self.forks.append((*self.decided.values(), False))
        else:
            self.infeasible += 1
        return True

    def assume(self, fact: Term) -> None:
        """Note an instance of an axiom; only xenproofs.symbolic.axioms calls this."""
        self.facts.append(fact)

    def claim(self, name: str, formula: Term) -> None:
        """Note something that must hold here, whatever the invariants say."""
        self.claims.append((name, formula))


def explore(
    run: Callable[[Path], None], feasible: Feasible, disabled: frozenset[str] = frozenset()
) -> Iterator[Path]:
    """Run a step along every feasible path."""
    waiting: list[tuple[bool, ...]] = [()]
    while waiting:
        path = Path(waiting.pop(), feasible, disabled=disabled)
        run(path)
        path.running = False
        waiting += path.forks
        yield path
