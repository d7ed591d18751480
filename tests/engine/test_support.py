"""What invariants are for: proofs tell what they used, and nothing is called implied that is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from xenproofs.obligations.proving import Options, StepProof, before
from xenproofs.obligations.subjects import subjects
from xenproofs.obligations.support import is_implied, outcomes_of, supports
from xenproofs.symbolic import terms
from xenproofs.symbolic.terms import BOOL

STEP: Final = "flush_cpu"
NEEDED: Final = "cached_on_a_cpu_that_exists"


def test_what_a_proof_used_is_needed_by_it() -> None:
    found = supports(outcomes_of(STEP))
    assert found[NEEDED].by_step[STEP] > 0
    assert "supports no other" in {str(s) for s in (supports([])["any"], *found.values())}
    options = Options(cache=False, rlimit=200_000, first_failure=True, without=frozenset({NEEDED}))
    assert StepProof(subjects()[STEP], options).prove().failed


def test_a_statement_that_says_something_new_is_not_implied() -> None:
    start = before()
    counted = next(s for s in start.statements if s.name == "ref_count_is_the_number_of_holders")
    assert not is_implied(counted, start)


def test_a_statement_that_others_say_is_implied() -> None:
    start = before()
    one = start.statements[0]
    both = terms.conjunction([start.formulas[one.name], terms.symbol("anything", BOOL)])
    known = {**start.known, one.realm.name: [*start.known[one.realm.name], both]}
    assert is_implied(one, replace(start, known=known))
