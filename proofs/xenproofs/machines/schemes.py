"""Schemes: moves that fit together, where drawing one move at a time hardly ever gets as far.

Windows of a few steps lie between looking at a frame and claiming it, between a flush and a change of type,
between taking a table's work over and finishing it. A scheme leaves a call standing there, lets the other
vCPU of the domain do what hurts, and lets the call go on. Numbers are drawn, so that most schemes miss.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from xenproofs.machines.moves import (
    ABSENT,
    BOOT_L1,
    DESCRIPTORS,
    FLAGS,
    NAMEABLE,
    NAMES,
    ROLES,
    WRITE,
    Mood,
    Move,
)
from xenproofs.machines.setup import VCPUS_EACH

WINDOW: Final = 9
"""Steps within which a call is left standing."""
TO_THE_END: Final = 11
"""More steps, less one, than are mostly left."""
MAPPED: Final = 9
"""The frames with these numbers are mapped by the slots of the same numbers (xenproofs.machines.setup)."""
FLUSH_ALL: Final = 1
DECREASE, POPULATE = 0, 1
SET_GDT: Final = 0
SET_LDT: Final = 3 * FLAGS * NAMES + 2
IN_LDT: Final = 2
"""The number of the first selector that names the LDT; the next ones name its next descriptors."""
OWN_XENS: Final = 22
"""The number of the page that Xen writes to for the domain."""
UNCACHED: Final = 5
"""The number of a writable entry that is not cached."""


def scheme(rng: Random, mood: Mood) -> list[Move]:
    """Return the moves of a scheme, about one of the favourite frames."""
    frame = rng.choice([f for f in mood.favourites if f < MAPPED] or range(MAPPED))
    return rng.choice(SCHEMES)(rng, mood, rng.randrange(2 * VCPUS_EACH), frame)


def _map(vcpu: int, frame: int, flags: int, pause: int = 0) -> Move:
    """Return an update of the slot that maps a frame at the start."""
    return Move("update", vcpu, BOOT_L1, frame, frame, flags, pause)


def _fill(rng: Random, frame: int) -> Move:
    """Return a fill of either processor from the slot that maps a frame, to write if it lets."""
    return Move("fill", rng.randrange(VCPUS_EACH), frame, frame, 0, FLAGS * NAMES)


def _end(vcpu: int) -> Move:
    return Move("advance", vcpu, b=TO_THE_END)


def _visited(rng: Random, mood: Mood, vcpu: int, frame: int) -> list[Move]:
    """Take, use and give back a frame while another call is about to take it as a table."""
    pin = Move("pin", vcpu, frame, c=rng.choice((0, mood.level)), pause=rng.randint(1, WINDOW))
    other = vcpu ^ 1
    visit = [_map(other, frame, WRITE), _fill(rng, frame), _map(other, frame, ABSENT)]
    return [_map(other, frame, ABSENT), pin, *visit, _end(vcpu)]


def _used_to_the_last(rng: Random, _: Mood, vcpu: int, frame: int) -> list[Move]:
    """Use a translation while the last entry that grants it is being taken away; then change the type."""
    flush = Move("flush", vcpu ^ 1, frame, c=FLUSH_ALL)
    away = _map(vcpu, frame, ABSENT, pause=rng.randint(1, WINDOW))
    return [_map(vcpu, frame, WRITE), away, flush, _fill(rng, frame), _end(vcpu), Move("pin", vcpu, frame)]


def _taken_over(rng: Random, mood: Mood, vcpu: int, frame: int) -> list[Move]:
    """Go on with a table whose work was interrupted, two vCPUs at once.

    The other looks at the table while nobody is at work on it (two steps), and goes on when somebody is.
    """
    level = rng.choice((2, 2, 3, 3, mood.level))
    store = Move("store", vcpu, frame, rng.randrange(4), rng.choice(mood.favourites), rng.randrange(2))
    begun = [Move("unpin", vcpu, frame), *rng.choice(([], [store])), _map(vcpu, frame, 0)]
    pin = Move("pin", vcpu, frame, c=level, pause=rng.randint(2, WINDOW), preempt=rng.choice((1, 1, 2)))
    again = Move("pin", vcpu ^ 1, frame, c=level, pause=rng.choice((0, 2, 2, 3, 5)))
    going_on = Move("advance", vcpu, b=rng.randrange(TO_THE_END))
    return [*begun, pin, again, going_on, _end(vcpu ^ 1)]


def _updated_by_two(rng: Random, mood: Mood, vcpu: int, frame: int) -> list[Move]:
    """Update one table on two vCPUs; let one of them give the table up before the other is done."""
    slot, other = rng.randrange(4), vcpu ^ 1

    def update(of: int) -> Move:
        target = rng.choice((*mood.favourites, rng.randrange(ROLES)))
        return Move("update", of, frame, slot, target, rng.choice((0, WRITE, ABSENT)), rng.randint(1, 6))

    begun = [_map(vcpu, frame, 0), Move("pin", vcpu, frame), update(vcpu), update(other)]
    return [*begun, _end(vcpu), Move("unpin", vcpu, frame), _end(other)]


def _given_away(rng: Random, _: Mood, vcpu: int, frame: int) -> list[Move]:
    """Give a frame up that a processor may still translate to, and let the other domain have it."""
    gone = Move("reserve", vcpu, frame, DECREASE, NAMEABLE - 1)
    taken = Move("reserve", (vcpu + VCPUS_EACH) % (2 * VCPUS_EACH), 0, POPULATE, 1)
    return [_fill(rng, frame), _map(vcpu, frame, ABSENT), gone, taken]


def _uncached(rng: Random, _: Mood, vcpu: int, frame: int) -> list[Move]:
    """Map the page that Xen itself writes to, as if it were a device's."""
    kind, table = rng.choice((("map", frame), ("update", BOOT_L1)))
    return [Move(kind, vcpu, table, frame, OWN_XENS, UNCACHED)]


def _selected(rng: Random, _: Mood, vcpu: int, frame: int) -> list[Move]:
    """Write a descriptor into a page, make it the LDT, and load a selector that names it."""
    slot = rng.randrange(3)
    write = Move("update", vcpu, frame, slot, NAMEABLE + rng.randrange(len(DESCRIPTORS)), 0)
    ldt = Move("descriptors", vcpu, frame, 8, 0, SET_LDT)
    select = Move("select", vcpu, 0, IN_LDT + slot)
    return [_map(vcpu, frame, ABSENT), write, _map(vcpu, frame, 0), ldt, select]


def _described(rng: Random, _: Mood, vcpu: int, frame: int) -> list[Move]:
    """Write a descriptor into a frame that is mapped nowhere to write, and make it a descriptor table."""
    word = NAMEABLE + rng.randrange(len(DESCRIPTORS))
    write = Move("update", vcpu, frame, rng.randrange(4), word, 0)
    return [_map(vcpu, frame, 0), write, Move("descriptors", vcpu, frame, 0, frame, 3 * SET_GDT)]


SCHEMES: Final[tuple[Callable[[Random, Mood, int, int], list[Move]], ...]] = (
    _visited,
    _used_to_the_last,
    _taken_over,
    _updated_by_two,
    _given_away,
    _described,
    _selected,
    _uncached,
)
