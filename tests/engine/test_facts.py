"""The axioms: words on real 64 bits, counting on exact finite sets; and wrong facts are not proved."""

from __future__ import annotations

import itertools

import pytest

from xenproofs.obligations.bitlevel import Fact, axioms, facts, prove_fact
from xenproofs.obligations.deciding import solver
from xenproofs.obligations.proving import Options, StepProof
from xenproofs.obligations.subjects import subjects
from xenproofs.solvers.verdict import Verdict, script
from xenproofs.symbolic.axioms import COUNTING, word_axioms
from xenproofs.symbolic.bitvectors import BITS, word_literal
from xenproofs.symbolic.scope import Unbounded
from xenproofs.symbolic.terms import INT, equal, integer, negation, order, plus, symbol, text

BY_DEFINITION = "Xen's words"
"""Axioms that say what Xen writes, not what a decoder computes."""


@pytest.mark.parametrize("name", ["z3", "cvc5"])
def test_every_fact_of_words_holds_on_64_bits(name: str) -> None:
    one = solver(name, 1)
    assert not [fact.name for fact in facts() if not prove_fact(fact, one)]


def test_every_word_axiom_is_proved_on_64_bits() -> None:
    used = {axiom.name for axiom, _ in word_axioms(Unbounded())}
    proved = {fact.name for fact in axioms()}
    assert {name for name in used - proved if not name.startswith(BY_DEFINITION)} == set()
    assert proved <= used


@pytest.mark.parametrize("name", ["z3", "cvc5"])
def test_a_wrong_fact_is_not_proved(name: str) -> None:
    wrong = Fact("every word is zero", equal(symbol("w", BITS), word_literal(0)))
    assert not prove_fact(wrong, solver(name, 1))


def test_the_counting_axioms_hold_of_every_finite_set() -> None:
    for universe in range(4):
        for members in itertools.product((False, True), repeat=universe):
            inside = [x for x in range(universe) if members[x]]
            n = len(inside)
            held = {
                "size not negative": n >= 0,
                "member counts": all(n >= 1 for _ in inside),
                "count has a member": n < 1 or bool(inside),
                "sole member": n != 1 or all(x == y for x in inside for y in inside),
            }
            assert set(held) == {axiom.name for axiom in COUNTING}
            assert all(held.values())


def test_both_solvers_read_the_same_question() -> None:
    a, b = symbol("a", INT), symbol("b", INT)
    holds = [order("<", a, b), negation(order("<=", plus(a, integer(1)), b))]
    for name in ("z3", "cvc5"):
        assert solver(name, 1).ask(script(holds)).verdict is Verdict.UNSAT
        assert solver(name, 1).ask(script(holds[:1])).verdict is Verdict.SAT


def test_simplification_keeps_the_meaning() -> None:
    a = symbol("a", INT)
    assert text(plus(plus(a, integer(2)), integer(-2))) == "a"
    assert text(negation(negation(order("<", a, integer(-1))))) == "(< a (- 1))"


def test_a_step_is_proved_by_both_solvers() -> None:
    report = StepProof(subjects()["mark_noncoherent"], Options(solvers=("z3", "cvc5"), cache=False)).prove()
    assert report.proved
    assert not report.failed


def test_an_axiom_that_is_taken_away_is_missed() -> None:
    without = Options(cache=False, rlimit=200_000, disabled=frozenset({"storing is final"}))
    failed = {o.statement for o in StepProof(subjects()["write_descriptor"], without).prove().failed}
    assert "unstored_descriptor_is_in_no_descriptor_page" in failed
