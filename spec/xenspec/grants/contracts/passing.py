"""Transitive entries: a copy by what another domain granted to whose entry passes it on.

GTF_transitive (public/grant_table.h). The outer entry is looked through, the inner one is used for the outer
one's domain, then the outer one for the copy's; what is let go is let go in that order turned round.
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.grants.books import RememberedRow, State
from xenspec.grants.contracts.copies import is_free
from xenspec.grants.contracts.entries import (
    PINS,
    REMEMBERED,
    Used,
    exists,
    has_room,
    header,
    is_counted,
    is_news,
    is_old,
    is_used,
    marked,
    marks_of,
    passes_on,
    place_of,
)
from xenspec.grants.state import PassedRow
from xenspec.logic import Not, both, either, implies
from xenspec.vocabulary import DOMID_FIRST_RESERVED, CopyId, DomId, GrantId

NAMED = ("readonly", "domain", "ref", "trans_domain", "trans_ref")


@dataclass(frozen=True, slots=True)
class Sought:
    """A side of a copy, and the use of a transitive entry that it is to be of."""

    c: CopyId
    use: Used


@dataclass(frozen=True, slots=True)
class Passing:
    """A side of a copy that looked through an entry, and the entry's pins by kind when it did."""

    c: CopyId
    use: Used
    old: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class PassedTo:
    """A side of a copy."""

    c: CopyId


LOOK_THROUGH: Contract[State, Sought] = Contract("look through a transitive entry")
LOOK_AWAY: Contract[State, PassedTo] = Contract("give up what a side looks for")
BE_PASSED: Contract[State, PassedTo] = Contract("have a grant passed on to a side")
PIN_PASSING: Contract[State, Passing] = Contract("use a transitive entry")
END_PASSED: Contract[State, PassedTo] = Contract("give back what was passed on to a side")


def outer_use(s: State, c: CopyId) -> Used:
    """Return the use of a transitive entry that a side is of."""
    row = s.copies[c]
    by, g = DomId(c[0][0]), GrantId((row.domain, row.ref))
    return Used(g, by, host=True, device=False, readonly=row.readonly, whole=False)


def inner_use(s: State, c: CopyId) -> Used:
    """Return the use that a side looks for: of the entry that its own names, by its own entry's domain."""
    row = s.copies[c]
    g = GrantId((row.trans_domain, row.trans_ref))
    return Used(g, DomId(row.domain), host=True, device=False, readonly=row.readonly, whole=False)


def passed_use(s: State, c: CopyId) -> Used:
    """Return the use of a grant that is passed on to a side."""
    row = s.passed[c]
    g = GrantId((row.domain, row.ref))
    return Used(g, DomId(row.by), host=True, device=False, readonly=row.readonly, whole=False)


def named_grant(s: State, g: GrantId) -> tuple[DomId, int]:
    """Return the domain and the reference that a transitive entry names."""
    f, slot = place_of(s, g)
    return s.grants.through(s.words[f, slot], s.words[f, slot + 1])


# --- Looking through an entry -------------------------------------------------------------------------------


@LOOK_THROUGH.asks(property=28)
def a_side_looks_for_one_grant(s: State, a: Sought) -> bool:
    """The side uses and holds nothing, and looks for nothing else."""
    return is_free(s, a.c)


@LOOK_THROUGH.asks(property=28)
def what_is_looked_through_passes_a_grant_on(s: State, a: Sought) -> bool:
    """The entry is one of its table, and says now that it passes a grant on."""
    return both(exists(s, a.use.g), lambda: passes_on(s, a.use.g))


@LOOK_THROUGH.asks(property=(2, 3, 15, 28))
def a_transitive_entry_is_for_its_domain(s: State, a: Sought) -> bool:
    """An entry that nobody uses lets its domain in; one in use is used further by that domain alone."""
    active = s.active[a.use.g]
    unused = Not(is_used(active))
    return either(
        both(unused, lambda: s.grants.domain(header(s, a.use.g)) == a.use.by), lambda: _is_by(active, a)
    )


def _is_by(active: RememberedRow, a: Sought) -> bool:
    return is_used(active) & (active.domain == a.use.by)


@LOOK_THROUGH.asks(property=(2, 28))
def a_transitive_entry_lets_write_who_writes(s: State, a: Sought) -> bool:
    """The first use of an entry, and the first to write by it, is let write by what it says now."""
    return implies(
        is_news(s, a.use), lambda: either(a.use.readonly, lambda: Not(s.grants.readonly(header(s, a.use.g))))
    )


@LOOK_THROUGH.asks(property=(6, 28))
def a_transitive_entry_in_use_has_room(s: State, a: Sought) -> bool:
    """An entry in use has room for one more pin."""
    return implies(is_used(s.active[a.use.g]), lambda: has_room(s, a.use))


@LOOK_THROUGH.asks(property=(15, 28))
def nobody_passes_on_a_grant_of_its_own(s: State, a: Sought) -> bool:
    """The grant is one of another domain, which exists."""
    domain, _ = named_grant(s, a.use.g)
    real = (domain != a.use.g[0]) & (domain >= 0) & (domain < DOMID_FIRST_RESERVED)
    return both(real, lambda: s.domains[DomId(domain)].exists)


@LOOK_THROUGH.does(property=28)
def the_side_looks_for_what_the_entry_names(before: State, after: State, a: Sought) -> bool:
    """The side knows the entry, how it is to be used, and whose entry this names."""
    row, (domain, ref) = after.copies[a.c], named_grant(before, a.use.g)
    return (
        row.asked
        & (row.readonly == a.use.readonly)
        & (row.domain == a.use.g[0])
        & (row.ref == a.use.g[1])
        & (row.trans_domain == domain)
        & (row.trans_ref == ref)
    )


@LOOK_THROUGH.does(property=28)
def the_passing_domain_is_told(before: State, after: State, a: Sought) -> bool:
    """The first use, and the first to write, are marked in the memory of the domain that passes it on."""
    at = marks_of(before, a.use.g)
    return implies(
        is_news(before, a.use),
        lambda: after.words[at] == marked(before, a.use.g, before.words[at], writing=Not(a.use.readonly)),
    )


@LOOK_THROUGH.touches
def _look_through(s: State, a: Sought) -> tuple[Cells, ...]:
    return (
        Cells("copies", a.c, ("asked", *NAMED)),
        Cells("words", marks_of(s, a.use.g), ("word",), when=is_news(s, a.use)),
    )


@LOOK_AWAY.asks(property=28)
def only_what_is_looked_for_is_given_up(s: State, a: PassedTo) -> bool:
    """The side looks for a grant, and none is pinned for it."""
    return s.copies[a.c].asked & Not(s.passed[a.c].pinned)


@LOOK_AWAY.does(property=28)
def the_side_looks_for_nothing(_: State, after: State, a: PassedTo) -> bool:
    """The side looks for nothing any more."""
    return Not(after.copies[a.c].asked)


@LOOK_AWAY.touches
def _look_away(_: State, a: PassedTo) -> tuple[Cells, ...]:
    return (Cells("copies", a.c, ("asked",)),)


# --- What is passed on --------------------------------------------------------------------------------------


@BE_PASSED.asks(property=28)
def one_grant_is_passed_on_to_a_side(s: State, a: PassedTo) -> bool:
    """The side looks for a grant, and has none yet."""
    return s.copies[a.c].asked & Not(s.passed[a.c].pinned)


@BE_PASSED.does(property=(2, 3, 28), advisories=(226,))
def the_side_has_what_it_looked_for(before: State, after: State, a: PassedTo) -> bool:
    """The side has a use of the entry that it looked for, by the domain that passes it on, as it asked."""
    row, passed = before.copies[a.c], after.passed[a.c]
    active = after.active[row.trans_domain, row.trans_ref]
    return (
        passed.pinned
        & (passed.readonly == row.readonly)
        & (passed.by == row.domain)
        & (passed.domain == row.trans_domain)
        & (passed.ref == row.trans_ref)
        & (passed.frame == active.frame)
        & (passed.start == active.start)
        & (passed.length == active.length)
    )


@BE_PASSED.touches
def _be_passed(_: State, a: PassedTo) -> tuple[Cells, ...]:
    names = ("pinned", "readonly", "by", "domain", "ref", "frame", "start", "length")
    return (Cells("passed", a.c, names),)


@END_PASSED.asks(property=(2, 28), advisories=(226,))
def what_is_in_use_stays_passed_on(s: State, a: PassedTo) -> bool:
    """A grant is passed on to the side, which does not use it any more."""
    return s.passed[a.c].pinned & Not(s.copies[a.c].pinned)


@END_PASSED.does(property=28)
def nothing_is_passed_on(_: State, after: State, a: PassedTo) -> bool:
    """Nothing is passed on to the side any more."""
    return Not(after.passed[a.c].pinned)


@END_PASSED.touches
def _end_passed(_: State, a: PassedTo) -> tuple[Cells, ...]:
    return (Cells("passed", a.c, ("pinned",)),)


# --- The entry that passes it on ----------------------------------------------------------------------------


@PIN_PASSING.asks(property=28, advisories=(226,))
def a_transitive_entry_is_used_with_its_grant(s: State, a: Passing) -> bool:
    """The side looked through the entry, and the grant that it names is pinned for it."""
    row = s.copies[a.c]
    return row.asked & Not(row.pinned) & Not(row.held) & s.passed[a.c].pinned


@PIN_PASSING.asks(property=28)
def the_entry_is_as_it_was_looked_at(s: State, a: Passing) -> bool:
    """The table has the layout still, and the entry the same pins; there is room for one more."""
    active, (written, read, by_devices, read_by_devices) = s.active[a.use.g], a.old
    same = (
        (active.host_writable == written)
        & (active.host_readonly == read)
        & (active.device_writable == by_devices)
        & (active.device_readonly == read_by_devices)
    )
    return exists(s, a.use.g) & Not(is_old(s, a.use.g)) & same & has_room(s, a.use)


def _remembers(active: RememberedRow, passed: PassedRow, by: DomId) -> bool:
    """It is remembered of the entry that it passes this grant on to the domain, never as the whole page."""
    return (
        (active.domain == by)
        & (active.frame == passed.frame)
        & (active.start == passed.start)
        & (active.length == passed.length)
        & active.sub_page
        & (active.trans_domain == passed.domain)
        & (active.trans_ref == passed.ref)
    )


@PIN_PASSING.asks(property=(2, 3, 15, 28))
def an_entry_in_use_passes_on_what_it_did(s: State, a: Passing) -> bool:
    """An entry in use is one that passes the same grant on, of the same bytes, to the same domain."""
    active = s.active[a.use.g]
    return implies(is_used(active), lambda: _remembers(active, s.passed[a.c], a.use.by))


@PIN_PASSING.does(property=(6, 28))
def the_use_of_a_transitive_entry_is_counted(before: State, after: State, a: Passing) -> bool:
    """The entry has one pin more."""
    return is_counted(before, after, a.use, 1)


@PIN_PASSING.does(property=(2, 3, 28))
def what_the_entry_passes_on_is_remembered(before: State, after: State, a: Passing) -> bool:
    """While it is in use it is remembered what the entry passes on, and to whom."""
    return _remembers(after.active[a.use.g], before.passed[a.c], a.use.by)


@PIN_PASSING.does(property=(2, 3, 28))
def the_side_is_of_what_is_passed_on(before: State, after: State, a: Passing) -> bool:
    """The side uses the entry, is of the bytes that the inner one grants, and looks for nothing any more."""
    row, passed = after.copies[a.c], before.passed[a.c]
    return (
        row.pinned
        & Not(row.asked)
        & (row.frame == passed.frame)
        & (row.start == passed.start)
        & (row.length == passed.length)
    )


@PIN_PASSING.touches
def _pin_passing(s: State, a: Passing) -> tuple[Cells, ...]:
    return (
        Cells("active", a.use.g, PINS),
        Cells("active", a.use.g, REMEMBERED, when=Not(is_used(s.active[a.use.g]))),
        Cells("copies", a.c, ("asked", "pinned", "frame", "start", "length")),
    )
