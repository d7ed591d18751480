"""Breadth first over the executable: every state of a scope once, all invariants held in each.

    report = Explorer(SCOPES["alone"], jobs=2).run()

Level after level; the states of a level are shared out among processes, which send back what follows. States
are compared by 128-bit digests of their canonical forms, so that counts do not depend on the number of
processes. The first level with a breach ends the search, with a shortest story.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice

from xenproofs.explorer.walker import Next, Place, SmallScope, Transition, Walker
from xenproofs.machines.planting import Fault, planted

SCHEMA_VERSION = 1
SHARE = 16
"""States that a process is given at a time."""


@dataclass(frozen=True, slots=True)
class Node:
    """A state and the way to it."""

    place: Place | None
    parent: "Node | None"
    by: Transition | None


@dataclass(frozen=True, slots=True)
class Counterexample:
    """An invariant that is broken, and the shortest way there."""

    invariant: str
    text: str
    story: tuple[str, ...]
    others: tuple[str, ...] = ()
    """What else is broken there."""


@dataclass(slots=True)
class ExploreReport:
    """What an exploration has visited and found."""

    scope: str
    symmetry: bool
    states: int = 0
    transitions: int = 0
    depth: int = 0
    complete: bool = True
    seconds: float = 0.0
    violations: list[Counterexample] = field(default_factory=list[Counterexample])

    def as_data(self) -> dict[str, object]:
        """Return the report as JSON data."""
        return {
            "schema_version": SCHEMA_VERSION,
            "scope": self.scope,
            "states": self.states,
            "transitions": self.transitions,
            "depth": self.depth,
            "complete": self.complete,
            "symmetry": self.symmetry,
            "seconds": round(self.seconds, 3),
            "violations": [
                {"invariant": v.invariant, "story_calls": len(v.story), "trace": list(v.story)}
                for v in self.violations
            ],
        }


class Explorer:
    """Visits the states of one scope."""

    def __init__(
        self,
        scope: SmallScope,
        *,
        symmetry: bool = True,
        jobs: int = 1,
        fault: Fault | None = None,
        most: int | None = None,
        tell: Callable[[ExploreReport], None] = lambda _: None,
    ) -> None:
        """Prepare a search; `most`: states after which it is given up as not complete."""
        self.scope = scope
        self._symmetry, self._jobs, self._fault, self._most = symmetry, jobs, fault, most
        self._walker = Walker(scope, symmetry=symmetry)
        self._tell = tell
        self.report = ExploreReport(scope.name, symmetry)

    def run(self) -> ExploreReport:
        """Visit every state, until one breaks something."""
        begun = time.monotonic()
        report = self.report
        place, key, broken = self._walker.start()
        if broken is not None:
            report.violations.append(Counterexample(broken.name, broken.text, (), broken.others))
        seen = {key}
        level = [Node(place, None, None)]
        with ExitStack() as stack:
            stack.enter_context(planted(self._fault))
            workers = stack.enter_context(self._workers()) if self._jobs > 1 else None
            while level and not report.violations:
                if self._is_far_enough():
                    report.complete = False
                    break
                level = self._level(level, seen, workers, begun)
                report.depth += bool(level) or bool(report.violations)
        report.complete = report.complete and not report.violations
        report.seconds = time.monotonic() - begun
        return report

    def _is_far_enough(self) -> bool:
        deepest = self.scope.depth is not None and self.report.depth >= self.scope.depth
        return deepest or (self._most is not None and self.report.states >= self._most)

    def _workers(self) -> Executor:
        return ProcessPoolExecutor(
            self._jobs, initializer=_prepare, initargs=(self.scope, self._symmetry, self._fault)
        )

    def _level(
        self, level: list[Node], seen: set[bytes], workers: Executor | None, begun: float
    ) -> list[Node]:
        """Visit what follows the states of a level; return the states of the next one."""
        report = self.report
        deeper: list[Node] = []
        for node, found in zip(level, self._following(level, workers), strict=True):
            for one in found:
                report.transitions += 1
                if one.broken is not None:
                    story = self._story(Node(one.place, node, one.by))
                    broken = one.broken
                    report.violations.append(Counterexample(broken.name, broken.text, story, broken.others))
                    report.states = len(seen)
                    return deeper
                if one.key not in seen:
                    seen.add(one.key)
                    deeper.append(Node(one.place, node, one.by))
            report.states, report.seconds = len(seen), time.monotonic() - begun
            self._tell(report)
        return deeper

    def _following(self, level: list[Node], workers: Executor | None) -> Iterator[Iterable[Next]]:
        """Give what follows each state of a level, in the level's order."""
        if workers is None:
            yield from (self._walker.following(place) for place in _places(level))
            return
        shares = _shares(_places(level))
        for answers in workers.map(_follow, shares):
            yield from answers

    def _story(self, node: Node) -> tuple[str, ...]:
        """Tell the way to a state."""
        told: list[str] = []
        step: Node | None = node
        while step is not None and step.by is not None:
            told.append(self._walker.tell(step.by))
            step = step.parent
        return tuple(reversed(told))


def _places(level: list[Node]) -> Iterator[Place]:
    for node in level:
        if node.place is None:
            raise LookupError(node.by)
        yield node.place


def _shares(places: Iterator[Place]) -> Iterator[list[Place]]:
    while share := list(islice(places, SHARE)):
        yield share


WALKERS: list[Walker] = []
"""A process's own walker."""
REPORTED: set[bytes] = set()
"""States that this process has sent back before: once is enough, what leads there is only counted."""
STACK = ExitStack()


def _prepare(scope: SmallScope, symmetry: bool, fault: Fault | None) -> None:  # noqa: FBT001 - of an initializer
    walker = Walker(scope, symmetry=symmetry)
    walker.start()
    STACK.enter_context(planted(fault))
    WALKERS.append(walker)


def _follow(share: list[Place]) -> list[list[Next]]:
    """Return what follows some states; the place of a state that was sent before is left out."""
    return [[_without_known(one) for one in WALKERS[0].following(place)] for place in share]


def _without_known(one: Next) -> Next:
    if one.key in REPORTED:
        return Next(one.by, one.key, None, one.broken)
    REPORTED.add(one.key)
    return one
