"""What becomes of grants: each step of each call under the monitor, which holds every invariant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.grants.world import (
    ACCEPT,
    BOTH,
    DEVICE,
    FOR_READING,
    HOST,
    READ,
    VA,
    GrantWorld,
)
from xenmodel.abi.grant import CONTAINS_PTE
from xenmodel.domains.lifecycle import DestroyDomain, destroy
from xenmodel.grants.arguments import (
    BAD_DEV_ADDR,
    BAD_HANDLE,
    BAD_PAGE,
    GENERAL_ERROR,
    OKAY,
    Batch,
    Copy,
    CopyEnd,
    GetStatusFrames,
    MapGrantRef,
    SetVersion,
    SwapGrantRef,
    TransferFrame,
    UnmapAndReplace,
    UnmapGrantRef,
)
from xenmodel.grants.calls import grant_table_op
from xenmodel.hypercall import Call
from xenproofs.judge.monitor import Monitor
from xenproofs.judge.tracking import store_of
from xenspec.vocabulary import DOMID_SELF, EBUSY, PAGE_SIZE, DomId, Mfn, VcpuId

if TYPE_CHECKING:
    from xenmodel.grants.arguments import Answer, BatchOp, GrantCall, GrantResult

A: Final = 1
B: Final = 2
FREE: Final = (0, 0, 0)


class Watched:
    """A world of which every step is checked."""

    def __init__(self, world: GrantWorld) -> None:
        self.monitor: Final = Monitor.over(world.m, steps=True)
        assert not self.monitor.start()
        self.m: Final = self.monitor.machine
        world.w.m = self.m

    def asks(self, domain: int, call: GrantCall) -> GrantResult:
        """Make a call; nothing may be wrong after any of its steps."""
        assert not self.monitor.after_call(DomId(domain)), "of what was done before"
        x = Call(self.m, VcpuId((domain, 0)), DomId(domain))
        result, found = self.monitor.drive(DomId(domain), grant_table_op(x, call))
        assert not found, found[0]
        return result

    def does(self, domain: int, op: BatchOp) -> Answer:
        """Make a call of one operation."""
        return self.asks(domain, Batch((op,))).answers[0]

    def pins(self, domain: int, ref: int) -> tuple[int, int, int, int]:
        """Return an entry's pins."""
        a = self.m.active[domain, ref]
        return a.host_writable, a.host_readonly, a.device_writable, a.device_readonly

    def counts(self, f: int) -> tuple[int, int]:
        """Return a frame's counts."""
        return self.m.frames[f].type_count, self.m.frames[f].ref_count


def shared() -> tuple[GrantWorld, Mfn]:
    """Return a world in which B runs and A grants it a frame in entry 5."""
    world = GrantWorld()
    world.guest(B, 4)
    f = world.w.page(A)
    world.grants(A, 5, B, f)
    return world, f


@pytest.mark.parametrize(
    ("flags", "pins", "counts"),
    [
        (HOST, (1, 0, 0, 0), (1, 2)),
        (HOST | READ, (0, 1, 0, 0), (0, 2)),
        (DEVICE, (0, 0, 1, 0), (1, 2)),
        (DEVICE | READ, (0, 0, 0, 1), (0, 2)),
        (BOTH, (1, 0, 1, 0), (2, 3)),
        (BOTH | READ, (0, 1, 0, 1), (0, 3)),
    ],
)
def test_what_is_mapped_is_pinned_and_held_and_given_back(
    flags: int, pins: tuple[int, int, int, int], counts: tuple[int, int]
) -> None:
    world, f = shared()
    v = Watched(world)
    before = v.counts(f)
    answer = v.does(B, MapGrantRef(VA, flags, 5, A))
    assert (answer.status, answer.device_address) == (OKAY, f * PAGE_SIZE)
    assert (v.pins(A, 5), v.counts(f)) == (pins, counts)
    assert world.entry(A, 5)[0] & 24 == (8 if flags & READ else 24)
    device = f * PAGE_SIZE if flags & DEVICE else 0
    assert v.does(B, UnmapGrantRef(VA, device, answer.handle)).status == OKAY
    assert (v.pins(A, 5), v.counts(f)[1]) == ((0, 0, 0, 0), before[1])
    assert v.does(B, UnmapGrantRef(VA, device, answer.handle)).status == BAD_HANDLE
    assert world.entry(A, 5)[0] & 24 == 0


def test_the_two_parts_of_a_mapping_go_one_by_one() -> None:
    world, f = shared()
    v = Watched(world)
    h = v.does(B, MapGrantRef(VA, BOTH, 5, A)).handle
    assert v.does(B, UnmapGrantRef(0, (f + 1) * PAGE_SIZE, h)).status == BAD_DEV_ADDR
    assert v.does(B, UnmapGrantRef(VA, 0, h)).status == OKAY
    assert (v.pins(A, 5), v.counts(f)) == ((0, 0, 1, 0), (1, 2))
    assert v.does(B, UnmapGrantRef(0, f * PAGE_SIZE, h)).status == OKAY
    assert (v.pins(A, 5), v.counts(f)) == ((0, 0, 0, 0), (0, 1))


def test_an_entry_in_use_is_not_looked_at_again() -> None:
    world, f = shared()
    other = world.w.page(A)
    v = Watched(world)
    assert v.does(B, MapGrantRef(VA, HOST, 5, A)).status == OKAY
    world.grants(A, 5, 0, other, 0)
    again = v.does(B, MapGrantRef(VA + PAGE_SIZE, HOST, 5, A))
    assert (again.status, again.device_address) == (OKAY, f * PAGE_SIZE)
    assert v.does(0, MapGrantRef(VA, HOST, 5, A)).status == GENERAL_ERROR


def test_what_cannot_be_mapped_leaves_nothing_behind() -> None:
    world, f = shared()
    table = world.w.page(A)
    assert world.w.pin(table, 1, domain=A) == 0
    v = Watched(world)
    world.grants(A, 6, B, table)
    world.grants(A, 7, B, f, FOR_READING)
    world.grants(A, 8, B, 0x7000)
    wrong = {6: (HOST, GENERAL_ERROR), 7: (HOST, GENERAL_ERROR), 8: (HOST | READ, BAD_PAGE)}
    for ref, (flags, status) in wrong.items():
        assert v.does(B, MapGrantRef(VA, flags, ref, A)).status == status
        assert v.pins(A, ref) == (0, 0, 0, 0)
        assert world.entry(A, ref)[0] & 24 == 0
    for address, flags in ((0x123456, HOST), (VA * 2**20, HOST), (VA + 4, HOST | CONTAINS_PTE)):
        assert v.does(B, MapGrantRef(address, flags, 5, A)).status == GENERAL_ERROR
        assert (v.pins(A, 5), v.counts(f)[1]) == ((0, 0, 0, 0), 1)
    assert not any(row.taken for row in store_of(v.m.mappings).values())


def test_overwriting_the_entry_keeps_the_handle_in_use_for_good() -> None:
    world, f = shared()
    root = world.m.vcpus[B, 0].base
    v = Watched(world)
    h = v.does(B, MapGrantRef(VA, HOST, 5, A)).handle
    assert world.w.update(world.w.path(root, VA)[-1], world.w.pte.indices(VA)[-1], 0, domain=B) == 0
    assert not v.monitor.after_call(DomId(B))
    assert v.counts(f)[1] == 1
    assert v.does(B, UnmapGrantRef(VA, 0, h)).status == GENERAL_ERROR
    assert v.pins(A, 5) == (1, 0, 0, 0)


def test_replacing_moves_another_mapping() -> None:
    world, f = shared()
    root = world.m.vcpus[B, 0].base
    table, slot = world.w.path(root, VA)[-1], world.w.pte.indices(VA)[-1]
    v = Watched(world)
    moved = v.m.entries[table, slot + 2].target
    h = v.does(B, MapGrantRef(VA, HOST, 5, A)).handle
    assert v.does(B, UnmapAndReplace(VA, VA + 2 * PAGE_SIZE, h)).status == OKAY
    assert (v.m.entries[table, slot].target, v.m.entries[table, slot + 2].linked) == (moved, False)
    h = v.does(B, MapGrantRef(VA, HOST, 5, A)).handle
    other = v.does(B, MapGrantRef(VA + PAGE_SIZE, HOST, 5, A)).handle
    assert v.does(B, UnmapAndReplace(VA, VA + PAGE_SIZE, h)).status == OKAY
    assert v.does(B, UnmapGrantRef(VA, 0, other)).status == OKAY
    assert (v.pins(A, 5), v.counts(f)[1]) == ((0, 0, 0, 0), 1)


def test_a_copy_pins_while_it_copies() -> None:
    world, f = shared()
    mine = world.w.page(B)
    v = Watched(world)
    for slot in range(4):
        world.m.words[f, slot] = 0x1111111111111111 * (slot + 1)
    source = CopyEnd(A, 5, 4, by_ref=True)
    target = CopyEnd(DOMID_SELF, mine, 8, by_ref=False)
    assert v.does(B, Copy(source, target, 11)).status == OKAY
    words = [world.m.words[mine, slot] for slot in range(4)]
    assert words == [0, 0x2222222211111111, 0x222222, 0]
    assert (v.pins(A, 5), v.counts(f), v.counts(mine)[1]) == ((0, 0, 0, 0), (0, 1), 1)


def test_a_transfer_moves_ownership_once() -> None:
    world, _ = shared()
    f = world.w.page(B)
    world.m.words[f, 3] = 77
    world.grants(A, 9, B, 0, ACCEPT)
    pages = world.m.domains[A].pages, world.m.domains[B].pages
    v = Watched(world)
    assert v.does(B, TransferFrame(f, A, 9)).status == OKAY
    assert (v.m.frames[f].owner, v.counts(f), world.m.words[f, 3]) == (A, (0, 1), 77)
    assert world.entry(A, 9) == (14, B, f)
    assert (v.m.domains[A].pages, v.m.domains[B].pages) == (pages[0] + 1, pages[1] - 1)
    assert v.does(B, TransferFrame(f, A, 9)).status == BAD_PAGE


def test_a_transfer_that_fails_loses_the_frame() -> None:
    world, _ = shared()
    f = world.w.page(B)
    v = Watched(world)
    assert v.does(B, TransferFrame(f, A, 9)).status == GENERAL_ERROR
    assert v.counts(f) == (0, 0)
    assert not v.m.transfers[B, 0].reserved


def test_entries_are_swapped_while_nobody_uses_them() -> None:
    world, f = shared()
    v = Watched(world)
    h = v.does(B, MapGrantRef(VA, HOST, 5, A)).handle
    assert v.does(A, SwapGrantRef(5, 6)).status.name == "EAGAIN"
    assert v.does(B, UnmapGrantRef(VA, 0, h)).status == OKAY
    assert v.does(A, SwapGrantRef(5, 6)).status == OKAY
    assert (world.entry(A, 5), world.entry(A, 6)) == (FREE, (1, B, f))


def test_the_other_version_and_back() -> None:
    world, f = shared()
    world.grants(A, 10, B, f)
    v = Watched(world)
    heap = world.w.free
    assert v.asks(A, SetVersion(2, lambda: Mfn(heap.pop(0)))).rc == 0
    assert v.m.grant_tables[A].status_frames == 1
    assert v.asks(A, GetStatusFrames(DOMID_SELF, 1)).told == (v.m.status_frames[A, 0].frame,)
    h = v.does(B, MapGrantRef(VA, HOST, 5, A)).handle
    status = v.m.words[v.m.status_frames[A, 0].frame, 1] >> 16 & 0xFFFF
    assert (status, v.pins(A, 5)) == (24, (1, 0, 0, 0))
    assert v.does(B, MapGrantRef(VA, HOST, 10, A)).status == GENERAL_ERROR
    assert v.does(B, UnmapGrantRef(VA, 0, h)).status == OKAY
    assert v.asks(A, SetVersion(1)).rc == 0
    assert (world.entry(A, 5), world.entry(A, 10)) == ((1, B, f), FREE)
    assert v.m.grant_tables[A].status_frames == 0


def test_a_table_in_use_keeps_its_version() -> None:
    world, f = shared()
    world.grants(A, 10, B, f)
    v = Watched(world)
    assert v.does(B, MapGrantRef(VA, HOST, 10, A)).status == OKAY
    assert v.asks(A, SetVersion(2)).rc == -EBUSY
    assert v.m.grant_tables[A].version == 1


def test_a_table_grows_on_demand() -> None:
    world, _ = shared()
    v = Watched(world)
    world.setup(A, 3)
    assert not v.monitor.after_call(DomId(A))
    assert v.m.grant_tables[A].frames == 3


def test_a_dying_domain_gives_back_its_handles_and_its_entries_go_with_their_tables() -> None:
    world, f = shared()
    v = Watched(world)
    assert v.does(B, MapGrantRef(VA, BOTH, 5, A)).status == OKAY
    owned = [Mfn(n) for n, frame in store_of(v.m.frames).items() if frame.owner == B]
    call = DestroyDomain(DomId(B), lambda _: owned)
    result, found = v.monitor.drive(DomId(0), destroy(Call(v.m, VcpuId((0, 0)), DomId(0)), call))
    assert not found, found[0]
    assert result.rc == 0
    assert (v.pins(A, 5), v.counts(f)) == ((0, 0, 0, 0), (0, 1))
    assert world.entry(A, 5)[0] & 24 == 0
