"""Rows of an I/O ring: the two sides, the page that they share, and the memory in between.

Both sides do the same with exchanged parts: each produces items (a frontend requests, a backend responses)
and consumes those of the other. A side's own indices carry one name here for both:

| here | frontend | backend |
| --- | --- | --- |
| `prod` | req_prod_pvt | rsp_prod_pvt |
| `cons` | rsp_cons | req_cons |
| `Place.REQ_PROD`, `REQ_EVENT` of the page | writes, reads | reads, writes |
| `Place.RSP_PROD`, `RSP_EVENT` of the page | reads, writes | writes, reads |

`wanted`, `fetches`, `checked`, `honest`, `due`, `answers` and the table `written` are ghost state: no step's
guard reads them.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from xenmodel.abi.ring import NOTHING

NO_LIMIT: Final = -1
"""A frontend that never runs out of requests."""


class Stage(IntEnum):
    """What a side is about to do."""

    ASLEEP = 0
    """Wait for an event."""
    FILL = 1
    """Write items into free slots, or begin to push those that are written."""
    ORDER = 2
    """The old index is read: order the items before the index (xen_wmb)."""
    PUBLISH = 3
    """Store the producer index."""
    FENCE = 4
    """Order the index before the look at the peer's event index (xen_mb)."""
    CHECK = 5
    """Load the peer's event index: is it to be notified?"""
    NOTIFY = 6
    """Send the event."""
    LOOK = 7
    """Load the peer's producer index."""
    READS = 8
    """It names new items: order it before them (xen_rmb)."""
    TAKE = 9
    """Copy the next item, if there is one."""
    COPIED = 10
    """Check the private copy."""
    ASK = 11
    """There is nothing: store the event index."""
    ASKED = 12
    """Order it before the last look (xen_mb)."""
    AGAIN = 13
    """Load the peer's producer index for the last time before sleep."""
    BROKEN = 14
    """The peer broke the protocol: the ring is left alone for ever."""


ASLEEP: Final = Stage.ASLEEP
FILL: Final = Stage.FILL
ORDER: Final = Stage.ORDER
PUBLISH: Final = Stage.PUBLISH
FENCE: Final = Stage.FENCE
CHECK: Final = Stage.CHECK
NOTIFY: Final = Stage.NOTIFY
LOOK: Final = Stage.LOOK
READS: Final = Stage.READS
TAKE: Final = Stage.TAKE
COPIED: Final = Stage.COPIED
ASK: Final = Stage.ASK
ASKED: Final = Stage.ASKED
AGAIN: Final = Stage.AGAIN
BROKEN: Final = Stage.BROKEN


class MemoryModel(IntEnum):
    """What two processors may see of each other's stores."""

    SC = 0
    """Sequential consistency: each access happens at once."""
    TSO = 1
    """A FIFO of stores for each side, as x86 has: a load may pass earlier stores."""
    ARM = 2
    """Stores to different addresses leave in any order, and a load may have happened early."""


SC: Final = MemoryModel.SC
TSO: Final = MemoryModel.TSO
ARM: Final = MemoryModel.ARM


class Place(IntEnum):
    """A word of the shared page."""

    REQ_PROD = 0
    RSP_PROD = 1
    REQ_EVENT = 2
    RSP_EVENT = 3
    SLOT = 4
    """A request or a response: they share the slots."""
    MARK = 5
    """No word: the place of a write barrier among stores that wait."""


REQ_PROD: Final = Place.REQ_PROD
RSP_PROD: Final = Place.RSP_PROD
REQ_EVENT: Final = Place.REQ_EVENT
RSP_EVENT: Final = Place.RSP_EVENT
SLOT: Final = Place.SLOT
MARK: Final = Place.MARK


class Location(NamedTuple):
    """A word of the shared page, a slot by its number."""

    place: Place
    slot: int = 0


WORDS: Final = tuple(Location(place) for place in (REQ_PROD, RSP_PROD, REQ_EVENT, RSP_EVENT))
"""The indices of the shared page."""


class Store(NamedTuple):
    """A store that has not reached memory."""

    where: Location
    value: int


BARRIER: Final = Store(Location(MARK), 0)
"""What is stored before it reaches memory before what is stored after it."""


@dataclass(slots=True)
class Side:
    """One side, keyed FRONTEND or BACKEND."""

    stage: Stage = Stage.ASLEEP
    prod: int = 0
    """Index of the next item to write."""
    cons: int = 0
    """Index of the next item to take."""
    pushed: int = 0
    """The producer index that it published last."""
    old: int = 0
    """Its producer index as it stood in the page when the push began."""
    limit: int = 0
    """It takes the items below: the peer's producer index, copied once and bounded."""
    wanted: int = 0
    """The event index that it asked for last."""
    item: int = NOTHING
    """The private copy of the item at `cons`."""
    fetches: int = 0
    """How often that item was loaded."""
    checked: int = NOTHING
    """What the check has looked at."""
    left: int = NO_LIMIT
    """Requests that the application still has."""
    honest: bool = True
    """It has stored into the page by the protocol only."""


@dataclass(slots=True)
class Cell:
    """A word of memory."""

    value: int = NOTHING


@dataclass(slots=True)
class Buffer:
    """A side's stores that have not reached memory, the oldest first; keyed by the side."""

    stores: tuple[Store, ...] = ()


@dataclass(slots=True)
class Early:
    """Earlier values of a word that a load may still give, the oldest first; keyed (side, location).

    A load that happens early gives what the word held then. It cannot have happened before the side's last
    read barrier, before its last load or store of the same word, or before it was woken.
    """

    values: tuple[int, ...] = ()


@dataclass(slots=True)
class Bell:
    """The event channel to a side, which loses no event (see the invariants of events); keyed by the side."""

    pending: bool = False


@dataclass(slots=True)
class Request:
    """A request, keyed by its number."""

    sent: bool = False
    """It waits for a response: the frontend's own record."""
    held: bool = False
    """It was taken and is not answered: the backend's own record."""
    due: int = 0
    """Responses that the application is still to be handed."""
    answers: int = 0
    """How many responses were written to it since it was taken, until one is taken."""
