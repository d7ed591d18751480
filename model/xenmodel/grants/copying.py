"""GNTTABOP_copy: both sides are claimed, a grant pinned as for a mapping of the processor, then bytes copied.

Claims are kept from one operation of a batch to the next if it names the same (gnttab_copy_buf).
"""

from dataclasses import dataclass
from typing import Final

from xenmodel.abi.grant import GrantStatus
from xenmodel.domains.naming import addressed_domain
from xenmodel.grants.arguments import (
    BAD_COPY_ARG,
    BAD_DOMAIN,
    BAD_GNTREF,
    BAD_PAGE,
    GENERAL_ERROR,
    OKAY,
    PERMISSION_DENIED,
    Answer,
    Copy,
    CopyEnd,
)
from xenmodel.grants.claiming import hold_side, let_go_side, mark_in_vain, pin_for_copy, unpin_copy
from xenmodel.grants.entries import exists, passes_on, pins_of
from xenmodel.grants.passing import look_away, look_through, pin_passed, pin_passing, unpin_passed
from xenmodel.grants.rows import CopySide
from xenmodel.hypercall import Call, Preempted, Steps
from xenmodel.machine import Machine
from xenmodel.memory.claim import take_ref
from xenmodel.memory.demotion import drop_leaf
from xenmodel.memory.holders import Purpose
from xenmodel.memory.promotion import take_type
from xenmodel.step import Refused, require, step
from xenspec.logic import Not
from xenspec.vocabulary import (
    DOMID_SELF,
    EACCES,
    EAGAIN,
    EBUSY,
    EINVAL,
    ENOENT,
    EPERM,
    ESRCH,
    PAGE_SIZE,
    WRITABLE,
    CopyId,
    DomId,
    Errno,
    FlightId,
    GrantId,
    Mfn,
    VcpuId,
)

SOURCE: Final = 0
TARGET: Final = 1
UNIT: Final = 8
"""Bytes that the processor copies at a time, as long as there are so many."""
PURPOSES: Final = (Purpose.SOURCE, Purpose.NEW)
ENDED: Final[dict[Errno, GrantStatus]] = {
    ENOENT: BAD_GNTREF,
    EPERM: GENERAL_ERROR,
    EACCES: GENERAL_ERROR,
    EBUSY: GENERAL_ERROR,
    EINVAL: BAD_PAGE,
    ESRCH: BAD_DOMAIN,
}
"""How a refused pin ends."""
MARKED: Final = frozenset({EACCES, EBUSY, EINVAL})
"""Refusals before which Xen had set the marks of use, and clears what is not true of them."""


@dataclass(slots=True)
class Sides:
    """What both sides of a batch name as it goes on."""

    named: list[CopyEnd | None]


@step("words.word")
def copy_unit(m: Machine, v: VcpuId, source: int, target: int, count: int) -> None:
    """Copy up to 8 bytes from the frame that a vCPU's source holds into the one of its target."""
    given, kept = m.copies[v, SOURCE], m.copies[v, TARGET]
    require("the source is held", given.held, EAGAIN)
    require("the target is held as writable memory", kept.held & kept.typed, EAGAIN)
    require("the bytes are one page's", (source >= 0) & (source + count <= PAGE_SIZE), EINVAL)
    require("and go into one page", (target >= 0) & (target + count <= PAGE_SIZE), EINVAL)
    require("one store or two", (count > 0) & (count <= UNIT), EINVAL)
    require("the source's grant is of the bytes", _is_granted(given, source, count), EINVAL)
    require("the target's grant is of the bytes", _is_granted(kept, target, count), EINVAL)
    require("and lets write", Not(kept.pinned) | Not(kept.readonly), EINVAL)
    s, t = m.grants.slot_of(source), m.grants.slot_of(target)
    words = (m.words[given.frame, s], m.words[given.frame, s + 1])
    low, high = m.grants.spliced(
        words, source, (m.words[kept.frame, t], m.words[kept.frame, t + 1]), target, count
    )
    m.words[kept.frame, t] = low
    if m.grants.slot_of(target + count - 1) != t:
        m.words[kept.frame, t + 1] = high


def _is_granted(row: CopySide, first: int, count: int) -> bool:
    """Return whether bytes are in the part of its page that a side may use. Part of a step."""
    return Not(row.pinned) | ((first >= row.start) & (first + count <= row.start + row.length))


def flight_of(x: Call, side: int) -> FlightId:
    """Return the flight that holds the frame of one side."""
    return FlightId((x.vcpu, PURPOSES[side]))


def copy(x: Call, op: Copy, sides: Sides) -> Steps[Answer]:
    """Make one copy; what it claimed is kept for the next unless it fails.

    Raises Preempted where an entry changed while it was looked through: the copy is to be made again.
    """
    status = yield from _copy(x, op, sides)
    if status != OKAY:
        yield from release_sides(x, sides)
    return Answer(status)


def _copy(x: Call, op: Copy, sides: Sides) -> Steps[GrantStatus]:
    """Claim what is not claimed yet, and copy."""
    ends = (op.source, op.target)
    if any(named is None or named.dom != end.dom for named, end in zip(sides.named, ends, strict=True)):
        yield from release_sides(x, sides)
        if any(addressed_domain(x, end.dom) is None for end in ends):
            return BAD_DOMAIN
    for side, end in enumerate(ends):
        if not _is_claimed(sides.named[side], end):
            yield from _release(x, sides, side)
            status = yield from _claim(x, side, end)
            if status != OKAY:
                return status
            sides.named[side] = end
    return (yield from _copy_bytes(x, op))


def _is_claimed(named: CopyEnd | None, end: CopyEnd) -> bool:
    return named is not None and (named.number, named.by_ref) == (end.number, end.by_ref)


def _claim(x: Call, side: int, end: CopyEnd) -> Steps[GrantStatus]:
    """Take the frame of one side, the target's as writable memory (gnttab_copy_claim_buf)."""
    k = flight_of(x, side)
    domain = addressed_domain(x, end.dom) or DomId(0)
    if end.by_ref:
        status = yield from _pin(x, CopyId((x.vcpu, side)), GrantId((domain, end.number)))
        if status != OKAY:
            return status
    elif end.dom != DOMID_SELF:
        return PERMISSION_DENIED
    else:
        try:
            take_ref(x.m, k, Mfn(end.number), domain)
            yield take_ref
        except Refused:
            return BAD_PAGE
    try:
        if side == TARGET:
            yield from take_type(x, k, WRITABLE)
        hold_side(x.m, k, CopyId((x.vcpu, side)))
        yield hold_side
    except Refused:
        return GENERAL_ERROR
    return OKAY


def _pin(x: Call, c: CopyId, g: GrantId) -> Steps[GrantStatus]:
    """Pin the entry that one side names, and of a transitive one what it passes on."""
    readonly = c[1] == SOURCE
    if exists(x.m, g) and passes_on(x.m, g):
        return (yield from _pin_through(x, c, g, readonly=readonly))
    try:
        pin_for_copy(x.m, flight_of(x, c[1]), c, g, readonly=readonly)
        yield pin_for_copy
    except Refused as refusal:
        return (yield from _end_pin(x, g, refusal.errno, readonly=readonly))
    return OKAY


def _pin_through(x: Call, c: CopyId, g: GrantId, *, readonly: bool) -> Steps[GrantStatus]:
    """Pin a transitive entry: look at it, pin what it passes on, pin it unless it changed meanwhile."""
    try:
        look_through(x.m, c, g, readonly=readonly)
    except Refused as refusal:
        return (yield from _end_pin(x, g, refusal.errno, readonly=readonly))
    old = pins_of(x.m.active[g])
    yield look_through
    inner = GrantId((x.m.copies[c].trans_domain, x.m.copies[c].trans_ref))
    try:
        pin_passed(x.m, flight_of(x, c[1]), c)
        yield pin_passed
    except Refused as refusal:
        status = yield from _end_pin(x, inner, refusal.errno, readonly=readonly)
        look_away(x.m, c)
        yield look_away
        return status
    try:
        pin_passing(x.m, c, old)
        yield pin_passing
    except Refused:
        unpin_passed(x.m, c)
        yield unpin_passed
        look_away(x.m, c)
        yield look_away
        raise Preempted from None
    return OKAY


def _end_pin(x: Call, g: GrantId, errno: Errno, *, readonly: bool) -> Steps[GrantStatus]:
    """Return how a pin ends that was refused; the entry was marked for it, perhaps."""
    if errno in MARKED:
        mark_in_vain(x.m, g, readonly=readonly)
        yield mark_in_vain
    return ENDED[errno]


def _copy_bytes(x: Call, op: Copy) -> Steps[GrantStatus]:
    """Copy, unless the bytes are more than both sides have (gnttab_copy_buf)."""
    if any(end.offset + op.length > PAGE_SIZE for end in (op.source, op.target)):
        return BAD_COPY_ARG
    for side, end in enumerate((op.source, op.target)):
        row = x.m.copies[x.vcpu, side]
        if row.pinned and not row.start <= end.offset <= row.start + row.length - op.length:
            return GENERAL_ERROR
    done = 0
    while done < op.length:
        count = UNIT if op.length - done >= UNIT else 1
        copy_unit(
            x.m,
            x.vcpu,
            op.source.offset + done,
            op.target.offset + done,
            count,
        )
        yield copy_unit
        done += count
    return OKAY


def release_sides(x: Call, sides: Sides) -> Steps[None]:
    """Give back what both sides hold."""
    for side in (SOURCE, TARGET):
        yield from _release(x, sides, side)


def _release(x: Call, sides: Sides, side: int) -> Steps[None]:
    """Give back what one side holds (gnttab_copy_release_buf)."""
    c, k = CopyId((x.vcpu, side)), flight_of(x, side)
    if x.m.copies[c].held:
        let_go_side(x.m, k, c)
        yield let_go_side
    yield from drop_leaf(x, k)
    if x.m.copies[c].pinned:
        unpin_copy(x.m, c)
        yield unpin_copy
    if x.m.passed[c].pinned:
        unpin_passed(x.m, c)
        yield unpin_passed
    sides.named[side] = None
