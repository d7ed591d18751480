"""Prefixes of walks: what a processor still reads through a table that is none any more; what stops it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.worlds import RW, USER, World
from xenmodel.abi.geometry import FourLevel
from xenmodel.abi.pte import ACCESSED, DIRTY
from xenmodel.domains.modes import enter_user
from xenmodel.hardware.prefixes import (
    begin_prefix,
    extend_prefix,
    fill_through,
    forget_prefix,
    is_remembered,
    mark_through,
)
from xenmodel.hardware.tlb import evict, flush_cpu, invalidate, is_cached, store_through
from xenmodel.memory import claim
from xenmodel.memory.mmuext_op import Command
from xenmodel.step import Refused
from xenproofs.machines.breach import breach
from xenproofs.machines.episode import Plan
from xenproofs.machines.faults import WALKS, fault_named
from xenproofs.machines.fuzz import Campaign
from xenproofs.machines.moves import parse
from xenproofs.machines.planting import planted
from xenspec.vocabulary import L2, WRITABLE, Cpu, EntryId, Mfn, PageType, Va, VcpuId

if TYPE_CHECKING:
    from xenmodel.machine import Machine

DEEP = os.environ.get("XENCHECK_PROFILE") == "deep"
VA = Va(0x40003000)
CPU0 = Cpu(0)


class Walked(World):
    """A world whose CPU 0 has prefixes to each table of a tree that nothing but its pin keeps."""

    def __init__(self) -> None:
        super().__init__(FourLevel(), cpus=2)
        self.runs(1)
        mine = self.tree({VA: (self.page(), RW | USER)})
        assert self.pin(mine) == 0
        assert self.ext((Command.NEW_BASEPTR, mine), (Command.NEW_USER_BASEPTR, mine)) == 0
        self.data = self.page()
        self.root = self.tree({VA: (self.data, RW | USER)})
        assert self.pin(self.root) == 0
        self.slots = self.pte.indices(VA)
        self.tables = self.path(self.root, VA)
        begin_prefix(self.m, CPU0, 3, 0, EntryId((self.root, self.slots[0])), writable=True, user=True)
        extend_prefix(self.m, CPU0, 3, 0, self.slots[1], writable=True)
        extend_prefix(self.m, CPU0, 2, self.slots[1], self.slots[2], writable=True)
        self.last = self.slots[1] * 512 + self.slots[2]

    def remembered(self) -> list[bool]:
        """Return of each prefix, the longest last, whether the CPU still has it."""
        keys = ((3, 0), (2, self.slots[1]), (1, self.last))
        return [is_remembered(self.m, 0, self.m.prefixes[0, level, prefix]) for level, prefix in keys]

    def demoted(self) -> None:
        """Let the tree cease to be one, without a flush."""
        assert self.ext((Command.UNPIN_TABLE, self.root)) == 0
        assert not self.m.frames[self.tables[-1]].validated
        self.check()

    def reach(self) -> None:
        """Let the processor translate by the longest prefix."""
        fill_through(self.m, CPU0, self.last, self.slots[3], writable=True, is_global=False, foreign=False)


def test_a_prefix_outlives_its_tables_and_still_leads_to_memory() -> None:
    w = Walked()
    w.demoted()
    assert w.remembered() == [True] * 3
    w.reach()
    page = w.last * 512 + w.slots[3]
    assert is_cached(w.m, 0, w.m.tlb[0, page])
    store_through(w.m, CPU0, page, 0, 0x55)
    assert w.m.words[w.data, 0] == 0x55
    w.check()


def test_a_prefix_reads_the_word_that_is_there_now() -> None:
    w = Walked()
    w.demoted()
    w.m.words[w.tables[-1], w.slots[3]] = 0
    with pytest.raises(Refused) as refusal:
        w.reach()
    assert refusal.value.guard == "the word is present"


def test_a_translation_allows_no_more_than_its_whole_path() -> None:
    w = Walked()
    w.m.prefixes[0, 1, w.last].writable = False
    with pytest.raises(Refused) as refusal:
        w.reach()
    assert refusal.value.guard == "the path grants writing"


@pytest.mark.parametrize("drop", ["INVLPG", "CR3", "flush"])
def test_what_drops_prefixes_drops_all_of_them(drop: str) -> None:
    w = Walked()
    if drop == "INVLPG":
        invalidate(w.m, CPU0, 0x999)
    elif drop == "CR3":
        enter_user(w.m, VcpuId((1, 0)))
    else:
        flush_cpu(w.m, CPU0)
    assert w.remembered() == [False] * 3
    with pytest.raises(Refused):
        extend_prefix(w.m, CPU0, 3, 0, w.slots[1], writable=True)


def test_an_eviction_and_a_forgotten_prefix_leave_the_others() -> None:
    w = Walked()
    evict(w.m, CPU0, w.last * 512 + w.slots[3])
    forget_prefix(w.m, CPU0, 2, w.slots[1])
    assert w.remembered() == [True, False, True]


@pytest.mark.parametrize("kind", [WRITABLE, L2])
def test_a_change_of_type_flushes_what_still_walks_through_the_table(kind: PageType) -> None:
    w = Walked()
    w.demoted()
    table = w.tables[-1]
    if kind == WRITABLE:
        assert w.update(table, 5, 0x1234) == 0
        assert w.m.words[table, 5] == 0x1234
    else:
        w.m.words[table, w.slots[3]] = 0
        assert w.pin(table, 2) == 0
    assert w.remembered() == [False] * 3
    w.check()


def test_without_the_flush_a_guest_would_write_what_is_walked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The negative control: the guest writes into the frame an entry that names whatever it likes."""

    def no_flush(_m: Machine, _cpu: int) -> None:
        pass

    w = Walked()
    w.demoted()
    monkeypatch.setattr(claim, "flush", no_flush)
    xens = Mfn(1)
    assert w.update(w.tables[-1], w.slots[3], w.pte.entry(xens, RW | USER)) == 0
    w.reach()
    assert w.m.tlb[0, w.last * 512 + w.slots[3]].frame == xens
    assert w.m.tlb[0, w.last * 512 + w.slots[3]].writable


def test_bits_may_be_set_in_what_is_no_table_any_more() -> None:
    w = Walked()
    w.demoted()
    before = w.m.words[w.tables[-1], w.slots[3]]
    mark_through(w.m, CPU0, 1, w.last, w.slots[3], dirty=True)
    assert w.m.words[w.tables[-1], w.slots[3]] == before | ACCESSED | DIRTY
    w.check()


def test_hostile_guests_walk_by_prefixes_in_vain() -> None:
    report = Campaign(Plan(1, "walks", moves=120), seconds=60, episodes=12).run()
    assert not report.stories
    assert all(report.coverage[f"{kind} × done"] for kind in ("prefix", "walk_on", "walk_to", "mark"))


@pytest.mark.parametrize("name", WALKS)
def test_a_fault_that_only_a_stale_prefix_shows(name: str) -> None:
    """Three moves: a prefix to a table, its link emptied, a store into it."""
    story = [parse(line) for line in STORIES[name]]
    with planted(fault_named(name)):
        found = breach(story)
    assert found is not None
    assert found.name in WALKS[name].breaks
    assert breach(story) is None


@pytest.mark.skipif(not DEEP, reason="a long search")
@pytest.mark.parametrize("name", WALKS)
def test_the_fuzz_engine_finds_it(name: str) -> None:
    (story,) = Campaign(Plan(1, "walks", fault=name), seconds=1800).run().stories
    assert {story.breach.name, *story.breach.names} & set(WALKS[name].breaks)


STORIES = {
    "tables_not_flushed": (
        "prefix vcpu=1 a=1 c=1",
        "update vcpu=2 b=14",
        "update vcpu=2 a=2",
    )
}
