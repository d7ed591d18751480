"""What each invariant is for: `python -m xenproofs.obligations.support [--jobs N] [STEP …]`.

Z3 proves every obligation and tells which premises its proof used (the unsat core). The table says of each
statement, which is assumed before every step and proved after it:

- how many obligations of other statements, of contracts, refusals and transitions used it, in how many steps:
  its inductive support, without which another proof would have to be found;
- `implied by the others`, where a solver proves it of every state in which all others hold: it could be left
  out, and stays for what it says or because proofs are short with it.

A statement that supports nothing is there for its own sake: it is what is to be proved.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from xenproofs.obligations.deciding import question_of
from xenproofs.obligations.failing import bare
from xenproofs.obligations.proving import Before, Options, StepProof, before
from xenproofs.obligations.running import local_executor
from xenproofs.obligations.statements import Statement, statements
from xenproofs.obligations.subjects import subjects
from xenproofs.solvers.verdict import Verdict
from xenproofs.solvers.z3_solver import Z3
from xenproofs.symbolic import terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xenproofs.obligations.outcomes import Outcome

RLIMIT: Final = 1_000_000
"""Z3's bound of work for whether a statement is implied by the others."""


@dataclass(slots=True)
class Support:
    """The obligations whose proofs used a statement, by step."""

    by_step: dict[str, int] = field(default_factory=lambda: defaultdict[str, int](int))

    def __str__(self) -> str:
        if not self.by_step:
            return "supports no other"
        return f"supports {sum(self.by_step.values())} obligations of {len(self.by_step)} steps"


def outcomes_of(step: str) -> list[Outcome]:
    """Prove a step, by Z3 alone and without the cache; what a worker runs."""
    return StepProof(subjects()[step], Options(cache=False)).prove().outcomes


def supports(outcomes: Iterable[Outcome]) -> dict[str, Support]:
    """Return what each statement supports beside itself."""
    found: dict[str, Support] = defaultdict(Support)
    for outcome in outcomes:
        for name in outcome.used:
            if name != bare(outcome.statement):
                found[name].by_step[outcome.step] += 1
    return found


def is_implied(statement: Statement, start: Before) -> bool:
    """Return whether a statement holds of every state in which all others of its realm hold."""
    own = start.formulas[statement.name]
    others = [premise for premise in start.known[statement.realm.name] if premise is not own]
    question = question_of([*others, terms.negation(own)], statement.realm)
    return Z3(rlimit=RLIMIT).ask(question).verdict is Verdict.UNSAT


def row(statement: Statement, support: Support, *, implied: bool) -> str:
    """Return a row of the table."""
    return f"{statement.name}: {support}{'; implied by the others' * implied}"


def main(arguments: Sequence[str]) -> int:
    """Print the table; the result is never a failure, but a table to be read."""
    jobs = int(arguments[1]) if arguments[:1] == ["--jobs"] else 2
    chosen = list(arguments[2:] if arguments[:1] == ["--jobs"] else arguments) or list(subjects())
    with local_executor(jobs) as executor:
        found = supports(o for of_step in executor.map(outcomes_of, chosen) for o in of_step)
    start, implied, idle = before(), 0, 0
    for statement in statements():
        follows = is_implied(statement, start)
        implied, idle = implied + follows, idle + (not found[statement.name].by_step)
        sys.stdout.write(row(statement, found[statement.name], implied=follows) + "\n")
        sys.stdout.flush()
    told = f"{len(statements())} statements: {idle} support no other, {implied} are implied by the others\n"
    sys.stdout.write(told)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
