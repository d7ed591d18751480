"""Promotion: a frame becomes a page table entry by entry.

Sequences of the steps of claim, linking and validation, in Xen's order (promote_lN_table, _get_page_type);
the way back is xenmodel.memory.demotion. `k` is always the flight that holds the frame at work; an entry's
target travels in the flight one level deeper (`deeper(k)`).
"""

from xenmodel.hypercall import SPIN, Call, FrameInfo, Preempted, Steps, frame_info, note
from xenmodel.memory import targets
from xenmodel.memory.claim import claim, claim_top_l2, finish_flush, flush_next_cpu
from xenmodel.memory.demotion import deeper, finish_old_table, give_up_for_now, preempted, release_all
from xenmodel.memory.linking import (
    accept_descriptor,
    has_xen_slots,
    install,
    install_unbacked,
    skip_absent,
)
from xenmodel.memory.rows import FLUSHING, HELD, IDLE, NO_FRAME, REF, VALIDATING
from xenmodel.memory.validation import (
    clear_unused,
    defer,
    fail_validation,
    finish_validation,
    keep_in_entry,
    suspend,
    take_from_entry,
    take_old_child,
    write_xen_slots,
)
from xenmodel.step import Refused
from xenspec.vocabulary import EAGAIN, L1, L4, SEG, WRITABLE, FlightId, PageType


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
            word = yield from targets.take_leaf(x, inner, words[f, slot], owner, owner)
            if m.flights[inner].mode == IDLE:
                install_unbacked(m, k, inner, slot, word)
                yield install_unbacked
            else:
                install(m, k, inner, slot, word)
                yield install
            slot = words.next_present(f, slot + 1)
    except Refused:
        yield from release_all(x, k)
        fail_validation(m, k)
        yield fail_validation
        raise
    if m.frames[f].next_slot != end:
        skip_absent(m, k, end)
        yield skip_absent


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
        if level != L4 and slot > first and (yield from preempted(x, f)):
            yield from give_up_for_now(x, k)
        yield from _promote_slot(x, k, slot)
        slot = _next_guest_slot(x, f, slot + 1)
    if level != L4 and first < end - 1 and (yield from preempted(x, f)):
        if frame.next_slot == first:
            skip_absent(m, k, first + 1)
            yield skip_absent
        yield from give_up_for_now(x, k)
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
        yield from targets.install_table(x, k, inner, slot, word)
    except Preempted:
        if m.flights[inner].mode == REF:
            keep_in_entry(m, k, inner, slot)
            yield keep_in_entry
        yield from give_up_for_now(x, k)
    except Refused:
        yield from _abandon(x, k, slot)
        raise


def _abandon(x: Call, k: FlightId, slot: int) -> Steps[None]:
    """Give a failed promotion up: the table has no type, or becomes the vCPU's old, partial table.

    If the failed child is itself the vCPU's old table, its general reference stays with the slot; one
    further below is finished first (real Xen loses that reference: deviation D1 of the oracle's rules), in
    one go: preempted there, the call could neither answer its failure nor name a second old table.
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
            x.preemptible = False
            yield from finish_old_table(x, inner)
            x.preemptible = True
    suspend(m, k)
    yield suspend
    defer(m, x.vcpu, k)
    yield defer
