"""`xencheck oracle`: what it prints, and how it ends."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Final

import pytest

from xencheck import cli
from xencheck.exits import Exit
from xenproofs.judge.oracle import ask
from xenproofs.judge.trace.case_ops import ReadOp

if TYPE_CHECKING:
    from pathlib import Path

KEYS: Final = {
    "schema_version",
    "cases",
    "cases_agreed",
    "ops",
    "ops_agreed",
    "not_modelled",
    "deviations",
    "diverged",
    "violations",
    "seconds",
}
SOME: Final = 40
LISTED: Final = 20


@pytest.fixture
def sample(pytestconfig: pytest.Config, tmp_path: Path) -> Path:
    """Give a file of the first cases of the sample."""
    whole = pytestconfig.rootpath / "tests" / "recordings" / "oracle_sample.jsonl.gz"
    lines = gzip.decompress(whole.read_bytes()).decode().splitlines(keepends=True)
    path = tmp_path / "some.jsonl"
    path.write_text("".join(lines[:SOME]))
    return path


@pytest.fixture
def wrong(sample: Path) -> Path:
    """Give the same cases, each with another return code than real Xen's at its end."""
    cases = [json.loads(line) for line in sample.read_text().splitlines()]
    for case in cases:
        case["ops"][-1]["out"]["rc"] += 1
    sample.write_text("".join(json.dumps(case) + "\n" for case in cases))
    return sample


@pytest.mark.parametrize("options", [[], ["--jobs", "2"], ["--check", "call"]])
def test_agreement_ends_with_0(sample: Path, capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    assert cli.run(["oracle", str(sample), "--json", *options]) == Exit.HOLDS
    found = json.loads(capsys.readouterr().out)
    assert set(found) == KEYS
    assert (found["cases"], found["cases_agreed"], found["diverged"]) == (SOME, SOME, [])
    assert found["ops"] == found["ops_agreed"] > SOME


@pytest.mark.parametrize("options", [[], ["--jobs", "2"]])
def test_divergence_ends_with_1_and_the_first_twenty_are_listed(
    wrong: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert cli.run(["oracle", str(wrong), "--json", *options]) == Exit.VIOLATED
    found = json.loads(capsys.readouterr().out)
    assert (found["cases"], found["cases_agreed"]) == (SOME, 0)
    assert [each["line"] for each in found["diverged"]] == list(range(1, LISTED + 1))
    first = found["diverged"][0]
    assert first["expected"]["rc"] == first["got"]["rc"] + 1
    assert first["op"]["op"]


def test_divergence_is_told(wrong: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["oracle", str(wrong)]) == Exit.VIOLATED
    told = capsys.readouterr().out
    assert f"cases       {SOME}: 0 agree" in told
    assert f"{wrong}:1: case " in told
    assert "real Xen  {" in told
    assert "model     {" in told


def test_operations_that_are_not_modelled_are_counted_and_judge_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(ask.ASK, ReadOp)
    path = tmp_path / "unknown.jsonl"
    path.write_text(
        '{"id":"a","by":"dom0","np":1,"nf":0,"ops":[{"in":{"op":"read","va":"p0"},"out":{"rc":0,"val":0}}]}'
    )
    assert cli.run(["oracle", str(path), "--json"]) == Exit.UNDECIDED
    found = json.loads(capsys.readouterr().out)
    assert (found["cases"], found["cases_agreed"], found["ops_agreed"]) == (1, 0, 0)
    assert found["not_modelled"] == {"read": 1}
    assert cli.run(["oracle", str(path)]) == Exit.UNDECIDED
    assert "nothing was judged" in capsys.readouterr().out


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_damaged_file_ends_with_2_and_names_the_line(
    sample: Path, capsys: pytest.CaptureFixture[str], jobs: str
) -> None:
    with sample.open("a") as stream:
        stream.write('{"id": 7}\n')
    assert cli.run(["oracle", str(sample), "--jobs", jobs]) == Exit.BAD_INPUT
    assert capsys.readouterr().err.startswith(f"xencheck: {sample}:{SOME + 1}: ")


def test_no_file_at_all_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["oracle"]) == Exit.BAD_INPUT
    assert "Missing argument" in capsys.readouterr().err
