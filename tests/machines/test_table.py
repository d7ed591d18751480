"""The table of planted faults is as checked in: who finds each, how soon, with how long a story.

A few lines are made again each time; the deep profile makes all of them
(`python -m xenproofs.machines.table > tests/snapshots/machines_faults.txt` after a change that was meant).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from xenproofs.machines.faults import FAULTS
from xenproofs.machines.table import OF_MEMORY, REASONS, line_of

SNAPSHOT: Final = Path(__file__).parents[1] / "snapshots" / "machines_faults.txt"
DEEP: Final = os.environ.get("XENCHECK_PROFILE") == "deep"
QUICK: Final = (
    "a_foreign_frame_is_mapped_without_authority",
    "write_permission_is_added_on_the_fast_path",
    "a_refusal_leaves_a_store_behind",
    "a_table_is_validated_before_its_end",
    "base_released_first",
)
"""Faults whose lines are made again each time."""


def lines() -> dict[str, str]:
    """Return the checked-in lines by the names of their faults."""
    return {line.partition(";")[0]: line for line in SNAPSHOT.read_text("utf-8").splitlines()}


def test_every_fault_of_memory_has_its_line() -> None:
    assert list(lines()) == [fault.name for fault in OF_MEMORY]
    assert REASONS.keys() <= {fault.name for fault in OF_MEMORY}


def test_every_fault_is_found_by_guests_and_by_the_explorer_or_a_reason_is_given() -> None:
    for name, line in lines().items():
        assert "not found in" not in line.partition("without interleaving")[0], name
        assert "explorer: nothing" not in line, name
        assert ("explorer: " in line) == (name in REASONS)


def test_at_least_three_faults_need_interleaved_vcpus_and_are_found() -> None:
    needing = [name for name, line in lines().items() if "without interleaving not found" in line]
    assert {"flushed_before_claim", "stamp_taken_early", "two_validate_a_frame_at_once"} <= set(needing)
    assert all(FAULTS[name].interleaved for name in needing)


@pytest.mark.parametrize("name", [fault.name for fault in OF_MEMORY] if DEEP else QUICK)
def test_a_line_is_made_again_as_it_was(name: str) -> None:
    assert line_of(FAULTS[name]) == lines()[name]
