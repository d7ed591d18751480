"""Event channels as a small world: invariants in each state, one set behind both ABIs, no lost wake-up.

Beside the invariants three things are looked for. `abi_refines_the_pending_set`: a transition changes the set
of pending and masked ports in another way than its kind of step may. `pending_port_is_handled`: a port that
is pending and not masked, on a vCPU that lets upcalls in, stays so for ever. `poller_is_woken`: a vCPU sleeps
for ever although a port that it polls for is pending. The last two also hold of runs that never end: no fair
cycle goes through states of waiting alone. `call_comes_to_an_end`: a call waits for ever.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import NamedTuple

from xenmodel.events.queues import REPRESENTATION
from xenproofs.explorer.cycles import Edge
from xenproofs.explorer.events.abstraction import Abstraction
from xenproofs.explorer.events.moves import ASLEEP, Transition, happen, in_call, transitions
from xenproofs.explorer.events.scopes import DOMAINS, INTERRUPTS, EventScope
from xenproofs.explorer.events.state import EventKeeper, Saved
from xenproofs.explorer.events.story import tell
from xenproofs.explorer.graph import Broken, Goal, GraphExplorer
from xenproofs.explorer.search import ExploreReport
from xenspec.events.invariants import SAFETY
from xenspec.events.pending import PendingSet
from xenspec.vocabulary import PortId, VcpuId

HANDLED = "pending_port_is_handled"
UNLINKING = ("unlink", "look_at_unlinked")
"""What a handler does with an event of the queue that is numbered."""
WOKEN = "poller_is_woken"
ENDS = "call_comes_to_an_end"
SENTENCES = {
    HANDLED: "A port that is pending and not masked is handled some time.",
    WOKEN: "A vCPU that polls for a port which is pending goes on some time.",
    ENDS: "A call that has begun comes to its end.",
}


class Wish(NamedTuple):
    """What is waited for, and by whom: a port, or a vCPU."""

    name: str
    who: tuple[int, int]


def _of_any_key(function: Callable[..., object]) -> Callable[..., object]:
    """Return an invariant's function; whoever calls it gives a key of its type."""
    return function


class EventWorld:
    """The machine of one scope; `books`: looks at the invariants of the model's books too."""

    def __init__(self, scope: EventScope, *, books: bool = True) -> None:
        self.scope = scope
        self.symmetry = bool(scope.alike)
        self.name = scope.name
        self.keeper = keeper = EventKeeper(scope)
        self._abstraction = Abstraction(keeper)
        keys: dict[str, tuple[Hashable, ...]] = {
            "DomId": DOMAINS,
            "PortId": keeper.ports,
            "SelectorId": keeper.selectors,
            "QueueId": keeper.queues,
            "PollId": keeper.polls,
            "VcpuId": (*keeper.vcpus, INTERRUPTS),
            "VirqId": keeper.virqs,
            "PirqId": (),
        }
        self._invariants = [
            (invariant, _of_any_key(invariant.function), keys[invariant.key])
            for invariant in ((*SAFETY, *REPRESENTATION) if books else SAFETY)
        ]

    def save(self) -> Saved:
        """Return the state."""
        return self.keeper.save()

    def restore(self, saved: Saved) -> None:
        """Bring the machine to a state."""
        self.keeper.restore(saved)

    def transitions(self) -> list[Transition]:
        """Return what may happen next."""
        return transitions(self.keeper, self.scope)

    def happen(self, transition: Transition) -> bool:
        """Make a transition, if it can happen now."""
        return happen(self.keeper, self.scope, transition)

    def broken(self) -> Iterator[Broken]:
        """Give the invariants that are broken now."""
        m = self.keeper.m
        for invariant, holds, keys in self._invariants:
            for key in keys:
                if not holds(m, key):
                    name = invariant.name
                    yield Broken(name, f"{name} is broken at {key}: {invariant.sentence}")

    def moved(self, before: Saved, transition: Transition, after: Saved) -> Iterator[Broken]:
        """Compare what a transition did to the abstract set with what it may do."""
        return self._abstraction.compared(before, transition, after)

    def pending(self) -> tuple[PendingSet, ...]:
        """Return the abstract set of each domain, as the machine is."""
        return tuple(self._abstraction.now(domain) for domain in DOMAINS)

    def _wishes(self) -> Iterator[Wish]:
        """Give what may be waited for."""
        for p in self.keeper.ports:
            yield Wish(HANDLED, PortId(p))
        for v in self.scope.actions:
            yield Wish(WOKEN, v)
            yield Wish(ENDS, v)

    def _waits(self, wish: Wish) -> bool:
        """Return whether it is waited for now."""
        if wish.name == HANDLED:
            return self._unhandled(PortId(wish.who))
        v = VcpuId(wish.who)
        return self._unwoken(v) if wish.name == WOKEN else in_call(self.keeper, v)

    def _unhandled(self, p: PortId) -> bool:
        """Return whether a port is to be handled: pending, not masked, and its vCPU may be interrupted."""
        m = self.keeper.m
        v = VcpuId((p[0], m.ports[p].vcpu))
        shut = any(m.waits[one].blocked and m.upcalls[one].masked for one in self.keeper.vcpus)
        those = self._abstraction.now(p[0]).deliverable
        return v in self.scope.handlers and not shut and p[1] in those

    def _queue(self, p: PortId) -> int:
        """Return the priority of the queue that a port's event is on, or is to be on."""
        port = self.keeper.m.ports[p]
        return port.last_priority if self.keeper.m.event_words[p].linked else port.priority

    def _unwoken(self, v: VcpuId) -> bool:
        """Return whether a vCPU sleeps although a port that it polls for is pending."""
        task = self.keeper.tasks[v]
        asleep = task.kind == ASLEEP and self.keeper.m.waits[v].blocked
        return asleep and bool(self._abstraction.now(v[0]).pending & {*task.numbers})

    def at_rest(self) -> Iterator[Broken]:
        """Give what is waited for although nothing more is going to happen."""
        for wish in self._wishes():
            name, who = wish
            if self._waits(wish):
                yield Broken(name, f"{name} is broken at {who}: {SENTENCES[name]}")

    def goals(self, states: Sequence[Saved]) -> Iterator[Goal[Transition]]:
        """Give each thing that is waited for in some state."""
        wishes = list(self._wishes())
        waiting: list[dict[int, int]] = [{} for _ in wishes]
        for number, saved in enumerate(states):
            self.restore(saved)
            for those, wish in zip(waiting, wishes, strict=True):
                if self._waits(wish):
                    those[number] = self._queue(PortId(wish.who)) if wish.name == HANDLED else 0
        for those, (name, who) in zip(waiting, wishes, strict=True):
            if those:
                broken = Broken(name, f"{name} is broken at {who}, for ever: {SENTENCES[name]}")
                yield Goal(broken, _within(those), lambda _: True)

    def tell(self, way: Sequence[Transition], repeats: int) -> tuple[str, ...]:
        """Tell a way from the first state."""
        return tell(self.keeper, self.scope, way, repeats)


def _within(those: dict[int, int]) -> Callable[[int, Edge[Transition]], bool]:
    """Return whether one waits on before and after a transition; `those`: for which queue, by the state.

    By the FIFO ABI a port may wait for ever while others on queues of a higher priority are handled, as it is
    meant to: what the handler does with those is not waiting.
    """

    def waits(state: int, edge: Edge[Transition]) -> bool:
        step = edge.transition
        urgent = step.name in UNLINKING and state in those and step.numbers[0] < those[state]
        return state in those and edge.target in those and not urgent

    return waits


class EventExplorer(GraphExplorer[Saved, Transition]):
    """Visits the states of one scope."""

    def __init__(
        self,
        scope: EventScope,
        *,
        books: bool = True,
        tell_progress: Callable[[ExploreReport], None] = lambda _: None,
    ) -> None:
        super().__init__(EventWorld(scope, books=books), depth=scope.depth, tell_progress=tell_progress)
