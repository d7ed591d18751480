"""Demotion: a frame ceases to be a page table, from the last entry down; and dropping references.

Sequences of the steps of claim, linking and validation, in Xen's order (demote_lN_table, _put_page_type,
put_old_guest_table). `k` is always the flight that holds the frame at work; what an entry held travels in the
flight one level deeper (`deeper(k)`).
"""

from xenmodel.hypercall import PREEMPT_TABLE, SPIN, Call, Preempted, Steps, frame_info, note
from xenmodel.memory.claim import LOCK_AND_ONE, drop_ref, drop_type
from xenmodel.memory.holders import DEPTH
from xenmodel.memory.linking import has_xen_slots, release
from xenmodel.memory.rows import DEVALIDATING, HELD, NO_FRAME, REF, VALIDATING
from xenmodel.memory.validation import (
    defer,
    finish_devalidation,
    keep_in_entry,
    suspend,
    take_from_entry,
    take_old,
    unwind,
)
from xenspec.vocabulary import L1, L4, FlightId


def deeper(k: FlightId) -> FlightId:
    """Return the flight one level below `k`."""
    return FlightId((k[0], k[1] + DEPTH))


def put_type(x: Call, k: FlightId) -> Steps[None]:
    """Drop a type reference, waiting while another vCPU's lock would hold the only one left."""
    m = x.m
    frame = m.frames[m.flights[k].frame]
    while frame.locked and frame.type_count == LOCK_AND_ONE:
        yield SPIN
    drop_type(m, k)
    yield drop_type


def drop_leaf(x: Call, k: FlightId) -> Steps[None]:
    """Drop what an L1 entry held: nothing, a general reference, or both references of a writable frame."""
    flight = x.m.flights[k]
    if flight.mode == HELD:
        yield from put_type(x, k)
    if flight.mode == REF:
        drop_ref(x.m, k)
        yield drop_ref


def release_all(x: Call, k: FlightId) -> Steps[None]:
    """Unlink every linked entry of an L1 table and drop what they held."""
    m = x.m
    f = m.flights[k].frame
    inner = deeper(k)
    slot = m.words.last_present(f, m.frames[f].next_slot)
    while slot >= 0:
        release(m, k, inner, slot)
        yield release
        yield from drop_leaf(x, inner)
        slot = m.words.last_present(f, slot)
    if m.flights[k].mode == VALIDATING:
        unwind(m, k)
        yield unwind


def preempted(x: Call, table: int) -> Steps[bool]:
    """Ask at a preemption point inside `table` whether Xen preempts."""
    if not x.preemptible:
        return False
    x.table = table
    return (yield PREEMPT_TABLE) is True


def give_up_for_now(x: Call, k: FlightId) -> Steps[None]:
    """Leave the table partial and stop."""
    suspend(x.m, k)
    yield suspend
    raise Preempted


def release_type(x: Call, k: FlightId) -> Steps[None]:
    """Drop the type reference in flight `k`; the last one demotes a table. Raises Preempted."""
    m = x.m
    flight = m.flights[k]
    yield from put_type(x, k)
    if flight.mode == DEVALIDATING:
        f = flight.frame
        note(x, "devalidate", f, m.frames[f].type, frame_info(x, f))
        yield from demote(x, k)


def release_both(x: Call, k: FlightId) -> Steps[None]:
    """Drop both references in flight `k` (put_page_and_type). Raises Preempted with the general one kept."""
    yield from release_type(x, k)
    drop_ref(x.m, k)
    yield drop_ref


def demote(x: Call, k: FlightId) -> Steps[None]:
    """Release every entry of the table in flight `k`, from the last linked one down."""
    m = x.m
    f = m.flights[k].frame
    frame = m.frames[f]
    if frame.type == L1:
        yield from release_all(x, k)
    else:
        yield from _demote_table(x, k)
    finish_devalidation(m, k)
    yield finish_devalidation


def _demote_table(x: Call, k: FlightId) -> Steps[None]:
    """Release the entries of an L2, L3 or L4 table; preemptible between slots below L4."""
    m = x.m
    f = m.flights[k].frame
    frame = m.frames[f]
    inner = deeper(k)
    started = frame.next_slot
    if frame.partial_entry:
        slot = started
        take_from_entry(m, k, inner, slot, demote=True)
        yield take_from_entry
    else:
        slot = _last_guest_slot(x, f, started)
        if slot < started - 1 and frame.type != L4 and (yield from preempted(x, f)):
            yield from give_up_for_now(x, k)
        if slot >= 0:
            release(m, k, inner, slot)
            yield release
    while slot >= 0:
        yield from _demote_child(x, k, inner, slot)
        below = _last_guest_slot(x, f, slot)
        if slot > 0 and frame.type != L4 and (yield from preempted(x, f)):
            yield from give_up_for_now(x, k)
        slot = below
        if slot < 0:
            return
        release(m, k, inner, slot)
        yield release


def _last_guest_slot(x: Call, f: int, end: int) -> int:
    """Return the last present slot below `end` that belongs to the guest, else -1."""
    m = x.m
    slot = m.words.last_present(f, end)
    if m.pte.xen_first <= slot < m.pte.xen_end and has_xen_slots(m, m.frames[f]):
        slot = m.words.last_present(f, m.pte.xen_first)
    return slot


def _demote_child(x: Call, k: FlightId, inner: FlightId, slot: int) -> Steps[None]:
    """Drop what the entry at `slot` held, now in flight `inner`."""
    m = x.m
    child = m.flights[inner]
    try:
        if child.mode == DEVALIDATING:
            note(x, "devalidate", child.frame, m.frames[child.frame].type, frame_info(x, child.frame))
            yield from demote(x, inner)
        elif child.mode == HELD:
            yield from release_type(x, inner)
    except Preempted:
        keep_in_entry(m, k, inner, slot)
        yield keep_in_entry
        yield from give_up_for_now(x, k)
    if child.mode == REF:
        drop_ref(m, inner)
        yield drop_ref


def finish_old_table(x: Call, k: FlightId) -> Steps[None]:
    """Release the vCPU's old table, if it has one (put_old_guest_table). Raises Preempted, still old."""
    m = x.m
    if m.vcpus[x.vcpu].old_table == NO_FRAME:
        return
    take_old(m, x.vcpu, k)
    yield take_old
    flight = m.flights[k]
    f = flight.frame
    try:
        if flight.mode == DEVALIDATING:
            note(x, "devalidate", f, m.frames[f].type, frame_info(x, f))
            yield from demote(x, k)
        elif flight.mode == HELD:
            yield from release_type(x, k)
    except Preempted:
        defer(m, x.vcpu, k)
        yield defer
        raise
    drop_ref(m, k)
    yield drop_ref
