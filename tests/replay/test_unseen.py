"""A replay that begins in the middle of a run finds out what the snapshot does not show, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from msgspec import structs

from tests.replay.boot import BOOT, CHECKPOINT, call
from tests.replay.portrait import portrait
from xenproofs.judge import trace
from xenproofs.judge.replay import unseen
from xenproofs.judge.replay.beginning import begin
from xenproofs.judge.replay.checking import Check, Checking
from xenproofs.judge.replay.expectation import compare
from xenproofs.judge.replay.saving import save
from xenproofs.judge.trace import Hypercall, Line, read_recording, read_snapshot
from xenspec.vocabulary import SEG, DomId, Mfn

if TYPE_CHECKING:
    from pathlib import Path

    from xenproofs.judge.replay.engine import Replay
    from xenproofs.judge.trace.operations import Args

PORT: Final = 9
"""Some port that was bound before the checkpoint."""


@pytest.fixture(scope="module")
def boot(shared: Path) -> list[Line]:
    return list(read_recording(shared / "recordings" / "r3_boot.jsonl.gz"))


@pytest.mark.parametrize(("n", "vcpu"), [(52_000, 0), (52_000, 1), (60_000, 1)])
def test_two_vcpus_go_on_from_a_snapshot_of_one(
    tmp_path: Path, shared: Path, boot: list[Line], n: int, vcpu: int
) -> None:
    folder = shared / "recordings"
    cut = next(i for i, line in enumerate(boot) if isinstance(line, Hypercall) and line.n >= n)
    whole = begin(folder / "r3_snap_sod.json.gz")
    whole.play(BOOT, boot[:cut])
    end = folder / "r3_snap_0.json.gz"
    replay = begin(portrait(whole.machine, end, tmp_path / "middle.json", vcpu=vcpu, at_n=boot[cut].n))
    replay.play(BOOT, boot[cut:])
    assert replay.report.diverged.total == 0
    assert replay.report.assumed[unseen.BASE] + replay.report.assumed[unseen.OTHER_VCPU] > 0
    found = compare(replay.machine, read_snapshot(end))
    assert (found.tables.differ, found.page_info.differ) == (0, 0)


def test_another_vcpu_s_base_pointer_is_learnt_from_its_first_call(shared: Path) -> None:
    replay = begin(shared / "recordings" / "r3_snap_0.json.gz")
    Checking(replay, Check.STEP)
    base = Mfn(0x12A10)
    assert replay.machine.unattributed[base].typed == 1
    line = structs.replace(call(40), n=61_679, vcpu=1, cr3=base)
    replay.play(BOOT, [structs.replace(line, cr3=Mfn(0x12A11)), line, line])
    assert [d.why for d in replay.report.diverged.first] == [
        "at entry Xen's base pointer is 0x12a11, the model has none"
    ]
    assert (replay.report.assumed[unseen.BASE], replay.report.assumed[unseen.USER_BASE]) == (1, 0)
    assert replay.machine.unattributed[base].typed == 0
    assert not replay.report.checked.violated


# --- Ports -------------------------------------------------------------------------------------------------


def asked(replay: Replay, args: Args, ret: int = 0, op: str = "event_channel_op") -> str:
    """Play a call that the real Xen answered so; return why it differs, nothing if it does not."""
    before = replay.report.diverged.total
    n = replay.position.top + 1
    replay.play(BOOT, [structs.replace(call(40), n=n, op=op, args=args, ret=ret, cr3=Mfn(85_090))])
    found = replay.report.diverged
    return "" if found.total == before else found.first[-1].why or found.first[-1].got


@pytest.fixture
def middle() -> Replay:
    replay = begin(CHECKPOINT)
    Checking(replay, Check.STEP)
    return replay


def test_a_call_that_succeeds_names_a_port_that_was_bound_before(middle: Replay) -> None:
    for args in (
        trace.SendPort(PORT),
        trace.UnmaskPort(PORT),
        trace.BindVcpu(PORT, 0),
        trace.ClosePort(PORT),
    ):
        assert not asked(middle, args)
    assert middle.report.assumed[unseen.PORT] == 1
    assert not middle.report.checked.violated


def test_what_is_known_to_be_free_is_not_bound(middle: Replay) -> None:
    assert not asked(middle, trace.ClosePort(PORT))
    assert "EINVAL" in asked(middle, trace.SendPort(PORT))
    assert not asked(middle, trace.SendPort(PORT), -22)


def test_ports_below_the_one_that_is_handed_out_are_in_use(middle: Replay) -> None:
    assert not asked(middle, trace.BindIpi(0, PORT))
    assert middle.report.assumed[unseen.PORT] == PORT - 1
    assert not asked(middle, trace.ClosePort(PORT - 2))
    assert "hands out port 10" in asked(middle, trace.BindIpi(0, PORT + 1))
    assert not middle.report.checked.violated


def test_a_priority_tells_of_the_abi(middle: Replay) -> None:
    assert not asked(middle, trace.BindIpi(0, PORT))
    assert not asked(middle, trace.SetPriority(PORT, 0))
    assert middle.report.assumed[unseen.ABI] == 1
    assert not asked(middle, trace.ClosePort(PORT))
    assert asked(middle, trace.SetPriority(PORT, 0))


def test_an_event_of_a_port_that_is_bound_now_goes_to_its_vcpu(middle: Replay) -> None:
    assert not asked(middle, trace.BindIpi(0, PORT))
    told = trace.Pending(n=middle.position.top, notify_vcpu=0, dom=DomId(0), port=PORT, fifo=1, us=0)
    middle.play(BOOT, [told, structs.replace(told, port=PORT - 1), structs.replace(told, notify_vcpu=1)])
    assert (middle.report.assumed[unseen.ABI], middle.report.assumed[unseen.EVENT]) == (1, 1)
    assert middle.report.diverged.total == 1


def test_what_is_unseen_is_saved(middle: Replay, tmp_path: Path) -> None:
    assert not asked(middle, trace.BindIpi(0, PORT))
    assert not asked(middle, trace.ClosePort(2))
    plain = begin(CHECKPOINT)
    for args in (trace.BindIpi(0, PORT), trace.ClosePort(2)):
        assert not asked(plain, args)
    save(plain, tmp_path / "state")
    assert begin(tmp_path / "state").unseen == middle.unseen


def test_at_the_start_of_the_day_nothing_is_unseen(shared: Path) -> None:
    replay = begin(shared / "recordings" / "r1_snap_sod.json.gz")
    assert replay.unseen == unseen.Unseen()
    replay.play(BOOT, [structs.replace(call(1), op="event_channel_op", args=trace.SendPort(PORT), ret=0)])
    assert replay.report.diverged.total == 1


# --- Others ------------------------------------------------------------------------------------------------


def test_a_gdt_of_before_is_given_back(middle: Replay) -> None:
    (page,) = (Mfn(f) for f in middle.unseen.frames if middle.machine.frames[Mfn(f)].type == SEG)
    count = middle.machine.frames[page].type_count
    assert not asked(middle, trace.SetGdt(frames=(page,), entries=16), op="set_gdt")
    assert middle.report.assumed[unseen.GDT] == 1
    assert middle.machine.frames[page].type_count == count
    assert not middle.report.checked.violated


def test_a_vcpu_that_made_no_call_may_be_up(shared: Path) -> None:
    replay = begin(shared / "recordings" / "r3_snap_0.json.gz")
    line = structs.replace(call(40), n=61_679, op="vcpu_op", cr3=Mfn(91_304))
    replay.play(BOOT, [structs.replace(line, args=trace.VcpuIsUp(1), ret=ret) for ret in (1, 0)])
    assert replay.report.diverged.total == 0
    assert replay.report.assumed[unseen.STATE] == 2
    replay.play(BOOT, [structs.replace(line, args=trace.VcpuIsUp(0), ret=0)])
    assert replay.report.diverged.total == 1
