"""Saved machine states: written whole or not at all, read back the same, refused where they break a rule."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xenproofs.judge.trace import SavedState, read_state, write_state
from xenspec.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trace.samples import Json
    from xenproofs.judge.trace import Cell

STATE = SavedState(
    {
        "frames": [(7, "wr", 1, True, None), (8, "l1", 2, False, None)],
        "ports": [((0, 1), "unbound", 2**64 - 1), ((0, 2), "virq", -1)],
        "empty": [],
    }
)


def packed(folder: Path, document: Json) -> Path:
    path = folder / "state.json.gz"
    path.write_bytes(gzip.compress(json.dumps(document).encode()))
    return path


def test_a_state_reads_back_the_same(tmp_path: Path) -> None:
    write_state(tmp_path / "s.gz", STATE)
    assert read_state(tmp_path / "s.gz") == STATE


def test_the_same_state_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_state(tmp_path / name, STATE)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


cells = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=4,
)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.tuples(*[cells] * width), max_size=5, unique_by=lambda row: row[0])
)


@given(contents=st.dictionaries(st.text(max_size=8), tables, max_size=3))
def test_any_state_reads_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, contents: dict[str, list[tuple[Cell, ...]]]
) -> None:
    path = tmp_path_factory.mktemp("state") / "s.gz"
    write_state(path, SavedState(contents))
    assert read_state(path) == SavedState(contents)


@pytest.mark.parametrize(
    "rows",
    [
        [()],
        [(1, 2), (3,)],
        [(1, 2), (1, 3)],
        [((1, 2), 3), ((1, 2), 4)],
        [(1, 2**64)],
        [(1, -(2**63) - 1)],
    ],
    ids=["empty row", "ragged", "key twice", "pair twice", "too wide", "too low"],
)
def test_a_state_that_breaks_a_rule_is_not_written(tmp_path: Path, rows: list[tuple[Cell, ...]]) -> None:
    with pytest.raises(ValueError, match="t"):
        write_state(tmp_path / "s.gz", SavedState({"t": rows}))
    assert not list(tmp_path.iterdir())


GOOD: dict[str, Json] = {"format": "xencheck-state-1", "tables": {"t": [[1, 2]]}}


def tables_of(*rows: Json) -> dict[str, Json]:
    tables: Json = {"t": list(rows)}
    return GOOD | {"tables": tables}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (GOOD | {"format": "xencheck-state-2"}, "format"),
        (GOOD | {"more": 1}, "more"),
        ({"format": "xencheck-state-1"}, "tables"),
        (GOOD | {"tables": []}, "tables"),
        (tables_of(1), "tables[...][0]"),
        (tables_of([1, 0.5]), "tables.t"),
        (tables_of([1, {}]), "tables.t"),
        (tables_of([2**64]), "tables.t"),
        (tables_of([]), "tables.t[0]"),
        (tables_of([1, 2], [3]), "tables.t[1]"),
        (tables_of([1, 2], [1, 2]), "tables.t[1]"),
        ([], None),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused(tmp_path: Path, document: Json, field: str | None) -> None:
    with pytest.raises(BadInput) as caught:
        read_state(packed(tmp_path, document))
    assert (caught.value.file, caught.value.field) == (str(tmp_path / "state.json.gz"), field)


def test_a_truncated_state_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.gz"
    write_state(path, STATE)
    data = path.read_bytes()
    for part in range(len(data)):
        path.write_bytes(data[:part])
        with pytest.raises(BadInput):
            read_state(path)


def test_a_write_that_fails_leaves_the_old_state_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.gz"
    write_state(path, STATE)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_state(path, SavedState({}))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_state(tmp_path / "absent" / "s.gz", STATE)
