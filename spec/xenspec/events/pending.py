"""Event channels as one set: which ports are pending and which are masked, in whichever ABI (property 23).

    raised(p)     p becomes pending
    delivered(p)  p was pending and not masked, and is pending no more: its handler runs
    dropped(p)    p is pending no more: its guest, or its end, has cleared it
    masked(p), unmasked(p)

Selectors, queues, upcalls and notices are how an ABI gets there; no step of theirs changes the set.
"""

from collections.abc import Callable
from typing import Final, NamedTuple


class PendingSet(NamedTuple):
    """The ports of a domain that are pending, and those that are masked."""

    pending: frozenset[int]
    masked: frozenset[int]

    @property
    def deliverable(self) -> frozenset[int]:
        """The ports that a handler is to be run for."""
        return self.pending - self.masked


def raised(s: PendingSet, p: int) -> PendingSet:
    """Return the set after an event."""
    return s._replace(pending=s.pending | {p})


def delivered(s: PendingSet, p: int) -> PendingSet:
    """Return the set after a delivery; only what is pending and not masked is delivered.

    Raises:
        ValueError: it is not.
    """
    if p not in s.deliverable:
        raise ValueError(p)
    return s._replace(pending=s.pending - {p})


def dropped(s: PendingSet, p: int) -> PendingSet:
    """Return the set after a pending bit was cleared without a delivery."""
    return s._replace(pending=s.pending - {p})


def masked(s: PendingSet, p: int) -> PendingSet:
    """Return the set after a port was masked."""
    return s._replace(masked=s.masked | {p})


def unmasked(s: PendingSet, p: int) -> PendingSet:
    """Return the set after a port was unmasked."""
    return s._replace(masked=s.masked - {p})


CHANGES: Final[dict[str, Callable[[PendingSet, int], PendingSet]]] = {
    "raised": raised,
    "delivered": delivered,
    "dropped": dropped,
    "masked": masked,
    "unmasked": unmasked,
}
"""Every change of the set, by name."""
