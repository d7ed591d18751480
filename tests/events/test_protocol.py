"""No wake-up is lost, whoever acts when: hypercalls, interrupts and handlers, a step at a time, both ABIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.events.stage import ALL_VCPUS, Block, Stage, tell_a_closed_port
from tests.events.world import EVALUATIONS
from xenmodel.events import arguments as calls
from xenmodel.events import guest
from xenmodel.events.waiting import Poll
from xenspec.vocabulary import PortId

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

ACTS: Final = 120
ZERO, ONE, OTHER = ALL_VCPUS[0], ALL_VCPUS[2], ALL_VCPUS[3]


@pytest.mark.parametrize("fifo", [False, True])
@given(rng=st.randoms(use_true_random=False), acts=st.integers(1, ACTS))
@settings(max_examples=15)
def test_every_interleaving_keeps_every_invariant(
    fifo: bool,  # noqa: FBT001 - the ABI
    rng: random.Random,
    acts: int,
) -> None:
    stage = Stage(fifo=fifo)
    for _ in range(acts):
        stage.act(rng)


def visit(stage: Stage, look: Callable[[], object] = lambda: None) -> None:
    """Bring about what the premises of the invariants speak of; `look` is called after each call."""
    m = stage.world.m
    stage.begin_and_step(ZERO, calls.BindPirq(5))
    look()
    guest.unmask_upcalls(m, OTHER)
    guest.unmask_upcalls(m, ONE)
    stage.begin_and_step(ONE, calls.AllocUnbound(1, 0))
    look()
    stage.begin_and_step(ZERO, calls.BindInterdomain(1, 3))
    look()
    stage.handle_all(ZERO)
    look()
    stage.begin_and_step(ONE, Block())
    look()
    stage.begin_and_step(ZERO, calls.Send(1))
    look()
    stage.begin_and_step(ZERO, calls.Send(4))
    look()
    stage.handle_all(ONE)
    look()
    guest.mask_port(m, PortId((1, 1)))
    stage.begin_and_step(OTHER, Poll((1,)))
    look()
    stage.begin_and_step(ZERO, calls.Send(1))
    look()


def test_every_invariant_has_a_witness() -> None:
    seen: set[str] = set()
    for fifo in (False, True):
        stage = Stage(fifo=fifo)
        visit(stage)
        seen |= stage.world.witnesses
    stage = Stage(fifo=False)
    tell_a_closed_port(stage)
    seen |= stage.world.witnesses
    assert {name for name, _, _ in EVALUATIONS} - seen == set()


def test_a_sleeping_vcpu_is_woken_and_a_poller_too() -> None:
    for fifo in (False, True):
        stage = Stage(fifo=fifo)
        waits = stage.world.m.waits
        stage.begin_and_step(ONE, Block())
        guest.mask_port(stage.world.m, PortId((1, 1)))
        stage.begin_and_step(OTHER, Poll((1,)))
        assert waits[ONE].blocked
        assert waits[OTHER].blocked
        stage.begin_and_step(ZERO, calls.Send(1))
        assert waits[ONE].blocked, "the port is masked"
        assert not waits[OTHER].blocked, "but who polls for it is woken"
        stage.begin_and_step(OTHER, calls.Unmask(1))
        assert not waits[ONE].blocked, "it has been unmasked"
