"""Entries that pass on what another domain grants: whose grant a copy uses, how often, and for how long.

A copies by an entry of B, which names an entry of C. Each step of each call is under the monitor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.grants.test_scenarios import Watched
from tests.grants.world import GrantWorld
from xenmodel.abi.grant import TRANSITIVE
from xenmodel.domains.lifecycle import DestroyDomain, destroy
from xenmodel.grants.arguments import (
    BAD_DOMAIN,
    BAD_GNTREF,
    BAD_PAGE,
    GENERAL_ERROR,
    OKAY,
    Batch,
    Copy,
    CopyEnd,
    MapGrantRef,
    SetVersion,
)
from xenmodel.grants.calls import grant_table_op
from xenmodel.grants.guest import write_entry
from xenmodel.hypercall import Call, T
from xenproofs.judge.tracking import store_of
from xenspec.vocabulary import DOMID_SELF, DomId, GrantFrameId, Mfn, VcpuId

if TYPE_CHECKING:
    from xenmodel.grants.arguments import GrantResult
    from xenmodel.hypercall import Steps
    from xenmodel.machine import Machine

C, A, B = 0, 1, 2
OUTER, INNER = 3, 5
E_READONLY, PERMIT, SUB_PAGE = 4, 1, 0x100
VA: Final = 0x40003000
NONE: Final = (0, 0, 0, 0)


class Chain:
    """C grants a frame to B, and B's table, of the second layout, passes the grant on to A."""

    def __init__(self) -> None:
        self.world: Final = GrantWorld()
        self.world.guest(A, 4)
        self.frame: Final = self.world.w.page(C)
        self.own: Final = self.world.w.page(A)
        self.world.grants(C, INNER, B, self.frame)
        self.second(B)
        self.passes()

    @property
    def m(self) -> Machine:
        """The machine."""
        return self.world.m

    def second(self, domain: int) -> None:
        """Let a domain's table have the second layout."""
        assert self.world.asks(domain, SetVersion(2, lambda: Mfn(self.world.w.free.pop(0)))).rc == 0

    def writes(self, domain: int, ref: int, first: int, second: int) -> None:
        """Let a domain write an entry of the second layout."""
        for at, word in ((2 * ref + 1, second), (2 * ref, first)):
            write_entry(self.m, GrantFrameId((domain, 0)), at, word)

    def passes(self, flags: int = TRANSITIVE, to: int = A, of: int = C, ref: int = INNER) -> None:
        """Let B pass a grant on."""
        self.writes(B, OUTER, flags | to << 16 | of << 32, ref)

    def status(self, domain: int, ref: int) -> int:
        """Return the marks of use of an entry of the second layout."""
        page, slot = self.m.grants.status_place(ref)
        return self.m.words[self.m.status_frames[domain, page].frame, slot] >> 16 * (ref % 4) & 0xFFFF

    def copy(self, *, into: bool = False, offset: int = 0, length: int = 8) -> Copy:
        """Return a copy out of B's entry, or into it."""
        entry = CopyEnd(B, OUTER, offset, by_ref=True)
        own = CopyEnd(DOMID_SELF, self.own, 0, by_ref=False)
        return Copy(own, entry, length) if into else Copy(entry, own, length)

    def pins(self, domain: int, ref: int) -> tuple[int, int, int, int]:
        """Return an entry's pins."""
        a = self.m.active[domain, ref]
        return a.host_writable, a.host_readonly, a.device_writable, a.device_readonly

    @property
    def both(self) -> tuple[tuple[int, int, int, int], tuple[int, int, int, int]]:
        """The pins of the outer and of the inner entry."""
        return self.pins(B, OUTER), self.pins(C, INNER)


def up_to(v: Watched, steps: Steps[GrantResult], name: str) -> None:
    """Take the steps of a call up to one; nothing may be wrong after any of them."""
    for found in steps:
        assert not v.monitor.after_call(DomId(A))
        if getattr(found, "__name__", "") == name:
            return
    raise AssertionError(name)


def to_the_end(v: Watched, steps: Steps[T]) -> T:
    """Take all other steps of a call; nothing may be wrong after any of them."""
    assert not v.monitor.after_call(DomId(A)), "of what was done before"
    result, found = v.monitor.drive(DomId(A), steps)
    assert not found, found[0]
    return result


@pytest.fixture
def chain() -> Chain:
    return Chain()


def test_bytes_come_by_a_grant_that_is_passed_on(chain: Chain) -> None:
    v = Watched(chain.world)
    chain.m.words[chain.frame, 0], chain.m.words[chain.own, 0] = 11, 22
    assert v.does(A, chain.copy()).status == OKAY
    assert chain.m.words[chain.own, 0] == 11
    chain.m.words[chain.own, 0] = 33
    assert v.does(A, chain.copy(into=True)).status == OKAY
    assert chain.m.words[chain.frame, 0] == 33
    assert chain.both == (NONE, NONE)
    assert (chain.status(B, OUTER), chain.world.entry(C, INNER)[0]) == (0, PERMIT)
    assert v.counts(chain.frame) == (0, 1)


@pytest.mark.parametrize(("into", "pins", "marks"), [(False, (0, 1, 0, 0), 8), (True, (1, 0, 0, 0), 24)])
def test_both_entries_are_pinned_and_marked_while_it_lasts(
    chain: Chain, *, into: bool, pins: tuple[int, int, int, int], marks: int
) -> None:
    v = Watched(chain.world)
    steps = grant_table_op(chain.world.w.call(A), Batch((chain.copy(into=into),)))
    up_to(v, steps, "hold_side" if not into else "copy_unit")
    assert chain.both == (pins, pins)
    assert (chain.status(B, OUTER), chain.world.entry(C, INNER)[0]) == (marks, PERMIT | marks)
    assert chain.m.active[B, OUTER].frame == chain.frame
    assert chain.m.frames[chain.frame].ref_count == 2
    assert to_the_end(v, steps).status == OKAY
    assert chain.both == (NONE, NONE)


def test_each_use_of_the_outer_entry_has_its_own_of_the_inner_one(chain: Chain) -> None:
    v = Watched(chain.world)
    entry = CopyEnd(B, OUTER, 0, by_ref=True)
    steps = grant_table_op(chain.world.w.call(A), Batch((Copy(entry, entry, 8),)))
    up_to(v, steps, "copy_unit")
    assert chain.both == ((1, 1, 0, 0), (1, 1, 0, 0))
    assert to_the_end(v, steps).status == OKAY
    assert chain.both == (NONE, NONE)


@pytest.mark.parametrize(
    ("outer", "inner", "into", "status"),
    [
        ({"flags": TRANSITIVE | E_READONLY}, {}, False, OKAY),
        ({"flags": TRANSITIVE | E_READONLY}, {}, True, GENERAL_ERROR),
        ({}, {"flags": PERMIT | E_READONLY}, False, OKAY),
        ({}, {"flags": PERMIT | E_READONLY}, True, GENERAL_ERROR),
        ({"flags": TRANSITIVE | SUB_PAGE}, {}, False, OKAY),
        ({"to": C}, {}, False, GENERAL_ERROR),
        ({"of": B}, {}, False, GENERAL_ERROR),
        ({"of": DOMID_SELF}, {}, False, GENERAL_ERROR),
        ({"of": 7}, {}, False, GENERAL_ERROR),
        ({"ref": 5000}, {}, False, BAD_GNTREF),
        ({}, {"to": A}, False, GENERAL_ERROR),
        ({}, {"flags": 0}, False, GENERAL_ERROR),
        ({}, {"frame": 0}, False, BAD_PAGE),
    ],
)
def test_both_entries_have_their_say(
    chain: Chain, outer: dict[str, int], inner: dict[str, int], *, into: bool, status: int
) -> None:
    chain.passes(**outer)
    chain.world.grants(C, INNER, **{"to": B, "frame": chain.frame, **inner})
    v = Watched(chain.world)
    marks = chain.world.entry(C, INNER)[0]
    assert v.does(A, chain.copy(into=into)).status == status
    assert chain.both == (NONE, NONE)
    assert (chain.status(B, OUTER), chain.world.entry(C, INNER)[0]) == (0, marks)
    assert chain.m.frames[chain.frame].ref_count == 1


def test_a_chain_has_one_link(chain: Chain) -> None:
    chain.second(C)
    chain.writes(C, INNER, PERMIT | B << 16, chain.frame)
    v = Watched(chain.world)
    assert v.does(A, chain.copy()).status == OKAY
    chain.writes(A, 1, PERMIT | C << 16, chain.own)
    chain.writes(C, INNER, TRANSITIVE | B << 16 | A << 32, 1)
    assert v.does(A, chain.copy()).status == GENERAL_ERROR
    assert chain.both == (NONE, NONE)


def test_a_part_of_a_page_stays_a_part(chain: Chain) -> None:
    chain.second(C)
    chain.writes(C, INNER, PERMIT | SUB_PAGE | B << 16 | 64 << 32 | 16 << 48, chain.frame)
    v = Watched(chain.world)
    assert v.does(A, chain.copy(offset=64, length=16)).status == OKAY
    assert v.does(A, chain.copy(offset=72, length=16)).status == GENERAL_ERROR


def test_nothing_is_mapped_by_an_entry_that_passes_a_grant_on(chain: Chain) -> None:
    v = Watched(chain.world)
    asked = Batch((MapGrantRef(VA, 2, OUTER, B),))
    assert v.asks(A, asked).status == GENERAL_ERROR
    steps = grant_table_op(chain.world.w.call(A), Batch((chain.copy(),)))
    up_to(v, steps, "copy_unit")
    other = Call(v.m, VcpuId((A, 1)), DomId(A))
    assert to_the_end(v, grant_table_op(other, asked)).status == GENERAL_ERROR
    assert to_the_end(v, steps).status == OKAY


def test_what_is_in_use_is_not_asked_of_the_domains_again(chain: Chain) -> None:
    v = Watched(chain.world)
    steps = grant_table_op(chain.world.w.call(A), Batch((chain.copy(length=16),)))
    up_to(v, steps, "copy_unit")
    chain.world.grants(C, INNER, A, 0, 0)
    chain.passes(flags=0)
    assert to_the_end(v, steps).status == OKAY


def test_whom_another_use_meets_meanwhile_asks_again(chain: Chain) -> None:
    v = Watched(chain.world)
    steps = grant_table_op(chain.world.w.call(A), Batch((chain.copy(),)))
    up_to(v, steps, "look_through")
    sibling = grant_table_op(Call(v.m, VcpuId((A, 1)), DomId(A)), Batch((chain.copy(),)))
    up_to(v, sibling, "copy_unit")
    result = to_the_end(v, steps)
    assert result.continuation is not None
    assert (result.answers, result.continuation.args) == ((), Batch((chain.copy(),)))
    assert chain.both == ((0, 1, 0, 0), (0, 1, 0, 0))
    assert to_the_end(v, sibling).status == OKAY
    assert chain.both == (NONE, NONE)
    assert v.does(A, chain.copy()).status == OKAY


def test_an_entry_in_use_for_its_own_frame_passes_nothing_on(chain: Chain) -> None:
    chain.writes(B, OUTER, PERMIT | A << 16, chain.world.w.page(B))
    v = Watched(chain.world)
    assert v.does(A, MapGrantRef(VA, 2, OUTER, B)).status == OKAY
    chain.passes()
    result = v.asks(A, Batch((chain.copy(), chain.copy())))
    assert (len(result.answers), result.continuation is not None) == (0, True)
    assert chain.both == ((1, 0, 0, 0), NONE)


def test_an_entry_in_use_to_pass_a_grant_on_grants_no_frame_of_its_own(chain: Chain) -> None:
    v = Watched(chain.world)
    steps = grant_table_op(chain.world.w.call(A), Batch((chain.copy(length=16),)))
    up_to(v, steps, "copy_unit")
    chain.writes(B, OUTER, PERMIT | A << 16, chain.world.w.page(B))
    other = Call(v.m, VcpuId((A, 1)), DomId(A))
    reads = Copy(CopyEnd(B, OUTER, 0, by_ref=True), CopyEnd(DOMID_SELF, chain.own, 8, by_ref=False), 8)
    assert to_the_end(v, grant_table_op(other, Batch((reads,)))).status == BAD_DOMAIN
    assert to_the_end(v, grant_table_op(other, Batch((chain.copy(into=True),)))).status == GENERAL_ERROR
    assert to_the_end(v, steps).status == OKAY
    assert chain.both == (NONE, NONE)


def test_who_passes_a_grant_on_may_die_meanwhile(chain: Chain) -> None:
    v = Watched(chain.world)
    v.m.domains[C].privileged = True
    steps = grant_table_op(chain.world.w.call(A), Batch((chain.copy(length=16),)))
    up_to(v, steps, "copy_unit")
    owned = [Mfn(f) for f, frame in store_of(v.m.frames).items() if frame.owner == B]
    to_the_end(v, destroy(chain.world.w.call(C), DestroyDomain(DomId(B), lambda _: owned)))
    assert to_the_end(v, steps).status == OKAY
    assert chain.pins(C, INNER) == NONE
    assert v.m.frames[chain.frame].ref_count == 1
