"""The guest's side: the protocol by which a careful kernel handles upcalls, and stores against it.

By the protocol a vCPU clears its upcall bit *first*, then takes the selector bits (or ready queues), then
looks at every port of a taken word (or unlinks every word of a taken queue), clears PENDING before it
handles, and unmasks by the hypercall. It may mask, and clear pending bits, at any time. It takes all 64
selector bits by one exchange; here it takes them one after another, which loses no behaviour that matters: a
bit that is set behind the cursor comes with an upcall of its own.

A `scribble_` step is any other store into the shared words. It marks the domain as not honest: from then on
it may lose its own events, and nobody else's.
"""

from xenmodel.abi.event import QUEUES, WORD_PORTS, first_of_word, place_in_word, selector_of
from xenmodel.events.rows import NO_PORT
from xenmodel.machine import Machine
from xenmodel.step import require, step
from xenspec.logic import Not, ite
from xenspec.vocabulary import EINVAL, PortId, VcpuId

# --- Upcalls ----------------------------------------------------------------------------------------------


@step("upcalls.masked")
def deliver_upcall(m: Machine, v: VcpuId) -> None:
    """Enter the guest's handler with upcalls masked: Xen, on the way back to the guest."""
    upcall = m.upcalls[v]
    require("an upcall is pending and not masked", upcall.pending & Not(upcall.masked), EINVAL)
    require("the vCPU runs", Not(m.waits[v].blocked), EINVAL)
    upcall.masked = True


@step("upcalls.pending", "handlers.running", "handlers.cursor")
def clear_upcall(m: Machine, v: VcpuId) -> None:
    """Clear the upcall bit, and begin to look at what is selected."""
    require("the vCPU runs", Not(m.waits[v].blocked), EINVAL)
    m.upcalls[v].pending = False
    handler = m.handlers[v]
    handler.running = True
    handler.cursor = 0


@step("handlers.running")
def leave_handler(m: Machine, v: VcpuId) -> None:
    """End the handler, when all that was selected has been taken."""
    handler = m.handlers[v]
    end = ite(m.channels[v[0]].fifo, QUEUES, WORD_PORTS)
    require("the handler runs", handler.running, EINVAL)
    require("it has looked at everything", handler.cursor >= end, EINVAL)
    handler.running = False


@step("upcalls.masked")
def mask_upcalls(m: Machine, v: VcpuId) -> None:
    """Let no upcall interrupt the vCPU (cli)."""
    require("the vCPU runs", Not(m.waits[v].blocked), EINVAL)
    m.upcalls[v].masked = True


@step("upcalls.masked")
def unmask_upcalls(m: Machine, v: VcpuId) -> None:
    """Let upcalls interrupt the vCPU again (iret, sti); a pending one is delivered at once."""
    require("the vCPU runs", Not(m.waits[v].blocked), EINVAL)
    m.upcalls[v].masked = False


# --- 2-level ----------------------------------------------------------------------------------------------


@step("selectors.set", "scans.running", "scans.cursor")
def take_selector(m: Machine, v: VcpuId) -> None:
    """Take the selector bit at the handler's cursor: its word of ports is to be looked at."""
    handler = m.handlers[v]
    selector, scan = m.selectors[v, handler.cursor], m.scans[v, handler.cursor]
    require("the domain uses the 2-level ABI", Not(m.channels[v[0]].fifo), EINVAL)
    require("the handler runs", handler.running & (handler.cursor < WORD_PORTS), EINVAL)
    require("the bit is set", selector.set, EINVAL)
    require("the word is not being looked at", Not(scan.running), EINVAL)
    selector.set = False
    scan.running = True
    scan.cursor = 0


@step("handlers.cursor")
def pass_selector(m: Machine, v: VcpuId) -> None:
    """Go on to the next selector bit."""
    handler = m.handlers[v]
    require("the domain uses the 2-level ABI", Not(m.channels[v[0]].fifo), EINVAL)
    require("the handler runs", handler.running & (handler.cursor < WORD_PORTS), EINVAL)
    require("the bit is clear", Not(m.selectors[v, handler.cursor].set), EINVAL)
    require("the word has been looked at", Not(m.scans[v, handler.cursor].running), EINVAL)
    handler.cursor = handler.cursor + 1


@step("signals.pending", "scans.cursor", "scans.running")
def take_port(m: Machine, v: VcpuId, p: PortId) -> None:
    """Clear the pending bit of the port at the cursor of its word, handle the event, and go on.

    A handler that looked at the same port again would never come to the next, if events for it do not end.
    """
    scan, signal = m.scans[v, selector_of(p[1])], m.signals[p]
    require("the port is the vCPU's domain's", p[0] == v[0], EINVAL)
    require("its word is being looked at", scan.running, EINVAL)
    require("and has come to it", scan.cursor == place_in_word(p[1]), EINVAL)
    require("it is pending and not masked", signal.pending & Not(signal.masked), EINVAL)
    signal.pending = False
    scan.cursor = scan.cursor + 1
    scan.running = scan.cursor < WORD_PORTS


@step("scans.cursor", "scans.running")
def pass_port(m: Machine, v: VcpuId, bank: int) -> None:
    """Go on to the next port of a word, or be done with it."""
    scan = m.scans[v, bank]
    signal = m.signals[v[0], first_of_word(bank) + scan.cursor]
    require("the word is being looked at", scan.running, EINVAL)
    deliverable = signal.pending & Not(signal.masked)
    require("there is nothing to handle here", Not(deliverable & (signal.raised == v[1])), EINVAL)
    scan.cursor = scan.cursor + 1
    scan.running = scan.cursor < WORD_PORTS


# --- FIFO -------------------------------------------------------------------------------------------------


@step("heads.ready", "taken.running")
def take_queue(m: Machine, v: VcpuId) -> None:
    """Take the queue at the handler's cursor: its events are to be unlinked."""
    handler = m.handlers[v]
    head, taken = m.heads[v, handler.cursor], m.taken[v, handler.cursor]
    require("the domain uses the FIFO ABI", m.channels[v[0]].fifo, EINVAL)
    require("the handler runs", handler.running & (handler.cursor < QUEUES), EINVAL)
    require("the queue is ready", head.ready, EINVAL)
    require("it is not being consumed", Not(taken.running), EINVAL)
    head.ready = False
    taken.running = True


@step("handlers.cursor")
def pass_queue(m: Machine, v: VcpuId) -> None:
    """Go on to the next queue."""
    handler = m.handlers[v]
    require("the domain uses the FIFO ABI", m.channels[v[0]].fifo, EINVAL)
    require("the handler runs", handler.running & (handler.cursor < QUEUES), EINVAL)
    require("the queue is not ready", Not(m.heads[v, handler.cursor].ready), EINVAL)
    require("it has been consumed", Not(m.taken[v, handler.cursor].running), EINVAL)
    handler.cursor = handler.cursor + 1


@step("event_words.linked", "event_words.link", "event_words.before", "taken.head", "taken.port")
def unlink(m: Machine, v: VcpuId, priority: int) -> None:
    """Unlink the head of a queue by one exchange of its word, and keep what it linked as the next head."""
    taken = m.taken[v, priority]
    require("the queue is being consumed", taken.running, EINVAL)
    require("no more urgent one is to be looked at before", m.handlers[v].cursor == priority, EINVAL)
    require("the last event was looked at", taken.port == NO_PORT, EINVAL)
    port = ite(taken.head == NO_PORT, m.heads[v, priority].port, taken.head)
    word = m.event_words[v[0], port]
    following = m.event_words[v[0], word.link]
    following.before = ite(word.link == NO_PORT, following.before, NO_PORT)
    taken.head = word.link
    taken.port = port
    word.linked = False
    word.link = NO_PORT


@step("event_words.pending", "taken.port", "taken.running", "handlers.cursor")
def look_at_unlinked(m: Machine, v: VcpuId, priority: int) -> None:
    """Handle the event that was unlinked, if it is pending and not masked; without a next one, be done.

    Then the most urgent queue is looked at again: one that emptied a queue first would let events of a high
    priority wait for as long as others of a low one come.
    """
    taken = m.taken[v, priority]
    require("an event was unlinked", taken.running & (taken.port != NO_PORT), EINVAL)
    word = m.event_words[v[0], taken.port]
    word.pending = word.pending & word.masked
    taken.port = NO_PORT
    taken.running = taken.head != NO_PORT
    m.handlers[v].cursor = 0


@step("event_words.masked", "event_words.busy")
def unmask_quiet_word(m: Machine, p: PortId) -> None:
    """Clear MASKED by one exchange of the word that finds it not pending; else the hypercall is needed."""
    channels, word = m.channels[p[0]], m.event_words[p]
    require("there is a word", channels.fifo & (p[1] < channels.words), EINVAL)
    require("the port is not pending", Not(word.pending), EINVAL)
    word.masked = False
    word.busy = False


# --- At any time ------------------------------------------------------------------------------------------


@step("signals.masked", "event_words.masked")
def mask_port(m: Machine, p: PortId) -> None:
    """Mask a port."""
    if m.channels[p[0]].fifo:
        m.event_words[p].masked = True
    else:
        m.signals[p].masked = True


@step("signals.pending", "event_words.pending")
def clear_pending(m: Machine, p: PortId) -> None:
    """Clear a port's pending bit without handling it."""
    if m.channels[p[0]].fifo:
        m.event_words[p].pending = False
    else:
        m.signals[p].pending = False


# --- Against the protocol ---------------------------------------------------------------------------------


@step("signals.pending", "signals.masked", "channels.honest")
def scribble_signal(m: Machine, p: PortId, *, pending: bool, masked: bool) -> None:
    """Store 2-level bits of a port."""
    m.channels[p[0]].honest = False
    signal = m.signals[p]
    signal.pending = pending
    signal.masked = masked


@step("selectors.set", "channels.honest")
def scribble_selector(m: Machine, v: VcpuId, bank: int, *, value: bool) -> None:
    """Store a selector bit."""
    m.channels[v[0]].honest = False
    m.selectors[v, bank].set = value


@step("upcalls.pending", "upcalls.masked", "channels.honest")
def scribble_upcall(m: Machine, v: VcpuId, *, pending: bool, masked: bool) -> None:
    """Store the upcall bytes of a vCPU."""
    m.channels[v[0]].honest = False
    upcall = m.upcalls[v]
    upcall.pending = pending
    upcall.masked = masked


@step(
    "event_words.pending",
    "event_words.masked",
    "event_words.linked",
    "event_words.busy",
    "event_words.link",
    "channels.honest",
)
def scribble_word(m: Machine, p: PortId, bits: tuple[bool, bool, bool, bool], link: int) -> None:
    """Store an event word: pending, masked, linked, busy, and the link."""
    m.channels[p[0]].honest = False
    word = m.event_words[p]
    word.pending, word.masked, word.linked, word.busy = bits
    word.link = link


@step("heads.port", "heads.ready", "channels.honest")
def scribble_head(m: Machine, v: VcpuId, priority: int, port: int, *, ready: bool) -> None:
    """Store a head, and the ready bit of its queue."""
    m.channels[v[0]].honest = False
    head = m.heads[v, priority]
    head.port = port
    head.ready = ready
