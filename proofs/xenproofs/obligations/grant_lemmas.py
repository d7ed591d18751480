"""Lemmas of the proofs about grants: true of every reachable state, over ghost state that no monitor keeps.

They say what page-table entries and cached translations rest on (xenproofs.symbolic.matching).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from xenproofs.obligations.lemmas import NEAR, WalkedState, may_be_read
from xenproofs.symbolic.sorts import K_CPU, K_DOMAIN, K_FRAME, K_PAGE, K_SLOT
from xenspec.logic import Not, both, implies, ite
from xenspec.vocabulary import DOMID_FIRST_RESERVED, L1

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenmodel.domains.rows import PhysicalCpu
    from xenmodel.grants.views import MappingView, UnmappingView
    from xenmodel.hardware.rows import TlbEntry
    from xenmodel.views import DomainView, EntryView, FrameView
    from xenproofs.symbolic.sorts import Kind
    from xenspec.table import ReadTable
    from xenspec.vocabulary import DomId, EntryId, TlbKey, VcpuId


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


class Past(Protocol):
    """What an entry that is unlinked mapped, and rests on: its handle, or an unmapping that waits."""

    @property
    def foreign(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def waits(self) -> bool: ...  # noqa: D102
    @property
    def vcpu(self) -> VcpuId: ...  # noqa: D102
    @property
    def place(self) -> int: ...  # noqa: D102


class Charge(Protocol):
    """How many frames a domain is charged for."""

    @property
    def count(self) -> int: ...  # noqa: D102 - named by its field


class State(WalkedState, Protocol):
    """The state that the lemmas read."""

    @property
    def charged(self) -> ReadTable[int, Charge]: ...  # noqa: D102 - named by its table

    @property
    def xens_pages(self) -> ReadTable[int, Charge]: ...  # noqa: D102

    @property
    def pasts(self) -> ReadTable[tuple[int, int], Past]: ...  # noqa: D102

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


def foreign_word_of_a_demoted_table_rests_on_a_use(s: State, h: tuple[int, int, int]) -> bool:
    """What a CPU may still reach of another domain's by a demoted table rests on a mapping, or its unmapping.

    The unmapping waits for a flush that every CPU which may have cached the way to the table is yet to make.
    """
    c, t, slot = h
    past, word, owner = s.pasts[t, slot], s.words[t, slot], s.demotions[t].demoted_owner
    mapping, unmapping = s.mappings[owner, s.rests[t, slot].handle], s.unmappings[past.vcpu, past.place]
    g, writable = s.pte.target(word), s.pte.writable(word)
    return implies(
        may_be_read(s, c, t, slot)
        & (s.demotions[t].demoted_from == L1)
        & s.entries[t, slot].backed
        & past.foreign
        & _needs_grants(s, owner),
        lambda: (
            (s.frames[g].owner != owner)
            & ite(
                past.waits,
                unmapping.host
                & (past.vcpu[0] == owner)
                & (unmapping.frame == g)
                & (Not(writable) | Not(unmapping.readonly))
                & (unmapping.stamp >= s.cpus[c].flushed_at),
                mapping.pinned
                & mapping.host
                & (mapping.stored | mapping.live)
                & (mapping.frame == g)
                & (Not(writable) | Not(mapping.readonly)),
            )
        ),
    )


def pages_are_what_is_charged(s: State, d: DomId) -> bool:
    """A domain's pages are the frames that it owns, Xen's own apart, and those that transfers promise it."""
    return implies((d >= 0) & (d < DOMID_FIRST_RESERVED), lambda: s.domains[d].pages == s.charged[d].count)


def pages_of_xen_are_counted(s: State, d: DomId) -> bool:
    """A domain has as many pages of Xen's own as there are such frames that are its."""
    return implies(
        (d >= 0) & (d < DOMID_FIRST_RESERVED), lambda: s.domains[d].xen_pages == s.xens_pages[d].count
    )


GRANT_LEMMAS: Final[tuple[tuple[tuple[Kind, ...], Callable[..., object]], ...]] = (
    ((K_FRAME, K_SLOT), foreign_entry_rests_on_a_mapping),
    ((K_FRAME, K_SLOT), foreign_entry_of_a_control_domain_is_its_own_doing),
    ((K_CPU, K_PAGE), foreign_translation_rests_on_a_use),
    ((K_CPU, K_FRAME, K_SLOT), foreign_word_of_a_demoted_table_rests_on_a_use),
    ((K_DOMAIN,), pages_are_what_is_charged),
    ((K_DOMAIN,), pages_of_xen_are_counted),
)
"""Each lemma with the kinds of its keys."""

_WORD: Final = "word_of_a_demoted_l1_table_leads_to_memory"
_STALE: Final = "foreign_word_of_a_demoted_table_rests_on_a_use"
_RESTS: Final = ("foreign_entry_rests_on_a_mapping", "linked_entry_agrees_with_its_word", _WORD)
NEAR_GRANTS: Final[dict[str, tuple[str, ...]]] = {
    **{name.replace(_WORD, _STALE): (*_RESTS, *near) for name, near in NEAR.items() if name.endswith(_WORD)},
    f"unmap_host.{_STALE}": (
        *_RESTS,
        "an empty word",
        "flush_is_not_in_the_future",
        "demoted_frame_stays_with_its_owner",
        "live_frame_has_an_owner",
        "validated_table_is_in_use",
    ),
    "fill_through.foreign_translation_rests_on_a_use": (
        *NEAR["fill_through.cached_free_frame_is_stamped"],
        *_RESTS,
        _STALE,
    ),
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
