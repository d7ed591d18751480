"""Lemmas of the proofs about event channels: true of every reachable state, and of no use to a monitor.

They tie the two counts that steps keep to the sizes of what they count (xenproofs.symbolic.census).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from xenproofs.symbolic.sorts import K_DOMAIN, K_PORT

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenmodel.events.views import ChannelsView, PortView
    from xenproofs.symbolic.sorts import Kind
    from xenspec.table import ReadTable
    from xenspec.vocabulary import DomId, PortId


class Sized(Protocol):
    """The size of a set."""

    @property
    def count(self) -> int:
        """How many members it has."""
        ...


class State(Protocol):
    """The state that the lemmas read."""

    @property
    def channels(self) -> ReadTable[int, ChannelsView]: ...  # noqa: D102 - named by its table
    @property
    def ports(self) -> ReadTable[tuple[int, int], PortView]: ...  # noqa: D102
    @property
    def workers(self) -> ReadTable[tuple[int, int], Sized]: ...  # noqa: D102
    @property
    def used(self) -> ReadTable[int, Sized]: ...  # noqa: D102


def readers_are_the_notices_of_a_port(s: State, p: PortId) -> bool:
    """A port is locked as often as notices hold it."""
    return s.ports[p].readers == s.workers[p].count


def active_ports_are_those_in_use(s: State, d: DomId) -> bool:
    """A domain counts as active the ports that are in use."""
    return s.channels[d].active == s.used[d].count


EVENT_LEMMAS: Final[tuple[tuple[tuple[Kind, ...], Callable[..., bool]], ...]] = (
    ((K_DOMAIN, K_PORT), readers_are_the_notices_of_a_port),
    ((K_DOMAIN,), active_ports_are_those_in_use),
)
"""Each lemma with the kinds of its keys."""

NEAR_EVENTS: Final[dict[str, tuple[str, ...]]] = {
    "kept_event_waits_for_its_word_alone": (
        "kept_event_is_told_when_its_word_comes",
        "joined_port_is_told_at_once",
        "words_are_told_of_in_turn",
    ),
    "pending_port_will_be_looked_at": (
        "free_port_is_clean",
        "joined_ports_name_each_other",
        "notice_is_by_the_abi_of_its_stage",
    ),
    "unselected_port_is_between_pending_and_selected": (
        "free_port_is_clean",
        "joined_ports_name_each_other",
        "notice_is_by_the_abi_of_its_stage",
    ),
    "poller_is_ahead_of_the_announcement": (
        "polling_vcpu_waits_for_what_it_saw",
        "ports_are_seen_after_the_sleep_has_begun",
        "only_port_of_a_poll_is_the_last_one",
        "sleeping_vcpu_exists",
        "notice_begins_with_the_first_vcpu",
        "notice_holds_its_port",
        "notice_is_by_the_abi_of_its_stage",
        "free_port_is_clean",
    ),
    "bury.joined_domain_exists": (
        "joined_ports_name_each_other",
        "active_ports_are_those_in_use",
        "members of `used` count",
    ),
    "polling_vcpu_waits_for_what_is_not_pending": (
        "poller_is_ahead_of_the_announcement",
        "polling_vcpu_waits_for_what_it_saw",
        "ports_are_seen_after_the_sleep_has_begun",
        "only_port_of_a_poll_is_the_last_one",
        "sleeping_vcpu_exists",
        "notice_begins_with_the_first_vcpu",
        "notice_is_by_the_abi_of_its_stage",
        "free_port_is_clean",
    ),
}
"""What a solver is first given beside a statement itself (decision 6): a hint, which decides nothing."""
