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
from xenmodel.events.rows import NO_PORT, NOBODY, S_IDLE
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


@step("channels.fifo", "channels.words", "channels.told", "channels.teller")
def switch_to_fifo(m: Machine, n: VcpuId, domain: DomId) -> None:
    """Switch to the FIFO ABI, without any event word yet; the caller has the event lock until `end_words`."""
    channels = m.channels[domain]
    require("the domain uses the 2-level ABI", Not(channels.fifo), EBUSY)
    require("somebody asks for it", n != NOBODY, EINVAL)
    channels.fifo = True
    channels.words = 0
    channels.told = 0
    channels.teller = n


@step("channels.fifo", "channels.words", "channels.told", "channels.honest")
def switch_to_two_level(m: Machine, domain: DomId) -> None:
    """Switch back to the 2-level ABI; its bits are as they were left, whatever has become of the ports."""
    channels = m.channels[domain]
    require("the domain uses the FIFO ABI", channels.fifo, EBUSY)
    require("no port is open", channels.active == 0, EAGAIN)
    require("nobody sets up event words", channels.teller == NOBODY, EAGAIN)
    channels.fifo = False
    channels.words = 0
    channels.told = 0
    channels.honest = False


def _require_lock(m: Machine, n: VcpuId, domain: DomId) -> None:
    """Refuse unless the caller sets up words under the domain's event lock. Part of a step."""
    require("the caller has the event lock", (m.channels[domain].teller == n) & (n != NOBODY), EINVAL)


@step("ports.saved", "ports.waiting", "ports.priority", "channels.honest")
def carry_over(m: Machine, n: VcpuId, p: PortId) -> None:
    """Keep a pending bit of the 2-level ABI until there is an event word for it (setup_ports)."""
    port, channels = m.ports[p], m.channels[p[0]]
    _require_lock(m, n, DomId(p[0]))
    require("there is no event word yet", channels.words == 0, EBUSY)
    require("the port exists", (p[1] > 0) & (p[1] < channels.valid), EINVAL)
    port.saved = port.saved | m.signals[p].pending
    port.waiting = port.waiting | m.signals[p].pending
    port.priority = DEFAULT_PRIORITY
    closed = (port.state == FREE) | (port.state == RESERVED)
    channels.honest = channels.honest & Not(closed & port.saved)


@step("channels.words", "channels.teller")
def add_words(m: Machine, n: VcpuId, domain: DomId) -> None:
    """Count the words of a new page of the array; the caller has the event lock until `end_words`."""
    channels = m.channels[domain]
    require("the domain uses the FIFO ABI", channels.fifo, EOPNOTSUPP)
    require("somebody asks for it", n != NOBODY, EINVAL)
    require("nobody sets up event words", channels.teller == NOBODY, EAGAIN)
    channels.words = channels.words + PAGE_PORTS
    channels.teller = n


@step("channels.told")
def pass_word(m: Machine, n: VcpuId, domain: DomId) -> None:
    """Go on to the next port of a page that was added: no event waited for this one's word."""
    channels = m.channels[domain]
    _require_lock(m, n, domain)
    require("a port with a new word is left", channels.told < channels.words, EINVAL)
    require("no event waited for its word", Not(m.ports[domain, channels.told].saved), EINVAL)
    channels.told = channels.told + 1


@step("channels.told", "channels.teller")
def end_words(m: Machine, n: VcpuId, domain: DomId) -> None:
    """Let go of the event lock: no port that exists has an event that waits for a word which is there."""
    channels = m.channels[domain]
    _require_lock(m, n, domain)
    require("the caller has no notice to give", m.notices[n].stage == S_IDLE, EAGAIN)
    come = (channels.told == channels.words) | (channels.told >= channels.valid)
    require("it has come to every port", come, EINVAL)
    channels.told = channels.words
    channels.teller = NOBODY


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
        switch_to_fifo(m, x.vcpu, x.domain)
        yield switch_to_fifo
        for port in range(1, min(TWO_LEVEL_PORTS, m.channels[x.domain].valid)):
            carry_over(m, x.vcpu, PortId((x.domain, port)))
            yield carry_over
        end_words(m, x.vcpu, x.domain)
        yield end_words
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
    yield from until_free(lambda: add_words(m, x.vcpu, domain))
    yield add_words
    yield from _tell_what_waited(x)
    return 0


def _tell_what_waited(x: Call) -> Steps[None]:
    """Tell the events that waited for words which are there now, also those of ports closed meanwhile."""
    m, n, domain = x.m, x.vcpu, x.domain
    channels = m.channels[domain]
    while channels.told < min(channels.words, channels.valid):
        p = PortId((domain, channels.told))
        if m.ports[p].saved:
            yield from raise_again(m, n, p)
        else:
            pass_word(m, n, domain)
            yield pass_word
    end_words(m, n, domain)
    yield end_words


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
