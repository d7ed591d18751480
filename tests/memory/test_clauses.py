"""Every clause of every invariant matters: negated, it changes the invariant's value near a reached state."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from tests.memory import clauses, perturbing, reached
from xenmodel.grants import holding as grant_holding
from xenmodel.grants import representation as grant_representation
from xenmodel.hardware import representation as tlb
from xenmodel.memory import holding, representation
from xenproofs.judge.adapter import evaluator, members
from xenproofs.judge.monitor import Monitor
from xenproofs.judge.tracking import StateView, names_in
from xenspec.domains import invariants as domain_safety
from xenspec.grants import invariants as grant_safety
from xenspec.memory import invariants as safety

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from types import ModuleType


class Instance(NamedTuple):
    """An invariant at a key; the rows there are as they are at another key, the invariant's witness."""

    view: StateView
    key: Hashable
    witness: Hashable


Instances = dict[str, list[Instance]]

MODULES: Final = {
    "safety": safety,
    "representation": representation,
    "holding": holding,
    "tlb": tlb,
    "domains": domain_safety,
    "grant safety": grant_safety,
    "grant representation": grant_representation,
    "grant holding": grant_holding,
}
BY_NAME: Final = {invariant.name: invariant for invariant in reached.INVARIANTS}
HARDER: Final = (0, 60, 400, 2000)
"""Random changes tried near each instance: a few near all of them before many near one."""
ALL: Final = [(name, clause) for name, module in MODULES.items() for clause in clauses.clauses(module)]


@pytest.fixture(scope="module")
def instances() -> Instances:
    """Give each invariant the instances that are its witnesses in reached states, and some beside these."""
    found: Instances = {}
    for make in reached.SCENARIOS.values():
        monitor = Monitor.over(make(), steps=True)
        assert not monitor.start()
        for tally in monitor.tallies():
            if tally.witnessed and tally.witness is not None:
                beside = found.setdefault(tally.invariant.name, [])
                keys = (tally.witness, *variants(tally.witness))
                beside += [Instance(monitor.view, key, tally.witness) for key in keys]
    return found


def variants(key: Hashable) -> Iterator[Hashable]:
    """Yield keys near a key: other numbers at its ends."""
    parts = members(key)
    if isinstance(key, int):
        yield from (-1, key + 1, 9)
    elif parts is not None:
        for number in (-1, 1, 9, 256, 272, 500, 600):
            if isinstance(parts[-1], int):
                yield (*parts[:-1], number)
            if isinstance(parts[0], int):
                yield (number, *parts[1:])


def using(module: ModuleType, function: str) -> list[str]:
    """Return the invariants of a module that are, or use, a formula."""
    return [
        invariant.name
        for invariant in reached.INVARIANTS
        if getattr(module, invariant.name, None) is invariant.function
        and (invariant.name == function or function in names_in(invariant.function))
    ]


def differ(
    original: Callable[..., object], changed: Callable[..., object], at: Instance, rng: Random, tries: int = 0
) -> bool:
    """Return whether two formulas differ at an instance, or in some state near it."""
    view, key, witness = at

    def evaluate() -> None:
        for function in (original, changed):
            function(view, key)
            function(view, witness)
        perturbing.pretend(view, key, witness)

    def wanted() -> bool:
        return bool(original(view, key)) != bool(changed(view, key))

    return perturbing.search(view, evaluate, wanted, rng, tries)


@pytest.mark.parametrize(("module", "clause"), ALL, ids=[str(clause) for _, clause in ALL])
def test_a_negated_clause_is_seen(module: str, clause: clauses.Clause, instances: Instances) -> None:
    space = clauses.negated(MODULES[module], clause)
    rng = Random(1)  # noqa: S311 - the same search each time
    names = using(MODULES[module], clause.function)
    assert names, "no invariant uses this formula"
    seen = (
        differ(evaluator(BY_NAME[name]), space[name], at, rng, tries)
        for tries in HARDER
        for name in names
        for at in instances[name]
    )
    assert any(seen), "no state shows that the clause matters"


def test_the_text_alone_changes_nothing(instances: Instances) -> None:
    """Negative control: rebuilt without a change, every invariant is what it was."""
    rng = Random(1)  # noqa: S311 - the same search each time
    for module in MODULES.values():
        space = clauses.negated(module, None)
        for name in (i.name for i in reached.INVARIANTS if getattr(module, i.name, None) is i.function):
            for at in instances[name][:2]:
                assert not differ(evaluator(BY_NAME[name]), space[name], at, rng)


def test_every_invariant_is_tried() -> None:
    tried = {clause.function for _, clause in ALL}
    assert {invariant.name for invariant in reached.INVARIANTS} <= tried
