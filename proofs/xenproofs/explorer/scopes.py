"""Scopes: how many domains, frames and slots there are, who acts, and which calls they may make.

The frames of a domain are interchangeable, since nobody uses one at the start; its slots are kept apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product
from typing import NamedTuple

from xenmodel.abi.memory_map import MemoryMap
from xenmodel.abi.pte import PRESENT, RW, USER, entry
from xenmodel.machine import Machine, plain_machine
from xenmodel.memory.mmu_update import MmuUpdate
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp
from xenmodel.memory.reservation import allocate, flush_free_frame
from xenspec.vocabulary import DOMID_SELF, PAGE_SIZE, DomId, Mfn, VcpuId

FIRST = 0x100
STRIDE = 0x10
"""Frame numbers of a domain start at FIRST + STRIDE times its number."""
FRAMES = 0x140


class Action(NamedTuple):
    """A call that a vCPU may make, and how it is told."""

    text: str
    call: MmuUpdate | MmuextOp


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
    depth: int | None = None
    """Transitions from the start beyond which nothing is visited; none: everything is."""

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

    def renamings(self) -> list[dict[int, int]]:
        """Return every exchange of interchangeable frames, the identity first."""
        each = (permutations(self.frames_of(domain)) for domain in self.domains)
        return [
            {
                old: new
                for domain, names in zip(self.domains, chosen, strict=True)
                for old, new in zip(self.frames_of(domain), names, strict=True)
            }
            for chosen in product(*each)
        ]

    def frame_name(self, f: int) -> str:
        """Return a frame's role."""
        domain, place = divmod(f - FIRST, STRIDE)
        return f"dom{domain}.f{place}"

    def machine(self) -> Machine:
        """Return the world at its start: every frame allocated, none used."""
        m = plain_machine(MemoryMap(ram=((0, FRAMES),), frames=FRAMES), cpu_count=len(self.vcpus))
        for domain in self.domains:
            row = m.domains[domain]
            row.exists, row.max_pages = True, self.frames[domain]
            for f in self.frames_of(domain):
                while m.frames[f].cursor < m.cpu_count:
                    flush_free_frame(m, f)
                allocate(m, f, DomId(domain))
        for cpu, v in enumerate(self.vcpus):
            m.vcpus[v].domain, m.vcpus[v].cpu = DomId(v[0]), cpu
            m.cpus[cpu].current = v
            m.dirty[v[0], cpu].dirty = True
        return m

    def actions(self, v: VcpuId) -> list[Action]:
        """Return every call that a vCPU may make."""
        own = self.frames_of(v[0])
        foreign = self.frames_of(1 - v[0])[:1] if len(self.frames) > 1 else ()
        return [*self._pins(own), *self._updates(own, (*own, *foreign))]

    def _pins(self, own: tuple[Mfn, ...]) -> Iterator[Action]:
        for f in own:
            for level in self.levels:
                op = ExtOp(Command.PIN_L1_TABLE + level - 1, f)
                yield Action(f"pin {self.frame_name(f)} as L{level}", MmuextOp((op,), DOMID_SELF))
            op = ExtOp(Command.UNPIN_TABLE, f)
            yield Action(f"unpin {self.frame_name(f)}", MmuextOp((op,), DOMID_SELF))

    def _updates(self, own: tuple[Mfn, ...], targets: tuple[Mfn, ...]) -> Iterator[Action]:
        for f, slot in product(own, range(self.slots)):
            where = f"{self.frame_name(f)}[{slot}]"
            pointer = f * PAGE_SIZE + slot * 8
            yield Action(f"{where} := absent", MmuUpdate(((pointer, 0),), DOMID_SELF))
            for target, flags in product(targets, (0, RW)):
                word = entry(target, PRESENT | USER | flags)
                text = f"{where} := {self.frame_name(target)}{' rw' if flags else ''}"
                yield Action(text, MmuUpdate(((pointer, word),), DOMID_SELF))


ALONE, SIBLING, OTHER = VcpuId((0, 0)), VcpuId((0, 1)), VcpuId((1, 0))
SCOPES: dict[str, Scope] = {
    scope.name: scope
    for scope in (
        Scope("alone", frames=(2,), vcpus=(ALONE,)),
        Scope("pair", frames=(2, 1), vcpus=(ALONE, OTHER)),
        Scope("linear", frames=(3,), vcpus=(ALONE,), levels=(2,)),
        Scope("interleaved", frames=(1, 1), vcpus=(ALONE, SIBLING), levels=(1,), interleaved=True, depth=10),
        Scope("two interleaved", frames=(2,), vcpus=(ALONE, SIBLING), interleaved=True, depth=9),
        Scope("five", frames=(3, 2), slots=2, vcpus=(ALONE, OTHER), depth=2),
    )
}
"""The scopes by name; those with a depth are bounded, the others complete."""
