"""Breadth first over a ring: every state once, every invariant in each, then every cycle.

Three things are looked for: a broken invariant; a state in which both sides sleep for ever although an item
is not taken (`published_item_is_taken`); and a fair cycle, a run that goes on for ever, never takes an item,
and passes over nobody who could go on all the while (`no_cycle_without_progress`). Each has a shortest story.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator

from xenmodel.rings.representation import REPRESENTATION
from xenproofs.explorer.rings.cycles import Edge, fair_cycle
from xenproofs.explorer.rings.moves import Transition, happen, transitions
from xenproofs.explorer.rings.scopes import RingScope
from xenproofs.explorer.rings.state import RingKeeper, Saved
from xenproofs.explorer.rings.story import tell
from xenproofs.explorer.search import Counterexample, ExploreReport
from xenspec.rings.invariants import SAFETY
from xenspec.vocabulary import BACKEND, FRONTEND

LOST = "published_item_is_taken"
LOST_SENTENCE = "When nothing more is going to happen, every request is answered and every response taken."
CYCLE = "no_cycle_without_progress"
CYCLE_SENTENCE = "No fair run goes on for ever without taking an item."
TOLD_EVERY = 1000
SIDE_KEY = "RingSide"
"""The key of invariants that range over the sides; others range over requests."""
SIDES = ((int(FRONTEND), "the frontend"), (int(BACKEND), "the backend"))


class RingExplorer:
    """Visits the states of one scope; `books`: looks at the invariants of the model's books too."""

    def __init__(
        self,
        scope: RingScope,
        *,
        books: bool = True,
        tell_progress: Callable[[ExploreReport], None] = lambda _: None,
    ) -> None:
        self.scope = scope
        self._books = books
        self.keeper = RingKeeper(scope.machine())
        self.report = ExploreReport(scope.name, symmetry=False)
        self._tell = tell_progress
        self._states: list[Saved] = []
        self._came: list[tuple[int, Transition | None]] = []
        """Of each state: the state before it on a shortest way, and the transition."""
        self._depth: list[int] = []
        self._edges: list[list[Edge]] = []

    def run(self) -> ExploreReport:
        """Visit every state until something breaks, then look for cycles."""
        begun = time.monotonic()
        report = self.report
        known = {self.keeper.save(): 0}
        self._add(self.keeper.save(), 0, None, 0)
        queue = deque([0])
        while queue and not report.violations:
            state = queue.popleft()
            report.depth = self._depth[state]
            self._expand(state, known, queue)
            report.states, report.seconds = len(known), time.monotonic() - begun
            if state % TOLD_EVERY == 0:
                self._tell(report)
        if not report.violations and self.scope.hostile is None:
            self._look_for_cycles()
        report.complete = not report.violations
        report.seconds = time.monotonic() - begun
        return report

    def _add(self, saved: Saved, before: int, by: Transition | None, depth: int) -> None:
        self._states.append(saved)
        self._came.append((before, by))
        self._depth.append(depth)
        self._edges.append([])

    def _expand(self, state: int, known: dict[Saved, int], queue: deque[int]) -> None:
        """Make every transition of a state."""
        m, saved = self.keeper.m, self._states[state]
        self.keeper.restore(saved)
        going_on = False
        for transition in transitions(m, self.scope):
            self.keeper.restore(saved)
            if not happen(m, transition):
                continue
            self.report.transitions += 1
            going_on |= transition.fair
            after = self.keeper.save()
            target = known.get(after)
            if target is None:
                target = known[after] = len(self._states)
                self._add(after, state, transition, self._depth[state] + 1)
                queue.append(target)
                self._check(target)
            self._edges[state].append(Edge(target, transition))
        if not going_on and self.scope.hostile is None:
            self._check_rest(state)

    def _check(self, state: int) -> None:
        """Look at every invariant; the ring is in this state."""
        for name, sentence, key in broken(self.keeper, books=self._books):
            if not self.report.violations:
                self._violated(name, f"{name} is broken at {key}: {sentence}", [*self._way(state)])

    def _check_rest(self, state: int) -> None:
        """Nothing more is going to happen: look whether something was left."""
        self.keeper.restore(self._states[state])
        front = self.keeper.m.sides[FRONTEND]
        if front.prod != front.cons and not self.report.violations:
            self._violated(LOST, f"{LOST} is broken: {LOST_SENTENCE}", [*self._way(state)])

    def _look_for_cycles(self) -> None:
        """Look for a fair cycle without progress."""
        found = fair_cycle(self._edges)
        if found is not None:
            way = [*self._way(found.start), *found.transitions]
            self._violated(CYCLE, f"{CYCLE} is broken: {CYCLE_SENTENCE}", way, repeats=len(found.transitions))

    def _way(self, state: int) -> Iterator[Transition]:
        """Give the transitions of a shortest way to a state."""
        way: list[Transition] = []
        before, by = self._came[state]
        while by is not None:
            way.append(by)
            before, by = self._came[before]
        return reversed(way)

    def _violated(self, name: str, text: str, way: list[Transition], repeats: int = 0) -> None:
        """Note a counterexample with its story."""
        self.keeper.restore(self._states[0])
        story = tell(self.keeper, way, repeats)
        self.report.violations.append(Counterexample(name, text, story))


def _of_any_key(function: Callable[..., object]) -> Callable[..., object]:
    """Return an invariant's function; whoever calls it gives a key of its type."""
    return function


def broken(keeper: RingKeeper, *, books: bool = True) -> Iterator[tuple[str, str, str]]:
    """Give the invariants that the ring breaks now, the books' too: name, sentence, where."""
    for invariant in (*SAFETY, *REPRESENTATION) if books else SAFETY:
        holds = _of_any_key(invariant.function)
        for key, role in SIDES if invariant.key == SIDE_KEY else keeper.named_requests():
            if not holds(keeper.m, key):
                yield invariant.name, invariant.sentence, role
