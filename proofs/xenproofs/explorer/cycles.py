"""Fair cycles: a run that goes on for ever without what is waited for, and passes over nobody.

States and the transitions after which one still waits form a graph; a run that waits for ever stays in one of
its strongly connected parts. It is fair if whoever could act all the while does act, and if those of whom
more is known (`strong`: a vCPU whose guest goes on, one that queues for a lock) act if they could again and
again. An application that sends nothing more passes over nobody.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar


class Change(Protocol):
    """A transition: whose it is, and whether it is sure to happen some time."""

    @property
    def actor(self) -> Hashable:
        """Who makes it."""
        ...

    @property
    def fair(self) -> bool:
        """Whether its actor is sure to act some time, if it can all the while."""
        ...


T = TypeVar("T", bound=Change)


class Edge(NamedTuple, Generic[T]):
    """A transition to a state."""

    target: int
    transition: T


@dataclass(frozen=True, slots=True)
class Cycle(Generic[T]):
    """A state and a way back to it."""

    start: int
    transitions: tuple[T, ...]


Graph = Mapping[int, Sequence[Edge[T]]]
"""The transitions of some states; one that leads to another state than these leads out of the graph."""
Waits = Callable[[int, Edge[T]], bool]
"""Whether one waits on before and after a transition, by the state that it is made in."""


def _never(_: Hashable) -> bool:
    return False


def fair_cycle(
    edges: Sequence[Sequence[Edge[T]]], waits: Waits[T], strong: Callable[[Hashable], bool] = _never
) -> Cycle[T] | None:
    """Return a shortest cycle through the first state of a fair part, if there is one."""
    kept = {state: [e for e in those if waits(state, e)] for state, those in enumerate(edges)}
    idle = {state: those for state, those in kept.items() if those}
    parts = _cyclic(idle)
    fair: list[frozenset[int]] = []
    while parts:
        part = parts.pop()
        starving = _starving(edges, idle, part, strong)
        if starving:
            parts += _cyclic(_within(idle, part - starving))
        elif _is_fair(edges, idle, part):
            fair.append(part)
    return _shortest(idle, min(fair, key=min)) if fair else None


def _within(graph: Graph[T], states: frozenset[int]) -> Graph[T]:
    return {state: [e for e in graph[state] if e.target in states] for state in states}


def _cyclic(graph: Graph[T]) -> list[frozenset[int]]:
    """Return the strongly connected parts in which a run can go on for ever."""
    return [part for part in components(graph) if len(part) > 1 or _goes_on(graph, part)]


def _goes_on(idle: Graph[T], part: frozenset[int]) -> bool:
    return any(edge.target in part for state in part for edge in idle[state])


def _able(edges: Sequence[Sequence[Edge[T]]], state: int) -> set[Hashable]:
    """Return who can act in a state, and is sure to some time."""
    return {e.transition.actor for e in edges[state] if e.transition.fair}


def _acting(idle: Graph[T], part: frozenset[int]) -> set[Hashable]:
    return {e.transition.actor for state in part for e in idle[state] if e.target in part}


def _starving(
    edges: Sequence[Sequence[Edge[T]]],
    idle: Graph[T],
    part: frozenset[int],
    strong: Callable[[Hashable], bool],
) -> frozenset[int]:
    """Return the states of a part in which somebody strong could act who does not in all of the part."""
    acting = _acting(idle, part)
    passed_over = {a for state in part for a in _able(edges, state) if strong(a)} - acting
    if not passed_over:
        return frozenset()
    return frozenset(state for state in part if _able(edges, state) & passed_over)


def _is_fair(edges: Sequence[Sequence[Edge[T]]], idle: Graph[T], part: frozenset[int]) -> bool:
    """Return whether nobody is passed over who could act in every state of the part."""
    acting = _acting(idle, part)
    able = [_able(edges, state) for state in part]
    return not any(actor not in acting and all(actor in here for here in able) for actor in able[0])


def _shortest(idle: Graph[T], part: frozenset[int]) -> Cycle[T]:
    """Return a shortest way from the first state of a part back to it."""
    start = min(part)
    ways: dict[int, tuple[T, ...]] = {}
    queue: deque[tuple[int, tuple[T, ...]]] = deque([(start, ())])
    while queue:
        state, way = queue.popleft()
        for target, transition in idle[state]:
            if target == start:
                return Cycle(start, (*way, transition))
            if target in part and target not in ways:
                ways[target] = (*way, transition)
                queue.append((target, ways[target]))
    raise ValueError(f"state {start} lies on no cycle")


def components(graph: Graph[T]) -> list[frozenset[int]]:
    """Return the strongly connected parts."""
    return Tarjan(graph).parts()


class Tarjan(Generic[T]):
    """Tarjan's algorithm, without recursion."""

    def __init__(self, graph: Graph[T]) -> None:
        self.graph = graph
        self.index: dict[int, int] = {}
        self.low: dict[int, int] = {}
        self.stack: list[int] = []
        self.standing: set[int] = set()
        self.found: list[frozenset[int]] = []

    def parts(self) -> list[frozenset[int]]:
        """Return the strongly connected parts."""
        for root in self.graph:
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

    def _enter(self, state: int) -> Iterator[Edge[T]]:
        self.index[state] = self.low[state] = len(self.index)
        self.stack.append(state)
        self.standing.add(state)
        return iter(self.graph[state])

    def _next(self, state: int, successors: Iterator[Edge[T]]) -> int | None:
        """Return a successor that was not visited; note how far back the others lead."""
        for target, _ in successors:
            if target not in self.graph:
                continue
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
