"""Moves of event channels: calls, the guest's side of the protocol, sleeping, and interrupts of Xen's own."""

from collections.abc import Callable
from typing import Final

from xenmodel.events import arguments as calls
from xenmodel.events.calls import event_channel_op
from xenmodel.events.delivery import raise_virq
from xenmodel.events.guest import (
    clear_pending,
    mask_port,
    mask_upcalls,
    scribble_head,
    scribble_selector,
    scribble_signal,
    scribble_upcall,
    scribble_word,
    unmask_upcalls,
)
from xenmodel.events.handling import handle
from xenmodel.events.setup import ExpandArray, InitControl, SetPriority
from xenmodel.events.waiting import Poll, block, poll
from xenmodel.hypercall import Call, Steps
from xenmodel.step import Refused
from xenproofs.machines.moves import Move, extra, frame_of, named, other
from xenproofs.machines.setup import DOMAINS, VCPUS_EACH
from xenspec.vocabulary import DOMID_IDLE, DOMID_SELF, DomId, Errno, PortId, VcpuId

KINDS: Final = ("event", "handle", "guest", "sleep", "interrupt", "scribble")
PORTS: Final = 3
"""Ports that a number names: 1 to this."""
VIRQS: Final = (0, 3)
"""The timer of each vCPU, and an interrupt of the whole domain."""
SENDS: Final = 10
"""How often, of all commands, an event is sent."""


ODD: Final = 18
"""A number of a move from which on the call names what does not exist: a port, a domain."""
NO_SUCH_PORT: Final = 100
LINKS: Final = (0, 1, 2, 3, 1, 2, 3, 1023, 1024, 4096, (1 << 17) - 1)
"""Ports that a guest stores into a link or a head: its own, of no word, beyond every array."""
NO_SUCH_DOMAIN: Final = 5


def port_of(move: Move) -> int:
    """Return the port that a move is about."""
    return 1 + move.b % PORTS


def _any_port(move: Move) -> int:
    """Return the same, now and then a port that was never made."""
    return NO_SUCH_PORT if move.c >= ODD else port_of(move)


def _any_other(x: Call, move: Move) -> DomId:
    """Return another domain, now and then one that does not exist."""
    return DomId(NO_SUCH_DOMAIN) if move.c >= ODD else other(x.domain, move)


def _any_vcpu(move: Move) -> int:
    """Return one of the caller's vCPUs, now and then one that it does not have."""
    return VCPUS_EACH if move.c >= ODD else move.c % VCPUS_EACH


def _send(_: Call, move: Move) -> calls.Send:
    return calls.Send(_any_port(move))


def _unmask(_: Call, move: Move) -> calls.Unmask:
    return calls.Unmask(_any_port(move))


Command = Callable[[Call, Move], calls.EventCall]
COMMANDS: Final[tuple[tuple[str, Command], ...]] = (
    *(("unmask", _unmask),) * 2,
    *(("send", _send),) * SENDS,
    ("alloc_unbound", lambda x, move: calls.AllocUnbound(named(x.domain, move.d), other(x.domain, move))),
    ("bind_interdomain", lambda x, move: calls.BindInterdomain(_any_other(x, move), port_of(move))),
    ("bind_virq", lambda _, move: calls.BindVirq(VIRQS[move.b % 2], _any_vcpu(move))),
    ("bind_ipi", lambda _, move: calls.BindIpi(_any_vcpu(move))),
    ("bind_vcpu", lambda _, move: calls.BindVcpu(port_of(move), _any_vcpu(move))),
    ("close", lambda _, move: calls.Close(_any_port(move))),
    ("set_priority", lambda _, move: SetPriority(_any_port(move), (0, 7)[move.c % 2])),
    ("init_control", lambda x, move: InitControl(frame_of(x.domain, move.c), 0, move.b % (VCPUS_EACH + 1))),
    ("expand_array", lambda x, move: ExpandArray(frame_of(x.domain, move.c), masked=False)),
    ("reset", lambda x, move: calls.Reset(named(x.domain, move.d))),
    ("status", lambda x, move: calls.Status(named(x.domain, move.d), _any_port(move))),
    ("close", lambda _, move: calls.Close(_any_port(move))),
    ("bind_ipi", lambda _, move: calls.BindIpi(_any_vcpu(move))),
    ("alloc_unbound", lambda x, move: calls.AllocUnbound(DOMID_SELF, other(x.domain, move))),
    ("bind_interdomain", lambda x, move: calls.BindInterdomain(_any_other(x, move), port_of(move))),
)
"""The commands of an event_channel_op, as often as they are to be drawn."""


def _command(move: Move) -> tuple[str, Command]:
    return COMMANDS[(move.a * 8 + extra(move.d)) % len(COMMANDS)]


def event_name(move: Move) -> str:
    """Return the name of a move's call."""
    if move.kind == "event":
        return f"event_channel_op:{_command(move)[0]}"
    if move.kind == "sleep":
        return ("sched_op:block", "sched_op:poll")[move.a % 2]
    return move.kind


def event_steps(x: Call, move: Move) -> Steps[str]:
    """Return the steps of a move; their result says how it ended."""
    made = {
        "event": _call,
        "handle": _handle,
        "guest": _touch,
        "sleep": _sleep,
        "interrupt": _interrupt,
        "scribble": _scribble,
    }[move.kind]
    try:
        return (yield from made(x, move))
    except Refused:
        return "refused"


def _call(x: Call, move: Move) -> Steps[str]:
    result = yield from event_channel_op(x, _command(move)[1](x, move))
    return "ok" if result.rc == 0 else Errno(-result.rc).name


def _handle(x: Call, _: Move) -> Steps[str]:
    handled = yield from handle(x.m, x.vcpu)
    return "handled" if handled else "nothing to handle"


def _touch(x: Call, move: Move) -> Steps[str]:
    """Change what a guest may change at any time."""
    p = PortId((x.domain, port_of(move)))
    choice = move.a % 4
    if choice == 0:
        mask_port(x.m, p)
        yield mask_port
    elif choice == 1:
        clear_pending(x.m, p)
        yield clear_pending
    else:
        change = mask_upcalls if choice == 2 else unmask_upcalls  # noqa: PLR2004 - of four
        change(x.m, x.vcpu)
        yield change
    return "done"


def _scribble(x: Call, move: Move) -> Steps[str]:
    """Store against the protocol into what is shared with Xen: bits, event words, links, heads."""
    m, v, choice = x.m, x.vcpu, extra(move.d)
    first, second, third, fourth = (bool(move.c >> bit & 1) for bit in range(4))
    p = PortId((x.domain, move.b % (PORTS + 1)))
    link = LINKS[move.a % len(LINKS)]
    if choice < 4:  # noqa: PLR2004 - half of them
        scribble_word(m, p, (first, second, third, fourth), link)
        yield scribble_word
    elif choice < 6:  # noqa: PLR2004 - a quarter
        scribble_head(m, v, (0, 7)[move.b % 2], link, ready=first)
        yield scribble_head
    elif choice == 6:  # noqa: PLR2004 - one of eight
        scribble_signal(m, p, pending=first, masked=second)
        yield scribble_signal
    else:
        scribble_upcall(m, v, pending=first, masked=second)
        yield scribble_upcall
        scribble_selector(m, v, 0, value=third)
        yield scribble_selector
    return "done"


def _sleep(x: Call, move: Move) -> Steps[str]:
    ports = (port_of(move), 1 + move.c % PORTS)[: 1 + extra(move.d) % 2]
    rc = yield from poll(x, Poll(ports)) if move.a % 2 else block(x)
    return "ok" if rc == 0 else Errno(-rc).name


def _interrupt(x: Call, move: Move) -> Steps[str]:
    """Let an interrupt come: one notice at a time for each vCPU that a move may name."""
    handler = VcpuId((DOMID_IDLE, x.vcpu[0] * VCPUS_EACH + x.vcpu[1]))
    virq = VIRQS[extra(move.d) % 2]
    yield from raise_virq(x.m, handler, VcpuId((DOMAINS[move.c % 2], move.b % VCPUS_EACH)), virq)
    return "done"
