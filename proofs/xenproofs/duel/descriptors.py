"""Families of cases about descriptors: what is accepted, what is stored, what can be loaded."""

from random import Random
from typing import TYPE_CHECKING

from xenproofs.duel.ops import (
    KERNEL_SLOT,
    LINK,
    RO_FLAGS,
    RW_FLAGS,
    SOME,
    Case,
    Op,
    at,
    entry,
    extended,
    map_own,
    read,
    update,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def descriptor(rng: Random) -> int:
    """Return a descriptor: mostly code, data or a gate, sometimes anything."""
    if rng.random() < SOME:
        return rng.getrandbits(64)
    word = rng.getrandbits(16) | rng.getrandbits(16) << 16
    upper = rng.choice(
        (0x00CFF300, 0x00CFFB00, 0x0000F200, 0x00CF9300, 0x00008C00, 0x0000EC00, 0x00008200, 0x0000E000)
    )
    upper ^= rng.choice((0, 0, 0, 1 << 15, 1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 13, 0x60, 1 << 21, 1 << 22))
    return upper << 32 | word


def descriptors(rng: Random) -> Case:
    """Fill descriptor pages, use them as GDT and LDT, load selectors, look at the accessed bits."""
    ops: list[Op] = []
    for page in ("p0", "p1"):
        slots = rng.sample(range(8), rng.randint(1, 4))
        ops += [write(at(page, slot), descriptor(rng)) for slot in slots]
        ops.append(map_own(page))
    entries = rng.choice((1, 8, 8, 512, 513, 600))
    moves: list[Callable[[], Op]] = [
        lambda: {
            "op": "set_gdt",
            "frames": [rng.choice(("p0", "p1"))],
            "entries": rng.choice((1, 4, 8, 512)),
        },
        lambda: extended(["set_ldt", rng.choice(("p0", "p1")), entries]),
        lambda: {"op": "load_seg", "sel": rng.randrange(9) * 8 + rng.choice((3, 7, 7, 0, 4))},
        lambda: {"op": "load_seg", "sel": rng.randrange(9) * 8 + 7},
        lambda: {
            "op": "update_descriptor",
            "page": rng.choice(("p0", "p1")),
            "off": rng.randrange(8) * 8 + rng.choice((0, 0, 0, 4)),
            "desc": descriptor(rng),
        },
        lambda: read(at(rng.choice(("p0", "p1")), rng.randrange(8))),
        lambda: map_own(rng.choice(("p0", "p1")), rng.choice((RO_FLAGS, RW_FLAGS))),
    ]
    ops += [rng.choice(moves)() for _ in range(rng.randint(5, 12))]
    ops += [read(at("p0", slot)) for slot in range(3)]
    return Case(ops, 2)


def loadable(rng: Random) -> int:
    """Return a descriptor of code or data that can be loaded, mostly; one bit of it may be otherwise."""
    kind = rng.choice((0xF2, 0xF3, 0xFA, 0xFB, 0xF0, 0xF6, 0xFE))
    upper = 0x00CF0000 | kind << 8
    return (upper ^ rng.choice((0, 0, 1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 13, 1 << 15))) << 32 | 0xFFFF


def segments(rng: Random) -> Case:
    """Load selectors from a good LDT, look at the marks; lose the LDT by another one, or with its table."""
    slots = range(4)
    ops = [write(at("p0", slot), loadable(rng)) for slot in slots]
    ops += [map_own("p0"), update(("p2", KERNEL_SLOT, "n", entry("bootl3", LINK))), map_own("p2")]
    ops.append(extended(["set_ldt", "p0", rng.choice((1, 3, 4, 512, 8192))]))
    moves: list[Callable[[], Op]] = [
        lambda: {"op": "load_seg", "sel": rng.randrange(6) * 8 + rng.choice((7, 7, 7, 4, 3))},
        lambda: {"op": "load_seg", "sel": rng.randrange(4) * 8 + 7},
        lambda: read(at("p0", rng.randrange(4))),
        lambda: extended(["set_ldt", rng.choice(("p0", "p0", "p1")), rng.choice((0, 2, 4, 8192, 8193))]),
        lambda: extended(["new_baseptr", rng.choice(("p2", "bootl4"))]),
        lambda: {"op": "set_gdt", "frames": ["p0"], "entries": rng.choice((1, 512))},
        lambda: map_own("p0", rng.choice((RO_FLAGS, RO_FLAGS, RW_FLAGS))),
        lambda: {"op": "uvm", "va": "p0", "pte": 0},
    ]
    weights = (4, 4, 3, 2, 2, 1, 1, 0.3)
    ops += [move() for move in rng.choices(moves, weights, k=rng.randint(4, 10))]
    return Case([*ops, *(read(at("p0", slot)) for slot in slots)], 3)
