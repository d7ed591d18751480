"""The same rings for Hypothesis: rules draw acts, so that all of a story shrinks."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from xenmodel.rings.rows import SC, MemoryModel
from xenproofs.machines.rings import (
    BELL,
    CHOICES,
    FORGE,
    GO,
    LONGEST,
    MODELS,
    SIZES,
    STORE,
    VALUES,
    Act,
    RingWorld,
)
from xenspec.vocabulary import BACKEND, FRONTEND, RingSide

KINDS = st.sampled_from((FORGE, BELL))
SIDE = st.sampled_from((int(FRONTEND), int(BACKEND)))


class HonestPair(RuleBasedStateMachine):
    """Two honest sides in any memory: no item is lost, none is read stale."""

    def __init__(self) -> None:
        super().__init__()
        self.world = RingWorld(SC, 1, books=True)

    @initialize(model=st.sampled_from(MODELS), size=st.sampled_from(SIZES), lazy=st.booleans())
    def begin(self, model: MemoryModel, size: int, *, lazy: bool) -> None:
        """Choose the ring."""
        self.world = RingWorld(model, size, lazy=lazy, books=True)

    @rule(side=SIDE, steps=st.integers(1, LONGEST), choice=st.integers(0, CHOICES - 1))
    def go(self, side: int, steps: int, choice: int) -> None:
        """Let a side take some steps of its program."""
        self.world.play(Act(GO, side, steps, choice))

    @rule(side=SIDE, choice=st.integers(0, CHOICES - 1))
    def arrive(self, side: int, choice: int) -> None:
        """Let a store reach memory."""
        self.world.play(Act(STORE, side, 1, choice))

    def teardown(self) -> None:
        """Let both run until nothing happens: every request is answered."""
        self.world.finish()


class HostilePeer(RuleBasedStateMachine):
    """One side keeps to the protocol, the other stores what it likes whenever it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.world = RingWorld(SC, 1, FRONTEND, books=True)

    @initialize(size=st.sampled_from(SIZES), hostile=st.sampled_from((FRONTEND, BACKEND)))
    def begin(self, size: int, hostile: RingSide) -> None:
        """Choose the ring, and who is hostile."""
        self.world = RingWorld(SC, size, hostile, books=True)

    @rule(steps=st.integers(1, LONGEST), choice=st.integers(0, CHOICES - 1))
    def go(self, steps: int, choice: int) -> None:
        """Let the victim take some steps."""
        self.world.play(Act(GO, 1 - int(self.world.hostile or FRONTEND), steps, choice))

    @rule(kind=KINDS, choice=st.integers(0, CHOICES - 1), value=st.integers(0, VALUES - 1))
    def forge(self, kind: str, choice: int, value: int) -> None:
        """Let the hostile side store anything anywhere, or send an event."""
        self.world.play(Act(kind, int(self.world.hostile or FRONTEND), 1, choice, value))
