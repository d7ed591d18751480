"""Changing one page-table entry or one plain word: shared by mmu_update, update_va_mapping, trapped writes.

An update of a validated table: flags are checked, a change of harmless flags is stored at once (the fast
path), else the new target is taken, the entry stored, the old target dropped; an old *table* becomes the
vCPU's old table and is finished by a re-entry (mod_lN_entry).
"""

from functools import cache

from xenmodel.hypercall import SPIN, Call, Preempted, Steps
from xenmodel.machine import Machine
from xenmodel.memory.claim import drop_ref, lock_page, take_ref, unlock_page
from xenmodel.memory.demotion import drop_leaf, put_type
from xenmodel.memory.holders import Purpose
from xenmodel.memory.linking import amend, empty, is_changeable, is_guest_slot, replace, replace_unbacked
from xenmodel.memory.promotion import take_type
from xenmodel.memory.rows import HELD, IDLE
from xenmodel.memory.targets import replace_table, take_leaf
from xenmodel.memory.validation import defer
from xenmodel.step import Refused, require, step
from xenspec.vocabulary import (
    EAGAIN,
    EINVAL,
    EPERM,
    L1,
    L2,
    L4,
    WRITABLE,
    DomId,
    FlightId,
    Mfn,
    PageType,
    VcpuId,
)


@cache
def flights(v: VcpuId) -> tuple[FlightId, FlightId, FlightId]:
    """Return a vCPU's flights for the page at work, a new target and an old one."""
    return FlightId((v, Purpose.PAGE)), FlightId((v, Purpose.NEW)), FlightId((v, Purpose.OLD))


@step("words.word")
def write_word(m: Machine, k: FlightId, slot: int, word: int) -> None:
    """Store a raw word into a frame that is held as writable memory."""
    flight = m.flights[k]
    require("the frame is held", flight.mode == HELD, EAGAIN)
    require("as writable memory", m.frames[flight.frame].type == WRITABLE, EAGAIN)
    require("the slot exists", (slot >= 0) & (slot < m.pte.slots), EINVAL)
    m.words[flight.frame, slot] = word


def modify(
    x: Call, slot: int, word: int, named: DomId, *, preserve_ad: bool = False, fast: bool = True
) -> Steps[None]:
    """Change a slot of the table that flight PAGE has locked, whatever its level."""
    m = x.m
    k, _, ko = flights(x.vcpu)
    t = m.flights[k].frame
    level = m.frames[t].type
    if not is_guest_slot(m, m.frames[t], slot):
        raise Refused("the slot belongs to the guest", EINVAL if level == L4 else EPERM)
    if not is_changeable(m, m.frames[t], slot):
        raise Refused("the slot may change", EINVAL)
    before = m.words[t, slot]
    if not m.pte.present(word):
        stored = m.pte.with_accessed_dirty_of(word, before) if preserve_ad else word
        empty(m, k, ko, slot, stored)
        yield empty
    else:
        yield from _modify_present(x, slot, word, named, preserve_ad=preserve_ad, fast=fast)
    yield from _drop_old(x, ko, level)


def _modify_present(
    x: Call, slot: int, word: int, named: DomId, *, preserve_ad: bool, fast: bool
) -> Steps[None]:
    """Store a present entry: by the fast path, or with a new reference."""
    m = x.m
    k, kn, ko = flights(x.vcpu)
    t = m.flights[k].frame
    level = m.frames[t].type
    _check_flags(x, t, level, word)
    pte = m.pte
    before = m.words[t, slot]
    stored = pte.adjusted(word, level)
    if fast and pte.same_but_for_fast_path(before, stored):
        amend(m, k, slot, pte.with_accessed_dirty_of(stored, before) if preserve_ad else stored)
        yield amend
        return
    if level != L1:
        if preserve_ad:
            stored = pte.with_accessed_dirty_of(stored, before)
        yield from replace_table(x, k, (kn, ko), slot, stored)
        return
    stored = yield from take_leaf(x, kn, stored, m.frames[t].owner, named)
    if preserve_ad:
        stored = pte.with_accessed_dirty_of(stored, before)
    if m.flights[kn].mode == IDLE:
        replace_unbacked(m, k, kn, ko, slot, stored)
        yield replace_unbacked
    else:
        replace(m, k, kn, ko, slot, stored)
        yield replace


def _check_flags(x: Call, t: Mfn, level: PageType, word: int) -> None:
    """Refuse flags that no entry of this table may have."""
    pte = x.m.pte
    if level == L1:
        if pte.without_io_rights_refused(word) and not x.m.domains[x.m.frames[t].owner].io_rights:
            raise Refused("L1 flags", EINVAL)
    elif pte.table_flags_refused(word, level):
        raise Refused("table flags", EINVAL)


def _drop_old(x: Call, ko: FlightId, level: PageType) -> Steps[None]:
    """Drop what the old entry held; a table is deferred to the vCPU."""
    if x.m.flights[ko].mode == IDLE:
        return
    if level == L1:
        yield from drop_leaf(x, ko)
    else:
        defer(x.m, x.vcpu, ko)
        yield defer


def lock(x: Call, k: FlightId) -> Steps[None]:
    """Lock the frame in flight `k`, waiting for another vCPU; raises Refused if it is not in use."""
    while True:
        try:
            lock_page(x.m, k)
            break
        except Refused as refusal:
            if refusal.errno != EAGAIN:
                raise
        yield SPIN
    yield lock_page


def update_word(
    x: Call, f: Mfn, slot: int, word: int, *, owners: tuple[DomId, DomId], preserve_ad: bool
) -> Steps[None]:
    """Write a word at (f, slot) by mmu_update: a table entry if the frame is a table in use, else raw.

    `owners`: of the page, and of the frames that entries may name. Raises Refused.
    """
    m = x.m
    k, _, _ = flights(x.vcpu)
    take_ref(m, k, f, owners[0])
    yield take_ref
    try:
        try:
            yield from lock(x, k)
        except Refused:
            yield from _write_unlocked(x, k, slot, word)
        else:
            yield from _write_locked(x, k, slot, word, owners=owners, preserve_ad=preserve_ad)
    except (Refused, Preempted):
        drop_ref(m, k)
        yield drop_ref
        raise
    drop_ref(m, k)
    yield drop_ref


def _write_locked(
    x: Call, k: FlightId, slot: int, word: int, *, owners: tuple[DomId, DomId], preserve_ad: bool
) -> Steps[None]:
    """Write into a frame in use: by its type."""
    m = x.m
    kind = m.frames[m.flights[k].frame].type
    try:
        if kind == WRITABLE:
            write_word(m, k, slot, word)
            yield write_word
        elif kind == L1 or (L2 <= kind <= L4 and owners[0] == owners[1]):
            yield from modify(x, slot, word, owners[1], preserve_ad=preserve_ad)
        else:
            raise Refused("a table, or writable memory", EINVAL)  # noqa: TRY301 - one place unlocks
    except (Refused, Preempted):
        unlock_page(m, k)
        yield unlock_page
        raise
    unlock_page(m, k)
    yield unlock_page


def _write_unlocked(x: Call, k: FlightId, slot: int, word: int) -> Steps[None]:
    """Write into a frame that is not in use: as writable memory for the moment."""
    m = x.m
    try:
        yield from take_type(x, k, WRITABLE)
    except Refused as refusal:
        raise Refused(refusal.guard, EINVAL) from None
    write_word(m, k, slot, word)
    yield write_word
    yield from put_type(x, k)


def take_locked_l1(x: Call, f: Mfn, owner: DomId) -> Steps[bool]:
    """Lock `f` in flight PAGE if it is a validated L1 table of `owner`; return whether it is."""
    m = x.m
    k, _, _ = flights(x.vcpu)
    try:
        take_ref(m, k, f, owner)
        yield take_ref
    except Refused:
        return False
    try:
        yield from lock(x, k)
    except Refused:
        drop_ref(m, k)
        yield drop_ref
        return False
    if m.frames[f].type != L1:
        yield from unlock_and_drop(x)
        return False
    return True


def unlock_and_drop(x: Call) -> Steps[None]:
    """Undo `take_locked_l1`."""
    k, _, _ = flights(x.vcpu)
    unlock_page(x.m, k)
    yield unlock_page
    drop_ref(x.m, k)
    yield drop_ref
