"""Oracle cases: what the bundled ones hold, that nothing is dropped, and what is refused."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.recordings import make_sample
from tests.trace import samples
from tests.trace.samples import CASES, OTHER_CASES, Json
from xenproofs.judge.trace import (
    Case,
    MmuUpdateOp,
    NamedEntry,
    PageState,
    PortStatus,
    UvmOp,
    live_page,
    read_cases,
    split_va,
)
from xenspec.errors import BadInput
from xenspec.vocabulary import PageType, Va

if TYPE_CHECKING:
    from pathlib import Path

DEFAULTS: dict[str, Json] = {
    "fd": 0x7FF0,
    "flags": 6,
    "nodone": 0,
    "list": True,
    "idx": 0,
    "off": 0,
    "dev": 0,
    "vcpu": 0,
    "dom": 0x7FF0,
    "order": 0,
}
"""What an operation may say or leave out."""


def line(**changes: Json) -> str:
    fields: dict[str, Json] = {
        "id": "c",
        "by": "dom0",
        "np": 1,
        "nf": 0,
        "ops": [{"in": {"op": "uvm", "va": "p0", "pte": ["p0", 97]}, "out": {"rc": 0}}],
    }
    return json.dumps(fields | changes)


def one(ask: Json, out: Json, **changes: Json) -> str:
    return line(ops=[{"in": ask, "out": out}], **changes)


def cases_file(folder: Path, *lines: str) -> Path:
    path = folder / "cases.jsonl"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def refused(path: Path) -> BadInput:
    with pytest.raises(BadInput) as caught:
        list(read_cases(path))
    assert caught.value.file == str(path)
    return caught.value


def test_the_bundled_cases_are_so_many() -> None:
    memory, other = list(read_cases(CASES)), list(read_cases(OTHER_CASES))
    assert (len(memory), len(other)) == (1703, 300)
    assert all(case.is_memory for case in memory)
    assert sum(case.is_memory for case in other) == 0
    assert Counter(case.by for case in memory) == {"dom0": 932, "guest": 771}
    assert len({case.tag for case in memory if case.tag}) == 983


def test_the_bundled_cases_ask_each_memory_operation() -> None:
    asked = Counter(type(step.ask).__name__ for case in read_cases(CASES) for step in case.ops)
    assert set(asked) == {
        "MmuUpdateOp",
        "MmuExtOp",
        "UvmOp",
        "UvmOtherOp",
        "SetGdtOp",
        "UpdateDescriptorOp",
        "LoadSegOp",
        "SetTrapTableOp",
        "ReservationOp",
        "WriteOp",
        "ReadOp",
        "VmAssistOp",
        "PageInfoOp",
    }


def _plain(value: Json) -> Json:
    """Give a value without what may be left out."""
    if isinstance(value, dict):
        return {
            key: _plain(item)
            for key, item in value.items()
            if item is not None and item != {} and item != DEFAULTS.get(key, ...)
        }
    if isinstance(value, list):
        return [_plain(item) for item in value if item is not None]
    return value


def _same_as_written(path: Path) -> int:
    count = 0
    for case, text in zip(read_cases(path), samples.plain_lines(path), strict=True):
        count += 1
        back: dict[str, Json] = json.loads(msgspec.json.encode(case))
        back.pop("line")
        written: dict[str, Json] = json.loads(text)
        assert _plain(back) == _plain(written), case.id
    return count


@pytest.mark.parametrize("path", [CASES, OTHER_CASES], ids=["memory", "other"])
def test_no_field_of_a_case_is_dropped(path: Path) -> None:
    assert _same_as_written(path) >= 300


def test_no_field_of_any_case_at_hand_is_dropped(shared: Path) -> None:
    assert sum(_same_as_written(path) for path in sorted((shared / "oracle").glob("*.gz"))) == 57431


def test_the_samples_can_be_drawn_again(shared: Path) -> None:
    for name, texts in make_sample.samples(shared).items():
        assert (samples.FOLDER / name).read_bytes() == make_sample.packed(texts), name


def test_a_case_is_decoded_to_the_last_field() -> None:
    case = next(case for case in read_cases(CASES) if case.id == "sm0")
    first, second, _ = case.ops[:3]
    assert (case.by, case.np, case.nf, case.tag, case.line) == ("dom0", 2, 0, "link_after_pin L1 rwmapped", 1)
    assert isinstance(first.ask, UvmOp)
    assert (first.ask.va, first.ask.pte, first.ask.flags) == ("p0", NamedEntry("p0", 97), 6)
    assert second.answer.done == 1
    assert second.answer.st == {"p0": PageState("l1", 1, "pv", 3, "a")}
    info = second.answer.st["p0"].info
    assert (info.type, info.type_count, info.pinned, info.validated) == (PageType.L1, 1, True, True)
    assert (info.ref_count, info.allocated, info.partial) == (3, True, False)


def test_names_of_places_come_apart() -> None:
    assert split_va("p3") == ("p3", 0)
    assert split_va("p3+4088") == ("p3", 4088)
    assert split_va(Va(1 << 63)) == 1 << 63
    assert live_page("l1e:p3") == "p3"
    assert live_page("p3") is None
    assert live_page(4) is None


def test_a_free_page_has_nothing() -> None:
    info = PageState("free", 0, "", 0, "").info
    assert (info.type, info.ref_count, info.allocated) == (PageType.NONE, 0, False)


def test_the_peer_of_a_port_is_a_pair() -> None:
    peers = [
        step.answer.out.u
        for case in read_cases(OTHER_CASES)
        for step in case.ops
        if isinstance(step.answer.out, PortStatus) and step.answer.out.status == 2
    ]
    assert peers
    assert all(isinstance(peer, tuple) and len(peer) == 2 for peer in peers)


def test_a_crash_is_an_answer_too(tmp_path: Path) -> None:
    path = cases_file(tmp_path, line(crash="crash", log="(XEN) domain_crash"))
    assert [case.crash for case in read_cases(path)] == ["crash"]


def test_defaults_are_the_asking_programs(tmp_path: Path) -> None:
    ask: Json = {"op": "mmu_update", "reqs": [["l1e:p0", 3, "ad", 5]]}
    case = next(read_cases(cases_file(tmp_path, one(ask, {"rc": 0, "done": 1}))))
    update = case.ops[0].ask
    assert isinstance(update, MmuUpdateOp)
    assert (update.fd, update.nodone, update.reqs[0].table, update.reqs[0].value) == (0x7FF0, 0, "l1e:p0", 5)


def update(*request: Json) -> dict[str, Json]:
    return {"op": "mmu_update", "reqs": [list(request)]}


MMU = update("p0", 3, "n", 5)
WRITE: dict[str, Json] = {"op": "write", "va": "p0", "val": 1}
READ: dict[str, Json] = {"op": "read", "va": "p0"}


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (line(id=4), "id"),
        (line(by="dom7"), "by"),
        (line(np=9), "np"),
        (line(np=-1), "np"),
        (line(extra=1), "extra"),
        (samples.without(line(), "ops"), "ops"),
        (line(ops=[{"in": READ}]), "ops[0].out"),
        (line(ops=[{"in": READ, "out": {"rc": 0, "val": 1}, "more": 1}]), "ops[0].more"),
        (one({"op": "unheard"}, {"rc": 0}), "ops[0].in.op"),
        (one({"va": "p0"}, {"rc": 0}), "ops[0].in.op"),
        (one({"op": "uvm", "va": "p0"}, {"rc": 0}), "ops[0].in.pte"),
        (one({"op": "uvm", "va": "p8", "pte": 0}, {"rc": 0}), "ops[0].in.va"),
        (one({"op": "uvm", "va": -1, "pte": 0}, {"rc": 0}), "ops[0].in.va"),
        (one({"op": "uvm", "va": 0, "pte": 2**64}, {"rc": 0}), "ops[0].in.pte"),
        (one({"op": "uvm", "va": 0, "pte": ["p0"]}, {"rc": 0}), "ops[0].in.pte"),
        (one({"op": "uvm", "va": 0, "pte": ["q0", 1]}, {"rc": 0}), "ops[0].in.pte[0]"),
        (one({"op": "uvm", "va": 0, "pte": 0.5}, {"rc": 0}), "ops[0].in.pte"),
        (one(update("p0", 512, "n", 5), {"rc": 0, "done": 1}), "ops[0].in.reqs[0][1]"),
        (one(update("p0", 3, "x", 5), {"rc": 0, "done": 1}), "ops[0].in.reqs[0][2]"),
        (one({"op": "mmuext", "cmds": [["pin_l1"]]}, {"rc": 0, "done": 1}), "ops[0].in.cmds[0]"),
        (one({"op": "mmuext", "cmds": [["pin_l1", "q7"]]}, {"rc": 0, "done": 1}), "ops[0].in.cmds[0]"),
        (one({"op": "mmuext", "cmds": [["fly"]]}, {"rc": 0, "done": 1}), "ops[0].in.cmds[0][0]"),
        (one({"op": "gnt_copy", "src": {"dom": 1}, "dst": {"dom": 1}, "len": 1}, {"rc": 0}), "ops[0].in.src"),
        (one(READ, {"rc": 0.0, "val": 1}), "ops[0].out.rc"),
        (one(READ, {"rc": 2**63, "val": 1}), "ops[0].out.rc"),
        (one(READ, {"val": 1}), "ops[0].out.rc"),
        (one(READ, {"rc": 0, "val": 1, "vat": 1}), "ops[0].out.vat"),
        (one(READ, {"rc": 0, "val": 1, "st": {"p1": ["wr", 0, "v", 1, "a"]}}), "ops[0].out.st.p1"),
        (one(READ, {"rc": 0, "val": 1, "st": {"p0": ["rw", 0, "v", 1, "a"]}}), "ops[0].out.st[...][0]"),
        (one(READ, {"rc": 0, "val": 1, "st": {"p0": ["wr", 0, "q", 1, "a"]}}), "ops[0].out.st[...][2]"),
        (one(READ, {"rc": 0, "val": 1, "st": {"p0": ["wr", 0, "v", 1]}}), "ops[0].out.st[...]"),
        (one(READ, {"rc": 0, "val": 1}, init={"f0": ["wr", 0, "v", 1, "a"]}), "init.f0"),
        (one(MMU, {"rc": 0}), "ops[0].out.done"),
        (one(READ, {"rc": 0}), "ops[0].out.val"),
        (one({"op": "pginfo", "page": "p0"}, {"rc": 0}), "ops[0].out.val"),
        (one(WRITE, {"rc": -1, "fault": {"vec": 14, "err": 3}}), "ops[0].out.cr2off"),
        (one({"op": "memory_op", "cmd": "exchange", "extents": ["p0"]}, {"rc": 0}), "ops[0].out.done"),
        (one({"op": "evt_dump"}, {"rc": 0}), "ops[0].out.out"),
        ("", None),
        ("[]", None),
        ('{"id":', None),
        ("[" * 50_000, None),
    ],
)  # fmt: skip
def test_a_case_that_does_not_fit_is_refused_with_its_field(
    tmp_path: Path, text: str, field: str | None
) -> None:
    error = refused(cases_file(tmp_path, line(), text))
    assert (error.line, error.field) == (2, field)


@pytest.mark.parametrize(
    ("ask", "out"),
    [
        (MMU, {"rc": -3, "done": None}),
        (MMU | {"nodone": 1}, {"rc": 0, "done": None}),
        ({"op": "mmuext", "cmds": [["new_baseptr", "p0"]]}, {"rc": -9999}),
        (READ, {"rc": -1, "val": None, "fault": {"vec": 14, "err": 0}}),
        (WRITE, {"rc": -1, "fault": {"vec": 13, "err": 0}}),
    ],
)
def test_an_answer_may_lack_what_xen_did_not_give(tmp_path: Path, ask: Json, out: Json) -> None:
    assert len(list(read_cases(cases_file(tmp_path, one(ask, out))))) == 1


def test_an_id_used_twice_is_refused(tmp_path: Path) -> None:
    error = refused(cases_file(tmp_path, line(), line(id="d"), line()))
    assert (error.line, error.field) == (3, "id")
    assert "line 1" in error.message


@pytest.mark.parametrize("part", [1, 100, 20_000, -1])
def test_a_truncated_file_of_cases_is_refused(tmp_path: Path, part: int) -> None:
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(CASES.read_bytes()[:part])
    assert refused(path).line is not None


def test_a_recording_holds_no_cases() -> None:
    assert refused(samples.BOOT).line == 1


def test_cases_before_the_fault_are_delivered(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl.gz"
    path.write_bytes(gzip.compress(f"{line()}\nnonsense\n".encode()))
    cases = read_cases(path)
    assert isinstance(next(cases), Case)
    with pytest.raises(BadInput):
        next(cases)
