"""What a solver answers, and how a question is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from xenproofs.symbolic.terms import symbols, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xenproofs.symbolic.terms import Sort, Term


class Verdict(Enum):
    """A solver's own word."""

    UNSAT = "unsat"
    SAT = "sat"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict, how long it took; for `sat` the values of the question's constants.

    `core` has, for `unsat`, the places of the assertions that the refutation used, if the solver tells.
    """

    verdict: Verdict
    seconds: float
    reason: str = ""
    values: dict[str, str] = field(default_factory=dict[str, str])
    core: tuple[int, ...] = ()


def script(
    assertions: Sequence[Term],
    preamble: str = "",
    declared: Sequence[Sort] = (),
    given: frozenset[str] = frozenset(),
) -> str:
    """Return the SMT-LIB text of a satisfiability question.

    `preamble` declares datatypes over the sorts `declared`, and all that is named in `given`.
    """
    functions, sorts = symbols(assertions)
    every = sorted({sort.name for sort in (*sorts, *declared)} - given)
    lines = [f"(declare-sort {name} 0)" for name in every]
    lines.append(preamble)
    for f in functions:
        if f.name not in given:
            domain = " ".join(s.name for s in f.domain)
            lines.append(f"(declare-fun {f.name} ({domain}) {f.range.name})")
    lines += [f"(assert {text(a)})" for a in assertions]
    return "\n".join(line for line in lines if line) + "\n"
