"""Laws of page-table entries and addresses, in every geometry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worlds import GEOMETRIES
from xenmodel.abi.geometry import Pae, PteFormat
from xenmodel.abi.pte import PRESENT, RW

WORDS = st.integers(0, (1 << 64) - 1)
ADDRESSES = st.integers(0, (1 << 64) - 1) | st.integers(0, (1 << 32) - 1)
SHIFTS = {4: (39, 30, 21, 12), 3: (30, 21, 12), 2: (22, 12)}


@pytest.fixture(params=GEOMETRIES, ids=lambda g: type(g).__name__, scope="module")
def g(request: pytest.FixtureRequest) -> PteFormat:
    """Give each geometry."""
    geometry: PteFormat = request.param
    return geometry


@given(word=WORDS, level=st.integers(1, 4))
def test_adjusting_never_adds_write_permission(g: PteFormat, word: int, level: int) -> None:
    """A PAE top-level entry apart, which has no permissions of its own."""
    word &= g.word_mask
    level = min(level, g.levels)
    if isinstance(g, Pae) and level == g.levels:
        return
    assert not g.writable(g.adjusted(word, level)) or g.writable(word)


@given(word=WORDS, level=st.integers(1, 4))
def test_adjusting_keeps_target_and_presence_and_adds_nothing_the_second_time(
    g: PteFormat, word: int, level: int
) -> None:
    word &= g.word_mask
    level = min(level, g.levels)
    once = g.adjusted(word, level)
    assert (g.target(once), g.present(once)) == (g.target(word), g.present(word))
    assert g.adjusted(once, level) == once
    assert g.word_mask | once == g.word_mask
    assert g.present(word) or once == word


@given(word=WORDS, readonly=st.booleans())
def test_adjusting_for_devices_only_takes_write_permission(g: PteFormat, word: int, readonly: bool) -> None:  # noqa: FBT001 - drawn
    word &= g.word_mask
    made = g.io_adjusted(word, readonly=readonly)
    assert g.writable(made) == (g.writable(word) and not readonly)
    assert g.target(made) == g.target(word)
    assert not g.cached(made)


@given(frame=WORDS, flags=st.integers(0, 0xFFF))
def test_target_undoes_entry(g: PteFormat, frame: int, flags: int) -> None:
    frame &= g.no_frame
    word = g.entry(frame, flags)
    assert g.target(word) == frame
    assert g.word_mask | word == g.word_mask
    assert (g.present(word), g.writable(word)) == (flags & PRESENT != 0, flags & RW != 0)


@given(before=WORDS, after=WORDS)
def test_the_fast_path_changes_neither_target_nor_permission(g: PteFormat, before: int, after: int) -> None:
    before &= g.word_mask
    # Near misses: most of the drawn bits are the same.
    after = before ^ (after & g.word_mask & ((after >> 7) | 0x6))
    if g.same_but_for_fast_path(before, after):
        assert g.target(before) == g.target(after)
        assert g.writable(before) == g.writable(after)
        assert g.present(before) == g.present(after)


@given(word=WORDS, dirty=st.booleans())
def test_use_only_adds_accessed_and_dirty(g: PteFormat, word: int, dirty: bool) -> None:  # noqa: FBT001 - drawn
    word &= g.word_mask
    made = g.marked(word, dirty=dirty)
    assert g.accessed(made)
    assert g.dirty(made) == (dirty or g.dirty(word))
    assert g.same_but_for_fast_path(word, made)


@given(va=ADDRESSES)
def test_the_indices_of_an_address_give_it_back(g: PteFormat, va: int) -> None:
    if not g.canonical(va):
        return
    slots = g.indices(va)
    assert len(slots) == g.levels
    assert all(0 <= slot < g.slots for slot in slots)
    whole = sum(slot << shift for slot, shift in zip(slots, SHIFTS[g.levels], strict=True)) | va & 0xFFF
    if g.levels == 4 and whole >> 47:
        whole |= 0xFFFF << 48
    assert whole == va


@given(va=ADDRESSES)
def test_a_walk_of_a_guests_address_uses_none_of_xens_slots(g: PteFormat, va: int) -> None:
    """And an address that is canonical and not the guest's leads through one of them."""
    if not g.canonical(va):
        assert not g.guest_address(va)
        return
    slots = g.indices(va)
    level = int(g.xen_level)
    under_top = g.xen_in_each or slots[0] == g.top_slot
    uses = under_top and g.xen_first <= slots[g.levels - level] < g.xen_end
    assert g.guest_address(va) is not uses


@given(va=ADDRESSES)
def test_what_a_guest_addresses_the_processor_accepts(g: PteFormat, va: int) -> None:
    assert g.canonical(va) or not g.addressable(va)
    assert g.addressable(va) or not g.guest_address(va)
