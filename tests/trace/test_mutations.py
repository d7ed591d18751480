"""However a line is damaged, it is decoded or refused with its place; no other exception comes out.

The damage is of two kinds: of the bytes (any edit), and of the meaning (a value somewhere in the object is
replaced, dropped or doubled by something that JSON allows).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeAlias

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.trace import samples
from tests.trace.samples import CASES, OTHER_CASES, START, Json, one_of_each, plain_lines
from tests.trace.test_snapshot import small
from xenproofs.judge.trace import read_cases, read_recording, read_snapshot
from xenspec.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Way: TypeAlias = "tuple[str | int, ...]"

STRANGE: Final[list[Json]] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    7,
    511,
    512,
    2**31,
    2**63,
    2**64 - 1,
    2**64,
    -(2**63),
    -(2**63) - 1,
    10**30,
    0.5,
    1.0,
    float("inf"),
    float("nan"),
    "",
    "x",
    "\ud800",
    "\x00",
    "@ptwr",
    [],
    [[]],
    [0, 0],
    {},
    {"op": "@mark"},
    {"cmd": "send"},
]


def places(value: Json, at: Way = ()) -> Iterator[Way]:
    """Give the way to every value in a document."""
    yield at
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value[:3]):
            yield from places(item, (*at, index))


def replaced(value: Json, at: Way, new: Json, how: str) -> Json:
    """Give the document with the value at a place replaced, dropped, or followed by a new one."""
    if not at:
        return new
    step, rest = at[0], at[1:]
    if isinstance(value, dict):
        fields = dict(value)
        key = str(step)
        if rest or how == "replace":
            fields[key] = replaced(value[key], rest, new, how)
        elif how == "drop":
            del fields[key]
        else:
            fields[key + "_"] = new
        return fields
    assert isinstance(value, list)
    items = list(value)
    index = int(step)
    if rest or how == "replace":
        items[index] = replaced(value[index], rest, new, how)
    elif how == "drop":
        del items[index]
    else:
        items.insert(index, new)
    return items


@st.composite
def damaged_values(draw: st.DrawFn, texts: list[str]) -> str:
    """Damage the meaning of a line."""
    document: Json = json.loads(draw(st.sampled_from(texts)))
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.sampled_from(list(places(document))))
        new = draw(st.sampled_from(STRANGE))
        document = replaced(document, at, new, draw(st.sampled_from(["replace", "drop", "add"])))
    return json.dumps(document)


@st.composite
def damaged_bytes(draw: st.DrawFn, texts: list[str]) -> bytes:
    """Damage the bytes of a line, which stays one line."""
    text = draw(st.sampled_from(texts)).encode()
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 8)))
    new = draw(
        st.binary(max_size=6) | st.sampled_from([b'"', b"{", b"[", b",", b"-", b"9" * 25, b"e5", b".5"])
    )
    return (text[:start] + new + text[end:]).replace(b"\n", b" ")


def kinds() -> list[str]:
    return sorted(one_of_each().values(), key=len)


def some_cases() -> list[str]:
    return plain_lines(CASES)[::9] + plain_lines(OTHER_CASES)[::2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


def read_line(folder: Path, text: str | bytes) -> None:
    """Read a recording whose second line is damaged."""
    path = samples.recording(folder, [], first_n=_first_n(text))
    with path.open("ab") as stream:
        stream.write(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    try:
        lines = list(read_recording(path))
    except BadInput as error:
        assert (error.file, error.line) == (str(path), 2)  # noqa: PT017 - both ways out are right
    else:
        assert len(lines) <= 1


def _first_n(text: str | bytes) -> int:
    """Give the number of a damaged line where it still has one, so that the damage is what is judged."""
    try:
        document: Json = json.loads(text)
    except (ValueError, RecursionError):
        return 1
    n = document.get("n") if isinstance(document, dict) else None
    return n if isinstance(n, int) and not isinstance(n, bool) and 1 <= n < 2**64 else 1


@given(text=st.deferred(lambda: damaged_values(kinds())))
@example(text=json.dumps({"op": "console_io", "n": 1, "args": {"text": "\ud800"}}))
def test_a_line_of_a_recording_with_damaged_values(folder: Path, text: str) -> None:
    read_line(folder, text)


@given(text=st.deferred(lambda: damaged_bytes(kinds())))
def test_a_line_of_a_recording_with_damaged_bytes(folder: Path, text: bytes) -> None:
    read_line(folder, text)


@given(text=st.binary(max_size=40))
def test_a_line_of_anything(folder: Path, text: bytes) -> None:
    read_line(folder, text.replace(b"\n", b""))


def read_case(folder: Path, text: str | bytes) -> None:
    path = folder / "cases.jsonl"
    path.write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    try:
        cases = list(read_cases(path))
    except BadInput as error:
        assert (error.file, error.line) == (str(path), 1)  # noqa: PT017 - both ways out are right
    else:
        assert len(cases) <= 1


@given(text=st.deferred(lambda: damaged_values(some_cases())))
def test_a_case_with_damaged_values(folder: Path, text: str) -> None:
    read_case(folder, text)


@given(text=st.deferred(lambda: damaged_bytes(some_cases())))
def test_a_case_with_damaged_bytes(folder: Path, text: bytes) -> None:
    read_case(folder, text)


def read_document(folder: Path, data: bytes) -> None:
    path = folder / "snap.json"
    path.write_bytes(data)
    try:
        snapshot = read_snapshot(path)
    except BadInput as error:
        assert error.file == str(path)  # noqa: PT017 - both ways out are right
    else:
        assert len(snapshot.page_info) == snapshot.owned_frames


@given(text=st.deferred(lambda: damaged_values([json.dumps(small())])))
def test_a_snapshot_with_damaged_values(folder: Path, text: str) -> None:
    read_document(folder, text.encode())


@given(text=st.deferred(lambda: damaged_bytes([json.dumps(small())])))
def test_a_snapshot_with_damaged_bytes(folder: Path, text: bytes) -> None:
    read_document(folder, text)


@given(at=st.integers(0, 2**17), bits=st.integers(1, 255))
def test_a_compressed_snapshot_with_a_flipped_byte(folder: Path, at: int, bits: int) -> None:
    data = bytearray(START.read_bytes())
    data[at % len(data)] ^= bits
    read_document(folder, bytes(data))
