"""The comparer's negative control: each field of an answer, changed in a case, is noticed by its name."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Final, TypeAlias

import pytest

from xenproofs.judge.oracle import ask
from xenproofs.judge.oracle.run import judge_files
from xenproofs.judge.trace.case_ops import UvmOp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from xenproofs.judge.oracle.compare import Got

Json: TypeAlias = "int | str | list[Json] | dict[str, Json] | None"
Fields: TypeAlias = "dict[str, Json]"
Change: TypeAlias = "Callable[[Fields], None]"
"""Changes an answer in place; raises LookupError or TypeError where it does not apply."""


@pytest.fixture(scope="module")
def lines(pytestconfig: pytest.Config) -> Sequence[str]:
    path: Path = pytestconfig.rootpath / "tests" / "recordings" / "oracle_sample.jsonl.gz"
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def number(of: Fields, key: str) -> int:
    """Give a number of an answer."""
    found = of[key]
    if not isinstance(found, int):
        raise TypeError(key)
    return found


def part(of: Fields, key: str) -> Fields:
    """Give an object within an answer."""
    found = of[key]
    if not isinstance(found, dict):
        raise TypeError(key)
    return found


def items(of: Fields, key: str) -> list[Json]:
    """Give a list within an answer."""
    found = of[key]
    if not isinstance(found, list):
        raise TypeError(key)
    return found


def other_rc(answer: Fields) -> None:
    answer["rc"] = number(answer, "rc") - 1


def unguarded(answer: Fields) -> None:
    if answer["rc"] != -9999:
        raise LookupError
    answer["rc"], answer["done"] = -22, 0


def other_done(answer: Fields) -> None:
    answer["done"] = number(answer, "done") + 1


def done_told(answer: Fields) -> None:
    if answer["done"] is not None:
        raise LookupError
    answer["done"] = 0


def other_value(answer: Fields) -> None:
    answer["val"] = number(answer, "val") + 1


def other_frame(answer: Fields) -> None:
    items(answer, "val")[0] = "p7"


def other_flags(answer: Fields) -> None:
    value = items(answer, "val")
    value[1] = 0x800 if value[1] != 0x800 else 0


def other_vector(answer: Fields) -> None:
    part(answer, "fault")["vec"] = 3


def other_error(answer: Fields) -> None:
    part(answer, "fault")["err"] = number(part(answer, "fault"), "err") + 1


def no_fault(answer: Fields) -> None:
    del answer["fault"]


def other_address(answer: Fields) -> None:
    answer["cr2off"] = number(answer, "cr2off") + 8


def nothing_new(answer: Fields) -> None:
    del answer["new"]


def page_untold(answer: Fields) -> None:
    pages = part(answer, "st")
    del pages[next(iter(pages))]


def page_too_many(answer: Fields) -> None:
    pages = part(answer, "st")
    if "p0" in pages or "p1" not in pages:
        raise LookupError
    pages["p0"] = ["wr", 1, "v", 2, "a"]


def other_page(answer: Fields) -> None:
    pages = part(answer, "st")
    if set(pages) != {"p0"}:
        raise LookupError
    pages["p1"] = pages.pop("p0")


def in_page(index: int, new: Callable[[Json], Json]) -> Change:
    """Change one of the five things told of a page."""

    def change(answer: Fields) -> None:
        pages = part(answer, "st")
        page = items(pages, next(iter(pages)))
        page[index] = new(page[index])

    return change


def one_more(count: Json) -> Json:
    assert isinstance(count, int)
    return count + 1


def toggled(letter: str) -> Callable[[Json], Json]:
    """Set or clear one flag of a page."""
    order = "pvtna"

    def toggle(flags: Json) -> Json:
        assert isinstance(flags, str)
        return "".join(each for each in order if (each in flags) != (each == letter))

    return toggle


CHANGES: Final[tuple[tuple[str, Change], ...]] = (
    ("rc", other_rc),
    ("rc", unguarded),
    ("done", other_done),
    ("done", done_told),
    ("val", other_value),
    ("val", other_frame),
    ("val", other_flags),
    ("fault", other_vector),
    ("fault", other_error),
    ("fault", no_fault),
    ("cr2off", other_address),
    ("new", nothing_new),
    ("st", page_untold),
    ("st", page_too_many),
    ("st", other_page),
    ("st", in_page(0, lambda kind: "l2" if kind != "l2" else "l3")),
    ("st", in_page(1, one_more)),
    ("st", in_page(2, toggled("p"))),
    ("st", in_page(2, toggled("v"))),
    ("st", in_page(2, toggled("t"))),
    ("st", in_page(2, toggled("n"))),
    ("st", in_page(3, one_more)),
    ("st", in_page(4, toggled("a"))),
)


def changed(lines: Sequence[str], change: Change) -> tuple[str, int]:
    """Give the first case in which the change applies, changed, and the operation's place in it."""
    for line in lines:
        case = json.loads(line)
        for index, step in enumerate(case["ops"]):
            try:
                change(step["out"])
            except (LookupError, TypeError, StopIteration):
                continue
            return json.dumps(case), index
    raise AssertionError("no case of the sample has what is to be changed")


@pytest.mark.parametrize("place", range(len(CHANGES)), ids=lambda place: f"{CHANGES[place][0]}-{place}")
def test_a_changed_answer_is_noticed_by_its_field(lines: Sequence[str], tmp_path: Path, place: int) -> None:
    field, change = CHANGES[place]
    text, index = changed(lines, change)
    path = tmp_path / "changed.jsonl"
    path.write_text(text)
    report = judge_files([path])
    assert (report.cases_diverged, report.cases_agreed) == (1, 0)
    _, _, found = report.diverged[0]
    assert found.index == index
    assert field in found.fields


def test_the_same_cases_agree_unchanged(lines: Sequence[str], tmp_path: Path) -> None:
    path = tmp_path / "unchanged.jsonl"
    kept = dict.fromkeys(json.loads(changed(lines, change)[0])["id"] for _, change in CHANGES)
    path.write_text("\n".join(line for line in lines if json.loads(line)["id"] in kept))
    report = judge_files([path])
    assert report.cases == report.cases_agreed == len(kept)


def test_another_start_than_the_case_says_is_noticed(lines: Sequence[str], tmp_path: Path) -> None:
    case = next(json.loads(line) for line in lines if '"init"' in line)
    case["init"]["p0"] = ["l1", 1, "v", 2, "a"]
    path = tmp_path / "start.jsonl"
    path.write_text(json.dumps(case))
    _, _, found = judge_files([path]).diverged[0]
    assert (found.index, found.fields) == (-1, ("init",))


def test_xens_own_slots_are_compared_by_their_flags(lines: Sequence[str], tmp_path: Path) -> None:
    case = next(json.loads(line) for line in lines if '"p0+2088"' in line and '"val":2680606823' in line)
    step = next(step for step in case["ops"] if step["out"].get("val") == 2680606823)
    path = tmp_path / "slot.jsonl"
    step["out"]["val"] ^= 1 << 20
    path.write_text(json.dumps(case))
    assert judge_files([path]).cases_agreed == 1
    step["out"]["val"] ^= 1 << 5
    path.write_text(json.dumps(case))
    _, _, found = judge_files([path]).diverged[0]
    assert found.fields == ("val",)


def test_a_model_that_fails_has_diverged(
    lines: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Got:
        raise ZeroDivisionError("by zero")

    monkeypatch.setitem(ask.ASK, UvmOp, fail)
    path = tmp_path / "failing.jsonl"
    path.write_text(
        "\n".join(next(line for line in lines if f'"{op}"' in line) for op in ("uvm", "vm_assist"))
    )
    report = judge_files([path])
    assert (report.cases_agreed, report.cases_diverged) == (1, 1)
    _, _, found = report.diverged[0]
    assert found.answered["failure"] == "ZeroDivisionError: by zero"
