"""Two small domains with event channels: calls of several vCPUs, taken a step at a time, and all invariants.

`World.check` evaluates every invariant of event channels at every key that anything was ever said of, and
keeps which of them held with their premise true: the witnesses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from xenmodel.abi.memory_map import MemoryMap
from xenmodel.events import guest
from xenmodel.events.calls import event_channel_op
from xenmodel.events.handling import handle
from xenmodel.events.queues import REPRESENTATION
from xenmodel.events.setup import ExpandArray, InitControl
from xenmodel.hypercall import SPIN, Call, run
from xenmodel.machine import Machine, plain_machine
from xenmodel.step import Refused
from xenproofs.judge.adapter import evaluator, stateless
from xenspec.events.invariants import SAFETY
from xenspec.logic import VACUOUS
from xenspec.vocabulary import DOMID_IDLE, DomId, Mfn, PageType, PortId, VcpuId

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from xenmodel.events.arguments import EventCall, EventResult
    from xenmodel.hypercall import Steps

DOM0: Final = DomId(0)
GUEST: Final = DomId(1)
DOMAINS: Final = (DOM0, GUEST)
VCPUS: Final = 2
CPU: Final = VcpuId((DOMID_IDLE, 0))
"""Xen's interrupt handler on physical CPU 0."""
FRAMES: Final = 0x100

ALL_VCPUS: Final = tuple((domain, number) for domain in DOMAINS for number in range(VCPUS))
KEYS: Final[dict[str, tuple[Hashable, ...]]] = {
    "DomId": DOMAINS,
    "PortId": tuple((domain, port) for domain in DOMAINS for port in range(9)),
    "SelectorId": tuple((v, word) for v in ALL_VCPUS for word in range(2)),
    "PollId": tuple((v, port) for v in ALL_VCPUS for port in range(1, 9)),
    "QueueId": tuple((v, priority) for v in ALL_VCPUS for priority in (0, 7)),
    "VcpuId": (*ALL_VCPUS, CPU),
    "VirqId": tuple((v, virq) for v in ALL_VCPUS for virq in (0, 3)),
    "PirqId": tuple((domain, 5) for domain in DOMAINS),
}
"""By key type: what a test of this folder may touch."""


EVALUATIONS: Final = tuple(
    (invariant.name, evaluator(invariant), invariant.key)
    for invariant in (*stateless(SAFETY), *stateless(REPRESENTATION))
)
"""Every invariant of event channels, of whichever kind."""


class BrokenError(AssertionError):
    """An invariant does not hold."""

    def __init__(self, name: str, key: object) -> None:
        super().__init__(f"{name} at {key}")
        self.name = name


@dataclass(slots=True)
class World:
    """A machine with Domain0 and a guest, of two vCPUs each."""

    fifo: bool = False
    m: Machine = field(init=False)
    witnesses: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.m = m = plain_machine(MemoryMap(((0, FRAMES),), FRAMES))
        for domain in DOMAINS:
            row = m.domains[domain]
            row.exists, row.vcpus = True, VCPUS
            row.privileged = domain == DOM0
            m.channels[domain].started = True
            m.pirqs[domain, 5].permitted = domain == DOM0
            if self.fifo:
                self.switch(domain)

    def switch(self, domain: DomId) -> None:
        """Let a domain switch to the FIFO ABI, as a careful guest does."""
        for number in range(VCPUS):
            frame = self.give_frame(domain, 0x10 * (domain + 1) + number)
            assert self.ask((domain, 0), InitControl(frame, 0, number)).rc == 0
        array = self.give_frame(domain, 0x10 * (domain + 1) + VCPUS)
        assert self.ask((domain, 0), ExpandArray(array, masked=False)).rc == 0

    def give_frame(self, domain: DomId, frame: int) -> Mfn:
        """Give a domain a frame of writable memory."""
        row = self.m.frames[frame]
        row.owner, row.allocated, row.type, row.validated = domain, True, PageType.WRITABLE, True
        row.type_count, row.ref_count = 1, 2
        return Mfn(frame)

    def call(self, v: tuple[int, int]) -> Call:
        """Return a call of a vCPU."""
        return Call(self.m, VcpuId(v), DomId(v[0]))

    def ask(self, v: tuple[int, int], call: EventCall) -> EventResult:
        """Make a call, and take it to its end."""
        return run(event_channel_op(self.call(v), call))

    def handle(self, v: VcpuId) -> list[int]:
        """Handle all events of a vCPU by the protocol; return the ports that were handled."""
        return run(handle(self.m, v))

    def check(self) -> None:
        """Evaluate every invariant at every key; raise BrokenError at the first that does not hold."""
        for name, evaluate, kind in EVALUATIONS:
            for key in KEYS[kind]:
                value = evaluate(self.m, key)
                if not value:
                    raise BrokenError(name, key)
                if value is not VACUOUS:
                    self.witnesses.add(name)


@dataclass(frozen=True, slots=True)
class Move:
    """Something that a guest's handler may do next; `handles`: the port that is handled by it."""

    name: str
    take: Callable[[], object]
    handles: int | None = None


def handler_moves(m: Machine, v: VcpuId) -> list[Move]:
    """Return what a careful handler on a vCPU may do next."""
    if m.waits[v].blocked:
        return []
    moves = [Move("clear_upcall", lambda: guest.clear_upcall(m, v))] if m.upcalls[v].pending else []
    handler = m.handlers[v]
    if handler.running:
        moves += list(_fifo_moves(m, v) if m.channels[v[0]].fifo else _two_level_moves(m, v))
    return moves


def _two_level_moves(m: Machine, v: VcpuId) -> Iterator[Move]:
    place = m.handlers[v].cursor
    if place >= 64:
        yield Move("leave_handler", lambda: guest.leave_handler(m, v))
    elif m.scans[v, place].running:
        p = PortId((v[0], place * 64 + m.scans[v, place].cursor))
        signal = m.signals[p]
        if signal.pending and not signal.masked:
            yield Move("take_port", lambda: guest.take_port(m, v, p), p[1])
        else:
            yield Move("pass_port", lambda: guest.pass_port(m, v, place))
    elif m.selectors[v, place].set:
        yield Move("take_selector", lambda: guest.take_selector(m, v))
    else:
        yield Move("pass_selector", lambda: guest.pass_selector(m, v))


def _fifo_moves(m: Machine, v: VcpuId) -> Iterator[Move]:
    place = m.handlers[v].cursor
    if place >= 16:
        yield Move("leave_handler", lambda: guest.leave_handler(m, v))
        return
    taken = m.taken[v, place]
    if taken.running and taken.port:
        word = m.event_words[v[0], taken.port]
        handled = taken.port if word.pending and not word.masked else None
        yield Move("look_at_unlinked", lambda: guest.look_at_unlinked(m, v, place), handled)
    elif taken.running:
        yield Move("unlink", lambda: guest.unlink(m, v, place))
    elif m.heads[v, place].ready:
        yield Move("take_queue", lambda: guest.take_queue(m, v))
    else:
        yield Move("pass_queue", lambda: guest.pass_queue(m, v))


@dataclass(slots=True)
class Actor:
    """A vCPU, or Xen on a physical CPU, in the middle of a call or not."""

    vcpu: VcpuId
    steps: Steps[object] | None = None

    def begin(self, steps: Steps[object]) -> None:
        """Begin a call."""
        self.steps = steps

    def step(self) -> object:
        """Take the next step of the call; return what it yields, or None at its end."""
        if self.steps is None:
            return None
        try:
            return next(self.steps)
        except StopIteration:
            self.steps = None
        except Refused:
            self.steps = None
        return None

    def finish(self, bound: int = 100_000) -> bool:
        """Take the call to its end; return whether it got there without waiting for a lock."""
        for _ in range(bound):
            if self.steps is None:
                return True
            if self.step() is SPIN:
                return False
        raise AssertionError("the call does not come to an end")
