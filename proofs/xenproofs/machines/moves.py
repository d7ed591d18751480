"""Moves: what a guest, the hardware or the scheduler may do next, as plain data.

A move is a kind, the vCPU or CPU that makes it, and small numbers that are resolved against the world: most
name a frame of one's own, some a foreign one, I/O space or nothing at all. Plain data shrinks well, prints
well and can be replayed; `describe` writes it with roles (`dom1.f3`, `dom0.l1`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from xenmodel.abi import pte
from xenmodel.abi.memory_map import IO_LIMIT
from xenproofs.machines.setup import BOOT_SLOT, DOMAINS, FREE, FREE_START, GUESTS, VCPUS_EACH, XENS, estate
from xenspec.vocabulary import DOMID_IO, DOMID_SELF, DomId, Mfn, Va, VcpuId

KINDS: dict[str, int] = {
    "update": 28,
    "batch": 5,
    "map": 14,
    "pin": 16,
    "unpin": 8,
    "base": 6,
    "user_base": 3,
    "page": 4,
    "descriptors": 5,
    "select": 3,
    "info": 1,
    "cache": 1,
    "reserve": 5,
    "flush": 2,
    "load": 4,
    "store": 6,
    "fill": 3,
    "evict": 1,
    "stale_store": 3,
    "switch": 3,
    "advance": 12,
}
"""Kinds of moves and how often they are drawn."""
TLB_KINDS: dict[str, int] = {**KINDS, "map": 24, "fill": 16, "stale_store": 12, "switch": 10, "flush": 6}
"""The same for an attack on what processors cache."""
WALK_KINDS: dict[str, int] = {
    **{kind: KINDS[kind] for kind in ("update", "map", "page", "base", "reserve", "advance", "switch")},
    "pin": 24,
    "unpin": 16,
    "prefix": 24,
    "walk_on": 24,
    "walk_to": 16,
    "stale_store": 12,
    "mark": 4,
    "forget": 1,
    "store": 6,
}
"""An attack by the prefixes of walks that processors cache."""
GRANT_KINDS: dict[str, int] = {
    **{kind: KINDS[kind] for kind in ("update", "map", "pin", "unpin", "advance")},
    "load": 24,
    "store": 24,
    "fill": 12,
    "grant": 30,
    "table": 6,
    "destroy": 1,
    "map_grant": 40,
    "unmap_grant": 30,
    "replace_grant": 6,
    "copy_grant": 10,
    "transfer": 8,
    "swap_grants": 3,
    "switch": 3,
    "reserve": 3,
    "flush": 2,
}
"""An attack by grants, mixed with what else becomes of the frames."""
EVENT_KINDS: dict[str, int] = {
    "event": 40,
    "handle": 16,
    "guest": 8,
    "sleep": 4,
    "interrupt": 6,
    "scribble": 6,
    "destroy": 1,
    "advance": 24,
}
"""The same for event channels."""
SUBSYSTEMS: dict[str, dict[str, int]] = {
    "memory": KINDS,
    "tlb": TLB_KINDS,
    "walks": WALK_KINDS,
    "grants": GRANT_KINDS,
    "events": EVENT_KINDS,
}
"""What can be attacked, and with which moves."""
SCHEMING = frozenset({"memory", "tlb", "grants", "events"})
"""Where guests have schemes (xenproofs.machines.schemes)."""
BOOT_L1 = 3
"""The number of one's own boot table of level 1."""
ROLES = 10
"""Frames of a domain that a number can name: four boot tables, six spare ones."""
FLAG_SETS = (
    pte.PRESENT | pte.USER,
    pte.PRESENT | pte.RW | pte.USER,
    pte.PRESENT | pte.RW | pte.USER | pte.ACCESSED | pte.DIRTY,
    0,
    pte.PRESENT | pte.RW | pte.USER | pte.PSE,
    pte.PRESENT | pte.RW | pte.USER | pte.PWT,
    pte.PRESENT | pte.USER | pte.NX,
    pte.RW | pte.USER,
)
FLAGS = len(FLAG_SETS)
WRITE, ABSENT = 1, 3
"""The numbers of an entry that lets write, and of one that is not there."""
NAMES = 5
"""Domains that a call can name."""
NAMEABLE = ROLES + 13
"""All frames that a number can name, odd ones included."""
DESCRIPTORS = (
    0x00CFFB00_0000FFFF,
    0x00008200_00000000,
    0,
    0x00CFF300_0000FFFF,
    0x00CF7300_0000FFFF,
    0x00CF9300_0000FFFF,
)
"""Code, an LDT (which Xen refuses), nothing, data, data that is not present, data of ring 0 (made ring 3)."""
NUMBERS = ("a", "b", "c", "d", "pause", "preempt")
"""The numbers of a move beside its vCPU."""
COMMON_FLAGS = 4
"""The first sets, which hostile guests use like everybody else."""
SLOT_CHOICES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 256, 257, 258, 271, BOOT_SLOT, 511)


@dataclass(frozen=True, slots=True)
class Move:
    """One move; `vcpu` counts all vCPUs, `pause` is the steps after which the call is left standing."""

    kind: str
    vcpu: int
    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0
    pause: int = 0
    """0: the call runs to its end."""
    preempt: int = 0
    """The preemption point at which Xen preempts, counted from 1; 0: none."""


def vcpu_of(move: Move) -> VcpuId:
    """Return the vCPU that makes a move."""
    number = move.vcpu % (len(GUESTS) * VCPUS_EACH)
    return VcpuId((GUESTS[number // VCPUS_EACH], number % VCPUS_EACH))


def domains_of(moves: Iterable[Move]) -> tuple[DomId, ...]:
    """Return the domains that there are to be: the third one only where one of its vCPUs makes a move."""
    return GUESTS if any(vcpu_of(move)[0] == GUESTS[-1] for move in moves) else DOMAINS


def others(domain: int) -> tuple[DomId, DomId]:
    """Return the other domains, the one that a memory call means first."""
    return {0: (GUESTS[1], GUESTS[2]), 1: (GUESTS[0], GUESTS[2])}.get(domain, (GUESTS[1], GUESTS[0]))


def other(domain: int, move: Move) -> DomId:
    """Return the other domain that a move is about."""
    return others(domain)[move.d // 2 % 2]


def frame_of(domain: DomId, number: int) -> Mfn:
    """Return the frame that a number names for a domain: its own (0..9), another's, a free or odd one."""
    own, peer = estate(domain), estate(others(domain)[0])
    frames = (*own.tables, *own.spare, *peer.tables[:1], *peer.spare[:3])
    if number < len(frames):
        return frames[number]
    rest = (
        *(Mfn(FREE_START + i) for i in range(FREE)),
        XENS[domain],
        Mfn(0xB8),
        Mfn(0xFEC00),
        Mfn(IO_LIMIT),
        Mfn(pte.ALL_ONES),
    )
    return rest[number % len(rest)]


def frame_name(mfn: int) -> str:
    """Return a frame's role: `dom1.l2`, `dom0.f3`, `free.1`, or its number."""
    for domain in GUESTS:
        e = estate(domain)
        if mfn in e.tables:
            return f"dom{domain}.l{4 - e.tables.index(Mfn(mfn))}"
        if mfn in e.spare:
            return f"dom{domain}.f{e.spare.index(Mfn(mfn))}"
    if mfn in XENS:
        return f"dom{XENS.index(Mfn(mfn))}.shared"
    if FREE_START <= mfn < FREE_START + FREE:
        return f"free.{mfn - FREE_START}"
    return f"{mfn:#x}"


def word_of(domain: DomId, number: int, flags: int) -> int:
    """Return an entry by the number of its frame and the number of its flags; beyond them, a descriptor."""
    if number >= NAMEABLE:
        return DESCRIPTORS[number % len(DESCRIPTORS)]
    return pte.entry(frame_of(domain, number), FLAG_SETS[flags % len(FLAG_SETS)])


def named(domain: DomId, d: int) -> int:
    """Return the domain that a call names: mostly oneself."""
    return (DOMID_SELF, others(domain)[0], domain, DOMID_IO, 5)[d // FLAGS % NAMES]


def address(slot: int) -> Va:
    """Return the address that the boot tables map by this slot of their L1 table."""
    return Va(0xFFFF << 48 | BOOT_SLOT << 39 | (slot % 16) << 12)


def extra(d: int) -> int:
    """Return what is left of `d` beside flags and name: a choice among eight."""
    return d // (FLAGS * NAMES) % 8


@dataclass(frozen=True, slots=True)
class Mood:
    """What the guests of an episode are up to: their kinds of moves and favourite frames."""

    kinds: tuple[str, ...]
    weights: tuple[int, ...]
    favourites: tuple[int, ...]
    paused: float
    """How many calls are left standing in the middle."""
    foreign: float
    """How many calls name another domain."""
    level: int
    """What a pin's `c` mostly is: it chooses the level."""
    echoed: float
    """How many moves only repeat the one before, on the other vCPU of the same domain."""
    scheming: float = 0.0
    """How many moves are the first of a scheme."""
    vcpus: int = len(DOMAINS) * VCPUS_EACH
    """vCPUs that make moves."""


def mood(rng: Random, kinds: dict[str, int] = KINDS) -> Mood:
    """Draw a mood: some kinds left out, a few frames preferred, so that episodes differ."""
    left = {kind: weight for kind, weight in kinds.items() if rng.random() < 0.6} or kinds  # noqa: PLR2004
    return Mood(
        tuple(left),
        tuple(left.values()),
        tuple(rng.sample(range(ROLES), rng.choice((1, 2, 4, ROLES)))),
        rng.choice((0.0, 0.3, 0.6)),
        rng.choice((0.05, 0.3)),
        rng.randrange(ROLES),
        rng.choice((0.0, 0.3)),
    )


def draw(rng: Random, mood: Mood) -> Move:
    """Draw a move: mostly meaningful, sometimes hostile, sometimes left standing in the middle."""

    def frame(most: int) -> int:
        share = rng.random()
        if share < 0.5:  # noqa: PLR2004 - half of them
            return rng.choice(mood.favourites)
        return rng.randrange(ROLES if share < 0.85 else most)  # noqa: PLR2004

    kind = rng.choices(mood.kinds, mood.weights)[0]
    flags = rng.randrange(COMMON_FLAGS if rng.random() < 0.9 else FLAGS)  # noqa: PLR2004
    foreign = rng.randrange(NAMES) if rng.random() < mood.foreign else 0
    return Move(
        kind,
        rng.randrange(mood.vcpus),
        frame(NAMEABLE),
        rng.randrange(len(SLOT_CHOICES)),
        mood.level if kind == "pin" and rng.random() < 0.7 else frame(NAMEABLE + len(DESCRIPTORS)),  # noqa: PLR2004
        flags + FLAGS * foreign + FLAGS * NAMES * rng.randrange(8),
        pause=rng.randint(1, 12) if rng.random() < mood.paused else 0,
        preempt=rng.randint(1, 3) if rng.random() < 0.1 else 0,  # noqa: PLR2004
    )


def echo(rng: Random, move: Move) -> Move:
    """Return the same move by the other vCPU of the domain, which may hurry or wait."""
    return changed(changed(move, "vcpu", move.vcpu ^ 1), "pause", rng.choice((0, 0, move.pause)))


def describe(move: Move) -> str:
    """Write a move as one line that `parse` reads: its kind, its vCPU, and every number that is not zero."""
    numbers = (f"{name}={getattr(move, name)}" for name in NUMBERS if getattr(move, name))
    return " ".join((move.kind, f"vcpu={move.vcpu}", *numbers))


def parse(line: str) -> Move:
    """Read a line of `describe`.

    Raises:
        ValueError: it is no such line.
    """
    kind, *words = line.split()
    numbers = {name: int(value) for name, _, value in (word.partition("=") for word in words)}
    known = {**KINDS, **WALK_KINDS, **GRANT_KINDS, **EVENT_KINDS}
    if kind not in known or not {"vcpu"} <= numbers.keys() <= {"vcpu", *NUMBERS}:
        raise ValueError(line)
    return Move(kind, numbers.pop("vcpu"), **numbers)


def changed(move: Move, name: str, value: int) -> Move:
    """Return a move with another number."""
    numbers: dict[str, int] = {one: getattr(move, one) for one in ("vcpu", *NUMBERS)}
    return Move(move.kind, **{**numbers, name: value})
