"""The test kernel's header and the driver's layout say the same."""

from __future__ import annotations

import re
from pathlib import Path
from struct import calcsize
from typing import TYPE_CHECKING, Final

import pytest

from xenproofs.duel.live import protocol

if TYPE_CHECKING:
    from enum import IntEnum

HEADER: Final = (Path(__file__).parent / "kernel" / "protocol.h").read_text("utf-8")
SIZES: Final = {"uint64_t": 8, "int64_t": 8, "uint32_t": 4, "uint16_t": 2}


def members(struct: str) -> list[tuple[str, str]]:
    """Give (name, type) of each member of a struct of the header."""
    body = re.search(rf"struct {struct} {{(.*?)\n}};", HEADER, re.DOTALL)
    assert body is not None, f"no struct {struct}"
    text = re.sub(r"/\*.*?\*/", "", body[1], flags=re.DOTALL)
    found: list[tuple[str, str]] = []
    for kind, names in re.findall(r"(\w+) ([^;]+);", text):
        for name in names.split(","):
            word, _, count = name.strip().partition("[")
            found += [(word, kind)] * int(count.rstrip("]") or 1)
    return found


def constants(prefix: str) -> list[str]:
    """Give the enumerated names that begin so, in order."""
    bodies = re.findall(r"enum \w* ?{(.*?)}", HEADER, re.DOTALL)
    text = re.sub(r"/\*.*?\*/", "", " ".join(bodies), flags=re.DOTALL)
    return re.findall(rf"\b{prefix}_(\w+)", text)


def test_the_mailbox_has_the_same_words_in_the_same_order() -> None:
    found = members("mailbox")
    assert [name.upper() for name, _ in found] == [field.name for field in protocol.Field]
    assert {kind for _, kind in found} == {"uint64_t"}


@pytest.mark.parametrize(
    ("prefix", "values"),
    [("STATE", protocol.State), ("COMMAND", protocol.Command), ("CODE", protocol.Code)],
)
def test_enumerations_are_the_same(prefix: str, values: type[IntEnum]) -> None:
    assert constants(prefix) == [value.name for value in values]


@pytest.mark.parametrize(
    ("struct", "size"),
    [
        ("case_header", protocol.CASE_HEADER.size),
        ("case_frame", protocol.CASE_FRAME.size),
        ("request", calcsize("<" + protocol.REQUEST)),
        ("operand", calcsize("<" + protocol.OPERAND)),
        ("case_result", protocol.RESULT.size),
        ("answer", protocol.ANSWER.size),
        ("page_info", protocol.PAGE_INFO.size),
    ],
)
def test_structs_have_the_same_size(struct: str, size: int) -> None:
    assert sum(SIZES[kind] for _, kind in members(struct)) == size


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAILBOX_MAGIC", protocol.MAGIC),
        ("PROTOCOL_VERSION", protocol.VERSION),
        ("NOT_TOLD", protocol.NOT_TOLD),
    ],
)
def test_numbers_are_the_same(name: str, value: int) -> None:
    found = re.search(rf"#define {name} (0?x?[0-9a-f]+)", HEADER)
    assert found is not None
    assert int(found[1], 0) == value


def test_slots_that_are_no_frames_are_the_same() -> None:
    found = {
        name: int(value, 0) for name, value in re.findall(r"(SLOT_\w+|NEED_\w+) = (0?x?[0-9a-f]+)", HEADER)
    }
    assert found == {
        "SLOT_SAVED": protocol.SLOT_SAVED,
        "SLOT_REFERENCES": protocol.SLOT_REFERENCES,
        "NEED_FREE_TABLE": protocol.NEED_FREE_TABLE,
    }


def test_the_guests_own_bits_are_written_by_the_same_numbers() -> None:
    long = {"clr": "CLEAR", "set": "SET", "sel": "SELECTOR"}
    names = ["_".join(long.get(part, part.upper()) for part in name.split("_")) for name in protocol.BITS]
    assert constants("BITS") == names
    assert list(protocol.BITS.values()) == list(range(len(names)))


def test_limits_are_the_same() -> None:
    found = {name: int(value) for name, value in re.findall(r"MOST_(\w+) = (\d+)", HEADER)}
    assert found == {
        "UPDATES": protocol.MOST_UPDATES,
        "EXTENTS": protocol.MOST_EXTENTS,
        "FRAMES": protocol.MOST_FRAMES,
        "SAVED": protocol.MOST_SAVED,
        "PORTS": protocol.MOST_PORTS,
    }


def test_a_word_left_out_of_the_driver_is_seen() -> None:
    assert [name.upper() for name, _ in members("mailbox")[1:]] != [field.name for field in protocol.Field]
