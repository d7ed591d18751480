"""Running the proof: steps spread over an Executor, reports gathered as they come."""

from __future__ import annotations

import json
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Final

from xenproofs.obligations.failing import find_states
from xenproofs.obligations.outcomes import Kind, StepReport
from xenproofs.obligations.proving import Options, StepProof
from xenproofs.obligations.statements import statements
from xenproofs.obligations.subjects import subjects
from xenproofs.obligations.walks import NAME as WALKS
from xenproofs.obligations.walks import prove_walks
from xenproofs.symbolic.axioms import COUNTING, word_axioms
from xenproofs.symbolic.scope import Unbounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXPECTED: Final = Path(__file__).with_name("expected.json")
HEAVY_FIRST: Final = ("replace_linear", "claim", "replace", "release", "empty", "fail_validation")
"""The steps with the most obligations, which are started first."""


@dataclass(slots=True)
class ProofRun:
    """The reports of every step, and how long it all took."""

    reports: list[StepReport] = field(default_factory=list[StepReport])
    seconds: float = 0.0

    def count(self, kind: Kind) -> int:
        """Return how many obligations came out so."""
        return sum(o.kind is kind for r in self.reports for o in r.outcomes)

    @property
    def green(self) -> bool:
        """Return whether every obligation is proved."""
        return bool(self.reports) and not any(r.failed for r in self.reports)


def prove_one(name: str, options: Options) -> StepReport:
    """Prove one step, and look for states that break what is not proved: what a worker runs."""
    if name == WALKS:
        return prove_walks(options)
    report = StepProof(subjects()[name], options).prove()
    find_states(subjects()[name], report)
    return report


def prove(names: Sequence[str], options: Options, executor: Executor) -> Iterator[StepReport]:
    """Prove some steps; give each report when it is there."""
    ordered = sorted(names, key=lambda n: (n not in HEAVY_FIRST, n))
    futures = [executor.submit(prove_one, name, options) for name in ordered]
    for future in as_completed(futures):
        yield future.result()


def local_executor(jobs: int) -> Executor:
    """Return an executor of processes of this machine, each of which starts afresh."""
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))


def chosen(subsystem: str | None, step: str | None) -> list[str]:
    """Return the names of the steps that were asked for, and of the theorems."""
    found = [s.name for s in subjects().values() if subsystem in (None, s.subsystem)]
    found += [WALKS] if subsystem in (None, "memory") else []
    return [name for name in found if step in (None, name)]


def axiom_count() -> int:
    """Return how many axioms the proofs may use."""
    return len(COUNTING) + len(word_axioms(Unbounded()))


def invariant_count() -> int:
    """Return how many statements are proved of each step."""
    return len(statements())


def numbers(report: StepReport) -> dict[str, int]:
    """Return the numbers of a step that are expected to stay."""
    return {
        "paths": report.paths,
        "refusals": report.refusals,
        "unasked": report.unasked,
        "unreachable": report.unreachable,
        "obligations": len(report.outcomes),
        "proved": report.proved,
        "trivial": report.trivial,
    }


def surprises(reports: Sequence[StepReport], *, whole: bool) -> list[str]:
    """Compare with the numbers that are checked in, both ways; `whole` if every step was run."""
    expected: dict[str, dict[str, int]] = json.loads(EXPECTED.read_text("utf-8")) if EXPECTED.exists() else {}
    found = {r.step: numbers(r) for r in reports}
    told = [
        f"{step}: {name} is {number}, expected {expected.get(step, {}).get(name)}"
        for step, those in sorted(found.items())
        for name, number in those.items()
        if expected.get(step, {}).get(name) != number
    ]
    return told + [
        f"{step}: expected, but not proved in this run"
        for step in sorted(set(expected) - set(found))
        if whole
    ]


def write_expected(reports: Sequence[StepReport]) -> None:
    """Check these numbers in as the expected ones."""
    found = {r.step: numbers(r) for r in sorted(reports, key=lambda r: r.step)}
    lines = [f'  "{step}": {json.dumps(those)}' for step, those in found.items()]
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
