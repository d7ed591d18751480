"""What the steps of the processor's translation caches do."""

from xenproofs.judge.actions.registry import Actions, of_step
from xenspec.memory.contracts import references as r
from xenspec.memory.contracts import words as w
from xenspec.memory.state import State
from xenspec.tlb.books import State as PrefixState
from xenspec.tlb.contracts import caches as c
from xenspec.tlb.contracts import prefixes as p
from xenspec.vocabulary import DOMID_IDLE, Cpu, EntryId, FlightId, Mfn, VcpuId


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
    """Drop a translation, and all prefixes."""
    return c.DROP.of(c.Translated(cpu, page)), p.DROP_PREFIXES.of(p.OfCpu(cpu))


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


@of_step
def idle_cpu(_: State, cpu: Cpu) -> Actions:
    """Run nobody, with no translation."""
    return c.LEAVE.of(c.Run(cpu, VcpuId((DOMID_IDLE, cpu)))), c.FLUSH.of(c.OfCpu(cpu))


# --- Prefixes -----------------------------------------------------------------------------------------------


@of_step
def evict(_: State, cpu: Cpu, page: int) -> Actions:
    """Drop a translation, unasked."""
    return (c.DROP.of(c.Translated(cpu, page)),)


@of_step
def begin_prefix(
    _: State, cpu: Cpu, level: int, prefix: int, upper: EntryId, *, writable: bool, user: bool
) -> Actions:
    """Cache a prefix."""
    return (p.BEGIN.of(p.Begun(cpu, level, prefix, upper, writable, user)),)


@of_step
def extend_prefix(_: State, cpu: Cpu, level: int, prefix: int, slot: int, *, writable: bool) -> Actions:
    """Cache a longer prefix."""
    walked = p.Walked(cpu, level, prefix, slot, writable)
    return p.WALK_ON.of(walked), p.EXTEND.of(walked)


@of_step
def fill_through(
    _: State, cpu: Cpu, prefix: int, slot: int, *, writable: bool, is_global: bool, foreign: bool
) -> Actions:
    """Cache a translation by a prefix."""
    walked = p.Walked(cpu, 1, prefix, slot, writable)
    filled = p.Filled(cpu, prefix, slot, writable, is_global, foreign)
    return p.WALK_ON.of(walked), p.FILL_THROUGH.of(filled)


@of_step
def mark_through(s: PrefixState, cpu: Cpu, level: int, prefix: int, slot: int, *, dirty: bool) -> Actions:
    """Mark the word by which a walk goes on as used."""
    t = s.prefixes[cpu, level, prefix].table
    marked = w.Stored(t, slot, s.pte.marked(s.words[t, slot], dirty=dirty))
    return p.WALK_ON.of(p.Walked(cpu, level, prefix, slot)), w.STORE.of(marked)


@of_step
def forget_prefix(_: State, cpu: Cpu, level: int, prefix: int) -> Actions:
    """Forget a prefix."""
    return (p.FORGET.of(p.Cached(cpu, level, prefix)),)
