"""Generators of cases: each family aims at rules that the recorded cases do not detect.

Every family takes a seeded random source and returns a case; the same seed gives the same case. Families
for what only live cases see: walks through guest-built tables and their accessed and dirty bits, Xen's L4
slots, partial exchanges, I/O space and caching, descriptors, raw writes that preserve bits, linear tables,
foreign frames; and one that mixes everything. Event channels and grants have families of their own
(`channels`, `granting`, `passing`), and one that mixes these with memory calls; a last one puts arguments
where ranges end (`extremes`).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random

from xenmodel.abi.pte import ACCESSED, DIRTY, GLOBAL, GUEST_KERNEL, NX, PAT, PCD, PRESENT, PWT, RW, USER
from xenproofs.duel.channels import channels, evt, fifo
from xenproofs.duel.descriptors import descriptors, segments
from xenproofs.duel.extremes import extremes
from xenproofs.duel.granting import copies, grants, new_grants
from xenproofs.duel.ops import (
    FEW,
    HALF,
    KERNEL_SLOT,
    LINK,
    MOST,
    RARE,
    RO_FLAGS,
    RW_FLAGS,
    SOME,
    Case,
    Draw,
    Op,
    Value,
    address,
    at,
    entry,
    extended,
    map_own,
    read,
    renamed,
    update,
    write,
)
from xenproofs.duel.passing import transitive

SELF, IO = 0x7FF0, 0x7FF1
TABLES = ("p0", "p1", "p2", "p3")
"""The tables of a guest-built address space, level 4 first."""
DATA = ("p4", "p5")
M2P_STRICT = 32
STRICT_OFF: Op = {"op": "vm_assist", "cmd": 1, "type": M2P_STRICT}
"""The harness does not reset this assist between cases."""
STRICT_ON: Op = {"op": "vm_assist", "cmd": 0, "type": M2P_STRICT}


def leaf_flags(rng: Random) -> int:
    """Return flags of an L1 entry, mostly present."""
    flags = rng.choice((PRESENT, PRESENT | RW, LINK, PRESENT | RW | USER | GUEST_KERNEL, PRESENT | USER))
    for extra in (ACCESSED, DIRTY, GLOBAL, NX, 0x200, 1 << 58):
        if rng.random() < FEW:
            flags |= extra
    return flags if rng.random() > FEW else flags & ~PRESENT


def link_flags(rng: Random) -> int:
    """Return flags of an L2..L4 entry, mostly acceptable."""
    flags = LINK if rng.random() < MOST else PRESENT | USER
    for extra in (ACCESSED, DIRTY, NX, 0x800, 1 << 60):
        if rng.random() < FEW:
            flags |= extra
    if rng.random() < RARE:
        flags |= rng.choice((PWT, PCD, 0x80, GLOBAL))
    return flags if rng.random() > 2 * RARE else flags & ~PRESENT


def build_space(rng: Random, slots: tuple[int, int, int, int]) -> list[Op]:
    """Return the calls that make p0..p3 an address space in which `slots` lead to p4."""
    i4, i3, i2, i1 = slots
    ops = [
        update(
            ("p0", KERNEL_SLOT, "n", entry("bootl3", LINK)),
            ("p0", i4, "n", entry("p1", link_flags(rng))),
            ("p1", i3, "n", entry("p2", link_flags(rng))),
            ("p2", i2, "n", entry("p3", link_flags(rng))),
            ("p3", i1, "n", entry("p4", leaf_flags(rng))),
            ("p3", i1 ^ 1, "n", entry(rng.choice(("p5", "p5", "p4", "p4", "p3")), leaf_flags(rng))),
        )
    ]
    ops += [map_own(page, RO_FLAGS if rng.random() > 2 * RARE else RW_FLAGS) for page in TABLES]
    ops.append(extended(["pin_l4", "p0"]))
    return ops


def walk_slots(rng: Random) -> tuple[int, int, int, int]:
    """Return a path of slots; the first one is the guest's."""
    return (
        rng.choice((0, 1, 5, 255, 272, 300, 510)),
        rng.randrange(512),
        rng.randrange(512),
        rng.randrange(512),
    )


def walks(rng: Random) -> Case:
    """Load guest-built tables, load and store through them, and look at the bits that the processor set."""
    slots = walk_slots(rng)
    ops = build_space(rng, slots)
    ops.append(extended(["new_baseptr", "p0"]))
    near = (*slots[:3], slots[3] ^ 1)
    for _ in range(rng.randint(2, 6)):
        va = address(rng.choice((slots, slots, near, walk_slots(rng))), rng.randrange(512) * 8)
        ops.append(write(va, rng.randrange(1 << 20) * 8) if rng.random() < HALF else read(va))
        if rng.random() < SOME:
            ops.append({"op": "uvm", "va": va, "pte": entry(rng.choice(DATA), leaf_flags(rng))})
        ops += [read(at(page, slot)) for page, slot in zip(TABLES, slots, strict=True) if rng.random() < HALF]
    ops += [read(at(page, slot)) for page, slot in zip(TABLES, slots, strict=True)]
    return Case(ops, 6)


def xen_slots(rng: Random) -> Case:
    """Pin, load and unload L4 tables with and without m2p_strict, and look at Xen's slots.

    The assist is never switched on after a promotion: a table loaded then would have no M2P, which the
    harness's own kernel reads.
    """
    ops: list[Op] = [
        STRICT_OFF if rng.random() < HALF else STRICT_ON,
        update(*((page, KERNEL_SLOT, "n", entry("bootl3", LINK)) for page in ("p0", "p1", "p2"))),
        map_own("p0"),
        map_own("p1"),
        map_own("p2"),
    ]
    moves: list[Callable[[], Op]] = [
        lambda: STRICT_OFF,
        lambda: extended(["pin_l4", rng.choice(("p0", "p1"))]),
        lambda: extended(["unpin", rng.choice(("p0", "p1"))]),
        lambda: extended(["new_baseptr", rng.choice(("p0", "p1", "bootl4"))]),
        lambda: extended(["new_user_baseptr", rng.choice(("p2", "p2", 0))]),
        lambda: update(("p0", rng.randrange(255, 273), "n", rng.choice((0, entry("p3", LINK))))),
        lambda: read(at(rng.choice(("p0", "p1")), rng.randrange(255, 273))),
        lambda: read(at(rng.choice(("p0", "p1")), 256)),
        lambda: extended([rng.choice(("pin_l1", "pin_l2", "pin_l3")), rng.choice(("p0", "p1"))]),
    ]
    ops += [rng.choice(moves)() for _ in range(rng.randint(5, 12))]
    ops += [read(at("p0", 256)), read(at("p1", 256)), read(at("p2", 256)), read(at("p0", 258))]
    return Case(ops, 4)


def exchanges(rng: Random) -> Case:
    """Exchange several frames of which some are held: how far does it get?

    A frame once given up is not named again: the allocator, whose choice nobody promises, may have reused it.
    """
    pages = [f"p{i}" for i in range(5)]
    ops: list[Op] = [{"op": "uvm", "va": page, "pte": 0} for page in pages if rng.random() < MOST]
    rng.shuffle(pages)
    for _ in range(rng.randint(0, 2)):
        kind = rng.choice(("decrease", "exchange"))
        ops.append({"op": "memory_op", "cmd": kind, "extents": [pages.pop()]})
    kind = rng.choice(("exchange", "exchange", "decrease"))
    ops.append({"op": "memory_op", "cmd": kind, "extents": pages[: rng.randint(1, 4)]})
    pginfo: Op = {"op": "pginfo", "page": "p5"}
    return Case([*ops, map_own("p5", RW_FLAGS), pginfo], 6)


IO_FRAMES = (
    0,
    0xA0,
    0xB8,
    0xFF,
    0x100,
    0xFEBFF,
    0xFEC00,
    0xFEC01,
    0xFECFF,
    0xFED00,
    0xFED01,
    0xFEDFF,
    0xFEE00,
)
FAR_FRAMES = (
    0xFEE01,
    0xFEEFF,
    0xFEF00,
    0xFFFFF,
    0xFCFFFFF,
    0xFD00000,
    0xFFFFFFF,
    0x10000000,
    (1 << 40) - 2,
    (1 << 40) - 1,
)


def io_space(rng: Random) -> Case:
    """Map I/O frames with every caching, from a table of one's own, and read back what Xen stored."""
    ops = [map_own("p0"), extended(["pin_l1", "p0"])]
    for slot in range(rng.randint(3, 8)):
        frame = rng.choice(IO_FRAMES + FAR_FRAMES)
        flags = PRESENT | rng.choice((0, RW)) | rng.choice((0, USER)) | rng.choice((0, ACCESSED | DIRTY))
        for bit in (PWT, PCD, PAT):
            flags |= rng.choice((0, 0, bit))
        target: Value = entry(frame if rng.random() < MOST else "p1", flags)
        named = rng.choice((None, None, None, IO, SELF))
        ops.append(update(("p0", slot % 4, rng.choice(("n", "n", "ad", "nt")), target), fd=named))
        ops.append(read(at("p0", slot % 4)))
    unmap: Op = {"op": "uvm", "va": "p1", "pte": 0}
    if rng.random() < HALF:
        ops += [unmap, extended(["unpin", "p0"]), extended(["pin_l1", "p0"])]
    return Case(ops, 2)


def table_stores(rng: Random) -> Case:
    """Store to the entries of a level-1 table in use, aligned or not, when its targets have been given up."""
    assist: Op = {"op": "vm_assist", "cmd": rng.choice((0, 1)), "type": 2}
    entries = [("p0", slot, "n", entry(rng.choice(("p1", "p2")), leaf_flags(rng))) for slot in range(3)]
    ops = [assist, update(*entries), map_own("p0"), extended(["pin_l1", "p0"])]
    for _ in range(rng.randint(3, 8)):
        page, slot = rng.choice(("p1", "p2", "p3")), rng.randrange(3)
        given_up: Op = {"op": "memory_op", "cmd": "decrease", "extents": [rng.choice(("p1", "p2"))]}
        moves: list[Op] = [
            write(f"p0+{slot * 8 + rng.choice((0, 0, 0, 4, 1))}", entry(page, leaf_flags(rng))),
            write(at("p0", slot), entry(page, leaf_flags(rng))),
            update(("p0", slot, rng.choice(("n", "ad")), entry(page, leaf_flags(rng)))),
            given_up if rng.random() < SOME else map_own(page, rng.choice((RO_FLAGS, RW_FLAGS))),
            read(at("p0", slot)),
        ]
        ops.append(rng.choice(moves))
    return Case([*ops, *(read(at("p0", slot)) for slot in range(3))], 4)


def raw_writes(rng: Random) -> Case:
    """Write words into pages of every state with every command, and read them back."""
    ops: list[Op] = []
    for _ in range(rng.randint(6, 14)):
        page, slot = rng.choice(("p0", "p1", "p2")), rng.randrange(3)
        value: Value = rng.choice(
            (entry("p3", leaf_flags(rng)), entry(page, leaf_flags(rng)), rng.getrandbits(40) * 8)
        )
        moves: list[Op] = [
            update((page, slot, rng.choice(("n", "ad", "ad", "nt")), value)),
            write(at(page, slot), value),
            read(at(page, slot)),
            map_own(page, rng.choice((RO_FLAGS, RO_FLAGS, RW_FLAGS))),
            extended([rng.choice(("pin_l1", "pin_l1", "pin_l2", "unpin")), page]),
            extended([rng.choice(("clear_page",)), page]),
            extended(["copy_page", page, rng.choice(("p0", "p1", "p3"))]),
        ]
        ops.append(rng.choice(moves))
    return Case(ops, 4)


def linear(rng: Random) -> Case:
    """Link tables of one level with each other and with themselves; promote and demote them again."""
    level = rng.choice((2, 3, 4))
    pages = ("p0", "p1", "p2", "p3")
    ops = [map_own(page) for page in pages]
    for _ in range(rng.randint(6, 14)):
        page, other = rng.choice(pages), rng.choice(pages)
        flags = PRESENT | USER | (RW if rng.random() < FEW else 0)
        moves: list[Op] = [
            update((page, rng.randrange(4), "n", rng.choice((0, entry(other, flags), entry(other, flags))))),
            extended([f"pin_l{level}", page]),
            extended([f"pin_l{level}", page]),
            extended(["unpin", page]),
            extended([f"pin_l{level - 1}", page]),
        ]
        ops.append(rng.choice(moves))
    ops += [read(at(page, rng.randrange(4))) for page in pages]
    return Case(ops, 4)


def foreign(rng: Random) -> Case:
    """Name the other domain, I/O space and nobody in every call that takes a domain."""
    ops: list[Op] = []
    for _ in range(rng.randint(5, 10)):
        named = rng.choice((1, 1, 0, SELF, IO, 0x7FF2, 2, 0x20000 | SELF, 0x20001, 0x10000 | SELF))
        frame = rng.choice(("f0", "f1", "p0", "p1"))
        value: Value = entry(rng.choice(("f0", "f1", "p1", "mmio_vga")), leaf_flags(rng))
        moves: list[Op] = [
            update((frame, rng.randrange(2), "n", value), fd=named),
            update(("l1e:p0", 0, "n", value), fd=named),
            {"op": "uvm_other", "va": "p1", "dom": named & 0xFFFF, "pte": value},
            extended([rng.choice(("pin_l1", "pin_l2", "unpin", "clear_page")), frame], fd=named),
            {
                "op": "memory_op",
                "cmd": rng.choice(("decrease", "exchange")),
                "extents": [frame],
                "dom": named & 0xFFFF,
            },
            map_own("p0", rng.choice((RO_FLAGS, RW_FLAGS))),
            read("p0"),
        ]
        ops.append(rng.choice(moves))
    return Case(ops, 2, 2)


def mixed(rng: Random) -> Case:
    """Mix the operations of all families on one set of pages."""
    pool: list[Op] = []
    for family in (walks, raw_writes, linear, descriptors, xen_slots, exchanges):
        pool += family(rng).ops
    return Case([STRICT_OFF, *rng.sample(pool, rng.randint(5, 16))], 6)


def sharing(rng: Draw) -> Case:
    """Mix event channels of both ABIs, grants, and memory calls.

    The pages of the FIFO ABI are others than those that page-table entries are written to: a frame's number,
    taken for an event word, means something else each time.
    """
    queues: list[Op] = [evt("init_control", "p0", 0, 0), evt("expand_array", "p1")]
    first = [renamed(op, 4) for op in queues[: rng.choice((0, 0, 2))]]
    pool = [renamed(op, 4) for op in fifo(rng).ops]
    for family in (channels, grants, copies, raw_writes):
        pool += family(rng).ops
    ops = [op for op in (*first, *rng.sample(pool, rng.randint(8, 20))) if isinstance(op, dict)]
    return Case(ops, 7, 2 if rng.own == 0 else 0)


FAMILIES: Mapping[str, Callable[[Draw], Case]] = {
    "walks": walks,
    "xen_slots": xen_slots,
    "exchanges": exchanges,
    "io_space": io_space,
    "descriptors": descriptors,
    "segments": segments,
    "table_stores": table_stores,
    "raw_writes": raw_writes,
    "linear": linear,
    "foreign": foreign,
    "mixed": mixed,
    "channels": channels,
    "fifo": fifo,
    "grants": grants,
    "copies": copies,
    "new_grants": new_grants,
    "transitive": transitive,
    "sharing": sharing,
    "extremes": extremes,
}
"""Families by name."""


def nth(seed: int, index: int, families: tuple[str, ...] = tuple(FAMILIES), own: int = 0) -> Case:
    """Return one case of a seed, as domain `own` asks it; the families take turns."""
    name = families[index % len(families)]
    made = FAMILIES[name](Draw(f"{seed}/{name}/{index}", own))
    return replace(made, name=f"{name}-{seed}-{index}")


def generate(seed: int, count: int, families: tuple[str, ...] = tuple(FAMILIES), own: int = 0) -> list[Case]:
    """Return the first `count` cases of a seed; the same arguments give the same cases."""
    return [nth(seed, index, families, own) for index in range(count)]
