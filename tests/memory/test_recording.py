"""The recorder: what changed since the last drain, field by field, however it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xenmodel.abi.memory_map import MemoryMap
from xenmodel.machine import TABLES, Machine, plain_machine
from xenmodel.memory.rows import Frame
from xenproofs.judge.adapter import plain
from xenproofs.judge.recording import ALL_FIELDS, Recorder, field_names, recording_machine
from xenspec.vocabulary import WRITABLE, DomId, Mfn

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenproofs.judge.recording import Write

MEMORY = MemoryMap(((0, 0x400),), 0x400)
F = Mfn(0x200)


def recorder_with(*frames: int) -> Recorder:
    """Return the recorder of a machine that has rows for some frames already."""
    m = plain_machine(MEMORY)
    for f in frames:
        assert m.frames[f] == Frame()
    return Recorder.over(m)


def texts(writes: list[Write]) -> list[str]:
    """Write changes as text."""
    return [f"{w.cell}: {w.before} -> {w.after}" for w in writes]


def test_a_changed_field_is_a_cell_with_both_values() -> None:
    recorder = recorder_with(F)
    recorder.machine.frames[F].type = WRITABLE
    recorder.machine.frames[F].ref_count += 2
    changes = recorder.drain()
    assert texts(recorder.writes(changes)) == [
        "frames[512].type: 0 -> 7",
        "frames[512].ref_count: 0 -> 2",
    ]
    ((_, mask, _, _),) = changes["frames"]
    assert recorder.layouts.by_table["frames"].names(mask) == ["type", "ref_count"]


def test_a_drain_begins_anew() -> None:
    recorder = recorder_with(F)
    recorder.machine.frames[F].pinned = True
    assert recorder.drain()
    assert not recorder.drain()
    recorder.machine.frames[F].pinned = False
    assert texts(recorder.writes(recorder.drain())) == ["frames[512].pinned: True -> False"]


def test_what_is_read_or_written_back_is_no_change() -> None:
    recorder = recorder_with(F)
    frame = recorder.machine.frames[F]
    frame.type_count += 1
    frame.type_count -= 1
    assert not recorder.drain()


def test_a_new_row_is_a_change_of_all_its_fields() -> None:
    recorder = recorder_with()
    recorder.machine.frames[F].owner = DomId(3)
    ((key, mask, _, _),) = recorder.drain()["frames"]
    assert (key, mask) == (F, ALL_FIELDS)
    assert recorder.machine.vcpus[3, 1].domain == 3
    assert [mask for _, mask, _, _ in recorder.drain()["vcpus"]] == [ALL_FIELDS]


def test_words_are_cells_too() -> None:
    recorder = recorder_with()
    words = recorder.machine.words
    words[F, 3] = 5
    words[F, 4] = 6
    words[F, 4] = 0
    assert texts(recorder.writes(recorder.drain())) == ["words[(512, 3)].word: 0 -> 5"]


def test_whole_pages_are_seen_word_by_word() -> None:
    recorder = recorder_with()
    words = recorder.words
    words[F, 3] = 5
    words[F + 1, 7] = 8
    recorder.drain()
    words.copy(F, F + 1)
    assert sorted(texts(recorder.writes(recorder.drain()))) == [
        "words[(512, 3)].word: 5 -> 0",
        "words[(512, 7)].word: 0 -> 8",
    ]
    words.clear(F)
    words.pages[F + 1] = {7: 8, 9: 10}
    assert sorted(texts(recorder.writes(recorder.drain()))) == [
        "words[(512, 7)].word: 8 -> 0",
        "words[(513, 9)].word: 0 -> 10",
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("set", "clear", "copy", "page")),
            st.integers(0, 3),
            st.integers(0, 5),
            st.integers(0, 2),
        )
    )
)
def test_recorded_words_are_what_plain_words_would_be(acts: list[tuple[str, int, int, int]]) -> None:
    plain_words, recorder = plain_machine(MEMORY).words, recording_machine(MEMORY)
    at_first: dict[tuple[int, int], int] = {}
    for act, f, slot, word in acts:
        for words in (plain_words, recorder.words):
            if act == "set":
                words[f, slot] = word
            elif act == "clear":
                words.clear(f)
            elif act == "copy":
                words.copy(f, slot % 4)
            else:
                words.write_xen_slots(f, {260: word}, readonly_m2p=True)
    changed = {w.cell.key: w.after for w in recorder.writes(recorder.drain())}
    everywhere = [(f, slot) for f in range(4) for slot in (*range(6), *range(256, 272))]
    assert {at: plain_words[at] for at in everywhere if plain_words[at] != at_first.get(at, 0)} == changed


def test_every_table_of_the_machine_is_recorded() -> None:
    recorder = recording_machine(MEMORY)
    assert set(recorder.journals) == set(TABLES)
    for name, journal in recorder.journals.items():
        row = plain(getattr(recorder.machine, name))
        assert row.name == name
        assert journal.layout.fields


def test_only_what_is_wanted_is_recorded_if_asked() -> None:
    wanted = {"frames": {"type", "pinned", "owner"}, "domains": set[str]()}
    recorder = Recorder.over(plain_machine(MEMORY), wanted=wanted)
    assert {name: journal.layout.fields for name, journal in recorder.journals.items()} == {
        "frames": ("owner", "type", "pinned")
    }
    assert isinstance(recorder.machine, Machine)
    assert field_names(Frame)[0] == "owner"


def test_tables_that_cannot_be_listed_are_refused() -> None:
    class Other(dict[int, Frame]):
        """Rows by key, which are no table."""

        def each(self, first: int, end: int, holds: Callable[[int], bool], /) -> bool:
            return all(map(holds, range(first, end)))

        def forget(self, domain: int, /, *kept: str) -> None:
            raise NotImplementedError

    with pytest.raises(TypeError, match="no table of rows"):
        plain(Other())
