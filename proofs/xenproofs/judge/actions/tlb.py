"""What the steps of the processor's translation caches do."""

from xenproofs.judge.actions.registry import Actions, of_step
from xenspec.memory.contracts import references as r
from xenspec.memory.contracts import words as w
from xenspec.memory.state import State
from xenspec.tlb.contracts import caches as c
from xenspec.vocabulary import Cpu, EntryId, FlightId, Mfn, VcpuId


@of_step
def flush_cpu(_: State, cpu: Cpu) -> Actions:
    """Flush a CPU."""
    return (c.FLUSH.of(c.OfCpu(cpu)),)


@of_step
def flush_next_cpu(s: State, k: FlightId) -> Actions:
    """Flush the next CPU that has run the owner since the frame was in use, and not flushed since."""
    f = s.flights[k].frame
    frame = s.frames[f]
    cpu = frame.cursor
    stale = s.dirty[frame.owner, cpu].dirty & (s.cpus[cpu].flushed_at <= frame.stamp)
    return c.CHANGE_TYPE.of(r.InFlight(k)), c.NEXT_CPU.of(c.LookedAt(f)), c.FLUSH.of(c.OfCpu(cpu), when=stale)


@of_step
def flush_free_frame(s: State, f: Mfn) -> Actions:
    """Flush the next CPU that was not flushed since the frame was freed."""
    frame = s.frames[f]
    stale = s.cpus[frame.cursor].flushed_at <= frame.stamp
    looked = c.LookedAt(f)
    return c.BE_FREE.of(looked), c.NEXT_CPU.of(looked), c.FLUSH.of(c.OfCpu(frame.cursor), when=stale)


@of_step
def invalidate(_: State, cpu: Cpu, page: int) -> Actions:
    """Drop a translation."""
    return (c.DROP.of(c.Translated(cpu, page)),)


@of_step
def fill(
    _: State, cpu: Cpu, page: int, leaf: EntryId, *, writable: bool, user: bool, is_global: bool = False
) -> Actions:
    """Fill a translation."""
    return (c.FILL.of(c.Filled(cpu, page, leaf, writable, user, is_global)),)


@of_step
def store_through(s: State, cpu: Cpu, page: int, slot: int, word: int) -> Actions:
    """Store a word through a translation."""
    stored = w.Stored(s.tlb[cpu, page].frame, slot, word)
    return c.STORE_THROUGH.of(c.Translated(cpu, page)), w.STORE.of(stored)


@of_step
def switch_vcpu(s: State, cpu: Cpu, v: VcpuId) -> Actions:
    """Run a virtual CPU; another one than before begins with no translation."""
    return c.SWITCH.of(c.Run(cpu, v)), c.FLUSH.of(c.OfCpu(cpu), when=s.cpus[cpu].current != v)
