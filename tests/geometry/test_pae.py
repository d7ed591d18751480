"""What only PAE has: the fourth top-level entry, the L2 table under it, and the slots that no walk reads."""

from __future__ import annotations

from tests.worlds import RO, RW, TABLE_FLAGS, World
from xenmodel.abi.geometry import Pae
from xenmodel.abi.pte import NX
from xenmodel.memory.mmuext_op import Command
from xenspec.vocabulary import EBUSY, EINVAL, L2, L3, Mfn, Va

VA = Va(0x40003000)


def world() -> tuple[World, Mfn, Mfn]:
    """Return a machine, a top-level table of domain 1, and the L2 table for the top of its address space."""
    w = World(Pae())
    w.runs(1)
    root = w.tree({VA: (w.page(), RW)})
    return w, root, w.pte.target(w.m.words[root, 3])


def test_the_fourth_entry_must_be_there() -> None:
    w, root, _ = world()
    w.m.words[root, 3] = 0
    assert w.pin(root) == -EINVAL
    w.ext()
    assert w.m.frames[root].type_count == 0
    w.check()


def test_the_top_l2_table_is_linked_once() -> None:
    w, root, top = world()
    assert w.pin(root) == 0
    assert w.m.frames[top].top_l2
    other = w.tree({VA: (w.page(), RW)})
    w.put(other, 3, top, RO)
    assert w.pin(other) == -EINVAL
    w.ext()
    assert w.pin(top, 2) == -EINVAL
    w.check()


def test_another_l2_table_links_the_top_one_linearly_read_only() -> None:
    w, root, top = world()
    assert w.pin(root) == 0
    l2 = w.path(root, VA)[1]
    assert w.update(l2, 8, w.pte.entry(top, RW)) == -EINVAL
    assert w.update(l2, 8, w.pte.entry(top, RO)) == 0
    assert w.m.frames[l2].linear == 1
    w.check()


def test_an_l2_table_in_use_does_not_become_the_top_one() -> None:
    w, root, top = world()
    assert w.pin(top, 2) == 0
    assert not w.m.frames[top].top_l2
    assert w.pin(root) == -EINVAL
    w.ext()
    assert w.ext((Command.UNPIN_TABLE, top)) == 0
    assert w.pin(root) == 0
    w.check()


def test_the_top_l2_table_becomes_an_ordinary_one_only_without_xens_words() -> None:
    w, root, top = world()
    assert w.pin(root) == 0
    assert w.ext((Command.UNPIN_TABLE, root)) == 0
    assert w.pin(top, 2) == -EINVAL
    w.ext()
    for slot in range(512):
        assert w.update(top, slot, 0) == 0
    assert w.pin(top, 2) == 0
    assert not w.m.frames[top].top_l2
    w.check()


def test_the_fourth_entry_never_changes() -> None:
    w, root, top = world()
    assert w.pin(root) == 0
    for word in (0, w.pte.entry(top, RO), w.pte.entry(w.page(), RO)):
        assert w.update(root, 3, word) == -EINVAL
        assert w.update(root, 4, word) == -EINVAL
    w.check()


def test_slots_that_no_walk_reads_are_emptied() -> None:
    w, root, _ = world()
    for slot in (4, 100, 511):
        w.put(root, slot, 0x7FF, RW)
    assert w.pin(root) == 0
    assert w.m.words.next_nonzero(root, 4) == 512
    assert w.m.frames[root].type == L3


def test_a_top_level_entry_has_fewer_flags() -> None:
    w, root, _ = world()
    assert w.pin(root) == 0
    l2 = w.page()
    assert w.update(root, 0, w.pte.entry(l2, RO | NX)) == -EINVAL
    assert w.update(root, 0, w.pte.entry(l2, RO)) == 0
    assert w.m.words[root, 0] == w.pte.entry(l2, RO | 0x6)
    assert w.m.frames[l2].type == L2
    w.check()


def test_a_failed_promotion_of_the_top_l2_table_leaves_no_reference() -> None:
    w, root, top = world()
    l1 = w.page()
    w.put(top, 0, l1, TABLE_FLAGS)
    w.put(l1, 0, root, RW)
    assert w.pin(root) == -EBUSY
    w.ext()
    assert [w.m.frames[f].ref_count for f in (root, top, l1)] == [1, 1, 1]
    w.check()
