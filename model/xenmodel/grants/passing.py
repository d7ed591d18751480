"""Transitive entries (GTF_transitive): a copy uses what another domain granted to whose entry passes it on.

Two entries are pinned, under one lock after the other (acquire_grant_for_copy): the outer one is looked at,
the inner one is pinned for the outer one's domain, then the outer one is pinned, unless anybody began or
ended a use of it meanwhile. A chain has one link: the inner entry passes nothing on. Each use of the outer
entry has its own pin of the inner one, of the same kind, which goes after it (release_grant_for_copy).
"""

from xenmodel.grants.claiming import has_room, is_free, use_entry
from xenmodel.grants.entries import (
    add_pins,
    exists,
    header,
    is_news,
    is_pinned,
    mark_less_used,
    mark_used,
    named_grant,
    passes_on,
    pins_of,
)
from xenmodel.grants.pins import ACTIVE, PINS, remember
from xenmodel.grants.rows import ActiveGrant, PassedGrant
from xenmodel.machine import Machine
from xenmodel.step import require, step
from xenspec.logic import Not, both, either
from xenspec.vocabulary import (
    DOMID_FIRST_RESERVED,
    EACCES,
    EAGAIN,
    EBUSY,
    ENOENT,
    EPERM,
    CopyId,
    DomId,
    FlightId,
    GrantId,
)

SOUGHT = (
    "copies.asked",
    "copies.readonly",
    "copies.domain",
    "copies.ref",
    "copies.trans_domain",
    "copies.trans_ref",
)
"""What a side notes of a transitive entry before the grant that it passes on is pinned."""
PASSED = (
    "passed.pinned",
    "passed.readonly",
    "passed.by",
    "passed.domain",
    "passed.ref",
    "passed.frame",
    "passed.start",
    "passed.length",
)
"""All of a grant that is passed on to a side."""


@step(*SOUGHT, "words.word")
def look_through(m: Machine, c: CopyId, g: GrantId, *, readonly: bool) -> None:
    """Find in a transitive entry whose grant it passes on; mark it as used, and pin nothing yet."""
    row, active, by = m.copies[c], m.active[g], DomId(c[0][0])
    require("the side is not claimed", is_free(m, c), EAGAIN)
    require("the reference exists", exists(m, g), ENOENT)
    require("the entry passes a grant on", passes_on(m, g), EAGAIN)
    word = header(m, g)
    if is_pinned(active):
        require("the entry is in use by the caller's domain", active.domain == by, EPERM)
        require("there is room for one more pin", has_room(active, readonly=readonly), EPERM)
    else:
        require("the entry is for the caller's domain", m.grants.domain(word) == by, EPERM)
    if is_news(active, readonly=readonly):
        require("the entry grants writing", either(readonly, lambda: Not(m.grants.readonly(word))), EPERM)
    domain, ref = named_grant(m, g)
    require("the grant is another domain's", domain != g[0], EACCES)
    real = (domain >= 0) & (domain < DOMID_FIRST_RESERVED)
    known = both(real, lambda: m.domains[DomId(domain)].exists)
    require("that domain exists", known, EACCES)
    if is_news(active, readonly=readonly):
        mark_used(m, g, writing=Not(readonly))
    row.asked = True
    row.readonly = readonly
    row.domain = DomId(g[0])
    row.ref = g[1]
    row.trans_domain = DomId(domain)
    row.trans_ref = ref


@step(*ACTIVE, *PASSED, "words.word", "flights.mode", "flights.frame", "frames.ref_count")
def pin_passed(m: Machine, k: FlightId, c: CopyId) -> None:
    """Pin the grant that a side's entry passes on, for the entry's domain; its frame is in flight `k`."""
    row, passed = m.copies[c], m.passed[c]
    require("the side looks for a grant", row.asked & Not(passed.pinned), EAGAIN)
    g = GrantId((row.trans_domain, row.trans_ref))
    active = m.active[g]
    use_entry(m, k, g, DomId(row.domain), readonly=row.readonly)
    passed.pinned = True
    passed.readonly = row.readonly
    passed.by = DomId(row.domain)
    passed.domain = DomId(g[0])
    passed.ref = g[1]
    passed.frame = active.frame
    passed.start = active.start
    passed.length = active.length


@step(
    *ACTIVE,
    "copies.asked",
    "copies.pinned",
    "copies.frame",
    "copies.start",
    "copies.length",
)
def pin_passing(m: Machine, c: CopyId, old: tuple[int, int, int, int]) -> None:
    """Pin the transitive entry of a side whose grant is pinned; `old`: its pins when it was looked at."""
    row, passed, by = m.copies[c], m.passed[c], DomId(c[0][0])
    g = GrantId((row.domain, row.ref))
    active = m.active[g]
    require("the side looks for a grant", row.asked & Not(row.pinned) & Not(row.held), EAGAIN)
    require("the grant is pinned", passed.pinned, EAGAIN)
    require("the table has the layout that has such entries", m.grant_tables[g[0]].version != 1, EBUSY)
    require("the reference exists", exists(m, g), EBUSY)
    require("nobody began or ended a use", _is_as_it_was(active, old), EBUSY)
    require("there is room for one more pin", has_room(active, readonly=row.readonly), EBUSY)
    if is_pinned(active):
        require("the entry passes on what it did", _passes(active, passed, by), EBUSY)
    else:
        part = (passed.start, passed.length)
        remember(active, by, passed.frame, part, GrantId((passed.domain, passed.ref)), sub_page=True)
    add_pins(active, 1, host=True, device=False, readonly=row.readonly)
    row.asked = False
    row.pinned = True
    row.frame = passed.frame
    row.start = passed.start
    row.length = passed.length


def _is_as_it_was(active: ActiveGrant, old: tuple[int, int, int, int]) -> bool:
    """Return whether an entry has these pins of each kind. Part of a step."""
    now = pins_of(active)
    return (now[0] == old[0]) & (now[1] == old[1]) & (now[2] == old[2]) & (now[3] == old[3])


def _passes(active: ActiveGrant, passed: PassedGrant, by: DomId) -> bool:
    """Return whether an entry in use passes this grant on, to that domain. Part of a step."""
    return (
        (active.domain == by)
        & (active.trans_domain == passed.domain)
        & (active.trans_ref == passed.ref)
        & (active.frame == passed.frame)
        & (active.start == passed.start)
        & (active.length == passed.length)
        & active.sub_page
    )


@step("copies.asked", "words.word")
def look_away(m: Machine, c: CopyId) -> None:
    """Clear the marks of a transitive entry of whose use nothing came."""
    row = m.copies[c]
    require("the side looks for a grant", row.asked, EAGAIN)
    require("and has none", Not(m.passed[c].pinned), EAGAIN)
    mark_less_used(m, GrantId((row.domain, row.ref)), readonly=row.readonly)
    row.asked = False


@step(*PINS, "passed.pinned", "words.word")
def unpin_passed(m: Machine, c: CopyId) -> None:
    """Take back the pin of the grant that was passed on to a side; the side's own went before."""
    passed = m.passed[c]
    require("a grant is passed on to the side", passed.pinned, EAGAIN)
    require("and the side does not use it", Not(m.copies[c].pinned), EAGAIN)
    g = GrantId((passed.domain, passed.ref))
    add_pins(m.active[g], -1, host=True, device=False, readonly=passed.readonly)
    mark_less_used(m, g, readonly=passed.readonly)
    passed.pinned = False
