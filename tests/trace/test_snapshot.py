"""Snapshots: what the bundled ones hold, and contradictions that are refused."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.trace import samples
from tests.trace.samples import CHECKPOINT, START
from xenproofs.judge.trace import COMPARED, PageInfo, decode_page_info, decode_type_info, read_snapshot
from xenproofs.judge.trace.pageinfo import encode_count_info, encode_type_info
from xenspec.errors import BadInput
from xenspec.vocabulary import PageType

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trace.samples import Json

Document: TypeAlias = "dict[str, Json]"

VALIDATED_L1 = 0x2400_0000_0000_0002
PINNED_L4 = 0x8C00_0000_0000_0002
WRITABLE = 0xE400_0000_0000_0001
ALLOCATED_3 = 0x8000_0000_0000_0003


def small() -> Document:
    """Make a snapshot of four frames: an L4 at 100, an L1 at 101, two data frames."""
    return {
        "format": "xenpv-trace-1",
        "xen": "4.17.7",
        "guest": "linux",
        "machine": "test",
        "snapshot": "sod",
        "at_n": 1,
        "when": "before",
        "rip": 0,
        "guest_table_mfn": 100,
        "guest_user_table_mfn": 0,
        "domain_struct_va": 0,
        "vcpu_struct_va": 0,
        "ram_frames": 1000,
        "owned_frames": 4,
        "type_histogram": {"4": 1, "1": 1, "7": 2},
        "m2p_runs": [[100, 0, 4]],
        "p2m_runs": [[0, 100, 4]],
        "tables": {
            "100": {
                "level": 4,
                "type_info": PINNED_L4,
                "count_info": ALLOCATED_3,
                "entries": [[0, 7], [5, 9]],
            },
            "101": {"level": 1, "type_info": VALIDATED_L1, "count_info": ALLOCATED_3, "entries": []},
        },
        "page_info_runs": [
            [100, 1, ALLOCATED_3, PINNED_L4],
            [101, 1, ALLOCATED_3, VALIDATED_L1],
            [102, 2, ALLOCATED_3, WRITABLE],
        ],
        "e820": [["0", "fff", "usable"], ["1000", "1fff", "reserved"]],
    }


def written(folder: Path, document: Json) -> Path:
    path = folder / "snap.json"
    path.write_text(json.dumps(document), "utf-8")
    return path


def refusal(path: Path) -> BadInput:
    with pytest.raises(BadInput) as caught:
        read_snapshot(path)
    assert (caught.value.file, caught.value.line) == (str(path), None)
    return caught.value


@pytest.mark.parametrize(
    ("path", "tables", "entries", "at_n"), [(START, 44, 19600, 1), (CHECKPOINT, 208, 55567, 89922)]
)
def test_the_bundled_snapshots_have_so_much(path: Path, tables: int, entries: int, at_n: int) -> None:
    snapshot = read_snapshot(path)
    assert (len(snapshot.tables), snapshot.at_n) == (tables, at_n)
    assert sum(len(table.entries) for table in snapshot.tables.values()) == entries
    assert len(snapshot.page_info) == snapshot.owned_frames == 49154
    assert snapshot.ram_frames == 131072
    assert sum(pfn is None for _, pfn in snapshot.m2p()) == 2


def test_the_start_has_what_the_guest_is_told() -> None:
    snapshot = read_snapshot(START)
    assert snapshot.start_info is not None
    assert (snapshot.start_info.nr_pages, snapshot.start_info.magic) == (49152, "xen-3.0-x86_64p")
    assert len(list(snapshot.p2m())) == 49152
    assert dict(snapshot.p2m()) == {pfn: mfn for mfn, pfn in snapshot.m2p() if pfn is not None}
    assert snapshot.e820 is not None
    assert [(part.first_byte, part.last_byte) for part in snapshot.e820][:2] == [
        (0, 0x9FBFF),
        (0x9FC00, 0x9FFFF),
    ]


def test_a_checkpoint_has_no_start_info() -> None:
    snapshot = read_snapshot(CHECKPOINT)
    assert snapshot.start_info is None
    assert snapshot.e820 is None
    assert not list(snapshot.p2m())


def test_frames_have_types_as_counted_by_the_recorder() -> None:
    snapshot = read_snapshot(CHECKPOINT)
    types = Counter(str(int(info.type)) for info in snapshot.page_info.values())
    assert types == snapshot.type_histogram


def test_the_root_is_pinned_and_loaded() -> None:
    snapshot = read_snapshot(START)
    root = snapshot.page_info[snapshot.guest_table_mfn]
    assert str(root) == "l4 2 pv, refs 4 a"


def test_a_small_snapshot_passes(tmp_path: Path) -> None:
    snapshot = read_snapshot(written(tmp_path, small()))
    assert [mfn for mfn, info in snapshot.page_info.items() if info.type is PageType.WRITABLE] == [102, 103]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('"xenpv-trace-1"', '"xenpv-trace-9"', "format"),
        ('"at_n": 1', '"at_n": -1', "at_n"),
        ('"at_n": 1', '"at_n": 1.0', "at_n"),
        ('"at_n": 1', '"at_n": 18446744073709551616', "at_n"),
        ('"at_n": 1', '"at_m": 1', "at_m"),
        ('"at_n": 1, ', "", "at_n"),
        ('"owned_frames": 4', '"owned_frames": 5', "owned_frames"),
        ('"ram_frames": 1000', '"ram_frames": 3', "owned_frames"),
        ('"ram_frames": 1000', '"ram_frames": 1000000000000', "ram_frames"),
        ('{"4": 1, "1": 1, "7": 2}', '{"4": 1, "1": 1, "7": 1}', "type_histogram"),
        ("[[100, 0, 4]]", "[[100, 0, 4], [103, 9, 1]]", "m2p_runs"),
        ("[[100, 0, 4]]", "[[100, 0, 0]]", "m2p_runs[0][2]"),
        ("[[100, 0, 4]]", "[[100, 0, 4, 5]]", None),
        ("[[100, 0, 4]]", "[[100, 0, 1001]]", "m2p_runs"),
        ("[[0, 100, 4]]", "[[0, 100, 4], [2, 300, 9]]", "p2m_runs"),
        ("[102, 2,", "[101, 2,", "page_info_runs"),
        ("[102, 2,", "[102, 268435457,", "page_info_runs[2][1]"),
        ("[[0, 7], [5, 9]]", "[[0, 7], [0, 9]]", "tables[...]"),
        ("[[0, 7], [5, 9]]", "[[5, 7], [0, 9]]", "tables[...]"),
        ("[[0, 7], [5, 9]]", "[[0, 7], [512, 9]]", "tables[...].entries[1][0]"),
        ("[[0, 7], [5, 9]]", "[[0, 7], [-1, 9]]", "tables[...].entries[1][0]"),
        ('"level": 1', '"level": 5', "tables[...].level"),
        ('"level": 1', '"level": 2', "tables.101"),
        ('"101": {', '"104": {', "tables.104"),
        ('"101": {', '"100": {', "tables"),
        ('"101": {', '"x": {', "tables"),
        (str(VALIDATED_L1) + ', "count', str(VALIDATED_L1 + 1) + ', "count', "tables.101"),
        ('"guest_table_mfn": 100', '"guest_table_mfn": 101', "guest_table_mfn"),
        ('"guest_table_mfn": 100', '"guest_table_mfn": 102', "guest_table_mfn"),
        ('"guest_user_table_mfn": 0', '"guest_user_table_mfn": 5', "guest_user_table_mfn"),
        ('"1000", "1fff"', '"800", "1fff"', "e820"),
        ('"1000", "1fff"', '"1fff", "1000"', "e820[1]"),
        ('"1000", "1fff"', '"1000", "1ffg"', "e820[1][1]"),
        ("}", "", "type_histogram[...]"),
    ],
)
def test_a_snapshot_that_contradicts_itself_is_refused(
    tmp_path: Path, old: str, new: str, field: str | None
) -> None:
    text = json.dumps(small())
    assert old in text
    path = tmp_path / "snap.json"
    path.write_text(text.replace(old, new, 1), "utf-8")
    found = refusal(path).field
    assert found == field


def test_a_table_whose_content_is_not_there_is_refused(tmp_path: Path) -> None:
    document = small()
    tables = document["tables"]
    assert isinstance(tables, dict)
    del tables["101"]
    assert refusal(written(tmp_path, document)).field == "tables"


@pytest.mark.parametrize("document", [[], None, 3, "x", {}])
def test_what_is_no_snapshot_is_refused(tmp_path: Path, document: Json) -> None:
    refusal(written(tmp_path, document))


@pytest.mark.parametrize("part", [0, 1, 1000, -1])
def test_a_truncated_snapshot_is_refused(tmp_path: Path, part: int) -> None:
    path = tmp_path / "cut.json.gz"
    path.write_bytes(START.read_bytes()[:part])
    refusal(path)


def test_a_recording_is_no_snapshot() -> None:
    refusal(samples.BOOT)


# --- The two words of a frame ----------------------------------------------------------------------------


def test_each_bit_of_the_words_has_its_place() -> None:
    info = decode_page_info(0xED80_0000_0000_0005, 0xC000_0000_0000_0007)
    assert info == PageInfo(
        type=PageType.WRITABLE,
        type_count=5,
        validated=True,
        pinned=True,
        partial=True,
        noncoherent=True,
        allocated=True,
        xenheap=True,
        ref_count=7,
    )


def test_a_partial_table_is_not_validated() -> None:
    info = decode_type_info(0x4100_0000_0000_0001)
    assert (info.type, info.partial, info.validated, info.type_count) == (PageType.L2, True, False, 1)


@pytest.mark.parametrize("path", [START, CHECKPOINT], ids=["start", "checkpoint"])
def test_encoding_gives_the_words_back_but_for_what_is_ignored(path: Path) -> None:
    for run in read_snapshot(path).page_info_runs:
        assert encode_type_info(run.info) == run.type_info & ~(1 << 60)
        assert encode_count_info(run.info) == run.count_info


def test_locked_and_cache_attributes_make_no_difference() -> None:
    plain = decode_page_info(VALIDATED_L1, ALLOCATED_3)
    assert plain.agrees(decode_page_info(VALIDATED_L1 | 1 << 60 | 1 << 55, ALLOCATED_3 | 7 << 56))


@pytest.mark.parametrize(
    ("type_bits", "count_bits", "field"),
    [
        (6 << 61, 0, "type"),
        (1, 0, "type_count"),
        (1 << 58, 0, "validated"),
        (1 << 59, 0, "pinned"),
        (1 << 56, 0, "partial"),
        (0, 1 << 63, "allocated"),
        (0, 1 << 62, "xenheap"),
        (0, 1 << 2, "ref_count"),
    ],
)
def test_each_compared_field_makes_a_difference(type_bits: int, count_bits: int, field: str) -> None:
    plain = decode_page_info(VALIDATED_L1, ALLOCATED_3)
    other = decode_page_info(VALIDATED_L1 ^ type_bits, ALLOCATED_3 ^ count_bits)
    assert plain.differences(other) == (field,)
    assert not plain.agrees(other)
    assert field in COMPARED
