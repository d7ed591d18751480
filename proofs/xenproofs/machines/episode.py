"""Episodes: a fixed number of random moves on a fresh world, each determined by a seed and its number.

    found = play(Plan(seed=1), 17)      # the same moves and the same end, always

An episode ends with its moves, or with the first thing that goes wrong; only then does it carry its moves.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random

from xenproofs.machines.breach import Breach, until_breach
from xenproofs.machines.faults import fault_named
from xenproofs.machines.moves import SCHEMING, SUBSYSTEMS, Mood, Move, changed, domains_of, draw, echo, mood
from xenproofs.machines.planting import planted
from xenproofs.machines.schemes import scheme
from xenproofs.machines.setup import DOMAINS, GUESTS, VCPUS_EACH
from xenproofs.machines.shared_schemes import SCHEMES as SHARED
from xenproofs.machines.shared_schemes import shared_scheme
from xenproofs.machines.world import World

SIZES = (len(DOMAINS) * VCPUS_EACH, len(GUESTS) * VCPUS_EACH)
"""vCPUs of the two domains of most small worlds, or of three."""
SHARES = (0.0, 0.0, 0.1)
"""How many moves of an episode begin a scheme: in most episodes, none."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What all episodes of a campaign have in common."""

    seed: int
    subsystem: str = "memory"
    every_step: bool = False
    moves: int = 250
    fault: str = ""
    """The planted fault to look for, by its name; none: the model as it is."""
    pauses: bool = True
    """Whether calls may be left standing in the middle; else each runs to its end, nothing interleaves."""


@dataclass(slots=True)
class Episode:
    """What became of an episode."""

    number: int
    calls: int = 0
    steps: int = 0
    coverage: Counter[str] = field(default_factory=Counter[str])
    breach: Breach | None = None
    moves: tuple[Move, ...] = ()
    """The moves that led to the breach; empty without one."""


def moves_of(plan: Plan, number: int) -> list[Move]:
    """Return the moves of an episode."""
    rng = Random(f"{plan.seed}/{number}")  # noqa: S311 - repeatable, not secret
    of_all = mood(rng, SUBSYSTEMS[plan.subsystem])
    if plan.subsystem in SCHEMING:
        of_all = replace(of_all, scheming=rng.choice(SHARES))
    if plan.subsystem in SHARED:
        of_all = replace(of_all, vcpus=rng.choice(SIZES))
    moves = [draw(rng, of_all)]
    while len(moves) < plan.moves:
        moves += _next(rng, plan.subsystem, of_all, moves[-1])
    chosen = moves[: plan.moves]
    return chosen if plan.pauses else [changed(move, "pause", 0) for move in chosen]


def _next(rng: Random, subsystem: str, of_all: Mood, last: Move) -> list[Move]:
    """Return what follows a move: the same by the other vCPU, a scheme, or any move."""
    share = rng.random()
    if share < of_all.echoed:
        return [echo(rng, last)]
    if share >= of_all.echoed + of_all.scheming:
        return [draw(rng, of_all)]
    return shared_scheme(rng, subsystem) if subsystem in SHARED else scheme(rng, of_all)


def play(plan: Plan, number: int) -> Episode:
    """Play an episode."""
    moves = moves_of(plan, number)
    world = World.new(every_step=plan.every_step, domains=domains_of(moves))
    episode = Episode(number)
    with planted(fault_named(plan.fault)):
        played, episode.breach = until_breach(world, moves)
    if episode.breach is not None:
        episode.moves = tuple(moves[:played])
    episode.calls, episode.steps, episode.coverage = world.calls, world.steps, world.coverage
    return episode
