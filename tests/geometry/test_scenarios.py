"""The same stories in every paging geometry: promotion, pins, links, demotion, and Xen's own range."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.worlds import GEOMETRIES, RO, RW, TABLE_FLAGS, USER, XENS, World, preempting, rest_of, types
from xenmodel.abi.geometry import FourLevel
from xenmodel.hardware.access import Fault, load, store
from xenmodel.hardware.walk import walk
from xenmodel.hypercall import run
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp, mmuext_op
from xenmodel.memory.update_va_mapping import UpdateVaMapping, update_va_mapping
from xenspec.vocabulary import DOMID_SELF, EBUSY, EINVAL, L1, L2, WRITABLE, Errno, Mfn, Va

if TYPE_CHECKING:
    from xenmodel.abi.geometry import PteFormat

VA = Va(0x40003000)
"""An address in every geometry; next to it another in the same L1 table."""
NEXT_VA = Va(0x40004000)


@pytest.fixture(params=GEOMETRIES, ids=lambda g: type(g).__name__)
def w(request: pytest.FixtureRequest) -> World:
    """Give an empty machine of each geometry, with domain 1 running."""
    geometry: PteFormat = request.param
    world = World(geometry)
    world.runs(1)
    return world


def mapped(w: World) -> tuple[Mfn, Mfn, Mfn]:
    """Return a top-level table that maps VA writable and NEXT_VA read-only, and the two frames."""
    data, other = w.page(), w.page()
    return w.tree({VA: (data, RW | USER), NEXT_VA: (other, RO | USER)}), data, other


def test_pinning_promotes_the_whole_tree(w: World) -> None:
    root, data, other = mapped(w)
    path = w.path(root, VA)
    assert w.pin(root) == 0
    assert types(w.m, path) == [(level, 1) for level in range(w.pte.levels, 0, -1)]
    assert all(w.m.frames[f].validated for f in path)
    assert types(w.m, [data, other]) == [(int(WRITABLE), 1), (0, 0)]
    assert w.m.frames[other].ref_count == 2
    w.check()


def test_unpinning_demotes_the_whole_tree(w: World) -> None:
    root, data, other = mapped(w)
    path = w.path(root, VA)
    assert w.pin(root) == 0
    assert w.ext((Command.UNPIN_TABLE, root)) == 0
    assert types(w.m, path) == [(level, 0) for level in range(w.pte.levels, 0, -1)]
    assert [w.m.frames[f].ref_count for f in [*path, data, other]] == [1] * (len(path) + 2)
    w.check()


def test_a_loaded_tree_translates_where_its_tables_say(w: World) -> None:
    root, data, other = mapped(w)
    assert w.pin(root) == 0
    assert w.ext((Command.NEW_BASEPTR, root)) == 0
    found = run(walk(w.call(), root, VA))
    assert found is not None
    assert (found.table, found.slot) == (w.path(root, VA)[-1], w.pte.indices(VA)[-1])
    assert w.pte.target(found.word) == data
    assert run(store(w.call(), VA, 0x1234)) is None
    assert w.m.words[data, 0] == 0x1234
    w.m.words[other, 1] = 0x77
    assert run(load(w.call(), Va(NEXT_VA + w.pte.word_bytes))) == 0x77
    refused = run(store(w.call(), NEXT_VA, 1))
    assert isinstance(refused, Fault)
    assert (refused.vector, refused.address) == (14, NEXT_VA)
    w.check()


def test_a_store_at_any_offset_changes_just_its_bytes(w: World) -> None:
    root, data, _ = mapped(w)
    assert w.pin(root) == 0
    assert w.ext((Command.NEW_BASEPTR, root)) == 0
    width = w.pte.word_bytes
    assert run(store(w.call(), Va(VA + 1), w.pte.word_mask)) is None
    assert w.m.words[data, 0] == w.pte.word_mask ^ 0xFF
    assert w.m.words[data, 1] == 0xFF
    assert run(load(w.call(), Va(VA + 1))) == w.pte.word_mask
    assert run(load(w.call(), Va(VA + width))) == 0xFF


def test_a_table_is_never_mapped_writable(w: World) -> None:
    root, data, _ = mapped(w)
    assert w.pin(root) == 0
    l1 = w.path(root, VA)[-1]
    slot = w.pte.indices(VA)[-1]
    for table in w.path(root, VA):
        assert w.update(l1, slot, w.pte.entry(table, RW | USER)) == -EBUSY
        assert w.update(l1, slot, w.pte.entry(table, RO | USER)) == 0
    assert w.update(l1, slot, w.pte.entry(data, RW | USER)) == 0
    assert w.pin(data, 1) == -EINVAL
    w.check()


def test_a_tree_that_maps_its_own_table_writable_is_refused(w: World) -> None:
    root, _, _ = mapped(w)
    l1 = w.path(root, VA)[-1]
    w.put(l1, 9, root, RW | USER)
    assert w.pin(root) == -EBUSY
    w.ext()
    assert all(count == 0 for _, count in types(w.m, w.path(root, VA)))
    w.check()


def test_a_new_table_is_linked_and_unlinked(w: World) -> None:
    root, _, _ = mapped(w)
    assert w.pin(root) == 0
    l2 = w.path(root, VA)[-2]
    fresh, data = w.page(), w.page()
    w.put(fresh, 5, data, RW | USER)
    assert w.update(l2, 7, w.pte.entry(fresh, TABLE_FLAGS)) == 0
    assert types(w.m, [fresh, data]) == [(int(L1), 1), (int(WRITABLE), 1)]
    w.check()
    assert w.update(l2, 7, 0) == 0
    assert types(w.m, [fresh, data]) == [(int(L1), 0), (int(WRITABLE), 0)]
    w.check()


def test_a_table_links_itself_read_only(w: World) -> None:
    root, _, _ = mapped(w)
    assert w.pin(root) == 0
    top = w.path(root, VA)[-2]
    assert w.m.frames[top].type == L2
    before = w.m.frames[top].ref_count
    assert w.update(top, 9, w.pte.entry(top, RW | USER)) == -EINVAL
    assert w.update(top, 9, w.pte.entry(top, RO | USER)) == 0
    assert w.m.frames[top].ref_count == before
    w.check()


def test_linear_tables_are_one_deep(w: World) -> None:
    first, second = w.page(), w.page()
    for table in (first, second):
        w.put(table, 0, w.page(), TABLE_FLAGS)
        assert w.pin(table, 2) == 0
    assert w.update(first, 8, w.pte.entry(second, RO | USER)) == 0
    assert (w.m.frames[first].linear, w.m.frames[second].linear) == (1, -1)
    assert w.update(second, 8, w.pte.entry(first, RO | USER)) == -EINVAL
    assert w.update(first, 8, 0) == 0
    assert (w.m.frames[first].linear, w.m.frames[second].linear) == (0, 0)
    w.check()


def test_a_table_is_linked_linearly_as_often_as_its_counter_holds() -> None:
    """Asked of a live Xen 4.17: the 32,768th link of other tables to one of their level is its last."""
    w = World(FourLevel())
    target = w.page()
    assert w.pin(target, 2) == 0
    word, most = w.pte.entry(target, RO | USER), 1 << 15
    tables = [w.page() for _ in range(most // w.pte.slots + 1)]
    assert all(w.pin(table, 2) == 0 for table in tables)
    for done in range(most + 1):
        table, slot = divmod(done, w.pte.slots)
        assert w.update(tables[table], slot, word) == (0 if done < most else -EINVAL), done
    assert w.m.frames[target].linear == -most
    w.check()


def test_a_top_level_table_is_linear_only_where_the_geometry_has_it(w: World) -> None:
    root, _, _ = mapped(w)
    assert w.pin(root) == 0
    expected = 0 if w.pte.linear_top else -EINVAL
    assert w.update(root, 2, w.pte.entry(root, RO)) == expected
    w.check()


def table_with_xens_slots(w: World, root: Mfn) -> Mfn:
    """Return the table of a tree that has slots of Xen's own."""
    return root if w.pte.xen_in_each else w.pte.target(w.m.words[root, w.pte.top_slot])


def test_xens_slots_are_never_the_guests(w: World) -> None:
    root, data, _ = mapped(w)
    table = table_with_xens_slots(w, root)
    last = w.pte.xen_end - 1
    w.put(table, w.pte.xen_first, data, TABLE_FLAGS)
    w.put(table, last, root, TABLE_FLAGS)
    assert w.pin(root) == 0
    assert w.pte.target(w.m.words[table, last]) == XENS
    for slot in range(w.pte.xen_first, w.pte.xen_end):
        assert not w.m.entries[table, slot].linked
        assert w.update(table, slot, w.pte.entry(data, TABLE_FLAGS)) in (-Errno.EPERM, -EINVAL)
        assert w.update(table, slot, 0) in (-Errno.EPERM, -EINVAL)
    w.check()


def test_slots_beside_xens_are_the_guests(w: World) -> None:
    root, _, _ = mapped(w)
    table = table_with_xens_slots(w, root)
    assert w.pin(root) == 0
    below = w.page()
    assert w.pin(below, w.m.frames[table].type - 1) == 0
    assert w.update(table, w.pte.xen_first - 1, w.pte.entry(below, TABLE_FLAGS)) == 0
    w.check()


def test_no_access_and_no_update_reaches_xens_range(w: World) -> None:
    root, data, _ = mapped(w)
    assert w.pin(root) == 0
    assert w.ext((Command.NEW_BASEPTR, root)) == 0
    shift = {4: 39, 3: 21, 2: 22}[w.pte.levels]
    top = {4: 0xFFFF << 48, 3: 0xC0000000, 2: 0}[w.pte.levels]
    for slot in (w.pte.xen_first, w.pte.xen_end - 1):
        va = Va(top | slot << shift)
        assert not w.pte.guest_address(va)
        assert isinstance(run(load(w.call(), va)), Fault)
        assert isinstance(run(store(w.call(), va, 0)), Fault)
        call = UpdateVaMapping(va, w.pte.entry(data, RW | USER), 0)
        assert run(update_va_mapping(w.call(), call)).rc == -EINVAL
    w.check()


def test_a_promotion_interrupted_anywhere_ends_the_same(w: World) -> None:
    root, _, _ = mapped(w)
    path = w.path(root, VA)
    call = MmuextOp((ExtOp(Command(w.pte.levels - 1), root),), DOMID_SELF)
    _, points = preempting(mmuext_op(w.call(), call), ())
    assert points > 1
    for point in range(points):
        again = World(w.pte)
        again.runs(1)
        again_root, _, _ = mapped(again)
        assert again_root == root
        result, _ = preempting(mmuext_op(again.call(), call), [point])
        again.check()
        while result.continuation is not None:
            rest = rest_of(result)
            assert isinstance(rest, MmuextOp)
            result = run(mmuext_op(again.call(), rest))
        assert result.rc == 0
        assert types(again.m, path) == types(w.m, path)
        again.check()


def test_a_demotion_interrupted_anywhere_ends_the_same(w: World) -> None:
    root, data, _ = mapped(w)
    path = w.path(root, VA)
    call = MmuextOp((ExtOp(Command.UNPIN_TABLE, root),), DOMID_SELF)
    for point in range(40):
        assert w.pin(root) == 0
        result, _ = preempting(mmuext_op(w.call(), call), [point])
        w.check()
        while result.continuation is not None:
            rest = rest_of(result)
            assert isinstance(rest, MmuextOp)
            result = run(mmuext_op(w.call(), rest))
        assert result.rc == 0
        assert all(count == 0 for _, count in types(w.m, [*path, data]))
        w.check()
