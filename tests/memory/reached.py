"""States reached by the model's own calls, in which every invariant of memory and TLB has something to say.

Each scenario returns a plain machine; some stop in the middle of a call, where references are in flight and
tables are half promoted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.grants.world import BOTH, FOR_READING, READ, GrantWorld
from tests.worlds import KERNEL_VA, RO, RW, TABLE_FLAGS, USER, World, preempting
from xenmodel.abi.geometry import FourLevel, Pae
from xenmodel.abi.grant import E_READONLY, E_SUB_PAGE, PERMIT_ACCESS, TRANSITIVE
from xenmodel.abi.pte import PAT
from xenmodel.domains.lifecycle import CreateDomain, DestroyDomain, create, destroy
from xenmodel.domains.vcpu_op import register_info
from xenmodel.events.frames import hold_eoi_frame, hold_event_frame
from xenmodel.grants.arguments import Batch, Copy, CopyEnd, SetVersion, UnmapGrantRef
from xenmodel.grants.calls import grant_table_op
from xenmodel.grants.copying import copy_unit
from xenmodel.grants.guest import write_entry
from xenmodel.hardware.access import Fault, load, store
from xenmodel.hardware.prefixes import begin_prefix, extend_prefix, fill_through
from xenmodel.hardware.segments import load_selector
from xenmodel.hardware.tlb import idle_cpu
from xenmodel.hypercall import run
from xenmodel.memory.claim import claim, finish_flush, flush_next_cpu, lock_page, take_ref
from xenmodel.memory.descriptors import SetGdt, set_gdt
from xenmodel.memory.holders import Purpose
from xenmodel.memory.linking import skip_absent
from xenmodel.memory.memory_op import Reservation, reservation
from xenmodel.memory.mmu_update import MmuUpdate, mmu_update
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp, mmuext_op
from xenmodel.memory.reservation import drop_allocated
from xenproofs.judge.adapter import plain
from xenproofs.judge.monitor import STEP_INVARIANTS
from xenspec.vocabulary import (
    DOMID_SELF,
    L2,
    Cpu,
    DomId,
    EntryId,
    FlightId,
    GrantFrameId,
    Mfn,
    PageType,
    Va,
    VcpuId,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenmodel.abi.geometry import PteFormat
    from xenmodel.machine import Machine

INVARIANTS: Final = tuple(i for i in STEP_INVARIANTS if i.subsystem != "events")
"""Those of memory, of translation caches and of grants; tests/events has the others."""
FIRST: Final = 0x100
"""The first frame that a world gives away."""
VA: Final = Va(0x40003000)
PAGE: Final = 0x1000
V: Final = VcpuId((1, 0))
HARMFUL: Final = 0x00008200_00000000
"""A present LDT descriptor: Xen refuses it, and rightly."""
DATA: Final = 0x00CFF300_0000FFFF
"""A data segment of ring 3 that was used."""


def idle_world(cpus: int = 1, geometry: PteFormat | None = None) -> World:
    """Return a world whose CPUs run nobody."""
    w = World(geometry or FourLevel(), cpus=cpus)
    for cpu in range(cpus):
        idle_cpu(w.m, Cpu(cpu))
    return w


def loaded(mappings: dict[int, tuple[int, int]], domain: int = 1, cpus: int = 2) -> tuple[World, Mfn]:
    """Return a world in which a domain runs on tables with these mappings, and the top-level one."""
    w = idle_world(cpus)
    w.runs(domain)
    root = w.tree(mappings, domain)
    assert w.pin(root, domain=domain) == 0
    assert w.ext((Command.NEW_BASEPTR, root), domain=domain) == 0
    return w, root


def xens_pages() -> Machine:
    """Pages that Xen writes to, a GDT, an LDT in use, and both base pointers."""
    w = idle_world(2)
    ldt, gdt, code = w.page(), w.page(), w.page()
    w.m.words[ldt, 0], w.m.words[gdt, 2] = DATA, DATA
    w.m.words[code, 1], w.m.words[code, 260] = HARMFUL, HARMFUL
    w.runs(1)
    root = w.tree({VA: (ldt, RO | USER), VA + PAGE: (code, RW | USER)})
    assert w.pin(root) == 0
    assert w.ext((Command.NEW_BASEPTR, root), (Command.NEW_USER_BASEPTR, root)) == 0
    x = w.call()
    assert run(set_gdt(x, SetGdt((gdt,), 8))).rc == 0
    assert run(mmuext_op(x, MmuextOp((ExtOp(Command.SET_LDT, VA, 8),), DOMID_SELF))).rc == 0
    assert run(load_selector(x, 0x7)) is None
    assert run(register_info(x, V, w.page(), 0)) == 0
    assert run(hold_event_frame(x, w.page(), 0)) == 0
    assert run(hold_eoi_frame(x, w.page())) == 0
    return w.m


def linear_tables() -> Machine:
    """A table that links another of its level, and one that links itself."""
    w = idle_world()
    inner, outer = w.page(), w.page()
    assert w.pin(inner, L2) == 0
    w.put(outer, 0, inner, RO | USER)
    w.put(outer, 1, outer, RO | USER)
    assert w.pin(outer, L2) == 0
    return w.m


def foreign_mappings() -> Machine:
    """The control domain maps device memory and another domain's frame, which it also has cached."""
    w, root = loaded({VA: (0, 0), VA + PAGE: (0xB8, RW | USER)}, domain=0)
    theirs = w.page(1)
    l1 = w.path(root, VA)[-1]
    slot = w.pte.indices(VA)[-1]
    assert w.update(l1, slot, w.pte.entry(theirs, RW | USER | 0x60), domain=0, on=1) == 0
    assert run(store(w.call(0), VA, 7)) is None
    return w.m


def stale_translations() -> Machine:
    """A guest unmaps what it has cached writable, keeps one such frame, and gives the other one up."""
    w = idle_world(2)
    kept, given_up, used = w.page(), w.page(), w.page()
    w.runs(1)
    root = w.tree({VA + i * PAGE: (f, RW | USER) for i, f in enumerate((kept, given_up, used))})
    assert w.pin(root) == 0
    assert w.ext((Command.NEW_BASEPTR, root)) == 0
    for i in range(3):
        assert run(store(w.call(), Va(VA + i * PAGE), i)) is None
    l1 = w.path(root, VA)[-1]
    first = w.pte.indices(VA)[-1]
    for slot in (first, first + 1):
        assert w.update(l1, slot, 0) == 0
    call = Reservation("decrease", DOMID_SELF, (given_up,), 0, lambda _: None)
    assert run(reservation(w.call(), call)).rc == 1
    return w.m


def claimed_while_cached() -> Machine:
    """A frame that a CPU can still write is claimed as a page table: its flush has yet to come."""
    w = idle_world(2)
    f, k = w.page(), FlightId((V, Purpose.NEW))
    w.runs(1)
    root = w.tree({VA: (f, RW | USER)})
    assert w.pin(root) == 0
    assert w.ext((Command.NEW_BASEPTR, root)) == 0
    assert run(store(w.call(), VA, 0)) is None
    assert w.update(w.path(root, VA)[-1], w.pte.indices(VA)[-1], 0) == 0
    take_ref(w.m, k, f, DomId(1))
    claim(w.m, k, PageType.L1)
    return w.m


def prefixes(stage: int) -> Machine:
    """A CPU walks by prefixes into tables that are then demoted, taken for something else, or given up."""
    w, _ = loaded({VA: (0, 0)})
    root = w.tree({VA: (w.page(), RW | USER)})
    assert w.pin(root) == 0
    _, l3, l2, l1 = w.path(root, VA)
    slot = w.pte.indices(VA)
    begin_prefix(w.m, Cpu(0), 3, 0, EntryId((root, slot[0])), writable=True, user=True)
    extend_prefix(w.m, Cpu(0), 3, 0, slot[1], writable=True)
    extend_prefix(w.m, Cpu(0), 2, slot[1], slot[2], writable=True)
    if stage == 0:
        return w.m
    assert w.ext((Command.UNPIN_TABLE, root)) == 0
    first, k = slot[1] * w.pte.slots + slot[2], FlightId((V, Purpose.NEW))
    if stage == 1:
        fill_through(w.m, Cpu(0), first, slot[3], writable=True, is_global=False, foreign=False)
    elif stage == 2:
        take_ref(w.m, k, l1, DomId(1))
        claim(w.m, k, PageType.L2)
    else:
        call = Reservation("decrease", DOMID_SELF, (l3, l2), 0, lambda _: None)
        assert run(reservation(w.call(), call)).rc == 2
    return w.m


def pae_tables() -> Machine:
    """Tables of the PAE geometry: only the L2 table for the top of the address space has slots of Xen."""
    w = idle_world(geometry=Pae())
    assert w.pin(w.tree({KERNEL_VA: (w.page(), RW | USER)})) == 0
    return w.m


def write_combining() -> Machine:
    """The control domain maps memory write-combining."""
    w, _ = loaded({VA: (0, 0)}, domain=0)
    page = w.page(0)
    w2 = w.tree({VA: (page, RW | USER | PAT)}, domain=0)
    assert w.pin(w2, domain=0) == 0
    return w.m


def partial_in_partial() -> Machine:
    """A promotion stopped in the second entry of an L2 table, below an L3 table that stays partial too."""
    w = idle_world()
    l1s, l2, l3 = (w.page(), w.page()), w.page(), w.page()
    for slot, l1 in enumerate(l1s):
        w.put(l1, 0, w.page(), RW | USER)
        w.put(l2, slot, l1, TABLE_FLAGS)
    w.put(l3, 0, l2, TABLE_FLAGS)
    call = MmuextOp((ExtOp(Command.PIN_L3_TABLE, l3),), DOMID_SELF)
    result, _ = preempting(mmuext_op(w.call(), call), at=(0,))
    assert result.continuation is not None
    assert w.m.frames[l3].partial_entry
    return w.m


def old_table() -> Machine:
    """An update has replaced a link to an L1 table; its release waits for the re-entry."""
    w, root = loaded({VA: (0, 0)})
    l2 = w.path(root, VA)[-2]
    slot = w.pte.indices(VA)[-2]
    request = (l2 * 4096 + slot * 8, w.pte.entry(w.page(), TABLE_FLAGS))
    result = run(mmu_update(w.call(), MmuUpdate((request,), DOMID_SELF)))
    assert result.continuation is not None
    return w.m


def in_flight(stage: int) -> Machine:
    """A frame on its way to become a table: referenced, claimed, half flushed, being validated."""
    w, _ = loaded({VA: (0, 0)})
    f, k = w.page(), FlightId((V, Purpose.NEW))
    w.put(f, 3, w.page(), RW | USER)
    steps: list[Callable[[], None]] = [
        lambda: take_ref(w.m, k, f, DomId(1)),
        lambda: claim(w.m, k, PageType.L1),
        lambda: flush_next_cpu(w.m, k),
        lambda: flush_next_cpu(w.m, k),
        lambda: finish_flush(w.m, k),
        lambda: skip_absent(w.m, k, 3),
    ]
    for step in steps[:stage]:
        step()
    return w.m


def grants_in_use() -> Machine:
    """A guest maps what another grants it, for processors and devices, and reaches it."""
    world = GrantWorld()
    world.guest(2, 4)
    for ref, flags in enumerate((BOTH, BOTH | READ)):
        world.grants(1, ref, 2, world.w.page(1))
        assert world.maps(2, ref, 1, VA + ref * PAGE, flags).status == 0
    assert run(store(world.w.call(2), VA, 7)) is None
    assert not isinstance(run(load(world.w.call(2), Va(VA + PAGE))), Fault)
    assert world.asks(1, SetVersion(2, lambda: Mfn(world.w.free.pop(0)))).rc == 0
    return world.m


def half_unmapped() -> Machine:
    """Mappings for processors and devices are ended; the flush has yet to come."""
    world = GrantWorld()
    world.guest(2, 4)
    ops: list[UnmapGrantRef] = []
    for ref, flags in enumerate((BOTH, BOTH | READ)):
        world.grants(1, ref, 2, world.w.page(1))
        address = VA + ref * PAGE
        answer = world.maps(2, ref, 1, address, flags)
        ops.append(UnmapGrantRef(address, answer.device_address, answer.handle))
    steps = grant_table_op(world.w.call(2), Batch(tuple(ops)))
    while not world.m.unmappings[(2, 0), 1].device:
        next(steps)
    return world.m


def half_copied() -> Machine:
    """A copy between two grants stops in the middle."""
    world = GrantWorld()
    world.grants(1, 0, 2, world.w.page(1), FOR_READING)
    world.grants(1, 1, 2, world.w.page(1))
    op = Copy(CopyEnd(1, 0, 0, by_ref=True), CopyEnd(1, 1, 8, by_ref=True), 64)
    steps = grant_table_op(world.w.call(2), Batch((op,)))
    while next(steps) is not copy_unit:
        pass
    return world.m


def half_copied_part() -> Machine:
    """A copy from a part of a page, which an entry of version 2 grants, stops in the middle."""
    world = GrantWorld()
    heap = world.w.free
    assert world.asks(1, SetVersion(2, lambda: Mfn(heap.pop(0)))).rc == 0
    page = GrantFrameId((1, 0))
    write_entry(world.m, page, 0, PERMIT_ACCESS | E_READONLY | E_SUB_PAGE | 2 << 16 | 64 << 48)
    write_entry(world.m, page, 1, world.w.page(1))
    op = Copy(CopyEnd(1, 0, 0, by_ref=True), CopyEnd(DOMID_SELF, world.w.page(2), 0, by_ref=False), 16)
    steps = grant_table_op(world.w.call(2), Batch((op,)))
    while next(steps) is not copy_unit:
        pass
    return world.m


def passed_on(stop: str) -> Machine:
    """A copy goes through an entry of domain 2 that passes on what domain 0 grants, up to a step."""
    world = GrantWorld()
    world.grants(0, 5, 2, world.w.page(0), FOR_READING)
    assert world.asks(2, SetVersion(2, lambda: Mfn(world.w.free.pop(0)))).rc == 0
    page = GrantFrameId((2, 0))
    write_entry(world.m, page, 6, TRANSITIVE | 1 << 16)
    write_entry(world.m, page, 7, 5)
    op = Copy(CopyEnd(2, 3, 0, by_ref=True), CopyEnd(DOMID_SELF, world.w.page(1), 0, by_ref=False), 16)
    for found in grant_table_op(world.w.call(1), Batch((op,))):
        if getattr(found, "__name__", "") == stop:
            return world.m
    raise AssertionError(stop)


def locked_table() -> Machine:
    """A table that a call has locked, to update it."""
    w, root = loaded({VA: (0, 0)})
    k = FlightId((V, Purpose.PAGE))
    take_ref(w.m, k, root, DomId(1))
    lock_page(w.m, k)
    return w.m


def ending(*, over: bool) -> Machine:
    """A domain was made, ran and is being destroyed; or is gone, and its number is nobody's."""
    w = idle_world()
    w.runs(0)

    def pages(d: DomId) -> list[Mfn]:
        return [Mfn(f) for f, frame in plain(w.m.frames).rows() if frame.owner == d]

    made = CreateDomain(DomId(3), 2, 8, 8, lambda _: Mfn(w.free.pop(0)), pages)
    assert run(create(w.call(0), made)).rc == 0
    steps = destroy(w.call(0), DestroyDomain(DomId(3), pages))
    if over:
        assert run(steps).rc == 0
    else:
        while next(steps) is not drop_allocated:
            pass
    return w.m


SCENARIOS: Final[dict[str, Callable[[], Machine]]] = {
    "xens pages": xens_pages,
    "linear tables": linear_tables,
    "foreign mappings": foreign_mappings,
    "stale translations": stale_translations,
    "claimed while cached": claimed_while_cached,
    "prefixes of walks": lambda: prefixes(0),
    "prefixes of demoted tables": lambda: prefixes(1),
    "prefixes and a claim": lambda: prefixes(2),
    "prefixes of free frames": lambda: prefixes(3),
    "PAE tables": pae_tables,
    "write combining": write_combining,
    "partial in partial": partial_in_partial,
    "old table": old_table,
    "locked table": locked_table,
    "grants in use": grants_in_use,
    "half unmapped": half_unmapped,
    "half copied": half_copied,
    "half copied part": half_copied_part,
    "grant to be passed on": lambda: passed_on("pin_passed"),
    "grant passed on": lambda: passed_on("copy_unit"),
    "a domain is dying": lambda: ending(over=False),
    "a domain is gone": lambda: ending(over=True),
    "referenced": lambda: in_flight(1),
    "claimed": lambda: in_flight(2),
    "half flushed": lambda: in_flight(3),
    "being validated": lambda: in_flight(6),
}
"""Every scenario by name."""
