"""A family of cases whose arguments lie where ranges end: addresses, orders, numbers, flags, domains.

Nothing of it aims at a rule. Left out is what no case can know: the words of frames that it did not write,
I/O space among them, the kernel's own tables, which a later case would find changed, and Xen's own range.
"""

from typing import TYPE_CHECKING, Final

from xenproofs.duel.ops import HALF, MOST, SOME, Case, Draw, Op, Pte, Value, entry, extended, read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SELF, IO, XEN = 0x7FF0, 0x7FF1, 0x7FF2
ALL_ONES: Final = (1 << 64) - 1
LARGEST: Final = (1 << 32) - 1
DOMAINS: Final = (SELF, SELF, SELF, 0, 1, 2, 5, IO, XEN, 0x7FF3, 0x7FF4, 0x7FEF, 0x7FFF, 0x8000, 0xFFFF)
ODD_FRAMES: Final = ("xen", "invalid", "mmio_lapic", 0xFD00000, 0xFFFFFFFFFF, 0xFFFFFFFFF)
FLAGS: Final = (
    *(
        0,
        1,
        2,
        3,
        4,
        6,
        0x61,
        0x63,
        0x65,
        0x67,
        0x69,
        0x71,
        0x79,
        0x7B,
        0x83,
        0xE3,
        0x161,
        0x163,
        0x1E7,
        0x201,
    ),
    *(0xE63, 1 << 63 | 0x63, 0x7F << 52 | 0x63, 1 << 52 | 0x61, 1 << 62 | 0x63),
)
"""Flags of entries: each bit alone and with others."""
ADDRESSES: Final = (
    *(0, 8, 0x1000, 0x7FFFFFFFFFFF, 0x800000000000, 0xFFFF7FFFFFFFFFFF, 0xFFFF880000000000),
    *(ALL_ONES - 0xFFF, ALL_ONES),
)
XENS_ADDRESSES: Final = (0xFFFF800000000000, 0xFFFF804000000000, 0xFFFF82D000000000, 0xFFFF87FFFFFFFFFF)
MASKS: Final = (0x1001, 0x1002, 0x7FFFFFFFFFFD, 0x800000000001, 0xFFFF800000000002, ALL_ONES, ALL_ONES - 1)
"""Flags of an update_va_mapping that point to a mask of vCPUs which cannot be read."""
ORDERS: Final = (10, 19, 63, 64, 200)
"""Orders of extents, the first one too large for a guest, the others for anybody."""
OFFSETS: Final = (0, 1, 7, 8, 16, 4088, 4095)
SLOTS: Final = (0, 1, 5, 255, 256, 257, 263, 271, 272, 510, 511)
PINS: Final = ("pin_l1", "pin_l2", "pin_l3", "pin_l4", "unpin", "mark_super", "unmark_super")
PORTS: Final = (0, 1, 2, 3, 63, 64, 4095, 4096, 131071, 131072, LARGEST, "$0", "$0", "$1")
VCPUS: Final = (0, 0, 1, 3, 4, 100, LARGEST)
VIRQS: Final = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 16, 17, 23, 24, 25, LARGEST)
"""Without the console's, which Xen raises when it likes."""
PIRQS: Final = (55, 56, 207, 208, 300, 4096, LARGEST)
REFS: Final = (0, 1, 2, 3, 3, 3, 5, 7)
FAR_REFS: Final = (32768, 40000, 0x7FFFFFFF, LARGEST)
ENTRY_FLAGS: Final = (
    *(1, 1, 1, 5, 2, 3, 9, 0x11, 0x19, 8, 0x10, 0x18, 0x21, 0x41, 0x81, 0xE1),
    0x101,
    0x8001,
    7,
)
MAP_FLAGS: Final = (
    2,
    2,
    6,
    6,
    1,
    3,
    5,
    7,
    0,
    8,
    10,
    0x22,
    0x42,
    0x82,
    0x102,
    0x10002,
    0x80000002,
    LARGEST,
    4,
)
LENGTHS: Final = (0, 1, 7, 8, 16, 4095, 4096, 4097, 0xFFFF)
SEGMENTS: Final = (0, 3, 4, 7, 0xF, 0x1F, 0xE023, 0xE02B, 0xE033, 0xFFFF)


class Extremes:
    """Draws operations on the pages p0..p3."""

    def __init__(self, rng: Draw) -> None:
        self._rng: Final = rng

    def page(self) -> str:
        """Return one of the case's pages."""
        return f"p{self._rng.randrange(4)}"

    def frame(self) -> str | int:
        """Return a frame, mostly a page."""
        return self.page() if self._rng.random() < MOST else self._rng.choice(ODD_FRAMES)

    def word(self) -> Pte:
        """Return an entry."""
        if self._rng.random() < SOME / 2:
            return self._rng.choice((0, 2, ALL_ONES, 1 << 63, ALL_ONES >> 1 & ~0xFFF))
        return entry(self.frame(), self._rng.choice(FLAGS))

    def address(self) -> str | int:
        """Return an address, mostly in a page."""
        if self._rng.random() < MOST:
            offset = self._rng.choice((0, 0, *OFFSETS))
            return self.page() + (f"+{offset}" if offset else "")
        return self._rng.choice((*ADDRESSES, *XENS_ADDRESSES))

    def foreign(self, op: Op) -> Op:
        """Name a domain in a batch now and then, in the upper half of the number as well."""
        if self._rng.random() < SOME:
            upper = self._rng.choice((0, 0, 1, 2, 3, SELF + 1, 0x7FF3, 0xFFFF))
            op["fd"] = self._rng.choice(DOMAINS) | upper << 16
        return op

    def update(self) -> Op:
        """Return an mmu_update."""
        requests: list[Value] = []
        for _ in range(self._rng.choice((1, 1, 2, 3))):
            if self._rng.random() < SOME:
                requests.append(["l1e:" + self.page(), 0, self._rng.choice(("n", "ad", "nt")), self.word()])
            elif self._rng.random() < SOME / 2:
                requests.append([self.page(), 0, "m", self._rng.choice((0, 1, 0xFFFFF, 1 << 40, ALL_ONES))])
            else:
                table = self.page() if self._rng.random() < MOST else self._rng.choice(("xen", "invalid"))
                command = self._rng.choice(("n", "ad", "nt"))
                requests.append([table, self._rng.choice(SLOTS), command, self.word()])
        return self.foreign({"op": "mmu_update", "reqs": requests})

    def extended(self) -> Op:
        """Return an mmuext_op."""
        kinds: Sequence[Callable[[], list[Value]]] = (
            lambda: [self._rng.choice(PINS), self.frame()],
            lambda: [self._rng.choice(PINS), self.frame()],
            lambda: ["clear_page", self.frame()],
            lambda: ["copy_page", self.frame(), self.page()],
            lambda: [
                "set_ldt",
                self.address(),
                self._rng.choice((0, 1, 511, 512, 513, 8191, 8192, 8193, LARGEST)),
            ],
            lambda: [self._rng.choice(("invlpg_local", "invlpg_all")), self.address()],
            lambda: [
                self._rng.choice(("tlb_flush_local", "tlb_flush_all", "flush_cache", "flush_cache_global"))
            ],
            lambda: ["new_user_baseptr", self.frame()],
        )
        commands = [self._rng.choice(kinds)() for _ in range(self._rng.choice((1, 1, 2, 3)))]
        return self.foreign(extended(*commands))

    def mapping(self) -> Op:
        """Return an update_va_mapping, of either form."""
        flags = self._rng.choice((*range(8), 6, 6, 6, *MASKS))
        op: Op = {"op": "uvm", "va": self.address(), "pte": self.word(), "flags": flags}
        return op if self._rng.random() < MOST else op | {"op": "uvm_other", "dom": self._rng.choice(DOMAINS)}

    def store(self) -> Op:
        """Return a store, not into Xen's range."""
        va = self.page() + "+8" if self._rng.random() < HALF else self._rng.choice(ADDRESSES)
        return {"op": "write", "va": va, "val": self.word()}

    def descriptors(self) -> Op:
        """Return a set_gdt, an update_descriptor or a load of a selector."""
        if self._rng.random() < SOME:
            return {"op": "load_seg", "sel": self._rng.choice(SEGMENTS)}
        if self._rng.random() < HALF:
            desc = self._rng.choice((0, ALL_ONES, 0x00CFFA000000FFFF, 0x00AF9A000000FFFF, 0x0000890000000067))
            return {
                "op": "update_descriptor",
                "page": self.frame(),
                "off": self._rng.choice(OFFSETS),
                "desc": desc,
            }
        frames = [self.frame() for _ in range(self._rng.choice((0, 1, 1, 2, 6)))]
        count = self._rng.choice((0, 1, 511, 512, 513, 512 * len(frames) + 1, 7168, 7169, 8192, LARGEST))
        return {"op": "set_gdt", "frames": frames, "entries": count, "list": self._rng.random() < MOST}

    def memory(self) -> Op:
        """Return a memory_op, a vm_assist or a question about a frame."""
        if self._rng.random() < SOME:
            types = (0, 1, 2, 3, 4, 5, 6, 31, 33, 63, 64, LARGEST)
            number = self._rng.choice((0, 1, 2, 3, LARGEST))
            return {"op": "vm_assist", "cmd": number, "type": self._rng.choice(types)}
        if self._rng.random() < SOME:
            return {"op": "pginfo", "page": self.frame(), "dom": self._rng.choice((0, 1, 2, 5, SELF))}
        command = self._rng.choice(("increase", "decrease", "populate", "exchange"))
        extents = [self.page() for _ in range(self._rng.choice((1, 1, 2)))]
        op: Op = {"op": "memory_op", "cmd": command, "extents": extents}
        if command != "decrease" and self._rng.random() < SOME:
            op["order"] = self._rng.choice(ORDERS if command == "exchange" else ORDERS[1:])
        if self._rng.random() < SOME / 2:
            op["dom"] = self._rng.choice(DOMAINS)
        return op

    def event(self) -> Op:
        """Return an event_channel_op."""
        rng = self._rng
        kinds: Sequence[Callable[[], list[Value]]] = (
            lambda: ["alloc_unbound", rng.choice(DOMAINS), rng.choice(DOMAINS)],
            lambda: ["bind_interdomain", rng.choice(DOMAINS), rng.choice(PORTS)],
            lambda: ["bind_virq", rng.choice(VIRQS), rng.choice(VCPUS)],
            lambda: ["bind_ipi", rng.choice(VCPUS)],
            lambda: ["bind_pirq", rng.choice(PIRQS), rng.choice((0, 1, 2))],
            lambda: [rng.choice(("close", "send", "unmask")), rng.choice(PORTS)],
            lambda: [rng.choice(("close", "send", "unmask")), rng.choice(PORTS)],
            lambda: ["status", rng.choice(DOMAINS), rng.choice(PORTS)],
            lambda: ["bind_vcpu", rng.choice(PORTS), rng.choice(VCPUS)],
            lambda: ["set_priority", rng.choice(PORTS), rng.choice((0, 1, 15, 16, LARGEST))],
            lambda: [rng.choice(("reset", 14)), rng.choice((SELF, 2, 5, XEN))],
            lambda: [rng.choice((99, 0xFFFF)), 0, 0],
        )
        drawn = rng.choice(kinds)()
        op: Op = {"op": "evt", "cmd": drawn[0], "args": drawn[1:]}
        return op | {"save": rng.randrange(2)} if rng.random() < HALF else op

    def grant(self) -> Op:
        """Return a grant_table_op, or a store into the grant table."""
        rng = self._rng
        handle: Value = rng.choice(("$0", "$0", "$1", LARGEST, 0xDEADBEEF, 0x7FFFFFFF))
        ref = rng.choice((*REFS, *FAR_REFS))
        near, domain = rng.choice(REFS), rng.choice(DOMAINS)
        kinds: Sequence[Callable[[], Op]] = (
            lambda: self._entry(near),
            lambda: self._entry(near),
            lambda: {"op": "gnt_read", "ref": near},
            lambda: self._map(ref, domain),
            lambda: self._map(near, SELF),
            lambda: {"op": "gnt_unmap", "va": self.address(), "dev": rng.choice((0, 0, 1)), "handle": handle},
            lambda: {"op": "gnt_replace", "va": self.address(), "new_va": self.address(), "handle": handle},
            lambda: {"op": "gnt_copy", "src": self._side(), "dst": self._side(), "len": rng.choice(LENGTHS)},
            lambda: {"op": "gnt_query", "dom": domain},
            lambda: {"op": "gnt_swap", "a": ref, "b": near},
            lambda: {"op": "gnt_transfer", "frame": self.frame(), "dom": domain, "ref": ref},
        )
        return rng.choice(kinds)()

    def _entry(self, ref: int) -> Op:
        flags, domain = self._rng.choice(ENTRY_FLAGS), self._rng.choice((0, 1, 5, SELF, 0xFFFF))
        return {"op": "gnt_write", "ref": ref, "flags": flags, "dom": domain, "frame": self.frame()}

    def _map(self, ref: int, domain: int) -> Op:
        flags = self._rng.choice(MAP_FLAGS)
        op: Op = {"op": "gnt_map", "flags": flags, "ref": ref, "dom": domain, "save": self._rng.randrange(2)}
        return op | {"va": self.address()}

    def _side(self) -> Op:
        rng = self._rng
        named: Op = (
            {"ref": rng.choice((*REFS, *FAR_REFS))} if rng.random() < HALF else {"frame": self.frame()}
        )
        return named | {"dom": rng.choice(DOMAINS), "off": rng.choice((*OFFSETS, 4096, 0xFFFF))}


def extremes(rng: Draw) -> Case:
    """Make calls of every kind with arguments at the ends of their ranges, and look at the pages."""
    draw = Extremes(rng)
    kinds: Sequence[Callable[[], Op]] = (
        *(draw.update, draw.update, draw.extended, draw.extended, draw.mapping, draw.mapping, draw.store),
        *(draw.descriptors, draw.memory, draw.event, draw.event, draw.grant, draw.grant, draw.grant),
        lambda: read(f"{draw.page()}+{rng.choice((0, 8, 16, 40))}"),
    )
    return Case([rng.choice(kinds)() for _ in range(rng.randint(3, 13))], 4)
