"""What may happen next in a world of event channels: a step of a call or handler, or the start of either.

A vCPU is in a call while its notice is not idle or its task has a next step; then nothing else happens on it.
Between calls it may take an upcall, go on with its handler, or begin an action of its scope. Some steps are
made together with a neighbour: those that look at what the scope does not use (other selector bits, ports and
queues), and entering the handler with clearing the upcall bit, leaving it with letting upcalls in: whoever
acts between the two could as well have acted before both.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import Final, NamedTuple

from xenmodel.abi.event import QUEUES, WORD_PORTS
from xenmodel.events import guest, ports, waiting
from xenmodel.events.delivery import next_step
from xenmodel.events.notices import begin_interrupt, begin_send, begin_unmask
from xenmodel.events.rows import S_IDLE
from xenmodel.machine import Machine
from xenmodel.step import Refused
from xenproofs.explorer.events.scopes import DOMAINS, INTERRUPTS, PRIORITIES, EventScope
from xenproofs.explorer.events.state import NO_TASK, EventKeeper, Task
from xenspec.vocabulary import FREE, INTERDOMAIN, PIRQ, RESERVED, VIRQ, DomId, PortId, VcpuId

CALL, HANDLER, UPCALL = "call", "handler", "upcall"
"""What of a vCPU acts: a call that has begun, its guest's handler, and Xen that enters the handler."""
GUEST: Final = "guest"
"""The guest on a vCPU begins something: nobody is sure that it does."""
ASLEEP: Final = "asleep"
"""The task of a vCPU whose poll has ended, and which sleeps until it is woken."""
CLOSED_ALONE = {INTERDOMAIN: ports.part, VIRQ: ports.close_virq, PIRQ: ports.close_pirq}


class Transition(NamedTuple):
    """One or a few steps that happen at once."""

    vcpu: VcpuId
    part: str
    name: str
    numbers: tuple[int, ...] = ()

    @property
    def actor(self) -> Hashable:
        """The vCPU, and what of it acts."""
        return self.vcpu, self.part

    @property
    def fair(self) -> bool:
        """Whether it is sure to happen some time: all but what a guest begins of its own."""
        return self.part != GUEST


def in_call(keeper: EventKeeper, v: VcpuId) -> bool:
    """Return whether a vCPU is in a call."""
    return keeper.m.notices[v].stage != S_IDLE or keeper.tasks[v].kind not in ("", ASLEEP)


def transitions(keeper: EventKeeper, scope: EventScope) -> list[Transition]:
    """Return what may happen next."""
    m, found = keeper.m, list[Transition]()
    for v, actions in scope.actions.items():
        if m.notices[v].stage != S_IDLE:
            found.append(Transition(v, CALL, next_step(m, v).__name__))
        elif in_call(keeper, v):
            found.append(Transition(v, CALL, *_next_of_task(m, v, keeper.tasks[v])))
        elif not m.waits[v].blocked:
            found += _of_guest(m, v) if v in scope.handlers else ()
            begun = (Transition(v, GUEST, one.kind, one.numbers) for one in actions)
            inside = m.handlers[v].running
            found += (one for one in begun if not (inside and one.name in ("block", "poll", "cli")))
    return found


def _of_guest(m: Machine, v: VcpuId) -> Iterator[Transition]:
    """Give what a vCPU does that takes upcalls: nothing, or one thing."""
    upcall = m.upcalls[v]
    if upcall.pending and not upcall.masked:
        yield Transition(v, UPCALL, "deliver")
    elif m.handlers[v].running:
        yield Transition(v, HANDLER, *(_queue_next if m.channels[v[0]].fifo else _selector_next)(m, v))
    elif upcall.masked:
        yield Transition(v, HANDLER, "sti")


def _selector_next(m: Machine, v: VcpuId) -> tuple[str, tuple[int, ...]]:
    """Return the next step of a handler by the 2-level ABI; only the first word is in use."""
    if m.handlers[v].cursor:
        return "leave", ()
    scan = m.scans[v, 0]
    if scan.running:
        signal = m.signals[v[0], scan.cursor]
        return "take_port" if signal.pending and not signal.masked else "pass_port", (scan.cursor,)
    return "take_selector" if m.selectors[v, 0].set else "pass_selector", ()


def _queue_next(m: Machine, v: VcpuId) -> tuple[str, tuple[int, ...]]:
    """Return the next step of a handler by the FIFO ABI."""
    place = m.handlers[v].cursor
    if place >= QUEUES:
        return "leave", ()
    taken = m.taken[v, place]
    if taken.running:
        return "look_at_unlinked" if taken.port else "unlink", (place,)
    return "take_queue" if m.heads[v, place].ready else "pass_queue", ()


def _next_of_task(m: Machine, v: VcpuId, task: Task) -> tuple[str, tuple[int, ...]]:
    """Return the next step of a call that has begun: its name and its numbers."""
    if task.kind == "reset":
        used = (p for p in range(task.place, m.channels[v[0]].valid) if is_open(m, PortId((v[0], p))))
        port = next(used, None)
        return ("end_reset", ()) if port is None else ("reset_port", (port,))
    if task.kind == "block":
        return ("fall_asleep", "stay_asleep_without_upcall")[task.place - 1], ()
    if task.place < len(POLL_BEGINS):
        return POLL_BEGINS[task.place], ()
    number = task.place - len(POLL_BEGINS)
    if number < len(task.numbers):
        return "look_at_port", (task.numbers[number],)
    return "poll_one_port", ()


POLL_BEGINS: Final = ("fall_asleep", "begin_poll", "look_for_upcall")


def is_open(m: Machine, p: PortId) -> bool:
    """Return whether a port is in use."""
    return m.ports[p].state not in (FREE, RESERVED)


# --- Making them ------------------------------------------------------------------------------------------


def happen(keeper: EventKeeper, scope: EventScope, transition: Transition) -> bool:
    """Make a transition; return whether it can happen now."""
    try:
        if transition.part == CALL:
            _go_on(keeper, transition)
        elif transition.part == GUEST:
            BEGIN[transition.name](keeper, transition)
        else:
            _handle(keeper.m, scope, transition)
    except Refused:
        return False
    return True


def _go_on(keeper: EventKeeper, t: Transition) -> None:
    """Run one more step of a call."""
    m, v = keeper.m, t.vcpu
    if m.notices[v].stage != S_IDLE:
        next_step(m, v)(m, v)
        return
    task = keeper.tasks[v]
    keeper.tasks[v] = task._replace(place=task.place + 1)
    {"reset": _reset, "block": _block, "poll": _poll}[task.kind](keeper, t)


def _reset(keeper: EventKeeper, t: Transition) -> None:
    domain = DomId(t.vcpu[0])
    if t.name == "end_reset":
        ports.end_reset(keeper.m, domain)
        keeper.tasks[t.vcpu] = NO_TASK
    else:
        _close(keeper.m, PortId((domain, t.numbers[0])))
        keeper.tasks[t.vcpu] = Task("reset", (), t.numbers[0] + 1)


def _block(keeper: EventKeeper, t: Transition) -> None:
    m, v = keeper.m, t.vcpu
    if t.name == "fall_asleep":
        waiting.fall_asleep(m, v)
    else:
        waiting.stay_asleep_without_upcall(m, v)
        keeper.tasks[v] = NO_TASK


def _poll(keeper: EventKeeper, t: Transition) -> None:
    m, v, task = keeper.m, t.vcpu, keeper.tasks[t.vcpu]
    ended = False
    if t.name == "begin_poll":
        waiting.begin_poll(m, v)
    elif t.name == "look_for_upcall":
        ended = waiting.look_for_upcall(m, v)
    elif t.name == "look_at_port":
        ended = _look(m, v, PortId((v[0], t.numbers[0])))
        several = len(task.numbers) > 1
        ended = ended or (several and task.place == len(POLL_BEGINS) + len(task.numbers))
    else:
        waiting.poll_one_port(m, v)
        ended = True
    if ended:
        keeper.tasks[v] = Task(ASLEEP, task.numbers)


def _look(m: Machine, v: VcpuId, p: PortId) -> bool:
    """Look at a port; a wrong one ends the call."""
    try:
        return waiting.look_at_port(m, v, p)
    except Refused:
        waiting.give_up_poll(m, v)
        return True


def _handle(m: Machine, scope: EventScope, t: Transition) -> None:
    """Make a step of a handler, or enter it."""
    v = t.vcpu
    if t.name == "deliver":
        guest.deliver_upcall(m, v)
        guest.clear_upcall(m, v)
    elif t.name == "leave":
        guest.leave_handler(m, v)
        guest.unmask_upcalls(m, v)
    elif t.name == "sti":
        guest.unmask_upcalls(m, v)
    elif t.name in ("unlink", "look_at_unlinked"):
        {"unlink": guest.unlink, "look_at_unlinked": guest.look_at_unlinked}[t.name](m, v, t.numbers[0])
    elif t.name in ("take_queue", "pass_queue"):
        {"take_queue": guest.take_queue, "pass_queue": guest.pass_queue}[t.name](m, v)
        _pass_unused_queues(m, v)
    else:
        _scan(m, scope, t)


def _pass_unused_queues(m: Machine, v: VcpuId) -> None:
    while (place := m.handlers[v].cursor) < QUEUES and place not in PRIORITIES:
        guest.pass_queue(m, v)


def _scan(m: Machine, scope: EventScope, t: Transition) -> None:
    """Make a step of a handler by the 2-level ABI."""
    v = t.vcpu
    if t.name == "pass_selector":
        for _ in range(WORD_PORTS):
            guest.pass_selector(m, v)
    elif t.name == "take_selector":
        guest.take_selector(m, v)
        guest.pass_port(m, v, 0)
    elif t.name == "take_port":
        guest.take_port(m, v, PortId((v[0], t.numbers[0])))
    else:
        guest.pass_port(m, v, 0)
    while m.scans[v, 0].running and m.scans[v, 0].cursor > scope.ports:
        guest.pass_port(m, v, 0)


def _close(m: Machine, p: PortId) -> None:
    CLOSED_ALONE.get(m.ports[p].state, ports.close_plain)(m, p)


def _begin_block(keeper: EventKeeper, t: Transition) -> None:
    waiting.let_upcalls_in(keeper.m, t.vcpu)
    keeper.tasks[t.vcpu] = Task("block", (), 1)


def _begin_poll(keeper: EventKeeper, t: Transition) -> None:
    waiting.fall_asleep(keeper.m, t.vcpu)
    keeper.tasks[t.vcpu] = Task("poll", t.numbers, 1)


def _begin_reset(keeper: EventKeeper, t: Transition) -> None:
    ports.begin_reset(keeper.m, DomId(t.vcpu[0]))
    keeper.tasks[t.vcpu] = Task("reset", (), 1)


def _free(keeper: EventKeeper, t: Transition) -> PortId:
    """Return the lowest free port of the caller's domain, of those of the scope."""
    m = keeper.m
    for p in keeper.ports:
        linked = m.channels[p[0]].fifo and m.event_words[p].linked
        if p[0] == t.vcpu[0] and m.ports[p].state == FREE and not linked:
            return PortId(p)
    return PortId((t.vcpu[0], 0))


def _alloc(keeper: EventKeeper, t: Transition) -> None:
    ports.open_unbound(keeper.m, _free(keeper, t), DOMAINS[1 - t.vcpu[0]])


def _bind(keeper: EventKeeper, t: Transition) -> None:
    ports.join(keeper.m, t.vcpu, _free(keeper, t), PortId((1 - t.vcpu[0], t.numbers[0])))


def _interrupt(keeper: EventKeeper, t: Transition) -> None:
    begin_interrupt(keeper.m, t.vcpu, PortId((DOMAINS[1], t.numbers[0])))


def _priority(keeper: EventKeeper, t: Transition) -> None:
    p = _port(t)
    if is_open(keeper.m, p):
        ports.set_port_priority(keeper.m, p, t.numbers[1])


def _port(t: Transition) -> PortId:
    return PortId((t.vcpu[0], t.numbers[0]))


BEGIN: Final[dict[str, Callable[[EventKeeper, Transition], None]]] = {
    "send": lambda keeper, t: begin_send(keeper.m, t.vcpu, _port(t)),
    "unmask": lambda keeper, t: begin_unmask(keeper.m, t.vcpu, _port(t)),
    "interrupt": _interrupt,
    "mask": lambda keeper, t: guest.mask_port(keeper.m, _port(t)),
    "clear": lambda keeper, t: guest.clear_pending(keeper.m, _port(t)),
    "quiet": lambda keeper, t: guest.unmask_quiet_word(keeper.m, _port(t)),
    "close": lambda keeper, t: _close(keeper.m, _port(t)),
    "alloc": _alloc,
    "bind": _bind,
    "retarget": lambda keeper, t: ports.retarget(keeper.m, _port(t), t.numbers[1]),
    "priority": _priority,
    "cli": lambda keeper, t: guest.mask_upcalls(keeper.m, t.vcpu),
    "block": _begin_block,
    "poll": _begin_poll,
    "reset": _begin_reset,
}
"""How a guest begins each kind of action."""
__all__ = ["ASLEEP", "CALL", "INTERRUPTS", "Transition", "happen", "in_call", "is_open", "transitions"]
