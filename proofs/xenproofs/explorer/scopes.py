"""Scopes: how many domains, frames and slots there are, who acts, and which calls they may make.

The frames of a domain are interchangeable, since nobody uses one at the start; its slots are kept apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, permutations, product

from xenmodel.abi.memory_map import MemoryMap
from xenmodel.abi.pte import PRESENT, RW, USER, entry
from xenmodel.dispatch import dispatch
from xenmodel.hypercall import Call, run
from xenmodel.machine import Machine, plain_machine
from xenmodel.memory.mmu_update import MmuUpdate
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp
from xenmodel.memory.reservation import allocate, flush_free_frame
from xenproofs.explorer.actions import PAGE, Action, evicted, filled, stored_through
from xenproofs.explorer.families import FAMILIES
from xenproofs.explorer.renaming import Names, Renaming
from xenproofs.explorer.state import Keeper
from xenspec.vocabulary import DOMID_SELF, PAGE_SIZE, DomId, EntryId, Mfn, VcpuId

FIRST = 0x100
STRIDE = 0x10
"""Frame numbers of a domain start at FIRST + STRIDE times its number."""
FRAMES = 0x140


@dataclass(frozen=True, slots=True)
class Scope:
    """A small world."""

    name: str
    frames: tuple[int, ...]
    """How many frames each domain has."""
    vcpus: tuple[VcpuId, ...]
    slots: int = 1
    levels: tuple[int, ...] = (1, 2)
    """Levels of the tables that may be pinned."""
    interleaved: bool = False
    """Whether another vCPU may act after any step; else calls run to their end."""
    paused: bool = False
    """Whether calls of the first vCPU may be left standing after any step, while others make whole calls."""
    tables: int = 0
    """How many frames of the first domain, its last ones, are pinned L1 tables at the start.

    Where there are any, only what a race about the other frames needs is done: these are pinned and unpinned,
    tables map them writable or nothing, processors cache what lets write.
    """
    preempted: int = 0
    """Up to which preemption point of a call Xen may preempt; 0: it never does."""
    cached: bool = False
    """Whether processors fill, use and evict translations of one page, and guests flush them."""
    also: tuple[str, ...] = ()
    """Which families of actions there are beside pins and updates (xenproofs.explorer.families)."""
    depth: int | None = None
    """Transitions from the start beyond which nothing is visited; none: everything is."""

    @property
    def awake(self) -> int:
        """The first vCPU alone acts while no call is left standing: any other would do the same."""
        return 1

    @property
    def author(self) -> DomId:
        """The first domain: no other links a foreign frame."""
        return self.domain_of(0)

    def keeper(self, m: Machine) -> Keeper:
        """Return what saves and compares the states of the machine."""
        frames = [f for domain in self.domains for f in self.frames_of(domain)]
        return Keeper(m, tuple(frames) if self.cached else ())

    @property
    def domains(self) -> range:
        """The domains."""
        return range(len(self.frames))

    def domain_of(self, vcpu: int) -> DomId:
        """Return the domain of a vCPU by its number."""
        return DomId(self.vcpus[vcpu][0])

    def frames_of(self, domain: int) -> tuple[Mfn, ...]:
        """Return a domain's frames."""
        return tuple(Mfn(FIRST + STRIDE * domain + i) for i in range(self.frames[domain]))

    def renamings(self) -> list[Renaming]:
        """Return every exchange of interchangeable frames and domains, the identity first."""
        return [
            renaming
            for order in permutations(self.domains)
            if all(self._alike(old, new) for old, new in enumerate(order))
            for renaming in self._renamings(order)
        ]

    def _alike(self, one: int, other: int) -> bool:
        """Return whether two domains have as many frames of each kind, and the same vCPUs."""
        vcpus = [{number for domain, number in self.vcpus if domain == d} for d in (one, other)]
        frames = [(self.frames[d], len(self._unused(d))) for d in (one, other)]
        return frames[0] == frames[1] and vcpus[0] == vcpus[1]

    def _unused(self, domain: int) -> tuple[Mfn, ...]:
        """Return a domain's frames that are no tables at the start."""
        own = self.frames_of(domain)
        return own if domain else own[: len(own) - self.tables]

    def _renamings(self, order: tuple[int, ...]) -> Iterator[Renaming]:
        """Give every renaming that changes the domains in this way."""
        cpus = {c: self.vcpus.index(VcpuId((DomId(order[d]), n))) for c, (d, n) in enumerate(self.vcpus)}
        for chosen in product(*(permutations(self._unused(new)) for new in order)):
            frames: Names = {
                old: new
                for domain, names in zip(self.domains, chosen, strict=True)
                for old, new in zip(self._unused(domain), names, strict=True)
            }
            yield Renaming(frames, dict(enumerate(order)), cpus)

    def frame_name(self, f: int) -> str:
        """Return a frame's role."""
        domain, place = divmod(f - FIRST, STRIDE)
        return f"dom{domain}.f{place}"

    def machine(self) -> Machine:
        """Return the world at its start: every frame allocated, and none used but the tables."""
        m = plain_machine(MemoryMap(ram=((0, FRAMES),), frames=FRAMES), cpu_count=len(self.vcpus))
        for domain in self.domains:
            row = m.domains[domain]
            row.exists, row.max_pages = True, sum(self.frames)
            row.vcpus = sum(v[0] == domain for v in self.vcpus)
            for f in self.frames_of(domain):
                while m.frames[f].cursor < m.cpu_count:
                    flush_free_frame(m, f)
                allocate(m, f, DomId(domain))
        for cpu, v in enumerate(self.vcpus):
            m.vcpus[v].domain, m.vcpus[v].cpu = DomId(v[0]), cpu
            m.cpus[cpu].current = v
            m.dirty[v[0], cpu].dirty = True
        first = Call(m, self.vcpus[0], DomId(0))
        for f in self.frames_of(0)[self.frames[0] - self.tables :]:
            run(dispatch(first, MmuextOp((ExtOp(Command.PIN_L1_TABLE, f),), DOMID_SELF)))
        return m

    def actions(self, v: VcpuId) -> list[Action]:
        """Return every call that a vCPU may make, and what its processor may do."""
        own = self.frames_of(v[0])
        foreign = self.frames_of(1 - v[0]) if len(self.frames) > 1 else ()
        free, tables = own, own
        if self.tables:
            free = self._unused(v[0])
            tables = own[len(free) :]
        targets = free if self.tables else (*own, *foreign)
        hardware = self._hardware(self.vcpus.index(v), tables) if self.cached else ()
        more = (FAMILIES[name](self.frame_name, free, foreign) for name in self.also)
        return [*self._pins(free), *self._updates(tables, targets), *hardware, *chain(*more)]

    def _hardware(self, cpu: int, tables: tuple[Mfn, ...]) -> Iterator[Action]:
        rights = (True,) if self.tables else (False, True)
        for f, slot, writable in product(tables, range(self.slots), rights):
            how = "written" if writable else "read"
            action = filled(cpu, EntryId((f, slot)), writable=writable)
            yield Action(f"cpu{cpu} fills from {self.frame_name(f)}[{slot}], {how}", action)
        flush = MmuextOp((ExtOp(Command.TLB_FLUSH_ALL, PAGE),), DOMID_SELF)
        yield Action("flush every CPU", flush)
        if self.tables:
            return
        yield Action(f"cpu{cpu} evicts", evicted(cpu))
        word = entry(tables[0], PRESENT | USER | RW)
        yield Action(f"cpu{cpu} stores {self.frame_name(tables[0])} rw", stored_through(cpu, 0, word))

    def _pins(self, own: tuple[Mfn, ...]) -> Iterator[Action]:
        for f in own:
            for level in self.levels:
                op = ExtOp(Command.PIN_L1_TABLE + level - 1, f)
                yield Action(f"pin {self.frame_name(f)} as L{level}", MmuextOp((op,), DOMID_SELF))
            op = ExtOp(Command.UNPIN_TABLE, f)
            yield Action(f"unpin {self.frame_name(f)}", MmuextOp((op,), DOMID_SELF))

    def _updates(self, tables: tuple[Mfn, ...], targets: tuple[Mfn, ...]) -> Iterator[Action]:
        rights = (RW,) if self.tables else (0, RW)
        for f, slot in product(tables, range(self.slots)):
            where = f"{self.frame_name(f)}[{slot}]"
            pointer = f * PAGE_SIZE + slot * 8
            yield Action(f"{where} := absent", MmuUpdate(((pointer, 0),), DOMID_SELF))
            for target, flags in product(targets, rights):
                word = entry(target, PRESENT | USER | flags)
                text = f"{where} := {self.frame_name(target)}{' rw' if flags else ''}"
                yield Action(text, MmuUpdate(((pointer, word),), DOMID_SELF))


ALONE, SIBLING, OTHER = VcpuId((0, 0)), VcpuId((0, 1)), VcpuId((1, 0))
SCOPES: dict[str, Scope] = {
    scope.name: scope
    for scope in (
        Scope("alone", frames=(2,), vcpus=(ALONE,)),
        Scope("flat", frames=(2,), vcpus=(ALONE,), levels=(1,)),
        Scope("twins", frames=(1, 1), vcpus=(ALONE, OTHER)),
        Scope("cached", frames=(2,), vcpus=(ALONE,), levels=(1,), cached=True),
        Scope("top", frames=(1,), vcpus=(ALONE,), levels=(4,), also=("bases",)),
        Scope("two tops", frames=(2,), vcpus=(ALONE,), levels=(4,), also=("bases",)),
        Scope("described", frames=(1, 1), vcpus=(ALONE, OTHER), levels=(1,), also=("descriptors",)),
        Scope("given", (2, 1), (ALONE, OTHER), levels=(1,), tables=1, cached=True, also=("allocation",)),
        Scope("pair", frames=(2, 1), vcpus=(ALONE, OTHER)),
        Scope("linear", frames=(3,), vcpus=(ALONE,), levels=(2,)),
        Scope("paused", frames=(2,), vcpus=(ALONE, SIBLING), paused=True, depth=2),
        Scope("raced", (2,), (ALONE, SIBLING), levels=(1,), paused=True, tables=1, cached=True),
        Scope("resumed", (1,), (ALONE, SIBLING), levels=(2,), interleaved=True, preempted=1, depth=12),
        Scope("interleaved", frames=(1, 1), vcpus=(ALONE, SIBLING), levels=(1,), interleaved=True, depth=10),
        Scope("two interleaved", frames=(2,), vcpus=(ALONE, SIBLING), interleaved=True, depth=9),
        Scope("five", frames=(3, 2), slots=2, vcpus=(ALONE, OTHER), depth=2),
        Scope(
            "five interleaved",
            frames=(3, 2),
            slots=2,
            vcpus=(ALONE, OTHER),
            interleaved=True,
            depth=3,
            cached=True,
            preempted=1,
        ),
    )
}
"""The scopes by name; those with a depth are bounded, the others complete."""
