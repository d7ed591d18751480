"""Handles and pins: an entry is looked at when nobody uses it yet; from then on what Xen remembers counts.

Each step is a region under the lock of the active entry (and, of the whole table, for reading). The first pin
takes a reference of the frame that the entry names: it must be the granting domain's own.
"""

from xenmodel.abi.grant import HANDLES_A_PAGE, PIN_ROOM
from xenmodel.grants.entries import (
    add_pins,
    exists,
    header,
    is_pinned,
    is_written,
    mark_less_used,
    mark_used,
    named_frame,
)
from xenmodel.grants.rows import ActiveGrant, Mapping
from xenmodel.machine import Machine
from xenmodel.memory import holders
from xenmodel.memory.rows import HELD, IDLE, NO_FRAME, REF, REF_LIMIT
from xenmodel.step import require, step
from xenspec.logic import Not, either, ite
from xenspec.vocabulary import (
    DOMID_INVALID,
    EAGAIN,
    EINVAL,
    ENOENT,
    ENOSPC,
    EPERM,
    WRITABLE,
    DomId,
    FlightId,
    GrantId,
    HandleId,
    Mfn,
)

MAPPING = (
    "mappings.taken",
    "mappings.pinned",
    "mappings.live",
    "mappings.host",
    "mappings.device",
    "mappings.readonly",
    "mappings.stored",
    "mappings.by_entry",
    "mappings.domain",
    "mappings.ref",
    "mappings.frame",
)
"""All of a handle's row."""
PINS = (
    "active.host_writable",
    "active.host_readonly",
    "active.device_writable",
    "active.device_readonly",
)
ACTIVE = (
    *PINS,
    "active.domain",
    "active.frame",
    "active.start",
    "active.length",
    "active.sub_page",
    "active.trans_domain",
    "active.trans_ref",
)
"""All of an active entry's row."""


@step("grant_tables.handles")
def add_handles(m: Machine, domain: DomId) -> None:
    """Make a page of handles (get_maptrack_handle)."""
    table = m.grant_tables[domain]
    require("there may be more handles", table.handles < table.handle_limit, ENOSPC)
    table.handles = table.handles + HANDLES_A_PAGE


@step(*MAPPING, "grant_tables.next_handle")
def take_handle(m: Machine, h: HandleId, g: GrantId, *, host: bool, device: bool, readonly: bool) -> None:
    """Hand out a free handle for a mapping to be (get_maptrack_handle)."""
    row, table = m.mappings[h], m.grant_tables[h[0]]
    require("the handle exists", (h[1] >= 0) & (h[1] < table.handles), ENOSPC)
    require("it is free", Not(row.taken), EAGAIN)
    require("something is to be mapped", host | device, EINVAL)
    table.next_handle = h[1] + 1
    row.taken = True
    row.pinned = False
    row.live = False
    row.host = host
    row.device = device
    row.readonly = readonly
    row.stored = False
    row.by_entry = False
    row.domain = DomId(g[0])
    row.ref = g[1]
    row.frame = NO_FRAME


@step(*MAPPING)
def free_handle(m: Machine, h: HandleId) -> None:
    """Take back the handle of a mapping that came to nothing (put_maptrack_handle)."""
    row = m.mappings[h]
    require("the handle is handed out", row.taken & Not(row.live) & Not(row.pinned), EAGAIN)
    forget(row)


def forget(row: Mapping) -> None:
    """Make a handle free. Part of a step."""
    row.taken = False
    row.pinned = False
    row.live = False
    row.host = False
    row.device = False
    row.readonly = False
    row.stored = False
    row.by_entry = False
    row.domain = DOMID_INVALID
    row.ref = 0
    row.frame = NO_FRAME


@step(
    *ACTIVE,
    "mappings.pinned",
    "mappings.frame",
    "words.word",
    "flights.mode",
    "flights.frame",
    "frames.ref_count",
)
def pin_entry(m: Machine, k: FlightId, h: HandleId) -> None:
    """Pin the entry that a handle is for; the first pin puts a reference of its frame in flight `k`."""
    row, flight = m.mappings[h], m.flights[k]
    g = GrantId((row.domain, row.ref))
    active = m.active[g]
    require("the handle is handed out", row.taken & Not(row.pinned), EAGAIN)
    require("flight is idle", flight.mode == IDLE, EAGAIN)
    require("the reference exists", exists(m, g), ENOENT)
    if is_pinned(active):
        require("the entry is in use by the caller's domain", active.domain == h[0], EPERM)
        require("there is room for one more pin", _has_room(active, row), EPERM)
        require("the whole page is in use", Not(active.sub_page), EPERM)
        if Not(row.readonly) & Not(is_written(active)):
            require("the entry grants writing", Not(m.grants.readonly(header(m, g))), EPERM)
            mark_used(m, g, writing=True)
    else:
        require_permitted(m, g, DomId(h[0]), readonly=row.readonly, whole=True)
        f = named_frame(m, g)
        take_named(m, k, f, DomId(g[0]))
        mark_used(m, g, writing=Not(row.readonly))
        remember(active, DomId(h[0]), f, (0, m.pte.slots * m.pte.word_bytes), g, sub_page=False)
    add_pins(active, 1, host=row.host, device=row.device, readonly=row.readonly)
    row.pinned = True
    row.frame = active.frame


def _has_room(active: ActiveGrant, row: Mapping) -> bool:
    """Return whether none of the counters that the handle raises is at its limit. Part of a step."""
    host = ite(row.readonly, active.host_readonly, active.host_writable)
    device = ite(row.readonly, active.device_readonly, active.device_writable)
    return (Not(row.host) | (host < PIN_ROOM)) & (Not(row.device) | (device < PIN_ROOM))


def require_permitted(m: Machine, g: GrantId, domain: DomId, *, readonly: bool, whole: bool) -> None:
    """Refuse unless an entry that nobody uses lets a domain in. Part of a step."""
    word = header(m, g)
    permitted = m.grants.permits(word, whole=whole) & (m.grants.domain(word) == domain)
    require("the entry permits it to the domain", permitted, EPERM)
    require("the entry grants writing", either(readonly, lambda: Not(m.grants.readonly(word))), EPERM)


def require_owned(m: Machine, f: Mfn, owner: DomId) -> None:
    """Refuse unless a frame that an entry names is the granting domain's own. Part of a step."""
    frame = m.frames[f]
    lives = (frame.ref_count > 0) & (frame.owner == owner)
    require("the frame is live and the granting domain's", lives, EINVAL)
    require("general count has room", frame.ref_count < REF_LIMIT, EINVAL)


def take_named(m: Machine, k: FlightId, f: Mfn, owner: DomId) -> None:
    """Take a reference of the frame that an entry names into flight `k`. Part of a step."""
    require_owned(m, f, owner)
    frame, flight = m.frames[f], m.flights[k]
    frame.ref_count = frame.ref_count + 1
    m.ghost.take(f, holders.flight(k), typed=False, general=True)
    flight.mode = REF
    flight.frame = f


def remember(
    active: ActiveGrant, domain: DomId, f: Mfn, part: tuple[int, int], by: GrantId, *, sub_page: bool
) -> None:
    """Note what an entry grants while it is pinned; `by`: by which entry in the end. Part of a step."""
    active.domain = domain
    active.frame = f
    active.start = part[0]
    active.length = part[1]
    active.sub_page = sub_page
    active.trans_domain = DomId(by[0])
    active.trans_ref = by[1]


@step("words.word")
def clear_marks(m: Machine, h: HandleId) -> None:
    """Clear the marks of use that a pin set before it found that the frame is not to be had."""
    row = m.mappings[h]
    require("the handle is handed out", row.taken & Not(row.pinned), EAGAIN)
    mark_less_used(m, GrantId((row.domain, row.ref)), readonly=row.readonly)


@step(*PINS, "mappings.pinned", "words.word")
def unpin_entry(m: Machine, h: HandleId) -> None:
    """Take back the pins of a mapping that came to nothing."""
    row = m.mappings[h]
    require("the handle is not given yet", row.taken & row.pinned & Not(row.live), EAGAIN)
    require("no entry was stored for it", Not(row.stored), EAGAIN)
    g = GrantId((row.domain, row.ref))
    add_pins(m.active[g], -1, host=row.host, device=row.device, readonly=row.readonly)
    mark_less_used(m, g, readonly=row.readonly)
    row.pinned = False


@step("mappings.live", "mappings.by_entry", "flights.mode")
def give_handle(m: Machine, k: FlightId, h: HandleId, *, by_entry: bool) -> None:
    """Let the guest have a handle; a device mapping keeps the reference that is in flight `k`."""
    row, flight = m.mappings[h], m.flights[k]
    require("the handle is not given yet", row.taken & row.pinned & Not(row.live), EAGAIN)
    if row.device:
        require("the reference of devices is in flight", flight.mode == ite(row.readonly, REF, HELD), EAGAIN)
        require("of the frame that is granted", flight.frame == row.frame, EAGAIN)
        require("the frame is the granting domain's still", m.frames[row.frame].owner == row.domain, EAGAIN)
        writable = m.frames[row.frame].type == WRITABLE
        require("and writable memory, if devices may write", row.readonly | writable, EAGAIN)
        m.ghost.move(
            row.frame,
            holders.flight(k),
            holders.device_map(h[0], h[1]),
            typed=Not(row.readonly),
            general=True,
        )
        flight.mode = IDLE
    row.live = True
    row.by_entry = by_entry
