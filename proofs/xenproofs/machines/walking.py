"""Moves of the processor's paging-structure caches: prefixes of walks begun, walked on from, used, forgotten.

The processor chooses: any linked entry may begin a prefix, and any prefix that a CPU has, stale or not, may
be walked on from by whatever word its table holds by now.

A translation is marked `foreign` as the proof assumes it to be (docs/trusted.md): here no grants map
anything, so that what is another domain's was mapped by the control domain.
"""

from collections.abc import Callable, Mapping
from typing import Final

from xenmodel.hardware.prefixes import begin_prefix, extend_prefix, fill_through, forget_prefix, mark_through
from xenmodel.hardware.rows import Prefix
from xenmodel.machine import Machine
from xenmodel.step import require
from xenproofs.judge.monitor import Monitor
from xenproofs.judge.tracking import store_of
from xenproofs.machines.moves import SLOT_CHOICES, Move, extra, frame_of
from xenspec.vocabulary import EFAULT, Cpu, EntryId

TOP: Final = 3
"""The level at which the table of the shortest prefix is read; so many boot tables are above L1."""


def _cpu(m: Machine, move: Move) -> Cpu:
    return Cpu(move.vcpu % m.cpu_count)


def _begin(monitor: Monitor, move: Move) -> None:
    """Remember a prefix that ends with an entry, mostly at the level below it and with what it allows."""
    m = monitor.machine
    cpu = _cpu(m, move)
    number = move.a % TOP if extra(move.d) % 2 else move.a
    table = frame_of(m.vcpus[m.cpus[cpu].current].domain, number)
    entry = EntryId((table, _slot(m, table, move)))
    e = m.entries[entry]
    level = e.linked_as - 1 if extra(move.d) else move.c % TOP + 1
    prefix = move.c % TOP
    begin_prefix(m, cpu, level, prefix, entry, writable=e.writable and move.d % 2 == 0, user=True)


def _choose(m: Machine, cpu: Cpu, number: int, levels: tuple[int, ...]) -> tuple[int, int]:
    """Return the level and number of one of a CPU's prefixes, stale or not."""
    known = [k for k, row in store_of(m.prefixes).items() if row.valid and k[0] == cpu and k[1] in levels]
    require("the CPU has a prefix", bool(known), EFAULT)
    _, level, prefix = known[number % len(known)]
    return level, prefix


def _slot(m: Machine, table: int, move: Move) -> int:
    """Return a slot of a table, mostly one that is present."""
    present = [slot for slot in SLOT_CHOICES if m.pte.present(m.words[table, slot]) and not _xens(m, slot)]
    if extra(move.d) and present:
        return present[move.b % len(present)]
    return SLOT_CHOICES[move.b]


def _xens(m: Machine, slot: int) -> bool:
    return m.pte.xen_first <= slot < m.pte.xen_end


def _walk_on(monitor: Monitor, move: Move) -> None:
    m = monitor.machine
    cpu = _cpu(m, move)
    level, prefix = _choose(m, cpu, move.a, tuple(range(2, TOP + 1)))
    k = m.prefixes[cpu, level, prefix]
    slot = _slot(m, k.table, move)
    writable = move.d % 2 == 0 and k.writable and m.pte.writable(m.words[k.table, slot])
    extend_prefix(m, cpu, level, prefix, slot, writable=writable)


def _walk_to(monitor: Monitor, move: Move) -> None:
    m = monitor.machine
    cpu = _cpu(m, move)
    _, prefix = _choose(m, cpu, move.a, (1,))
    k = m.prefixes[cpu, 1, prefix]
    slot = _slot(m, k.table, move)
    word = m.words[k.table, slot]
    writable = move.d % 2 == 0 and k.writable and m.pte.writable(word)
    foreign = _is_mapped_by_control(monitor, k, slot)
    fill_through(m, cpu, prefix, slot, writable=writable, is_global=False, foreign=foreign)


def _is_mapped_by_control(monitor: Monitor, k: Prefix, slot: int) -> bool:
    """Return whether another domain's frame is mapped by the word that a walk reads next, or was."""
    m, entry = monitor.machine, EntryId((k.table, slot))
    if m.frames[m.pte.target(m.words[entry])].owner == k.domain:
        return False
    author = store_of(monitor.authors.table).get(entry)
    return m.entries[entry].linked or (author is not None and m.domains[author.domain].privileged)


def _mark(monitor: Monitor, move: Move) -> None:
    m = monitor.machine
    cpu = _cpu(m, move)
    level, prefix = _choose(m, cpu, move.a, tuple(range(1, TOP + 1)))
    slot = _slot(m, m.prefixes[cpu, level, prefix].table, move)
    mark_through(m, cpu, level, prefix, slot, dirty=move.d % 2 == 0)


def _forget(monitor: Monitor, move: Move) -> None:
    m = monitor.machine
    cpu = _cpu(m, move)
    level, prefix = _choose(m, cpu, move.a, tuple(range(1, TOP + 1)))
    forget_prefix(m, cpu, level, prefix)


WALKING: Final[Mapping[str, Callable[[Monitor, Move], None]]] = {
    "prefix": _begin,
    "walk_on": _walk_on,
    "walk_to": _walk_to,
    "mark": _mark,
    "forget": _forget,
}
"""Each move by its kind."""
