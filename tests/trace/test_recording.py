"""Recordings: what the bundled ones hold, to the line, and what is refused."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.trace import samples
from tests.trace.samples import BOOT, EXCERPT, boot, calls, edited, hypercall, recording, without
from xenproofs.judge.trace import (
    Hypercall,
    PortPending,
    TypeEvent,
    Unknown,
    encoded_lines,
    read_recording,
    write_recording,
)
from xenspec.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path


def refused(path: Path) -> BadInput:
    with pytest.raises(BadInput) as caught:
        list(read_recording(path))
    assert caught.value.file == str(path)
    return caught.value


def place(error: BadInput) -> tuple[int | None, str | None]:
    return error.line, error.field


def test_the_boot_has_each_kind_of_line_so_many_times() -> None:
    kinds = Counter(line.op if isinstance(line, Hypercall) else type(line).__name__ for line in boot())
    assert kinds == {
        "mmu_update": 53638,
        "mmuext_op": 17541,
        "vcpu_op": 9244,
        "set_segment_base": 2659,
        "iret": 2549,
        "console_io": 1269,
        "stack_switch": 1229,
        "TrappedWrite": 1085,
        "Pending": 1055,
        "Bounce": 1043,
        "multicall": 654,
        "update_va_mapping": 496,
        "xen_version": 336,
        "memory_op": 139,
        "physdev_op": 72,
        "event_channel_op": 27,
        "set_trap_table": 26,
        "platform_op": 12,
        "set_debugreg": 6,
        "grant_table_op": 6,
        "set_gdt": 5,
        "vm_assist": 4,
        "callback_op": 4,
        "Mark": 3,
        "fpu_taskswitch": 2,
        "mca": 2,
        "update_descriptor": 1,
        "xenpmu_op": 1,
    }


def test_the_boot_has_so_many_events_of_each_kind() -> None:
    events = [event for call in calls(boot()) for event in call.events]
    types = [event for event in events if isinstance(event, TypeEvent)]
    assert Counter((event.ev, int(event.type)) for event in types) == {
        ("settype", 7): 38523,
        ("validate", 1): 157,
        ("validate", 2): 64,
        ("validate", 3): 118,
        ("validate", 4): 49,
        ("validate", 5): 2,
        ("devalidate", 1): 78,
        ("devalidate", 2): 54,
        ("devalidate", 3): 46,
        ("devalidate", 4): 45,
    }
    assert sum(isinstance(event, PortPending) for event in events) == 1


def test_no_argument_of_the_bundled_recordings_is_unknown() -> None:
    lines = [*boot(), *read_recording(EXCERPT)]
    assert not [call.op for call in calls(lines) if isinstance(call.args, Unknown)]


@pytest.mark.parametrize("path", [BOOT, EXCERPT], ids=lambda path: path.name)
def test_what_is_read_and_written_back_is_the_same(path: Path) -> None:
    source = read_recording(path)
    written = list(encoded_lines(source.header, source))
    original = samples.plain_lines(path)
    assert len(written) == len(original)
    differing = [
        n
        for n, (mine, theirs) in enumerate(zip(written, original, strict=True), 1)
        if json.loads(mine) != json.loads(theirs)
    ]
    assert not differing


def test_a_recording_can_be_read_twice(tmp_path: Path) -> None:
    made = read_recording(recording(tmp_path, [hypercall(1), hypercall(2)]))
    assert list(made) == list(made)


def test_a_written_recording_reads_back_and_repeats_its_bytes(tmp_path: Path) -> None:
    source = read_recording(EXCERPT)
    first, second = tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl"
    write_recording(first, source.header, source)
    write_recording(second, source.header, source)
    assert gzip.decompress(first.read_bytes()) == second.read_bytes()
    assert list(read_recording(first)) == list(source)
    assert sorted(tmp_path.iterdir()) == [first, second]


# --- Numbers of hypercalls -------------------------------------------------------------------------------


def test_calls_of_two_vcpus_may_complete_out_of_order(tmp_path: Path) -> None:
    lines = [hypercall(1), hypercall(3, 1), hypercall(4, 1), hypercall(2), hypercall(5)]
    assert [call.n for call in calls(read_recording(recording(tmp_path, lines)))] == [1, 3, 4, 2, 5]


def test_one_call_of_a_second_vcpu_may_still_be_under_way_at_the_end(tmp_path: Path) -> None:
    lines = [hypercall(1), hypercall(2, 1), hypercall(4, 1)]
    assert len(list(read_recording(recording(tmp_path, lines)))) == 3


def test_what_was_under_way_at_the_cut_may_come_in_the_next_file(tmp_path: Path) -> None:
    """Of two vCPUs, one call that was issued before; and calls that the file before has already."""
    early = [hypercall(9, vcpu=1), hypercall(10), hypercall(11, vcpu=1)]
    late = [hypercall(13), hypercall(14, vcpu=1)]
    for lines in (early, late):
        assert [line.n for line in read_recording(recording(tmp_path, lines, first_n=10))]
    for lines in ([*early, hypercall(9, vcpu=2)], [hypercall(13), hypercall(14)], [*late, hypercall(18)]):
        assert refused(recording(tmp_path, lines, first_n=10)).field == "n"


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([hypercall(1), hypercall(1)], 3),
        ([hypercall(1), hypercall(2), hypercall(1)], 4),
        ([hypercall(1), hypercall(2), hypercall(2, 1)], 4),
        ([hypercall(1), hypercall(3)], 3),
        ([hypercall(1), hypercall(2), hypercall(5, 1)], 4),
        ([hypercall(1), hypercall(2**40)], 3),
        ([hypercall(1), hypercall(3, 1), hypercall(2, 1)], 4),
    ],
    ids=["twice", "backwards", "twice, other vCPU", "gap", "gap of two", "far jump", "vCPU backwards"],
)
def test_numbers_that_cannot_be_are_refused(tmp_path: Path, lines: list[str], line: int) -> None:
    assert place(refused(recording(tmp_path, lines, first_n=1))) == (line, "n")


def test_a_call_before_the_first_is_refused(tmp_path: Path) -> None:
    assert place(refused(recording(tmp_path, [hypercall(9)], first_n=10))) == (2, "n")


def test_an_event_may_come_one_before_the_first_call_and_not_earlier(tmp_path: Path) -> None:
    pending = samples.one_of_each()["Pending"]
    assert list(read_recording(recording(tmp_path, [edited(pending, n=9)], first_n=10)))
    assert place(refused(recording(tmp_path, [edited(pending, n=8)], first_n=10))) == (2, "n")


# --- Lines that do not fit -------------------------------------------------------------------------------

UPDATE = '{"reqs":[[4096,5]],"count":1,"preempted":0,"foreigndom":32752,"pdone":0}'


def update(args: str) -> str:
    return hypercall(1, op="mmu_update").replace('{"cmd": 0}', args)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (update(UPDATE.replace("4096", "-1")), "args.reqs[0][0]"),
        (update(UPDATE.replace("4096", "1.5")), "args.reqs[0][0]"),
        (update(UPDATE.replace("4096", "1.0")), "args.reqs[0][0]"),
        (update(UPDATE.replace("4096", "NaN")), None),
        (update(UPDATE.replace("4096", "true")), "args.reqs[0][0]"),
        (update(UPDATE.replace("4096", '"1"')), "args.reqs[0][0]"),
        (update(UPDATE.replace("4096", "18446744073709551616")), "args.reqs[0][0]"),
        (update(UPDATE.replace("[4096,5]", "[4096]")), "args.reqs[0]"),
        (update(UPDATE.replace("[4096,5]", "[4096,5,6]")), "args"),
        (update(UPDATE.replace('"count":1', '"count":2')), "args"),
        (update(UPDATE.replace('"count"', '"number"')), "args.number"),
        (update(UPDATE.replace('"count":1,', "")), "args.count"),
        (update(UPDATE.replace('"preempted":0', '"preempted":2')), "args.preempted"),
        (hypercall(1, ret=2**63), "ret"),
        (hypercall(1, ret=None), "ret"),
        (hypercall(1, done=0), "done"),
        (hypercall(1, ret=None, cont=["xen_version", []]), "done"),
        (hypercall(1, cont=["xen_version", []], done=0), "ret"),
        (hypercall(1, extra=1), "extra"),
        (hypercall(1, dom=65536), "dom"),
        (hypercall(1, op="iret"), "args.cmd"),
        (without(hypercall(1), "cr3"), "cr3"),
        (hypercall(1, op="set_debugreg", args={"reg": 0, "value": 2**64}), "args.value"),
        (hypercall(1, op="argo_op", args={"deep": [1, {"x": 0.5}]}), "args.deep[1].x"),
        (hypercall(1, op="argo_op", args=[]), "args"),
        ("", None),
        ("[]", None),
        ("null", None),
        ('{"n":1}', "vcpu"),
        (hypercall(1)[:-1], None),
        (hypercall(1) + "}", None),
        ("[" * 100_000, None),
        (hypercall(1, op="argo_op").replace("0}", "[" * 100_000 + "]" * 100_000 + "}"), None),
        ('{"op":"@unheard","n":1}', "op"),
        (hypercall(1, xen=[{"ev": "unheard"}]), "xen[0].ev"),
    ],
)
def test_a_line_that_does_not_fit_is_refused_with_its_field(
    tmp_path: Path, text: str, field: str | None
) -> None:
    assert place(refused(recording(tmp_path, [text], first_n=1))) == (2, field)


def test_more_done_than_there_was_is_refused(tmp_path: Path) -> None:
    line = edited(update(UPDATE), ret=None, cont=["mmu_update", []], done=2)
    assert place(refused(recording(tmp_path, [line]))) == (2, "done")


def test_a_text_that_looks_like_an_event_is_a_text(tmp_path: Path) -> None:
    line = hypercall(1, op="console_io", args={"cmd": 0, "text": '"op":"@ptwr" says "@home"'})
    assert len(calls(read_recording(recording(tmp_path, [line])))) == 1


def test_white_space_does_not_hide_an_event(tmp_path: Path) -> None:
    line = '{ "op" : "@mark", "n" : 1, "text" : "x" }'
    assert len(list(read_recording(recording(tmp_path, [line])))) == 1


# --- Files that are none ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"format": "xenpv-trace-2"}, "format"),
        ({"phase": "lunch"}, "phase"),
        ({"phase": "boot", "first_n": 2}, "first_n"),
        ({"first_n": 0}, "first_n"),
        ({"first_n": -1}, "first_n"),
        ({"first_n": 2**64}, "first_n"),
        ({"xen": 4}, "xen"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_header_is_refused(tmp_path: Path, change: dict[str, samples.Json], field: str) -> None:
    assert place(refused(recording(tmp_path, [], **change))) == (1, field)


@pytest.mark.parametrize("data", [b"", b"\n", b"{}", b"\xff\xfe\x00", b"\x1f\x8b", b"PK\x03\x04"])
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    assert refused(path).line == 1


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "No such file" in str(refused(tmp_path / "absent"))


@pytest.mark.parametrize("part", [1, 10, 1_000, 100_000, 1_000_000, -1])
def test_a_truncated_gzip_file_is_refused_where_it_breaks_off(tmp_path: Path, part: int) -> None:
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(BOOT.read_bytes()[:part])
    error = refused(path)
    assert error.line is not None
    assert 1 <= error.line <= 93_110


def test_a_flipped_byte_in_a_gzip_file_is_refused(tmp_path: Path) -> None:
    data = bytearray(BOOT.read_bytes())
    data[700_000] ^= 0x55
    path = tmp_path / "flipped.jsonl.gz"
    path.write_bytes(data)
    assert refused(path).line is not None


def test_a_line_that_breaks_off_is_refused(tmp_path: Path) -> None:
    path = recording(tmp_path, [hypercall(1), hypercall(2)])
    path.write_bytes(path.read_bytes()[:-20])
    assert refused(path).line == 3


def test_lines_before_the_fault_are_delivered(tmp_path: Path) -> None:
    lines = iter(read_recording(recording(tmp_path, [hypercall(1), "nonsense"])))
    assert next(lines).n == 1
    with pytest.raises(BadInput):
        next(lines)
