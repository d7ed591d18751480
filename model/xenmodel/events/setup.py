"""Switching to the FIFO ABI and back: control blocks, pages of event words, priorities.

Xen holds the pages as writable memory (xenmodel.events.frames); the words in them are rows of their own here,
made anew with each page. Public interface: EVTCHNOP_init_control, expand_array, set_priority, reset.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xenmodel.abi.event import (
    ARRAY_PAGES,
    CONTROL_ALIGNMENT,
    CONTROL_BYTES,
    CONTROL_PAGE,
    DEFAULT_PRIORITY,
    LOWEST_PRIORITY,
    PAGE_PORTS,
    QUEUES,
    TWO_LEVEL_PORTS,
)
from xenmodel.events.delivery import raise_again
from xenmodel.events.frames import hold_event_frame, release_event_frame
from xenmodel.events.guest import scribble_word
from xenmodel.events.notices import until_free
from xenmodel.events.ports import set_port_priority
from xenmodel.events.rows import NO_PORT, NOBODY
from xenmodel.hypercall import Call, Steps
from xenmodel.machine import Machine
from xenmodel.memory.demotion import drop_leaf
from xenmodel.memory.rows import NO_FRAME
from xenmodel.memory.updates import flights
from xenmodel.step import require, step
from xenspec.logic import Not
from xenspec.vocabulary import (
    EACCES,
    EAGAIN,
    EBUSY,
    EINVAL,
    ENOENT,
    ENOSPC,
    ENOSYS,
    EOPNOTSUPP,
    FREE,
    RESERVED,
    DomId,
    Mfn,
    PortId,
    VcpuId,
)

ARRAY = 4096
"""Pages of event words are event frames from this index on; below it are control blocks, by vCPU."""


@dataclass(frozen=True, slots=True)
class InitControl:
    """Make a page of the caller a vCPU's control block; the first one switches the ABI."""

    frame: int
    offset: int
    vcpu: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a guest has left in an event word before Xen took the page."""

    bits: tuple[bool, bool, bool, bool]
    """Pending, masked, linked, busy."""
    link: int


@dataclass(frozen=True, slots=True)
class ExpandArray:
    """Add a page of event words."""

    frame: int
    masked: bool = True
    """How the guest left the words of the page: a careful one masks every port first."""
    prepared: Mapping[int, Prepared] = field(default_factory=dict[int, Prepared])
    """Words, by their place in the page, that it left otherwise."""


@dataclass(frozen=True, slots=True)
class SetPriority:
    """Change a port's priority."""

    port: int
    priority: int


@step("channels.fifo", "channels.words")
def switch_to_fifo(m: Machine, domain: DomId) -> None:
    """Switch to the FIFO ABI, without any event word yet."""
    channels = m.channels[domain]
    require("the domain uses the 2-level ABI", Not(channels.fifo), EBUSY)
    channels.fifo = True
    channels.words = 0


@step("channels.fifo", "channels.words", "channels.honest")
def switch_to_two_level(m: Machine, domain: DomId) -> None:
    """Switch back to the 2-level ABI; its bits are as they were left, whatever has become of the ports."""
    channels = m.channels[domain]
    require("the domain uses the FIFO ABI", channels.fifo, EBUSY)
    require("no port is open", channels.active == 0, EAGAIN)
    require("nobody tells of closed ports", channels.teller == NOBODY, EAGAIN)
    channels.fifo = False
    channels.words = 0
    channels.honest = False


@step("ports.saved", "ports.priority", "channels.honest")
def carry_over(m: Machine, p: PortId) -> None:
    """Keep a pending bit of the 2-level ABI until there is an event word for it (setup_ports)."""
    port = m.ports[p]
    port.saved = port.saved | m.signals[p].pending
    port.priority = DEFAULT_PRIORITY
    channels, closed = m.channels[p[0]], (port.state == FREE) | (port.state == RESERVED)
    channels.honest = channels.honest & Not(closed & port.saved)


@step("channels.words")
def add_words(m: Machine, domain: DomId) -> None:
    """Count the words of a new page of the array."""
    channels = m.channels[domain]
    require("the domain uses the FIFO ABI", channels.fifo, EOPNOTSUPP)
    channels.words = channels.words + PAGE_PORTS


@step(
    "event_words.pending", "event_words.masked", "event_words.linked", "event_words.busy", "event_words.link"
)
def make_word(m: Machine, p: PortId, *, masked: bool) -> None:
    """Take a word of a new page as the guest prepared it."""
    word = m.event_words[p]
    require("the page is not in use yet", p[1] >= m.channels[p[0]].words, EBUSY)
    word.pending = False
    word.masked = masked
    word.linked = False
    word.busy = False
    word.link = NO_PORT


@step("queues.tail", "queues.locked", "queues.linked", "heads.port", "heads.ready")
def make_queue(m: Machine, v: VcpuId, priority: int) -> None:
    """Make a queue empty before its vCPU has a control block (init_queue)."""
    queue, head = m.queues[v, priority], m.heads[v, priority]
    require("there is no control block yet", m.event_frames[v[0], v[1]].frame == NO_FRAME, EINVAL)
    require("nobody links to it", Not(queue.locked), EAGAIN)
    queue.tail = NO_PORT
    queue.linked = 0
    head.port = NO_PORT
    head.ready = False


def init_control(x: Call, call: InitControl) -> Steps[int]:
    """EVTCHNOP_init_control: return 0 or an errno."""
    m = x.m
    if not 0 <= call.vcpu < m.domains[x.domain].vcpus:
        return -ENOENT
    if call.offset > CONTROL_PAGE - CONTROL_BYTES or call.offset % CONTROL_ALIGNMENT:
        return -EINVAL
    if m.event_frames[x.domain, call.vcpu].frame != NO_FRAME:
        return -EINVAL
    v = VcpuId((x.domain, call.vcpu))
    for priority in range(QUEUES):
        make_queue(m, v, priority)
        yield make_queue
    rc = yield from hold_event_frame(x, Mfn(call.frame), call.vcpu)
    if rc:
        return rc
    if not m.channels[x.domain].fifo:
        switch_to_fifo(m, x.domain)
        yield switch_to_fifo
        for port in range(1, min(TWO_LEVEL_PORTS, m.channels[x.domain].valid)):
            carry_over(m, PortId((x.domain, port)))
            yield carry_over
    return 0


def expand_array(x: Call, call: ExpandArray) -> Steps[int]:
    """EVTCHNOP_expand_array: return 0 or an errno; tell what waited for its word."""
    m, domain = x.m, x.domain
    channels = m.channels[domain]
    if not channels.fifo:
        return -EOPNOTSUPP
    first = channels.words
    page = first // PAGE_PORTS
    if page >= ARRAY_PAGES:
        return -ENOSPC
    rc = yield from hold_event_frame(x, Mfn(call.frame), ARRAY + page)
    if rc:
        return rc
    for port in range(first, first + PAGE_PORTS):
        make_word(m, PortId((domain, port)), masked=call.masked)
        yield make_word
        prepared = call.prepared.get(port - first)
        if prepared is not None:
            scribble_word(m, PortId((domain, port)), prepared.bits, prepared.link)
            yield scribble_word
    add_words(m, domain)
    yield add_words
    for port in range(first, min(channels.words, channels.valid)):
        p = PortId((domain, port))
        if m.ports[p].saved:  # also of a port that was closed meanwhile
            yield from raise_again(m, x.vcpu, p)
    return 0


def set_priority(x: Call, call: SetPriority) -> Steps[int]:
    """EVTCHNOP_set_priority: return 0 or an errno."""
    m, channels = x.m, x.m.channels[x.domain]
    if not 0 <= call.port < channels.valid:
        return -EINVAL
    if not channels.fifo:
        return -ENOSYS
    p = PortId((x.domain, call.port))
    if m.ports[p].state in (FREE, RESERVED):
        return -EACCES
    if call.priority > LOWEST_PRIORITY:
        return -EINVAL
    set_port_priority(m, p, call.priority)
    yield set_port_priority
    return 0


def drop_fifo(x: Call, domain: DomId) -> Steps[None]:
    """Give up control blocks and pages of event words, and switch back (evtchn_fifo_destroy)."""
    m = x.m
    pages = m.channels[domain].words // PAGE_PORTS
    yield from until_free(lambda: switch_to_two_level(m, domain))
    yield switch_to_two_level
    _, k, _ = flights(x.vcpu)
    for index in (*range(m.domains[domain].vcpus), *range(ARRAY, ARRAY + pages)):
        if m.event_frames[domain, index].frame == NO_FRAME:
            continue
        release_event_frame(m, k, domain, index)
        yield release_event_frame
        yield from drop_leaf(x, k)
