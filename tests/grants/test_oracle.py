"""Every recorded case with grants agrees: the bundled sample, and the full files where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.oracle.test_files import expect_all
from xenproofs.judge.oracle.run import judge_files

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE: Final = (591, 3914)
"""Cases and operations."""
FULL: Final = {
    "dom0_sys_gnt": (348, 1943),
    "guest_sys_gnt": (327, 1817),
    "dom0_rnd_gnt": (6000, 44981),
    "guest_rnd_gnt": (6000, 45686),
    "dom0_rnd_dom": (4000, 32209),
}


@pytest.mark.parametrize("check", [False, True], ids=["unchecked", "checked"])
def test_the_bundled_sample_agrees(pytestconfig: pytest.Config, *, check: bool) -> None:
    sample = pytestconfig.rootpath / "tests" / "recordings" / "oracle_sample_grants.jsonl.gz"
    expect_all(judge_files([sample], check=check), *SAMPLE)


@pytest.mark.parametrize("name", FULL)
def test_the_full_files_agree(shared: Path, name: str) -> None:
    expect_all(judge_files([shared / "oracle" / f"{name}.jsonl.gz"]), *FULL[name])
