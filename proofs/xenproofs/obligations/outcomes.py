"""What a proof run says: verdicts, one row for each obligation, one report for each step."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """How an obligation came out; only `proved` is green."""

    PROVED = "proved"
    VIOLATED = "violated"
    NOT_INDUCTIVE = "not inductive"
    UNDECIDED = "undecided"
    VACUOUS = "vacuous"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One obligation: a step's path and what must hold after it."""

    step: str
    path: int
    statement: str
    kind: Kind
    solvers: dict[str, float]
    """Seconds by solver, of those that proved it."""
    note: str = ""
    cached: bool = False
    used: tuple[str, ...] = ()
    """The statements that the proof used, where it was made now and its solver tells."""


@dataclass(slots=True)
class StepReport:
    """One step: its paths and obligations; or theorems, which follow from the invariants alone."""

    step: str
    subsystem: str
    paths: int = 0
    infeasible: int = 0
    refusals: int = 0
    unasked: int = 0
    """Of these, for what no contract asks."""
    unreachable: int = 0
    """Paths that end well, but that no state takes: their assumptions contradict each other."""
    trivial: int = 0
    seconds: float = 0.0
    cached: int = 0
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    questions: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Names and texts of the obligations, if they were asked for."""
    theorems: bool = False
    """These are no step's obligations."""

    @property
    def proved(self) -> int:
        """Return how many obligations every solver proved."""
        return sum(o.kind is Kind.PROVED for o in self.outcomes)

    @property
    def failed(self) -> list[Outcome]:
        """Return the obligations that are not proved."""
        return [o for o in self.outcomes if o.kind is not Kind.PROVED]
