"""The converse of contracts: a guard that is too strong is noticed; what is listed as unasked is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from xenproofs.bugs.rewriter import Edit, edited_function
from xenproofs.obligations.failing import bare
from xenproofs.obligations.proving import Options, StepProof
from xenproofs.obligations.refusing import NOT_REFUSED, UNASKED
from xenproofs.obligations.subjects import subject, subjects
from xenproofs.symbolic.paths import explore
from xenproofs.symbolic.scope import Unbounded
from xenproofs.symbolic.state import SymbolicMachine

if TYPE_CHECKING:
    from xenproofs.symbolic.paths import Path


def failing(step: str, old: str, new: str, part: str = "") -> set[str]:
    """Return what is not proved of a step with one statement changed, of its own or of a named part."""
    whole = subjects()[step]
    function = edited_function(whole.module, step, (Edit(part or step, old, new),))
    edited = subject(step, function, whole.writes)
    return {bare(o.statement) for o in StepProof(edited, Options(cache=False)).prove().failed}


@pytest.mark.parametrize(
    ("step", "old", "new"),
    [
        (
            "take_handle",
            "require('it is free', Not(row.taken), EAGAIN)",
            "require('it is free', Not(row.taken) & (h[1] > 3), EAGAIN)",
        ),
        (
            "reserve_page",
            """require("the domain's quota has room", domain.pages < domain.max_pages, ENOMEM)""",
            """require("the domain's quota has room", domain.pages + 1 < domain.max_pages, ENOMEM)""",
        ),
        (
            "take_ref",
            "require('general count has room', frame.ref_count < REF_LIMIT, EINVAL)",
            "require('general count has room', frame.ref_count < 1000, EINVAL)",
        ),
        (
            "open_pirq",
            "require('the domain may have the interrupt', line.permitted, EPERM)",
            "require('the domain may have the interrupt', line.permitted & (pirq < 16), EPERM)",
        ),
    ],
)
def test_a_guard_that_is_too_strong_is_noticed(step: str, old: str, new: str) -> None:
    assert failing(step, old, new) == {NOT_REFUSED}


def test_a_count_that_ends_too_early_is_noticed() -> None:
    room = "require('the target has no linear entries', (linked.linear <= 0) & (linked.linear > -{}), EINVAL)"
    old, new = room.format("LINEAR_USES_LIMIT"), room.format("(LINEAR_USES_LIMIT - 1)")
    assert failing("replace_linear", old, new, "_require_linear") == {NOT_REFUSED}


@pytest.mark.parametrize("step", sorted(UNASKED))
def test_what_no_contract_asks_is_a_refusal_of_its_step(step: str) -> None:
    one = subjects()[step]
    outcomes: set[str] = set()

    def run(path: Path) -> None:
        path.outcome = one.run(SymbolicMachine(path, Unbounded()))

    for path in explore(run, lambda _: True):
        outcomes.add(path.outcome.removeprefix("refused: "))
    assert set(UNASKED[step]) <= outcomes
