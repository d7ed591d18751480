"""What is not proved is explained: by a state from which the step really ran, by a story, or not at all."""

from __future__ import annotations

import pytest

from xenproofs.bugs.catalogue import BUGS
from xenproofs.machines.faults import fault_named
from xenproofs.machines.planting import planted as running_with
from xenproofs.obligations.deciding import Decider, Obligation, solver
from xenproofs.obligations.failing import find_states, find_story
from xenproofs.obligations.outcomes import Kind, Outcome, StepReport
from xenproofs.obligations.planted import planted
from xenproofs.obligations.proving import Goal, Options, StepProof
from xenproofs.obligations.subjects import subjects
from xenproofs.solvers.cache import Cache
from xenproofs.solvers.verdict import Verdict
from xenproofs.symbolic import terms
from xenproofs.symbolic.terms import BOOL, symbol

A, B, C = (symbol(name, BOOL) for name in "abc")


def test_what_a_planted_bug_breaks_is_not_inductive() -> None:
    bug = next(b for b in BUGS if b.name == "write permission is added on the fast path")
    edited = planted(bug)
    report = StepProof(edited, Options(cache=False)).prove()
    assert bug.falls in {o.statement for o in report.failed}
    find_states(edited, report)
    told = {o.statement: o for o in report.failed}[bug.falls]
    assert told.kind is Kind.NOT_INDUCTIVE
    assert "not shown reachable" in told.note
    assert "becomes" in told.note


def test_a_story_turns_it_into_a_violation() -> None:
    fault = fault_named("write_permission_is_added_on_the_fast_path")
    assert fault is not None
    rows = [Outcome("amend", 0, name, Kind.NOT_INDUCTIVE, {}) for name in (*fault.breaks, "another")]
    report = StepReport("amend", "memory", outcomes=rows)
    with running_with(fault):
        assert find_story([report], seconds=60) is not None
    kinds = {o.statement: o.kind for o in report.outcomes}
    assert Kind.VIOLATED in kinds.values()
    assert kinds["another"] is Kind.NOT_INDUCTIVE


def test_without_anything_to_explain_nobody_searches() -> None:
    proved = Outcome("amend", 0, "x", Kind.PROVED, {})
    assert find_story([StepReport("amend", "memory", outcomes=[proved])]) is None


def test_a_contradiction_before_the_step_is_no_proof() -> None:
    proof = StepProof(subjects()["mark_noncoherent"], Options(cache=False))
    proof.known[proof.realm.name].append(terms.FALSE)
    report = proof.prove()
    assert [o.kind for o in report.outcomes] == [Kind.VACUOUS]
    assert (report.refusals, report.unreachable) == (0, report.paths)


@pytest.mark.parametrize("solvers", [("z3",), ("z3", "cvc5"), ("cvc5",)])
def test_premises_that_are_far_are_used_when_the_near_ones_do_not_do(solvers: tuple[str, ...]) -> None:
    decider = Decider([solver(name, 1) for name in solvers], Cache("none", enabled=False))
    far = Obligation(C, [A], [], [terms.implication(A, B), terms.implication(B, C)])
    assert set(decider.decide(far).seconds) == set(solvers)
    without = Obligation(C, [A], [], [terms.implication(B, C)])
    assert decider.decide(without).failed == (solvers[0], Verdict.SAT)


def test_a_proof_that_does_not_use_its_goal_is_told() -> None:
    decider = Decider([solver("z3", 1)], Cache("none", enabled=False))
    decision = decider.decide(Obligation(C, [A], [terms.negation(A)], [terms.negation(A)]))
    assert decision.contradiction
    assert not decider.decide(Obligation(C, [C], [], [A])).contradiction


def test_a_broken_invariant_that_a_rule_leans_on_does_not_hide_its_path() -> None:
    proof = StepProof(subjects()["mark_noncoherent"], Options(cache=False, rlimit=100_000))
    broken = Goal("an invariant", A)
    leaning = Goal("table_link_gains_no_write_permission_in_place", B, (terms.FALSE,))
    found = proof.outcomes(0, [broken, leaning], [])
    assert found is not None
    assert [o.kind for o in found] == [Kind.UNDECIDED, Kind.PROVED]
    assert proof.outcomes(0, [broken, Goal("another", B, (terms.FALSE,))], []) is None
