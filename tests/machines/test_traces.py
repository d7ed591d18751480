"""Stories are kept, played again first, and accepted by `xencheck replay`; the test that is printed runs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from xencheck.cli import run
from xencheck.exits import Exit
from xenproofs.machines.episode import Plan
from xenproofs.machines.fuzz import KEPT, Campaign, Found, Notice
from xenproofs.machines.story import Story, as_test
from xenproofs.machines.traces import is_story, keep, kept, read_trace, trace_of

if TYPE_CHECKING:
    from pathlib import Path

FAULTS: Final = {
    "memory": "base_released_first",
    "tlb": "switch_without_flush",
    "events": "bound_without_notice",
    "grants": "grant_copy_stays_pinned",
}
"""Of each subsystem a fault that is found at once."""


def found(subsystem: str, database: Path | None = None) -> Story:
    """Let the guests find a subsystem's fault."""
    plan = Plan(1, subsystem, fault=FAULTS[subsystem])
    (story,) = Campaign(plan, seconds=60, shrink_seconds=10, database=database).run().stories
    return story


@pytest.mark.parametrize("subsystem", FAULTS)
def test_replay_accepts_what_fuzz_has_kept(
    subsystem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = trace_of(found(subsystem), subsystem)
    path = keep(trace, tmp_path)
    assert is_story(path)
    assert read_trace(path) == trace
    assert run(["replay", str(path)]) == Exit.VIOLATED
    assert trace.invariant in capsys.readouterr().out
    assert run(["replay", str(path), "--json"]) == Exit.VIOLATED
    (told,) = json.loads(capsys.readouterr().out)["stories"]
    assert (told["expected"], told["moves"]) == (trace.invariant, len(trace.moves))
    assert told["invariant"] == trace.invariant
    sound = tmp_path / "sound.story"
    sound.write_text(path.read_text("utf-8").replace(FAULTS[subsystem], ""), "utf-8")
    assert run(["replay", str(sound)]) == Exit.HOLDS
    assert "nothing breaks" in capsys.readouterr().out


def test_the_printed_test_fails_with_the_fault_and_passes_without(tmp_path: Path) -> None:
    text = as_test(found("memory"))
    planted = f'with planted(fault_named("{FAULTS["memory"]}")):'
    assert planted in text
    for name, body, code in (("broken", text, 1), ("sound", text.replace(planted, "if True:"), 0)):
        path = tmp_path / f"test_{name}.py"
        path.write_text(body, "utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)]
        assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == code  # noqa: S603 - our own


def test_what_was_found_is_kept_and_played_first(tmp_path: Path) -> None:
    story = found("memory", tmp_path)
    assert [trace.moves for trace in kept(tmp_path)] == [story.moves]
    heard: list[Notice] = []
    plan = Plan(2, fault=FAULTS["memory"])
    again = Campaign(plan, seconds=60, database=tmp_path, tell=heard.append).run()
    assert [type(notice) for notice in heard] == [Found]
    assert (again.episodes, again.replayed) == (0, 1)
    assert [one.moves for one in again.stories] == [story.moves]
    assert again.stories[0].found_in == KEPT
    assert len(kept(tmp_path)) == 1, "the same story is the same file"


def test_what_was_found_with_a_fault_does_not_concern_the_model_as_it_is(tmp_path: Path) -> None:
    found("memory", tmp_path)
    report = Campaign(Plan(2, moves=20), seconds=60, episodes=1, database=tmp_path).run()
    assert (report.replayed, report.episodes, report.stories) == (0, 1, [])


def test_what_breaks_no_more_is_played_and_the_search_goes_on(tmp_path: Path) -> None:
    trace = trace_of(found("memory"), "memory")
    path = keep(trace, tmp_path)
    path.write_text(path.read_text("utf-8").replace(FAULTS["memory"], ""), "utf-8")
    report = Campaign(Plan(2, moves=20), seconds=60, episodes=1, database=tmp_path).run()
    assert (report.replayed, report.episodes, report.stories) == (1, 1, [])


@pytest.mark.parametrize(
    "text",
    [
        '{"story": 2}\n',
        '{"story": 1}\n',
        '{"story": 1, "subsystem": "memory", "invariant": "", "check": "call", "fault": "none"}\n',
        '{"story": 1, "subsystem": "memory", "invariant": "", "check": "call", "fault": ""}\n{"move": "f"}\n',
        '{"story": 1}\n[]\n',
    ],
)
def test_what_is_no_story_is_bad_input(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.story"
    path.write_text(text, "utf-8")
    assert run(["replay", str(path)]) == Exit.BAD_INPUT
    assert not kept(tmp_path)


def test_a_recording_needs_a_beginning(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    path.write_text("{}\n", "utf-8")
    assert run(["replay", str(path)]) == Exit.BAD_INPUT
