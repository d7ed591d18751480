"""Planted faults of grants: each breaks an invariant that is named beforehand."""

from __future__ import annotations

import os
from typing import Final

import pytest

from tests.grants.world import HOST, VA, GrantWorld
from xenmodel.grants.arguments import OKAY
from xenmodel.hardware.access import store
from xenmodel.hypercall import run
from xenproofs.judge.monitor import STEP_INVARIANTS, Monitor
from xenproofs.machines.breach import CRASH, ILLEGAL_HOLDER, breach
from xenproofs.machines.episode import Plan
from xenproofs.machines.faults import GRANTS
from xenproofs.machines.fuzz import Campaign
from xenproofs.machines.moves import parse
from xenproofs.machines.planting import planted
from xenspec.vocabulary import DomId

DEEP: Final = os.environ.get("XENCHECK_PROFILE") == "deep"
LONG: Final = frozenset({"grant_passed_on_for_another"})
"""Faults that guests look for in the deep run alone; the proof finds them every time."""
UNFLUSHED: Final = "grant_dropped_before_the_flush"


@pytest.mark.parametrize("name", [name for name in GRANTS if DEEP or name not in LONG])
def test_the_search_finds_it_and_tells_a_short_story(name: str) -> None:
    fault = GRANTS[name]
    plan = Plan(seed=1, subsystem="grants", fault=name, every_step=fault.every_step)
    (story,) = Campaign(plan, seconds=60, shrink_seconds=4).run().stories
    assert {story.breach.name, *story.breach.names} & set(fault.breaks)


TWICE: Final = """\
grant vcpu=2 b=1 c=4
map_grant vcpu=0 c=1
map_grant vcpu=0 c=1
map_grant vcpu=0 c=2
map_grant vcpu=0 c=1 d=120
map_grant vcpu=0 c=2
unmap_grant vcpu=1 a=8 c=9 pause=3
unmap_grant vcpu=0 a=8 c=9
"""


def test_two_vcpus_may_unmap_one_handle_for_devices_at_once() -> None:
    assert breach([parse(line) for line in TWICE.splitlines()]) is None


def test_what_is_to_break_is_an_invariant() -> None:
    names = {invariant.name for invariant in STEP_INVARIANTS} | {CRASH, ILLEGAL_HOLDER}
    assert {name for fault in GRANTS.values() for name in fault.breaks} <= names


@pytest.mark.parametrize("flushed", [True, False])
def test_what_was_stored_through_is_flushed_before_it_is_let_go(*, flushed: bool) -> None:
    world = GrantWorld()
    world.guest(2, 2)
    world.grants(1, 5, 2, world.w.page(1))
    monitor = Monitor.over(world.m)
    assert not monitor.start()
    world.w.m = monitor.machine
    answer = world.maps(2, 5, 1, VA, HOST)
    assert run(store(world.w.call(2), VA, 7)) is None
    assert not monitor.after_call(DomId(2))
    if flushed:
        assert world.unmaps(2, answer.handle).status == OKAY
        assert not monitor.after_call(DomId(2))
        return
    with planted(GRANTS[UNFLUSHED]):
        assert world.unmaps(2, answer.handle).status == OKAY
    names = {violation.name for violation in monitor.after_call(DomId(2))}
    assert names & set(GRANTS[UNFLUSHED].breaks)
