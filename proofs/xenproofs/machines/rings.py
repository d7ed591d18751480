"""A ring that is driven at random: any interleaving, any arrival of stores, a hostile peer.

An act lets one side take some steps of its program, lets a store arrive, or is a hostile store or event.
After every single step all invariants are looked at; at the end both sides run on in turn until nothing
happens any more, and every request must have been answered. Indices have their 32 bits and start
just below the wrap.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from xenmodel.abi.ring import INDEX_MASK
from xenmodel.rings.machine import peer_of, plain_ring
from xenmodel.rings.protocol import Move, drains, moves, take
from xenmodel.rings.rows import ARM, SC, SLOT, TSO, WORDS, Location, MemoryModel
from xenmodel.step import Refused
from xenproofs.explorer.rings.search import CYCLE, LOST, broken
from xenproofs.explorer.rings.state import SIDES, RingKeeper
from xenspec.vocabulary import BACKEND, FRONTEND, RingSide

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GO, STORE, FORGE, BELL = "go", "store", "forge", "bell"
HONEST: Final = (GO, GO, STORE)
LONGEST: Final = 12
"""Steps of one act."""
LENGTHS: Final = (1, 1, 2, 3, 4, 6, 8, LONGEST)
CHOICES: Final = 12
VALUES: Final = 16
REST: Final = 2000
"""Steps after which a pair that is left alone has come to rest."""
MODELS: Final = (SC, TSO, ARM)
SIZES: Final = (1, 2, 4, 8)
START: Final = INDEX_MASK - 1


class Act(NamedTuple):
    """What happens next: who acts, for how many steps, and which of several ways is taken."""

    kind: str
    side: int = FRONTEND
    steps: int = 1
    choice: int = 0
    value: int = 0
    """What a hostile side stores, near an index of its victim."""


class Broken(AssertionError):  # noqa: N818 - the breach of an invariant
    """An invariant is broken."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name


@dataclass(slots=True)
class RingWorld:
    """A ring and how it is driven."""

    model: MemoryModel
    size: int
    hostile: RingSide | None = None
    lazy: bool = False
    books: bool = False
    """Whether the invariants of this model's books are looked at too."""
    keeper: RingKeeper = field(init=False)
    steps: int = 0
    over: bool = False
    """Something is broken."""

    def __post_init__(self) -> None:
        self.keeper = RingKeeper(plain_ring(self.size, model=self.model, start=START))

    def play(self, act: Act) -> None:
        """Let an act happen, and look at all invariants after each of its steps.

        Raises:
            Broken: an invariant is broken.
        """
        x = SIDES[act.side]
        if act.kind == GO and x != self.hostile:
            for _ in range(act.steps):
                if not self._step(x, act.choice):
                    return
        elif act.kind == STORE:
            waiting = drains(self.keeper.m, x)
            if waiting:
                self._do(waiting[act.choice % len(waiting)])
        elif x == self.hostile:
            self._do(self._hostile(x, act))

    def _step(self, x: RingSide, choice: int, *, sending: bool = True) -> bool:
        """Take one step of a side, or let its oldest store arrive if that is waited for; return whether."""
        options = moves(self.keeper.m, x, lazy=self.lazy)
        options = [move for move in options if sending or move.step != "begin_send"]
        if not options:
            return False
        try:
            self._do(options[choice % len(options)])
        except Refused:
            waiting = drains(self.keeper.m, x)
            if not waiting:
                return False
            self._do(waiting[0])
        return True

    def _hostile(self, x: RingSide, act: Act) -> Move:
        """Return a hostile store, or an event for nothing."""
        if act.kind == BELL:
            return Move("ring_bell", (x,))
        places = [*WORDS, *(Location(SLOT, slot) for slot in range(self.size))]
        victim = self.keeper.m.sides[peer_of(x)]
        where = places[act.choice % len(places)]
        if where.place == SLOT:
            return Move("scribble", (x, where, act.value % (4 * self.size)))
        near = (victim.cons, victim.prod, 0, INDEX_MASK >> 1)
        around = act.value // len(near) - VALUES // len(near) // 2
        return Move("scribble", (x, where, (near[act.value % len(near)] + around) & INDEX_MASK))

    def _do(self, move: Move) -> None:
        take(self.keeper.m, move)
        self.steps += 1
        for name, sentence, where in broken(self.keeper, books=self.books):
            self.over = True
            raise Broken(name, f"{sentence} ({where})")

    def finish(self) -> None:
        """Let both sides run in turn until nothing more happens; every request must be answered then.

        Raises:
            Broken: an invariant is broken, something is left, or there is no end.
        """
        if self.hostile is not None or self.over:
            return
        for _ in range(REST):
            acted = [self._step(x, 0, sending=False) for x in SIDES]
            acted += [self._arrive(x) for x in SIDES]
            if not any(acted):
                break
        else:
            raise Broken(CYCLE, "there is no end")
        front = self.keeper.m.sides[FRONTEND]
        if front.prod != front.cons:
            raise Broken(LOST, "both sides sleep, and a request has no response that was taken")

    def _arrive(self, x: RingSide) -> bool:
        """Let a side's oldest store arrive; return whether there was one."""
        waiting = drains(self.keeper.m, x)
        if waiting:
            self._do(waiting[0])
        return bool(waiting)


class Setting(NamedTuple):
    """A kind of ring."""

    model: MemoryModel
    size: int
    hostile: RingSide | None = None
    lazy: bool = False

    def world(self) -> RingWorld:
        """Return such a ring at its start."""
        return RingWorld(self.model, self.size, self.hostile, lazy=self.lazy)


def random_setting(rng: Random) -> Setting:
    """Return a kind of ring at random: two of three with an honest pair."""
    hostile = rng.choice((None, None, None, None, FRONTEND, BACKEND))
    model = rng.choice(MODELS) if hostile is None else SC
    return Setting(model, rng.choice(SIZES), hostile, lazy=rng.random() < 1 / 4)


def random_acts(rng: Random, setting: Setting, count: int) -> Iterator[Act]:
    """Give acts at random."""
    for _ in range(count):
        side = rng.randrange(2)
        kind = rng.choice(HONEST) if SIDES[side] != setting.hostile else rng.choice((FORGE, FORGE, BELL))
        choice = rng.choice((0, 0, rng.randrange(CHOICES)))
        yield Act(kind, side, rng.choice(LENGTHS), choice, rng.randrange(VALUES))


@dataclass(frozen=True, slots=True)
class Found:
    """What broke, in which kind of ring, and the acts that are enough for it."""

    name: str
    setting: Setting
    acts: tuple[Act, ...]
    steps: int
    """Single steps until it broke."""
    rings: int
    """Rings that were driven until it was found."""


def outcome(setting: Setting, acts: Sequence[Act]) -> tuple[str, int]:
    """Return the name of what some acts break, and the steps until then; the empty name for nothing."""
    world = setting.world()
    try:
        for act in acts:
            world.play(act)
        world.finish()
    except Broken as error:
        return error.name, world.steps
    return "", world.steps


def search(seed: int, rings: int, *, only: Setting | None = None, acts: int = 40) -> Found | None:
    """Drive so many rings at random, or of one kind, until one breaks; return it with its acts shortened."""
    rng = Random(seed)  # noqa: S311 - a search that can be repeated
    for number in range(1, rings + 1):
        setting = random_setting(rng) if only is None else only
        story = list(random_acts(rng, setting, acts))
        name, _ = outcome(setting, story)
        if name:
            short = shortened(setting, story, name)
            return Found(name, setting, short, outcome(setting, short)[1], number)
    return None


def shortened(setting: Setting, story: Sequence[Act], name: str) -> tuple[Act, ...]:
    """Return a story that breaks the same, in which no act can be left out or made shorter."""
    short, before = list(story), None
    while short != before:
        before = list(short)
        for place in reversed(range(len(short))):
            tries = ([*short[:place], *simpler, *short[place + 1 :]] for simpler in _simpler(short[place]))
            short = next((tried for tried in tries if outcome(setting, tried)[0] == name), short)
    return tuple(short)


def _simpler(act: Act) -> Iterator[tuple[Act, ...]]:
    """Give what an act may be replaced by: nothing, fewer steps, the first choice."""
    yield ()
    if act.kind == GO and act.choice:
        yield (act._replace(choice=0),)
    if act.kind == GO and act.steps > 1:
        yield (act._replace(steps=act.steps - 1),)
