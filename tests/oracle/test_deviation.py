"""The deviation of real Xen: recognised by its signature alone, counted apart, all else still judged.

The cases are made up: what is expected was changed, and nothing here shows how to bring a deviation about.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeAlias

from xenproofs.judge.oracle.run import judge_files

if TYPE_CHECKING:
    from pathlib import Path

    from xenproofs.judge.oracle.verdict import Report

Fields: TypeAlias = dict[str, object]
PIN: Final[Fields] = {"op": "mmuext", "cmds": [["pin_l1", "p0"]]}
READ_ONLY: Final[Fields] = {"op": "uvm", "va": "p0", "pte": ["p0", 0x61]}
FAILED: Final[Fields] = {"rc": -22, "done": 0}
OTHER: Final[Fields] = {"op": "uvm", "va": "p1", "pte": 0}
DROPPED: Final[Fields] = {"rc": 0, "st": {"p1": ["wr", 0, "v", 1, "a"]}}


def judged(path: Path, *steps: tuple[Fields, Fields]) -> Report:
    """Judge one case of these operations and answers."""
    ops = [{"in": ask, "out": answer} for ask, answer in steps]
    path.write_text(json.dumps({"id": "made-up", "by": "dom0", "np": 2, "nf": 0, "ops": ops}))
    return judge_files([path])


def refused(page: list[object]) -> tuple[Fields, Fields]:
    """Give a refused pin of p0 after which p0 is such a page."""
    return PIN, {**FAILED, "st": {"p0": page}}


def test_a_reference_too_many_after_a_failure_is_d1(tmp_path: Path) -> None:
    report = judged(tmp_path / "case", refused(["wr", 1, "v", 3, "a"]), (OTHER, DROPPED))
    assert (report.cases_agreed, report.cases_diverged, dict(report.deviations)) == (0, 0, {"D1": 1})
    assert report.ops_agreed == 1


def test_what_follows_is_judged_still(tmp_path: Path) -> None:
    report = judged(tmp_path / "case", refused(["wr", 1, "v", 3, "a"]), (OTHER, {"rc": 0}))
    assert report.cases_diverged == 1


def test_an_operation_on_the_page_itself_ends_the_judging(tmp_path: Path) -> None:
    steps: tuple[tuple[Fields, Fields], ...] = (
        refused(["wr", 1, "v", 3, "a"]),
        (READ_ONLY, {"rc": -16}),
        (OTHER, {"rc": 0}),
    )
    report = judged(tmp_path / "case", *steps)
    assert (report.cases_diverged, dict(report.deviations)) == (0, {"D1": 1})


def test_two_references_too_many_are_a_divergence(tmp_path: Path) -> None:
    report = judged(tmp_path / "case", refused(["wr", 1, "v", 4, "a"]))
    assert (report.cases_diverged, dict(report.deviations)) == (1, {})


def test_a_reference_too_many_after_success_is_a_divergence(tmp_path: Path) -> None:
    report = judged(tmp_path / "case", (READ_ONLY, {"rc": 0, "st": {"p0": ["wr", 0, "v", 3, "a"]}}))
    assert (report.cases_diverged, dict(report.deviations)) == (1, {})


def test_another_return_code_beside_is_a_divergence(tmp_path: Path) -> None:
    ask, answer = refused(["wr", 1, "v", 3, "a"])
    report = judged(tmp_path / "case", (ask, {**answer, "rc": -16}))
    assert (report.cases_diverged, dict(report.deviations)) == (1, {})


def test_a_partial_table_where_the_model_has_none_is_d1(tmp_path: Path) -> None:
    steps: tuple[tuple[Fields, Fields], ...] = ((READ_ONLY, {"rc": 0, "st": {"p0": ["wr", 0, "v", 2, "a"]}}),)
    wrong_pin: Fields = {"op": "mmuext", "cmds": [["pin_l1", "p1"], ["pin_l1", "p0"]]}
    report = judged(tmp_path / "case", *steps, (wrong_pin, {**FAILED, "st": {"p0": ["l2", 1, "t", 3, "a"]}}))
    assert (report.cases_diverged, dict(report.deviations)) == (0, {"D1": 1})
