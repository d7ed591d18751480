"""The small world: two domains, or three, each with a loaded address space, two vCPUs and some spare frames.

Everything is made by the model's own steps and calls: the start obeys every invariant by construction.
"""

from dataclasses import dataclass
from functools import cache

from xenmodel.abi.memory_map import MemoryMap
from xenmodel.abi.pte import ACCESSED, DIRTY, PRESENT, RW, USER, entry
from xenmodel.dispatch import dispatch
from xenmodel.domains.vcpu_op import NewContext, initialise
from xenmodel.grants.tables import add_grant_frame, make_shared
from xenmodel.hardware.tlb import switch_vcpu
from xenmodel.hypercall import Call, run
from xenmodel.machine import Machine, plain_machine
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp
from xenmodel.memory.reservation import allocate, flush_free_frame
from xenspec.vocabulary import DOMID_SELF, L4, WRITABLE, Cpu, DomId, GrantFrameId, Mfn, VcpuId

DOMAINS = (DomId(0), DomId(1))
GUESTS = (*DOMAINS, DomId(2))
"""With a third domain, where a move is made by one of its vCPUs."""
VCPUS_EACH = 2
SPARE = 6
"""Frames of a domain that are none of its boot tables."""
WRITABLE_AT_START = 3
"""Spare frames that the boot tables map writable; others are mapped read-only, the last one not at all."""
FREE = 4
"""Frames that nobody owns at the start."""
FIRST = 0x100
STRIDE = 0x40
"""Frame numbers of a domain start at FIRST + STRIDE times its number."""
FREE_START = 0x1C0
FRAMES = 0x200
BOOT_FLAGS = PRESENT | RW | USER | ACCESSED | DIRTY
READ_ONLY = PRESENT | USER | ACCESSED | DIRTY
XEN_FRAMES = (1, 2)
"""What Xen's own slots of a top-level table map."""
IO_FRAMES = (0xB8, 0xFEC00, *XEN_FRAMES)
"""Frames outside memory that moves or Xen's slots name: their rows exist from the start."""
GRANT_PAGES = (Mfn(0x1B2), Mfn(0x1B3), Mfn(0x1B4))
"""The page of each domain's grant table at the start."""
XEN_HEAP = tuple(Mfn(0x1B6 + i) for i in range(6))
"""Free frames for more pages of grant tables, and of their status."""
XENS = (Mfn(0x1B0), Mfn(0x1B1), Mfn(0x1B5))
"""A page of each domain that Xen itself writes to, as the shared information page."""
BOOT_SLOT = 272
"""The L4 slot under which the boot tables map the domain's frames."""


@dataclass(frozen=True, slots=True)
class Estate:
    """A domain's frames at the start: its boot tables, level 4 first, and its spare frames."""

    domain: DomId
    tables: tuple[Mfn, Mfn, Mfn, Mfn]
    spare: tuple[Mfn, ...]


@cache
def estate(domain: DomId) -> Estate:
    """Return which frames a domain has at the start."""
    first = FIRST + STRIDE * domain
    tables = (Mfn(first), Mfn(first + 1), Mfn(first + 2), Mfn(first + 3))
    return Estate(domain, tables, tuple(Mfn(first + 4 + i) for i in range(SPARE)))


def small_world(cpus: int = 2, domains: tuple[DomId, ...] = DOMAINS) -> Machine:
    """Return a machine with both domains running: vCPU k of either domain starts on CPU k."""
    m = plain_machine(MemoryMap(ram=((0, FRAMES),), frames=FRAMES), cpu_count=cpus)
    m.xen_slots.update({256: entry(XEN_FRAMES[0], READ_ONLY), 260: entry(XEN_FRAMES[1], BOOT_FLAGS)})
    for domain in domains:
        _create(m, estate(domain))
    for f in IO_FRAMES:
        m.frames[f].dirty = False
    for cpu in range(cpus):
        m.dirty[DOMAINS[0], cpu].dirty = True
        m.cpus[cpu].current = VcpuId((0, cpu))
        switch_vcpu(m, Cpu(cpu), VcpuId((cpu % len(DOMAINS), cpu % VCPUS_EACH)))
    return m


def _create(m: Machine, e: Estate) -> None:
    """Make a domain: its row, its frames, its boot tables, pinned and loaded on every vCPU."""
    domain = m.domains[e.domain]
    domain.exists = True
    domain.privileged = domain.io_rights = e.domain == 0
    domain.vcpus = VCPUS_EACH
    domain.max_pages = len(e.tables) + SPARE + 3
    for f in (*e.tables, *e.spare):
        _allocate(m, f, e.domain)
    _create_xens(m, e.domain)
    _create_grants(m, e.domain)
    l4, l3, l2, l1 = e.tables
    m.words[l4, BOOT_SLOT] = entry(l3, BOOT_FLAGS)
    m.words[l3, 0] = entry(l2, BOOT_FLAGS)
    m.words[l2, 0] = entry(l1, BOOT_FLAGS)
    for slot, f in enumerate((*e.tables, *e.spare[:-1])):
        writable = len(e.tables) <= slot < len(e.tables) + WRITABLE_AT_START
        m.words[l1, slot] = entry(f, BOOT_FLAGS if writable else READ_ONLY)
    for number in range(VCPUS_EACH):
        m.vcpus[VcpuId((e.domain, number))].domain = e.domain
    x = Call(m, VcpuId((e.domain, 0)), e.domain)
    pinned = run(dispatch(x, MmuextOp((ExtOp(Command.PIN_L1_TABLE + L4 - 1, l4),), DOMID_SELF)))
    if pinned.rc:
        raise AssertionError(pinned)
    for number in range(VCPUS_EACH):
        made = run(initialise(x, VcpuId((e.domain, number)), NewContext(l4, Mfn(0), (), 0)))
        if made:
            raise AssertionError(made)


def _create_xens(m: Machine, domain: DomId) -> None:
    """Give a domain the page that Xen holds writable for it."""
    f = XENS[domain]
    _allocate(m, f, domain)
    frame, held = m.frames[f], m.unattributed[f]
    frame.special = frame.validated = True
    frame.type, frame.type_count, frame.ref_count = WRITABLE, 1, 2
    held.typed = held.general = 1
    row = m.domains[domain]
    row.pages, row.xen_pages = row.pages - 1, row.xen_pages + 1


def _create_grants(m: Machine, domain: DomId) -> None:
    """Give a domain the page of its grant table."""
    f = GRANT_PAGES[domain]
    while m.frames[f].cursor < m.cpu_count:
        flush_free_frame(m, f)
    make_shared(m, f, domain)
    m.grant_tables[domain].frames = 0
    add_grant_frame(m, GrantFrameId((domain, 0)), f)


def _allocate(m: Machine, f: Mfn, domain: DomId) -> None:
    """Give a domain a free frame, which no CPU translates to any more."""
    while m.frames[f].cursor < m.cpu_count:
        flush_free_frame(m, f)
    allocate(m, f, domain)
