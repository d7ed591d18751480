"""From a snapshot of the real Xen to a machine of the model, and the recount that explains every reference.

What tables, pins, base pointers and allocation do not explain is Xen's own (frames of its heap) or, in the
middle of a run, unattributed: held by a call made before the snapshot.
"""

import re
from collections import Counter
from dataclasses import dataclass

from xenmodel.abi import assist, pte
from xenmodel.abi.memory_map import LOW_FRAMES, MemoryMap
from xenmodel.machine import Machine, plain_machine
from xenmodel.memory.rows import Entry, Frame, MachineToPhys, Place
from xenproofs.judge.adapter import plain
from xenproofs.judge.trace.pageinfo import PageInfo
from xenproofs.judge.trace.snapshot import Snapshot
from xenspec.table import SELF_MAP_SLOT, XEN_END_SLOT, XEN_FIRST_SLOT, PlainWords
from xenspec.vocabulary import SLOTS, DomId, Mfn, PageType, VcpuId

DOMAIN0 = DomId(0)
TOP = 4
START_OF_DAY = "sod"
"""The snapshot that is taken before the guest has run at all."""
USABLE = "usable"
ONE_CPU = re.compile(r"\b1 CPU\b")
SMP = re.compile(r"-smp (\d+)")


@dataclass(frozen=True, slots=True)
class Recount:
    """What the recount found: frames compared, those that nothing explains, what was ascribed to whom."""

    frames: int
    xen: int
    unattributed: dict[Mfn, tuple[int, int]]
    """Typed and general references by frame."""
    negative: tuple[Mfn, ...]
    """Frames with fewer references than their holders: never explainable."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A machine as a snapshot shows it."""

    machine: Machine
    words: PlainWords
    memory: MemoryMap
    recount: Recount


def memory_map(snapshot: Snapshot) -> MemoryMap:
    """Return the address map: by the snapshot's e820; without one, all frames are taken for RAM."""
    if snapshot.e820 is None:
        return MemoryMap(((0, snapshot.ram_frames),), snapshot.ram_frames)
    ram = tuple((r.first_byte >> 12, (r.last_byte + 1) >> 12) for r in snapshot.e820 if r.kind == USABLE)
    return MemoryMap(ram, max(end for _, end in ram))


def vcpu_count(machine: str) -> int:
    """Return how many vCPUs Domain0 has, by the snapshot's description of the machine."""
    found = SMP.search(machine)
    return int(found.group(1)) if found else 1


def load_snapshot(snapshot: Snapshot) -> Loaded:
    """Return a machine of plain rows as the snapshot shows it."""
    memory = memory_map(snapshot)
    cpus = vcpu_count(snapshot.machine)
    m = plain_machine(memory, cpu_count=cpus)
    words = PlainWords()
    m.words = words
    make_rows_of_io(m, memory)
    load_domain(m, snapshot, cpus)
    _load_books(m, snapshot)
    load_xen_slots(m, snapshot)
    typed: Counter[int] = Counter()
    general: Counter[int] = Counter()
    for mfn, table in snapshot.tables.items():
        _load_table(m, mfn, table.level, [(e.slot, e.word) for e in table.entries])
    for mfn, table in snapshot.tables.items():
        _link_table(m, mfn, table.level, (typed, general))
    return Loaded(m, words, memory, _recount(m, snapshot, typed, general))


def make_rows_of_io(m: Machine, memory: MemoryMap) -> None:
    """Make the rows of the frames that Xen keeps books of and that are no memory: it holds them itself."""
    first = 0
    for start, end in (*sorted(memory.ram), (memory.frames, memory.frames)):
        for mfn in range(first, max(start, min(LOW_FRAMES, memory.frames))):
            m.frames[mfn]
        first = max(first, end)


def _load_books(m: Machine, snapshot: Snapshot) -> None:
    """Make the rows of Domain0's frames, and of the machine-to-physical map."""
    frames, m2p = plain(m.frames), plain(m.m2p)
    for run in snapshot.page_info_runs:
        info = run.info
        for mfn in range(run.mfn, run.mfn + run.length):
            frames[mfn] = frame_of(info)
    for mfn, pfn in snapshot.m2p():
        m2p[mfn] = MachineToPhys() if pfn is None else MachineToPhys(pfn)


def frame_of(info: PageInfo) -> Frame:
    """Return the row of a frame of Domain0 of which page_info says this."""
    table = PageType.L1 <= info.type <= PageType.L4
    return Frame(
        owner=DOMAIN0,
        allocated=info.allocated,
        special=info.xenheap,
        type=info.type,
        type_count=info.type_count,
        ref_count=info.ref_count,
        validated=info.validated,
        pinned=info.pinned,
        partial=info.partial,
        noncoherent=info.noncoherent,
        next_slot=SLOTS if table and info.validated else 0,
    )


def load_domain(m: Machine, snapshot: Snapshot, cpus: int) -> None:
    """Set Domain0's row, its vCPUs and the CPUs that they run on."""
    domain = m.domains[DOMAIN0]
    domain.exists = domain.privileged = domain.io_rights = True
    domain.vcpus = cpus
    domain.pages = sum(run.length for run in snapshot.page_info_runs if not run.info.xenheap)
    domain.xen_pages = sum(run.length for run in snapshot.page_info_runs if run.info.xenheap)
    domain.max_pages = domain.pages
    domain.assists = 1 << assist.PAE_EXTENDED_CR3
    if snapshot.snapshot != START_OF_DAY:
        domain.assists |= 1 << assist.WRITABLE_PAGETABLES
        domain.writable_pagetables = True
    vcpu = m.vcpus[VcpuId((0, 0))]
    vcpu.domain = DOMAIN0
    vcpu.initialised = vcpu.up = True
    vcpu.base = Mfn(snapshot.guest_table_mfn)
    if snapshot.guest_user_table_mfn:
        vcpu.user_base = Mfn(snapshot.guest_user_table_mfn)
    for cpu in range(cpus):
        m.dirty[DOMAIN0, cpu].dirty = True
        m.cpus[cpu].current = VcpuId((0, cpu))
        m.vcpus[VcpuId((0, cpu))].cpu = cpu


def load_xen_slots(m: Machine, snapshot: Snapshot) -> None:
    """Learn what Xen writes into the L4 slots that belong to it from the tables that show it."""
    tops = (table for table in snapshot.tables.values() if table.level == TOP)
    for e in (e for table in tops for e in table.entries):
        if XEN_FIRST_SLOT <= e.slot < XEN_END_SLOT and e.slot != SELF_MAP_SLOT:
            m.xen_slots[e.slot] = e.word


def _load_table(m: Machine, mfn: int, level: int, entries: list[tuple[int, int]]) -> None:
    """Store a table's words; a frame that it maps and nobody owns is I/O space."""
    for slot, word in entries:
        m.words[mfn, slot] = word
        if level == 1 and pte.present(word):
            frame = m.frames[pte.target(word)]
            if frame.ref_count == 0 and frame.place == Place.RAM:
                frame.place = Place.IO
                frame.mappable_io = True


def _link_table(m: Machine, t: int, level: int, counts: tuple[Counter[int], Counter[int]]) -> None:
    """Make the rows of a table's present entries, and count what they hold."""
    typed, general = counts
    slot = m.words.next_present(t, 0)
    while slot < SLOTS:
        if level != TOP or not XEN_FIRST_SLOT <= slot < XEN_END_SLOT:
            e = m.entries[t, slot]
            _fill_entry(m, e, t, level, m.words[t, slot])
            general[e.target] += e.backed
            typed[e.target] += e.backed and (level > 1 or e.writable)
        slot = m.words.next_present(t, slot + 1)


def _fill_entry(m: Machine, e: Entry, t: int, level: int, word: int) -> None:
    """Set the row of a linked entry by its word."""
    e.linked = True
    e.linked_as = level
    e.target = pte.target(word)
    e.writable = pte.writable(word)
    e.backed = e.target != t if level > 1 else m.frames[e.target].place == Place.RAM
    if level > 1 and e.backed and m.frames[e.target].type == level:
        e.linear = True
        m.frames[t].linear += 1
        m.frames[e.target].linear -= 1


def _recount(m: Machine, snapshot: Snapshot, typed: Counter[int], general: Counter[int]) -> Recount:
    """Compare the counts with their holders, and ascribe what is left."""
    vcpu = m.vcpus[VcpuId((0, 0))]
    for base in (vcpu.base, vcpu.user_base):
        if base >= 0:
            typed[base] += 1
            general[base] += 1
    unattributed: dict[Mfn, tuple[int, int]] = {}
    negative: list[Mfn] = []
    xen = 0
    for mfn in snapshot.page_info:
        frame = m.frames[mfn]
        over_typed = frame.type_count - typed[mfn] - frame.pinned
        over_general = frame.ref_count - general[mfn] - frame.pinned - frame.allocated
        if over_typed < 0 or over_general < 0:
            negative.append(mfn)
        elif frame.special and (over_typed, over_general) in ((1, 0), (1, 1)):
            xen += 1
            m.unattributed[mfn].typed = over_typed
            m.unattributed[mfn].general = over_general
        elif over_typed or over_general:
            unattributed[mfn] = (over_typed, over_general)
            m.unattributed[mfn].typed = over_typed
            m.unattributed[mfn].general = over_general
    return Recount(len(snapshot.page_info), xen, unattributed, tuple(negative))
