"""The lemma about words that stay: it says something, and what is proved by it needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from xenproofs.obligations.deciding import question_of
from xenproofs.obligations.proving import before
from xenproofs.obligations.realms import GRANTS
from xenproofs.obligations.staying import BY_IT, any_words, of_words, words_stay
from xenproofs.obligations.subjects import subjects
from xenproofs.solvers.verdict import Verdict
from xenproofs.solvers.z3_solver import Z3
from xenproofs.symbolic import terms

if TYPE_CHECKING:
    from xenproofs.symbolic.terms import Term

STATEMENTS = sorted(BY_IT["change_version"])


def follows(goal: Term, *premises: Term) -> bool:
    """Return whether Z3 proves a goal from some premises."""
    question = question_of([*premises, terms.negation(goal)], GRANTS)
    return Z3(rlimit=200_000).ask(question).verdict is Verdict.UNSAT


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_of_any_words_needs_the_lemma(name: str) -> None:
    start = before()
    words = any_words(start.state)
    statement = next(s for s in start.statements if s.name == name)
    goal, known = of_words(statement, start.state, words), start.formulas[name]
    assert follows(goal, known, words_stay(start.state, words))
    assert not follows(goal, known)
    assert not follows(goal, words_stay(start.state, words))


def test_not_all_words_stay() -> None:
    start = before()
    assert follows(words_stay(start.state, start.state.words.field))
    assert not follows(words_stay(start.state, any_words(start.state)))


def test_a_machine_keeps_its_own_words() -> None:
    start = before()
    own = start.state.words.field
    of_words(start.statements[0], start.state, any_words(start.state))
    assert start.state.words.field is own


def test_steps_and_statements_are_there() -> None:
    names = {s.name for s in before().statements}
    assert all(step in subjects() and those <= names for step, those in BY_IT.items())
