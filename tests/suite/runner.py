"""Runs the stages of a plan, as many at a time as there are cores for, and keeps what came of each.

A stage's command runs in a process group of its own, so that a time limit or an interrupt ends all of it.
Its output goes to a file under `.suite/`, never to a pipe that could fill.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.suite.table import Plan, Stage

LOGS: Final = ".suite"
TICK: Final = 0.05
GRACE: Final = 5.0

Verdict = Literal["ok", "failed", "not run"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a stage; `reason` is empty for one that is ok."""

    stage: Stage
    verdict: Verdict
    seconds: float
    reason: str = ""
    out_of_time: bool = False
    """Whether the suite's own budget kept the stage from running: that fails the suite."""


@dataclass(slots=True)
class Job:
    """A stage whose command is running."""

    stage: Stage
    process: subprocess.Popen[bytes]
    began: float


class Runner:
    """Runs one plan in the tree at `root`, and tells `ended` of each stage as soon as it has ended."""

    def __init__(self, root: Path, plan: Plan, cores: int, ended: Callable[[Outcome], None]) -> None:
        self.root = root
        self.plan = plan
        self.cores = cores
        self.ended = ended
        self.waiting = list(plan.stages)
        self.running: list[Job] = []
        self.done: dict[str, Outcome] = {}

    def run(self) -> list[Outcome]:
        """Run every stage; the outcomes come back in the order of the plan."""
        (self.root / LOGS).mkdir(exist_ok=True)
        self.deadline = time.monotonic() + self.plan.budget
        try:
            while self.waiting or self.running:
                self._start_what_can()
                self._collect()
                time.sleep(TICK)
        finally:
            for job in self.running:
                _end(job.process)
        return [self.done[stage.name] for stage in self.plan.stages]

    def _start_what_can(self) -> None:
        for stage in list(self.waiting):
            if (refusal := self._refusal(stage)) is not None:
                self.waiting.remove(stage)
                self._finish(refusal)
            elif any(name not in self.done for name in self._awaited(stage)):
                continue
            elif sum(job.stage.cores for job in self.running) + min(stage.cores, self.cores) <= self.cores:
                self.waiting.remove(stage)
                self._start(stage)
            else:
                break  # nothing overtakes it, or a stage that needs every core would never run

    def _awaited(self, stage: Stage) -> list[str]:
        """Give the stages of this plan that it follows; those that were not asked for do not hold it up."""
        return [name for name in stage.after if any(name == other.name for other in self.plan.stages)]

    def _refusal(self, stage: Stage) -> Outcome | None:
        """Give the outcome of a stage that will not be run, or None."""
        absent = [path for path in stage.needs if not (self.root / path).exists()]
        if absent:
            return Outcome(stage, "not run", 0.0, f"absent: {', '.join(absent)}")
        spoilt = [name for name in stage.after if name in self.done and self.done[name].verdict != "ok"]
        if spoilt:
            return Outcome(
                stage, "not run", 0.0, f"after {spoilt[0]}, which was {self.done[spoilt[0]].verdict}"
            )
        if time.monotonic() >= self.deadline:
            return Outcome(stage, "not run", 0.0, "the suite's time was used up", out_of_time=True)
        return None

    def _start(self, stage: Stage) -> None:
        with log_of(self.root, stage).open("wb") as log:
            process = subprocess.Popen(
                stage.command,
                cwd=self.root,
                env={**os.environ, "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running.append(Job(stage, process, time.monotonic()))

    def _collect(self) -> None:
        for job in list(self.running):
            outcome = self._outcome(job)
            if outcome is not None:
                self.running.remove(job)
                self._finish(outcome)

    def _outcome(self, job: Job) -> Outcome | None:
        """Give what came of a job, or None while it may go on."""
        now = time.monotonic()
        code = job.process.poll()
        if code == 0:
            return Outcome(job.stage, "ok", now - job.began)
        if code is not None:
            return Outcome(job.stage, "failed", now - job.began, _ending(code))
        if now >= min(job.began + job.stage.limit, self.deadline):
            _end(job.process)
            whose = f"its limit of {job.stage.limit} s" if now < self.deadline else "the suite's time"
            return Outcome(job.stage, "failed", now - job.began, f"ended after {whose}")
        return None

    def _finish(self, outcome: Outcome) -> None:
        self.done[outcome.stage.name] = outcome
        self.ended(outcome)


def log_of(root: Path, stage: Stage) -> Path:
    """Say which file keeps the output of a stage."""
    return root / LOGS / f"{re.sub(r'[^a-z0-9]+', '-', stage.name.lower())}.log"


def _ending(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"ended by signal {-code}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
