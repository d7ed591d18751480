"""The memory between two processors: what a load may give, and when a store arrives.

Three models, each as a machine of its own rows:

- SC: a store is in memory at once, a load gives what is there.
- TSO (x86): a store waits in its side's FIFO; a load gives the side's own latest store, else memory.
- ARM: a store waits, and overtakes those before it unless they are to the same word or a write barrier stands
  between them. A load may have happened at any time since the side's last read barrier: it gives what is in
  memory, or an earlier value that stood there since (`Early`). It is not earlier than the side's last load or
  store of the same word, and loads whose result decides on a store are not later than the store.

A full barrier waits until the side's stores have arrived, and no load after it happens before it.
"""

from xenmodel.rings.machine import RingMachine, RingView, peer_of, ring_step
from xenmodel.rings.rows import ARM, BARRIER, SC, SLOT, TSO, WORDS, Location, Store
from xenmodel.step import require
from xenspec.vocabulary import EAGAIN, EINVAL, RingSide

MEMORY = ("cells.value", "buffers.stores", "early.values")
"""What an access may change: a load no cell, but which values a later load may give."""


def pending_store(m: RingView, x: RingSide, where: Location) -> Store | None:
    """Return a side's latest store to a word, if it has not arrived."""
    stores = m.buffers[x].stores
    return next((store for store in reversed(stores) if store.where == where), None)


def ages(m: RingView, x: RingSide, where: Location) -> int:
    """Return how many values a load may give: the present one, and earlier ones."""
    if m.model != ARM or pending_store(m, x, where) is not None:
        return 1
    return 1 + len(m.early[x, where].values)


def load(m: RingMachine, x: RingSide, where: Location, age: int) -> int:
    """Return what a load gives: age 0 the present value, 1 the one before. Part of a step."""
    if m.model == SC:
        return m.cells[where].value
    store = pending_store(m, x, where)
    if store is not None:
        require("the side's own store is the latest", age == 0, EINVAL)
        return store.value
    if m.model == TSO:
        return m.cells[where].value
    early = m.early[x, where]
    require("a load may have happened so early", age <= len(early.values), EINVAL)
    values = (*early.values, m.cells[where].value)[-1 - age :]
    early.values = values[:-1]
    return values[0]


def store(m: RingMachine, x: RingSide, where: Location, value: int) -> None:
    """Store a word. Part of a step."""
    if m.model == SC:
        m.cells[where].value = value
        return
    m.buffers[x].stores = (*m.buffers[x].stores, Store(where, value))
    if m.model == ARM:
        m.early[x, where].values = ()


def arrive(m: RingMachine, x: RingSide, where: Location, value: int) -> None:
    """Let a store of a side be in memory; the peer's early loads may have seen what was there before."""
    cell = m.cells[where]
    if m.model == ARM:
        seen = m.early[peer_of(x), where]
        if cell.value != value:
            seen.values = (*seen.values, cell.value)
        m.early[x, where].values = ()
    cell.value = value


def write_barrier(m: RingMachine, x: RingSide) -> None:
    """Order the side's stores before it before those after it (xen_wmb). Part of a step."""
    stores = m.buffers[x].stores
    if m.model == ARM and stores and stores[-1] != BARRIER:
        m.buffers[x].stores = (*stores, BARRIER)


def read_barrier(m: RingMachine, x: RingSide) -> None:
    """Let no later load have happened before it (xen_rmb). Part of a step."""
    if m.model == ARM:
        forget_early(m, x)


def full_barrier(m: RingMachine, x: RingSide) -> None:
    """Order every access before it before every one after it (xen_mb): the stores arrive first."""
    require("the side's stores have arrived", m.model == SC or not m.buffers[x].stores, EAGAIN)
    read_barrier(m, x)


def forget_early(m: RingMachine, x: RingSide) -> None:
    """Let the side's later loads give nothing earlier than now."""
    for word in WORDS:
        m.early[x, word].values = ()
    for slot in range(m.size):
        m.early[x, Location(SLOT, slot)].values = ()


def may_arrive(m: RingView, x: RingSide, n: int) -> bool:
    """Return whether the store number `n` of those that wait may reach memory next."""
    stores = m.buffers[x].stores
    if n >= len(stores) or stores[n] == BARRIER:
        return False
    before = stores[:n]
    return n == 0 or (
        m.model == ARM and BARRIER not in before and all(s.where != stores[n].where for s in before)
    )


@ring_step(*MEMORY)
def drain(m: RingMachine, x: RingSide, n: int) -> None:
    """Let a store that waits reach memory: the hardware, at any time."""
    require("the store may be next", may_arrive(m, x, n), EINVAL)
    stores = m.buffers[x].stores
    kept = (*stores[:n], *stores[n + 1 :])
    m.buffers[x].stores = kept[1:] if kept and kept[0] == BARRIER else kept
    arrive(m, x, *stores[n])
