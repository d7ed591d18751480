"""Abstract rows of an I/O ring, and the state that its invariants read.

A side has an index of its own for what it produces and one for what it consumes, whatever Xen calls them: a
frontend's are req_prod_pvt and rsp_cons, a backend's rsp_prod_pvt and req_cons.
"""

from typing import Final, Protocol

from xenspec.table import ReadTable
from xenspec.vocabulary import BACKEND, FRONTEND, RingSide

ASLEEP: Final = 0
PUSHED: Final = (4, 5, 6)
"""Between the store of a producer index and the event that may follow: before the barrier, before the look at
the event index, before the event."""
COPIED: Final = 10
BROKEN: Final = 14
"""Stages of a side that invariants speak of."""


class SideRow(Protocol):
    """A side of a ring."""

    @property
    def stage(self) -> int:
        """What it is about to do."""
        ...

    @property
    def prod(self) -> int:
        """Index of the next item that it writes."""
        ...

    @property
    def cons(self) -> int:
        """Index of the next item that it takes."""
        ...

    @property
    def pushed(self) -> int:
        """The producer index that it published last."""
        ...

    @property
    def old(self) -> int:
        """The producer index before the push in progress."""
        ...

    @property
    def limit(self) -> int:
        """It takes the items below."""
        ...

    @property
    def wanted(self) -> int:
        """The event index that it asked for last. Ghost."""
        ...

    @property
    def item(self) -> int:
        """The private copy of an item."""
        ...

    @property
    def fetches(self) -> int:
        """How often the item at `cons` was loaded. Ghost."""
        ...

    @property
    def checked(self) -> int:
        """What the check of the copy has looked at. Ghost."""
        ...

    @property
    def honest(self) -> bool:
        """It has stored into the page by the protocol only. Ghost."""
        ...


class ValueRow(Protocol):
    """What a side wrote into a slot."""

    @property
    def value(self) -> int:
        """The item. Ghost."""
        ...


class BellRow(Protocol):
    """The event channel to a side."""

    @property
    def pending(self) -> bool:
        """An event waits."""
        ...


class RequestRow(Protocol):
    """A request."""

    @property
    def sent(self) -> bool:
        """It waits for a response, as the frontend knows."""
        ...

    @property
    def held(self) -> bool:
        """It waits for a response, as the backend knows."""
        ...

    @property
    def due(self) -> int:
        """Responses that the application is still to be handed. Ghost."""
        ...

    @property
    def answers(self) -> int:
        """Responses written to it since it was taken, until one is taken. Ghost."""
        ...


class RingState(Protocol):
    """The tables that the invariants of a ring read."""

    @property
    def sides(self) -> ReadTable[int, SideRow]: ...  # noqa: D102 - named by its table
    @property
    def written(self) -> ReadTable[tuple[int, int], ValueRow]: ...  # noqa: D102 - named by its table
    @property
    def bells(self) -> ReadTable[int, BellRow]: ...  # noqa: D102 - named by its table
    @property
    def requests(self) -> ReadTable[int, RequestRow]: ...  # noqa: D102 - named by its table
    @property
    def size(self) -> int:
        """How many slots there are."""
        ...

    @property
    def modulus(self) -> int:
        """At which indices wrap: 2^32."""
        ...


def ahead(s: RingState, new: int, old: int) -> int:
    """Return how many items `new` is ahead of `old`, as indices that wrap."""
    return (new - old) % s.modulus


def other(x: RingSide) -> RingSide:
    """Return the other side."""
    return FRONTEND if x == BACKEND else BACKEND


def slot(s: RingState, index: int) -> int:
    """Return the slot of an item."""
    return index % s.size
