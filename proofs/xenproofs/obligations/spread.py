"""How much the proof depends on seeds: `python -m xenproofs.obligations.spread [SEEDS [STEP …]]`.

All obligations are proved by both solvers, with no cache, once for each seed. An obligation that only some
seeds prove, or that takes far longer with some, is one that the next small change may lose. Ends with 1 if
any seed leaves any obligation unproved.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from xenproofs.obligations.outcomes import Kind
from xenproofs.obligations.proving import Options
from xenproofs.obligations.running import local_executor, prove
from xenproofs.obligations.subjects import subjects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xenproofs.obligations.outcomes import StepReport

SHOWN: Final = 10
SHORT: Final = 0.05
"""Seconds below which a spread says nothing."""

Name = tuple[str, int, str]


@dataclass(slots=True)
class Spread:
    """Seconds of every obligation, seed by seed, and what was left unproved."""

    seconds: dict[Name, list[float]] = field(default_factory=lambda: defaultdict[Name, list[float]](list))
    unproved: dict[Name, list[int]] = field(default_factory=lambda: defaultdict[Name, list[int]](list))

    def add(self, seed: int, report: StepReport) -> None:
        """Take over what one seed made of a step."""
        for o in report.outcomes:
            name = (o.step, o.path, o.statement)
            if o.kind is Kind.PROVED:
                self.seconds[name].append(sum(o.solvers.values()))
            else:
                self.unproved[name].append(seed)

    def widest(self) -> list[tuple[float, Name]]:
        """Return the obligations whose slowest seed is farthest from the quickest, as ratios."""
        known = [(max(s) / max(min(s), SHORT), name) for name, s in self.seconds.items() if max(s) > SHORT]
        return sorted(known, reverse=True)[:SHOWN]


def run(seeds: int, names: Sequence[str]) -> tuple[Spread, list[float]]:
    """Prove everything once for each seed; return the spread, and the seconds that each seed took."""
    spread, took = Spread(), list[float]()
    for seed in range(1, seeds + 1):
        began = time.perf_counter()
        with local_executor(2) as executor:
            for report in prove(names, Options(solvers=("z3", "cvc5"), cache=False, seed=seed), executor):
                spread.add(seed, report)
        took.append(time.perf_counter() - began)
    return spread, took


def main(arguments: Sequence[str]) -> int:
    """Print the spread."""
    seeds = int(arguments[0]) if arguments else 5
    spread, took = run(seeds, arguments[1:] or list(subjects()))
    say = sys.stdout.write
    say(f"{len(spread.seconds)} obligations, seeds 1..{seeds}: {', '.join(f'{s:.0f} s' for s in took)}\n")
    for ratio, (step, path, statement) in spread.widest():
        times = ", ".join(f"{s:.2f}" for s in spread.seconds[step, path, statement])
        say(f"  {ratio:5.1f} times  {step}, path {path}: {statement}: {times} s\n")
    for (step, path, statement), without in spread.unproved.items():
        say(f"  not proved with seeds {without}: {step}, path {path}: {statement}\n")
    return 1 if spread.unproved else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
