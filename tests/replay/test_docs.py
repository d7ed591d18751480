"""docs/replay.md says what the command does: its sample is a snapshot, its table has every key."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.replay.test_command import KEYS
from tests.replay.test_explanation import SNAPSHOTS

PAGE: Final = (Path(__file__).resolve().parents[2] / "docs" / "replay.md").read_text("utf-8")


def test_the_sample_of_an_explanation_is_the_snapshot() -> None:
    assert (SNAPSHOTS / "replay_wrong_request.txt").read_text("utf-8") in PAGE


def test_every_key_of_the_report_is_described() -> None:
    table = PAGE.split("## The report as JSON")[1].split("## ")[0]
    described = {
        key for row in table.splitlines() if row.startswith("| `") for key in row.split("|")[1].split("`")
    }
    assert {*KEYS, "expect", "explanation", "interrupted"} <= described


def test_every_kind_of_input_is_described() -> None:
    """The kinds that the code counts are the kinds that the page lists."""
    folder = Path(__file__).resolve().parents[2] / "proofs" / "xenproofs" / "judge" / "replay"
    code = "".join(path.read_text("utf-8") for path in sorted(folder.glob("*.py")))
    for kind in ("contents of a frame that Xen validates", "preemption", "out of memory"):
        assert f'"{kind}"' in code
        assert kind in PAGE
