"""Safety of event channels: ports are well formed, no wake-up is lost, queues are whole.

What is said of wake-ups and queues holds of a domain as long as it keeps to the protocol in the words that it
shares with Xen (`honest`): one that does not may lose its own events. What is said of ports holds of all.

A wake-up is a chain: a port that is pending and not masked is selected (or linked), what is selected has an
upcall, a vCPU with an upcall does not sleep. At each link, the one who is to make the next may still be at
it: then it is the notice that the `teller` of the last link is at work on.
"""

from xenspec.events.books import NOBODY
from xenspec.events.state import EventState, NoticeRow, PortRow
from xenspec.invariant import Kind, Registry
from xenspec.logic import Not, either, implies, ite
from xenspec.vocabulary import (
    FREE,
    INTERDOMAIN,
    PIRQ,
    RESERVED,
    VIRQ,
    PirqId,
    PollId,
    PortId,
    QueueId,
    SelectorId,
    VcpuId,
    VirqId,
)

SAFETY: Registry[EventState] = Registry("events", Kind.SAFETY)
invariant = SAFETY.invariant

WORD_PORTS = 64
"""Ports under a selector bit."""


def in_use(port: PortRow) -> bool:
    """Return whether a port is bound to something."""
    return (port.state != FREE) & (port.state != RESERVED)


def is_global(virq: int) -> bool:
    """Return whether a virtual interrupt is its domain's, and not of each vCPU: all but these four are."""
    return (virq != 0) & (virq != 1) & (virq != 7) & (virq != 13)  # noqa: PLR2004 - timer, debug, profilers


def at_work(notice: NoticeRow, p: PortId) -> bool:
    """Return whether a notice is one of the port."""
    return (notice.stage != 0) & (notice.domain == p[0]) & (notice.port == p[1])


def told(notice: NoticeRow, v: VcpuId) -> bool:
    """Return whether a notice is for the vCPU."""
    return (notice.stage != 0) & (notice.domain == v[0]) & (notice.vcpu == v[1])


def pending(s: EventState, p: PortId) -> bool:
    """Return whether the port is pending, by the ABI of its domain."""
    return ite(s.channels[p[0]].fifo, s.event_words[p].pending, s.signals[p].pending)


# --- Ports ------------------------------------------------------------------------------------------------


@invariant(property=23, advisories=(343,))
def joined_ports_name_each_other(s: EventState, p: PortId) -> bool:
    """The peer of a joined port is another port, joined to that one: each is the other's peer."""
    port = s.ports[p]

    def back() -> bool:
        far = s.ports[port.remote_domain, port.remote_port]
        itself = (port.remote_domain == p[0]) & (port.remote_port == p[1])
        mutual = (far.state == INTERDOMAIN) & (far.remote_domain == p[0]) & (far.remote_port == p[1])
        return mutual & Not(itself)

    return implies(port.state == INTERDOMAIN, back)


@invariant(property=(15, 23))
def joined_domain_exists(s: EventState, p: PortId) -> bool:
    """The peer of a joined port belongs to a domain that is still there, and so does the port itself."""
    port = s.ports[p]
    return implies(
        port.state == INTERDOMAIN, lambda: s.domains[port.remote_domain].exists & s.domains[p[0]].exists
    )


@invariant(property=23)
def port_zero_is_reserved(s: EventState, p: PortId) -> bool:
    """Port 0 is reserved, and no other port is."""
    return (s.ports[p].state == RESERVED) == (p[1] == 0)


@invariant(property=23, advisories=(338, 342))
def port_in_use_exists(s: EventState, p: PortId) -> bool:
    """A port that is bound to something is one of those that its domain has, which is there."""
    return implies(
        in_use(s.ports[p]),
        lambda: s.domains[p[0]].exists & (p[1] > 0) & (p[1] < s.channels[p[0]].valid),
    )


@invariant(property=23)
def port_tells_a_vcpu_of_its_domain(s: EventState, p: PortId) -> bool:
    """A port in use tells one of its domain's vCPUs."""
    port = s.ports[p]
    return implies(in_use(port), lambda: (port.vcpu >= 0) & (port.vcpu < s.domains[p[0]].vcpus))


@invariant(property=23)
def free_port_is_clean(s: EventState, p: PortId) -> bool:
    """A port that is free tells vCPU 0 when it is bound again, and is not pending."""
    port = s.ports[p]
    return implies(
        port.state == FREE,
        lambda: (port.vcpu == 0) & implies(s.channels[p[0]].honest, lambda: Not(pending(s, p))),
    )


@invariant(property=23)
def port_of_a_virtual_interrupt_is_its_binding(s: EventState, p: PortId) -> bool:
    """A port for a virtual interrupt is the one that the interrupt is bound to, on the vCPU that owns it."""
    port = s.ports[p]
    return implies(
        port.state == VIRQ,
        lambda: s.virqs[(p[0], ite(is_global(port.virq), 0, port.vcpu)), port.virq].port == p[1],
    )


@invariant(property=23)
def bound_virtual_interrupt_has_its_port(s: EventState, k: VirqId) -> bool:
    """What a virtual interrupt is bound to is a port for it, that tells its vCPU unless it is global."""
    bound = s.virqs[k].port

    def bound_to_it() -> bool:
        port = s.ports[k[0][0], bound]
        return (
            (port.state == VIRQ)
            & (port.virq == k[1])
            & ite(is_global(k[1]), k[0][1] == 0, port.vcpu == k[0][1])
        )

    return implies(bound != 0, bound_to_it)


@invariant(property=23)
def port_of_a_physical_interrupt_is_its_binding(s: EventState, p: PortId) -> bool:
    """A port for a physical interrupt is the one that it is bound to, and the domain may have it."""
    port = s.ports[p]

    def bound() -> bool:
        line = s.pirqs[p[0], port.pirq]
        return (line.port == p[1]) & line.permitted

    return implies(port.state == PIRQ, bound)


@invariant(property=23)
def bound_physical_interrupt_has_its_port(s: EventState, k: PirqId) -> bool:
    """What a physical interrupt is bound to is a port for it."""
    bound = s.pirqs[k].port

    def bound_to_it() -> bool:
        port = s.ports[k[0], bound]
        return (port.state == PIRQ) & (port.pirq == k[1])

    return implies(bound != 0, bound_to_it)


# --- No lost wake-up --------------------------------------------------------------------------------------


def _word_ahead(s: EventState, p: PortId) -> bool:
    """The vCPU that the port was selected for will look at it: its bit is set, or its word is being read."""
    word = p[1] // WORD_PORTS
    v = (p[0], s.signals[p].raised)
    return either(
        s.selectors[v, word].set,
        lambda: s.scans[v, word].running & (s.scans[v, word].cursor <= p[1] % WORD_PORTS),
    )


@invariant(property=24)
def pending_port_will_be_looked_at(s: EventState, p: PortId) -> bool:
    """A port that is pending and not masked is selected, about to be looked at, or about to be selected."""
    channels, signal = s.channels[p[0]], s.signals[p]
    return implies(
        channels.honest & Not(channels.fifo) & signal.pending & Not(signal.masked) & in_use(s.ports[p]),
        lambda: either(_word_ahead(s, p), lambda: at_work(s.notices[signal.teller], p)),
    )


def _handler_ahead(s: EventState, v: VcpuId, place: int) -> bool:
    """The vCPU will look at a bit or queue: it has an upcall, or its handler has yet to get there."""
    handler = s.handlers[v]
    return s.upcalls[v].pending | handler.running & (handler.cursor <= place)


@invariant(property=24)
def selected_word_has_an_upcall(s: EventState, k: SelectorId) -> bool:
    """A vCPU with a selector bit set has an upcall pending, looks already, or is about to be told."""
    channels, selector = s.channels[k[0][0]], s.selectors[k]
    v = VcpuId(k[0])
    return implies(
        channels.honest & Not(channels.fifo) & selector.set,
        lambda: either(_handler_ahead(s, v, k[1]), lambda: told(s.notices[selector.teller], v)),
    )


@invariant(property=24)
def sleeping_vcpu_has_no_upcall(s: EventState, v: VcpuId) -> bool:
    """A vCPU with an upcall to be delivered does not sleep, or is about to be woken."""
    wait, upcall = s.waits[v], s.upcalls[v]
    return implies(
        s.channels[v[0]].honest & wait.blocked & Not(wait.checking) & upcall.pending & Not(upcall.masked),
        lambda: told(s.notices[upcall.teller], v),
    )


def polls_for(s: EventState, k: PollId) -> bool:
    """Return whether a vCPU sleeps in a poll in which it has seen a port not to be pending."""
    wait = s.waits[k[0]]
    return wait.blocked & wait.polling & (s.polled[k].sleep == wait.sleeps)


@invariant(property=24)
def polling_vcpu_waits_for_what_is_not_pending(s: EventState, k: PollId) -> bool:
    """A vCPU that polls is woken once any of the ports is pending that it looked at, masked or not."""
    channels = s.channels[k[0][0]]
    p = PortId((k[0][0], k[1]))

    def announced() -> bool:
        fifo, plain = s.event_words[p].announcer, s.signals[p].announcer
        notice = s.notices[ite(channels.fifo, fifo, plain)]
        return at_work(notice, p) & (notice.cursor <= k[0][1])

    return implies(
        channels.honest & polls_for(s, k),
        lambda: implies(pending(s, p) & in_use(s.ports[p]), announced),
    )


@invariant(property=24)
def polling_vcpu_listens_to_all_its_ports(s: EventState, k: PollId) -> bool:
    """A vCPU that polls may be woken by each port that it looked at: by any port, or that is the only one."""
    wait = s.waits[k[0]]
    return implies(polls_for(s, k), lambda: (wait.poll_port < 0) | (wait.poll_port == k[1]))


@invariant(property=24)
def kept_event_waits_for_its_word_alone(s: EventState, p: PortId) -> bool:
    """A kept event has no word yet, or is in the way of who adds words; or its notice has begun."""
    channels, port = s.channels[p[0]], s.ports[p]
    adding = (channels.told <= p[1]) & (channels.teller != NOBODY)
    ahead = channels.fifo & in_use(port) & ((p[1] >= channels.words) | adding)
    return implies(
        channels.honest & port.waiting, lambda: either(ahead, lambda: at_work(s.notices[port.owed], p))
    )


# --- Queues -----------------------------------------------------------------------------------------------


def queue_of(s: EventState, p: PortId) -> QueueId:
    """Return the queue that a port's word is, or was last, on."""
    port = s.ports[p]
    return QueueId(((p[0], port.last_vcpu), port.last_priority))


def is_of_queue(s: EventState, p: PortId, k: QueueId) -> bool:
    """Return whether a port's word is, or was last, on a queue of its domain."""
    port = s.ports[p]
    return (k[0][0] == p[0]) & (k[0][1] == port.last_vcpu) & (k[1] == port.last_priority)


def _linked(s: EventState, p: PortId) -> bool:
    """The word is on a queue of a domain that keeps to the protocol."""
    channels = s.channels[p[0]]
    return channels.honest & channels.fifo & (p[1] < channels.words) & s.event_words[p].linked


@invariant(property=(24, 25))
def pending_word_is_linked(s: EventState, p: PortId) -> bool:
    """A port that is pending and not masked is on a queue, was just taken off, or is about to be linked."""
    channels, word = s.channels[p[0]], s.event_words[p]
    queue = s.taken[queue_of(s, p)]
    return implies(
        channels.honest & channels.fifo & (p[1] < channels.words) & word.pending & Not(word.masked),
        lambda: either(
            word.linked | Not(in_use(s.ports[p])) | (queue.port == p[1]),
            lambda: at_work(s.notices[word.teller], p),
        ),
    )


@invariant(property=25)
def linked_word_links_the_next(s: EventState, p: PortId) -> bool:
    """What a word on a queue links is on the same queue, put there later, with that word before it."""
    word = s.event_words[p]

    def linked() -> bool:
        p2 = PortId((p[0], word.link))
        following = s.event_words[p2]
        return (
            following.linked
            & (following.before == p[1])
            & (following.order > word.order)
            & (s.ports[p2].last_vcpu == s.ports[p].last_vcpu)
            & (s.ports[p2].last_priority == s.ports[p].last_priority)
        )

    return implies(_linked(s, p) & (word.link != 0), linked)


@invariant(property=25)
def linked_word_can_be_reached(s: EventState, p: PortId) -> bool:
    """A word on a queue is its first, is linked by the one before, or is about to be put there."""
    word = s.event_words[p]
    k = queue_of(s, p)

    def is_first() -> bool:
        taken = s.taken[k]
        return ite(taken.head == 0, s.heads[k].port, taken.head) == p[1]

    def is_linked() -> bool:
        before = s.event_words[p[0], word.before]
        return before.linked & (before.link == p[1])

    return implies(
        _linked(s, p),
        lambda: either(
            at_work(s.notices[word.linker], p),
            lambda: ite(word.before == 0, is_first(), is_linked()),
        ),
    )


@invariant(property=25)
def last_word_of_a_queue_is_its_tail(s: EventState, p: PortId) -> bool:
    """A word on a queue that links none is the tail, or is about to be put there."""
    word = s.event_words[p]
    return implies(
        _linked(s, p) & (word.link == 0),
        lambda: either(s.queues[queue_of(s, p)].tail == p[1], lambda: at_work(s.notices[word.linker], p)),
    )


def _tail_is_linked(s: EventState, k: QueueId) -> bool:
    """The queue is not empty: its tail is still on it."""
    return _linked(s, PortId((k[0][0], s.queues[k].tail))) & (s.queues[k].tail != 0)


@invariant(property=25)
def tail_is_on_its_queue(s: EventState, k: QueueId) -> bool:
    """The tail of a queue that is not empty is on that queue, links none, and is older than the next one."""
    queue = s.queues[k]
    p = PortId((k[0][0], queue.tail))

    def is_last() -> bool:
        word = s.event_words[p]
        return is_of_queue(s, p, k) & (word.link == 0) & (word.order < queue.linked)

    return implies(_tail_is_linked(s, k), is_last)


@invariant(property=25)
def next_of_a_taken_queue_is_on_it(s: EventState, k: QueueId) -> bool:
    """What the guest goes on with is on the queue that it consumes, with nothing before it."""
    taken, channels = s.taken[k], s.channels[k[0][0]]

    def on_it() -> bool:
        p = PortId((k[0][0], taken.head))
        word = s.event_words[p]
        return word.linked & (word.before == 0) & is_of_queue(s, p, k) & taken.running

    return implies(channels.honest & channels.fifo & (taken.head != 0), on_it)


@invariant(property=(24, 25))
def queue_with_events_is_ready(s: EventState, k: QueueId) -> bool:
    """A queue that is not empty is ready, is being consumed, or is about to be made ready."""
    head, taken = s.heads[k], s.taken[k]

    def announced() -> bool:
        notice = s.notices[head.setter]
        return told(notice, VcpuId(k[0])) & (notice.priority == k[1])

    consumed = taken.running & ((taken.head != 0) | (taken.port == 0))
    return implies(_tail_is_linked(s, k), lambda: either(head.ready | consumed, announced))


@invariant(property=24)
def ready_queue_has_an_upcall(s: EventState, k: QueueId) -> bool:
    """A vCPU with a queue that is ready has an upcall pending, looks already, or is about to be told."""
    channels, head = s.channels[k[0][0]], s.heads[k]
    v = VcpuId(k[0])
    return implies(
        channels.honest & channels.fifo & head.ready,
        lambda: either(_handler_ahead(s, v, k[1]), lambda: told(s.notices[head.teller], v)),
    )
