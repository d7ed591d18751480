"""A guest's loads and stores: through the TLB or by a walk, with the faults that the guest then sees.

A PV kernel runs in ring 3, so that every entry on the way must let user mode through; Xen hides that from the
error code it delivers. Loads and stores have a word, at any address. A store to a present, read-only mapping
of a validated L1 table is not a fault but a checked update, for a domain with VMASST writable_pagetables and,
whatever it has switched off, for Domain0 (pv_ro_page_fault; oracle rules 15 of REPORT.md, 13 of RULES.md).
"""

from dataclasses import dataclass

from xenmodel.hardware.tlb import fill, is_cached, store_through
from xenmodel.hardware.walk import Translation, mark_used, walk
from xenmodel.hypercall import SPIN, Call, Steps
from xenmodel.memory.rows import NO_FRAME, Place
from xenmodel.memory.trapped import trapped_write
from xenmodel.step import Refused
from xenspec.vocabulary import PAGE_SIZE, Cpu, EntryId, Mfn, Va

PAGE_FAULT = 14
GENERAL_PROTECTION = 13
PRESENT, WRITE, USER = 1, 2, 4
"""Bits of a page fault's error code: the mapping was there, it was a store, it was user mode."""
NO_DEVICE = 0
"""What a load from I/O space gives here: no device is modelled."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An exception that the guest sees; `address` is CR2, of page faults only."""

    vector: int
    error: int
    address: int | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """Where an access goes: a frame, or the fault it meets; `leaf` is the L1 entry, 0 if none was read."""

    frame: Mfn = NO_FRAME
    fault: Fault | None = None
    leaf: int = 0


RETRIES = 64
"""Times that an access starts anew because another CPU changed or flushed what it had found."""


def load(x: Call, va: Va) -> Steps[int | Fault]:
    """Load a word: 8 bytes, or 4 in the two-level geometry. A translation lost meanwhile is walked again."""
    for _ in range(RETRIES):
        try:
            return (yield from _load_once(x, va))
        except Refused:
            yield SPIN
    raise AssertionError(va)


def store(x: Call, va: Va, word: int) -> Steps[Fault | None]:
    """Store a word: 8 bytes, or 4 in the two-level geometry. A translation lost meanwhile is walked again."""
    for _ in range(RETRIES):
        try:
            return (yield from _store_once(x, va, word))
        except Refused:
            yield SPIN
    raise AssertionError(va)


def _load_once(x: Call, va: Va) -> Steps[int | Fault]:
    width = x.m.pte.word_bytes
    first = yield from _reach(x, va, write=False)
    if first.fault is not None:
        return first.fault
    offset = va % width
    if not offset:
        return _word(x, first.frame, va)
    last = Va(va - offset + width)
    second = first if va // PAGE_SIZE == last // PAGE_SIZE else (yield from _reach(x, last, write=False))
    if second.fault is not None:
        return second.fault
    both = _word(x, second.frame, last) << 8 * width | _word(x, first.frame, va)
    return both >> 8 * offset & x.m.pte.word_mask


def _store_once(x: Call, va: Va, word: int) -> Steps[Fault | None]:
    width = x.m.pte.word_bytes
    first = yield from _reach(x, va, write=True)
    if first.fault is not None:
        emulated = yield from _store_to_table(x, va, word, first)
        return None if emulated else first.fault
    offset = va % width
    if not offset:
        yield from _put(x, first.frame, va, word)
        return None
    last = Va(va - offset + width)
    second = first if va // PAGE_SIZE == last // PAGE_SIZE else (yield from _reach(x, last, write=True))
    if second.fault is not None:
        return second.fault
    kept = (1 << 8 * offset) - 1
    low = _word(x, first.frame, va) & kept | word << 8 * offset & x.m.pte.word_mask
    high = _word(x, second.frame, last) & ~kept | word >> 8 * (width - offset)
    yield from _put(x, first.frame, va, low)
    yield from _put(x, second.frame, last, high)
    return None


def _slot(x: Call, va: int) -> int:
    return va // x.m.pte.word_bytes % x.m.pte.slots


def _word(x: Call, f: Mfn, va: Va) -> int:
    """Return the word at `va`, which is in frame `f`."""
    return NO_DEVICE if x.m.frames[f].place == Place.IO else x.m.words[f, _slot(x, va)]


def _put(x: Call, f: Mfn, va: Va, word: int) -> Steps[None]:
    """Store a word through the translation that `_reach` has cached; a store to I/O space goes nowhere."""
    if x.m.frames[f].place == Place.IO:
        return
    store_through(x.m, Cpu(x.m.vcpus[x.vcpu].cpu), va // PAGE_SIZE, _slot(x, va), word)
    yield store_through


def _reach(x: Call, va: Va, *, write: bool) -> Steps[Reach]:
    """Translate by a cached translation that allows the access, else by a walk, which caches one."""
    m = x.m
    pte = m.pte
    if not pte.addressable(va):
        return Reach(fault=Fault(GENERAL_PROTECTION, 0))
    vcpu = m.vcpus[x.vcpu]
    cpu = Cpu(vcpu.cpu)
    cached = m.tlb[cpu, va // PAGE_SIZE]
    if is_cached(m, cpu, cached) and (cached.writable or not write):
        return Reach(cached.frame)
    base = vcpu.user_base if vcpu.user_mode else vcpu.base
    error = (WRITE if write else 0) | (USER if vcpu.user_mode else 0)
    if not pte.guest_address(va):
        return Reach(fault=Fault(PAGE_FAULT, error | _is_xens(x, base, va), va))
    found = yield from walk(x, base, va)
    if found is None or not pte.present(found.word):
        return Reach(fault=Fault(PAGE_FAULT, error, va))
    asks_user = vcpu.user_mode or pte.kernel_is_user
    if (asks_user and not found.user) or (write and not found.writable):
        return Reach(fault=Fault(PAGE_FAULT, error | PRESENT, va), leaf=found.word)
    if pte.marked(found.word, dirty=write) != found.word:
        mark_used(m, found.table, found.slot, dirty=write)
        yield mark_used
    yield from _cache(x, cpu, va, found, write=write)
    return Reach(pte.target(found.word), leaf=found.word)


def _is_xens(x: Call, base: Mfn, va: Va) -> int:
    """Return PRESENT where Xen has mapped its own range for itself; what is there is not modelled."""
    pte = x.m.pte
    slot = pte.indices(va)[0]
    return PRESENT if slot != pte.m2p_slot and pte.present(x.m.words[base, slot]) else 0


def _cache(x: Call, cpu: Cpu, va: Va, found: Translation, *, write: bool) -> Steps[None]:
    """Cache a translation, for stores only after one has marked the entry dirty."""
    m = x.m
    e = m.entries[found.table, found.slot]
    if e.linked and e.backed and m.frames[found.table].owner == x.domain:
        leaf = EntryId((found.table, found.slot))
        writable = found.writable and (write or m.pte.dirty(found.word))
        is_global = m.pte.is_global(found.word)
        fill(m, cpu, va // PAGE_SIZE, leaf, writable=writable, user=True, is_global=is_global)
        yield fill


def _store_to_table(x: Call, va: Va, word: int, reach: Reach) -> Steps[bool]:
    """Carry out a store that met a read-only mapping, if Xen does so; return whether it has."""
    m = x.m
    domain = m.domains[x.domain]
    read_only = m.pte.present(reach.leaf) and not m.pte.writable(reach.leaf)
    if not read_only or m.vcpus[x.vcpu].user_mode or not (domain.privileged or domain.writable_pagetables):
        return False
    f = m.pte.target(reach.leaf)
    if m.frames[f].place == Place.IO:
        return domain.privileged and m.frames[f].readonly_io
    if va % m.pte.word_bytes:
        return False
    try:
        yield from trapped_write(x, f, _slot(x, va), word)
    except Refused:
        return False
    return True
