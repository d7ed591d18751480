"""The explanation of the first difference is a product: its text is kept in tests/snapshots, and compared.

`XENCHECK_UPDATE=1 pytest tests/replay/test_explanation.py` writes the texts anew.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from msgspec import structs

from tests.replay.boot import START, lines, written
from xenproofs.judge.replay.beginning import begin
from xenproofs.judge.replay.explain import explain, first_found
from xenproofs.judge.replay.playing import play_all
from xenproofs.judge.replay.report import Breach
from xenproofs.judge.trace import Hypercall, SetType, TrappedWrite, UpdateVaMapping, Validate
from xenspec.vocabulary import Word

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenproofs.judge.trace import Line

SNAPSHOTS: Final = Path(__file__).resolve().parent.parent / "snapshots"
END: Final = 640
TABLE: Final = 0x12A13
"""A page table of level 2 at that time."""
MAPPED: Final = next(
    line.n
    for line in lines(END)
    if isinstance(line, Hypercall) and isinstance(line.args, UpdateVaMapping) and line.n > 40
)
"""A call that maps a page."""


def wrong_answer(line: Line) -> Line:
    return structs.replace(line, ret=-22) if isinstance(line, Hypercall) and line.n == 500 else line


def wrong_request(line: Line) -> Line:
    """Let the guest map one of its page tables writable: Xen would have refused."""
    if not isinstance(line, Hypercall) or line.n != MAPPED or not isinstance(line.args, UpdateVaMapping):
        return line
    return structs.replace(line, args=structs.replace(line.args, val=Word(TABLE << 12 | 0x67)))


def wrong_event(line: Line) -> Line:
    if not isinstance(line, Hypercall) or not line.events or line.n < 20:
        return line
    first = line.events[0]
    if not isinstance(first, Validate | SetType):
        return line
    changed = structs.replace(first, old_count_info=first.old_count_info + 1)
    return structs.replace(line, events=(changed, *line.events[1:]))


def wrong_store(line: Line) -> Line:
    if not isinstance(line, TrappedWrite) or line.line != 290:
        return line
    return structs.replace(line, post=Word(line.post ^ 2))


CASES: Final[dict[str, Callable[[Line], Line]]] = {
    "wrong_answer": wrong_answer,
    "wrong_request": wrong_request,
    "wrong_event": wrong_event,
    "wrong_store": wrong_store,
}


@pytest.mark.parametrize("name", CASES)
def test_the_first_difference_is_explained(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(Path("boot.jsonl"), [CASES[name](line) for line in lines(END)])
    replay = begin(START)
    play_all(replay, [path])
    found = first_found(replay.report)
    assert found is not None
    same_as(f"replay_{name}", explain(START, [path], found))


def test_a_violation_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(Path("boot.jsonl"), lines(END))
    breach = Breach(
        name="type_count_is_the_number_of_typed_holders",
        key=str(TABLE),
        sentence="A frame's type count is the number of those who hold it as its type.",
        detail=(f"broken  frames[{TABLE:#x}].type_count (2) == counts[{TABLE:#x}].typed (1)",),
        when="after the call",
        n=500,
        op="mmu_update",
        line=next(line.line for line in lines(END) if line.n == 500),
        file="boot.jsonl",
    )
    same_as("replay_violation", explain(START, [path], breach))


def same_as(name: str, text: list[str]) -> None:
    """Compare a text with its snapshot, or make it the snapshot."""
    path = SNAPSHOTS / f"{name}.txt"
    whole = "\n".join(text) + "\n"
    if os.environ.get("XENCHECK_UPDATE"):
        path.write_text(whole, encoding="utf-8")
    assert whole == path.read_text(encoding="utf-8")
