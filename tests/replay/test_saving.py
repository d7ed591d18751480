"""The law of saved states: saved and resumed anywhere, a replay finds what an uninterrupted one finds."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.replay.boot import BEGINNING, BOOT, START, content, lines, replayed
from xenproofs.judge.replay.beginning import begin, resumed
from xenproofs.judge.replay.checking import Check, Checking
from xenproofs.judge.replay.playing import play_all
from xenproofs.judge.replay.saving import save, state_of
from xenspec.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from xenproofs.judge.replay.engine import Replay
    from xenproofs.judge.replay.report import ReplayReport

PREEMPTED = 264
"""A call that is continued: its re-entry is the next one."""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[object]]:
    """Give the tables of a saved state without its many rows."""
    path = tmp_path_factory.mktemp("states") / "state"
    save(begin(START), path)
    tables: dict[str, list[object]] = json.loads(gzip.decompress(path.read_bytes()))["tables"]
    return {name: rows if name in {"meta", "columns"} else [] for name, rows in tables.items()}


@pytest.fixture(scope="module")
def whole() -> Replay:
    return replayed(lines(BEGINNING))


def counted(*reports: ReplayReport) -> Counter[str]:
    """Add up what replays have counted."""
    total: Counter[str] = Counter()
    for report in reports:
        total["hypercalls"] += report.hypercalls
        total["tails"] += report.tails
        for name in ("calls", "subcalls", "trapped", "events"):
            tally = getattr(report, name)
            total[f"{name} judged"] += tally.judged
            total[f"{name} agreed"] += tally.agreed
        total.update(report.assumed)
        total.update(report.not_modelled)
    return total


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, BEGINNING - 1))
def test_saved_and_resumed_is_as_never_stopped(whole: Replay, cut: int) -> None:
    first = begin(START)
    first.play(BOOT, lines(BEGINNING), until=cut)
    second = resumed(state_of(first))
    second.play(BOOT, [line for line in lines(BEGINNING) if line.line > first.position.line])
    assert counted(first.report, second.report) == counted(whole.report)
    assert content(second) == content(whole)
    assert second.position == whole.position


def test_a_state_between_a_call_and_its_re_entry_knows_what_is_to_follow(
    tmp_path: Path, whole: Replay
) -> None:
    first = begin(START)
    play_all(first, [BOOT], until=PREEMPTED)
    assert first.continued
    save(first, tmp_path / "state")
    second = begin(tmp_path / "state")
    assert second.continued == first.continued
    play_all(second, [BOOT], until=BEGINNING)
    assert content(second) == content(whole)
    assert not second.report.diverged.total


@pytest.mark.parametrize("check", Check)
def test_the_same_replay_gives_the_same_bytes_checked_or_not(tmp_path: Path, check: Check) -> None:
    plain, checked = begin(START), begin(START)
    if check is not Check.OFF:
        Checking(checked, check)
    for replay, name in ((plain, "plain"), (checked, "checked")):
        play_all(replay, [BOOT], until=50)
        save(replay, tmp_path / name)
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "checked").read_bytes()


def test_a_state_that_cannot_be_written_is_bad_input_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be written"):
        save(begin(START), tmp_path / "absent" / "state")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("table", "row", "message"),
    [
        ("frames", [0, [1], [2]], "columns"),
        ("frames", [0, 1, 2], "its fields and the keys"),
        ("vcpus", None, "exactly the tables"),
        ("ram", ["x", 3], "no number"),
        ("words", [5, [1]], "come in pairs"),
        ("known", ["5"], "no number"),
    ],
)
def test_a_state_of_another_version_is_refused(
    tmp_path: Path, empty: dict[str, list[object]], table: str, row: list[object] | None, message: str
) -> None:
    path = tmp_path / "state"
    tables = {name: rows for name, rows in empty.items() if name != table}
    if row is not None:
        tables[table] = [row]
    path.write_text(json.dumps({"format": "xencheck-state-1", "tables": tables}))
    with pytest.raises(BadInput, match=message):
        begin(path)
