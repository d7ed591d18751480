"""Prefixes: what a processor remembers of the upper levels of a walk, and what it does by it.

Paging-structure caches (Intel SDM volume 3, 4.10.3). The processor walks on from a prefix by the words that
are in its table by then, whether anything links that table still or not. What a prefix or a translation
allows is what every word on its way allowed, and never more.
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.logic import Not, implies, ite
from xenspec.tlb.books import PrefixRow, State
from xenspec.tlb.contracts.caches import exists
from xenspec.vocabulary import Cpu, EntryId, Mfn


@dataclass(frozen=True, slots=True)
class Begun:
    """A prefix that is cached: whose, for which range of addresses, after which entry, and what it allows."""

    cpu: Cpu
    level: int
    prefix: int
    upper: EntryId
    writable: bool
    user: bool


@dataclass(frozen=True, slots=True)
class Cached:
    """A prefix."""

    cpu: Cpu
    level: int
    prefix: int


@dataclass(frozen=True, slots=True)
class Walked:
    """A prefix, the slot of the word by which the walk goes on, and whether the whole path allows writing."""

    cpu: Cpu
    level: int
    prefix: int
    slot: int
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Filled:
    """A translation that is cached by a prefix and the leaf in its table."""

    cpu: Cpu
    prefix: int
    slot: int
    writable: bool
    is_global: bool
    foreign: bool


@dataclass(frozen=True, slots=True)
class OfCpu:
    """A physical CPU."""

    cpu: Cpu


BEGIN: Contract[State, Begun] = Contract("cache a prefix")
WALK_ON: Contract[State, Walked] = Contract("walk on from a prefix")
EXTEND: Contract[State, Walked] = Contract("cache a longer prefix")
FILL_THROUGH: Contract[State, Filled] = Contract("cache a translation by a prefix")
FORGET: Contract[State, Cached] = Contract("forget a prefix")
DROP_PREFIXES: Contract[State, OfCpu] = Contract("drop all prefixes of a CPU")
PREFIX = ("valid", "table", "writable", "user", "epoch", "loads", "drops", "domain")
TRANSLATION = ("valid", "frame", "writable", "user", "is_global", "epoch", "loads", "domain", "foreign")


def is_remembered(s: State, cpu: Cpu, k: PrefixRow) -> bool:
    """The CPU has the prefix still: neither flushed, nor CR3 loaded, nor INVLPG used since."""
    row = s.cpus[cpu]
    return k.valid & (k.epoch == row.epoch) & (k.loads == row.loads) & (k.drops == row.drops)


@BEGIN.asks(property=(2, 3, 8))
def a_prefix_is_of_a_linked_entry_of_the_domain(s: State, a: Begun) -> bool:
    """A CPU caches what a linked entry of a whole table of the domain that it runs leads to."""
    e, table = s.entries[a.upper], s.frames[a.upper[0]]
    ours = (table.owner == s.vcpus[s.cpus[a.cpu].current].domain) & table.validated
    return exists(s, a.cpu) & e.linked & ours & (a.level >= 1) & (a.level < e.linked_as)


@BEGIN.asks(property=(1, 2))
def a_prefix_allows_writing_that_its_entry_does(s: State, a: Begun) -> bool:
    """A prefix that allows writing is of a writable entry to a table that is read at its level."""
    e = s.entries[a.upper]
    return implies(a.writable, lambda: e.writable & (e.linked_as == a.level + 1))


@BEGIN.does(property=8)
def the_prefix_leads_to_the_entrys_table(before: State, after: State, a: Begun) -> bool:
    """The CPU remembers the prefix as of now, for the domain that it runs."""
    k = after.prefixes[a.cpu, a.level, a.prefix]
    leads = (k.table == before.entries[a.upper].target) & (k.writable == a.writable) & (k.user == a.user)
    domain = before.vcpus[before.cpus[a.cpu].current].domain
    return leads & is_remembered(after, a.cpu, k) & (k.domain == domain)


@BEGIN.touches
def _begin(_: State, a: Begun) -> tuple[Cells, ...]:
    return (Cells("prefixes", (a.cpu, a.level, a.prefix), PREFIX),)


# --- Walking on ---------------------------------------------------------------------------------------------


def _prefix(s: State, a: Walked) -> PrefixRow:
    return s.prefixes[a.cpu, a.level, a.prefix]


def _is_guests(s: State, f: Mfn, slot: int) -> bool:
    """The slot is none of Xen's own in what the frame is, or was last, as a table."""
    level = ite(s.frames[f].validated, s.frames[f].type, s.demotions[f].demoted_from)
    return (level != s.pte.xen_level) | (slot < s.pte.xen_first) | (slot >= s.pte.xen_end)


@WALK_ON.asks(property=(1, 8))
def a_walk_goes_on_by_a_word_that_is_there_now(s: State, a: Walked) -> bool:
    """The CPU has the prefix still, and the guest's word in the slot of its table is present."""
    f = _prefix(s, a).table
    there = (a.slot >= 0) & (a.slot < s.pte.slots) & _is_guests(s, f, a.slot)
    cached = exists(s, a.cpu) & is_remembered(s, a.cpu, _prefix(s, a))
    return cached & there & s.pte.present(s.words[f, a.slot])


@WALK_ON.asks(property=(1, 2))
def a_path_allows_writing_that_all_its_words_do(s: State, a: Walked) -> bool:
    """A path that allows writing has a prefix that does, and a word that does."""
    k = _prefix(s, a)
    return implies(a.writable, lambda: k.writable & s.pte.writable(s.words[k.table, a.slot]))


def _longer(s: State, a: Walked) -> tuple[int, int, int]:
    """Return the key of the prefix that is one word longer."""
    return a.cpu, a.level - 1, a.prefix * s.pte.slots + a.slot


@EXTEND.asks(property=8)
def a_prefix_ends_above_the_leaf(_: State, a: Walked) -> bool:
    """The table is read above L1: what follows is a table, too."""
    return a.level > 1


@EXTEND.does(property=8)
def the_longer_prefix_leads_where_the_word_does(before: State, after: State, a: Walked) -> bool:
    """The CPU remembers the longer prefix as of now, for the domain of the shorter."""
    k, longer = _prefix(before, a), after.prefixes[_longer(before, a)]
    word = before.words[k.table, a.slot]
    return (
        is_remembered(after, a.cpu, longer)
        & (longer.table == before.pte.target(word))
        & (longer.writable == a.writable)
        & (longer.user == (k.user & before.pte.user(word)))
        & (longer.domain == k.domain)
    )


@EXTEND.touches
def _extend(s: State, a: Walked) -> tuple[Cells, ...]:
    return (Cells("prefixes", _longer(s, a), PREFIX),)


@FILL_THROUGH.asks(property=(7, 8))
def a_translation_by_a_prefix_is_of_an_entry_that_held_its_frame(s: State, a: Filled) -> bool:
    """The entry in the slot holds, or held, a reference of what it names."""
    return s.entries[s.prefixes[a.cpu, 1, a.prefix].table, a.slot].backed


@FILL_THROUGH.does(property=(2, 8))
def the_translation_is_as_old_as_its_prefix(before: State, after: State, a: Filled) -> bool:
    """The CPU has the translation to what the word names; it goes with what drops its prefix, but INVLPG."""
    k = before.prefixes[a.cpu, 1, a.prefix]
    word, x = before.words[k.table, a.slot], after.tlb[a.cpu, a.prefix * before.pte.slots + a.slot]
    leads = x.valid & (x.frame == before.pte.target(word)) & (x.writable == a.writable)
    kind = (x.user == (k.user & before.pte.user(word))) & (x.is_global == a.is_global)
    as_old = (x.epoch == k.epoch) & (x.loads == k.loads) & (x.domain == k.domain)
    return leads & kind & as_old & (x.foreign == a.foreign)


@FILL_THROUGH.touches
def _fill_through(s: State, a: Filled) -> tuple[Cells, ...]:
    return (Cells("tlb", (a.cpu, a.prefix * s.pte.slots + a.slot), TRANSLATION),)


# --- Forgetting ---------------------------------------------------------------------------------------------


@FORGET.asks(property=(8, 10))
def a_cpu_of_the_machine_forgets_a_prefix(s: State, a: Cached) -> bool:
    """The CPU is one of the machine's."""
    return exists(s, a.cpu)


@FORGET.does(property=8)
def the_prefix_is_forgotten(_: State, after: State, a: Cached) -> bool:
    """The CPU has no such prefix."""
    return Not(after.prefixes[a.cpu, a.level, a.prefix].valid)


@FORGET.touches
def _forget(_: State, a: Cached) -> tuple[Cells, ...]:
    return (Cells("prefixes", (a.cpu, a.level, a.prefix), ("valid",)),)


@DROP_PREFIXES.does(property=8)
def the_cpu_walks_from_no_prefix(before: State, after: State, a: OfCpu) -> bool:
    """INVLPG drops every prefix of the CPU, whatever the address (4.10.4.1)."""
    return after.cpus[a.cpu].drops == before.cpus[a.cpu].drops + 1


@DROP_PREFIXES.touches
def _drop_prefixes(_: State, a: OfCpu) -> tuple[Cells, ...]:
    return (Cells("cpus", a.cpu, ("drops",)),)
