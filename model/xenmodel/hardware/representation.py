"""Why a stale translation does no harm: invariants over cached translations, flush clocks and dirty CPUs.

A translation is *current* if it is valid and its CPU was not flushed since it was filled. It may outlive the
entry that it came from; what it leads to may then lose its references and change its type. That is safe
because the flush of a type change visits every CPU that may hold one: a CPU is skipped only if it was flushed
after the frame's last use (`flushed_at > stamp`), or never ran a domain that could have cached it (`dirty`).
A translation that led to another domain's frame already when it was filled (`foreign`) is left, as by Xen, to
the control domain, which alone can bring it about.

A *prefix* of walks may outlive the tables that it came through, and the processor walks on from it by the
words that are in its table by then. So it must lead to a table that is still one, or to a frame that was one
after the CPU's last flush (`demoted_at`, when it ceased to be) and holds the same words still: before it may
hold others its type must change, or it must be given away, and both flush it from every such CPU first, since
the last use of a table is stamped no earlier than its demotion begins. The same then holds of each frame that
the words of a demoted table name: xenproofs.obligations.lemmas says so for each CPU, table and slot.
"""

from typing import Protocol

from xenmodel.domains.rows import DirtyCpu, Globals, PhysicalCpu
from xenmodel.hardware.rows import Prefix, TlbEntry
from xenmodel.memory.rows import Demotion
from xenmodel.views import DomainView, FrameView, VcpuView
from xenspec.invariant import Kind, Registry
from xenspec.logic import Not, both, either, implies
from xenspec.table import ReadTable
from xenspec.vocabulary import (
    DOMID_FIRST_RESERVED,
    DOMID_INVALID,
    L1,
    L4,
    NO_TYPE,
    WRITABLE,
    Cpu,
    DirtyId,
    Mfn,
    PrefixId,
    TlbKey,
)


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
    def prefixes(self) -> ReadTable[tuple[int, int, int], Prefix]: ...  # noqa: D102
    @property
    def demotions(self) -> ReadTable[int, Demotion]: ...  # noqa: D102
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


@invariant(property=(8, 32))
def running_vcpu_exists(s: State, c: Cpu) -> bool:
    """A CPU runs its idle vCPU, or one that a domain has, which is on this CPU and on no other."""
    v = s.cpus[c].current
    return implies(
        (c >= 0) & (c < s.cpu_count),
        lambda: either(
            v[0] >= DOMID_FIRST_RESERVED,
            lambda: (v[1] >= 0) & (v[1] < s.domains[v[0]].vcpus) & (s.vcpus[v].cpu == c),
        ),
    )


@invariant(property=(8, 32))
def dirty_cpu_runs_the_domain(s: State, k: DirtyId) -> bool:
    """A CPU is flushed as it leaves a domain: it is a dirty CPU of no other than the one that it runs."""
    return implies(
        s.dirty[k].dirty,
        lambda: (k[1] >= 0) & (k[1] < s.cpu_count) & (s.vcpus[s.cpus[k[1]].current].domain == k[0]),
    )


@invariant(property=8, advisories=(241,))
def flush_is_not_in_the_future(s: State, c: Cpu) -> bool:
    """No CPU's last flush is later than the flush clock."""
    return s.cpus[c].flushed_at <= s.world[0].clock


# --- Prefixes of walks --------------------------------------------------------------------------------------


def _walked(s: State, p: PrefixId) -> bool:
    """The prefix is valid and its CPU was not flushed since it was filled."""
    k = s.prefixes[p]
    return both(k.valid, lambda: k.epoch == s.cpus[p[0]].epoch)


def may_be_walked(s: State, c: int, f: int) -> bool:
    """A CPU may still have cached what led to a frame while it was a validated table."""
    d = s.demotions[f]
    return both(
        d.demoted,
        lambda: (d.demoted_at >= s.cpus[c].flushed_at) & s.dirty[d.demoted_owner, c].dirty,
    )


@invariant(property=8)
def prefix_is_on_a_cpu_that_exists(s: State, p: PrefixId) -> bool:
    """Only the machine's own CPUs cache prefixes of walks, none of them in an epoch to come."""
    return implies(
        s.prefixes[p].valid,
        lambda: (
            (p[0] >= 0) & (p[0] < s.cpu_count) & (s.prefixes[p].epoch <= s.cpus[p[0]].epoch) & (p[1] >= L1)
        ),
    )


@invariant(property=(1, 8))
def prefix_leads_to_a_table_or_what_was_one(s: State, p: PrefixId) -> bool:
    """A prefix leads to a table of its domain, or to a frame that was one after the CPU's last flush."""
    return implies(_walked(s, p), lambda: either(_leads_to_a_table(s, p), lambda: _led_to_a_table(s, p)))


def _leads_to_a_table(s: State, p: PrefixId) -> bool:
    """The prefix leads to a validated table, of the level at which it is read if the path allows writing."""
    k = s.prefixes[p]
    frame = s.frames[k.table]
    return (
        frame.validated
        & (frame.type >= p[1])
        & (frame.type <= L4)
        & (frame.owner == k.domain)
        & ((frame.type == p[1]) | Not(k.writable))
    )


def _led_to_a_table(s: State, p: PrefixId) -> bool:
    """The prefix leads to a frame that the CPU may have reached as such a table."""
    k = s.prefixes[p]
    d = s.demotions[k.table]
    return both(
        may_be_walked(s, p[0], k.table),
        lambda: (
            (d.demoted_from >= p[1])
            & (d.demoted_owner == k.domain)
            & ((d.demoted_from == p[1]) | Not(k.writable))
        ),
    )


@invariant(property=(7, 8))
def prefix_of_a_frame_out_of_use_is_ahead_of_its_flush(s: State, p: PrefixId) -> bool:
    """A CPU with a prefix into a frame that is free, or changes its type, will yet be flushed for it."""
    return implies(
        both(_walked(s, p), lambda: _is_leaving(s.frames[s.prefixes[p].table])),
        lambda: p[0] >= s.frames[s.prefixes[p].table].cursor,
    )


def _is_leaving(frame: FrameView) -> bool:
    """The frame is free, or its change of type is being flushed."""
    return frame.flushing | (frame.ref_count == 0)


@invariant(property=8, advisories=(217,))
def domain_of_a_prefix_is_dirty(s: State, p: PrefixId) -> bool:
    """A CPU that caches a prefix of a domain's walks counts among the domain's dirty CPUs."""
    return implies(_walked(s, p), lambda: s.dirty[s.prefixes[p].domain, p[0]].dirty)


@invariant(property=(1, 5, 8), advisories=(241, 401))
def demoted_frame_is_nothing_else_yet(s: State, f: Mfn) -> bool:
    """A frame that was a table since its type last changed is one of the same level, or none, or changes."""
    d, frame = s.demotions[f], s.frames[f]
    return implies(
        d.demoted,
        lambda: (
            (d.demoted_from >= L1)
            & (d.demoted_from <= L4)
            & (frame.flushing | (frame.type == NO_TYPE) | (frame.type == d.demoted_from))
        ),
    )


@invariant(property=8, advisories=(241,))
def demoted_frame_out_of_use_is_stamped(s: State, f: Mfn) -> bool:
    """The last use of what was a table is stamped no earlier than its demotion began."""
    return implies(
        s.demotions[f].demoted,
        lambda: (
            (s.demotions[f].demoted_at <= s.world[0].clock)
            & implies(
                (s.frames[f].type_count == 0) | _is_leaving(s.frames[f]),
                lambda: s.frames[f].stamp >= s.demotions[f].demoted_at,
            )
        ),
    )


@invariant(property=(2, 7))
def demoted_frame_stays_with_its_owner(s: State, f: Mfn) -> bool:
    """A frame that was a table since its type last changed is still its owner's, or free."""
    return implies(
        s.demotions[f].demoted,
        lambda: both(
            s.demotions[f].demoted_owner != DOMID_INVALID,
            lambda: either(
                s.frames[f].owner == s.demotions[f].demoted_owner,
                lambda: (
                    (s.frames[f].ref_count == 0) & (s.frames[f].type == NO_TYPE) & Not(s.frames[f].flushing)
                ),
            ),
        ),
    )


@invariant(property=(1, 8), advisories=(241, 401))
def cached_writable_was_no_table_since(s: State, k: TlbKey) -> bool:
    """What a CPU can write was no validated table since its type last changed: nobody walks through it."""
    x = s.tlb[k]
    return implies(
        _current(s, k) & x.writable,
        lambda: either(Not(s.demotions[x.frame].demoted), lambda: x.foreign),
    )
