"""A domain's table as a whole: the layout of its entries, and entries exchanged.

GNTTABOP_set_version, _swap_grant_ref (public/grant_table.h). What is said here of the words of
entries is said of entries whose words are apart, as those of both layouts are.
"""

from collections.abc import Callable
from dataclasses import dataclass

from xenspec.contract import EVERY, Cells, Contract, Those
from xenspec.grants.books import State
from xenspec.grants.contracts.entries import exists, is_used, place_of, status_of
from xenspec.logic import Not, either, implies, ite
from xenspec.memory.frames import NO_FRAME
from xenspec.vocabulary import DomId, GrantFrameId, GrantId

RESERVED = 8
"""GNTTAB_NR_RESERVED_ENTRIES: entries that a change of layout keeps."""


@dataclass(frozen=True, slots=True)
class Swapped:
    """Two entries."""

    a: GrantId
    b: GrantId


@dataclass(frozen=True, slots=True)
class Relaid:
    """A domain, and the layout that its entries are to have."""

    domain: DomId
    version: int
    slot: int
    """Any slot of a page."""


@dataclass(frozen=True, slots=True)
class GuestsWord:
    """A page of a domain's table."""

    p: GrantFrameId


SWAP: Contract[State, Swapped] = Contract("swap two entries")
RELAY: Contract[State, Relaid] = Contract("change the layout of entries")
GRANT: Contract[State, GuestsWord] = Contract("write one's own entries")


@GRANT.asks(property=(2, 15))
def a_guest_writes_its_own_pages(s: State, a: GuestsWord) -> bool:
    """A guest writes entries in a page that its table has."""
    return s.grant_frames[a.p].frame != NO_FRAME


# --- Entries ------------------------------------------------------------------------------------------------


def _apart(s: State, a: GrantId, b: GrantId) -> bool:
    """No word of one entry is a word of the other one."""
    (f, one), (g, other) = place_of(s, a), place_of(s, b)
    second = _is_old(s, a[0]) | ((one + 1 != other) & (other + 1 != one))
    return (f != g) | ((one != other) & second)


def _is_old(s: State, domain: int) -> bool:
    """The table has the first layout."""
    return s.grant_tables[DomId(domain)].version == 1


@SWAP.asks(property=28)
def only_unused_entries_of_one_table_are_swapped(s: State, a: Swapped) -> bool:
    """Both entries are of one table, and nobody uses them."""
    unused = Not(is_used(s.active[a.a])) & Not(is_used(s.active[a.b]))
    return (a.a[0] == a.b[0]) & exists(s, a.a) & exists(s, a.b) & unused


@SWAP.does(property=28)
def each_entry_grants_what_the_other_did(before: State, after: State, a: Swapped) -> bool:
    """Each entry has the words that the other had."""
    (f, one), (g, other) = place_of(before, a.a), place_of(before, a.b)

    def swapped() -> bool:
        first = (after.words[f, one] == before.words[g, other]) & (
            after.words[g, other] == before.words[f, one]
        )
        second = (after.words[f, one + 1] == before.words[g, other + 1]) & (
            after.words[g, other + 1] == before.words[f, one + 1]
        )
        return first & (_is_old(before, a.a[0]) | second)

    return implies(_all_apart(before, a.a, a.b), swapped)


@SWAP.does(property=28)
def each_entry_has_the_status_of_the_other(before: State, after: State, a: Swapped) -> bool:
    """Each entry has the status that the other had, be it in the same word."""
    at, other, words = status_of(before, a.a), status_of(before, a.b), before.words
    first = before.grants.status_from(words[at], a.a[1], words[other], a.b[1])
    same = (at[0] == other[0]) & (at[1] == other[1])
    kept = ite(same, first, words[other])
    second = before.grants.status_from(kept, a.b[1], words[at], a.a[1])
    swapped = (after.words[other] == second) & (same | (after.words[at] == first))
    apart = Not(_is_old(before, a.a[0])) & _all_apart(before, a.a, a.b)
    return implies(apart, lambda: swapped)


def _all_apart(s: State, a: GrantId, b: GrantId) -> bool:
    """No word of one entry is a word of the other one, or has the status of either."""
    (f, _), (g, _), (i, _), (j, _) = place_of(s, a), place_of(s, b), status_of(s, a), status_of(s, b)
    elsewhere = (f != i) & (f != j) & (g != i) & (g != j)
    return _apart(s, a, b) & (_is_old(s, a[0]) | elsewhere)


@SWAP.touches
def _swap(s: State, a: Swapped) -> tuple[Cells, ...]:
    (f, one), (g, other) = place_of(s, a.a), place_of(s, a.b)
    new = Not(_is_old(s, a.a[0]))
    return (
        Cells("words", (f, one), ("word",)),
        Cells("words", (g, other), ("word",)),
        Cells("words", (f, one + 1), ("word",), when=new),
        Cells("words", (g, other + 1), ("word",), when=new),
        Cells("words", status_of(s, a.a), ("word",), when=new),
        Cells("words", status_of(s, a.b), ("word",), when=new),
    )


def _reserved(a: Relaid) -> list[GrantId]:
    """The entries that a change of layout keeps."""
    return [GrantId((a.domain, ref)) for ref in range(RESERVED)]


@RELAY.asks(property=32)
def a_table_is_of_whom_there_is(s: State, a: Relaid) -> bool:
    """The domain exists."""
    return s.domains[a.domain].exists


@RELAY.asks(property=28)
def the_layout_is_another_one_that_there_is(s: State, a: Relaid) -> bool:
    """There are two layouts, and the table has the other one."""
    known = (a.version == 1) | (a.version == 2)  # noqa: PLR2004 - there are two
    return known & (a.version != s.grant_tables[a.domain].version)


@RELAY.asks(property=28, advisories=(379,))
def nobody_uses_an_entry_that_is_emptied(s: State, a: Relaid) -> bool:
    """Nobody uses an entry beyond those that are kept."""
    table = s.grant_tables[a.domain]
    end = s.grants.entries(table.version, table.frames)
    return s.active.each(RESERVED, end, lambda ref: Not(is_used(s.active[a.domain, ref])))


@RELAY.asks(property=28)
def what_is_kept_fits_the_layout(s: State, a: Relaid) -> bool:
    """The first layout grants whole pages: nobody uses a part of one then."""
    active = s.active

    def whole(ref: int) -> bool:
        return Not(is_used(active[a.domain, ref]) & active[a.domain, ref].sub_page)

    return implies(a.version == 1, lambda: active.each(0, RESERVED, whole))


@RELAY.does(property=28)
def the_layout_is_the_asked_one(_: State, after: State, a: Relaid) -> bool:
    """The table has the layout."""
    return after.grant_tables[a.domain].version == a.version


def _has_word(s: State, g: GrantId, f: int, slot: int) -> bool:
    """A word is one of an entry's, or of its status."""
    (page, one), (status, place), old = place_of(s, g), status_of(s, g), _is_old(s, g[0])
    own = (f == page) & ((slot == one) | (Not(old) & (slot == one + 1)))
    return own | (Not(old) & (f == status) & (slot == place))


def _says_the_same(before: State, after: State, g: GrantId) -> bool:
    """An entry says in the new layout what it said, if its words are apart from the others'."""
    (f, slot), (at, place) = place_of(before, g), place_of(after, g)
    first, second = before.words[f, slot], before.words[f, slot + 1]
    status = before.words[status_of(before, g)]
    one, two, _ = before.grants.as_new(first)
    new = (after.words[at, place] == one) & (after.words[at, place + 1] == two)
    old = after.words[at, place] == before.grants.as_old(first, second, status, g[1])

    def apart(ref: int) -> bool:
        return either(ref == g[1], lambda: _all_apart(after, g, GrantId((g[0], ref))))

    alone = after.grant_frames.each(0, RESERVED, apart)
    return implies(alone, lambda: ite(_is_old(before, g[0]), new, old))


@RELAY.does(property=28)
def all_but_the_kept_entries_are_empty(_: State, after: State, a: Relaid) -> bool:
    """Every word of the table is zero that is not of an entry that is kept."""
    pages = after.grant_frames

    def emptied(n: int) -> bool:
        f = pages[a.domain, n].frame

        def others(ref: int) -> bool:
            return Not(_has_word(after, GrantId((a.domain, ref)), f, a.slot))

        return either(after.words[f, a.slot] == 0, lambda: Not(after.active.each(0, RESERVED, others)))

    return pages.each(0, after.grant_tables[a.domain].frames, emptied)


@RELAY.does(property=28)
def kept_entries_grant_what_they_did(before: State, after: State, a: Relaid) -> bool:
    """An entry that is kept says in the other layout what it said."""
    return after.active.each(0, RESERVED, lambda ref: _says_the_same(before, after, GrantId((a.domain, ref))))


def _is_of_table(s: State, domain: DomId) -> Callable[[int], bool]:
    """Return whether a frame is a page of a domain's table, as a function of the frame."""
    count = s.grant_tables[domain].frames
    return lambda f: Not(s.grant_frames.each(0, count, lambda n: s.grant_frames[domain, n].frame != f))


@RELAY.touches
def _relay(s: State, a: Relaid) -> tuple[Cells, ...]:
    pages = Cells("words", (Those(_is_of_table(s, a.domain)), EVERY), ("word",))
    kept = [cells for g in _reserved(a) for cells in _kept_words(s, a, g)]
    return (Cells("grant_tables", a.domain, ("version",)), pages, *kept)


def _kept_words(s: State, a: Relaid, g: GrantId) -> tuple[Cells, ...]:
    """The words of an entry in the layout that is asked for, and of its status."""
    page, slot = s.grants.place(a.version, g[1])
    f, new = s.grant_frames[g[0], page].frame, a.version != 1
    return (
        Cells("words", (f, slot), ("word",)),
        Cells("words", (f, slot + 1), ("word",), when=new),
        Cells("words", status_of(s, g), ("word",), when=new),
    )
