"""Running the proof of rings: the facts of indices, and every step, by each solver on its own."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from xenproofs.obligations.ring_facts import decided, ring_facts
from xenproofs.obligations.ring_steps import RingProof, RingReport, ring_steps
from xenproofs.solvers.cvc5_solver import Cvc5
from xenproofs.solvers.z3_solver import Z3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xenproofs.obligations.deciding import Solver

EXPECTED: Final = Path(__file__).with_name("ring_expected.json")
PATIENCE: Final = 10
"""How much more work than usual a question about indices may be."""


def solver_named(name: str, seed: int = 1) -> Solver:
    """Return Z3 or cvc5, with the patience that arithmetic of 32 bits needs."""
    if name == "z3":
        return Z3(rlimit=PATIENCE * Z3().rlimit, seed=seed)
    return Cvc5(rlimit=PATIENCE * Cvc5().rlimit, seed=seed)


@dataclass(slots=True)
class RingRun:
    """What became of the facts and of every step."""

    solvers: tuple[str, ...]
    facts: int = 0
    altered: int = 0
    wrong: list[str] = field(default_factory=list[str])
    """Facts that were not proved, or altered ones that were not refuted."""
    reports: list[RingReport] = field(default_factory=list[RingReport])
    seconds: float = 0.0

    @property
    def violated(self) -> list[str]:
        """Return the obligations that a solver refutes."""
        return [name for report in self.reports for name in report.refuted]

    @property
    def undecided(self) -> list[str]:
        """Return the obligations that no solver refutes and not every one proves."""
        return [name for report in self.reports for name in report.undecided]

    def numbers(self) -> dict[str, list[int]]:
        """Return the numbers that are expected to stay: paths, refusals, proved, trivial, by step."""
        return {r.step: [r.paths, r.refusals, r.proved, r.trivial] for r in self.reports}

    def surprises(self) -> list[str]:
        """Return the steps whose numbers differ from those that are checked in."""
        expected: dict[str, list[int]] = json.loads(EXPECTED.read_text("utf-8"))
        found = self.numbers()
        return [
            f"{step}: {found.get(step)}, expected {expected.get(step)}"
            for step in sorted(expected.keys() | found.keys())
            if found.get(step) != expected.get(step)
        ]

    def as_data(self) -> dict[str, object]:
        """Return the run as JSON data."""
        return {
            "schema_version": 1,
            "solvers": list(self.solvers),
            "facts": self.facts,
            "altered": self.altered,
            "wrong": self.wrong,
            "steps": len(self.reports),
            "obligations": sum(r.obligations for r in self.reports),
            "proved": sum(r.proved for r in self.reports),
            "trivial": sum(r.trivial for r in self.reports),
            "violated": self.violated,
            "undecided": self.undecided,
            "seconds": round(self.seconds, 2),
        }


def prove_rings(
    names: tuple[str, ...],
    *,
    seed: int = 1,
    steps: Iterable[str] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> RingRun:
    """Prove the facts and the steps; with two solvers, each of them everything."""
    began = time.perf_counter()
    solvers = tuple(solver_named(name, seed) for name in names)
    run = RingRun(names)
    for fact in ring_facts():
        tell(fact.name)
        run.facts += fact.holds
        run.altered += not fact.holds
        run.wrong += [f"{fact.name} ({solver.name})" for solver in solvers if not decided(fact, solver)]
    for step in ring_steps() if steps is None else steps:
        tell(step)
        run.reports.append(RingProof(step, solvers).prove())
    run.seconds = time.perf_counter() - began
    return run


def write_expected(run: RingRun) -> None:
    """Check the numbers of a run in as the expected ones."""
    lines = [f'  "{step}": {json.dumps(those)}' for step, those in sorted(run.numbers().items())]
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
