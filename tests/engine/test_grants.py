"""Grants in the proof: the instance reads entries as the executable does, and nothing is proved for free."""

from __future__ import annotations

import pytest

from xenmodel.abi.grant import E_READONLY, E_SUB_PAGE, PERMIT_ACCESS, GrantEntries
from xenproofs.obligations.instance import SMALL, instance
from xenproofs.obligations.proving import Options, StepProof
from xenproofs.obligations.subjects import subjects
from xenproofs.solvers.verdict import Verdict, script
from xenproofs.solvers.z3_solver import Z3
from xenproofs.symbolic import grants, terms
from xenproofs.symbolic.bitvectors import BITS, word_literal
from xenproofs.symbolic.paths import Path
from xenproofs.symbolic.rows import SymbolicTable
from xenproofs.symbolic.sorts import K_GRANT, NO_FRAME
from xenproofs.symbolic.terms import BOOL, INT, Symbol, Term, boolean, equal, integer
from xenproofs.symbolic.traps import ConstantError

ENTRIES = GrantEntries()
REFS = (0, 1, 7, 8, 255, 256, 511, 512, 2047, 2048, 5000)
PERMITTED = PERMIT_ACCESS | 1 << 16 | 2 << 32
WORDS = (0, PERMITTED, PERMITTED | E_READONLY, PERMITTED | E_SUB_PAGE, (1 << 64) - 1, 2, 3)


def apply(function: Symbol, *arguments: Term) -> Term:
    """Return what a decoder says of a literal word, which the instance reads as 64 bits."""
    return terms.interpreted(function.name, function.range, *arguments)


def places() -> list[Term]:
    """Return that entries are where the executable looks for them."""
    found: list[Term] = []
    for ref in REFS:
        for version in (1, 2):
            page, slot = ENTRIES.place(version, ref)
            found.append(equal(apply(grants.PAGE, integer(version), integer(ref)), integer(page)))
            found.append(equal(apply(grants.SLOT, integer(version), integer(ref)), integer(slot)))
        page, slot = ENTRIES.status_place(ref)
        found.append(equal(apply(grants.STATUS_PAGE, integer(ref)), integer(page)))
        found.append(equal(apply(grants.STATUS_SLOT, integer(ref)), integer(slot)))
    return found


def contents() -> list[Term]:
    """Return that words say what the executable reads there."""
    found: list[Term] = []
    for word in WORDS:
        w, domain, named = word_literal(word), ENTRIES.domain(word), ENTRIES.frame(1, word, 0)
        receiver, frame = apply(grants.DOMAIN, w), apply(grants.NAMED, integer(1), w, word_literal(0))
        inside = terms.symbol(f"frame_{named}", NO_FRAME.sort) if named < SMALL.frames else NO_FRAME
        if domain in SMALL.domains:
            found.append(equal(receiver, integer(domain)))
        found.append(equal(frame, inside))
        found.append(equal(apply(grants.READONLY, w), boolean(ENTRIES.readonly(word))))
        found.append(equal(apply(grants.SUB_PAGE, w), boolean(ENTRIES.sub_page(word))))
        for flag in (False, True):
            permits = boolean(ENTRIES.permits(word, whole=flag))
            found.append(equal(apply(grants.PERMITS, w, boolean(flag)), permits))
            used = terms.interpreted(grants.USED.name, BITS, w, boolean(flag))
            found.append(equal(used, word_literal(ENTRIES.used(word, writing=flag))))
    return found


def test_the_instance_reads_entries_as_the_executable_does() -> None:
    made = instance(SMALL)
    facts = [*places(), *contents()]
    wrong = terms.negation(terms.conjunction(facts))
    assert Z3().ask(script([wrong], made.preamble, given=made.given)).verdict is Verdict.UNSAT
    one = terms.negation(equal(apply(grants.PAGE, integer(2), integer(256)), integer(0)))
    assert Z3().ask(script([one], made.preamble, given=made.given)).verdict is Verdict.SAT


@pytest.mark.parametrize(
    ("step", "without", "missed"),
    [
        ("unmap_host", "foreign_entry_rests_on_a_mapping", "mapping_is_authorised"),
        ("finish_host", "foreign_translation_rests_on_a_use", "cached_foreign_translation_is_granted"),
        (
            "fill_through",
            "foreign_word_of_a_demoted_table_rests_on_a_use",
            "foreign_translation_rests_on_a_use",
        ),
        ("release_mapping", "pins_are_the_uses_of_the_entry", "host_mapping_is_pinned"),
    ],
)
def test_a_statement_that_is_taken_away_is_missed(step: str, without: str, missed: str) -> None:
    options = Options(cache=False, rlimit=100_000, without=frozenset({without}))
    failed = {o.statement for o in StepProof(subjects()[step], options).prove().failed}
    assert missed in failed


def test_a_table_without_a_scope_has_nothing_to_range_over() -> None:
    path = Path((), lambda _: True, running=False)
    table = SymbolicTable("active", (K_GRANT,), {"used": BOOL, "count": INT}, path)
    with pytest.raises(ConstantError, match="nothing ranges over active"):
        table.each(0, 1, lambda _: True)
