"""Breadth first over the executable: every state of a scope once, all invariants held in each.

A state without a call in progress is saved and restored. One in the middle of calls is made again from the
last saved state by the same steps, because what a call will do next stands in its generator; such states are
told apart by the rows, and by where each generator stands with its numbers.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from xenmodel.dispatch import dispatch
from xenmodel.hypercall import SPIN, Call, Marker, Result, Steps
from xenmodel.memory.mmu_update import MmuUpdate
from xenmodel.memory.mmuext_op import MmuextOp
from xenproofs.explorer.scopes import Scope
from xenproofs.explorer.state import Keeper, Renaming, Saved
from xenproofs.judge.monitor import Monitor

SCHEMA_VERSION = 1
STEP = -1
"""The transition that runs one more step of a call in progress; others are numbers of actions."""
PATIENCE = 1000


@dataclass(frozen=True, slots=True)
class Transition:
    """What happens next: vCPU number `vcpu` of the scope begins an action, or runs one more step."""

    vcpu: int
    action: int


@dataclass(frozen=True, slots=True)
class Node:
    """A state: saved, or to be made from a saved one."""

    base: Saved
    suffix: tuple[Transition, ...]
    parent: "Node | None"
    by: Transition | None
    depth: int


@dataclass(frozen=True, slots=True)
class Counterexample:
    """An invariant that is broken, and the shortest way there."""

    invariant: str
    text: str
    story: tuple[str, ...]


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
        self, scope: Scope, *, symmetry: bool = True, tell: Callable[[ExploreReport], None] = lambda _: None
    ) -> None:
        self.scope = scope
        self._monitor = Monitor.over(scope.machine())
        self._keeper = Keeper(self._monitor.machine)
        self._actions = [scope.actions(v) for v in scope.vcpus]
        self._standing: dict[int, Steps[Result]] = {}
        symmetry = symmetry and not scope.interleaved
        self._renamings: list[Renaming] = scope.renamings() if symmetry else [{}]
        self._tell = tell
        self.report = ExploreReport(scope.name, symmetry)

    def run(self) -> ExploreReport:
        """Visit every state, until one breaks something."""
        begun = time.monotonic()
        report = self.report
        broken = self._monitor.start()
        root = Node(self._keeper.save(), (), None, None, 0)
        seen = {self._key()}
        queue = deque([root])
        while queue and not broken and not report.violations:
            node = queue.popleft()
            report.depth = node.depth
            if self.scope.depth is not None and node.depth >= self.scope.depth:
                report.complete = False
                break
            for transition in self._enabled(node):
                self._expand(node, transition, seen, queue)
            report.states, report.seconds = len(seen), time.monotonic() - begun
            self._tell(report)
        report.complete = report.complete and not report.violations
        return report

    def _expand(
        self, node: Node, transition: Transition, seen: set[tuple[object, ...]], queue: deque[Node]
    ) -> None:
        """Make one transition; keep the state if it is new, tell the story if it is broken."""
        self._make(node)
        self._move(transition)
        self.report.transitions += 1
        broken = self._monitor.after_call(self.scope.domain_of(transition.vcpu))
        if broken and not self.report.violations:
            story = self._story(Node(node.base, (), node, transition, node.depth + 1))
            self.report.violations.append(Counterexample(broken[0].name, str(broken[0]), story))
        key = self._key()
        if key in seen:
            return
        seen.add(key)
        if self._standing:
            queue.append(Node(node.base, (*node.suffix, transition), node, transition, node.depth + 1))
        else:
            queue.append(Node(self._keeper.save(), (), node, transition, node.depth + 1))

    def _make(self, node: Node) -> None:
        """Bring the machine to a state."""
        for steps in self._standing.values():
            steps.close()
        self._standing.clear()
        self._keeper.restore(node.base)
        for transition in node.suffix:
            self._move(transition)
        self._monitor.after_call(self.scope.domain_of(0))

    def _enabled(self, node: Node) -> list[Transition]:
        """Return what may happen next."""
        self._make(node)
        found: list[Transition] = []
        for vcpu, actions in enumerate(self._actions):
            if vcpu in self._standing:
                found.append(Transition(vcpu, STEP))
            else:
                found += [Transition(vcpu, number) for number in range(len(actions))]
        return found

    def _move(self, transition: Transition) -> None:
        """Begin a call or run one more step; where calls do not interleave, run it to its end."""
        v = self.scope.vcpus[transition.vcpu]
        if transition.action != STEP:
            call = self._actions[transition.vcpu][transition.action].call
            x = Call(self._monitor.machine, v, self._monitor.machine.vcpus[v].domain)
            self._standing[transition.vcpu] = _to_the_end(x, call)
        for _ in range(1 if self.scope.interleaved else PATIENCE):
            if not self._step(transition.vcpu):
                return

    def _step(self, vcpu: int) -> bool:
        """Run one step; return whether the call goes on."""
        steps = self._standing[vcpu]
        try:
            shown = next(steps)
            while isinstance(shown, Marker) and shown is not SPIN:
                shown = steps.send(None)
        except StopIteration:
            del self._standing[vcpu]
            return False
        return True

    def _key(self) -> tuple[object, ...]:
        """Return what tells this state from others."""
        places = tuple((vcpu, place_of(steps)) for vcpu, steps in sorted(self._standing.items()))
        return (self._keeper.canonical(self._keeper.save(), self._renamings), places)

    def _story(self, node: Node) -> tuple[str, ...]:
        """Tell the way to a state."""
        told: list[str] = []
        step: Node | None = node
        while step is not None and step.by is not None:
            v = self.scope.vcpus[step.by.vcpu]
            what = "one step" if step.by.action == STEP else self._actions[step.by.vcpu][step.by.action].text
            told.append(f"dom{v[0]}.v{v[1]}  {what}")
            step = step.parent
        return tuple(reversed(told))


def _to_the_end(x: Call, call: MmuUpdate | MmuextOp) -> Steps[Result]:
    """Run a call and every continuation that it makes."""
    result = yield from dispatch(x, call)
    while result.continuation is not None:
        again = result.continuation.args
        if not isinstance(again, MmuUpdate | MmuextOp):
            raise TypeError(again)
        result = yield from dispatch(x, again)
    return result


def place_of(steps: object) -> tuple[tuple[object, ...], ...]:
    """Return where a generator stands, and those that it waits for: in the code, and its numbers."""
    found: list[tuple[object, ...]] = []
    frame: object = getattr(steps, "gi_frame", None)
    while isinstance(frame, FrameType):
        code = frame.f_code
        numbers = (frame.f_locals.get(name) for name in code.co_varnames)
        held = (value if isinstance(value, int) else None for value in numbers)
        found.append((code.co_name, frame.f_lasti, *held))
        steps = getattr(steps, "gi_yieldfrom", None)
        frame = getattr(steps, "gi_frame", None)
    return tuple(found)
