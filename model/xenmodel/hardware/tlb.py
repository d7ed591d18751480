"""Translation lookaside buffers: fill, use, evict, flush; each a step of the hardware or of Xen.

A TLB entry is keyed (CPU, page number) and counts while its epoch is its CPU's; a flush raises the epoch.
Filling happens at any time the tables allow it, eviction at any time at all. A stale entry, one that the
tables no longer back, may be used until its CPU is flushed: that is what the flush of a type change is for.

Loading a base pointer, or another vCPU, flushes a CPU (write_ptbase, which also turns global pages off and on
again). Changing between a guest's kernel and its user mode loads CR3 alone: global translations stay.
"""

from collections.abc import Iterable

from xenmodel.hardware.rows import TlbEntry
from xenmodel.hypercall import Call, Steps
from xenmodel.machine import Machine, View
from xenmodel.memory.claim import flush
from xenmodel.step import require, step
from xenspec.logic import implies
from xenspec.vocabulary import DOMID_IDLE, EAGAIN, EFAULT, EINVAL, PAGE_SIZE, Cpu, DomId, EntryId, VcpuId


@step("cpus.epoch", "cpus.flushed_at", "world.clock")
def flush_cpu(m: Machine, cpu: Cpu) -> None:
    """Drop every translation of a CPU."""
    require("the CPU exists", (cpu >= 0) & (cpu < m.cpu_count), EINVAL)
    flush(m, cpu)


@step("tlb.valid", "cpus.drops")
def invalidate(m: Machine, cpu: Cpu, page: int) -> None:
    """Drop a CPU's translation of one page, and its prefixes of walks to whatever address (INVLPG)."""
    require("the CPU exists", (cpu >= 0) & (cpu < m.cpu_count), EINVAL)
    m.tlb[cpu, page].valid = False
    row = m.cpus[cpu]
    row.drops = row.drops + 1


@step("tlb.valid")
def evict(m: Machine, cpu: Cpu, page: int) -> None:
    """Drop a CPU's translation of one page, as the processor may at any moment."""
    require("the CPU exists", (cpu >= 0) & (cpu < m.cpu_count), EINVAL)
    m.tlb[cpu, page].valid = False


@step(
    "tlb.valid",
    "tlb.frame",
    "tlb.writable",
    "tlb.user",
    "tlb.is_global",
    "tlb.epoch",
    "tlb.loads",
    "tlb.domain",
    "tlb.foreign",
)
def fill(  # noqa: PLR0913 - a translation has so many parts
    m: Machine,
    cpu: Cpu,
    page: int,
    leaf: EntryId,
    *,
    writable: bool,
    user: bool,
    is_global: bool = False,
) -> None:
    """Cache a translation that a linked leaf entry grants to the domain that the CPU runs.

    The walk is not repeated here: any linked entry of the domain may back it, which allows more than the
    processor does. Write permission needs a writable L1 entry.
    """
    require("the CPU exists", (cpu >= 0) & (cpu < m.cpu_count), EINVAL)
    row = m.cpus[cpu]
    domain = m.vcpus[row.current].domain
    e = m.entries[leaf]
    require("the entry is linked", e.linked & e.backed, EINVAL)
    require("its table belongs to the domain", m.frames[leaf[0]].owner == domain, EINVAL)
    require("the entry grants writing", implies(writable, lambda: e.writable & (e.linked_as == 1)), EINVAL)
    x = m.tlb[cpu, page]
    x.valid = True
    x.frame = e.target
    x.writable = writable
    x.user = user
    x.is_global = is_global
    x.epoch = row.epoch
    x.loads = row.loads
    x.domain = domain
    x.foreign = m.frames[e.target].owner != domain


def is_cached(m: View, cpu: int, x: TlbEntry) -> bool:
    """Return whether a CPU still has a translation: not flushed since, nor CR3 loaded, unless global."""
    row = m.cpus[cpu]
    return x.valid & (x.epoch == row.epoch) & (x.is_global | (x.loads == row.loads))


@step("words.word")
def store_through(m: Machine, cpu: Cpu, page: int, slot: int, word: int) -> None:
    """Store a word through a cached writable translation, stale or not."""
    x = m.tlb[cpu, page]
    require("the translation is cached", is_cached(m, cpu, x), EFAULT)
    require("it grants writing", x.writable, EFAULT)
    require("the slot exists", (slot >= 0) & (slot < m.pte.slots), EINVAL)
    m.words[x.frame, slot] = word


@step("cpus.current", "cpus.epoch", "cpus.flushed_at", "world.clock", "dirty.dirty", "vcpus.cpu")
def switch_vcpu(m: Machine, cpu: Cpu, v: VcpuId) -> None:
    """Run another vCPU on a CPU, whose translations are dropped (__context_switch, write_ptbase)."""
    require("the CPU exists", (cpu >= 0) & (cpu < m.cpu_count), EINVAL)
    row, vcpu = m.cpus[cpu], m.vcpus[v]
    require("the vCPU can run", vcpu.initialised, EINVAL)
    require("it runs on no other CPU", (vcpu.cpu == cpu) | (m.cpus[vcpu.cpu].current != v), EAGAIN)
    if row.current != v:
        m.dirty[m.vcpus[row.current].domain, cpu].dirty = False
        m.dirty[vcpu.domain, cpu].dirty = True
        flush(m, cpu)
    row.current = v
    vcpu.cpu = cpu


@step("cpus.current", "cpus.epoch", "cpus.flushed_at", "world.clock", "dirty.dirty")
def idle_cpu(m: Machine, cpu: Cpu) -> None:
    """Let a CPU leave the vCPU that it runs, which may then run elsewhere (sync_vcpu_execstate)."""
    require("the CPU exists", (cpu >= 0) & (cpu < m.cpu_count), EINVAL)
    row = m.cpus[cpu]
    idle = VcpuId((DOMID_IDLE, cpu))
    m.dirty[m.vcpus[row.current].domain, cpu].dirty = False
    m.dirty[m.vcpus[idle].domain, cpu].dirty = True
    flush(m, cpu)
    row.current = idle


def cpus_of(x: Call, domain: DomId) -> list[Cpu]:
    """Return the CPUs that may hold translations of a domain."""
    return [Cpu(c) for c in range(x.m.cpu_count) if x.m.dirty[domain, c].dirty]


def own_cpu(x: Call) -> Cpu:
    """Return the CPU that the calling vCPU runs on."""
    return Cpu(x.m.vcpus[x.vcpu].cpu)


def cpus_of_vcpus(x: Call, mask: int) -> list[Cpu]:
    """Return the CPUs that have the state of a vCPU of the caller's domain whose bit is set in a mask."""
    running = [(Cpu(c), x.m.cpus[c].current) for c in range(x.m.cpu_count)]
    return [c for c, (domain, number) in running if domain == x.domain and mask >> number & 1]


def flush_cpus(x: Call, *, everywhere: bool) -> Steps[None]:
    """Flush the caller's CPU, or every CPU that may hold its domain's translations."""
    yield from flush_each(x, cpus_of(x, x.domain) if everywhere else [own_cpu(x)])


def invalidate_page(x: Call, va: int, *, everywhere: bool) -> Steps[None]:
    """Drop one page's translation on the caller's CPU, or on every CPU of its domain."""
    yield from invalidate_on_each(x, va, cpus_of(x, x.domain) if everywhere else [own_cpu(x)])


def flush_each(x: Call, cpus: Iterable[Cpu]) -> Steps[None]:
    """Flush CPUs one after another."""
    for cpu in cpus:
        flush_cpu(x.m, cpu)
        yield flush_cpu


def invalidate_on_each(x: Call, va: int, cpus: Iterable[Cpu]) -> Steps[None]:
    """Drop one page's translation on CPUs one after another."""
    for cpu in cpus:
        invalidate(x.m, cpu, va // PAGE_SIZE)
        yield invalidate
