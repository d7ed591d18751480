"""Pins of copies (acquire_grant_for_copy, release_grant_for_copy): like a mapping's, without a handle.

A copy may use a part of a page. An entry in use is not looked at again, but for its first pin to write: then
its frame is read anew, and must be the one that is remembered.
"""

from xenmodel.abi.grant import PIN_ROOM
from xenmodel.grants.entries import (
    add_pins,
    exists,
    header,
    is_pinned,
    is_written,
    mark_less_used,
    mark_used,
    named_frame,
    passes_on,
)
from xenmodel.grants.pins import ACTIVE, PINS, remember, require_owned, require_permitted, take_named
from xenmodel.grants.rows import ActiveGrant
from xenmodel.machine import Machine
from xenmodel.memory import holders
from xenmodel.memory.rows import HELD, IDLE, REF
from xenmodel.step import require, step
from xenspec.logic import Not, both, ite
from xenspec.vocabulary import (
    EAGAIN,
    EBUSY,
    ENOENT,
    EPERM,
    ESRCH,
    WRITABLE,
    CopyId,
    DomId,
    FlightId,
    GrantId,
    Mfn,
)

COPY = (
    "copies.pinned",
    "copies.readonly",
    "copies.domain",
    "copies.ref",
    "copies.frame",
    "copies.start",
    "copies.length",
    "copies.trans_domain",
    "copies.trans_ref",
)
"""All of a copy's side."""


@step(*ACTIVE, *COPY, "words.word", "flights.mode", "flights.frame", "frames.ref_count")
def pin_for_copy(m: Machine, k: FlightId, c: CopyId, g: GrantId, *, readonly: bool) -> None:
    """Pin an entry for one side of a copy; a reference of its frame is in flight `k` from now on."""
    row, active = m.copies[c], m.active[g]
    require("the side is not claimed", is_free(m, c), EAGAIN)
    use_entry(m, k, g, DomId(c[0][0]), readonly=readonly)
    row.pinned = True
    row.readonly = readonly
    row.domain = DomId(g[0])
    row.ref = g[1]
    row.frame = active.frame
    row.start = active.start
    row.length = active.length
    row.trans_domain = active.trans_domain
    row.trans_ref = active.trans_ref


def is_free(m: Machine, c: CopyId) -> bool:
    """Return whether a side of a copy uses and holds nothing."""
    row = m.copies[c]
    return Not(row.pinned) & Not(row.held) & Not(row.asked) & Not(m.passed[c].pinned)


def use_entry(m: Machine, k: FlightId, g: GrantId, by: DomId, *, readonly: bool) -> None:
    """Pin an entry that grants a frame of its own domain, and take a reference of that. Part of a step."""
    active = m.active[g]
    require("flight is idle", m.flights[k].mode == IDLE, EAGAIN)
    require("the reference exists", exists(m, g), ENOENT)
    require("the entry passes nothing on", Not(passes_on(m, g)), EPERM)
    if is_pinned(active):
        require("the entry is in use by the caller's domain", active.domain == by, EPERM)
        require("there is room for one more pin", has_room(active, readonly=readonly), EPERM)
        _pin_used(m, k, g, readonly=readonly)
    else:
        require_permitted(m, g, by, readonly=readonly, whole=False)
        f, part, sub_page = named_frame(m, g), _part(m, g), _is_part(m, g)
        take_named(m, k, f, DomId(g[0]))
        mark_used(m, g, writing=Not(readonly))
        remember(active, by, f, part, g, sub_page=sub_page)
    add_pins(active, 1, host=True, device=False, readonly=readonly)


def has_room(active: ActiveGrant, *, readonly: bool) -> bool:
    """Return whether an entry may have one more pin of a copy. Part of a step."""
    return ite(readonly, active.host_readonly, active.host_writable) < PIN_ROOM


def _pin_used(m: Machine, k: FlightId, g: GrantId, *, readonly: bool) -> None:
    """Take the frame of an entry in use. Part of a step."""
    active, owner = m.active[g], DomId(g[0])
    own = (active.trans_domain == owner) & (active.trans_ref == g[1])
    if Not(readonly) & Not(is_written(active)):
        require("the entry grants writing", Not(m.grants.readonly(header(m, g))), EPERM)
        f = named_frame(m, g)
        require_owned(m, f, owner)
        same = own & (f == active.frame) & _same_part(m, g, active)
        require("the entry grants what it did", same, EBUSY)
        take_named(m, k, f, owner)
        mark_used(m, g, writing=True)
    else:
        frame = m.frames[active.frame]
        lives = own & (frame.owner == owner) & (frame.ref_count > 0) & Not(m.domains[owner].dying)
        require("the frame is the granting domain's still", lives, ESRCH)
        take_named(m, k, Mfn(active.frame), owner)


def _is_part(m: Machine, g: GrantId) -> bool:
    """Return whether the entry grants a part of its page (version 2 alone has such entries)."""
    return both(m.grant_tables[g[0]].version != 1, lambda: m.grants.sub_page(header(m, g)))


def _part(m: Machine, g: GrantId) -> tuple[int, int]:
    """Return which bytes of the page the entry grants."""
    part, (start, length) = _is_part(m, g), m.grants.part(header(m, g))
    return ite(part, start, 0), ite(part, length, m.pte.slots * m.pte.word_bytes)


def _same_part(m: Machine, g: GrantId, active: ActiveGrant) -> bool:
    """Return whether the entry grants at least the part that it did."""
    start, length = _part(m, g)
    return Not(active.sub_page) | (_is_part(m, g) & (start == active.start) & (length == active.length))


@step("copies.held", "copies.typed", "copies.frame", "flights.mode")
def hold_side(m: Machine, k: FlightId, c: CopyId) -> None:
    """Have a side of a copy hold the frame that is in flight `k`: if by a grant, the frame that it pinned."""
    row, flight = m.copies[c], m.flights[k]
    frame = m.frames[flight.frame]
    require("the side holds no frame", Not(row.held), EAGAIN)
    require("the reference is in flight", (flight.mode == REF) | (flight.mode == HELD), EAGAIN)
    require("as writable memory, if by its type", (flight.mode == REF) | (frame.type == WRITABLE), EAGAIN)
    granted = (flight.frame == row.frame) & (frame.owner == row.trans_domain)
    require("the frame is what was granted, and the granting domain's", Not(row.pinned) | granted, EAGAIN)
    row.held = True
    row.typed = flight.mode == HELD
    row.frame = flight.frame
    m.ghost.move(row.frame, holders.flight(k), holders.copy_side(c[0], c[1]), typed=row.typed, general=True)
    flight.mode = IDLE


@step("copies.held", "flights.mode", "flights.frame")
def let_go_side(m: Machine, k: FlightId, c: CopyId) -> None:
    """Put the reference that a side of a copy holds in flight `k`."""
    row, flight = m.copies[c], m.flights[k]
    require("flight is idle", flight.mode == IDLE, EAGAIN)
    require("the side holds its frame", row.held, EAGAIN)
    m.ghost.move(row.frame, holders.copy_side(c[0], c[1]), holders.flight(k), typed=row.typed, general=True)
    row.held = False
    flight.mode = ite(row.typed, HELD, REF)
    flight.frame = row.frame


@step("words.word")
def mark_in_vain(m: Machine, g: GrantId, *, readonly: bool) -> None:
    """Mark an entry as used, and clear what is not true of it: the pin found its frame not to be had."""
    require("the reference exists", exists(m, g), ENOENT)
    mark_used(m, g, writing=Not(readonly))
    mark_less_used(m, g, readonly=readonly)


@step(*PINS, "copies.pinned", "words.word")
def unpin_copy(m: Machine, c: CopyId) -> None:
    """Take back the pin of one side of a copy."""
    row = m.copies[c]
    require("the side holds a grant", row.pinned, EAGAIN)
    g = GrantId((row.domain, row.ref))
    add_pins(m.active[g], -1, host=True, device=False, readonly=row.readonly)
    mark_less_used(m, g, readonly=row.readonly)
    row.pinned = False
