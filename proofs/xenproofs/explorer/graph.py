"""Breadth first over a small world whose states are plain data: every state once, then every cycle.

Looked for are: a broken invariant, in each state; a transition that its abstraction does not allow; a state
in which nothing more is going to happen although somebody waits; and a fair cycle, a run that goes on for
ever while somebody waits all along. The first of these ends the search with a shortest story. Cycles are not
looked for where states that differ by an exchange of actors are one: such a cycle need not be one of a run.
"""

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from xenproofs.explorer.cycles import Change, Edge, Waits, fair_cycle
from xenproofs.explorer.search import Counterexample, ExploreReport

S = TypeVar("S", bound=Hashable)
T = TypeVar("T", bound=Change)
TOLD_EVERY = 1000


class Broken(NamedTuple):
    """What is broken: the name of an invariant, and a sentence."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Goal(Generic[T]):
    """What is to come some time, and the transitions before and after which one waits for it."""

    broken: Broken
    waits: Waits[T]
    strong: Callable[[Hashable], bool] = lambda _: False


class SmallWorld(Protocol[S, T]):
    """A world of few states: it can be brought to each, and says what may happen and what is broken."""

    @property
    def name(self) -> str:
        """The scope's name."""
        ...

    @property
    def symmetry(self) -> bool:
        """Whether `save` gives the same for states that differ by an exchange of alike actors only."""
        ...

    def save(self) -> S:
        """Return the state that the world is in."""
        ...

    def restore(self, saved: S) -> None:
        """Bring the world to a state."""
        ...

    def transitions(self) -> list[T]:
        """Return what may happen next."""
        ...

    def happen(self, transition: T) -> bool:
        """Make a transition; return whether it can happen now, else nothing has changed."""
        ...

    def broken(self) -> Iterator[Broken]:
        """Give what is broken in the state that the world is in."""
        ...

    def moved(self, before: S, transition: T, after: S, /) -> Iterator[Broken]:
        """Give what is broken by a transition."""
        ...

    def at_rest(self) -> Iterator[Broken]:
        """Give what is broken if nothing more is going to happen."""
        ...

    def goals(self, states: Sequence[S], /) -> Iterator[Goal[T]]:
        """Give what is to come some time, by the numbers of the states."""
        ...

    def tell(self, way: Sequence[T], repeats: int) -> tuple[str, ...]:
        """Tell a way from the first state; the last `repeats` transitions go on for ever."""
        ...


class GraphExplorer(Generic[S, T]):
    """Visits the states of one small world; with `depth`, those within so many transitions of the first."""

    def __init__(
        self,
        world: SmallWorld[S, T],
        *,
        depth: int | None = None,
        tell_progress: Callable[[ExploreReport], None] = lambda _: None,
    ) -> None:
        self.world = world
        self.report = ExploreReport(world.name, symmetry=world.symmetry)
        self._bound = depth
        self._tell = tell_progress
        self._states: list[S] = []
        self._came: list[tuple[int, T | None]] = []
        """Of each state: the state before it on a shortest way, and the transition."""
        self._depth: list[int] = []
        self._edges: list[list[Edge[T]]] = []

    def run(self) -> ExploreReport:
        """Visit every state until something breaks, then look for cycles."""
        begun = time.monotonic()
        report = self.report
        first = self.world.save()
        known = {first: 0}
        self._add(first, 0, None, 0)
        queue = deque([0])
        while queue and not report.violations:
            state = queue.popleft()
            report.depth = self._depth[state]
            if self._bound is not None and report.depth >= self._bound:
                report.complete = False
                break
            self._expand(state, known, queue)
            report.states, report.seconds = len(known), time.monotonic() - begun
            if state % TOLD_EVERY == 0:
                self._tell(report)
        if not report.violations and report.complete and not report.symmetry:
            self._look_for_cycles()
        report.complete = report.complete and not report.violations
        report.seconds = time.monotonic() - begun
        return report

    @property
    def states(self) -> Sequence[S]:
        """The states that were visited, in the order of their distance from the first."""
        return self._states

    def _add(self, saved: S, before: int, by: T | None, depth: int) -> None:
        self._states.append(saved)
        self._came.append((before, by))
        self._depth.append(depth)
        self._edges.append([])

    def _expand(self, state: int, known: dict[S, int], queue: deque[int]) -> None:
        """Make every transition of a state."""
        world, saved = self.world, self._states[state]
        world.restore(saved)
        going_on = False
        for transition in world.transitions():
            world.restore(saved)
            if not world.happen(transition):
                continue
            self.report.transitions += 1
            going_on |= transition.fair
            after = world.save()
            target = known.get(after)
            if target is None:
                target = known[after] = len(self._states)
                self._add(after, state, transition, self._depth[state] + 1)
                queue.append(target)
                self._note(world.broken(), [*self._way(target)])
            self._note(world.moved(saved, transition, after), [*self._way(state), transition])
            self._edges[state].append(Edge(target, transition))
        if not going_on:
            world.restore(saved)
            self._note(world.at_rest(), [*self._way(state)])

    def _look_for_cycles(self) -> None:
        """Look for a fair cycle on which somebody waits."""
        for goal in self.world.goals(self._states):
            found = fair_cycle(self._edges, goal.waits, goal.strong)
            if found is not None and not self.report.violations:
                way = [*self._way(found.start), *found.transitions]
                self._note(iter((goal.broken,)), way, repeats=len(found.transitions))

    def _way(self, state: int) -> Iterator[T]:
        """Give the transitions of a shortest way to a state."""
        way: list[T] = []
        before, by = self._came[state]
        while by is not None:
            way.append(by)
            before, by = self._came[before]
        return reversed(way)

    def _note(self, broken: Iterator[Broken], way: list[T], repeats: int = 0) -> None:
        """Note the first thing that is broken, with its story."""
        for found in broken:
            if not self.report.violations:
                self.world.restore(self._states[0])
                story = self.world.tell(way, repeats)
                self.report.violations.append(Counterexample(found.name, found.text, story))
