"""Lemmas of the proofs about grants: true of every reachable state, over ghost state that no monitor keeps.

They say what page-table entries and cached translations rest on (xenproofs.symbolic.matching).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from xenproofs.symbolic.sorts import K_CPU, K_FRAME, K_PAGE, K_SLOT
from xenspec.logic import Not, both, implies, ite

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenmodel.domains.rows import PhysicalCpu
    from xenmodel.grants.views import MappingView, UnmappingView
    from xenmodel.hardware.rows import TlbEntry
    from xenmodel.views import DomainView, EntryView, FrameView
    from xenproofs.symbolic.sorts import Kind
    from xenspec.table import ReadTable
    from xenspec.vocabulary import EntryId, TlbKey, VcpuId


class Author(Protocol):
    """By whose call an entry is linked."""

    @property
    def domain(self) -> int: ...  # noqa: D102 - named by its field


class Rest(Protocol):
    """The handle that an entry rests on, of its table's owner."""

    @property
    def handle(self) -> int: ...  # noqa: D102 - named by its field


class Place(Protocol):
    """The entry that rests on a handle."""

    @property
    def table(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def slot(self) -> int: ...  # noqa: D102


class Backer(Protocol):
    """What a translation rests on: a handle of its domain, or an unmapping that waits for its flush."""

    @property
    def handle(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def waits(self) -> bool: ...  # noqa: D102
    @property
    def vcpu(self) -> VcpuId: ...  # noqa: D102
    @property
    def place(self) -> int: ...  # noqa: D102


class State(Protocol):
    """The state that the lemmas read."""

    @property
    def frames(self) -> ReadTable[int, FrameView]: ...  # noqa: D102 - named by its table
    @property
    def entries(self) -> ReadTable[tuple[int, int], EntryView]: ...  # noqa: D102
    @property
    def domains(self) -> ReadTable[int, DomainView]: ...  # noqa: D102
    @property
    def cpus(self) -> ReadTable[int, PhysicalCpu]: ...  # noqa: D102
    @property
    def tlb(self) -> ReadTable[tuple[int, int], TlbEntry]: ...  # noqa: D102
    @property
    def mappings(self) -> ReadTable[tuple[int, int], MappingView]: ...  # noqa: D102
    @property
    def unmappings(self) -> ReadTable[tuple[tuple[int, int], int], UnmappingView]: ...  # noqa: D102
    @property
    def authors(self) -> ReadTable[tuple[int, int], Author]: ...  # noqa: D102
    @property
    def rests(self) -> ReadTable[tuple[int, int], Rest]: ...  # noqa: D102
    @property
    def places(self) -> ReadTable[tuple[int, int], Place]: ...  # noqa: D102
    @property
    def backers(self) -> ReadTable[tuple[int, int], Backer]: ...  # noqa: D102


def _needs_grants(s: State, domain: int) -> bool:
    """The domain is neither the control domain nor dying."""
    return Not(s.domains[domain].privileged) & Not(s.domains[domain].dying)


def foreign_entry_rests_on_a_mapping(s: State, e: EntryId) -> bool:
    """An entry that maps another domain's frame is the one entry of a mapping of that frame, as it is."""
    row, owner = s.entries[e], s.frames[e[0]].owner
    handle = (owner, s.rests[e].handle)
    mapping, place = s.mappings[handle], s.places[handle]
    return implies(
        row.linked
        & row.backed
        & (row.linked_as == 1)
        & (s.frames[row.target].owner != owner)
        & _needs_grants(s, owner),
        lambda: (
            mapping.pinned
            & mapping.host
            & mapping.stored
            & (mapping.frame == row.target)
            & (mapping.readonly == Not(row.writable))
            & (place.table == e[0])
            & (place.slot == e[1])
        ),
    )


def foreign_entry_of_a_control_domain_is_its_own_doing(s: State, e: EntryId) -> bool:
    """What maps another domain's frame in a control domain's table was linked by such a domain's call."""
    row, owner = s.entries[e], s.frames[e[0]].owner
    return implies(
        row.linked
        & row.backed
        & (row.linked_as == 1)
        & (s.frames[row.target].owner != owner)
        & s.domains[owner].privileged,
        lambda: s.domains[s.authors[e].domain].privileged,
    )


def foreign_translation_rests_on_a_use(s: State, k: TlbKey) -> bool:
    """A translation of another domain's frame rests on a mapping, or on an unmapping before its flush."""
    x, backer = s.tlb[k], s.backers[k]
    mapping = s.mappings[x.domain, backer.handle]
    unmapping = s.unmappings[backer.vcpu, backer.place]
    return implies(
        both(x.valid & x.foreign, lambda: x.epoch == s.cpus[k[0]].epoch) & _needs_grants(s, x.domain),
        lambda: ite(
            backer.waits,
            unmapping.host
            & (backer.vcpu[0] == x.domain)
            & (unmapping.frame == x.frame)
            & (Not(x.writable) | Not(unmapping.readonly))
            & (unmapping.stamp >= s.cpus[k[0]].flushed_at),
            mapping.pinned
            & mapping.host
            & (mapping.stored | mapping.live)
            & (mapping.frame == x.frame)
            & (Not(x.writable) | Not(mapping.readonly)),
        ),
    )


GRANT_LEMMAS: Final[tuple[tuple[tuple[Kind, ...], Callable[..., object]], ...]] = (
    ((K_FRAME, K_SLOT), foreign_entry_rests_on_a_mapping),
    ((K_FRAME, K_SLOT), foreign_entry_of_a_control_domain_is_its_own_doing),
    ((K_CPU, K_PAGE), foreign_translation_rests_on_a_use),
)
"""Each lemma with the kinds of its keys."""

NEAR_GRANTS: Final[dict[str, tuple[str, ...]]] = {
    "mapping_is_authorised": (
        "foreign_entry_rests_on_a_mapping",
        "foreign_entry_of_a_control_domain_is_its_own_doing",
    ),
    "writable_mapping_is_authorised": (
        "foreign_entry_rests_on_a_mapping",
        "foreign_entry_of_a_control_domain_is_its_own_doing",
    ),
    "cached_foreign_translation_is_granted": ("foreign_translation_rests_on_a_use",),
    "foreign_translation_rests_on_a_use": (
        "foreign_entry_rests_on_a_mapping",
        "cached_domain_is_dirty",
        "cached_on_a_cpu_that_exists",
        "flush_is_not_in_the_future",
    ),
}
"""What a solver is first given beside a statement itself: a hint, which decides nothing."""
