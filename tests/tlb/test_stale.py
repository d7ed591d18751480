"""Stale translations: what a processor may still do after the tables have changed, and what stops it.

The flush of a type change is what keeps a cached writable translation from a page table; the last test of the
first group takes the flush away and sees a guest write its own table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.worlds import GEOMETRIES, RO, RW, USER, World
from xenmodel.abi.geometry import FourLevel, PteFormat
from xenmodel.abi.pte import ACCESSED, DIRTY, GLOBAL, GUEST_KERNEL
from xenmodel.domains.modes import enter_kernel, enter_user
from xenmodel.domains.vcpu_op import NewContext, initialise
from xenmodel.hardware.access import Fault, load, store
from xenmodel.hardware.tlb import idle_cpu, invalidate, is_cached, store_through, switch_vcpu
from xenmodel.hardware.walk import mark_used
from xenmodel.hypercall import run
from xenmodel.memory import claim, reservation
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp, mmuext_op
from xenmodel.memory.update_va_mapping import FLUSH_TLB, UpdateVaMapping, update_va_mapping
from xenmodel.step import Refused
from xenspec.vocabulary import DOMID_SELF, EAGAIN, L1, Cpu, DomId, Mfn, Va, VcpuId

if TYPE_CHECKING:
    from xenmodel.machine import Machine

VA = Va(0x40003000)
NEXT_VA = Va(0x40004000)
PAGE = VA // 4096
CPU0, CPU1 = Cpu(0), Cpu(1)


def world(pte: PteFormat, vcpus: int = 1) -> tuple[World, Mfn, Mfn]:
    """Return a machine on which domain 1 runs, its top-level table, and the frame that VA maps writable."""
    w = World(pte, cpus=2)
    w.m.domains[1].vcpus = vcpus
    w.runs(1)
    data = w.page()
    root = w.tree({VA: (data, RW | USER), NEXT_VA: (w.page(), RO | USER)})
    assert w.pin(root) == 0
    assert w.ext((Command.NEW_BASEPTR, root)) == 0
    for number in range(1, vcpus):
        v = VcpuId((1, number))
        w.m.vcpus[v].domain = DomId(1)
        assert run(initialise(w.call(), v, NewContext(root, Mfn(0), (), 0))) == 0
    return w, root, data


@pytest.fixture(params=GEOMETRIES, ids=lambda g: type(g).__name__)
def pte(request: pytest.FixtureRequest) -> PteFormat:
    """Give each geometry."""
    geometry: PteFormat = request.param
    return geometry


def unmapped(w: World, root: Mfn, data: Mfn) -> None:
    """Let the guest cache a writable translation, and unmap the frame without a flush."""
    assert run(store(w.call(), VA, 0)) is None
    l1 = w.path(root, VA)[-1]
    assert w.update(l1, w.pte.indices(VA)[-1], 0) == 0
    assert w.m.frames[data].type_count == 0
    assert is_cached(w.m, 0, w.m.tlb[0, PAGE])


def test_an_unmapped_page_is_still_stored_to_until_a_flush(pte: PteFormat) -> None:
    w, root, data = world(pte)
    unmapped(w, root, data)
    assert run(store(w.call(), VA, 0x55)) is None
    assert w.m.words[data, 0] == 0x55
    assert w.ext((Command.TLB_FLUSH_LOCAL, 0)) == 0
    assert isinstance(run(store(w.call(), VA, 0x66)), Fault)


def test_no_stale_translation_reaches_a_promoted_table(pte: PteFormat) -> None:
    w, root, data = world(pte)
    unmapped(w, root, data)
    assert w.pin(data, 1) == 0
    assert w.m.frames[data].type == L1
    with pytest.raises(Refused):
        store_through(w.m, CPU0, PAGE, 3, w.pte.entry(root, RW | USER))
    assert w.m.words[data, 3] == 0


def test_without_the_flush_it_would(pte: PteFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the guest maps its own top-level table writable."""

    def no_flush(_m: Machine, _cpu: int) -> None:
        pass

    w, root, data = world(pte)
    unmapped(w, root, data)
    monkeypatch.setattr(claim, "flush", no_flush)
    assert w.pin(data, 1) == 0
    store_through(w.m, CPU0, PAGE, 3, w.pte.entry(root, RW | USER))
    assert w.m.frames[data].validated
    assert w.pte.target(w.m.words[data, 3]) == root


def test_a_stale_translation_on_another_cpu_is_flushed_too(pte: PteFormat) -> None:
    w, root, data = world(pte, vcpus=2)
    switch_vcpu(w.m, CPU1, VcpuId((1, 1)))
    assert run(store(w.call(vcpu=1), VA, 0x55)) is None
    assert is_cached(w.m, 1, w.m.tlb[1, PAGE])
    l1 = w.path(root, VA)[-1]
    assert w.update(l1, w.pte.indices(VA)[-1], 0) == 0
    store_through(w.m, CPU1, PAGE, 0, 0x66)
    assert w.pin(data, 1) == 0
    w.check()
    with pytest.raises(Refused):
        store_through(w.m, CPU1, PAGE, 3, w.pte.entry(root, RW | USER))


def epochs(w: World) -> tuple[int, int]:
    """Return the flush epochs of both CPUs."""
    return w.m.cpus[0].epoch, w.m.cpus[1].epoch


def test_only_cpus_that_ran_the_owner_are_flushed(pte: PteFormat) -> None:
    w, root, data = world(pte)
    unmapped(w, root, data)
    before = epochs(w)
    assert w.pin(data, 1) == 0
    assert epochs(w) == (before[0] + 1, before[1])


def test_a_cpu_flushed_after_the_last_use_is_not_flushed_again(pte: PteFormat) -> None:
    w, root, data = world(pte)
    unmapped(w, root, data)
    assert w.ext((Command.TLB_FLUSH_LOCAL, 0)) == 0
    before = epochs(w)
    assert w.pin(data, 1) == 0
    assert epochs(w) == before


def test_a_flush_of_one_page_leaves_the_others(pte: PteFormat) -> None:
    w, _, _ = world(pte)
    assert isinstance(run(load(w.call(), VA)), int)
    assert isinstance(run(load(w.call(), NEXT_VA)), int)
    assert w.ext((Command.INVLPG_LOCAL, VA)) == 0
    assert not is_cached(w.m, 0, w.m.tlb[0, PAGE])
    assert is_cached(w.m, 0, w.m.tlb[0, PAGE + 1])


def test_loading_a_base_pointer_flushes(pte: PteFormat) -> None:
    w, root, _ = world(pte)
    other = w.tree({VA: (w.page(), RW | USER)})
    assert w.pin(other) == 0
    for table in (other, other, root):
        run(load(w.call(), VA))
        assert is_cached(w.m, 0, w.m.tlb[0, PAGE])
        assert w.ext((Command.NEW_BASEPTR, table)) == 0
        assert not is_cached(w.m, 0, w.m.tlb[0, PAGE])
    w.check()


def test_a_change_of_mode_keeps_global_translations_only() -> None:
    """Xen makes user pages global: only the kernel's own are dropped between kernel and user mode."""
    w = World(FourLevel())
    w.runs(1)
    kernel, user = w.page(), w.page()
    root = w.tree({VA: (kernel, RW | USER | GUEST_KERNEL), NEXT_VA: (user, RW | USER)})
    for command in (Command.PIN_L4_TABLE, Command.NEW_BASEPTR, Command.NEW_USER_BASEPTR):
        assert w.ext((command, root)) == 0
    l1 = w.path(root, VA)[-1]
    assert [bool(w.m.words[l1, slot] & GLOBAL) for slot in (3, 4)] == [False, True]
    run(load(w.call(), VA))
    run(load(w.call(), NEXT_VA))
    before = epochs(w)
    enter_user(w.m, VcpuId((1, 0)))
    assert [is_cached(w.m, 0, w.m.tlb[0, page]) for page in (PAGE, PAGE + 1)] == [False, True]
    enter_kernel(w.m, VcpuId((1, 0)))
    assert is_cached(w.m, 0, w.m.tlb[0, PAGE + 1])
    assert epochs(w) == before


def test_a_vcpu_leaves_its_translations_behind_and_they_are_gone(pte: PteFormat) -> None:
    w, _, data = world(pte)
    v = VcpuId((1, 0))
    assert run(store(w.call(), VA, 1)) is None
    with pytest.raises(Refused) as refusal:
        switch_vcpu(w.m, CPU1, v)
    assert refusal.value.errno == EAGAIN
    idle_cpu(w.m, CPU0)
    assert not is_cached(w.m, 0, w.m.tlb[0, PAGE])
    assert not w.m.dirty[1, 0].dirty
    switch_vcpu(w.m, CPU1, v)
    assert (w.m.cpus[1].current, w.m.dirty[1, 1].dirty) == (v, True)
    assert run(store(w.call(), VA, 2)) is None
    assert is_cached(w.m, 1, w.m.tlb[1, PAGE])
    assert w.m.words[data, 0] == 2


def test_a_store_marks_the_entry_dirty_before_it_is_cached_for_stores(pte: PteFormat) -> None:
    w, root, _ = world(pte)
    l1, slot = w.path(root, VA)[-1], w.pte.indices(VA)[-1]
    marks = ACCESSED | DIRTY
    run(load(w.call(), VA))
    assert (w.m.words[l1, slot] & marks, w.m.tlb[0, PAGE].writable) == (ACCESSED, False)
    with pytest.raises(Refused):
        store_through(w.m, CPU0, PAGE, 0, 1)
    assert run(store(w.call(), VA, 1)) is None
    assert (w.m.words[l1, slot] & marks, w.m.tlb[0, PAGE].writable) == (marks, True)


def test_the_processor_marks_only_entries_of_tables(pte: PteFormat) -> None:
    w, root, data = world(pte)
    w.put(data, 5, root, RO)
    with pytest.raises(Refused):
        mark_used(w.m, data, 5, dirty=True)
    mark_used(w.m, w.path(root, VA)[-1], w.pte.indices(VA)[-1], dirty=True)


def test_an_eviction_is_always_possible_and_changes_nothing_else(pte: PteFormat) -> None:
    w, _, data = world(pte)
    assert run(store(w.call(), VA, 7)) is None
    invalidate(w.m, CPU0, PAGE)
    assert run(load(w.call(), VA)) == 7
    assert w.m.words[data, 0] == 7


def test_a_frame_is_not_given_away_while_a_cpu_may_reach_it(pte: PteFormat) -> None:
    w, root, data = world(pte)
    unmapped(w, root, data)
    claim.drop_allocation(w.m, data, DomId(1))
    assert w.m.frames[data].ref_count == 0
    with pytest.raises(Refused) as refusal:
        reservation.allocate(w.m, data, DomId(2))
    assert refusal.value.errno == EAGAIN
    store_through(w.m, CPU0, PAGE, 0, 0xDEAD)
    w.give(data, 2)
    assert w.m.words[data, 0] == 0
    with pytest.raises(Refused):
        store_through(w.m, CPU0, PAGE, 0, 0xDEAD)


# --- Flushes of the CPUs that a mask of vCPUs names ---------------------------------------------------------


def two_running() -> tuple[World, Mfn]:
    """Return a machine on which domain 1 runs on both CPUs, and the frame that VA maps writable."""
    w, _, data = world(FourLevel(), vcpus=2)
    switch_vcpu(w.m, CPU1, VcpuId((1, 1)))
    return w, data


def flushed(w: World, before: list[int]) -> list[int]:
    """Return which CPUs were flushed."""
    return [c for c in (CPU0, CPU1) if w.m.cpus[c].epoch != before[c]]


@pytest.mark.parametrize(("mask", "cpus"), [(0, []), (1, [0]), (2, [1]), (3, [0, 1]), (4, [])])
def test_a_mask_of_vcpus_says_which_cpus_are_flushed(mask: int, cpus: list[int]) -> None:
    w, data = two_running()
    before = [w.m.cpus[c].epoch for c in (CPU0, CPU1)]
    op = MmuextOp((ExtOp(Command.TLB_FLUSH_MULTI, 0, mask),), DOMID_SELF)
    assert run(mmuext_op(w.call(), op)).rc == 0
    assert flushed(w, before) == cpus
    w.m.words[data, 1] = mask
    before = [w.m.cpus[c].epoch for c in (CPU0, CPU1)]
    call = UpdateVaMapping(NEXT_VA, 0, (VA + 8) | FLUSH_TLB)
    assert run(update_va_mapping(w.call(), call)).rc == 0
    assert flushed(w, before) == cpus
