"""Filling, dropping, flushing translations, and changing the virtual CPU that a CPU runs.

A flush is of one CPU and of all its translations; the clock ticks with each, so that a frame's stamp tells
which CPUs were flushed since it went out of use (tlbflush_timestamp).
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.logic import Not, implies
from xenspec.memory.contracts.references import InFlight
from xenspec.memory.state import State
from xenspec.vocabulary import Cpu, EntryId, Mfn, Mode, VcpuId


@dataclass(frozen=True, slots=True)
class OfCpu:
    """A physical CPU."""

    cpu: int


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A frame whose flush looks at one CPU after another."""

    frame: Mfn


@dataclass(frozen=True, slots=True)
class Translated:
    """A CPU, and a page of linear addresses."""

    cpu: Cpu
    page: int


@dataclass(frozen=True, slots=True)
class Filled:
    """A translation that is cached: where, from which entry, and what it allows."""

    cpu: Cpu
    page: int
    leaf: EntryId
    writable: bool
    user: bool
    is_global: bool


@dataclass(frozen=True, slots=True)
class Run:
    """A CPU, and the virtual CPU that it is to run."""

    cpu: Cpu
    v: VcpuId


FLUSH: Contract[State, OfCpu] = Contract("flush a CPU")
NEXT_CPU: Contract[State, LookedAt] = Contract("look at the next CPU")
CHANGE_TYPE: Contract[State, InFlight] = Contract("flush for a change of type")
BE_FREE: Contract[State, LookedAt] = Contract("flush for a new owner")
DROP: Contract[State, Translated] = Contract("drop a translation")
FILL: Contract[State, Filled] = Contract("fill a translation")
STORE_THROUGH: Contract[State, Translated] = Contract("store through a translation")
LEAVE: Contract[State, Run] = Contract("leave a virtual CPU idle")
SWITCH: Contract[State, Run] = Contract("run a virtual CPU")


def exists(s: State, cpu: int) -> bool:
    """The machine has such a CPU."""
    return (cpu >= 0) & (cpu < s.cpu_count)


# --- Flushing -----------------------------------------------------------------------------------------------


@FLUSH.asks(property=(8, 10))
def only_a_cpu_of_the_machine_is_flushed(s: State, a: OfCpu) -> bool:
    """The CPU is one of the machine's."""
    return exists(s, a.cpu)


@FLUSH.does(property=8, advisories=(401,))
def a_flush_drops_all_and_ticks_the_clock(before: State, after: State, a: OfCpu) -> bool:
    """The CPU begins a new epoch, the clock ticks, and the CPU is flushed as of now."""
    return (
        (after.cpus[a.cpu].epoch == before.cpus[a.cpu].epoch + 1)
        & (after.world[0].clock == before.world[0].clock + 1)
        & (after.cpus[a.cpu].flushed_at == after.world[0].clock)
    )


@FLUSH.touches
def _flush(_: State, a: OfCpu) -> tuple[Cells, ...]:
    return (Cells("cpus", a.cpu, ("epoch", "flushed_at")), Cells("world", 0, ("clock",)))


@NEXT_CPU.asks(property=8)
def there_is_a_next_cpu(s: State, a: LookedAt) -> bool:
    """The CPU that is looked at is one of the machine's."""
    return exists(s, s.frames[a.frame].cursor)


@NEXT_CPU.does(property=(8, 17))
def the_flush_comes_one_cpu_on(before: State, after: State, a: LookedAt) -> bool:
    """The next CPU to look at is the one after."""
    return after.frames[a.frame].cursor == before.frames[a.frame].cursor + 1


@NEXT_CPU.touches
def _next_cpu(_: State, a: LookedAt) -> tuple[Cells, ...]:
    return (Cells("frames", a.frame, ("cursor",)),)


@CHANGE_TYPE.asks(property=(5, 8))
def a_flush_is_of_a_frame_whose_type_changes(s: State, a: InFlight) -> bool:
    """The flight's frame is between two types."""
    return s.flights[a.k].mode == Mode.FLUSHING


@BE_FREE.asks(property=(7, 8))
def a_flush_is_of_a_frame_that_nobody_holds(s: State, a: LookedAt) -> bool:
    """The frame is free."""
    return s.frames[a.frame].ref_count == 0


# --- Single translations ------------------------------------------------------------------------------------


@DROP.asks(property=(8, 10))
def a_cpu_of_the_machine_drops_a_translation(s: State, a: Translated) -> bool:
    """The CPU is one of the machine's."""
    return exists(s, a.cpu)


@DROP.does(property=8)
def the_translation_is_gone(_: State, after: State, a: Translated) -> bool:
    """The CPU has no translation of the page."""
    return Not(after.tlb[a.cpu, a.page].valid)


@DROP.touches
def _drop(_: State, a: Translated) -> tuple[Cells, ...]:
    return (Cells("tlb", (a.cpu, a.page), ("valid",)),)


@FILL.asks(property=(2, 3, 8))
def a_translation_is_of_a_linked_entry_of_the_domain(s: State, a: Filled) -> bool:
    """A CPU caches what a linked entry of a table of the domain that it runs says."""
    return (
        exists(s, a.cpu)
        & s.entries[a.leaf].linked
        & s.entries[a.leaf].backed
        & (s.frames[a.leaf[0]].owner == s.vcpus[s.cpus[a.cpu].current].domain)
    )


@FILL.asks(property=(1, 2))
def a_translation_lets_write_what_the_entry_does(s: State, a: Filled) -> bool:
    """A translation that lets the guest write is of a writable entry of an L1 table."""
    return implies(a.writable, lambda: s.entries[a.leaf].writable & (s.entries[a.leaf].linked_as == 1))


@FILL.does(property=(2, 8, 33))
def the_translation_is_as_the_tables_say_now(before: State, after: State, a: Filled) -> bool:
    """The CPU has the translation to the entry's target, of now, for the domain that it runs."""
    x, cpu = after.tlb[a.cpu, a.page], before.cpus[a.cpu]
    domain, target = before.vcpus[cpu.current].domain, before.entries[a.leaf].target
    return (
        x.valid
        & (x.frame == target)
        & (x.writable == a.writable)
        & (x.user == a.user)
        & (x.is_global == a.is_global)
        & (x.epoch == cpu.epoch)
        & (x.loads == cpu.loads)
        & (x.domain == domain)
        & (x.foreign == (before.frames[target].owner != domain))
    )


@FILL.touches
def _fill(_: State, a: Filled) -> tuple[Cells, ...]:
    names = ("valid", "frame", "writable", "user", "is_global", "epoch", "loads", "domain", "foreign")
    return (Cells("tlb", (a.cpu, a.page), names),)


@STORE_THROUGH.asks(property=(1, 2, 8))
def a_store_needs_a_translation_that_lets_write(s: State, a: Translated) -> bool:
    """The CPU has the translation still, and it lets the guest write."""
    x, cpu = s.tlb[a.cpu, a.page], s.cpus[a.cpu]
    cached = x.valid & (x.epoch == cpu.epoch) & (x.is_global | (x.loads == cpu.loads))
    return cached & x.writable


# --- Running ------------------------------------------------------------------------------------------------


@SWITCH.asks(property=(8, 10))
def only_a_virtual_cpu_that_can_run_here_is_run(s: State, a: Run) -> bool:
    """The virtual CPU is initialised and runs on no other CPU, and the CPU is one of the machine's."""
    vcpu = s.vcpus[a.v]
    return exists(s, a.cpu) & vcpu.initialised & ((vcpu.cpu == a.cpu) | (s.cpus[vcpu.cpu].current != a.v))


@SWITCH.does(property=33)
def the_cpu_runs_the_virtual_cpu(_: State, after: State, a: Run) -> bool:
    """The CPU runs the virtual CPU, which is on this CPU."""
    return (after.cpus[a.cpu].current == a.v) & (after.vcpus[a.v].cpu == a.cpu)


@SWITCH.does(property=8)
def the_cpu_counts_among_those_of_the_domain_it_runs(before: State, after: State, a: Run) -> bool:
    """The CPU is dirty for the domain that it runs, and for the one that it leaves no more."""
    old, new = before.vcpus[before.cpus[a.cpu].current].domain, before.vcpus[a.v].domain
    return implies(
        before.cpus[a.cpu].current != a.v,
        lambda: after.dirty[new, a.cpu].dirty & ((old == new) | Not(after.dirty[old, a.cpu].dirty)),
    )


@SWITCH.touches
def _switch(s: State, a: Run) -> tuple[Cells, ...]:
    leaves = s.cpus[a.cpu].current != a.v
    old, new = s.vcpus[s.cpus[a.cpu].current].domain, s.vcpus[a.v].domain
    return (
        Cells("cpus", a.cpu, ("current",)),
        Cells("vcpus", a.v, ("cpu",)),
        Cells("dirty", (old, a.cpu), ("dirty",), when=leaves),
        Cells("dirty", (new, a.cpu), ("dirty",), when=leaves),
    )


@LEAVE.does(property=(8, 32))
def the_cpu_runs_nobody(before: State, after: State, a: Run) -> bool:
    """The CPU runs its idle virtual CPU, and is dirty for the domain that it left no more."""
    old, idle = before.vcpus[before.cpus[a.cpu].current].domain, before.vcpus[a.v].domain
    left = (old == idle) | Not(after.dirty[old, a.cpu].dirty)
    return (after.cpus[a.cpu].current == a.v) & after.dirty[idle, a.cpu].dirty & left


@LEAVE.touches
def _leave(s: State, a: Run) -> tuple[Cells, ...]:
    old, idle = s.vcpus[s.cpus[a.cpu].current].domain, s.vcpus[a.v].domain
    return (
        Cells("cpus", a.cpu, ("current",)),
        Cells("dirty", (old, a.cpu), ("dirty",)),
        Cells("dirty", (idle, a.cpu), ("dirty",)),
    )
