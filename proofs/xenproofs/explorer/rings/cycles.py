"""Fair cycles: a run that goes on for ever without progress, and passes over nobody.

States and the transitions that take no item form a graph; a run without progress that goes on for ever stays
in one of its strongly connected parts. It is fair if whoever could act all the while does act: each side, and
each store that waits. An application that sends nothing more passes over nobody.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from xenproofs.explorer.rings.moves import Transition


class Edge(NamedTuple):
    """A transition to a state."""

    target: int
    transition: Transition


@dataclass(frozen=True, slots=True)
class Cycle:
    """A state and a way back to it."""

    start: int
    transitions: tuple[Transition, ...]


Graph = list[list[Edge]]


def fair_cycle(edges: Graph) -> Cycle | None:
    """Return a shortest cycle through the first state of a fair part, if there is one."""
    idle: Graph = [[edge for edge in those if not edge.transition.takes] for those in edges]
    fair = [part for part in components(idle) if _goes_on(idle, part) and _is_fair(edges, idle, part)]
    return _shortest(idle, min(fair, key=min)) if fair else None


def _goes_on(idle: Graph, part: frozenset[int]) -> bool:
    return any(edge.target in part for state in part for edge in idle[state])


def _is_fair(edges: Graph, idle: Graph, part: frozenset[int]) -> bool:
    """Return whether nobody is passed over who could act in every state of the part."""
    acting = {e.transition.actor for state in part for e in idle[state] if e.target in part}
    able = [{e.transition.actor for e in edges[state] if e.transition.fair} for state in part]
    return not any(actor not in acting and all(actor in here for here in able) for actor in able[0])


def _shortest(idle: Graph, part: frozenset[int]) -> Cycle:
    """Return a shortest way from the first state of a part back to it."""
    start = min(part)
    ways: dict[int, tuple[Transition, ...]] = {}
    queue: deque[tuple[int, tuple[Transition, ...]]] = deque([(start, ())])
    while queue:
        state, way = queue.popleft()
        for target, transition in idle[state]:
            if target == start:
                return Cycle(start, (*way, transition))
            if target in part and target not in ways:
                ways[target] = (*way, transition)
                queue.append((target, ways[target]))
    raise ValueError(f"state {start} lies on no cycle")


def components(graph: Graph) -> list[frozenset[int]]:
    """Return the strongly connected parts."""
    return Tarjan(graph).parts()


class Tarjan:
    """Tarjan's algorithm, without recursion."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.index: dict[int, int] = {}
        self.low: dict[int, int] = {}
        self.stack: list[int] = []
        self.standing: set[int] = set()
        self.found: list[frozenset[int]] = []

    def parts(self) -> list[frozenset[int]]:
        """Return the strongly connected parts."""
        for root in range(len(self.graph)):
            if root not in self.index:
                self._from(root)
        return self.found

    def _from(self, root: int) -> None:
        """Visit what a state leads to."""
        work = [(root, self._enter(root))]
        while work:
            state, successors = work[-1]
            fresh = self._next(state, successors)
            if fresh is not None:
                work.append((fresh, self._enter(fresh)))
                continue
            work.pop()
            if work:
                before = work[-1][0]
                self.low[before] = min(self.low[before], self.low[state])
            if self.low[state] == self.index[state]:
                self._close(state)

    def _enter(self, state: int) -> Iterator[Edge]:
        self.index[state] = self.low[state] = len(self.index)
        self.stack.append(state)
        self.standing.add(state)
        return iter(self.graph[state])

    def _next(self, state: int, successors: Iterator[Edge]) -> int | None:
        """Return a successor that was not visited; note how far back the others lead."""
        for target, _ in successors:
            if target not in self.index:
                return target
            if target in self.standing:
                self.low[state] = min(self.low[state], self.index[target])
        return None

    def _close(self, state: int) -> None:
        """Take a part off the stack."""
        members = [self.stack.pop()]
        while members[-1] != state:
            members.append(self.stack.pop())
        part = frozenset(members)
        self.standing -= part
        self.found.append(part)
