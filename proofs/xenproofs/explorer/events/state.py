"""The state of a small world of event channels as plain data: saved, restored, compared.

What nothing reads any more is left out: numbers of a notice that has ended, a teller of what is not pending,
the peer of a free port, the ghost order of words on no queue. Orders are counted back from the end of their
queue, since invariants only compare them; so the states are finitely many.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Generic, NamedTuple, TypeVar

from xenmodel.abi.event import QUEUES
from xenmodel.events.rows import (
    NO_PORT,
    NOBODY,
    S_IDLE,
    Binding,
    Channels,
    EventWord,
    Handler,
    Head,
    Notice,
    PolledPort,
    Port,
    Queue,
    Scan,
    Selector,
    Signal,
    Taken,
    Upcall,
    Wait,
)
from xenproofs.explorer.events.scopes import DOMAINS, INTERRUPTS, PRIORITIES, VCPUS, EventScope
from xenspec.table import Table
from xenspec.vocabulary import DOMID_INVALID, FREE, INTERDOMAIN, UNBOUND, VcpuId

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")
Values = tuple[object, ...]


class Task(NamedTuple):
    """What a vCPU is in the middle of, beside a notice: a call's kind, its numbers, how far it has come."""

    kind: str
    numbers: tuple[int, ...] = ()
    place: int = 0


NO_TASK = Task("")
NO_NOTICE = Notice()
NOTICE_FIELDS = tuple(one.name for one in fields(Notice))


class Saved(NamedTuple):
    """A state."""

    rows: tuple[tuple[Values, ...], ...]
    tasks: tuple[Task, ...]


@dataclass
class Kept(Generic[K, R]):
    """The rows of a table that a scope uses."""

    table: Table[K, R]
    keys: tuple[K, ...]
    row: type

    def __post_init__(self) -> None:
        self.names = tuple(one.name for one in fields(self.row))
        first = attrgetter(*self.names)
        values: Callable[[R], Values] = first if len(self.names) > 1 else lambda row: (first(row),)
        self._values = values

    def read(self) -> tuple[Values, ...]:
        """Return the rows."""
        return tuple(self._values(self.table[key]) for key in self.keys)

    def write(self, rows: Sequence[Values]) -> None:
        """Make the rows what they were."""
        for key, values in zip(self.keys, rows, strict=True):
            row = self.table[key]
            if self._values(row) != values:
                for name, value in zip(self.names, values, strict=True):
                    setattr(row, name, value)


class EventKeeper:
    """Saves and restores one machine of a scope, and what its vCPUs are in the middle of."""

    def __init__(self, scope: EventScope) -> None:
        self.m = m = scope.machine()
        self.acting: tuple[VcpuId, ...] = tuple(scope.actions)
        self.tasks: dict[VcpuId, Task] = dict.fromkeys(self.acting, NO_TASK)
        self.vcpus = tuple(VcpuId((d, n)) for d in DOMAINS for n in range(VCPUS))
        self.ports = tuple((d, p) for d in DOMAINS for p in range(scope.ports + 1))
        self.queues = tuple((v, priority) for v in self.vcpus for priority in PRIORITIES)
        self.selectors = tuple((v, 0) for v in self.vcpus)
        self.polls = tuple((v, port) for v in self.vcpus for port in range(1, scope.ports + 1))
        self.virqs = tuple((v, virq) for v in self.vcpus for virq in (0, 3))
        own = (
            Kept(m.signals, self.ports, Signal),
            Kept(m.selectors, self.selectors, Selector),
            Kept(m.scans, self.selectors, Scan),
        )
        queued = (
            Kept(m.event_words, self.ports, EventWord),
            Kept(m.heads, self.queues, Head),
            Kept(m.queues, self.queues, Queue),
            Kept(m.taken, self.queues, Taken),
        )
        both = (
            Kept(m.channels, DOMAINS, Channels),
            Kept(m.ports, self.ports, Port),
            Kept(m.virqs, self.virqs, Binding),
            Kept(m.upcalls, self.vcpus, Upcall),
            Kept(m.waits, self.vcpus, Wait),
            Kept(m.polled, self.polls, PolledPort),
            Kept(m.notices, (*self.vcpus, INTERRUPTS), Notice),
            Kept(m.handlers, self.vcpus, Handler),
        )
        self._tables = (*both, *(queued if scope.fifo else own))
        self._interned: dict[object, tuple[Values, ...]] = {}
        self._fifo = scope.fifo
        self._alike: dict[object, VcpuId] = dict(zip(scope.alike, reversed(scope.alike), strict=True))
        self._places = [[kept.keys.index(self._other_key(key)) for key in kept.keys] for kept in self._tables]

    def save(self) -> Saved:
        """Return the state; of those that differ by an exchange of vCPUs that act alike, always the same."""
        plain = self.plain()
        return min(plain, self._exchanged(plain)) if self._alike else plain

    def exchange(self, v: VcpuId) -> VcpuId:
        """Return whose part a vCPU plays when the two that act alike are exchanged."""
        return self._alike.get(v, v)

    def _exchanged(self, saved: Saved) -> Saved:
        """Exchange the vCPUs that act alike."""
        rows = tuple(
            self._shared(tuple(tuple(map(self._other, rows[place])) for place in places))
            for places, rows in zip(self._places, saved.rows, strict=True)
        )
        at = [self.acting.index(self.exchange(v)) for v in self.acting]
        return Saved(rows, tuple(saved.tasks[place] for place in at))

    def _other(self, value: object) -> object:
        """Exchange a vCPU in a field."""
        return self._alike.get(value, value)

    def _other_key(self, key: object) -> object:
        """Exchange a vCPU in a key, which may have it as its first part."""
        for v, other in self._alike.items():
            found = next((number for number in range(QUEUES) if key == (v, number)), None)
            if found is not None:
                return other, found
        return self._other(key)

    def plain(self) -> Saved:
        """Return the state, without what nothing reads any more."""
        forget(self)
        rows = tuple(self._shared(kept.read()) for kept in self._tables)
        return Saved(rows, tuple(self.tasks.values()))

    def _shared(self, rows: tuple[Values, ...]) -> tuple[Values, ...]:
        return self._interned.setdefault(rows, rows)

    def restore(self, saved: Saved) -> None:
        """Bring the machine back to a state."""
        for kept, rows in zip(self._tables, saved.rows, strict=True):
            kept.write(rows)
        self.tasks = dict(zip(self.acting, saved.tasks, strict=True))

    @property
    def fifo(self) -> bool:
        """Whether the FIFO ABI is used."""
        return self._fifo


def forget(keeper: EventKeeper) -> None:
    """Bring what nothing reads any more to its first value."""
    m = keeper.m
    for v in (*keeper.vcpus, INTERRUPTS):
        if m.notices[v].stage == S_IDLE:
            _end(m.notices[v])
    for p in keeper.ports:
        _forget_port(m.ports[p], p[1])
    for v in keeper.vcpus:
        if not m.upcalls[v].pending:
            m.upcalls[v].teller = NOBODY
        if not m.handlers[v].running:
            m.handlers[v].cursor = 0
        _forget_sleep(keeper, v)
    if keeper.fifo:
        _forget_queues(keeper)
    else:
        _forget_signals(keeper)


def _end(notice: Notice) -> None:
    for name in NOTICE_FIELDS:
        setattr(notice, name, getattr(NO_NOTICE, name))


def _forget_port(port: Port, number: int) -> None:
    if port.state == FREE and number:
        port.remote_domain, port.remote_port, port.virq, port.pirq = DOMID_INVALID, NO_PORT, 0, 0
    elif port.state == UNBOUND:
        port.remote_port = NO_PORT
    elif port.state != INTERDOMAIN:
        port.remote_domain, port.remote_port = DOMID_INVALID, NO_PORT


def _forget_sleep(keeper: EventKeeper, v: VcpuId) -> None:
    wait = keeper.m.waits[v]
    task = keeper.tasks.get(v, NO_TASK)
    if task.kind == "asleep" and not wait.blocked:
        keeper.tasks[v] = task = NO_TASK
    if task == NO_TASK and not wait.blocked:
        wait.looked = NO_PORT
    _forget_polled(keeper, v)


def _forget_polled(keeper: EventKeeper, v: VcpuId) -> None:
    """Number the present sleep 1, and all before it 0: invariants only compare them."""
    wait = keeper.m.waits[v]
    awake = not wait.blocked and not wait.checking
    wait.alone = wait.alone and wait.looked != NO_PORT
    for k in (k for k in keeper.polls if k[0] == v):
        polled = keeper.m.polled[k]
        polled.sleep = int(polled.sleep == wait.sleeps and not awake)
    wait.sleeps = 1


def _forget_signals(keeper: EventKeeper) -> None:
    m = keeper.m
    for p in keeper.ports:
        signal = m.signals[p]
        if not signal.pending:
            signal.teller, signal.raised, signal.announcer = NOBODY, 0, NOBODY
    for k in keeper.selectors:
        if not m.selectors[k].set:
            m.selectors[k].teller = NOBODY
        if not m.scans[k].running:
            m.scans[k].cursor = 0


def _forget_queues(keeper: EventKeeper) -> None:
    m = keeper.m
    for p in keeper.ports:
        word, port = m.event_words[p], m.ports[p]
        if not word.pending:
            word.teller = word.announcer = NOBODY
        if not word.linked:
            word.linker, word.before = NOBODY, NO_PORT
        queue = m.queues[(p[0], port.last_vcpu), port.last_priority]
        word.order = word.order - queue.linked if word.linked or queue.tail == p[1] else 0
    for k in keeper.queues:
        queue, head = m.queues[k], m.heads[k]
        queue.linked = 0
        if not queue.locked:
            queue.holder = NOBODY
        if not head.ready:
            head.teller = NOBODY
