"""GNTTABOP_set_version: another layout for a table that nobody uses.

The first eight entries, which a toolstack fills before its guest runs, keep what they grant; all others are
emptied. Xen does it under the table's lock.
"""

from xenmodel.abi.grant import RESERVED_ENTRIES
from xenmodel.grants.arguments import GrantResult, SetVersion
from xenmodel.grants.entries import entry_count, is_pinned, place_of, status_at
from xenmodel.grants.tables import grow_status
from xenmodel.hypercall import Call, Steps
from xenmodel.machine import Machine
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
    DomId,
    Errno,
    GrantFrameId,
    GrantId,
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


@step(
    "frames.type_count",
    "frames.allocated",
    "frames.special",
    "frames.ref_count",
    "frames.stamp",
    "domains.pages",
    "status_frames.frame",
    "grant_tables.status_frames",
    *FREED,
)
def drop_status_frame(m: Machine, p: GrantFrameId) -> None:
    """Free the last page of status, which nobody maps (gnttab_unpopulate_status_frames)."""
    table, row = m.grant_tables[p[0]], m.status_frames[p]
    frame = m.frames[row.frame]
    require("the layout has no status", table.version == 1, EBUSY)
    require("it is the last page", p[1] == table.status_frames - 1, EAGAIN)
    require("nobody else holds it", (frame.ref_count == 1) & (frame.type_count == 1), EBUSY)
    m.ghost.drop(row.frame, holders.status_frame(p[0], p[1]), typed=True, general=False)
    frame.type_count = 0
    frame.special = False
    frame.allocated = False
    domain = m.domains[p[0]]
    domain.pages = domain.pages + 1  # the page was charged to nobody
    release_general(m, row.frame, holders.allocated(row.frame))
    row.frame = NO_FRAME
    table.status_frames = table.status_frames - 1


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
