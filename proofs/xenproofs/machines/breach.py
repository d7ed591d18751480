"""What can go wrong while moves are played: a broken invariant, an illegal holder, a deadlock, a crash.

assert breach([Move("pin", vcpu=0, a=4)]) is None
"""

from collections.abc import Sequence
from dataclasses import dataclass

from xenproofs.judge.ghost import IllegalHolder
from xenproofs.machines.moves import Move, domains_of
from xenproofs.machines.world import Deadlock, World

ILLEGAL_HOLDER = "illegal holder"
DEADLOCK = "deadlock"
CRASH = "crash"


@dataclass(frozen=True, slots=True)
class Breach:
    """What went wrong: the invariant (or rule) and the text of its violation."""

    name: str
    text: str
    names: frozenset[str] = frozenset()
    """Every invariant that was broken at the same moment."""


def breach(moves: Sequence[Move], *, every_step: bool = False) -> Breach | None:
    """Play moves on a fresh world and every call to its end; return the first thing that goes wrong."""
    world = World.new(every_step=every_step, domains=domains_of(moves))
    return until_breach(world, moves)[1]


def until_breach(world: World, moves: Sequence[Move]) -> tuple[int, Breach | None]:
    """Play moves, then every call to its end; return how many were begun, and what went wrong."""
    played = 0
    try:
        for move in moves:
            played += 1
            world.play(move)
            if world.violations:
                break
        else:
            world.finish()
    except IllegalHolder as found:
        return played, Breach(ILLEGAL_HOLDER, str(found))
    except Deadlock as found:
        return played, Breach(DEADLOCK, f"every vCPU waits, the first of them {found}")
    except Exception as found:  # noqa: BLE001 - whatever a guest makes the hypervisor raise is a breach
        return played, Breach(CRASH, f"{type(found).__name__}: {found}")
    if not world.violations:
        return played, None
    first = world.violations[0]
    return played, Breach(first.name, str(first), frozenset(v.name for v in world.violations))
