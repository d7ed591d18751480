"""Rows of event channels: Xen's own, those in memory that the guest can write, and work in progress.

Xen's own: `Port`, `Channels`, `Binding`, `Queue`, `Wait`. In memory shared with the guest, which may change
at any moment: `Signal` (2-level pending and mask bits), `Selector`, `Upcall`, `EventWord` and `Head` (FIFO).
`Notice` is one vCPU's work of making an event known, step by step; Xen's interrupt handlers on physical CPU n
do theirs as vCPU (DOMID_IDLE, n). `Handler`, `Scan` and `Taken` are the guest's side of the protocol.

`teller` fields (but `Channels.teller`, which is a lock), `raised`, `order`, `owed`, `waiting`, `sleeps`,
`honest` and `PolledPort` are ghost state: no step's guard reads them. A teller is whose notice answers for
what is not yet told.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from xenmodel.abi.event import BUCKET_PORTS, DEFAULT_PRIORITY, NO_LIMIT
from xenspec.vocabulary import DOMID_INVALID, FREE, RESERVED, DomId, PortState, VcpuId

NOBODY: Final = VcpuId((DOMID_INVALID, 0))
"""A vCPU field that names none."""
NO_PORT: Final = 0
ANY_PORT: Final = -1
"""A vCPU polls for several ports."""


class Stage(IntEnum):
    """What the notice of a vCPU is about to do."""

    IDLE = 0
    MARK = 1
    """Set the pending bit."""
    LOOK = 2
    """Pending is set: look at the mask."""
    CLEAR = 3
    """Clear the mask (unmask)."""
    TEST = 4
    """The mask is clear: look at the pending bit (unmask)."""
    SELECT = 5
    """The port is pending and not masked: set its selector bit, or link its event word."""
    UPCALL = 6
    """The selector or queue is set: set the vCPU's upcall bit."""
    KICK = 7
    """The upcall bit is set: wake the vCPU."""
    POLLERS = 8
    """Wake vCPUs that poll, one after another from `cursor`."""
    END = 9
    """Let go of the port."""
    TAIL = 10
    """The event word is linked: append it to the queue's tail."""
    HEAD = 11
    """The queue is empty: make the port its head."""
    READY = 12
    """The head is set: tell that the queue is not empty."""
    LOCKED = 13
    """The queues are locked: set the pending bit of the event word."""


S_IDLE: Final = Stage.IDLE
S_MARK: Final = Stage.MARK
S_LOOK: Final = Stage.LOOK
S_CLEAR: Final = Stage.CLEAR
S_TEST: Final = Stage.TEST
S_SELECT: Final = Stage.SELECT
S_UPCALL: Final = Stage.UPCALL
S_KICK: Final = Stage.KICK
S_POLLERS: Final = Stage.POLLERS
S_END: Final = Stage.END
S_TAIL: Final = Stage.TAIL
S_HEAD: Final = Stage.HEAD
S_READY: Final = Stage.READY
S_LOCKED: Final = Stage.LOCKED


@dataclass(slots=True)
class Channels:
    """What a domain's event channels have in common, keyed domain."""

    valid: int = BUCKET_PORTS
    """Ports below this exist, open or not (valid_evtchns)."""
    limit: int = NO_LIMIT
    """Largest port that the domain may have (max_evtchn_port)."""
    active: int = 0
    """Ports in use, but port 0 (active_evtchns)."""
    reset_at: int = 0
    """Next port that a reset in progress closes; 0: none is (next_evtchn)."""
    fifo: bool = False
    """The domain has switched to the FIFO ABI."""
    words: int = 0
    """Event words that the pages of its array hold (num_evtchns)."""
    pirqs: int = 256
    """Physical interrupts that it may name (nr_pirqs)."""
    started: bool = False
    """The control domain has let the domain run, and does (controller_pause_count is 0)."""
    honest: bool = True
    """The domain has written its shared words by the protocol only, and closed no port whose event waited."""
    told: int = 0
    """Of the ports below this that have a word, events that waited for it have been told."""
    teller: VcpuId = NOBODY
    """Who sets up event words, or tells what waited for them, under the domain's event_lock."""


@dataclass(slots=True)
class Port:
    """One port, keyed (domain, port) (struct evtchn)."""

    state: PortState = FREE
    remote_domain: DomId = DOMID_INVALID
    """The peer's domain; for an unbound port, the one that may bind it."""
    remote_port: int = NO_PORT
    virq: int = 0
    pirq: int = 0
    vcpu: int = 0
    """Number of the vCPU that is told (notify_vcpu_id)."""
    priority: int = DEFAULT_PRIORITY
    last_vcpu: int = 0
    """vCPU of the queue that the port was last linked on (fifo_lastq)."""
    last_priority: int = 0
    saved: bool = False
    """Pending, until there is an event word to say so (evtchn->pending); it stays set when there is."""
    waiting: bool = False
    """An event was kept so, and its word does not say so yet. Ghost."""
    readers: int = 0
    """Notices that hold the port's lock: it does not change its state meanwhile."""
    owed: VcpuId = NOBODY
    """Who is to make it pending: who has joined it, or tells what waited for its word."""


def new_port(key: tuple[int, int]) -> Port:
    """Return the row of a port that nobody has used: port 0 is reserved."""
    return Port(state=FREE if key[1] else RESERVED)


@dataclass(slots=True)
class Signal:
    """A port's bits of the 2-level ABI, in the domain's shared_info."""

    pending: bool = False
    masked: bool = False
    teller: VcpuId = NOBODY
    """Who set the pending bit or cleared the mask last."""
    raised: int = 0
    """Number of the vCPU whose selector was set for it last."""
    announcer: VcpuId = NOBODY
    """Who set the pending bit last."""


@dataclass(slots=True)
class Selector:
    """A selector bit, keyed (vCPU, word), in the vCPU's vcpu_info."""

    set: bool = False
    teller: VcpuId = NOBODY


@dataclass(slots=True)
class Upcall:
    """A vCPU's upcall bytes, in its vcpu_info."""

    pending: bool = False
    masked: bool = False
    teller: VcpuId = NOBODY


@dataclass(slots=True)
class EventWord:
    """A port's word of the FIFO ABI, in the domain's event array; keyed (domain, port)."""

    pending: bool = False
    masked: bool = False
    linked: bool = False
    busy: bool = False
    link: int = NO_PORT
    """The next port of the queue."""
    teller: VcpuId = NOBODY
    announcer: VcpuId = NOBODY
    order: int = 0
    """When it was linked, counted over all links of its queue."""
    before: int = NO_PORT
    """The port that links it; NO_PORT: it is the head."""
    linker: VcpuId = NOBODY
    """Who set LINKED last."""


@dataclass(slots=True)
class Head:
    """A queue as the guest sees it, in the vCPU's control block; keyed (vCPU, priority)."""

    port: int = NO_PORT
    ready: bool = False
    setter: VcpuId = NOBODY
    """Who made a port the head last."""
    teller: VcpuId = NOBODY


@dataclass(slots=True)
class Queue:
    """A queue as Xen knows it; keyed (vCPU, priority)."""

    tail: int = NO_PORT
    """The port linked last; if its word is no longer linked, the queue is empty."""
    locked: bool = False
    linked: int = 0
    """Events linked so far: the next one's `order` (ghost)."""
    holder: VcpuId = NOBODY
    """Whose notice took the lock last."""


@dataclass(slots=True)
class Binding:
    """A virtual interrupt's port, keyed (vCPU, number); NO_PORT: nobody wants it."""

    port: int = NO_PORT


@dataclass(slots=True)
class Line:
    """A physical interrupt of a domain, keyed (domain, number)."""

    port: int = NO_PORT
    permitted: bool = False
    """The domain may bind it."""
    usable: bool = True
    """There is an interrupt behind the number, and no other use of it forbids this one."""


@dataclass(slots=True)
class Wait:
    """Whether a vCPU sleeps, keyed vCPU."""

    blocked: bool = False
    polling: bool = False
    """It is among those that a pending port may wake (poll_mask)."""
    poll_port: int = NO_PORT
    """The port that it polls for, or ANY_PORT."""
    checking: bool = False
    """It has said that it sleeps, and has not looked yet whether there is an upcall."""
    looked: int = NO_PORT
    """The port that it saw not to be pending last, since it has said that it sleeps."""
    alone: bool = False
    """It has looked at no other port than that one."""
    sleeps: int = 0
    """How often it has said that it sleeps (ghost)."""


@dataclass(slots=True)
class PolledPort:
    """A port that a vCPU polls for; keyed (vCPU, port). Ghost."""

    sleep: int = 0
    """In which of its sleeps the vCPU saw last that the port is not pending; 0: in none."""


@dataclass(slots=True)
class Notice:
    """The work of one vCPU to make an event known, keyed by that vCPU."""

    stage: Stage = Stage.IDLE
    fifo: bool = False
    """By the FIFO ABI, which the domain may switch to or from meanwhile."""
    domain: DomId = DOMID_INVALID
    port: int = NO_PORT
    vcpu: int = 0
    """Number of the vCPU to tell."""
    priority: int = DEFAULT_PRIORITY
    """FIFO: the queue to link to."""
    news: bool = False
    """The pending bit was not set before: pollers are to be looked at."""
    cursor: int = 0
    """Next vCPU to look at among those that poll."""


@dataclass(slots=True)
class Handler:
    """A guest's handler of upcalls on one vCPU: it clears the upcall bit, then takes what is selected."""

    running: bool = False
    cursor: int = 0
    """Next selector bit, or priority, to look at; those below have been taken."""


@dataclass(slots=True)
class Scan:
    """A word of ports whose selector bit the guest has taken; keyed (vCPU, word)."""

    running: bool = False
    cursor: int = 0
    """Next place in the word to look at."""


@dataclass(slots=True)
class Taken:
    """A queue that the guest consumes; keyed (vCPU, priority)."""

    running: bool = False
    head: int = NO_PORT
    """The guest's own copy of the head; NO_PORT: it is to be read from the control block."""
    port: int = NO_PORT
    """Unlinked just now, and not looked at yet."""
