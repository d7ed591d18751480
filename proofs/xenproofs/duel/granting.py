"""Families of cases about grant tables: both layouts, mappings, copies, and memory calls beside them."""

from typing import TYPE_CHECKING, Final

from xenproofs.duel.ops import (
    FEW,
    HALF,
    MOST,
    SOME,
    Case,
    Draw,
    Op,
    Value,
    entry,
    extended,
    map_own,
    read,
    update,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SELF, IO, XEN = 0x7FF0, 0x7FF1, 0x7FF2
NOBODY = 5
PAGES = ("p0", "p1", "p2", "p3")
ODD_FRAMES = ("xen", "invalid", "mmio_vga")
"""Not the kernel's own tables, nor pages that Xen writes to: what they hold is not the same each time."""
REFS = 6
SLOTS = 8
RESERVED = 1 << 32
"""Plus k: entry k of the table itself, one of those that a change of layout keeps."""
TRANSITIVE = 2
"""The bit by which an entry's type passes another grant on: these have a family of their own (passing.py)."""
FAR_REFS = (16383, 16384, 32767, 32768, 40000, 0xFFFFFFFF)
MAPS = (2, 2, 2, 2, 6, 6, 6, 3, 7, 1, 5, 10, 14, 0, 2 | 32, 0x10002)
"""GNTMAP_* flags: host 2, read-only 4, device 1, application 8."""


class Table:
    """What a case has granted and mapped so far.

    Args:
        rng: where its choices come from.
        new: entries are of version 2.
    """

    def __init__(self, rng: Draw, *, new: bool = False) -> None:
        self._rng: Final = rng
        self._new: Final = new
        self._mapped: Final[list[dict[str, Value]]] = []
        self._taken = 0
        self.foreign = rng.own == 0

    def ref(self) -> int:
        """Return a reference: mostly one that the case may have written."""
        rng = self._rng
        if rng.random() < FEW / 2:
            return rng.choice((*FAR_REFS, RESERVED, RESERVED + 3, RESERVED + 7))
        return rng.randrange(REFS)

    def _frame(self) -> Value:
        rng = self._rng
        return rng.choice(ODD_FRAMES) if rng.random() < FEW else rng.choice(PAGES)

    def _flags(self) -> int:
        return self._rng.choice((1, 1, 1, 1, 1, 5, 5, 5, 0, 2, 3, 0x101, 0x105, 0x21, 9, 0x11, 0x19, 0x81))

    def _whom(self) -> int:
        rng = self._rng
        return rng.own if rng.random() < MOST else rng.choice((rng.own, rng.other, NOBODY, SELF))

    def write(self) -> Op:
        """Write an entry."""
        rng = self._rng
        if self._new and not (self.foreign and rng.random() < SOME):
            return self._write_new()
        kind, frame = "gnt_write", self._frame()
        if self.foreign and (self._new or rng.random() < SOME):
            kind, frame = "fgnt_write", rng.choice(("f0", "f0", "f1", "p0"))
        return {
            "op": kind,
            "ref": rng.randrange(REFS),
            "flags": self._flags(),
            "dom": self._whom(),
            "frame": frame,
        }

    def _write_new(self) -> Op:
        rng = self._rng
        ref = rng.choice((*range(REFS), *range(REFS), *range(REFS), RESERVED, RESERVED + 3))
        op: Op = {"op": "gnt2_write", "ref": ref, "flags": self._flags() & ~TRANSITIVE, "dom": self._whom()}
        if rng.random() < FEW:
            op |= {"flags": rng.choice((3, 3, 7, 0x103)), "gref": rng.randrange(REFS)}
            op["trans"] = rng.choice((rng.own, SELF, NOBODY))
            return op
        op["frame"] = self._frame()
        if rng.random() < HALF:
            flags = rng.choice((0x101, 0x101, 0x105, 1))
            op |= {"flags": flags, "off": rng.choice((0, 8, 64, 4088)), "len": rng.choice((8, 64, 4096, 0))}
        return op

    def look(self) -> Op:
        """Read an entry, or its status."""
        rng = self._rng
        if self._new:
            return {"op": rng.choice(("gnt2_read", "gnt_status")), "ref": rng.randrange(REFS)}
        kind = "fgnt_read" if self.foreign and rng.random() < SOME else "gnt_read"
        return {"op": kind, "ref": rng.randrange(REFS)}

    def map(self) -> Op:
        """Map a grant, by address or by page-table entry."""
        rng = self._rng
        slot = self._taken % SLOTS
        self._taken += 1
        flags = rng.choice(MAPS)
        domain = rng.choice((rng.own, rng.own, rng.own, rng.own, rng.other, rng.other, SELF, NOBODY))
        op: Op = {"op": "gnt_map", "flags": flags, "ref": self.ref(), "dom": domain, "save": slot}
        if rng.random() < MOST:
            place: dict[str, Value] = {"va": rng.choice((*PAGES, *PAGES, "p3+8", 0))}
        else:
            op["flags"] = flags | 16
            page = rng.choice(PAGES)
            place = {"pte_page": rng.choice((f"l1e:{page}", f"l1e:{page}", page, "bootl2", "invalid"))}
            if place["pte_page"] == page:
                place["idx"] = rng.randrange(3)
        self._mapped.append({**place, "handle": f"${slot}"})
        return op | place

    def unmap(self) -> Op:
        """Unmap what was mapped, or something else; or put another mapping in its place."""
        rng = self._rng
        if not self._mapped or rng.random() < FEW / 2:
            return {"op": "gnt_unmap", "va": rng.choice(PAGES), "handle": rng.choice((0xFFFFFFFF, 500000))}
        mapping = rng.choice(self._mapped)
        if "va" in mapping and rng.random() < SOME:
            new: Value = rng.choice((*PAGES, 0, "p3+8"))
            return {"op": "gnt_replace", "va": mapping["va"], "new_va": new, "handle": mapping["handle"]}
        op: Op = {"op": "gnt_unmap", **mapping}
        if rng.random() < FEW:
            op["dev"] = rng.choice((0x1000, 1))
        if "va" in mapping and rng.random() < FEW:
            op["va"] = rng.choice((*PAGES, 0))
        return op

    def copy(self) -> Op:
        """Copy between grants and own frames."""
        rng = self._rng
        length = rng.choice((8, 8, 8, 1, 64, 100, 4096, 0, 4097, 65535))
        return {"op": "gnt_copy", "src": self._end(), "dst": self._end(), "len": length}

    def _end(self) -> dict[str, Value]:
        rng = self._rng
        offset = rng.choice((0, 0, 0, 0, 8, 8, 64, 4088, 4090, 4096))
        if rng.random() < MOST:
            domain = rng.choice((rng.own, rng.own, rng.own, SELF, rng.other, NOBODY))
            return {"ref": self.ref(), "dom": domain, "off": offset}
        return {
            "frame": self._frame(),
            "dom": rng.choice((SELF, SELF, SELF, rng.own, rng.other)),
            "off": offset,
        }

    def rarely(self) -> Op:
        """Exchange entries, give a frame away, ask about tables."""
        rng = self._rng
        domain = rng.choice((SELF, SELF, rng.own, rng.other, NOBODY, XEN))
        moves: tuple[Op, ...] = (
            {"op": "gnt_swap", "a": self.ref(), "b": self.ref()},
            {"op": "gnt_swap", "a": rng.randrange(REFS), "b": rng.randrange(REFS)},
            {"op": "gnt_transfer", "frame": self._frame(), "dom": domain, "ref": self.ref()},
            {"op": "gnt_query", "dom": domain},
            {"op": "gnt_get_version", "dom": domain},
            {"op": "gnt_setup", "dom": domain, "nr": rng.choice((0, 1, 64, 65))},
            {"op": "gnt_status_frames", "dom": domain, "nr": rng.choice((0, 1, 8, 9, 64))},
        )
        return rng.choice(moves)


def _memory(rng: Draw) -> Op:
    """Change a page beside the grants: its mapping, its type, or whether it is there."""
    page = rng.choice(PAGES)
    moves: tuple[Op, ...] = (
        map_own(page),
        map_own(page, 0x63),
        {"op": "uvm", "va": page, "pte": 0},
        {"op": "uvm", "va": page, "pte": [rng.choice(PAGES), rng.choice((0x61, 0x63))]},
        extended([rng.choice(("pin_l1", "pin_l1", "pin_l2", "unpin")), page]),
        {"op": "memory_op", "cmd": rng.choice(("decrease", "exchange")), "extents": [page]},
        update((page, rng.randrange(3), "n", entry(rng.choice(PAGES), rng.choice((0, 0x63))))),
    )
    return rng.choices(moves, (4, 3, 3, 3, 4, 1, 2))[0]


def _access(rng: Draw) -> Op:
    """Load or store through a page's own address."""
    at = f"{rng.choice(PAGES)}+{8 * rng.randrange(9)}"
    return read(at) if rng.random() < HALF else write(at, rng.randrange(1 << 40))


def _play(rng: Draw, table: Table, weights: tuple[float, ...], least: int, most: int) -> list[Op]:
    moves: tuple[Callable[[], Op], ...] = (
        table.write,
        table.map,
        table.unmap,
        table.copy,
        table.look,
        table.rarely,
        lambda: _memory(rng),
        lambda: _access(rng),
    )
    ops = [table.write() for _ in range(rng.randint(1, 3))]
    return ops + [rng.choices(moves, weights)[0]() for _ in range(rng.randint(least, most))]


def grants(rng: Draw) -> Case:
    """Grant, map, unmap and replace by the first layout, while pages change their types."""
    table = Table(rng)
    ops = _play(rng, table, (4, 8, 6, 2, 3, 1, 4, 2), 4, 13)
    return Case([*ops, *(table.look() for _ in range(3))], 4, 2 if table.foreign else 0)


def copies(rng: Draw) -> Case:
    """Copy between grants and frames, over odd lengths and offsets."""
    table = Table(rng)
    ops = [write(f"{page}+{8 * place}", rng.getrandbits(40)) for page in PAGES[:2] for place in (0, 1, 8)]
    ops += _play(rng, table, (4, 1, 1, 9, 2, 1, 2, 3), 4, 11)
    return Case([*ops, read("p0"), read("p1+8"), read("p2"), read("p3+64")], 4, 2 if table.foreign else 0)


def _status(ref: int) -> Op:
    return {"op": "gnt_status", "ref": ref}


def new_grants(rng: Draw) -> Case:
    """Entries of the second layout: parts of pages, status words; layouts changed in use."""
    table = Table(rng, new=True)
    ops: list[Op] = []
    if rng.random() < SOME:
        kept: Op = {"op": "gnt_write", "dom": rng.own, "frame": rng.choice(PAGES)}
        ops += [kept | {"ref": RESERVED + k, "flags": rng.choice((0, 1, 5, 2))} for k in (0, 3)]
    ops.append({"op": "gnt_set_version", "version": 2 if rng.random() > FEW else rng.choice((0, 1, 3))})
    ops += _play(rng, table, (6, 6, 4, 6, 6, 1, 1, 1), 4, 13)
    if rng.random() < SOME:
        ops.insert(rng.randrange(len(ops)), {"op": "gnt_set_version", "version": rng.choice((1, 1, 2))})
    ops += [table.look() for _ in range(3)]
    ops += [_status(ref) for ref in range(2)]
    return Case(_told_apart(ops), 4, 2 if table.foreign else 0)


def _told_apart(ops: list[Op]) -> list[Op]:
    """Leave out entries of the second layout that are written while the table is to have the first.

    Their frame would be read as another entry's flags: what comes of it depends on a number that no case
    names.
    """
    kept: list[Op] = []
    layout = 1
    for op in ops:
        if op["op"] == "gnt_set_version" and op["version"] in (1, 2):
            layout = op["version"]
        if op["op"] != "gnt2_write" or layout == 2:  # noqa: PLR2004 - the second layout
            kept.append(op)
    return kept
