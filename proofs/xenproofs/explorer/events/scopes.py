"""Scopes of event channels: which ABI, which ports, who acts, and what each may do.

Domain 0 sends, domain 1 is told. Each vCPU that acts has a list of what it may begin while it is in no call;
its handler, and what it has begun, go on by themselves.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from xenmodel.abi.memory_map import MemoryMap
from xenmodel.events import arguments as calls
from xenmodel.events.calls import event_channel_op
from xenmodel.events.guest import mask_upcalls
from xenmodel.events.handling import handle
from xenmodel.events.setup import ExpandArray, InitControl
from xenmodel.hypercall import Call, run
from xenmodel.machine import Machine, plain_machine
from xenspec.vocabulary import DOMID_IDLE, DomId, Mfn, PageType, VcpuId

SENDER, RECEIVER = DomId(0), DomId(1)
DOMAINS: Final = (SENDER, RECEIVER)
VCPUS: Final = 2
S0, S1 = VcpuId((0, 0)), VcpuId((0, 1))
R0, R1 = VcpuId((1, 0)), VcpuId((1, 1))
INTERRUPTS: Final = VcpuId((DOMID_IDLE, 0))
"""Xen's interrupt handler on physical CPU 0."""
PRIORITIES: Final = (0, 7)
"""Queues that are used, of sixteen."""
FRAMES: Final = 0x40


class Action(NamedTuple):
    """What a vCPU may begin: its kind, and the ports (or other numbers) that it is about."""

    kind: str
    numbers: tuple[int, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.kind, *map(str, self.numbers)))


@dataclass(frozen=True, slots=True)
class EventScope:
    """A small world of event channels."""

    name: str
    fifo: bool
    setup: tuple[tuple[VcpuId, calls.EventCall], ...]
    """Calls that have been made at the start."""
    actions: dict[VcpuId, tuple[Action, ...]]
    """Who acts, and what each may begin."""
    ports: int = 2
    """Ports of each domain, from 1 on."""
    alike: tuple[VcpuId, ...] = ()
    """vCPUs that act alike: states that differ by an exchange of them are visited once."""
    handlers: tuple[VcpuId, ...] = (R0,)
    """Where the guest lets upcalls in."""
    depth: int | None = None
    """Transitions from the start beyond which nothing is visited; none: everything is."""

    def machine(self) -> Machine:
        """Return the world at its start: nothing pending, nobody asleep, the receiver lets upcalls in."""
        m = plain_machine(MemoryMap(((0, FRAMES),), FRAMES))
        for domain in DOMAINS:
            row = m.domains[domain]
            row.exists, row.vcpus, row.privileged = True, VCPUS, domain == SENDER
            m.channels[domain].started = True
            if self.fifo:
                _switch(m, domain)
        for v, call in self.setup:
            if run(event_channel_op(Call(m, v, DomId(v[0])), call)).rc:
                raise ValueError(call)
        for v in (VcpuId((domain, number)) for domain in DOMAINS for number in range(VCPUS)):
            run(handle(m, v))
            if v not in self.handlers:
                mask_upcalls(m, v)
        return m


def _switch(m: Machine, domain: DomId) -> None:
    """Let a domain switch to the FIFO ABI."""
    x = Call(m, VcpuId((domain, 0)), domain)
    for number in range(VCPUS + 1):
        frame = 0x10 * (domain + 1) + number
        row = m.frames[frame]
        row.owner, row.allocated, row.type, row.validated = domain, True, PageType.WRITABLE, True
        row.type_count, row.ref_count = 1, 2
        own = Mfn(frame)
        call = InitControl(own, 0, number) if number < VCPUS else ExpandArray(own, masked=False)
        if run(event_channel_op(x, call)).rc:
            raise ValueError(call)


def _joined(ports: int) -> tuple[tuple[VcpuId, calls.EventCall], ...]:
    """Join so many ports of the receiver with as many of the sender; what that makes pending is not told."""
    pairs = ((R0, calls.AllocUnbound(RECEIVER, SENDER)), (S0, calls.BindInterdomain(RECEIVER, 1)))
    return tuple(
        (v, calls.BindInterdomain(RECEIVER, port) if isinstance(call, calls.BindInterdomain) else call)
        for port in range(1, ports + 1)
        for v, call in pairs
    )


def send(*ports: int) -> tuple[Action, ...]:
    """Return sends to ports."""
    return tuple(Action("send", (port,)) for port in ports)


MASK, UNMASK, CLEAR, CLOSE = (Action(kind, (1,)) for kind in ("mask", "unmask", "clear", "close"))
BLOCK, CLI, RESET = Action("block"), Action("cli"), Action("reset")
ALLOC, BIND, TICK = Action("alloc"), Action("bind", (1,)), Action("interrupt", (1,))
RETARGETS = (Action("retarget", (1, 0)), Action("retarget", (1, 1)))
PRIORITIZE = (Action("priority", (1, 0)), Action("priority", (1, 7)))
POLL, POLL_BOTH = Action("poll", (1,)), Action("poll", (1, 2))


def _both(
    name: str,
    actions: dict[VcpuId, tuple[Action, ...]],
    *,
    ports: int = 1,
    alike: tuple[VcpuId, ...] = (),
    handlers: tuple[VcpuId, ...] = (R0,),
) -> tuple[EventScope, ...]:
    """Return a scope in either ABI; by the FIFO ABI a guest may unmask what is not pending by itself."""
    extra = Action("quiet", (1,))
    fifo = {v: (*those, extra) if UNMASK in those else those for v, those in actions.items()}
    setup = _joined(ports)
    return (
        EventScope(f"{name} 2l", False, setup, actions, ports, alike, handlers),  # noqa: FBT003 - the ABI
        EventScope(f"{name} fifo", True, setup, fifo, ports, alike, handlers),  # noqa: FBT003
    )


TIMER: Final = ((R0, calls.BindVirq(0, 0)),)
LIST: Final[tuple[EventScope, ...]] = (
    *_both("send", {S0: send(1), S1: send(1), R0: ()}),
    *_both("mask", {S0: send(1), R0: (MASK,), R1: (UNMASK, CLEAR)}),
    *_both("sleep", {S0: send(1), R0: (BLOCK, POLL, MASK, UNMASK, CLI)}),
    *_both("polls", {S0: send(1, 2), R0: (POLL_BOTH, CLI)}, ports=2),
    *_both("close", {S0: (*send(1), CLOSE, BIND), R0: (ALLOC,), R1: (CLOSE,)}),
    *_both("retarget", {S0: send(1), R0: (), R1: RETARGETS}, handlers=(R0, R1)),
    EventScope("reset 2l", False, _joined(1), {S0: send(1), R0: (), R1: (RESET, ALLOC)}, 1),  # noqa: FBT003
    EventScope("timer 2l", False, TIMER, {INTERRUPTS: (TICK,), R0: (MASK, UNMASK, BLOCK)}, 1),  # noqa: FBT003
    EventScope("timer fifo", True, TIMER, {INTERRUPTS: (TICK,), R0: (MASK, UNMASK, BLOCK)}, 1),  # noqa: FBT003
    EventScope("priority fifo", True, _joined(2), {S0: send(1, 2), R0: PRIORITIZE}, 2),  # noqa: FBT003
    *_both("apart", {S0: send(1), S1: send(2), R0: ()}, ports=2),
    *_both("ports", {S0: send(1, 2), S1: send(1, 2), R0: ()}, ports=2, alike=(S0, S1)),
)
SCOPES: Final[dict[str, EventScope]] = {scope.name: scope for scope in LIST}
"""The scopes by name; those with a depth are bounded, the others complete."""
