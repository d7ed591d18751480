"""The same world for Hypothesis: rules draw moves, the scheduler's among them, so that all of it shrinks."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from xenproofs.machines.moves import (
    DESCRIPTORS,
    FLAGS,
    KINDS,
    NAMEABLE,
    NAMES,
    SLOT_CHOICES,
    SUBSYSTEMS,
    Move,
    describe,
)
from xenproofs.machines.setup import DOMAINS, GUESTS, VCPUS_EACH
from xenproofs.machines.world import World
from xenspec.vocabulary import DomId

HARDWARE = ("fill", "evict", "stale_store", "switch")
CALLS = tuple(kind for kind in KINDS if kind not in (*HARDWARE, "advance"))
SHARED = tuple(
    kind
    for kind in {**SUBSYSTEMS["grants"], **SUBSYSTEMS["events"]}
    if kind not in (*CALLS, *HARDWARE, "advance")
)
"""Moves by which domains share memory and events, and the end of a domain."""
ANYBODY = st.integers(0, len(GUESTS) * VCPUS_EACH - 1)
VCPUS = st.integers(0, len(DOMAINS) * VCPUS_EACH - 1)
CHOICES = 8
LONGEST_PAUSE, LAST_POINT = 12, 3


def moves(
    kinds: tuple[str, ...] = tuple(SUBSYSTEMS["memory"]), vcpus: st.SearchStrategy[int] = VCPUS
) -> st.SearchStrategy[Move]:
    """Return a strategy of moves of some kinds; the simplest is a call that runs to its end."""
    return st.builds(
        Move,
        st.sampled_from(kinds),
        vcpus,
        a=st.integers(0, NAMEABLE - 1),
        b=st.integers(0, len(SLOT_CHOICES) - 1),
        c=st.integers(0, NAMEABLE + len(DESCRIPTORS) - 1),
        d=st.integers(0, FLAGS * NAMES * CHOICES - 1),
        pause=st.integers(0, LONGEST_PAUSE),
        preempt=st.integers(0, LAST_POINT),
    )


class HostileGuests(RuleBasedStateMachine):
    """Guests make calls, processors fill and evict, the scheduler pauses and resumes: all is checked."""

    every_step = False
    domains: tuple[DomId, ...] = DOMAINS

    def __init__(self) -> None:
        super().__init__()
        self.world = World.new(every_step=self.every_step, domains=self.domains)

    @rule(move=moves(CALLS))
    def call(self, move: Move) -> None:
        """Make a call or an access; it may be left standing."""
        self._play(move)

    @rule(move=moves(HARDWARE))
    def hardware(self, move: Move) -> None:
        """Let a processor act by itself, or run another vCPU."""
        self._play(move)

    @rule(vcpu=VCPUS, steps=st.integers(0, LONGEST_PAUSE))
    def advance(self, vcpu: int, steps: int) -> None:
        """Let a call that stands in the middle go on."""
        self._play(Move("advance", vcpu, b=steps))

    def _play(self, move: Move) -> None:
        self.world.play(move)
        self._hold(describe(move))

    def _hold(self, when: str) -> None:
        if self.world.violations:
            raise AssertionError(f"after {when}: {self.world.violations[0]}")

    def teardown(self) -> None:
        """Run every standing call to its end, and look at everything once more."""
        if not self.world.violations:
            self.world.finish()
            self._hold("every call has ended")


class StepwiseGuests(HostileGuests):
    """The same, checked after every step of every call, holders included."""

    every_step = True


class SharingGuests(HostileGuests):
    """The same with a third domain, grants and event channels; the control domain may destroy the others."""

    domains: tuple[DomId, ...] = GUESTS

    @rule(move=moves(SHARED, ANYBODY))
    def share(self, move: Move) -> None:
        """Grant, map, send, wait, store against the protocol, or end a domain."""
        self._play(move)
