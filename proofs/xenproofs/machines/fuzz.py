"""The fuzz engine: episodes of random moves, in one process or several, until time is up or something breaks.

    report = Campaign(Plan(seed=1), seconds=60, jobs=2, tell=print).run()

Listeners are told how far it is, what was found (at once, as long as it is), and how the shrinking goes. The
first breach ends the search, and is kept where there is a database, whose stories are played again first. The
same seed and number of episodes give the same report, but for times; with a
limit of time, or several processes that find different breaches, what is found first is what is reported.
"""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from xenproofs.machines.episode import Episode, Plan, play
from xenproofs.machines.faults import fault_named
from xenproofs.machines.outcomes import unreached
from xenproofs.machines.planting import planted
from xenproofs.machines.shrink import Shrinker
from xenproofs.machines.story import Story
from xenproofs.machines.traces import Trace, keep, kept, trace_of

SCHEMA_VERSION = 1
KEPT = -1
"""The episode of a story that was kept from an earlier campaign."""
OTHERS = 12
"""Episodes after the one that broke something, of which one may break the same by a shorter story."""
SHORT = 2
"""Moves of a story that is short enough."""
AHEAD = 2
"""Episodes given out beforehand, to each process."""


@dataclass(frozen=True, slots=True)
class Running:
    """How far a campaign has come."""

    episodes: int
    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Found:
    """A breach, as long as it was found."""

    story: Story


@dataclass(frozen=True, slots=True)
class Shrinking:
    """How far the shrinking of a story has come."""

    used: int
    budget: int
    moves: int


Notice = Running | Found | Shrinking


@dataclass(slots=True)
class FuzzReport:
    """What a campaign has done and found."""

    plan: Plan
    seconds: float = 0.0
    episodes: int = 0
    calls: int = 0
    steps: int = 0
    coverage: Counter[str] = field(default_factory=Counter[str])
    stories: list[Story] = field(default_factory=list[Story])
    files: list[Path] = field(default_factory=list[Path])
    """Where the stories are kept."""
    replayed: int = 0
    """Stories of earlier campaigns that were played again."""

    def add(self, episode: Episode) -> None:
        """Count an episode."""
        self.episodes += 1
        self.calls += episode.calls
        self.steps += episode.steps
        self.coverage += episode.coverage

    @property
    def unreached(self) -> list[str]:
        """Outcomes that real Xen was seen to answer, and no call ended with."""
        return unreached(self.coverage, self.plan.subsystem)

    @property
    def calls_per_second(self) -> float:
        """Calls a second, all processes together, every check included."""
        return self.calls / self.seconds if self.seconds else 0.0

    def as_data(self) -> dict[str, object]:
        """Return the report as JSON data."""
        return {
            "schema_version": SCHEMA_VERSION,
            "seed": self.plan.seed,
            "steps": self.steps,
            "calls": self.calls,
            "calls_per_s": round(self.calls_per_second, 1),
            "seconds": round(self.seconds, 3),
            "coverage": dict(sorted(self.coverage.items())),
            "unreached": self.unreached,
            "violations": [
                {"invariant": s.breach.name, "story_calls": len(s.moves), "trace": s.trace}
                for s in self.stories
            ],
        }


def _quiet(_notice: Notice) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Campaign:
    """A search with a plan, a limit of time, and perhaps one of episodes."""

    plan: Plan
    seconds: float
    jobs: int = 1
    episodes: int | None = None
    shrink_candidates: int = 3000
    shrink_seconds: float = 60
    database: Path | None = None
    """The folder of the stories that were found before; none: nothing is kept."""
    tell: Callable[[Notice], None] = _quiet

    def run(self) -> FuzzReport:
        """Search, and shrink what is found."""
        report = FuzzReport(self.plan)
        begun = time.monotonic()
        if self._again(report):
            report.seconds = time.monotonic() - begun
            return report
        broken: Episode | None = None
        for episode in self._alone(begun) if self.jobs == 1 else self._together(begun):
            report.add(episode)
            report.seconds = time.monotonic() - begun
            self.tell(Running(report.episodes, report.calls, report.seconds))
            if episode.breach is not None:
                broken = episode
                break
        if broken is not None:
            self._found(report, self.shrunk(broken))
        return report

    def _found(self, report: FuzzReport, story: Story) -> None:
        """Report a story, and keep it."""
        report.stories.append(story)
        if self.database is not None:
            report.files.append(keep(trace_of(story, self.plan.subsystem), self.database))

    def _again(self, report: FuzzReport) -> bool:
        """Play the stories of earlier campaigns with this plan; return whether one still breaks something."""
        for trace in filter(self._concerns, kept(self.database)):
            report.replayed += 1
            report.calls += len(trace.moves)
            found = trace.play()
            if found is None:
                continue
            length = len(trace.moves)
            story = Story(found, trace.moves, KEPT, length, every_step=trace.every_step, fault=trace.fault)
            self.tell(Found(story))
            self._found(report, story)
            return True
        return False

    def _concerns(self, trace: Trace) -> bool:
        plan = self.plan
        return (trace.subsystem, trace.fault, trace.every_step) == (
            plan.subsystem,
            plan.fault,
            plan.every_step,
        )

    def _numbers(self, begun: float) -> Iterator[int]:
        """Give the numbers of episodes until time is up."""
        number = 0
        while time.monotonic() - begun < self.seconds and (self.episodes is None or number < self.episodes):
            yield number
            number += 1

    def _alone(self, begun: float) -> Iterator[Episode]:
        for number in self._numbers(begun):
            yield play(self.plan, number)

    def _together(self, begun: float) -> Iterator[Episode]:
        """Play episodes in several processes; give them as they end."""
        numbers = self._numbers(begun)
        with ProcessPoolExecutor(self.jobs, initializer=_worker) as workers:
            try:
                yield from self._as_they_end(workers, numbers)
            finally:
                workers.shutdown(wait=False, cancel_futures=True)

    def _as_they_end(self, workers: Executor, numbers: Iterator[int]) -> Iterator[Episode]:
        """Keep the processes busy; give episodes as they end."""

        def submitted(count: int) -> set[Future[Episode]]:
            return {workers.submit(play, self.plan, number) for number in islice(numbers, count)}

        pending = submitted(self.jobs * AHEAD)
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (one.result() for one in done)
            pending |= submitted(len(done))

    def shrunk(self, episode: Episode) -> Story:
        """Tell what was found, then make it short; what the next episodes find of the same may be shorter."""
        best = self._long(episode)
        self.tell(Found(best))
        deadline = time.monotonic() + self.shrink_seconds
        best = self._shortened(best, self.shrink_candidates, self.shrink_seconds)
        used, number = best.candidates, episode.number
        while number < episode.number + OTHERS and len(best.moves) > SHORT:
            number += 1
            left = deadline - time.monotonic()
            if used >= self.shrink_candidates or left <= 0:
                break
            other = play(self.plan, number)
            if other.breach is None or other.breach.name != best.breach.name:
                continue
            retold = self._shortened(self._long(other), self.shrink_candidates - used, left)
            used += retold.candidates
            best = min(best, retold, key=lambda story: len(story.moves))
        return replace(best, candidates=used)

    def _long(self, episode: Episode) -> Story:
        """Return the story of an episode's breach as it was found."""
        breach = episode.breach
        if breach is None:
            raise ValueError(episode.number)
        return Story(
            breach,
            episode.moves,
            episode.number,
            len(episode.moves),
            every_step=self.plan.every_step,
            fault=self.plan.fault,
        )

    def _shortened(self, story: Story, candidates: int, seconds: float) -> Story:
        """Return a story with what it can do without left out, as far as the budget goes."""
        shrinker = Shrinker(
            list(story.moves),
            story.breach.name,
            every_step=self.plan.every_step,
            budget=candidates,
            seconds=seconds,
            progress=lambda used, left: self.tell(Shrinking(used, candidates, left)),
        )
        with planted(fault_named(self.plan.fault)):
            moves = tuple(shrinker.run())
        return replace(story, breach=shrinker.shortest or story.breach, moves=moves, candidates=shrinker.used)


def _worker() -> None:
    """Leave an interrupt to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
