"""The command `xencheck fuzz`, and the engine behind it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from xencheck.cli import run
from xencheck.exits import Exit
from xenproofs.machines.episode import Plan
from xenproofs.machines.fuzz import Campaign, Found, Notice, Running, Shrinking
from xenproofs.machines.story import as_test, as_text

if TYPE_CHECKING:
    from pathlib import Path

EASY = "base_released_first"


@pytest.fixture(autouse=True)
def _own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the stories of these tests apart from the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_the_same_seed_and_episodes_give_the_same_report() -> None:
    reports = [Campaign(Plan(seed=9, moves=80), seconds=60, episodes=3, jobs=jobs).run() for jobs in (1, 2)]
    first, second = ({**r.as_data(), "seconds": 0, "calls_per_s": 0} for r in reports)
    assert first == second
    assert reports[0].episodes == 3


def test_listeners_hear_of_a_breach_before_it_is_shrunk() -> None:
    heard: list[Notice] = []
    report = Campaign(Plan(seed=1, fault=EASY), seconds=60, tell=heard.append).run()
    kinds = [type(notice) for notice in heard]
    assert kinds.index(Running) < kinds.index(Found) < kinds.index(Shrinking)
    (story,) = report.stories
    assert story.breach.text in as_text(story)


def test_a_story_is_a_test_that_runs() -> None:
    report = Campaign(Plan(seed=1, fault=EASY), seconds=60).run()
    text = as_test(report.stories[0])
    names: dict[str, object] = {}
    exec(compile(text, "story", "exec"), names)  # noqa: S102 - our own text
    found = [value for name, value in names.items() if name.startswith("test_")]
    assert len(found) == 1
    assert callable(found[0])
    with pytest.raises(AssertionError):
        found[0]()


def test_the_json_has_the_agreed_members(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["fuzz", "tlb", "--seed", "7", "--episodes", "1", "--time", "60s", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == Exit.HOLDS
    assert list(report) == [
        "schema_version",
        "seed",
        "steps",
        "calls",
        "calls_per_s",
        "seconds",
        "coverage",
        "unreached",
        "violations",
    ]
    assert (report["schema_version"], report["seed"], report["violations"]) == (1, 7, [])
    assert sum(report["coverage"].values()) <= report["calls"]


def test_a_breach_ends_with_1_and_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["fuzz", "--seed", "1", "--time", "60s", "--fault", EASY, "--json"])
    (violation,) = json.loads(capsys.readouterr().out)["violations"]
    assert code == Exit.VIOLATED
    assert violation["story_calls"] == len(violation["trace"]) == 1
    assert list(violation) == ["invariant", "story_calls", "trace"]
    assert run(["fuzz", "--seed", "5", "--time", "60s", "--fault", EASY]) == Exit.VIOLATED
    told = capsys.readouterr()
    assert "found before, and still broken" in told.err
    assert "kept: xencheck replay" in told.out
    *_, again = told.out.splitlines()
    assert "; again: xencheck replay " in again
    assert run(["replay", again.rpartition(" ")[2]]) == Exit.VIOLATED


def test_a_short_campaign_may_miss_outcomes_unless_asked_for_all() -> None:
    words = ["fuzz", "--seed", "7", "--episodes", "1", "--time", "60s"]
    assert run(words) == Exit.HOLDS
    assert run([*words, "--all-outcomes"]) == Exit.VIOLATED


@pytest.mark.parametrize(
    "words",
    [["fuzz", "nothing"], ["fuzz", "--time", "soon"], ["fuzz", "--fault", "none"], ["fuzz", "--time", "0s"]],
)
def test_wrong_usage_ends_with_2(words: list[str]) -> None:
    assert run(words) == Exit.BAD_INPUT
