"""All recorded cases agree: the bundled sample, and the full files where they are beside the checkout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from xenproofs.judge.oracle.run import judge_files

if TYPE_CHECKING:
    from pathlib import Path

    from xenproofs.judge.oracle.verdict import Report

SAMPLE: Final = (1703, 10203)
"""Cases and operations."""
FULL: Final = {
    "dom0_sys_mem": (1970, 9449),
    "guest_sys_mem": (1970, 9449),
    "dom0_rnd_mem": (12000, 91550),
    "guest_rnd_mem": (12000, 92394),
}
MIXED: Final = 2004
"""Cases of `dom0_rnd_dom` that consist of memory operations alone: the least that must agree."""


def expect_all(report: Report, cases: int, ops: int) -> None:
    """Nothing diverged, nothing was left out, and as much was judged as is known to be there."""
    assert [found.case.id for _, _, found in report.diverged] == []
    assert [found.case.id for _, _, found in report.breaches] == []
    assert (report.cases, report.cases_agreed, report.ops, report.ops_agreed) == (cases, cases, ops, ops)
    assert not report.not_modelled
    assert not report.deviations


@pytest.mark.parametrize("check", [False, True], ids=["unchecked", "checked"])
def test_the_bundled_sample_agrees(pytestconfig: pytest.Config, *, check: bool) -> None:
    sample = pytestconfig.rootpath / "tests" / "recordings" / "oracle_sample.jsonl.gz"
    expect_all(judge_files([sample], check=check), *SAMPLE)


@pytest.mark.parametrize("name", FULL)
def test_the_full_files_agree(shared: Path, name: str) -> None:
    expect_all(judge_files([shared / "oracle" / f"{name}.jsonl.gz"], jobs=2), *FULL[name])


def test_what_is_modelled_of_the_mixed_file_agrees(shared: Path) -> None:
    report = judge_files([shared / "oracle" / "dom0_rnd_dom.jsonl.gz"], jobs=2)
    assert [found.case.id for _, _, found in report.diverged] == []
    assert report.cases_agreed >= MIXED
