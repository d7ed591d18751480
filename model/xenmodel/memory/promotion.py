"""Promotion and demotion: a frame becomes a page table entry by entry, and ceases to be one.

Sequences of the steps of claim, linking and validation, in Xen's order (promote_lN_table, demote_lN_table,
_get_page_type, _put_page_type). `k` is always the flight that holds the frame at work; an entry's target
travels in the flight one level deeper (`deeper(k)`).
"""

from xenmodel.hypercall import PREEMPT_TABLE, SPIN, Call, FrameInfo, Preempted, Steps, frame_info, note
from xenmodel.memory.claim import (
    LOCK_AND_ONE,
    claim,
    claim_top_l2,
    drop_ref,
    drop_type,
    finish_flush,
    flush_next_cpu,
)
from xenmodel.memory.holders import DEPTH
from xenmodel.memory.linking import (
    accept_descriptor,
    has_xen_slots,
    install,
    install_unbacked,
    release,
    skip_absent,
)
from xenmodel.memory.rows import DEVALIDATING, FLUSHING, HELD, IDLE, NO_FRAME, REF, VALIDATING
from xenmodel.memory.targets import install_table, take_leaf
from xenmodel.memory.validation import (
    clear_unused,
    defer,
    fail_validation,
    finish_devalidation,
    finish_validation,
    keep_in_entry,
    suspend,
    take_from_entry,
    take_old,
    take_old_child,
    unwind,
    write_xen_slots,
)
from xenmodel.step import Refused
from xenspec.vocabulary import EAGAIN, L1, L4, SEG, WRITABLE, FlightId, PageType


def deeper(k: FlightId) -> FlightId:
    """Return the flight one level below `k`."""
    return FlightId((k[0], k[1] + DEPTH))


def take_type(x: Call, k: FlightId, want: PageType, *, top: bool = False) -> Steps[None]:
    """Take a type reference for the frame in flight `k`, promoting it if need be.

    `top`: as the L2 table for the top of a PAE address space.

    Raises Refused with the errno of the innermost failure; the flight then holds its general reference
    still, unless the frame became the vCPU's old table. Raises Preempted with the frame left partial.
    """
    m = x.m
    flight = m.flights[k]
    f = flight.frame
    frame = m.frames[f]
    take = claim_top_l2 if top else claim
    before: FrameInfo | None = None
    if frame.type_count == 0 or not frame.validated:
        before = frame_info(x, f)
    while True:
        try:
            take(m, k, want)
            break
        except Refused as refusal:
            if refusal.errno != EAGAIN:
                raise
            yield SPIN
    yield take
    if flight.mode == HELD:
        return
    if flight.mode == FLUSHING:
        if want == WRITABLE and before is not None:
            note(x, "settype", f, want, before)
        yield from flush_all(x, k)
    if flight.mode == VALIDATING:
        if before is not None:
            note(x, "validate", f, want, before)
        yield from promote(x, k, want)


def flush_all(x: Call, k: FlightId) -> Steps[None]:
    """Flush every CPU that may translate to the frame whose type changes."""
    m = x.m
    frame = m.frames[m.flights[k].frame]
    while frame.cursor < m.cpu_count:
        flush_next_cpu(m, k)
        yield flush_next_cpu
    finish_flush(m, k)
    yield finish_flush


def promote(x: Call, k: FlightId, level: PageType) -> Steps[None]:
    """Validate the frame in flight `k` as a table or descriptor page."""
    if x.stores is not None:
        x.stores(x.m.flights[k].frame)
    if level == SEG:
        yield from _promote_descriptors(x, k)
    elif level == L1:
        yield from _promote_l1(x, k)
    else:
        yield from _promote_table(x, k, level)
    finish_validation(x.m, k)
    yield finish_validation


def _promote_descriptors(x: Call, k: FlightId) -> Steps[None]:
    """Check and store every descriptor of the page; a bad one leaves the page without a type."""
    m = x.m
    f = m.flights[k].frame
    slot = m.words.next_nonzero(f, 0)
    try:
        while slot < m.pte.slots:
            skip_absent(m, k, slot)
            yield skip_absent
            accept_descriptor(m, k, slot)
            yield accept_descriptor
            slot = m.words.next_nonzero(f, slot + 1)
    except Refused:
        fail_validation(m, k)
        yield fail_validation
        raise
    skip_absent(m, k, m.pte.slots)
    yield skip_absent


def _promote_l1(x: Call, k: FlightId) -> Steps[None]:
    """Take every present entry's target; on failure release what was taken, in one go."""
    m = x.m
    f = m.flights[k].frame
    owner = m.frames[f].owner
    inner = deeper(k)
    words = m.words
    end = m.pte.slots
    slot = words.next_present(f, 0)
    try:
        while slot < end:
            if m.frames[f].next_slot != slot:
                skip_absent(m, k, slot)
                yield skip_absent
            word = yield from take_leaf(x, inner, words[f, slot], owner, owner)
            if m.flights[inner].mode == IDLE:
                install_unbacked(m, k, inner, slot, word)
                yield install_unbacked
            else:
                install(m, k, inner, slot, word)
                yield install
            slot = words.next_present(f, slot + 1)
    except Refused:
        yield from _release_all(x, k)
        fail_validation(m, k)
        yield fail_validation
        raise
    if m.frames[f].next_slot != end:
        skip_absent(m, k, end)
        yield skip_absent


def _release_all(x: Call, k: FlightId) -> Steps[None]:
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


def _promote_table(x: Call, k: FlightId, level: PageType) -> Steps[None]:
    """Link every present entry of an L2, L3 or L4 table; preemptible between slots below L4."""
    m = x.m
    f = m.flights[k].frame
    frame = m.frames[f]
    if level == m.pte.levels:
        yield from _clear_unused(x, k, m.pte.walked)
    first, end = frame.next_slot, m.pte.slots
    slot = _next_guest_slot(x, f, first)
    while slot < end:
        if frame.next_slot != slot:
            skip_absent(m, k, slot)
            yield skip_absent
        if level != L4 and slot > first and (yield from _preempted(x, f)):
            yield from _suspend(x, k)
        yield from _promote_slot(x, k, slot)
        slot = _next_guest_slot(x, f, slot + 1)
    if level != L4 and first < end - 1 and (yield from _preempted(x, f)):
        if frame.next_slot == first:
            skip_absent(m, k, first + 1)
            yield skip_absent
        yield from _suspend(x, k)
    if frame.next_slot != end:
        skip_absent(m, k, end)
        yield skip_absent
    if has_xen_slots(m, frame):
        write_xen_slots(m, k, readonly_m2p=m.domains[frame.owner].m2p_strict)
        yield write_xen_slots


def _clear_unused(x: Call, k: FlightId, first: int) -> Steps[None]:
    """Empty the slots of a top-level table, from `first` on, that no walk reads."""
    m = x.m
    f = m.flights[k].frame
    slot = m.words.next_nonzero(f, first)
    while slot < m.pte.slots:
        clear_unused(m, k, slot)
        yield clear_unused
        slot = m.words.next_nonzero(f, slot + 1)


def _preempted(x: Call, table: int) -> Steps[bool]:
    """Ask at a preemption point inside `table` whether Xen preempts."""
    x.table = table
    return (yield PREEMPT_TABLE) is True


def _next_guest_slot(x: Call, f: int, first: int) -> int:
    """Return the next slot to look at that is the guest's: a present one, or the top slot; else the end."""
    m = x.m
    frame, shape = m.frames[f], m.pte
    slot = m.words.next_present(f, first)
    if shape.xen_first <= slot < shape.xen_end and has_xen_slots(m, frame):
        slot = m.words.next_present(f, shape.xen_end)
    if first <= shape.top_slot < slot and frame.type == shape.levels:
        return shape.top_slot
    return slot


def _promote_slot(x: Call, k: FlightId, slot: int) -> Steps[None]:
    """Link one entry; on failure leave what Xen leaves (fail at slot 0, else an old partial table)."""
    m = x.m
    f = m.flights[k].frame
    inner = deeper(k)
    word = m.words[f, slot]
    try:
        if m.frames[f].partial_entry:
            take_from_entry(m, k, inner, slot, demote=False)
            yield take_from_entry
        yield from install_table(x, k, inner, slot, word)
    except Preempted:
        if m.flights[inner].mode == REF:
            keep_in_entry(m, k, inner, slot)
            yield keep_in_entry
        yield from _suspend(x, k)
    except Refused:
        yield from _abandon(x, k, slot)
        raise


def _suspend(x: Call, k: FlightId) -> Steps[None]:
    """Leave the table partial and stop."""
    suspend(x.m, k)
    yield suspend
    raise Preempted


def _abandon(x: Call, k: FlightId, slot: int) -> Steps[None]:
    """Give a failed promotion up: the table has no type, or becomes the vCPU's old, partial table.

    If the failed child is itself the vCPU's old table, its general reference stays with the slot; one
    further below is finished first (real Xen loses that reference: deviation D1 of the oracle's rules).
    """
    m = x.m
    flight = m.flights[k]
    inner = deeper(k)
    vcpu = m.vcpus[x.vcpu]
    if slot == 0:
        fail_validation(m, k)
        yield fail_validation
        return
    if vcpu.old_table != NO_FRAME:
        if vcpu.old_table == m.pte.target(m.words[flight.frame, slot]) and vcpu.old_partial:
            take_old_child(m, x.vcpu, k, inner, slot)
            yield take_old_child
        else:
            yield from finish_old_table(x, inner)
    suspend(m, k)
    yield suspend
    defer(m, x.vcpu, k)
    yield defer


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
        yield from _release_all(x, k)
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
        if slot < started - 1 and frame.type != L4 and (yield from _preempted(x, f)):
            yield from _suspend(x, k)
        if slot >= 0:
            release(m, k, inner, slot)
            yield release
    while slot >= 0:
        yield from _demote_child(x, k, inner, slot)
        below = _last_guest_slot(x, f, slot)
        if slot > 0 and frame.type != L4 and (yield from _preempted(x, f)):
            yield from _suspend(x, k)
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
        yield from _suspend(x, k)
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
