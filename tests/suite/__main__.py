"""`python -m tests.suite PLAN`: run the stages of a plan and print a table of what came of each.

Exit codes: 0 if no stage failed and one was ok, 1 otherwise or if the time was used up, 2 for wrong usage,
130 if interrupted. A stage that was not run is listed as such, with the reason, and is never counted as ok.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.suite.runner import Outcome, Runner, log_of
from tests.suite.table import PLANS, Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
FAILED_LINES: Final = 150


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a plan from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.suite", description="Run the stages of a plan.")
    parser.add_argument("plan", choices=sorted(PLANS))
    parser.add_argument("--only", nargs="+", metavar="STAGE", help="run these stages alone")
    parser.add_argument("--list", action="store_true", help="list the stages and stop")
    parser.add_argument("--cores", type=int, default=min(2, os.cpu_count() or 1), help="cores to keep busy")
    options = parser.parse_args(arguments)
    plan = PLANS[options.plan]
    if options.only:
        unknown = set(options.only) - {stage.name for stage in plan.stages}
        if unknown:
            parser.error(f"no such stage: {', '.join(sorted(unknown))}")
        plan = Plan(tuple(stage for stage in plan.stages if stage.name in options.only), plan.budget)
    if options.list:
        print("\n".join(f"{stage.name:20} {spelled(stage.command)}" for stage in plan.stages))
        return 0
    return run(options.plan, plan, options.cores)


def run(name: str, plan: Plan, cores: int) -> int:
    """Run a plan and report on it."""
    began = time.monotonic()
    try:
        outcomes = Runner(ROOT, plan, cores, show).run()
    except KeyboardInterrupt:
        print("interrupted; the stages that ran were ended", flush=True)
        return 130
    print(table(name, outcomes, time.monotonic() - began), flush=True)
    fails = any(outcome.verdict == "failed" or outcome.out_of_time for outcome in outcomes)
    return int(fails or not any(outcome.verdict == "ok" for outcome in outcomes))


def spelled(command: tuple[str, ...]) -> str:
    """Spell a command as a person would type it in the environment."""
    return " ".join(Path(word).name if Path(word).is_absolute() else word for word in command)


def show(outcome: Outcome) -> None:
    """Print the end of a stage's output as soon as it has ended."""
    stage = outcome.stage
    print(f"=== {stage.name}: {outcome.verdict} {f'({outcome.reason}) ' if outcome.reason else ''}===")
    if outcome.verdict != "not run":
        log = log_of(ROOT, stage)
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        keep = stage.shown if outcome.verdict == "ok" else FAILED_LINES
        if len(lines) > keep:
            print(f"[{len(lines) - keep} earlier lines are in {log.relative_to(ROOT)}]")
        print("\n".join(lines[-keep:]))
    sys.stdout.flush()


def table(name: str, outcomes: Sequence[Outcome], seconds: float) -> str:
    """Lay out what came of each stage; the last line counts each verdict apart."""
    width = max(len(outcome.stage.name) for outcome in outcomes)
    rows = [f"{'stage':{width}}  verdict  seconds  reason"]
    rows += [
        f"{one.stage.name:{width}}  {one.verdict:7}  {one.seconds:7.1f}  {one.reason}".rstrip()
        for one in outcomes
    ]
    verdicts = [outcome.verdict for outcome in outcomes]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in ("ok", "failed", "not run"))
    return "\n".join(["", *rows, f"suite {name}: {counts}, in {seconds:.1f} s"])


if __name__ == "__main__":
    sys.exit(main())
