"""The walker: brings one machine to a state, and gives the states that follow.

A state without a call in progress is saved and restored. One in the middle of calls is made again from the
last saved state by the same transitions, because what a call will do next stands in its generator; such
states are told apart by the rows, and by where each generator stands with its numbers.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from types import FrameType
from typing import Final, NamedTuple, Protocol

from xenmodel.dispatch import dispatch
from xenmodel.hypercall import SPIN, Call, Marker, Steps
from xenmodel.machine import Machine
from xenmodel.memory.mmu_update import MmuUpdate
from xenmodel.memory.mmuext_op import MmuextOp
from xenmodel.memory.rows import IDLE
from xenproofs.explorer.actions import Action, Hardware, Whole
from xenproofs.explorer.renaming import NOTHING, Renaming
from xenproofs.explorer.state import Keeper, Saved
from xenproofs.judge.ghost import IllegalHolder
from xenproofs.judge.monitor import Monitor, Violation
from xenproofs.judge.tracking import store_of
from xenspec.vocabulary import DomId, VcpuId

GO_ON: Final = -1
"""The transition that runs a call in progress one step on, or to its end; others are numbers of actions."""
TO_THE_END: Final = 0
PATIENCE: Final = 10_000
"""More steps than any call takes; one that waits for another is left where it waits."""
DIGEST_BYTES: Final = 16
CRASH: Final = "crash"
LEFT: Final = "nothing_in_flight_between_calls"


class SmallScope(Protocol):
    """A small world: how it begins, who acts, what each may do, and how its states are kept."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def vcpus(self) -> tuple[VcpuId, ...]:
        """Who acts, by number."""
        ...

    @property
    def interleaved(self) -> bool:
        """Whether another vCPU may act after any step; else calls run to their end."""
        ...

    @property
    def paused(self) -> bool:
        """Whether calls of the first vCPU may be left standing after any step."""
        ...

    @property
    def awake(self) -> int:
        """How many vCPUs, the first ones, act while no call is left standing, where any may be."""
        ...

    @property
    def preempted(self) -> int:
        """Up to which preemption point of a call Xen may preempt."""
        ...

    @property
    def depth(self) -> int | None:
        """Transitions from the start beyond which nothing is visited."""
        ...

    @property
    def author(self) -> DomId | None:
        """By whose calls entries of other domains' frames come about; None: each table's owner."""
        ...

    def domain_of(self, vcpu: int, /) -> DomId:
        """Return the domain of a vCPU by its number."""
        ...

    def machine(self) -> Machine:
        """Return the world at its start."""
        ...

    def keeper(self, m: Machine, /) -> Keeper:
        """Return what saves and compares the states of its machine."""
        ...

    def actions(self, v: VcpuId, /) -> list[Action]:
        """Return what a vCPU may do."""
        ...

    def renamings(self) -> list[Renaming]:
        """Return every exchange of what is interchangeable, the identity first."""
        ...


@dataclass(frozen=True, slots=True)
class Transition:
    """What happens next: vCPU number `vcpu` of the scope begins an action, or goes on with its call."""

    vcpu: int
    action: int
    pause: int = TO_THE_END
    """The steps after which a call is left standing."""
    preempt: int = 0
    """The preemption point, counted from 1, at which Xen preempts; 0: none."""


@dataclass(frozen=True, slots=True)
class Place:
    """A state: saved, or to be made from a saved one by transitions."""

    base: Saved
    suffix: tuple[Transition, ...] = ()


@dataclass(frozen=True, slots=True)
class Next:
    """What follows a state: by which transition, which state, and what is broken there."""

    by: Transition
    key: bytes
    place: Place | None
    """None where the same process has given the state before."""
    broken: "Breach | None" = None


class Breach(NamedTuple):
    """The name of an invariant that is broken first, the text of its violation, and what else is broken."""

    name: str
    text: str
    others: tuple[str, ...] = ()


class Walker:
    """Walks from state to state of one scope."""

    def __init__(self, scope: SmallScope, *, symmetry: bool = True) -> None:
        self.scope = scope
        self._monitor = Monitor.over(scope.machine())
        self._keeper = scope.keeper(self._monitor.machine)
        self.actions = [scope.actions(v) for v in scope.vcpus]
        self._standing: dict[int, Steps[object]] = {}
        self._waits = False
        """Whether the call that ran last waits for another."""
        self._renamings = scope.renamings() if symmetry else [NOTHING]

    def start(self) -> tuple[Place, bytes, Breach | None]:
        """Return the state at the start, its key, and what is broken there."""
        broken = self._monitor.start()
        place = Place(self._keeper.save())
        return place, self._key(place.base), _first(broken)

    def following(self, place: Place) -> Iterator[Next]:
        """Give what follows a state."""
        for transition in self._enabled(place):
            found = self._after(place, transition)
            yield found
            if self.scope.paused and transition.action != GO_ON and transition.vcpu == 0:
                yield from self._pauses(place, transition)

    def _pauses(self, place: Place, whole: Transition) -> Iterator[Next]:
        """Give what follows where the same call is left standing, after one step, after two, and so on."""
        if isinstance(self.actions[whole.vcpu][whole.action].call, Hardware):
            return
        for pause in count(1):
            found = self._after(place, Transition(whole.vcpu, whole.action, pause, whole.preempt))
            if whole.vcpu in self._standing and not self._waits:
                yield found
            else:
                return

    def _enabled(self, place: Place) -> list[Transition]:
        """Return what may happen next, whole calls for those that may be left standing."""
        self._make(place)
        points = range(1 + self.scope.preempted)
        found: list[Transition] = []
        acting = len(self.actions) if self._standing or not self.scope.paused else self.scope.awake
        domains = store_of(self._monitor.machine.domains)
        for vcpu, actions in enumerate(self.actions[:acting]):
            standing = vcpu in self._standing
            row = domains[self.scope.domain_of(vcpu)]
            if not standing and (row.dying or row.crashed or not row.exists):
                continue
            if standing:
                found += [Transition(vcpu, GO_ON, preempt=point) for point in points]
            for number, action in enumerate(actions):
                if isinstance(action.call, Hardware):
                    found.append(Transition(vcpu, number))
                elif not standing:
                    found += [Transition(vcpu, number, preempt=point) for point in points]
        return found

    def _after(self, place: Place, transition: Transition) -> Next:
        """Make one transition from a state."""
        self._make(place)
        broken: Breach | None = None
        try:
            self._move(transition)
        except IllegalHolder as found:
            broken = Breach("illegal holder", str(found))
        except Exception as found:  # noqa: BLE001 - whatever a guest makes the hypervisor raise is a breach
            broken = Breach(CRASH, f"{type(found).__name__}: {found}")
        violations = self._monitor.after_call(self.scope.domain_of(transition.vcpu))
        broken = broken or self._left_in_flight(transition.vcpu) or _first(violations)
        saved = self._keeper.save()
        goes_on = bool(self._standing)
        reached = Place(place.base, (*place.suffix, transition)) if goes_on else Place(saved)
        return Next(transition, self._key(saved), reached, broken)

    def _left_in_flight(self, vcpu: int) -> Breach | None:
        """Return what a vCPU still has in flight although its call has ended."""
        if vcpu in self._standing:
            return None
        flights, v = store_of(self._monitor.machine.flights), self.scope.vcpus[vcpu]
        left = [k for k, row in flights.items() if k[0] == v and row.mode != IDLE]
        return Breach(LEFT, f"{LEFT}: flight {left[0][1]} of {v}: {flights[left[0]]}") if left else None

    def _make(self, place: Place) -> None:
        """Bring the machine to a state."""
        for steps in self._standing.values():
            steps.close()
        self._standing.clear()
        self._keeper.restore(place.base)
        for transition in place.suffix:
            self._move(transition)
        self._monitor.after_call(self.scope.author)

    def _move(self, transition: Transition) -> None:
        """Begin an action or go on with one: a step, up to a pause, or to the end."""
        vcpu, m = transition.vcpu, self._monitor.machine
        if transition.action != GO_ON:
            call = self.actions[vcpu][transition.action].call
            if isinstance(call, Hardware):
                call.run(m)
                return
            v = self.scope.vcpus[vcpu]
            self._standing[vcpu] = _to_the_end(Call(m, v, m.vcpus[v].domain), call)
        most = 1 if self.scope.interleaved else transition.pause or PATIENCE
        points = 0
        for _ in range(most):
            points = self._step(vcpu, points, transition.preempt)
            if self._waits or vcpu not in self._standing:
                return

    def _step(self, vcpu: int, points: int, preempt: int) -> int:
        """Run one step; return the preemption points that the call has met so far."""
        steps = self._standing[vcpu]
        self._waits = False
        try:
            shown = next(steps)
            while isinstance(shown, Marker) and shown is not SPIN:
                points += 1
                shown = steps.send(points == preempt)
        except StopIteration:
            del self._standing[vcpu]
            return points
        except BaseException:
            del self._standing[vcpu]
            raise
        self._waits = shown is SPIN
        return points

    def _key(self, saved: Saved) -> bytes:
        """Return what tells the present state, which was just saved, from others.

        Where a call is in progress nothing is renamed: its generator knows the names that there are.
        """
        told = self._keeper.local
        places = tuple((vcpu, place_of(steps, told)) for vcpu, steps in sorted(self._standing.items()))
        renamings = [NOTHING] if places else self._renamings
        whole = (self._keeper.canonical(saved, renamings, busy=bool(places)), places)
        return hashlib.blake2b(repr(whole).encode(), digest_size=DIGEST_BYTES).digest()

    def tell(self, transition: Transition) -> str:
        """Tell a transition."""
        v = self.scope.vcpus[transition.vcpu]
        end = "one step" if self.scope.interleaved else "goes on to its end"
        told = end if transition.action == GO_ON else self.actions[transition.vcpu][transition.action].text
        pause = f", left standing after {transition.pause} steps" if transition.pause else ""
        preempt = f", preempted at point {transition.preempt}" if transition.preempt else ""
        return f"dom{v[0]}.v{v[1]}  {told}{pause}{preempt}"


def _first(broken: list[Violation]) -> Breach | None:
    names = tuple(dict.fromkeys(one.name for one in broken[1:]))
    return Breach(broken[0].name, str(broken[0]), names) if broken else None


def _to_the_end(x: Call, call: MmuUpdate | MmuextOp | Whole) -> Steps[object]:
    """Run a call and every continuation that it makes."""
    if isinstance(call, Whole):
        return (yield from call.begin(x))
    result = yield from dispatch(x, call)
    while result.continuation is not None:
        again = result.continuation.args
        if not isinstance(again, MmuUpdate | MmuextOp):
            raise TypeError(again)
        result = yield from dispatch(x, again)
    return result


def place_of(steps: object, told: Callable[[object], object]) -> tuple[tuple[object, ...], ...]:
    """Return where a generator stands, and those that it waits for: in the code, and its values as `told`."""
    found: list[tuple[object, ...]] = []
    frame: object = getattr(steps, "gi_frame", None)
    while isinstance(frame, FrameType):
        code = frame.f_code
        held = (told(frame.f_locals.get(name)) for name in code.co_varnames)
        found.append((code.co_name, frame.f_lasti, *held))
        steps = getattr(steps, "gi_yieldfrom", None)
        frame = getattr(steps, "gi_frame", None)
    return tuple(found)
