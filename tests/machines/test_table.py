"""The table of planted faults is what the searches find now, and every line of it is complete.

Lines of faults that are found quickly are made again each time, seconds apart; the deep profile makes all
of them (`python -m xenproofs.machines.table > docs/faults.md` after a change that was meant).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import pytest

from xenproofs.machines.reasons import PROVED, REASONS
from xenproofs.machines.table import FAULTS, HEAD, KNOWN, NOTHING, bug_of, line_of, names

PAGE: Final = Path(__file__).parents[2] / "docs" / "faults.md"
DEEP: Final = os.environ.get("XENCHECK_PROFILE") == "deep"
QUICK: Final = (
    "a_foreign_frame_is_mapped_without_authority",
    "write_permission_is_added_on_the_fast_path",
    "a_table_is_validated_before_its_end",
    "base_released_first",
    "grant_kept_by_the_dead",
)
"""Faults whose lines are made again each time."""
SECONDS: Final = re.compile(r", \d+\.\d s")


def lines() -> dict[str, list[str]]:
    """Return the checked-in cells by the names of their faults."""
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    return {line.split("`")[1]: [cell.strip() for cell in line.split(" | ")[1:]] for line in rows}


def test_every_fault_has_its_line() -> None:
    assert PAGE.read_text("utf-8").startswith(HEAD)
    assert list(lines()) == names()
    assert REASONS.keys() <= FAULTS.keys()
    assert PROVED.keys() <= FAULTS.keys()
    assert {*PROVED.values()} <= KNOWN.keys()


def test_every_fault_is_found_by_all_three_or_a_reason_is_given() -> None:
    for name, (proof, guests, explorer) in lines().items():
        assert "not found" not in proof, name
        assert (proof == NOTHING) == (bug_of(name) is None), name
        if name not in FAULTS:
            assert (guests, explorer) == (NOTHING, f"{NOTHING} |"), name
            continue
        assert "not found in" not in guests.partition("without interleaving")[0], name
        assert "nothing" not in explorer, name
        assert explorer.startswith("`") == (name not in REASONS), name


def test_at_least_three_faults_need_interleaved_vcpus_and_are_found() -> None:
    needing = {name for name, cells in lines().items() if "without interleaving not found" in cells[1]}
    assert {"flushed_before_claim", "stamp_taken_early", "two_validate_a_frame_at_once"} <= needing
    assert all(FAULTS[name][0].interleaved for name in needing)


@pytest.mark.parametrize("name", names() if DEEP else QUICK)
def test_a_line_is_made_again_as_it_was(name: str) -> None:
    made = [cell.strip() for cell in line_of(name).split(" | ")[1:]]
    assert [SECONDS.sub("", cell) for cell in made] == [SECONDS.sub("", cell) for cell in lines()[name]]
