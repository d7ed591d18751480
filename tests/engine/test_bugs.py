"""Planted bugs are found, each by what it was said to break, with a state from which the step really ran."""

from __future__ import annotations

import os

import pytest

from xenproofs.bugs.catalogue import BUGS, Bug
from xenproofs.bugs.grants import OF_GRANTS
from xenproofs.bugs.lives import OF_LIVES
from xenproofs.bugs.rewriter import Edit, NoSuchStatementError, edited_function
from xenproofs.obligations.planted import find, planted
from xenproofs.obligations.statements import statements

DEEP = os.environ.get("XENCHECK_PROFILE") == "deep"
QUICK = frozenset(
    {
        "a foreign frame is mapped without authority",
        "write permission is added on the fast path",
        "no flush before a frame changes its type",
        "a descriptor is stored as the guest wrote it",
        "a refusal leaves a store behind",
        "a write is not declared",
        "a partial table does not keep its reference",
        "a frame is given away before every CPU forgets it",
        *(name for name, *_ in (*OF_LIVES, *OF_GRANTS)),
    }
)
"""Bugs that every run looks for; the deep run looks for all."""


@pytest.mark.parametrize("bug", [b for b in BUGS if DEEP or b.name in QUICK], ids=lambda b: b.name)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    finding = find(bug)
    assert finding.found, finding.note
    if finding.ran is not None:
        assert bug.falls in finding.note
        assert finding.ran.outcome == "done"
        assert finding.ran.changed
        assert finding.ran.actors


def test_there_are_enough_bugs_and_each_has_its_own_name() -> None:
    assert len(BUGS) >= 25
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    assert {bug.name for bug in BUGS} >= QUICK


@pytest.mark.parametrize("bug", BUGS, ids=lambda b: b.name)
def test_each_bug_can_be_planted_and_names_what_falls(bug: Bug) -> None:
    assert planted(bug).name == bug.step
    assert bug.falls in {s.name for s in statements()} | {"refusal", "declared writes"}


def test_an_edit_that_fits_nothing_is_an_error() -> None:
    with pytest.raises(NoSuchStatementError):
        edited_function("xenmodel.memory.claim", "take_ref", (Edit("take_ref", "guard: no such guard"),))
