"""`xencheck duel`: what it says and how it ends where there is no live Xen, and its options."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
import pytest

from tests.duel.worlds import question
from xencheck import cli
from xencheck.commands.duel import duration, outcome
from xencheck.exits import Exit
from xencheck.report.duel import again, figures, story
from xenproofs.duel.events import Disagreement, DuelReport
from xenproofs.duel.live.tools import Missing, find_tools

if TYPE_CHECKING:
    from pathlib import Path


def test_without_tools_it_is_skipped_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["duel", "--seed", "4", "--json", "--tools", str(tmp_path)]) == Exit.UNDECIDED
    report = json.loads(capsys.readouterr().out)
    assert "set up" in report["skipped"] or "installed" in report["skipped"]
    assert {key: report[key] for key in ("seed", "cases", "agreed", "disagreed", "boots")} == {
        "seed": 4,
        "cases": 0,
        "agreed": 0,
        "disagreed": [],
        "boots": 0,
    }


def test_without_tools_the_terminal_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["duel", "--tools", str(tmp_path)]) == Exit.UNDECIDED
    assert "skipped: " in capsys.readouterr().out


def test_without_an_emulator_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_tools()
    assert isinstance(found, Missing)
    assert "qemu-system-x86" in found.reason


def test_a_family_that_does_not_exist_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["duel", "--families", "walks,wolks"]) == Exit.BAD_INPUT
    assert "no family wolks" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1.5h", 5400)])
def test_times_are_read(text: str, seconds: float) -> None:
    option = click.Option(["--time"])
    assert duration(click.Context(click.Command("x")), option, text) == seconds


@pytest.mark.parametrize("text", ["", "5 m", "-1s", "1d", "m"])
def test_other_times_are_refused(text: str) -> None:
    assert cli.run(["duel", "--time", text]) == Exit.BAD_INPUT


def disagreement() -> Disagreement:
    asked = question(1, 0)
    return Disagreement(asked, 2, ("rc", "st"), {"rc": 0}, {"rc": -22}, 20, 31)


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (DuelReport(1, cases=2, agreed=2), Exit.HOLDS),
        (DuelReport(1, cases=2, agreed=1, disagreed=[disagreement()]), Exit.VIOLATED),
        (DuelReport(1), Exit.UNDECIDED),
        (DuelReport(1, cases=2, agreed=2, skipped="ended early"), Exit.UNDECIDED),
        (DuelReport(1, cases=2, agreed=2, interrupted=True), Exit.INTERRUPTED),
    ],
)
def test_how_a_report_ends_the_command(report: DuelReport, code: Exit) -> None:
    assert outcome(report) == code


def test_a_story_marks_the_operation_and_shows_both_answers() -> None:
    lines = list(story(disagreement(), short=True))
    assert "rc, st" in lines[0]
    assert "20 when found; 31 questions" in lines[0]
    assert [line for line in lines if line.startswith("  >  2 ")]
    assert lines[-2:] == ['    real Xen  {"rc": 0}', '    model     {"rc": -22}']


def test_the_last_line_asks_the_same_again() -> None:
    report = DuelReport(77, by="guest", cases=1200)
    assert again(report, ("walks",)) == "xencheck duel --seed 77 --cases 1200 --families walks --guest"


def test_figures_name_deviations_and_transients() -> None:
    report = DuelReport(1, cases=9, agreed=7, transient=1, boots=2)
    report.deviations["D1"] += 2
    lines = "\n".join(figures(report))
    assert "D1 of real Xen from what must hold: 2 cases" in lines
    assert "1 cases disagreed once" in lines
