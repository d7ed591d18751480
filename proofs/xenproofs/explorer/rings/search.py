"""A ring as a small world: every state once, every invariant in each, then every cycle.

Three things are looked for: a broken invariant; a state in which both sides sleep for ever although an item
is not taken (`published_item_is_taken`); and a fair cycle, a run that goes on for ever, never takes an item,
and passes over nobody who could go on all the while (`no_cycle_without_progress`). Each has a shortest story.
"""

from collections.abc import Callable, Iterator, Sequence

from xenmodel.rings.representation import REPRESENTATION
from xenproofs.explorer.graph import Broken, Goal, GraphExplorer
from xenproofs.explorer.rings.moves import Transition, happen, transitions
from xenproofs.explorer.rings.scopes import RingScope
from xenproofs.explorer.rings.state import RingKeeper, Saved
from xenproofs.explorer.rings.story import tell
from xenproofs.explorer.search import ExploreReport
from xenspec.rings.invariants import SAFETY
from xenspec.vocabulary import BACKEND, FRONTEND

LOST = "published_item_is_taken"
LOST_SENTENCE = "When nothing more is going to happen, every request is answered and every response taken."
CYCLE = "no_cycle_without_progress"
CYCLE_SENTENCE = "No fair run goes on for ever without taking an item."
SIDE_KEY = "RingSide"
"""The key of invariants that range over the sides; others range over requests."""
SIDES = ((int(FRONTEND), "the frontend"), (int(BACKEND), "the backend"))


class RingWorld:
    """The ring of one scope; `books`: looks at the invariants of the model's books too."""

    symmetry = False

    def __init__(self, scope: RingScope, *, books: bool = True) -> None:
        self.scope = scope
        self.name = scope.name
        self._books = books
        self.keeper = RingKeeper(scope.machine())

    def save(self) -> Saved:
        """Return the state."""
        return self.keeper.save()

    def restore(self, saved: Saved) -> None:
        """Bring the ring to a state."""
        self.keeper.restore(saved)

    def transitions(self) -> list[Transition]:
        """Return what may happen next."""
        return transitions(self.keeper.m, self.scope)

    def happen(self, transition: Transition) -> bool:
        """Make a transition, if it can happen now."""
        return happen(self.keeper.m, transition)

    def broken(self) -> Iterator[Broken]:
        """Give the invariants that are broken now."""
        for name, sentence, key in broken(self.keeper, books=self._books):
            yield Broken(name, f"{name} is broken at {key}: {sentence}")

    def moved(self, _before: Saved, _transition: Transition, _after: Saved) -> Iterator[Broken]:
        """Give nothing: rings have no abstraction of their own."""
        return iter(())

    def at_rest(self) -> Iterator[Broken]:
        """Look whether something was left, where nothing more is going to happen."""
        front = self.keeper.m.sides[FRONTEND]
        if self.scope.hostile is None and front.prod != front.cons:
            yield Broken(LOST, f"{LOST} is broken: {LOST_SENTENCE}")

    def goals(self, _: Sequence[Saved]) -> Iterator[Goal[Transition]]:
        """Give the one goal of two honest sides: an item is taken."""
        if self.scope.hostile is None:
            broken = Broken(CYCLE, f"{CYCLE} is broken: {CYCLE_SENTENCE}")
            yield Goal(broken, lambda _, edge: not edge.transition.takes)

    def tell(self, way: Sequence[Transition], repeats: int) -> tuple[str, ...]:
        """Tell a way from the first state."""
        return tell(self.keeper, way, repeats)


class RingExplorer(GraphExplorer[Saved, Transition]):
    """Visits the states of one scope."""

    def __init__(
        self,
        scope: RingScope,
        *,
        books: bool = True,
        tell_progress: Callable[[ExploreReport], None] = lambda _: None,
    ) -> None:
        super().__init__(RingWorld(scope, books=books), tell_progress=tell_progress)


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
