"""Every clause of every invariant of event channels matters: negated, it is seen near a reached state."""

from __future__ import annotations

import copy
import os
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from tests.events.stage import ALL_VCPUS, Stage, tell_a_closed_port, tell_what_waited
from tests.events.test_faults import poll_for_masked, poll_for_several
from tests.events.world import World
from tests.memory import clauses, perturbing
from xenmodel.events import queues, representation, sleeping
from xenmodel.events.arguments import Send
from xenproofs.judge.adapter import evaluator, members, plain, stateless
from xenproofs.judge.monitor import Monitor
from xenproofs.judge.tracking import StateView, names_in
from xenspec.events import invariants as safety

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from types import ModuleType


class Instance(NamedTuple):
    """An invariant at a key; the rows there are as they are at another key, the invariant's witness."""

    view: StateView
    key: Hashable
    witness: Hashable


INVARIANTS: Final = (*stateless(safety.SAFETY), *stateless(queues.REPRESENTATION))
MODULES: Final = {"safety": safety, "representation": representation, "sleeping": sleeping, "queues": queues}
BY_NAME: Final = {invariant.name: invariant for invariant in INVARIANTS}
ALL: Final = [(name, clause) for name, module in MODULES.items() for clause in clauses.clauses(module)]
DEEP: Final = os.environ.get("XENCHECK_PROFILE") == "deep"
TRIED: Final = ALL if DEEP else ALL[::8]
"""A part of the clauses in every run, all of them in the deep one."""
SEEDS: Final = 40
ACTS: Final = 120
WITNESSES: Final = 2
"""Kept of each invariant, by either ABI, for each stage of what is being told."""
FEW: Final = 20
"""Instances after which none beside a witness are tried."""
KEPT: Final = 0.05
"""How many of the states are kept where there is a witness already."""
HARDER: Final = (0, 60, 600, 3000)
"""Random changes tried near each instance: a few near all of them before many near one."""
BESIDE: Final = (-1, 1, 9, 16, 70, 5000)
"""Ports, words and priorities, of which some do not exist."""


@pytest.fixture(scope="module")
def instances() -> dict[str, list[Instance]]:
    """Give each invariant some instances that are its witnesses while everybody acts at random."""
    found: dict[str, list[Instance]] = {name: [] for name in BY_NAME}
    seen: Counter[tuple[str, bool, int]] = Counter()
    check, now = World.check, Random(0)  # noqa: S311 - which states are kept

    def watched(world: World) -> None:
        world.witnesses.clear()
        check(world)
        often = now.random() < KEPT
        at_work = max(notice.stage for _, notice in plain(world.m.notices).rows())
        here = world.fifo, at_work
        wanted = {n for n in world.witnesses if seen[n, *here] < (WITNESSES if often else 1)}
        seen.update((name, *here) for name in wanted)
        _gather(world, wanted, found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(World, "check", watched)
        tell_a_closed_port(Stage(fifo=False))
        tell_what_waited(Stage(fifo=False))
        for fifo in (True, False):
            poll_for_masked(Stage(fifo=fifo))
            poll_for_several(Stage(fifo=fifo))
            stage = Stage(fifo=fifo)
            stage.handle_all(ALL_VCPUS[0])
            stage.begin_and_step(ALL_VCPUS[0], Send(1))
        for seed in range(SEEDS):
            stage, rng = Stage(fifo=seed % 2 == 1), Random(seed)  # noqa: S311 - a schedule, not a secret
            for _ in range(ACTS):
                stage.act(rng)
            if seed > 1 and all(found.values()):
                break
    return found


def _gather(world: World, wanted: set[str], found: dict[str, list[Instance]]) -> None:
    """Add the witnesses of some invariants in a state to those found."""
    if not wanted:
        return
    monitor = Monitor.over(copy.deepcopy(world.m), invariants=[BY_NAME[n] for n in sorted(wanted)])
    assert not monitor.start()
    for tally in monitor.tallies():
        if tally.witnessed and tally.witness is not None:
            those = found[tally.invariant.name]
            beside = (tally.witness, *(variants(tally.witness) if len(those) < FEW else ()))
            those += [Instance(monitor.view, key, tally.witness) for key in beside]


def variants(key: Hashable) -> list[Hashable]:
    """Return keys near a key: other numbers at its end."""
    parts = members(key)
    return [(*parts[:-1], number) for number in BESIDE] if parts is not None else list(BESIDE)


def using(module: ModuleType, function: str) -> list[str]:
    """Return the invariants that are, or use, a formula of a module."""
    return [
        name
        for name, invariant in BY_NAME.items()
        if getattr(module, name, None) is invariant.function
        and (name == function or function in names_in(invariant.function))
    ]


def differ(
    original: Callable[..., object], changed: Callable[..., object], at: Instance, rng: Random, tries: int
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


def test_every_invariant_is_reached(instances: dict[str, list[Instance]]) -> None:
    assert not [name for name, those in instances.items() if not those]


@pytest.mark.parametrize(("module", "clause"), TRIED, ids=[str(clause) for _, clause in TRIED])
def test_a_negated_clause_is_seen(
    module: str, clause: clauses.Clause, instances: dict[str, list[Instance]]
) -> None:
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


def test_the_text_alone_changes_nothing(instances: dict[str, list[Instance]]) -> None:
    """Negative control: rebuilt without a change, every invariant is what it was."""
    rng = Random(1)  # noqa: S311 - the same search each time
    for module in MODULES.values():
        space = clauses.negated(module, None)
        for name, invariant in BY_NAME.items():
            if getattr(module, name, None) is invariant.function:
                assert not any(
                    differ(evaluator(invariant), space[name], at, rng, 0) for at in instances[name][:2]
                )


def test_every_invariant_is_tried() -> None:
    tried = {clause.function for _, clause in ALL}
    assert set(BY_NAME) <= tried
