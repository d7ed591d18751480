"""A stage on which four vCPUs and an interrupt handler act at random, one step of anybody's at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.events.world import CPU, DOMAINS, VCPUS, Actor, World, handler_moves
from xenmodel.events import arguments as calls
from xenmodel.events import guest
from xenmodel.events.calls import event_channel_op
from xenmodel.events.delivery import raise_pirq, raise_virq
from xenmodel.events.setup import ExpandArray, InitControl, SetPriority
from xenmodel.events.waiting import Poll, block, poll
from xenspec.vocabulary import DomId, PortId, VcpuId

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

ALL_VCPUS: Final = tuple(VcpuId((domain, number)) for domain in DOMAINS for number in range(2))
MOST_PORT: Final = 6
SELF: Final = 0x7FF0
GLOBAL_VIRQ: Final = 3
PIRQ: Final = 5


@dataclass(frozen=True, slots=True)
class Block:
    """SCHEDOP_block."""


ANY_CALL: Final[tuple[Callable[[random.Random], calls.EventCall | Poll | Block], ...]] = (
    lambda r: calls.AllocUnbound(r.choice((0, 1, SELF)), r.choice((0, 1))),
    lambda r: calls.BindInterdomain(r.choice((0, 1)), r.randint(1, MOST_PORT)),
    lambda r: calls.BindInterdomain(r.choice((0, 1)), r.randint(1, MOST_PORT)),
    lambda r: calls.BindVirq(r.choice((0, GLOBAL_VIRQ)), r.randint(0, 1)),
    lambda _: calls.BindPirq(PIRQ),
    lambda r: calls.BindIpi(r.randint(0, 1)),
    lambda r: calls.BindVcpu(r.randint(1, MOST_PORT), r.randint(0, 1)),
    lambda r: calls.Close(r.randint(1, MOST_PORT)),
    lambda r: calls.Send(r.randint(1, MOST_PORT)),
    lambda r: calls.Send(r.choice((1, 1, 2))),
    lambda r: calls.Send(r.choice((1, 1, 2))),
    lambda r: calls.Unmask(r.randint(1, MOST_PORT)),
    lambda r: calls.Unmask(r.choice((1, 1, 2))),
    lambda r: calls.Unmask(r.choice((1, 1, 2))),
    lambda r: SetPriority(r.randint(1, MOST_PORT), r.choice((0, 7))),
    lambda r: calls.Reset(SELF) if r.random() < 0.2 else calls.Send(r.randint(1, MOST_PORT)),
    lambda r: Poll(tuple(r.randint(1, MOST_PORT) for _ in range(r.choice((1, 1, 2))))),
    lambda r: Poll((r.randint(1, MOST_PORT),)),
    lambda _: Block(),
    lambda _: Block(),
)


def tell_what_waited(stage: Stage, close: Iterable[int] = ()) -> None:
    """Switch to FIFO, send by a port that has no event word yet, perhaps close it, and add its word."""
    world, one = stage.world, ALL_VCPUS[2]
    frames = [world.give_frame(DomId(1), 0x20 + number) for number in range(VCPUS + 1)]
    for number in range(VCPUS):
        assert world.ask(one, InitControl(frames[number], 0, number)).rc == 0
    stage.begin_and_step(ALL_VCPUS[0], calls.Send(1))
    assert world.m.ports[1, 1].saved
    for port in close:
        stage.begin_and_step(one, calls.Close(port))
    for _ in event_channel_op(world.call(one), ExpandArray(frames[VCPUS], masked=False)):
        if world.m.channels[1].words and world.m.channels[1].told <= MOST_PORT:
            world.check()
    assert world.m.event_words[1, 1].pending


def tell_a_closed_port(stage: Stage) -> None:
    """Close a port whose event waits for its event word; when the word comes, it is told of none the less."""
    tell_what_waited(stage, close=(1,))


class Stage:
    """The world, and who is in the middle of what."""

    def __init__(self, *, fifo: bool) -> None:
        self.world = World(fifo=fifo)
        self.actors = {v: Actor(v) for v in (*ALL_VCPUS, CPU)}
        zero, one = ALL_VCPUS[0], ALL_VCPUS[2]
        for at, call in (
            (one, calls.AllocUnbound(1, 0)),
            (zero, calls.BindInterdomain(1, 1)),
            (zero, calls.BindIpi(1)),
            (one, calls.BindVirq(0, 1)),
        ):
            assert self.world.ask(at, call).rc == 0

    def act(self, rng: random.Random) -> None:
        """Let somebody do something, and check all invariants after every step."""
        v = rng.choice((*ALL_VCPUS, CPU))
        actor = self.actors[v]
        if actor.steps is not None:
            self._go_on(actor, rng.choice((1, 1, 2, 3, 40)))
        elif v == CPU:
            self._interrupt(rng)
        elif rng.random() < 0.5:
            self._handle(v, rng.choice((1, 2, 5, 100)))
        elif rng.random() < 0.5:
            self.touch(v, rng)
        elif not self.world.m.waits[v].blocked:
            self.begin(v, rng.choice(ANY_CALL)(rng))
        self.world.check()

    def _go_on(self, actor: Actor, steps: int) -> None:
        for _ in range(steps):
            actor.step()
            self.world.check()

    def begin(self, v: VcpuId, call: calls.EventCall | Poll | Block) -> None:
        """Let a vCPU begin a call."""
        x, actor = self.world.call(v), self.actors[v]
        if isinstance(call, Poll):
            actor.begin(poll(x, call))
        elif isinstance(call, Block):
            actor.begin(block(x))
        else:
            actor.begin(event_channel_op(x, call))

    def begin_and_step(self, v: VcpuId, call: calls.EventCall | Poll | Block, steps: int = 10_000) -> None:
        """Let a vCPU begin a call and take so many steps of it, or all; check after each."""
        self.begin(v, call)
        for _ in range(steps):
            if self.actors[v].steps is None:
                return
            self.actors[v].step()
            self.world.check()

    def handle_all(self, v: VcpuId) -> None:
        """Let a vCPU's handler run to its end."""
        self._handle(v, 10_000)

    def _interrupt(self, rng: random.Random) -> None:
        m, v = self.world.m, rng.choice(ALL_VCPUS)
        if rng.random() < 0.7:
            self.actors[CPU].begin(raise_virq(m, CPU, v, rng.choice((0, GLOBAL_VIRQ))))
        else:
            self.actors[CPU].begin(raise_pirq(m, CPU, DomId(0), PIRQ))

    def _handle(self, v: VcpuId, times: int) -> None:
        for _ in range(times):
            moves = handler_moves(self.world.m, v)
            if not moves:
                return
            moves[-1].take()
            self.world.check()

    def touch(self, v: VcpuId, rng: random.Random) -> None:
        """Let a vCPU change shared words as it may at any time."""
        m, p = self.world.m, PortId((v[0], rng.randint(1, MOST_PORT)))
        kind = rng.random()
        if kind < 0.4:
            guest.mask_port(m, p)
        elif kind < 0.6:
            guest.clear_pending(m, p)
        elif not m.waits[v].blocked:
            (guest.mask_upcalls if kind < 0.7 else guest.unmask_upcalls)(m, v)
