"""Theorems about walks: proved by both solvers, about walks that exist, and because of the invariants."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from xenmodel.abi import pte
from xenmodel.abi.geometry import FourLevel
from xenmodel.abi.memory_map import MemoryMap
from xenmodel.machine import plain_machine
from xenproofs.judge.replay.loading import load_xen_slots
from xenproofs.judge.trace.snapshot import read_snapshot
from xenproofs.obligations.instance import Size
from xenproofs.obligations.outcomes import Kind
from xenproofs.obligations.proving import Options
from xenproofs.obligations.refuter import start
from xenproofs.obligations.walks import THEOREMS, prove_walks, read_by, walk_over, written_by
from xenproofs.solvers.verdict import Verdict, script
from xenproofs.solvers.z3_solver import Z3
from xenproofs.symbolic import terms
from xenproofs.symbolic.sorts import FRAME
from xenproofs.symbolic.terms import BOOL, INT
from xenproofs.symbolic.values import lift
from xenspec.table import XEN_FIRST_SLOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenproofs.obligations.walks import Walk

RECORDINGS: Final = Path(__file__).parents[1] / "recordings"
SIZE: Final = Size(frames=5, slots=(0, 511), cpus=1, vcpus=1)
"""Four tables and a page."""
NEEDED: Final = {
    "writes_end_in_writable_memory": "writable_entry_targets_writable_frame",
    "writes_end_in_memory_of_ones_own": "writable_mapping_is_authorised",
    "writes_without_a_reference_end_in_permitted_io": "unbacked_mapping_is_permitted_io",
    "writes_pass_no_link_to_their_own_level": "linear_entry_links_its_own_level_read_only",
    "reads_end_in_memory_of_ones_own": "mapping_is_authorised",
    "no_walk_maps_much_at_once": "linked_entry_names_one_frame",
    "walks_pass_validated_tables_of_ones_own": "table_entry_links_the_level_below",
    "xens_window_is_read_only": "xens_slots_hold_what_xen_wrote",
}
"""An invariant that each theorem needs."""


def test_every_theorem_is_proved_by_both_solvers() -> None:
    report = prove_walks(Options(solvers=("z3", "cvc5"), cache=False))
    assert not report.failed
    assert len(report.outcomes) == 2 * len(THEOREMS) == 2 * len(NEEDED)
    assert all(set(outcome.solvers) == {"z3", "cvc5"} for outcome in report.outcomes)


@pytest.mark.parametrize("theorem", NEEDED)
def test_without_an_invariant_that_it_needs_a_theorem_is_not_proved(theorem: str) -> None:
    without = Options(cache=False, rlimit=100_000, without=frozenset({NEEDED[theorem]}))
    failed = {outcome.statement: outcome.kind for outcome in prove_walks(without).failed}
    assert failed[f"{theorem} (kernel)"] is Kind.UNDECIDED


@cache
def walk() -> Walk:
    """Return an arbitrary walk in the finite instance."""
    return walk_over(start(SIZE)[1].state, user=False)


def exists(*conditions: object) -> Verdict:
    """Return whether some concrete state, with exact counts, has a walk that satisfies the conditions."""
    made, before = start(SIZE)
    universe = made.scope.universe
    inside = [_among(lift(slot, INT), universe["slot"]) for slot in walk().slots]
    inside.append(_among(lift(walk().tables[0], FRAME), universe["frame"]))
    question = [*before.known, *inside, *(lift(one, BOOL) for one in conditions)]
    return Z3(rlimit=60_000_000).ask(script(question, made.preamble, given=made.given)).verdict


def _among(value: terms.Term, values: tuple[terms.Term, ...]) -> terms.Term:
    return terms.disjunction(terms.equal(value, one) for one in values)


WALKS: Final[dict[str, Callable[[Walk], tuple[bool, ...]]]] = {
    "that can write memory": lambda w: (written_by(w), w.books.entries[w.leaf].backed),
    "through a linear link": lambda w: (read_by(w), w.books.entries[w.tables[1], w.slots[1]].linear),
    "through a link to itself": lambda w: (read_by(w), w.tables[0] == w.tables[1]),
}


@pytest.mark.parametrize("name", sorted(WALKS))
def test_there_is_a_walk(name: str) -> None:
    assert exists(*WALKS[name](walk())) is Verdict.SAT


def test_there_is_no_walk_that_writes_through_a_large_page() -> None:
    w = walk()
    assert exists(written_by(w), w.books.pte.large(w.words[0])) is Verdict.UNSAT


def test_xens_window_is_as_the_axiom_says() -> None:
    """The words that a real Xen has in its own slots: one lets user mode through, read-only."""
    m = plain_machine(MemoryMap(((0, 1 << 16),), 1 << 16), pte=FourLevel())
    load_xen_slots(m, read_snapshot(RECORDINGS / "r1_snap_sod.json.gz"))
    shown = {slot: word for slot, word in m.xen_slots.items() if pte.present(word) and pte.user(word)}
    assert set(shown) == {XEN_FIRST_SLOT}
    assert not any(pte.writable(word) for word in shown.values())
