"""Why a stale translation does no harm: invariants over cached translations, flush clocks and dirty CPUs.

A translation is *current* if it is valid and its CPU was not flushed since it was filled. It may outlive the
entry that it came from; what it leads to may then lose its references and change its type. That is safe
because the flush of a type change visits every CPU that may hold one: a CPU is skipped only if it was flushed
after the frame's last use (`flushed_at > stamp`), or never ran a domain that could have cached it (`dirty`).
A translation that led to another domain's frame already when it was filled (`foreign`) is left, as by Xen, to
the control domain, which alone can bring it about.
"""

from typing import Protocol

from xenmodel.domains.rows import DirtyCpu, Globals, PhysicalCpu
from xenmodel.hardware.rows import TlbEntry
from xenmodel.views import DomainView, FrameView, VcpuView
from xenspec.invariant import Kind, Registry
from xenspec.logic import both, either, implies
from xenspec.table import ReadTable
from xenspec.vocabulary import WRITABLE, Cpu, TlbKey


class State(Protocol):
    """The state that the invariants of this module read."""

    @property
    def frames(self) -> ReadTable[int, FrameView]: ...  # noqa: D102 - named by its table
    @property
    def domains(self) -> ReadTable[int, DomainView]: ...  # noqa: D102
    @property
    def vcpus(self) -> ReadTable[tuple[int, int], VcpuView]: ...  # noqa: D102
    @property
    def cpus(self) -> ReadTable[int, PhysicalCpu]: ...  # noqa: D102
    @property
    def dirty(self) -> ReadTable[tuple[int, int], DirtyCpu]: ...  # noqa: D102
    @property
    def tlb(self) -> ReadTable[tuple[int, int], TlbEntry]: ...  # noqa: D102
    @property
    def world(self) -> ReadTable[int, Globals]: ...  # noqa: D102
    @property
    def cpu_count(self) -> int: ...  # noqa: D102


REPRESENTATION: Registry[State] = Registry("tlb", Kind.REPRESENTATION)
invariant = REPRESENTATION.invariant


def _current(s: State, k: TlbKey) -> bool:
    """The translation is valid and its CPU was not flushed since."""
    x = s.tlb[k]
    return both(x.valid, lambda: x.epoch == s.cpus[k[0]].epoch)


@invariant(property=8)
def cached_on_a_cpu_that_exists(s: State, k: TlbKey) -> bool:
    """Only the machine's own CPUs cache translations, none of them in an epoch to come."""
    return implies(
        s.tlb[k].valid,
        lambda: (k[0] >= 0) & (k[0] < s.cpu_count) & (s.tlb[k].epoch <= s.cpus[k[0]].epoch),
    )


@invariant(property=(1, 8), advisories=(241, 401))
def cached_writable_targets_writable_or_is_to_be_flushed(s: State, k: TlbKey) -> bool:
    """What a CPU can write is writable memory, or free, or about to be flushed from this CPU."""
    x = s.tlb[k]
    return implies(
        _current(s, k) & x.writable,
        lambda: either(_is_harmless(s.frames[x.frame]) | _is_ahead(s.frames[x.frame], k), lambda: x.foreign),
    )


def _is_harmless(frame: FrameView) -> bool:
    """The frame is writable memory, or free."""
    return (frame.type == WRITABLE) | (frame.ref_count == 0)


def _is_ahead(frame: FrameView, k: TlbKey) -> bool:
    """The flush of the frame's change of type has yet to come to the CPU."""
    return frame.flushing & (k[0] >= frame.cursor)


@invariant(property=8, advisories=(241,))
def cached_writable_out_of_use_is_stamped(s: State, k: TlbKey) -> bool:
    """What a CPU can write although it is no writable memory in use was in use after the CPU's last flush."""
    x = s.tlb[k]
    return implies(
        both(_current(s, k) & x.writable, lambda: _is_out_of_use(s.frames[x.frame])),
        lambda: either(s.frames[x.frame].stamp >= s.cpus[k[0]].flushed_at, lambda: x.foreign),
    )


def _is_out_of_use(frame: FrameView) -> bool:
    """The frame is not held as writable memory."""
    return (frame.type != WRITABLE) | (frame.type_count == 0)


@invariant(property=(7, 8), advisories=(217, 241))
def cached_free_frame_is_stamped(s: State, k: TlbKey) -> bool:
    """What a CPU still reaches although it is free was freed after the CPU's last flush."""
    return implies(_reaches_free(s, k), lambda: s.frames[s.tlb[k].frame].stamp >= s.cpus[k[0]].flushed_at)


def _reaches_free(s: State, k: TlbKey) -> bool:
    """The translation is current and leads to a free frame."""
    return both(_current(s, k), lambda: s.frames[s.tlb[k].frame].ref_count == 0)


@invariant(property=(7, 8), advisories=(217,))
def cached_free_frame_is_ahead_of_its_flush(s: State, k: TlbKey) -> bool:
    """A CPU that still reaches a free frame will be flushed before the frame is given away."""
    return implies(_reaches_free(s, k), lambda: k[0] >= s.frames[s.tlb[k].frame].cursor)


@invariant(property=8, advisories=(217,))
def cached_domain_is_dirty(s: State, k: TlbKey) -> bool:
    """A CPU that caches a translation of a domain counts among the domain's dirty CPUs."""
    return implies(_current(s, k), lambda: s.dirty[s.tlb[k].domain, k[0]].dirty)


@invariant(property=8)
def running_domain_is_dirty(s: State, c: Cpu) -> bool:
    """A CPU counts among the dirty CPUs of the domain that it runs."""
    return implies((c >= 0) & (c < s.cpu_count), lambda: s.dirty[s.vcpus[s.cpus[c].current].domain, c].dirty)


@invariant(property=8, advisories=(241,))
def flush_is_not_in_the_future(s: State, c: Cpu) -> bool:
    """No CPU's last flush is later than the flush clock."""
    return s.cpus[c].flushed_at <= s.world[0].clock
