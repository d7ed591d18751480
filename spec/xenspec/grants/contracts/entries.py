"""Entries: what the granting domain allows, and what Xen writes into its memory.

An entry in use (a pin of any kind) is what Xen remembers of it; one that nobody uses is what its words say.
Xen writes only marks of use into it (GTF_reading, GTF_writing; public/grant_table.h).
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.grants.books import RememberedRow, State
from xenspec.logic import Not, both, either, implies, ite
from xenspec.vocabulary import PAGE_SIZE, DomId, GrantId, Mfn


@dataclass(frozen=True, slots=True)
class Used:
    """A use of an entry: by whom, for processors or devices or both, to read or to write."""

    g: GrantId
    by: DomId
    host: bool
    device: bool
    readonly: bool
    whole: bool = True
    """It needs the whole page, as a mapping does."""


@dataclass(frozen=True, slots=True)
class Marked:
    """An entry, and whether the use of it that ends (or came to nothing) was only to read."""

    g: GrantId
    readonly: bool


PIN: Contract[State, Used] = Contract("use an entry")
UNPIN: Contract[State, Used] = Contract("end a use of an entry")
UNMARK: Contract[State, Marked] = Contract("unmark an entry")
MARK_IN_VAIN: Contract[State, Marked] = Contract("mark an entry for a use that comes to nothing")
READ_ANEW: Contract[State, Used] = Contract("read an entry in use anew")
PIN_ROOM = 128
"""A counter of pins has 8 bits, of which the highest is its guard."""
PINS = ("host_writable", "host_readonly", "device_writable", "device_readonly")
REMEMBERED = ("domain", "frame", "start", "length", "sub_page", "trans_domain", "trans_ref")


# --- Where an entry is, and what it says --------------------------------------------------------------------


def is_used(active: RememberedRow) -> bool:
    """Anybody uses the entry."""
    return is_written(active) | (active.host_readonly > 0) | (active.device_readonly > 0)


def is_written(active: RememberedRow) -> bool:
    """Anybody uses the entry to write."""
    return (active.host_writable > 0) | (active.device_writable > 0)


def is_own(active: RememberedRow, g: GrantId) -> bool:
    """The entry in use grants its frame itself: it passes nothing on."""
    return (active.trans_domain == g[0]) & (active.trans_ref == g[1])


def exists(s: State, g: GrantId) -> bool:
    """The entry is one of its domain's table."""
    table = s.grant_tables[DomId(g[0])]
    return (g[1] >= 0) & (g[1] < s.grants.entries(table.version, table.frames))


def place_of(s: State, g: GrantId) -> tuple[Mfn, int]:
    """Return where the first word of an entry is."""
    page, slot = s.grants.place(s.grant_tables[DomId(g[0])].version, g[1])
    return s.grant_frames[g[0], page].frame, slot


def status_of(s: State, g: GrantId) -> tuple[Mfn, int]:
    """Return where the word with an entry's status is (version 2)."""
    page, slot = s.grants.status_place(g[1])
    return s.status_frames[g[0], page].frame, slot


def marks_of(s: State, g: GrantId) -> tuple[Mfn, int]:
    """Return where the word with an entry's marks of use is."""
    old, (f, slot), (status, place) = is_old(s, g), place_of(s, g), status_of(s, g)
    return ite(old, f, status), ite(old, slot, place)


def is_old(s: State, g: GrantId) -> bool:
    """The entry's table has the first layout."""
    return s.grant_tables[DomId(g[0])].version == 1


def header(s: State, g: GrantId) -> int:
    """Return an entry's first word: flags and domain."""
    return s.words[place_of(s, g)]


def named(s: State, g: GrantId) -> Mfn:
    """Return the frame that an entry names."""
    f, slot = place_of(s, g)
    return s.grants.frame(s.grant_tables[DomId(g[0])].version, s.words[f, slot], s.words[f, slot + 1])


def passes_on(s: State, g: GrantId) -> bool:
    """The entry passes on what another domain grants, says its memory now."""
    return both(Not(is_old(s, g)), lambda: s.grants.transitive(header(s, g)))


def granted_part(s: State, a: Used) -> tuple[int, int, bool]:
    """Return the first byte and the length of what an entry grants, and whether it is a part of its page."""
    part = both(Not(is_old(s, a.g)), lambda: s.grants.sub_page(header(s, a.g)) & Not(a.whole))
    start, length = s.grants.part(header(s, a.g))
    return ite(part, start, 0), ite(part, length, PAGE_SIZE), part


def marked(s: State, g: GrantId, word: int, *, writing: bool) -> int:
    """Return a word of marks in which the entry is marked as in use."""
    new = s.grants.used_status(word, g[1], writing=writing)
    return ite(is_old(s, g), s.grants.used(word, writing=writing), new)


def unmarked(s: State, g: GrantId, word: int, *, reading: bool, writing: bool) -> int:
    """Return a word of marks without some of the entry's."""
    new = s.grants.unused_status(word, g[1], reading=reading, writing=writing)
    return ite(is_old(s, g), s.grants.unused(word, reading=reading, writing=writing), new)


# --- Using an entry -----------------------------------------------------------------------------------------


@PIN.asks(property=28)
def the_entry_is_one_of_its_table(s: State, a: Used) -> bool:
    """Only an entry that the granting domain's table has is used."""
    return exists(s, a.g)


@PIN.asks(property=(2, 3, 15, 28), advisories=(224,))
def an_unused_entry_permits_its_domain_now(s: State, a: Used) -> bool:
    """The first to use an entry is let in by it: it permits access, to that domain, to write if it writes."""
    word = header(s, a.g)
    return implies(
        Not(is_used(s.active[a.g])),
        lambda: (
            s.grants.permits(word, whole=a.whole)
            & (s.grants.domain(word) == a.by)
            & (a.readonly | Not(s.grants.readonly(word)))
        ),
    )


@PIN.asks(property=(2, 3, 15, 28))
def an_entry_in_use_is_used_by_the_same_domain(s: State, a: Used) -> bool:
    """An entry in use is used further by that domain alone, and a part of a page never as the whole."""
    active = s.active[a.g]
    return implies(
        is_used(active), lambda: (active.domain == a.by) & either(Not(a.whole), lambda: Not(active.sub_page))
    )


@PIN.asks(property=(2, 28))
def the_first_to_write_is_let_write_now(s: State, a: Used) -> bool:
    """Who is the first to write by an entry that others read is let write by what it says now."""
    active = s.active[a.g]
    return implies(
        is_used(active) & Not(is_written(active)) & Not(a.readonly),
        lambda: Not(s.grants.readonly(header(s, a.g))),
    )


@PIN.asks(property=(6, 28))
def the_pins_have_room(s: State, a: Used) -> bool:
    """No counter of pins goes beyond its width."""
    return has_room(s, a)


def has_room(s: State, a: Used) -> bool:
    """The counters of the use's kinds are below their width."""
    active = s.active[a.g]
    host = ite(a.readonly, active.host_readonly, active.host_writable)
    device = ite(a.readonly, active.device_readonly, active.device_writable)
    return (Not(a.host) | (host < PIN_ROOM)) & (Not(a.device) | (device < PIN_ROOM))


def is_counted(before: State, after: State, a: Used, by: int) -> bool:
    """The counters of the use's kinds have changed by so many, the others not."""
    old, new = before.active[a.g], after.active[a.g]
    return (
        (new.host_writable == old.host_writable + ite(a.host & Not(a.readonly), by, 0))
        & (new.host_readonly == old.host_readonly + ite(a.host & a.readonly, by, 0))
        & (new.device_writable == old.device_writable + ite(a.device & Not(a.readonly), by, 0))
        & (new.device_readonly == old.device_readonly + ite(a.device & a.readonly, by, 0))
    )


@PIN.does(property=(6, 28))
def the_use_is_counted(before: State, after: State, a: Used) -> bool:
    """The entry has one pin more of each kind that the use is of."""
    return is_counted(before, after, a, 1)


@PIN.does(property=(2, 28))
def what_the_entry_grants_is_remembered(before: State, after: State, a: Used) -> bool:
    """From the first use on it is remembered for whom the entry is, and which part of which frame it is."""
    active = after.active[a.g]
    start, length, part = granted_part(before, a)
    return implies(
        Not(is_used(before.active[a.g])),
        lambda: (
            (active.domain == a.by)
            & (active.frame == named(before, a.g))
            & (active.start == start)
            & (active.length == length)
            & (active.sub_page == part)
            & is_own(active, a.g)
        ),
    )


def is_news(s: State, a: Used) -> bool:
    """The use is the first, or the first to write."""
    active = s.active[a.g]
    return Not(is_used(active)) | (Not(a.readonly) & Not(is_written(active)))


@PIN.does(property=28)
def the_granting_domain_is_told(before: State, after: State, a: Used) -> bool:
    """The first use, and the first to write, are marked in the granting domain's memory."""
    at = marks_of(before, a.g)
    return implies(
        is_news(before, a),
        lambda: after.words[at] == marked(before, a.g, before.words[at], writing=Not(a.readonly)),
    )


@PIN.touches
def _pin(s: State, a: Used) -> tuple[Cells, ...]:
    return (
        Cells("active", a.g, PINS),
        Cells("active", a.g, REMEMBERED, when=Not(is_used(s.active[a.g]))),
        Cells("words", marks_of(s, a.g), ("word",), when=is_news(s, a)),
    )


@READ_ANEW.asks(property=(2, 3, 28))
def an_entry_that_passes_a_grant_on_grants_nothing_itself(s: State, a: Used) -> bool:
    """An entry that passes a grant on, now or when its use began, is not used for a frame of its domain."""
    active = s.active[a.g]
    return Not(passes_on(s, a.g)) & either(Not(is_used(active)), lambda: is_own(active, a.g))


@READ_ANEW.asks(property=28)
def an_entry_that_is_read_anew_grants_what_it_did(s: State, a: Used) -> bool:
    """A copy that is the first to write by an entry in use finds the remembered frame and part in it."""
    active = s.active[a.g]
    start, length, part = granted_part(s, a)
    same = part & (start == active.start) & (length == active.length)
    return implies(
        is_used(active) & Not(is_written(active)) & Not(a.readonly),
        lambda: (named(s, a.g) == active.frame) & (Not(active.sub_page) | same),
    )


@READ_ANEW.asks(property=(7, 32))
def nothing_more_is_copied_of_the_dying(s: State, a: Used) -> bool:
    """By an entry in use nothing is copied of a domain whose end has begun, unless the entry is read anew."""
    active = s.active[a.g]
    return implies(
        is_used(active) & (a.readonly | is_written(active)),
        lambda: Not(s.domains[DomId(a.g[0])].dying),
    )


# --- Ending a use -------------------------------------------------------------------------------------------


@UNPIN.does(property=(6, 28))
def the_use_is_counted_no_more(before: State, after: State, a: Used) -> bool:
    """The entry has one pin fewer of each kind that the use was of."""
    return is_counted(before, after, a, -1)


@UNPIN.touches
def _unpin(_: State, a: Used) -> tuple[Cells, ...]:
    return (Cells("active", a.g, PINS),)


@UNMARK.does(property=28)
def marks_of_use_go_with_the_last_use(before: State, after: State, a: Marked) -> bool:
    """With the last use the mark of reading goes, with the last that writes the mark of writing; no other."""
    active, at = after.active[a.g], marks_of(before, a.g)
    reading, writing = Not(is_used(active)), Not(a.readonly) & Not(is_written(active))
    cleared = unmarked(before, a.g, before.words[at], reading=reading, writing=writing)
    return implies(
        exists(before, a.g),
        lambda: after.words[at] == ite(reading | writing, cleared, before.words[at]),
    )


@UNMARK.touches
def _unmark(s: State, a: Marked) -> tuple[Cells, ...]:
    return (Cells("words", marks_of(s, a.g), ("word",), when=exists(s, a.g)),)


@MARK_IN_VAIN.asks(property=28)
def an_entry_that_is_marked_in_vain_exists(s: State, a: Marked) -> bool:
    """Only an entry that the granting domain's table has is marked."""
    return exists(s, a.g)


@MARK_IN_VAIN.does(property=(16, 28))
def what_is_not_true_is_unmarked_again(before: State, after: State, a: Marked) -> bool:
    """The entry is marked for the use, and what is not true of it is unmarked: no use is left behind."""
    active, at = before.active[a.g], marks_of(before, a.g)
    reading, writing = Not(is_used(active)), Not(a.readonly) & Not(is_written(active))
    word = marked(before, a.g, before.words[at], writing=Not(a.readonly))
    cleared = unmarked(before, a.g, word, reading=reading, writing=writing)
    return after.words[at] == ite(reading | writing, cleared, word)


@MARK_IN_VAIN.touches
def _mark_in_vain(s: State, a: Marked) -> tuple[Cells, ...]:
    return (Cells("words", marks_of(s, a.g), ("word",)),)
