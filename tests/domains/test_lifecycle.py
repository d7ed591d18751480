"""Domains come and go: after a destruction nothing is left but the free list (property 32, first half)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest

from tests.worlds import FIRST, GEOMETRIES, RO, RW, TABLE_FLAGS, USER, World, preempting
from xenmodel.domains.lifecycle import (
    Created,
    CreateDomain,
    DestroyDomain,
    begin_destroy,
    create,
    create_domain,
    destroy,
)
from xenmodel.domains.rows import Domain, Vcpu
from xenmodel.hypercall import run
from xenmodel.memory.claim import drop_ref, take_ref
from xenmodel.memory.holders import Purpose
from xenmodel.memory.memory_op import Reservation
from xenmodel.memory.memory_op import reservation as memory_op
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp, mmuext_op
from xenmodel.memory.rows import NO_PFN
from xenmodel.step import Refused
from xenproofs.judge.adapter import plain
from xenspec.table import PlainWords
from xenspec.vocabulary import (
    DOMID_SELF,
    DOMID_XEN,
    EEXIST,
    EINVAL,
    ENOMEM,
    EPERM,
    ESRCH,
    DomId,
    FlightId,
    Mfn,
    VcpuId,
)

if TYPE_CHECKING:
    from xenmodel.abi.geometry import PteFormat
    from xenspec.table import Table

K = TypeVar("K")
R = TypeVar("R")

NEW = DomId(3)
VA, SECOND_VA, FOREIGN_VA = 0x40003000, 0x40005000, 0x80001000


@pytest.fixture(params=GEOMETRIES, ids=lambda g: type(g).__name__)
def w(request: pytest.FixtureRequest) -> World:
    """Give a machine of each geometry, on which Domain0 runs."""
    geometry: PteFormat = request.param
    world = World(geometry)
    world.runs(0)
    return world


def pages(w: World, d: DomId) -> list[Mfn]:
    """Return a domain's frames, as Xen's page_list does."""
    return [Mfn(f) for f, frame in plain(w.m.frames).rows() if frame.owner == d]


def new(w: World, size: int = 24, caller: int = 0, **other: int) -> Created:
    """Create domain 3 with a reservation."""
    args = {"domain": NEW, "vcpus": 2, "max_pages": size, "reservation": size} | other
    call = CreateDomain(
        DomId(args["domain"]),
        args["vcpus"],
        args["max_pages"],
        args["reservation"],
        lambda _order: Mfn(w.free.pop(0)) if w.free else None,
        lambda d: pages(w, d),
    )
    return run(create(w.call(caller), call))


def destruction(w: World, d: int = NEW) -> DestroyDomain:
    """Return the call that destroys a domain."""
    return DestroyDomain(DomId(d), lambda domain: pages(w, domain))


def gone(w: World, d: int = NEW, caller: int = 0) -> int:
    """Destroy a domain to the end; return the answer."""
    result = run(destroy(w.call(caller), destruction(w, d)))
    assert result.continuation is None
    return result.rc


def live(w: World) -> tuple[Mfn, tuple[Mfn, ...]]:
    """Let domain 3 run on tables of its own, pinned and loaded; return the top-level one, and its frames."""
    frames = new(w).frames
    w.m.vcpus[NEW, 0].initialised = True
    w.runs(NEW)
    w.given[NEW] = list(frames[4:])
    root = w.tree({VA: (frames[0], RW | USER), SECOND_VA: (frames[1], RO | USER)}, NEW)
    w.given[NEW] = []
    assert w.pin(root, domain=NEW) == 0
    assert w.ext((Command.NEW_BASEPTR, root), domain=NEW) == 0
    assert w.ext((Command.NEW_USER_BASEPTR, root), domain=NEW) == 0
    w.check()
    return root, frames


FREE_LIST = {
    "frames": ("dirty", "stamp", "top_l2", "cursor", "next_slot"),
    "flights": ("frame",),
    "entries": ("linked_as", "target", "writable", "backed"),
}
"""What is left behind and means nothing: the frame is free, the flight idle, the entry unlinked."""


def state(w: World) -> dict[str, object]:
    """Return all that a machine keeps but the free list and the clocks: rows that are not as if absent."""
    m = w.m
    kept: dict[str, object] = {}
    kept |= rows_of(m.frames) | rows_of(m.entries) | rows_of(m.flights) | rows_of(m.m2p)
    kept |= rows_of(m.domains) | rows_of(m.vcpus) | rows_of(m.gdt) | rows_of(m.ldt) | rows_of(m.traps)
    kept |= rows_of(m.event_frames) | rows_of(m.eoi_frames) | rows_of(m.ports)
    words = m.words
    assert isinstance(words, PlainWords)
    kept |= {f"words[{f}]": dict(words.pages[f]) for f in words.frames() if m.frames[f].ref_count}
    return kept


def rows_of(table: Table[K, R]) -> dict[str, object]:
    """Return the rows of a table that are not as if absent."""
    kept: dict[str, object] = {}
    rows = plain(table)
    for key, row in rows.rows():
        fields, absent = fields_of(rows.name, row), fields_of(rows.name, rows.fresh(key))
        if fields != absent:
            kept[f"{rows.name}[{key}]"] = fields
    return kept


def fields_of(name: str, row: object) -> dict[str, object]:
    """Return a row's fields but for those that mean nothing."""
    ignored = FREE_LIST.get(name, ())
    return {f: getattr(row, f) for f in getattr(row, "__slots__", ()) if f not in ignored}


def test_after_a_destruction_all_is_as_before(w: World) -> None:
    assert gone(w, 2) == 0
    assert new(w).rc == 0
    assert gone(w) == 0
    before = state(w)
    live(w)
    assert state(w) != before
    assert gone(w) == 0
    assert state(w) == before
    assert (w.m.domains[NEW], w.m.vcpus[NEW, 0]) == (Domain(), Vcpu(domain=NEW))
    assert all(w.m.m2p[f].pfn == NO_PFN for f in range(FIRST, FIRST + 0x100))
    w.check()


def test_a_destruction_interrupted_anywhere_goes_on(w: World) -> None:
    """And one interrupted again before it has come as far."""
    live(w)
    _, points = preempting(destroy(w.call(0), destruction(w)), ())
    assert points > 24
    for point in range(points):
        again = World(w.pte)
        again.runs(0)
        live(again)
        call = destruction(again)
        first, _ = preempting(destroy(again.call(0), call), [point])
        assert first.continuation is not None
        again.check()
        preempting(destroy(again.call(0), call), [point // 2])
        again.check()
        assert run(destroy(again.call(0), call)).rc in (0, -ESRCH)
        assert not again.m.domains[NEW].exists
        assert pages(again, NEW) == []
        again.check()


def test_a_second_destruction_finds_nobody(w: World) -> None:
    live(w)
    assert gone(w) == 0
    assert gone(w) == -ESRCH


def test_only_a_control_domain_creates_and_destroys(w: World) -> None:
    assert new(w, caller=1).rc == -EPERM
    assert gone(w, 2, caller=1) == -EPERM
    assert gone(w, 0) == -EINVAL
    with pytest.raises(Refused) as refusal:
        create_domain(w.m, DomId(0), NEW, (1, 1), privileged=True)
    assert refusal.value.errno == EPERM
    create_domain(w.m, DOMID_XEN, NEW, (1, 1), privileged=True)
    assert w.m.domains[NEW].privileged


def test_a_number_in_use_is_not_given_again(w: World) -> None:
    before = state(w)
    assert new(w, domain=1).rc == -EEXIST
    assert new(w, domain=0x7FF0).rc == -EINVAL
    assert new(w, vcpus=0).rc == -EINVAL
    kept = {key for key, row in state(w).items() if before.get(key) != row}
    assert kept <= {"domains[3]", "domains[32752]"}


def test_a_reservation_is_admitted_whole_or_not_at_all(w: World) -> None:
    assert new(w, reservation=25).rc == -EINVAL
    w.free = w.free[:10]
    assert new(w) == Created(-ENOMEM)
    assert not w.m.domains[NEW].exists
    assert pages(w, NEW) == []
    w.check()


def test_a_domain_gets_no_more_than_its_maximum(w: World) -> None:
    assert new(w).rc == 0
    ask = Reservation("increase", NEW, (0,), 0, lambda _order: Mfn(w.free.pop(0)))
    assert run(memory_op(w.call(0), ask)).rc == 0
    with pytest.raises(Refused) as refusal:
        w.give(Mfn(w.free[0]), NEW)
    assert refusal.value.errno == ENOMEM
    w.check()


def test_a_dying_domain_is_given_nothing(w: World) -> None:
    assert new(w, reservation=4).rc == 0
    begin_destroy(w.m, DomId(0), NEW)
    with pytest.raises(Refused) as refusal:
        w.give(Mfn(w.free[0]), NEW)
    assert refusal.value.errno == EINVAL


def foreign_mapping(w: World, f: Mfn) -> tuple[Mfn, int]:
    """Let Domain0 map another domain's frame read-only; return the L1 table and slot."""
    root = w.tree({FOREIGN_VA: (w.page(0), RO | USER)}, 0)
    l1 = w.path(root, FOREIGN_VA)[-1]
    assert w.pin(root, domain=0) == 0
    assert w.update(l1, 9, w.pte.entry(f, RO | USER), domain=0, on=NEW) == 0
    return l1, 9


def test_a_frame_that_domain0_maps_survives_its_owner(w: World) -> None:
    _, frames = live(w)
    f = frames[1]
    w.m.words[f, 7] = 0x5EC2E7
    l1, slot = foreign_mapping(w, f)
    assert gone(w) == 0
    assert (w.m.frames[f].ref_count, w.m.frames[f].allocated) == (1, False)
    assert w.m.words[f, 7] == 0x5EC2E7
    assert (w.m.domains[NEW].exists, w.m.domains[NEW].dying, w.m.domains[NEW].pages) == (True, True, 1)
    assert new(w).rc == -EEXIST
    assert gone(w) == 0
    w.check()
    assert w.update(l1, slot, 0, domain=0) == 0
    assert w.m.frames[f].ref_count == 0
    assert new(w).rc == 0
    w.check()


def test_a_frame_comes_scrubbed_to_another_domain(w: World) -> None:
    _, frames = live(w)
    f = frames[0]
    w.m.words[f, 7] = 0x5EC2E7
    assert gone(w) == 0
    assert w.m.frames[f].dirty
    w.give(f, 2)
    assert not w.m.frames[f].dirty
    assert [w.m.words[f, slot] for slot in range(w.pte.slots)] == [0] * w.pte.slots


def test_without_scrubbing_it_would_be_read(w: World) -> None:
    """The negative control of the test before."""
    _, frames = live(w)
    w.m.words[frames[0], 7] = 0x5EC2E7
    assert gone(w) == 0
    w.m.frames[frames[0]].dirty = False
    w.give(frames[0], 2)
    assert w.m.words[frames[0], 7] == 0x5EC2E7


def test_an_interrupted_promotion_is_taken_over(w: World) -> None:
    root, frames = live(w)
    assert w.ext((Command.UNPIN_TABLE, root), domain=NEW) == 0
    fresh, lower = frames[2], frames[3]
    w.put(fresh, 0, lower, TABLE_FLAGS)
    w.put(fresh, 1, w.path(root, VA)[-1], TABLE_FLAGS)
    assert interrupted_pin(w, fresh)
    w.check()
    assert gone(w) == 0
    assert not w.m.domains[NEW].exists
    w.check()


def interrupted_pin(w: World, f: Mfn) -> bool:
    """Pin an L2 table of domain 3 and be preempted on the way; return whether it is left partial."""
    call = MmuextOp((ExtOp(Command.PIN_L2_TABLE, f),), DOMID_SELF)
    for point in range(4):
        result, _ = preempting(mmuext_op(w.call(NEW), call), [point])
        if w.m.frames[f].partial:
            return result.continuation is not None
    return False


def test_linear_tables_hold_no_circle(w: World) -> None:
    _, frames = live(w)
    first, second = frames[2], frames[3]
    for table in (first, second):
        assert w.pin(table, 2, domain=NEW) == 0
    assert w.update(first, 8, w.pte.entry(second, RO | USER), domain=NEW) == 0
    assert w.update(first, 9, w.pte.entry(first, RO | USER), domain=NEW) == 0
    assert gone(w) == 0
    assert not w.m.domains[NEW].exists
    w.check()


def test_a_pin_that_comes_too_late_is_dropped(w: World) -> None:
    _, frames = live(w)
    f = frames[2]
    k = FlightId((VcpuId((1, 0)), Purpose.SOURCE))
    take_ref(w.m, k, f, NEW)
    assert gone(w) == 0
    assert w.ext((Command.PIN_L1_TABLE, f), domain=0, on=NEW) == 0
    assert not w.m.frames[f].pinned
    drop_ref(w.m, k)
    assert w.m.frames[f].ref_count == 0
    w.check()


def test_no_cpu_and_no_translation_is_left(w: World) -> None:
    live(w)
    epoch = w.m.cpus[0].epoch
    assert gone(w) == 0
    assert w.m.cpus[0].epoch > epoch
    assert not w.m.dirty[NEW, 0].dirty
    assert w.m.vcpus[w.m.cpus[0].current].domain != NEW
