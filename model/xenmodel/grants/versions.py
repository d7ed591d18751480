"""GNTTABOP_set_version: another layout for a table that nobody uses.

The first eight entries, which a toolstack fills before its guest runs, keep what they grant; all others are
emptied. Xen does it under the table's lock.
"""

from xenmodel.abi.grant import RESERVED_ENTRIES
from xenmodel.grants.arguments import GrantResult, SetVersion
from xenmodel.grants.entries import entry_count, is_pinned, place_of, status_at
from xenmodel.grants.tables import grow_status
from xenmodel.hypercall import Call, Steps
from xenmodel.machine import Machine, View
from xenmodel.memory import holders
from xenmodel.memory.claim import FREED, release_general
from xenmodel.memory.rows import NO_FRAME
from xenmodel.step import Refused, require, step
from xenspec.logic import Not
from xenspec.table import made
from xenspec.vocabulary import (
    EAGAIN,
    EBUSY,
    EINVAL,
    ENOSYS,
    ERANGE,
    ESRCH,
    DomId,
    Errno,
    GrantFrameId,
    GrantId,
    Mfn,
)

VERSIONS = (1, 2)


def _refusal(x: Call, version: int) -> Errno | None:
    """Return why the layout may not change now, if it may not."""
    m, domain = x.m, x.domain
    beyond = ((domain, ref) for ref in range(RESERVED_ENTRIES, entry_count(m, domain)))
    if any(is_pinned(m.active[at]) for at in made(m.active, beyond)):
        return EBUSY
    if version != 1:
        return None
    reserved = [GrantId((domain, ref)) for ref in range(RESERVED_ENTRIES)]
    if any(is_pinned(m.active[g]) and m.active[g].sub_page for g in reserved):
        return EAGAIN
    if not all(m.grants.fits_old(*_words(x, g)) for g in reserved):
        return ERANGE
    pages = range(m.grant_tables[domain].status_frames)
    frames = [m.frames[m.status_frames[domain, index].frame] for index in pages]
    return None if all(frame.ref_count == 1 and frame.type_count == 1 for frame in frames) else EBUSY


def _words(x: Call, g: GrantId) -> tuple[int, int]:
    f, slot = place_of(x.m, g)
    return x.m.words[f, slot], x.m.words[f, slot + 1]


@step("grant_tables.version", "words.word")
def change_version(m: Machine, domain: DomId, version: int) -> None:
    """Change a table's layout: the reserved entries are written anew, all others emptied."""
    table = m.grant_tables[domain]
    require("the domain exists", m.domains[domain].exists, ESRCH)
    known = (version == 1) | (version == 2)  # noqa: PLR2004 - there are two
    require("the layout is another", (version != table.version) & known, EINVAL)
    end, active = entry_count(m, domain), m.active
    unused = active.each(RESERVED_ENTRIES, end, lambda ref: Not(is_pinned(active[domain, ref])))
    require("nobody uses what is emptied", unused, EBUSY)
    require("what is kept fits the layout", (version != 1) | _is_whole(m, domain), EAGAIN)
    entries = [GrantId((domain, ref)) for ref in range(RESERVED_ENTRIES)]
    kept = [_kept(m, g) for g in entries]
    m.words.clear_pages(m.grant_frames, domain, table.frames)
    table.version = version
    for g, (first, second, status) in zip(entries, kept, strict=True):
        f, slot = place_of(m, g)
        m.words[f, slot] = first
        if version != 1:
            m.words[f, slot + 1] = second
            at = status_at(m, g)
            m.words[at] = m.grants.status_from(m.words[at], g[1], status, 0)


def _is_whole(m: Machine, domain: DomId) -> bool:
    """Return whether no reserved entry is in use for a part of its page. Part of a step."""
    active = m.active
    return active.each(
        0,
        RESERVED_ENTRIES,
        lambda ref: Not(is_pinned(active[domain, ref]) & active[domain, ref].sub_page),
    )


def _kept(m: Machine, g: GrantId) -> tuple[int, int, int]:
    """Return an entry's words in the other layout, and its status there. Part of a step."""
    f, slot = place_of(m, g)
    if m.grant_tables[g[0]].version == 1:
        return m.grants.as_new(m.words[f, slot])
    return m.grants.as_old(m.words[f, slot], m.words[f, slot + 1], m.words[status_at(m, g)], g[1]), 0, 0


FREES = (
    "frames.type_count",
    "frames.allocated",
    "frames.special",
    "frames.ref_count",
    "frames.stamp",
    "domains.pages",
    "domains.xen_pages",
    *FREED,
)
"""What every step writes that frees a page of Xen's own."""


def _free(m: Machine, f: Mfn, owner: DomId) -> None:
    """Free a page of Xen's own, which only Xen holds. Part of a step."""
    frame, domain = m.frames[f], m.domains[owner]
    require("nobody else holds it", (frame.ref_count == 1) & (frame.type_count == 1), EBUSY)
    frame.type_count = 0
    frame.special = False
    frame.allocated = False
    domain.pages = domain.pages + 1  # the page was charged to nobody
    domain.xen_pages = domain.xen_pages - 1
    release_general(m, f, holders.allocated(f))


@step(*FREES, "status_frames.frame", "grant_tables.status_frames")
def drop_status_frame(m: Machine, p: GrantFrameId) -> None:
    """Free the last page of status, which nobody maps (gnttab_unpopulate_status_frames)."""
    table, row = m.grant_tables[p[0]], m.status_frames[p]
    f = row.frame
    require("the layout has no status", (table.version == 1) | m.domains[p[0]].dying, EBUSY)
    require("it is the last page", p[1] == table.status_frames - 1, EAGAIN)
    _free(m, f, DomId(p[0]))
    m.ghost.drop(f, holders.status_frame(p[0], p[1]), typed=True, general=False)
    row.frame = NO_FRAME
    table.status_frames = table.status_frames - 1


@step(*FREES, "grant_frames.frame", "grant_tables.frames")
def drop_grant_frame(m: Machine, p: GrantFrameId) -> None:
    """Free the last page of a dying domain's table, of which nobody maps anything (grant_table_destroy).

    Real Xen does not ask whether an entry is in use still: a handle may be left of a domain that has
    overwritten the page-table entry which it was for. Here the number is not free before that handle is.
    """
    table, row, active = m.grant_tables[p[0]], m.grant_frames[p], m.active
    f = row.frame
    require("the domain is dying", m.domains[p[0]].dying, EBUSY)
    require("it is the last page", p[1] == table.frames - 1, EAGAIN)
    first, end = m.grants.entries(table.version, table.frames - 1), entry_count(m, DomId(p[0]))
    unused = active.each(first, end, lambda ref: Not(is_pinned(active[p[0], ref])))
    require("nobody uses its entries", unused, EBUSY)
    _free(m, f, DomId(p[0]))
    m.ghost.drop(f, holders.grant_frame(p[0], p[1]), typed=True, general=False)
    row.frame = NO_FRAME
    table.frames = table.frames - 1


def drop_table(m: View, domain: DomId) -> Steps[None]:
    """Free the pages of a dying domain's table and of its status, the last first, while nobody has them."""
    table = m.grant_tables[domain]
    try:
        while table.status_frames:
            drop_status_frame(m, GrantFrameId((domain, table.status_frames - 1)))
            yield drop_status_frame
        while table.frames and m.grant_frames[domain, table.frames - 1].frame != NO_FRAME:
            drop_grant_frame(m, GrantFrameId((domain, table.frames - 1)))
            yield drop_grant_frame
    except Refused:
        return


def set_version(x: Call, call: SetVersion) -> Steps[GrantResult]:
    """Change the layout of the caller's table; the layout that it has then is told."""
    m = x.m
    table = m.grant_tables[x.domain]
    errno = yield from _set_version(x, call)
    return GrantResult(rc=0 if errno is None else -errno, told=(table.version,))


def _set_version(x: Call, call: SetVersion) -> Steps[Errno | None]:
    m, domain = x.m, x.domain
    table = m.grant_tables[domain]
    if call.version not in VERSIONS:
        return EINVAL
    if call.version > table.max_version:
        return ENOSYS
    if call.version == table.version:
        return None
    errno = _refusal(x, call.version)
    if errno is not None:
        return errno
    try:
        if call.version != 1:
            yield from grow_status(x, domain, table.frames, call.heap)
        change_version(m, domain, call.version)
        yield change_version
        while call.version == 1 and table.status_frames:
            drop_status_frame(m, GrantFrameId((domain, table.status_frames - 1)))
            yield drop_status_frame
    except Refused as refusal:
        return refusal.errno
    return None
