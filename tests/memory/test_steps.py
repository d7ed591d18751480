"""Steps write what they declare, nothing where they refuse; and by themselves they keep every invariant."""

from __future__ import annotations

import dis
from random import Random
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Final

import pytest

from tests.memory import any_step, reached
from xenmodel.memory.claim import claim, take_ref
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp, mmuext_op
from xenmodel.step import STEPS, WRITES, require
from xenproofs.judge.adapter import plain
from xenproofs.judge.monitor import Monitor
from xenproofs.machines.moves import draw, mood
from xenproofs.machines.world import World
from xenspec.vocabulary import DOMID_SELF, EAGAIN, DomId, FlightId, Mfn, PageType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenmodel.machine import Machine

K: Final = FlightId((reached.V, 5))
WHOLE_PAGES: Final = frozenset({"clear", "copy", "write_xen_slots", "write_readonly_m2p"})
"""What writes words without an assignment."""
NEVER: Final = {"install_unbacked": {"mode"}, "drop_allocated": {"mode"}}
"""Assignments of a shared helper that this step never reaches, and a field declared beyond need."""


# --- Declarations -------------------------------------------------------------------------------------------


def codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a function's code and that of the functions inside it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from codes(const)


def assigned(step: FunctionType) -> set[str]:
    """Return the fields that a step, and the functions of the model that it calls by name, assign."""
    found: set[str] = set()
    pending, seen = [step], set[FunctionType]()
    while pending:
        function = pending.pop()
        seen.add(function)
        for code in codes(function.__code__):
            found |= _assigned_in(code)
            pending += [called for called in _called_in(function, code) if called not in seen]
    return found


def _assigned_in(code: CodeType) -> set[str]:
    instructions = list(dis.get_instructions(code))
    fields = {str(i.argval) for i in instructions if i.opname == "STORE_ATTR"}
    words = any(i.opname == "STORE_SUBSCR" or i.argval in WHOLE_PAGES for i in instructions)
    return fields | ({"word"} if words else set())


def _called_in(function: FunctionType, code: CodeType) -> list[FunctionType]:
    named = (function.__globals__.get(name) for name in code.co_names)
    return [f for f in named if isinstance(f, FunctionType) and f.__module__.startswith("xenmodel")]


@pytest.mark.parametrize("name", sorted(any_step.steps()))
def test_a_step_declares_the_fields_that_it_assigns(name: str) -> None:
    step = STEPS[name]
    assert isinstance(step, FunctionType)
    declared = {write.partition(".")[2] for write in WRITES[name]}
    assert declared ^ assigned(step) <= NEVER.get(name, set())


@pytest.mark.parametrize("seed", range(8))
def test_no_step_writes_beyond_its_declaration(seed: int) -> None:
    rng = Random(seed)  # noqa: S311 - repeatable, not secret
    world = World.new(every_step=True)
    kinds = mood(rng)
    for _ in range(50):
        world.play(draw(rng, kinds))
    assert not world.violations, world.violations[0]


def monitored(name: str = "old table") -> Monitor:
    """Return a monitor in step mode over a state reached."""
    monitor = Monitor.over(reached.SCENARIOS[name](), steps=True)
    assert not monitor.start()
    return monitor


def sly(m: Machine, f: Mfn) -> None:
    """Change a field that nobody declared."""
    m.frames[f].stamp += 1


def rude(m: Machine, f: Mfn) -> None:
    """Refuse after the effect."""
    m.frames[f].stamp += 1
    require("never", f < 0, EAGAIN)


def test_an_undeclared_write_is_reported() -> None:
    monitor = monitored()
    refusal, (violation,) = monitor.try_step(sly, monitor.machine, Mfn(0x101))
    assert refusal is None
    assert violation.name == "declared_writes"
    assert violation.detail == ("sly: frames[257].stamp from 0 to 1",)


def test_a_refusal_that_leaves_something_behind_is_reported() -> None:
    monitor = monitored()
    refusal, (violation,) = monitor.try_step(rude, monitor.machine, Mfn(0x101))
    assert refusal is not None
    assert refusal.guard == "never"
    assert violation.detail == ("rude, refused: frames[257].stamp from 0 to 1",)


def test_an_honest_refusal_is_none_of_it() -> None:
    monitor = monitored()
    refusal, violations = monitor.try_step(claim, monitor.machine, K, PageType.L1)
    assert refusal is not None
    assert not violations


# --- Any order ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_steps_in_any_order_keep_every_invariant(seed: int) -> None:
    rng = Random(seed)  # noqa: S311 - repeatable, not secret
    monitor = monitored(rng.choice(sorted(set(reached.SCENARIOS) - {"PAE tables"})))
    steps = any_step.steps()
    for _ in range(60):
        name = rng.choice(sorted(steps))
        by_place, by_name = any_step.Drawing(rng, monitor.machine).arguments(steps[name])
        _, violations = monitor.try_step(steps[name], monitor.machine, *by_place, **by_name)
        assert not violations, f"{name}{by_place}{by_name}: {violations[0]}"


# --- Driving ------------------------------------------------------------------------------------------------


def test_driving_a_call_checks_every_step_and_gives_its_answer() -> None:
    monitor = monitored("stale translations")
    before = monitor.counts().instances
    call = MmuextOp((ExtOp(Command.TLB_FLUSH_ALL), ExtOp(Command.UNPIN_TABLE, 0x7F0)), DOMID_SELF)
    world = reached.idle_world()
    world.m = monitor.machine
    result, violations = monitor.drive(DomId(1), mmuext_op(world.call(), call))
    assert not violations
    assert (result.done, result.rc) == (1, -22)
    assert monitor.counts().instances > before


def test_a_reference_left_in_flight_is_seen_between_sequential_calls() -> None:
    monitor = Monitor.over(reached.old_table(), sequential=True)
    assert not monitor.start()
    take_ref(monitor.machine, K, Mfn(monitor.machine.vcpus[reached.V].base), DomId(1))
    (violation,) = monitor.after_call(DomId(1))
    assert violation.name == "ref_count_is_the_number_of_holders"


def test_who_maps_anothers_frame_is_remembered() -> None:
    """Only the control domain may: linked by somebody else's hand, the same entry is a violation."""
    machine = reached.foreign_mappings()
    e = next(
        e for e, row in plain(machine.entries).rows() if row.linked and machine.frames[row.target].owner == 1
    )
    for actor, names in ((0, set[str]()), (1, {"mapping_is_authorised", "writable_mapping_is_authorised"})):
        monitor = Monitor.over(reached.foreign_mappings())
        monitor.start()
        monitor.machine.entries[e].linked = False
        monitor.after_call(DomId(0))
        monitor.machine.entries[e].linked = True
        assert {v.name for v in monitor.after_call(DomId(actor))} == names
