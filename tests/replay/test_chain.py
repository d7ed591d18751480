"""Recordings follow each other: none begins before the machine stands there, or after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.replay.boot import BOOT, CHECKPOINT, START, content, lines, replayed, written
from xenproofs.judge.replay.beginning import begin
from xenproofs.judge.replay.playing import play_all
from xenproofs.judge.replay.saving import save
from xenproofs.judge.trace import read_recording
from xenspec.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

CUT = 240
END = 400


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Path, Path]:
    """Give the first calls of the boot in two files."""
    head = [line for line in lines(END) if line.n <= CUT]
    tail = [line for line in lines(END) if line.n > CUT]
    return (
        written(tmp_path / "head.jsonl", head),
        written(tmp_path / "tail.jsonl.gz", tail, phase="workload", first_n=CUT + 1),
    )


def test_two_parts_are_as_the_whole(parts: tuple[Path, Path]) -> None:
    chained = begin(START)
    play_all(chained, parts)
    assert content(chained) == content(replayed(lines(END)))
    assert chained.report.hypercalls == END


def test_a_gap_between_recordings_is_bad_input(parts: tuple[Path, Path]) -> None:
    replay = begin(START)
    with pytest.raises(
        BadInput, match=r"tail.*:1: first_n: begins at hypercall 241.*1 is the next \(a gap\)"
    ):
        play_all(replay, parts[1:])


def test_an_overlap_is_bad_input(parts: tuple[Path, Path]) -> None:
    replay = begin(START)
    with pytest.raises(
        BadInput, match=r"begins at hypercall 1, but hypercall 241 is the next \(an overlap\)"
    ):
        play_all(replay, (parts[0], parts[0]))


def test_a_recording_that_begins_before_the_snapshot_is_bad_input() -> None:
    with pytest.raises(BadInput, match="begins at hypercall 1, but hypercall 89922 is the next"):
        play_all(begin(CHECKPOINT), [BOOT])


def test_a_recording_may_begin_behind_the_call_that_announced_the_snapshot(tmp_path: Path) -> None:
    for first_n in (89_922, 89_923):
        empty = written(tmp_path / f"{first_n}.jsonl", [], phase="workload", first_n=first_n)
        play_all(begin(CHECKPOINT), [empty])
    early = written(tmp_path / "early.jsonl", [], phase="workload", first_n=2)
    with pytest.raises(BadInput, match="a gap"):
        play_all(begin(START), [early])


def test_a_recording_of_another_machine_is_bad_input(tmp_path: Path) -> None:
    other = written(tmp_path / "other.jsonl", lines(20), machine="another one")
    with pytest.raises(BadInput, match="another machine"):
        play_all(begin(START), [other])


def test_a_saved_state_goes_on_in_its_recording_and_in_the_next_one(
    tmp_path: Path, parts: tuple[Path, Path]
) -> None:
    for until, rest in ((CUT - 30, parts), (CUT, parts[1:])):
        first = begin(START)
        play_all(first, parts, until=until)
        save(first, tmp_path / "state")
        second = begin(tmp_path / "state")
        play_all(second, rest)
        assert second.report.hypercalls == END - until
        assert content(second) == content(replayed(lines(END)))


def test_a_saved_state_does_not_go_on_in_another_recording(tmp_path: Path, parts: tuple[Path, Path]) -> None:
    first = begin(START)
    play_all(first, parts, until=CUT - 30)
    save(first, tmp_path / "state")
    shifted = written(tmp_path / "shifted.jsonl", [line for line in lines(END) if line.line != 30])
    with pytest.raises(BadInput, match="the state was saved after hypercall 210, in another recording"):
        play_all(begin(tmp_path / "state"), [shifted])


def test_the_last_call_to_play_may_be_chosen() -> None:
    replay = begin(START)
    play_all(replay, [BOOT], until=100)
    assert replay.report.hypercalls == 100
    assert replay.position.top == 100


SMP = "qemu, -smp 2"


def test_other_vcpus_call_while_a_checkpoint_is_announced(tmp_path: Path, shared: Path) -> None:
    """The calls that they make meanwhile are in the file before, with higher numbers."""
    middle = shared / "recordings" / "r3_snap_0.json.gz"
    header = read_recording(shared / "recordings" / "r3_boot.jsonl.gz").header
    for first_n, unseen in ((61_678, 0), (61_679, 0), (61_691, 12)):
        replay = begin(middle)
        empty = written(
            tmp_path / f"{first_n}.jsonl", [], phase="workload", first_n=first_n, machine=header.machine
        )
        play_all(replay, [empty])
        assert replay.report.assumed.total() == len(replay.unseen.frames) + unseen
    late = written(tmp_path / "late.jsonl", [], phase="workload", first_n=70_000, machine=header.machine)
    with pytest.raises(BadInput, match="a gap"):
        play_all(begin(middle), [late])


def test_a_recording_may_begin_behind_the_last_call_or_behind_the_last_line(tmp_path: Path) -> None:
    for first_n, fits in ((END, True), (CUT + 1, True), (CUT, False)):
        replay = begin(START)
        replay.play(BOOT, [line for line in lines(END) if line.n < END])
        replay.position.n = CUT
        replay.position.machine = SMP
        tail = written(tmp_path / f"{first_n}.jsonl", [], phase="workload", first_n=first_n, machine=SMP)
        if fits:
            play_all(replay, [tail])
        else:
            with pytest.raises(BadInput, match="an overlap"):
                play_all(replay, [tail])
