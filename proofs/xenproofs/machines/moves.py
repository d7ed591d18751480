"""Moves: what a guest, the hardware or the scheduler may do next, as plain data.

A move is a kind, the vCPU or CPU that makes it, and small numbers that are resolved against the world: most
name a frame of one's own, some a foreign one, I/O space or nothing at all. Plain data shrinks well, prints
well and can be replayed; `describe` writes it with roles (`dom1.f3`, `dom0.l1`).
"""

from dataclasses import dataclass
from random import Random

from xenmodel.abi import pte
from xenmodel.abi.memory_map import IO_LIMIT
from xenproofs.machines.setup import BOOT_SLOT, DOMAINS, FREE, FREE_START, VCPUS_EACH, estate
from xenspec.vocabulary import DOMID_IO, DOMID_SELF, DomId, Mfn, VcpuId

KINDS: dict[str, int] = {
    "update": 30,
    "map": 14,
    "pin": 16,
    "unpin": 8,
    "base": 6,
    "user_base": 3,
    "page": 4,
    "descriptors": 5,
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
COMMON_FLAGS = 4
"""The first sets, which hostile guests use like everybody else."""
SLOT_CHOICES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 256, 257, 258, 271, BOOT_SLOT, 511)


@dataclass(frozen=True, slots=True)
class Move:
    """One move; `vcpu` counts all vCPUs, `pause` the steps after which the call is left standing."""

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
    number = move.vcpu % (len(DOMAINS) * VCPUS_EACH)
    return VcpuId((DOMAINS[number // VCPUS_EACH], number % VCPUS_EACH))


def frame_of(domain: DomId, number: int) -> Mfn:
    """Return the frame that a number names for a domain: its own (0..9), the other's, a free or odd one."""
    own, other = estate(domain), estate(DOMAINS[1 - domain])
    frames = (*own.tables, *own.spare, *other.tables[:1], *other.spare[:3])
    if number < len(frames):
        return frames[number]
    rest = (
        *(Mfn(FREE_START + i) for i in range(FREE)),
        Mfn(0xB8),
        Mfn(0xFEC00),
        Mfn(IO_LIMIT),
        Mfn(pte.ALL_ONES),
    )
    return rest[number % len(rest)]


def frame_name(mfn: int) -> str:
    """Return a frame's role: `dom1.l2`, `dom0.f3`, `free.1`, or its number."""
    for domain in DOMAINS:
        e = estate(domain)
        if mfn in e.tables:
            return f"dom{domain}.l{4 - e.tables.index(Mfn(mfn))}"
        if mfn in e.spare:
            return f"dom{domain}.f{e.spare.index(Mfn(mfn))}"
    if FREE_START <= mfn < FREE_START + FREE:
        return f"free.{mfn - FREE_START}"
    return f"{mfn:#x}"


def word_of(domain: DomId, number: int, flags: int) -> int:
    """Return an entry by the number of its frame and the number of its flags."""
    return pte.entry(frame_of(domain, number), FLAG_SETS[flags % len(FLAG_SETS)])


def named(domain: DomId, number: int) -> int:
    """Return the domain that a call names: mostly oneself."""
    return (DOMID_SELF, DOMID_SELF, DOMID_SELF, DOMID_SELF, 1 - domain, domain, DOMID_IO, 5)[number % 8]


def draw(rng: Random) -> Move:
    """Draw a move: mostly meaningful, sometimes hostile, sometimes left standing in the middle."""
    kind = rng.choices(tuple(KINDS), tuple(KINDS.values()))[0]
    frame = rng.randrange(ROLES) if rng.random() < 0.85 else rng.randrange(ROLES + 12)  # noqa: PLR2004 - often one's own
    flags = rng.randrange(COMMON_FLAGS) if rng.random() < 0.9 else rng.randrange(len(FLAG_SETS))  # noqa: PLR2004
    pause = rng.randint(1, 12) if rng.random() < 0.25 else 0  # noqa: PLR2004 - one call in four is left standing
    preempt = rng.randint(1, 3) if rng.random() < 0.1 else 0  # noqa: PLR2004
    return Move(
        kind,
        rng.randrange(len(DOMAINS) * VCPUS_EACH),
        rng.randrange(ROLES) if rng.random() < 0.9 else rng.randrange(ROLES + 12),  # noqa: PLR2004
        rng.randrange(len(SLOT_CHOICES)),
        frame,
        flags + 8 * rng.randrange(8),
        pause,
        preempt,
    )
