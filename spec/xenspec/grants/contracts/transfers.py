"""Transfers: a frame that nobody holds goes to the domain that waits for it, in one of its entries.

GNTTABOP_transfer (public/grant_table.h). The frame was taken away first (xenspec.memory.contracts.references,
`take a frame away`), and comes to the new owner as to anybody (`give a frame to a domain`): charged before,
with its contents.
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.grants.books import State
from xenspec.grants.contracts.entries import exists, header, place_of
from xenspec.logic import Not, implies
from xenspec.vocabulary import GrantId, Mfn, TransferId


@dataclass(frozen=True, slots=True)
class Charged:
    """A transfer, its frame, and the entry of the new owner."""

    v: TransferId
    frame: Mfn
    g: GrantId


@dataclass(frozen=True, slots=True)
class Transferred:
    """A transfer."""

    v: TransferId


RESERVE: Contract[State, Charged] = Contract("charge a page for a transfer")
UNRESERVE: Contract[State, Transferred] = Contract("give the charge of a transfer back")
COMMIT: Contract[State, Transferred] = Contract("bind the entry that waits for a frame")
HAND_OVER: Contract[State, Transferred] = Contract("hand a frame over")
COMPLETE: Contract[State, Transferred] = Contract("tell the new owner its frame")


def _entry(s: State, a: Transferred) -> GrantId:
    return GrantId((s.transfers[a.v].domain, s.transfers[a.v].ref))


@RESERVE.asks(property=(19, 20, 32))
def the_new_owner_may_have_one_more_page(s: State, a: Charged) -> bool:
    """The new owner has room in its quota and is not dying; the virtual CPU transfers nothing else."""
    domain = s.domains[a.g[0]]
    return Not(s.transfers[a.v].reserved) & Not(domain.dying) & (domain.pages < domain.max_pages)


@RESERVE.does(property=(19, 20))
def the_new_owner_is_charged(before: State, after: State, a: Charged) -> bool:
    """The new owner is charged for one page more, for this frame in this entry."""
    row = after.transfers[a.v]
    return (
        (after.domains[a.g[0]].pages == before.domains[a.g[0]].pages + 1)
        & row.reserved
        & (row.domain == a.g[0])
        & (row.ref == a.g[1])
        & (row.frame == a.frame)
    )


@RESERVE.touches
def _reserve(_: State, a: Charged) -> tuple[Cells, ...]:
    row = Cells("transfers", a.v, ("reserved", "domain", "ref", "frame"))
    return (row, Cells("domains", a.g[0], ("pages",)))


@UNRESERVE.asks(property=19)
def only_a_charge_is_given_back(s: State, a: Transferred) -> bool:
    """A page is charged for the transfer."""
    return s.transfers[a.v].reserved


@UNRESERVE.does(property=(16, 19))
def the_charge_is_given_back(before: State, after: State, a: Transferred) -> bool:
    """The domain that was to have the frame is charged for one page fewer, and the transfer is over."""
    domain = before.transfers[a.v].domain
    less = after.domains[domain].pages == before.domains[domain].pages - 1
    return less & Not(after.transfers[a.v].reserved)


@UNRESERVE.touches
def _unreserve(s: State, a: Transferred) -> tuple[Cells, ...]:
    paid = Cells("domains", s.transfers[a.v].domain, ("pages",))
    return (Cells("transfers", a.v, ("reserved",)), paid)


@COMMIT.asks(property=(15, 28))
def the_entry_waits_for_a_frame_of_this_domain(s: State, a: Transferred) -> bool:
    """The new owner has asked for a frame of the giving domain, in an entry of its table."""
    g = _entry(s, a)
    word = header(s, g)
    return (
        s.transfers[a.v].reserved
        & exists(s, g)
        & s.grants.accepts_transfer(word)
        & (s.grants.domain(word) == a.v[0])
    )


@COMMIT.does(property=28)
def the_entry_is_committed(before: State, after: State, a: Transferred) -> bool:
    """The entry says that a frame is coming: it accepts no other."""
    at = place_of(before, _entry(before, a))
    return after.words[at] == before.grants.committed(before.words[at])


@COMMIT.touches
def _commit(s: State, a: Transferred) -> tuple[Cells, ...]:
    return (Cells("words", place_of(s, _entry(s, a)), ("word",)),)


@HAND_OVER.asks(property=(28, 32))
def a_frame_goes_to_who_was_charged(s: State, a: Transferred) -> bool:
    """The new owner was charged for the frame, and is not dying."""
    return s.transfers[a.v].reserved & Not(s.domains[s.transfers[a.v].domain].dying)


@HAND_OVER.does(property=28)
def the_frame_is_handed_over_once(before: State, after: State, a: Transferred) -> bool:
    """The transfer has nothing more to hand over; what is in the frame is the new owner's."""
    return Not(after.transfers[a.v].reserved) & Not(after.frames[before.transfers[a.v].frame].dirty)


@HAND_OVER.touches
def _hand_over(s: State, a: Transferred) -> tuple[Cells, ...]:
    frame = Cells("frames", s.transfers[a.v].frame, ("dirty",))
    return (Cells("transfers", a.v, ("reserved",)), frame)


@COMPLETE.asks(property=28)
def a_frame_is_told_after_it_was_handed_over(s: State, a: Transferred) -> bool:
    """Nothing is left to hand over, and the entry is one of the new owner's table."""
    return Not(s.transfers[a.v].reserved) & exists(s, _entry(s, a))


@COMPLETE.does(property=(28, 33))
def the_entry_names_the_frame(before: State, after: State, a: Transferred) -> bool:
    """The entry names the frame and is completed; the machine-to-physical map has the number it named."""
    row = before.transfers[a.v]
    f, slot = place_of(before, _entry(before, a))
    version = before.grant_tables[row.domain].version
    words = before.words[f, slot], before.words[f, slot + 1]
    first, second = before.grants.with_frame(version, *words, row.frame)
    return (
        (after.words[f, slot] == before.grants.completed(first))
        & implies(version != 1, lambda: after.words[f, slot + 1] == second)
        & (after.m2p[row.frame].pfn == before.grants.pfn(version, *words))
    )


@COMPLETE.touches
def _complete(s: State, a: Transferred) -> tuple[Cells, ...]:
    f, slot = place_of(s, _entry(s, a))
    new = s.grant_tables[s.transfers[a.v].domain].version != 1
    return (
        Cells("m2p", s.transfers[a.v].frame, ("pfn",)),
        Cells("words", (f, slot), ("word",)),
        Cells("words", (f, slot + 1), ("word",), when=new),
    )
