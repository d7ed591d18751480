"""A domain's grant table as a whole: its pages, its size, its layout; entries exchanged.

Pages are Xen's own, shared with the domain for good; which frames they are is an input (`XenHeap`).
"""

from xenmodel.domains.naming import addressed_domain
from xenmodel.grants.arguments import (
    BAD_DOMAIN,
    BAD_GNTREF,
    GENERAL_ERROR,
    OKAY,
    PERMISSION_DENIED,
    TRY_AGAIN,
    Answer,
    GetStatusFrames,
    GetVersion,
    GrantResult,
    QuerySize,
    SetupTable,
    SwapGrantRef,
    XenHeap,
)
from xenmodel.grants.entries import exists, is_pinned, place_of, status_at
from xenmodel.hypercall import Call, Steps
from xenmodel.machine import Machine
from xenmodel.memory import holders
from xenmodel.memory.memory_op import flush_free
from xenmodel.memory.rows import NO_FRAME, Place
from xenmodel.step import Refused, require, step
from xenspec.logic import Not
from xenspec.vocabulary import (
    DOMID_FIRST_RESERVED,
    DOMID_INVALID,
    EAGAIN,
    EBUSY,
    EINVAL,
    ENOENT,
    ENOMEM,
    EPERM,
    ESRCH,
    NO_TYPE,
    WRITABLE,
    DomId,
    GrantFrameId,
    GrantId,
    Mfn,
)


@step(
    "frames.owner",
    "frames.allocated",
    "frames.special",
    "frames.ref_count",
    "frames.type",
    "frames.validated",
    "frames.linear",
    "frames.noncoherent",
    "frames.dirty",
    "words.word",
    "demotions.demoted",
    "domains.xen_pages",
)
def make_shared(m: Machine, f: Mfn, owner: DomId) -> None:
    """Make a free frame a page of Xen's own that a domain may map; it is charged to nobody."""
    frame = m.frames[f]
    require("the frame is memory", frame.place == Place.RAM, EINVAL)
    require("nobody holds the frame", (frame.ref_count == 0) & (frame.owner == DOMID_INVALID), EINVAL)
    require("no CPU translates to the frame any more", frame.cursor == m.cpu_count, EAGAIN)
    domain = m.domains[owner]
    require("the owner is a domain that exists", domain.exists, EINVAL)
    m.words.clear(f)
    frame.dirty = False
    frame.owner = owner
    frame.allocated = True
    frame.special = True
    frame.ref_count = 1
    frame.type = NO_TYPE
    frame.validated = False
    frame.linear = 0
    frame.noncoherent = False
    m.demotions[f].demoted = False
    domain.xen_pages = domain.xen_pages + 1
    m.ghost.take(f, holders.allocated(f), typed=False, general=True)


SHARES = ("frames.type", "frames.type_count", "frames.validated")


@step(*SHARES, "grant_frames.frame", "grant_tables.frames")
def add_grant_frame(m: Machine, p: GrantFrameId, f: Mfn) -> None:
    """Make a page of Xen's own the next page of a table, writable for good (share_xen_page_with_guest)."""
    table = m.grant_tables[p[0]]
    require("it is the next page", (p[1] == table.frames) & (m.grant_frames[p].frame == NO_FRAME), EAGAIN)
    require("there may be more pages", table.frames < table.limit, ENOMEM)
    _share(m, p, f)
    m.ghost.take(f, holders.grant_frame(p[0], p[1]), typed=True, general=False)
    m.grant_frames[p].frame = f
    table.frames = table.frames + 1


@step(*SHARES, "status_frames.frame", "grant_tables.status_frames")
def add_status_frame(m: Machine, p: GrantFrameId, f: Mfn) -> None:
    """Make a page of Xen's own the next page of status, likewise."""
    table = m.grant_tables[p[0]]
    next_one = (p[1] == table.status_frames) & (m.status_frames[p].frame == NO_FRAME)
    require("it is the next page", next_one, EAGAIN)
    _share(m, p, f)
    m.ghost.take(f, holders.status_frame(p[0], p[1]), typed=True, general=False)
    m.status_frames[p].frame = f
    table.status_frames = table.status_frames + 1


def _share(m: Machine, p: GrantFrameId, f: Mfn) -> None:
    """Hold a page of Xen's own as writable memory for good. Part of a step."""
    frame = m.frames[f]
    require("the table is a domain's", p[0] < DOMID_FIRST_RESERVED, EINVAL)
    require("the page is Xen's own", frame.special & (frame.owner == p[0]), EINVAL)
    unused = (frame.type == NO_TYPE) & (frame.type_count == 0) & Not(m.demotions[f].demoted)
    require("it is new", unused, EBUSY)
    frame.type = WRITABLE
    frame.type_count = 1
    frame.validated = True


def _new_page(x: Call, domain: DomId, heap: XenHeap) -> Steps[Mfn]:
    """Get a page of Xen's own for a domain. Raises Refused."""
    f = heap()
    if f is None:
        raise Refused("memory is left", ENOMEM)
    yield from flush_free(x, f)
    make_shared(x.m, f, domain)
    yield make_shared
    return f


def grow_table(x: Call, domain: DomId, frames: int, heap: XenHeap) -> Steps[None]:
    """Have at least so many pages, and their status if the layout has it (gnttab_grow_table)."""
    table = x.m.grant_tables[domain]
    while table.frames < frames:
        f = yield from _new_page(x, domain, heap)
        add_grant_frame(x.m, GrantFrameId((domain, table.frames)), f)
        yield add_grant_frame
    if table.version != 1:
        yield from grow_status(x, domain, frames, heap)


def grow_status(x: Call, domain: DomId, frames: int, heap: XenHeap) -> Steps[None]:
    """Have the pages of status that go with so many pages."""
    table = x.m.grant_tables[domain]
    while table.status_frames < x.m.grants.status_frames(frames):
        f = yield from _new_page(x, domain, heap)
        add_status_frame(x.m, GrantFrameId((domain, table.status_frames)), f)
        yield add_status_frame


def _asked(x: Call, number: int) -> tuple[DomId | None, GrantResult]:
    """Return the domain that a call may ask about; else none, and the answer."""
    domain = addressed_domain(x, number)
    if domain is None:
        return None, GrantResult(answers=(Answer(BAD_DOMAIN),))
    if domain != x.domain and not x.m.domains[x.domain].privileged:
        return None, GrantResult(answers=(Answer(PERMISSION_DENIED),))
    return domain, GrantResult()


def _told(*numbers: int) -> GrantResult:
    return GrantResult(answers=(Answer(OKAY),), told=numbers)


def setup_table(x: Call, call: SetupTable) -> Steps[GrantResult]:
    """GNTTABOP_setup_table: grow the table, and tell its pages."""
    domain, answer = _asked(x, call.dom)
    if domain is None:
        return answer
    failed = GrantResult(answers=(Answer(GENERAL_ERROR),))
    if call.frames > x.m.grant_tables[domain].limit:
        return failed
    try:
        yield from grow_table(x, domain, call.frames, call.heap)
    except Refused:
        return failed
    return _told(*(x.m.grant_frames[domain, index].frame for index in range(call.frames)))


def query_size(x: Call, call: QuerySize) -> GrantResult:
    """GNTTABOP_query_size: tell how many pages there are and may be."""
    domain, answer = _asked(x, call.dom)
    if domain is None:
        return answer
    table = x.m.grant_tables[domain]
    return _told(table.frames, table.limit)


def get_version(x: Call, call: GetVersion) -> GrantResult:
    """GNTTABOP_get_version: unlike the others it answers with an errno."""
    domain, answer = _asked(x, call.dom)
    if domain is None:
        return GrantResult(rc=-(ESRCH if answer.status == BAD_DOMAIN else EPERM))
    return _told(x.m.grant_tables[domain].version)


def get_status_frames(x: Call, call: GetStatusFrames) -> GrantResult:
    """GNTTABOP_get_status_frames: tell the pages of status."""
    domain, answer = _asked(x, call.dom)
    if domain is None:
        return answer
    if call.frames > x.m.grant_tables[domain].status_frames:
        return GrantResult(answers=(Answer(GENERAL_ERROR),))
    return _told(*(x.m.status_frames[domain, index].frame for index in range(call.frames)))


@step("words.word")
def swap_entries(m: Machine, a: GrantId, b: GrantId) -> None:
    """Exchange two entries that nobody uses, and their status."""
    for_both = exists(m, a) & exists(m, b)
    require("both references exist", for_both & (a[0] == b[0]), ENOENT)
    require("nobody uses the first", Not(is_pinned(m.active[a])), EBUSY)
    require("nobody uses the second", Not(is_pinned(m.active[b])), EBUSY)
    (fa, sa), (fb, sb) = place_of(m, a), place_of(m, b)
    m.words[fa, sa], m.words[fb, sb] = m.words[fb, sb], m.words[fa, sa]
    if m.grant_tables[a[0]].version != 1:
        m.words[fa, sa + 1], m.words[fb, sb + 1] = m.words[fb, sb + 1], m.words[fa, sa + 1]
        at, of = status_at(m, a), status_at(m, b)
        kept = m.words[at]
        m.words[at] = m.grants.status_from(kept, a[1], m.words[of], b[1])
        m.words[of] = m.grants.status_from(m.words[of], b[1], kept, a[1])


def swap_grant_ref(x: Call, op: SwapGrantRef) -> Steps[Answer]:
    """GNTTABOP_swap_grant_ref: exchange two entries of the caller's table."""
    m = x.m
    a, b = GrantId((x.domain, op.first)), GrantId((x.domain, op.second))
    if not (exists(m, a) and exists(m, b)):
        return Answer(BAD_GNTREF)
    if a == b:
        return Answer(OKAY)
    try:
        swap_entries(m, a, b)
        yield swap_entries
    except Refused:
        return Answer(TRY_AGAIN)
    return Answer(OKAY)
