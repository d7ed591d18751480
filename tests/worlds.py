"""A small machine for scenario tests: Domain0, two guests, frames given in order, tables built by stores.

Holders are kept as exact sets beside the counts; `World.check` compares all three: counts, sets, rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from xenmodel.abi.geometry import FourLevel, Pae, PteFormat, TwoLevel
from xenmodel.abi.memory_map import MemoryMap
from xenmodel.hypercall import Call, run
from xenmodel.machine import Machine, plain_machine
from xenmodel.memory.mmu_update import MmuUpdate, mmu_update
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp, mmuext_op
from xenmodel.memory.reservation import allocate, flush_free_frame
from xenproofs.judge.adapter import plain
from xenproofs.judge.ghost import HolderSets
from xenproofs.judge.holdings import recount
from xenspec.vocabulary import DOMID_SELF, Cpu, DomId, Mfn, VcpuId

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from xenmodel.hypercall import Result, Steps
    from xenmodel.machine import View

T = TypeVar("T")

GEOMETRIES: Final[tuple[PteFormat, ...]] = (FourLevel(), Pae(), TwoLevel())
FIRST: Final = 0x100
END: Final = 0x800
XENS: Final = Mfn(0x7F0)
"""What Xen's own slots link: a frame of nobody's."""
RO, RW, USER = 0x1, 0x3, 0x4
TABLE_FLAGS: Final = 0x67
"""A link to a table: present, writable, user, accessed, dirty."""
KERNEL_VA: Final = 0xC0000000
"""An address that every geometry has, the last slots of its top level apart."""


@dataclass(slots=True)
class World:
    """A machine, and what a test does to it."""

    pte: PteFormat
    cpus: int = 1
    m: Machine = field(init=False)
    ghost: HolderSets = field(init=False)
    free: list[int] = field(init=False)
    given: dict[int, list[Mfn]] = field(default_factory=dict[int, list[Mfn]])
    """Frames that a domain has and `page` hands out first."""

    def __post_init__(self) -> None:
        self.ghost = HolderSets()
        self.free = list(range(FIRST, END - 0x20))
        memory = MemoryMap(((0, END),), END)
        self.m = plain_machine(memory, cpu_count=self.cpus, ghost=self.ghost, pte=self.pte)
        flags = 0x25
        for slot in range(self.pte.xen_first, self.pte.xen_end):
            self.m.xen_slots[slot] = self.pte.entry(XENS, flags)
        for domain in range(3):
            self._domain(DomId(domain))

    def _domain(self, d: DomId) -> None:
        row = self.m.domains[d]
        row.exists = True
        row.privileged = row.io_rights = d == 0
        row.vcpus, row.max_pages = 1, 0x200
        vcpu = self.m.vcpus[d, 0]
        vcpu.domain, vcpu.initialised, vcpu.up = d, True, True

    def call(self, domain: int = 1, vcpu: int = 0) -> Call:
        """Return a call that a domain's vCPU makes."""
        return Call(self.m, VcpuId((domain, vcpu)), DomId(domain))

    def runs(self, domain: int, cpu: int = 0) -> None:
        """Let a domain's first vCPU run on a CPU, from the beginning."""
        left = self.m.cpus[cpu].current
        self.m.dirty[self.m.vcpus[left].domain, cpu].dirty = False
        self.m.cpus[cpu].current = VcpuId((domain, 0))
        self.m.vcpus[domain, 0].cpu = cpu
        self.m.dirty[domain, cpu].dirty = True

    def page(self, domain: int = 1) -> Mfn:
        """Give a domain a frame, or return one that it was given and has not used."""
        if self.given.get(domain):
            return self.given[domain].pop(0)
        f = Mfn(self.free.pop(0))
        self.give(f, domain)
        return f

    def give(self, f: Mfn, domain: int) -> None:
        """Give a domain a frame that is free."""
        while self.m.frames[f].cursor < self.m.cpu_count:
            flush_free_frame(self.m, f)
        allocate(self.m, f, DomId(domain))

    def put(self, frame: int, slot: int, target: int, flags: int) -> None:
        """Store an entry into a frame that is no table yet."""
        self.m.words[frame, slot] = self.pte.entry(target, flags)

    def tree(self, mappings: Mapping[int, tuple[int, int]], domain: int = 1) -> Mfn:
        """Build tables that map each address to (frame, flags); return the top-level one, not promoted."""
        root = self.page(domain)
        if self.pte.top_slot >= 0:
            self.put(root, self.pte.top_slot, self.page(domain), RO)
        for va, (frame, flags) in mappings.items():
            path = self.pte.indices(va)
            self.put(self.table_of(root, va, domain), path[-1], frame, flags)
        return root

    def table_of(self, root: Mfn, va: int, domain: int = 1) -> Mfn:
        """Return the L1 table of an address, made as far as it is missing."""
        table = root
        for slot in self.pte.indices(va)[:-1]:
            if not self.pte.present(self.m.words[table, slot]):
                flags = RO if self.pte.top_slot >= 0 and table == root else TABLE_FLAGS
                self.put(table, slot, self.page(domain), flags)
            table = self.pte.target(self.m.words[table, slot])
        return table

    def path(self, root: Mfn, va: int) -> list[Mfn]:
        """Return the tables that a walk of an address goes through, the top-level one first."""
        tables = [root]
        for slot in self.pte.indices(va)[:-1]:
            tables.append(self.pte.target(self.m.words[tables[-1], slot]))
        return tables

    def ext(self, *ops: tuple[Command, int], domain: int = 1, on: int = DOMID_SELF) -> int:
        """Make an mmuext_op to its end; return its answer."""
        call = MmuextOp(tuple(ExtOp(command, arg) for command, arg in ops), on)
        return self._batch(call, domain)

    def pin(self, f: Mfn, level: int | None = None, domain: int = 1) -> int:
        """Pin a table, by default as a top-level one."""
        return self.ext((Command((level or self.pte.levels) - 1), f), domain=domain)

    def update(self, table: int, slot: int, word: int, domain: int = 1, on: int = DOMID_SELF) -> int:
        """Make one request of mmu_update; return its answer."""
        request = (table * 4096 + slot * self.pte.word_bytes, word)
        return self._batch(MmuUpdate((request,), on), domain)

    def _batch(self, call: MmuUpdate | MmuextOp, domain: int) -> int:
        """Run a batch to its end, through its continuations."""
        while True:
            x = self.call(domain)
            result = run(mmuext_op(x, call) if isinstance(call, MmuextOp) else mmu_update(x, call))
            if result.continuation is None:
                return result.rc
            call = rest_of(result)

    def check(self) -> None:
        """Compare the counts of every frame with its holders, by sets and by rows."""
        by_rows = recount(self.m)
        for f, frame in plain(self.m.frames).rows():
            if FIRST <= f < END:
                counts = self.ghost.counts[f]
                assert (frame.type_count, frame.ref_count) == (counts.typed, counts.general), hex(f)
                assert by_rows.get(f, (0, 0)) == (counts.typed, counts.general), hex(f)

    def cpu(self, number: int = 0) -> Cpu:
        """Return a CPU's number as a key."""
        return Cpu(number)


def rest_of(result: Result) -> MmuUpdate | MmuextOp:
    """Return the call with which a continued batch goes on."""
    assert result.continuation is not None
    rest = result.continuation.args
    assert isinstance(rest, MmuUpdate | MmuextOp)
    return rest


def preempting(steps: Steps[T], at: Iterable[int]) -> tuple[T, int]:
    """Run steps; Xen preempts at the preemption points with these numbers. Return result and points seen."""
    chosen, seen = set(at), 0
    answer: bool | None = None
    generator: Generator[object, bool | None, T] = steps
    try:
        while True:
            shown = generator.send(answer)
            answer = None
            if repr(shown).startswith("PREEMPT"):
                answer = seen in chosen
                seen += 1
    except StopIteration as end:
        value: T = end.value
        return value, seen


def types(m: View, frames: Iterable[int]) -> list[tuple[int, int]]:
    """Return type and type count of frames."""
    return [(int(m.frames[f].type), m.frames[f].type_count) for f in frames]
