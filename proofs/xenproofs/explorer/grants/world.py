"""The world of a scope of grants: which frames, entries and handles there are, who acts, what each may do.

Domain 1 grants frames of its own, domain 2 maps them, in some scopes domain 3 too; domain 0 controls, owns
nothing and can only destroy the others. The frames that are granted are interchangeable, since nobody uses
one at the start.
"""

from dataclasses import dataclass
from itertools import permutations
from typing import Final

from xenmodel.abi.grant import HOST_MAP, READONLY
from xenmodel.abi.memory_map import MemoryMap
from xenmodel.abi.pte import ACCESSED, DIRTY, PRESENT, RW, USER, entry
from xenmodel.dispatch import dispatch
from xenmodel.domains.vcpu_op import NewContext, initialise
from xenmodel.grants.arguments import SetVersion
from xenmodel.grants.tables import add_grant_frame, make_shared
from xenmodel.grants.versions import set_version
from xenmodel.hypercall import Call, run
from xenmodel.machine import Machine, plain_machine
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp
from xenmodel.memory.reservation import allocate, flush_free_frame
from xenproofs.explorer.actions import Action
from xenproofs.explorer.grants.moves import KINDS
from xenproofs.explorer.grants.places import (
    BOOT_SLOT,
    CONTROL,
    FRAMES,
    GRANTER,
    GRANTS,
    MAPPER,
    SECOND,
    TABLES,
    data,
    frame,
    heap_of,
)
from xenproofs.explorer.grants.state import GrantKeeper
from xenproofs.explorer.renaming import NOTHING, Renaming
from xenproofs.judge.tracking import store_of
from xenspec.vocabulary import DOMID_SELF, L4, DomId, GrantFrameId, Mfn, VcpuId

C0, G0 = VcpuId((CONTROL, 0)), VcpuId((GRANTER, 0))
M0, M1 = VcpuId((MAPPER, 0)), VcpuId((MAPPER, 1))
S0 = VcpuId((SECOND, 0))
FLAGS: Final = PRESENT | RW | USER | ACCESSED | DIRTY
WORD: Final = 0x11
"""What the mapper's own frame holds at the start."""
WRITE, READ = HOST_MAP, HOST_MAP | READONLY
"""GNTMAP flags of mappings for processors."""


@dataclass(frozen=True, slots=True)
class GrantScope:
    """A small world of grants."""

    name: str
    does: tuple[tuple[VcpuId, tuple[str, ...]], ...]
    """Who acts, and the kinds of what each may do (xenproofs.explorer.grants.moves)."""
    frames: int = 1
    """Frames of the granting domain that may be granted."""
    refs: tuple[int, ...] = (0,)
    """Entries of the granting domain's table that are used."""
    flags: tuple[int, ...] = (WRITE, READ)
    """GNTMAP flags of the mappings that are made."""
    slots: int = 1
    """Slots of the mapping domain's L1 table."""
    handles: int = 2
    version: int = 1
    """Layout of the granting domain's table at the start."""
    interleaved: bool = False
    paused: bool = False
    awake: int = 2
    """Who acts while no call is left standing, where any may be: the sibling would do nothing new."""
    cached: bool = False
    """Whether processors fill and evict translations of one page."""
    depth: int | None = None
    preempted: int = 0

    @property
    def author(self) -> DomId | None:
        """Each domain that maps: it links foreign frames in tables of its own alone."""
        return None

    @property
    def vcpus(self) -> tuple[VcpuId, ...]:
        """Who acts."""
        return tuple(v for v, _ in self.does)

    def domain_of(self, vcpu: int) -> DomId:
        """Return the domain of a vCPU by its number."""
        return DomId(self.vcpus[vcpu][0])

    def renamings(self) -> list[Renaming]:
        """Return every exchange of the frames that may be granted, the identity first."""
        own = [data(GRANTER, number) for number in range(self.frames)]
        renamings = [Renaming(dict(zip(own, order, strict=True))) for order in permutations(own)]
        return [NOTHING, *renamings[1:]]

    def keeper(self, m: Machine) -> GrantKeeper:
        """Return what saves and compares the states of the machine."""
        own = tuple(data(GRANTER, number) for number in range(self.frames))
        return GrantKeeper(m, own if self.cached else ())

    def actions(self, v: VcpuId) -> list[Action]:
        """Return everything that a vCPU may do."""
        kinds = dict(self.does)[v]
        return [action for kind in kinds for action in KINDS[kind](self, v)]

    def machine(self) -> Machine:
        """Return the world at its start: nothing granted, the mapping domain runs on its tables."""
        running = [v for v in self.vcpus if v != C0]
        m = plain_machine(MemoryMap(ram=((0, FRAMES),), frames=FRAMES), cpu_count=len(running))
        m.domains[CONTROL].exists = m.domains[CONTROL].privileged = True
        m.domains[CONTROL].vcpus = 1
        self._create(m, GRANTER, self.frames)
        self._create(m, MAPPER, 1)
        self._load(m, (M0, M1))
        if S0 in self.vcpus:
            self._create(m, SECOND, 1)
            self._load(m, (S0,))
        for cpu, v in enumerate(running):
            row = m.vcpus[v]
            row.domain, row.cpu, row.initialised = DomId(v[0]), cpu, True
            m.cpus[cpu].current = v
            m.dirty[v[0], cpu].dirty = True
        if self.version != 1:
            self._switch(m)
        return m

    def _create(self, m: Machine, domain: DomId, frames: int) -> None:
        """Make a domain with so many frames of data and a page of its grant table."""
        row = m.domains[domain]
        row.exists, row.max_pages = True, frames + len(TABLES) + 1
        row.vcpus = 2 if domain == MAPPER else 1
        for number in range(frames):
            _allocate(m, data(domain, number), domain)
        page = frame(domain, GRANTS)
        _forget(m, page)
        make_shared(m, page, domain)
        m.grant_tables[domain].frames = 0
        add_grant_frame(m, GrantFrameId((domain, 0)), page)
        m.grant_tables[domain].handles = m.grant_tables[domain].handle_limit = self.handles

    def _load(self, m: Machine, vcpus: tuple[VcpuId, ...]) -> None:
        """Give a mapping domain tables without a mapping, on each of its vCPUs."""
        domain = DomId(vcpus[0][0])
        tables = [frame(domain, role) for role in TABLES]
        for f in tables:
            _allocate(m, f, domain)
        for table, slot, below in zip(tables, (BOOT_SLOT, 0, 0), tables[1:], strict=False):
            m.words[table, slot] = entry(below, FLAGS)
        m.words[data(domain, 0), 0] = WORD
        for v in vcpus:
            m.vcpus[v].domain = domain
        x = Call(m, vcpus[0], domain)
        pinned = run(dispatch(x, MmuextOp((ExtOp(Command.PIN_L1_TABLE + L4 - 1, tables[0]),), DOMID_SELF)))
        loaded = [run(initialise(x, v, NewContext(tables[0], Mfn(0), (), 0))) for v in vcpus]
        if pinned.rc or any(loaded):
            raise ValueError(pinned, loaded)

    def _switch(self, m: Machine) -> None:
        """Let the granting domain's table have the second layout."""
        x = Call(m, G0, GRANTER)
        result = run(set_version(x, SetVersion(self.version, heap_of(x))))
        if result.rc:
            raise ValueError(result)
        store_of(m.active).clear()  # rows that were only looked at


def _forget(m: Machine, f: Mfn) -> None:
    """Let every CPU forget a free frame."""
    while m.frames[f].cursor < m.cpu_count:
        flush_free_frame(m, f)


def _allocate(m: Machine, f: Mfn, domain: DomId) -> None:
    _forget(m, f)
    allocate(m, f, domain)
