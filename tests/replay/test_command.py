"""`xencheck replay`: what it prints, and how it ends."""

from __future__ import annotations

import gzip
import json
import signal
from typing import TYPE_CHECKING, TypeAlias

import pytest
from msgspec import structs

from tests.replay.boot import BOOT, CHECKPOINT, START, lines, written
from xencheck.cli import run
from xencheck.exits import Exit
from xenproofs.judge.replay import playing
from xenproofs.judge.trace import Hypercall, Recording, read_recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from xenproofs.judge.trace import Line

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

KEYS = {
    "schema_version",
    "hypercalls",
    "judged",
    "agreed",
    "diverged_total",
    "diverged",
    "subcalls",
    "trapped_writes",
    "events",
    "events_told",
    "assumed",
    "not_modelled",
    "continuations",
    "invariants",
    "seconds",
}
END = 300


def report_of(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, dict[str, Json]]:
    """Run the command, and give its exit code and what it printed as JSON."""
    code = run(["replay", *map(str, words), "--json"])
    document: dict[str, Json] = json.loads(capsys.readouterr().out)
    return code, document


def total(counts: Json) -> int:
    """Add up counts by name."""
    assert isinstance(counts, dict)
    return sum(count for count in counts.values() if isinstance(count, int))


def number(document: dict[str, Json], key: str) -> int:
    value = document[key]
    assert isinstance(value, int)
    return value


def different(path: Path) -> Path:
    """Write a recording one of whose answers is not Xen's."""
    return written(
        path,
        [
            structs.replace(line, ret=-22) if isinstance(line, Hypercall) and line.n == 40 else line
            for line in lines(END)
        ],
    )


def test_the_report_has_its_keys_and_every_call_is_counted_once(capsys: pytest.CaptureFixture[str]) -> None:
    code, document = report_of(capsys, BOOT, "--from", START, "--until", str(END), "--check", "call")
    assert code == Exit.HOLDS
    assert document.keys() == KEYS
    counted = number(document, "judged") + total(document["not_modelled"]) + number(document, "continuations")
    assert number(document, "hypercalls") == counted == END
    assert number(document, "continuations") > 0
    assert number(document, "judged") == number(document, "agreed")
    assert document["diverged_total"] == 0
    assert document["diverged"] == []


def test_invariants_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    for check, evaluates in (("off", False), ("step", True)):
        _, document = report_of(capsys, BOOT, "--from", START, "--until", "60", "--check", check)
        invariants = document["invariants"]
        assert isinstance(invariants, dict)
        assert invariants["violated"] == []
        assert invariants["violated_total"] == 0
        assert (number(invariants, "evaluated") > 0) is evaluates
        assert bool(invariants["vacuous"]) is evaluates
        assert invariants["refusals"] == invariants["unasked_refusals"] == 0  # Linux is refused no step here


def test_a_difference_is_listed_explained_and_ends_with_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = different(tmp_path / "different.jsonl")
    code, document = report_of(capsys, path, "--from", START)
    assert code == Exit.VIOLATED
    assert document["diverged_total"] == 1
    assert document["diverged"] == [
        {
            "n": 40,
            "op": "callback_op/0",
            "expected": "-22 (EINVAL)",
            "got": "0",
            "why": "",
            "file": str(path),
            "line": 41,
        }
    ]
    explanation = document["explanation"]
    assert isinstance(explanation, list)
    assert explanation[0] == f"{path}:41: hypercall 40"


def test_the_end_is_compared_with_a_snapshot(capsys: pytest.CaptureFixture[str]) -> None:
    code, document = report_of(capsys, BOOT, "--from", START, "--expect", CHECKPOINT, "--until", "100")
    assert code == Exit.VIOLATED
    expect = document["expect"]
    assert isinstance(expect, dict)
    for part in expect.values():
        assert isinstance(part, dict)
        assert number(part, "compared") >= number(part, "differ") > 0


def test_nothing_judged_is_undecided(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(BOOT), "--from", str(START), "--until", "0"]) == Exit.UNDECIDED
    assert "nothing was judged" in capsys.readouterr().out


@pytest.mark.parametrize("packed", [False, True])
def test_a_recording_that_breaks_off_is_bad_input_with_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, *, packed: bool
) -> None:
    plain = written(tmp_path / "cut.jsonl", lines(30))
    text = plain.read_bytes()
    broken = gzip.compress(text, mtime=0)[:-200] if packed else text[: -len(text) // 20]
    plain.write_bytes(broken)
    assert run(["replay", str(plain), "--from", str(START)]) == Exit.BAD_INPUT
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"xencheck: {plain}:")
    assert printed.err.removeprefix(f"xencheck: {plain}:").split(":")[0].isdigit()


def test_files_that_are_not_there_are_bad_input(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    for words in ([gone, "--from", str(START)], [str(BOOT), "--from", gone], [str(BOOT)]):
        assert run(["replay", *words]) == Exit.BAD_INPUT
    assert "gone: cannot be read: No such file or directory" in capsys.readouterr().err


def test_an_interrupt_leaves_a_part_marked_as_such(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(Recording):
        def __iter__(self) -> Iterator[Line]:
            for line in read_recording(self.path):
                if line.line == 50:
                    signal.raise_signal(signal.SIGINT)
                yield line

    monkeypatch.setattr(playing, "read_recording", Interrupted)
    handler = signal.getsignal(signal.SIGINT)
    state = tmp_path / "state"
    code, document = report_of(capsys, BOOT, "--from", START, "--expect", CHECKPOINT, "--save-state", state)
    monkeypatch.undo()
    assert code == Exit.INTERRUPTED
    assert document["interrupted"] is True
    assert "expect" not in document
    assert 0 < number(document, "hypercalls") < 60
    assert signal.getsignal(signal.SIGINT) is handler
    code, rest = report_of(capsys, BOOT, "--from", state, "--until", str(END))
    assert code == Exit.HOLDS
    assert number(document, "hypercalls") + number(rest, "hypercalls") == END


def test_the_text_says_what_the_json_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(BOOT), "--from", str(START), "--until", str(END)]) == Exit.HOLDS
    printed = capsys.readouterr()
    assert printed.err == ""
    assert f"{END} hypercalls in" in printed.out
    assert printed.out.endswith("the model agrees with the recording\n")
