"""A careful guest's handler of upcalls, from the first step to the last: what drivers and replays let run."""

from xenmodel.abi.event import QUEUES, WORD_PORTS, first_of_word
from xenmodel.events.guest import (
    clear_upcall,
    leave_handler,
    look_at_unlinked,
    pass_port,
    pass_queue,
    pass_selector,
    take_port,
    take_queue,
    take_selector,
    unlink,
)
from xenmodel.events.rows import NO_PORT
from xenmodel.hypercall import Steps
from xenmodel.machine import View
from xenspec.vocabulary import PortId, VcpuId


def handle(m: View, v: VcpuId) -> Steps[list[int]]:
    """Handle every event that the vCPU has been told of; return the ports in the order of their handling."""
    handled: list[int] = []
    clear_upcall(m, v)
    yield clear_upcall
    if m.channels[v[0]].fifo:
        while m.handlers[v].cursor < QUEUES:
            yield from _consume(m, v, m.handlers[v].cursor, handled)
    else:
        for word in range(WORD_PORTS):
            yield from _scan(m, v, word, handled)
    leave_handler(m, v)
    yield leave_handler
    return handled


def _scan(m: View, v: VcpuId, word: int, handled: list[int]) -> Steps[None]:
    """Look at the ports of a word while its selector bit is set."""
    scan = m.scans[v, word]
    while m.selectors[v, word].set or scan.running:
        if not scan.running:
            take_selector(m, v)
            yield take_selector
        p = PortId((v[0], first_of_word(word) + scan.cursor))
        if m.signals[p].pending and not m.signals[p].masked:
            take_port(m, v, p)
            yield take_port
            handled.append(p[1])
        else:
            pass_port(m, v, word)
            yield pass_port
    pass_selector(m, v)
    yield pass_selector


def _consume(m: View, v: VcpuId, priority: int, handled: list[int]) -> Steps[None]:
    """Handle the next event of a queue, or pass it; after an event the most urgent queue comes next."""
    taken = m.taken[v, priority]
    if not taken.running and not m.heads[v, priority].ready:
        pass_queue(m, v)
        yield pass_queue
        return
    if not taken.running:
        take_queue(m, v)
        yield take_queue
    if taken.port == NO_PORT:
        unlink(m, v, priority)
        yield unlink
    word = m.event_words[v[0], taken.port]
    if word.pending and not word.masked:
        handled.append(taken.port)
    look_at_unlinked(m, v, priority)
    yield look_at_unlinked
