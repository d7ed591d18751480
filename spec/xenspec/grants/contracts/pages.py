"""The pages of grant tables and of their status: Xen's own, shared with their domain for good.

They come one by one (GNTTABOP_setup_table, _set_version), and go as the layout needs no status any more, or
with their domain.
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.grants.books import State
from xenspec.grants.contracts.entries import is_used
from xenspec.logic import Not
from xenspec.memory.frames import NO_FRAME
from xenspec.vocabulary import DOMID_FIRST_RESERVED, NO_TYPE, WRITABLE, DomId, GrantFrameId, Mfn


@dataclass(frozen=True, slots=True)
class Shared:
    """A frame that becomes a page of Xen's own, and the domain that it is shared with."""

    frame: Mfn
    domain: DomId


@dataclass(frozen=True, slots=True)
class Paged:
    """A page of a table or of its status, and the frame that it is to be."""

    p: GrantFrameId
    frame: Mfn


@dataclass(frozen=True, slots=True)
class Dropped:
    """The last page of a domain's entries, or of its status."""

    p: GrantFrameId


@dataclass(frozen=True, slots=True)
class Freed:
    """A page of Xen's own, and the domain that it is shared with."""

    frame: Mfn
    domain: DomId


SHARE: Contract[State, Shared] = Contract("make a page of Xen's own")
BE_PAGE: Contract[State, Paged] = Contract("share a page for good")
NEXT_PAGE: Contract[State, Paged] = Contract("have one more page of entries")
NEXT_STATUS: Contract[State, Paged] = Contract("have one more page of status")
DROP_STATUS: Contract[State, Dropped] = Contract("drop the last page of status")
DROP_PAGE: Contract[State, Dropped] = Contract("drop the last page of entries")
FREE: Contract[State, Freed] = Contract("free a page of Xen's own")


@SHARE.asks(property=32)
def pages_of_xen_are_shared_with_whom_there_is(s: State, a: Shared) -> bool:
    """The domain exists."""
    return s.domains[a.domain].exists


@SHARE.does(property=(19, 32))
def a_page_of_xen_is_counted(before: State, after: State, a: Shared) -> bool:
    """The domain has one page of Xen's own more."""
    return after.domains[a.domain].xen_pages == before.domains[a.domain].xen_pages + 1


@SHARE.does(property=(1, 10))
def the_page_is_xens_own(_: State, after: State, a: Shared) -> bool:
    """The frame is Xen's own: the domain cannot give it up."""
    return after.frames[a.frame].special


@SHARE.touches
def _share(_: State, a: Shared) -> tuple[Cells, ...]:
    return Cells("frames", a.frame, ("special",)), Cells("domains", a.domain, ("xen_pages",))


@BE_PAGE.asks(property=(1, 15))
def a_shared_page_is_new_and_xens_own(s: State, a: Paged) -> bool:
    """Only a page of Xen's own that was made for the domain, and that nothing is using, is shared with it."""
    frame = s.frames[a.frame]
    ours = frame.special & (frame.owner == a.p[0]) & (a.p[0] < DOMID_FIRST_RESERVED)
    return ours & (frame.type == NO_TYPE) & (frame.type_count == 0)


@BE_PAGE.does(property=(1, 6))
def a_shared_page_is_writable_memory(_: State, after: State, a: Paged) -> bool:
    """The page is held as writable memory, so that it becomes nothing else."""
    frame = after.frames[a.frame]
    return (frame.type == WRITABLE) & (frame.type_count == 1) & frame.validated


@BE_PAGE.touches
def _be_page(_: State, a: Paged) -> tuple[Cells, ...]:
    return (Cells("frames", a.frame, ("type", "type_count", "validated")),)


@NEXT_PAGE.asks(property=(19, 20))
def pages_come_one_by_one_up_to_the_limit(s: State, a: Paged) -> bool:
    """The page is the one after the last, and there may be one more."""
    table = s.grant_tables[DomId(a.p[0])]
    next_one = (a.p[1] == table.frames) & (s.grant_frames[a.p].frame == NO_FRAME)
    return next_one & (table.frames < table.limit)


@NEXT_PAGE.does(property=28)
def the_table_has_one_more_page(before: State, after: State, a: Paged) -> bool:
    """The frame is the table's last page."""
    domain = DomId(a.p[0])
    more = after.grant_tables[domain].frames == before.grant_tables[domain].frames + 1
    return more & (after.grant_frames[a.p].frame == a.frame)


@NEXT_PAGE.touches
def _next_page(_: State, a: Paged) -> tuple[Cells, ...]:
    return (Cells("grant_frames", a.p, ("frame",)), Cells("grant_tables", a.p[0], ("frames",)))


@NEXT_STATUS.asks(property=28)
def pages_of_status_come_one_by_one(s: State, a: Paged) -> bool:
    """The page is the one after the last."""
    table = s.grant_tables[DomId(a.p[0])]
    return (a.p[1] == table.status_frames) & (s.status_frames[a.p].frame == NO_FRAME)


@NEXT_STATUS.does(property=28)
def the_status_has_one_more_page(before: State, after: State, a: Paged) -> bool:
    """The frame is the last page of status."""
    domain = DomId(a.p[0])
    more = after.grant_tables[domain].status_frames == before.grant_tables[domain].status_frames + 1
    return more & (after.status_frames[a.p].frame == a.frame)


@NEXT_STATUS.touches
def _next_status(_: State, a: Paged) -> tuple[Cells, ...]:
    row = Cells("status_frames", a.p, ("frame",))
    return (row, Cells("grant_tables", a.p[0], ("status_frames",)))


@FREE.asks(property=(7, 28), advisories=(379,))
def only_a_page_that_nobody_maps_is_freed(s: State, a: Freed) -> bool:
    """Only Xen holds the page."""
    return (s.frames[a.frame].ref_count == 1) & (s.frames[a.frame].type_count == 1)


@FREE.does(property=(7, 28))
def a_freed_page_is_not_xens_own(_: State, after: State, a: Freed) -> bool:
    """The frame is not Xen's own any more, nor held as anything."""
    frame = after.frames[a.frame]
    return (frame.type_count == 0) & Not(frame.special) & Not(frame.allocated)


@FREE.does(property=19)
def nobody_is_discharged_of_xens_page(before: State, after: State, a: Freed) -> bool:
    """Nobody was charged for the page, and nobody is discharged of it: it counts as Xen's own no more."""
    was, now = before.domains[a.domain], after.domains[a.domain]
    return (now.pages == was.pages) & (now.xen_pages == was.xen_pages - 1)


@FREE.touches
def _free(_: State, a: Freed) -> tuple[Cells, ...]:
    return (
        Cells("frames", a.frame, ("type_count", "special", "allocated")),
        Cells("domains", a.domain, ("xen_pages",)),
    )


@DROP_STATUS.asks(property=(28, 32))
def only_the_last_page_of_status_out_of_use_is_dropped(s: State, a: Dropped) -> bool:
    """The layout has no status, or the domain is dying; and the page is the last."""
    table = s.grant_tables[DomId(a.p[0])]
    unused = (table.version == 1) | s.domains[a.p[0]].dying
    return unused & (a.p[1] == table.status_frames - 1)


@DROP_STATUS.does(property=(7, 28))
def the_page_of_status_is_gone(before: State, after: State, a: Dropped) -> bool:
    """The status has one page fewer."""
    domain = DomId(a.p[0])
    fewer = after.grant_tables[domain].status_frames == before.grant_tables[domain].status_frames - 1
    return fewer & (after.status_frames[a.p].frame == NO_FRAME)


@DROP_STATUS.touches
def _drop_status(_: State, a: Dropped) -> tuple[Cells, ...]:
    row = Cells("status_frames", a.p, ("frame",))
    return (row, Cells("grant_tables", a.p[0], ("status_frames",)))


@DROP_PAGE.asks(property=(28, 32))
def only_the_last_page_of_the_dying_is_dropped(s: State, a: Dropped) -> bool:
    """The domain is dying, the page is the last of its table, and no entry of the page is in use."""
    table, active = s.grant_tables[DomId(a.p[0])], s.active
    last = s.domains[a.p[0]].dying & (a.p[1] == table.frames - 1)
    first = s.grants.entries(table.version, table.frames - 1)
    end = s.grants.entries(table.version, table.frames)
    return last & active.each(first, end, lambda ref: Not(is_used(active[a.p[0], ref])))


@DROP_PAGE.does(property=(7, 28))
def the_page_of_entries_is_gone(before: State, after: State, a: Dropped) -> bool:
    """The table has one page fewer."""
    domain = DomId(a.p[0])
    fewer = after.grant_tables[domain].frames == before.grant_tables[domain].frames - 1
    return fewer & (after.grant_frames[a.p].frame == NO_FRAME)


@DROP_PAGE.touches
def _drop_page(_: State, a: Dropped) -> tuple[Cells, ...]:
    return (Cells("grant_frames", a.p, ("frame",)), Cells("grant_tables", a.p[0], ("frames",)))
