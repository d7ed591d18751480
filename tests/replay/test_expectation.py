"""The comparison at the end: one word, one count or one place that differs from the snapshot is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from tests.replay.boot import CHECKPOINT, START
from xenproofs.judge.replay.beginning import begin
from xenproofs.judge.replay.expectation import compare
from xenproofs.judge.trace import Snapshot, check_snapshot, read_snapshot
from xenspec.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from xenproofs.judge.replay.engine import Replay


@pytest.fixture(scope="module")
def replay() -> Replay:
    return begin(CHECKPOINT)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return read_snapshot(CHECKPOINT)


def one_word_changed(snapshot: Snapshot, bits: int) -> Snapshot:
    """Change the first word of the first L1 table of a snapshot."""
    mfn, table = next((m, t) for m, t in snapshot.tables.items() if t.level == 1 and t.entries)
    word = structs.replace(table.entries[0], word=table.entries[0].word ^ bits)
    changed = structs.replace(table, entries=(word, *table.entries[1:]))
    return structs.replace(snapshot, tables={**snapshot.tables, mfn: changed})


def one_count_changed(snapshot: Snapshot, *, general: int = 0, typed: int = 0) -> tuple[int, Snapshot]:
    """Change a count of one frame that is neither a table nor Xen's; give the frame too."""
    run = next(r for r in snapshot.page_info_runs if r.length > 1 and not r.info.xenheap)
    assert not {*range(run.mfn, run.mfn + run.length)} & {*snapshot.tables}
    one = structs.replace(run, length=1, count_info=run.count_info + general, type_info=run.type_info + typed)
    rest = structs.replace(run, mfn=run.mfn + 1, length=run.length - 1)
    others = (r for r in snapshot.page_info_runs if r != run)
    changed = structs.replace(snapshot, page_info_runs=(one, rest, *others))
    check_snapshot(changed)
    return run.mfn, changed


def test_a_snapshot_agrees_with_itself(replay: Replay, snapshot: Snapshot) -> None:
    result = compare(replay.machine, snapshot)
    assert result.differ == 0
    assert (result.tables.compared, result.page_info.compared, result.m2p.compared) == (208, 49_154, 49_154)


def test_a_changed_word_is_found(replay: Replay, snapshot: Snapshot) -> None:
    result = compare(replay.machine, one_word_changed(snapshot, 1 << 30))
    assert (result.tables.differ, result.differ) == (1, 1)
    assert "Xen 0x" in result.tables.examples[0]


def test_what_processors_mark_does_not_count(replay: Replay, snapshot: Snapshot) -> None:
    assert compare(replay.machine, one_word_changed(snapshot, 0x60)).differ == 0


def test_a_changed_count_is_found(replay: Replay, snapshot: Snapshot) -> None:
    for mfn, changed in (one_count_changed(snapshot, general=1), one_count_changed(snapshot, typed=1)):
        result = compare(replay.machine, changed)
        assert (result.page_info.differ, result.differ) == (1, 1)
        assert f"frame {mfn:#x}: Xen " in result.page_info.examples[0]


def test_a_changed_place_is_found(replay: Replay, snapshot: Snapshot) -> None:
    run = next(run for run in snapshot.m2p_runs if run.length == 1)
    changed = structs.replace(run, pfn=run.pfn ^ 1)
    runs = tuple(changed if r == run else r for r in snapshot.m2p_runs)
    result = compare(replay.machine, structs.replace(snapshot, m2p_runs=runs))
    assert (result.m2p.differ, result.differ) == (1, 1)


def test_a_table_or_a_frame_that_only_the_model_has_is_found(snapshot: Snapshot) -> None:
    replay = begin(CHECKPOINT)
    mfn = next(iter(snapshot.tables))
    rest = {m: t for m, t in snapshot.tables.items() if m != mfn}
    assert compare(replay.machine, structs.replace(snapshot, tables=rest)).tables.differ == 1
    stranger = replay.machine.frames[0x1000]
    stranger.owner, stranger.ref_count = replay.machine.frames[mfn].owner, 1
    assert compare(replay.machine, snapshot).page_info.differ == 1


@pytest.mark.parametrize(("change", "message"), [(-1, "more than that hold it"), (1, "fewer than that")])
def test_a_start_whose_counts_contradict_its_tables_is_bad_input(
    monkeypatch: pytest.MonkeyPatch, change: int, message: str
) -> None:
    _, changed = one_count_changed(read_snapshot(START), general=change)

    def given(_path: Path) -> Snapshot:
        return changed

    monkeypatch.setattr("xenproofs.judge.replay.beginning.read_snapshot", given)
    with pytest.raises(BadInput, match=message):
        begin(START)
