"""Compiled bundles say what the invariants' texts say of each instance, and read no row that these do not."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from types import FunctionType
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine import refused
from tests.memory import clauses, perturbing, reached
from tests.memory.damaging import DAMAGED, GHOSTS, damage, damage_word, played
from xenproofs.judge.adapter import evaluator, rows_read
from xenproofs.judge.bundles import own_tables
from xenproofs.judge.compiling import WORDS, compiled
from xenproofs.judge.monitor import STEP_INVARIANTS, Monitor
from xenproofs.judge.tracking import names_in, premise_names, store_of
from xenspec.logic import VACUOUS
from xenspec.memory import invariants as safety
from xenspec.vocabulary import NO_TYPE, DomId

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from xenproofs.judge.adapter import AnyInvariant
    from xenproofs.judge.bundles import Bundle
    from xenproofs.judge.compiling import Program
    from xenproofs.judge.tracking import StateView

REFUSED: Final = [
    name
    for name, value in vars(refused).items()
    if getattr(value, "__module__", "") == refused.__name__ and not name.startswith("_")
]


def read(view: StateView, key: Hashable, tables: frozenset[str]) -> set[tuple[str, Hashable]]:
    """Return the rows that were read since `forget`, but those at the key of a bundle's own tables."""
    rows = {(table, at) for table in perturbing.TABLES for at in rows_read(view, table)}
    return {(table, at) for table, at in rows if not (table in tables and at == key)}


def differences(monitor: Monitor, bundle: Bundle, program: Program) -> list[tuple[str, Hashable]]:
    """Return the instances of which a compiled bundle says something else, or for which it reads more."""
    view = monitor.view
    found: list[tuple[str, Hashable]] = []
    evaluate, tables = program.bind(view), own_tables(bundle.key_type)
    for key in list(monitor.keys(bundle.key_type)):
        for place, tally in enumerate(bundle.tallies):
            perturbing.forget(view)
            truth = evaluator(tally.invariant)(view, key)
            by_text = read(view, key, tables)
            perturbing.forget(view)
            broken: list[int] = []
            vacuous = evaluate(key, 1 << place, broken)
            agrees = (vacuous == 1 << place) == (truth is VACUOUS) and bool(broken) != bool(truth)
            if not agrees or not read(view, key, tables) <= by_text:
                found.append((tally.invariant.name, key))
    perturbing.forget(view)
    return found


def all_differences(monitor: Monitor) -> list[tuple[str, Hashable]]:
    """Return where any bundle of a monitor differs from its texts."""
    bundles = monitor.bundles.values()
    return [one for bundle in bundles for one in differences(monitor, bundle, bundle.program)]


@pytest.mark.parametrize("name", sorted(reached.SCENARIOS))
def test_compiled_bundles_agree_with_the_texts_in_each_state_reached(name: str) -> None:
    monitor = Monitor.over(reached.SCENARIOS[name](), steps=True)
    assert not monitor.start()
    assert not all_differences(monitor)


@given(seed=st.integers(0, 2**32), hits=st.integers(0, 6))
def test_compiled_bundles_agree_with_the_texts_where_cells_are_damaged(seed: int, hits: int) -> None:
    monitor = played(seed, every_step=True).monitor
    rng = Random(seed + 1)  # noqa: S311 - repeatable, not secret
    for _ in range(hits):
        damage(monitor, rng, (*DAMAGED, *GHOSTS))
        damage_word(monitor, rng)
    assert not all_differences(monitor)


@pytest.mark.parametrize(
    ("one", "other"), [(" and ", " or "), ("not (", "("), ("vacuous |= ", "vacuous &= "), (" == ", " != ")]
)
def test_a_wrong_translation_is_seen(one: str, other: str) -> None:
    """Negative control: bundles whose texts were translated wrongly differ."""
    monitor = Monitor.over(reached.SCENARIOS["xens pages"](), steps=True)
    monitor.start()
    bundle = monitor.bundles["EntryId"]
    source = bundle.program.source
    assert one in source
    wrong = compile(source.replace(one, other), "<wrong>", "exec")
    assert differences(monitor, bundle, replace(bundle.program, code=wrong))


def test_a_translation_that_reads_more_is_seen() -> None:
    """Negative control: a bundle that looks at a row before its premise asks for it differs."""
    monitor = Monitor.over(reached.SCENARIOS["xens pages"](), steps=True)
    monitor.start()
    bundle = monitor.bundles["EntryId"]
    eager = bundle.program.source.replace("    vacuous = 0\n", "    vacuous = 0\n    all_frames[key[0]]\n")
    assert differences(monitor, bundle, replace(bundle.program, code=compile(eager, "<eager>", "exec")))


def test_every_invariant_is_compiled() -> None:
    monitor = Monitor.over(reached.SCENARIOS["xens pages"](), steps=True)
    assert {key: b.program.interpreted for key, b in monitor.bundles.items() if b.program.interpreted} == {}
    assert sum(len(b.program.reads) for b in monitor.bundles.values()) == len(STEP_INVARIANTS)


@pytest.mark.parametrize("invariant", STEP_INVARIANTS, ids=lambda i: i.name)
def test_what_a_text_reads_occurs_in_it(invariant: object) -> None:
    function = getattr(invariant, "function", None)
    assert callable(function)
    (reads,) = compiled((function,), own_tables(getattr(invariant, "key", ""))).reads
    assert reads is not None
    assert reads.premise <= reads.names
    for cells, names in ((reads.names, names_in(function)), (reads.premise, premise_names(function))):
        assert {part for cell in cells for part in cell} - {"word"} <= names, cells
    assert {table for table, name in reads.names if name == "word"} <= {WORDS}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_understood_is_called_as_it_stands(name: str) -> None:
    assert name in compiled((getattr(refused, name),), frozenset({"frames"})).interpreted


def test_there_is_much_that_is_not_understood() -> None:
    assert len(REFUSED) == 9


BY_NAME: Final = {invariant.name: invariant for invariant in STEP_INVARIANTS}
NAME: Final = "writable_entry_targets_writable_frame"
NEGATED: Final = [clause for clause in clauses.clauses(safety) if clause.function == NAME]


def with_text(original: AnyInvariant, text: Callable[..., bool]) -> AnyInvariant:
    """Return an invariant with another text."""
    return replace(original, function=text)


@pytest.mark.parametrize("clause", [*NEGATED[-1:], None], ids=str)
def test_a_text_that_is_not_what_runs_is_called_as_it_stands(clause: clauses.Clause | None) -> None:
    """An invariant that is rebuilt, perhaps with a clause negated, has the original's name and module."""
    original = BY_NAME[NAME]
    rebuilt = with_text(original, clauses.negated(safety, clause)[NAME])
    monitor = Monitor.over(reached.SCENARIOS["foreign mappings"](), steps=True, invariants=[rebuilt])
    assert list(monitor.bundles["EntryId"].program.interpreted) == [NAME]
    assert bool(monitor.start()) == (clause is not None)


def test_a_formula_that_is_not_what_runs_is_not_put_in_place() -> None:
    """A clause of a formula that an invariant calls is negated: the caller is not taken for the original."""
    name = "pinned_frame_is_a_validated_table"
    (clause, *_) = [clause for clause in clauses.clauses(safety) if clause.function == "is_table"]
    space = clauses.negated(safety, clause)
    lines = space[name].__code__.replace(co_firstlineno=evaluator(BY_NAME[name]).__code__.co_firstlineno)
    assert name in compiled((FunctionType(lines, space, name),), frozenset({"frames"})).interpreted


def test_an_interpreted_text_is_evaluated_again_when_what_it_read_changes() -> None:
    original = BY_NAME[NAME]
    rebuilt = with_text(original, clauses.negated(safety, None)[NAME])
    for invariant in (original, rebuilt):
        monitor = Monitor.over(reached.SCENARIOS["foreign mappings"](), steps=True, invariants=[invariant])
        assert not monitor.start()
        rows = store_of(monitor.machine.entries).items()
        targets = {row.target for _, row in rows if row.linked and row.backed and row.writable}
        assert targets
        for target in targets:
            monitor.machine.frames[target].type = NO_TYPE
        assert {v.name for v in monitor.after_call(DomId(0))} == {NAME}
