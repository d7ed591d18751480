"""One ring: its tables, the read-only view of them, and the steps that change them.

Rings share nothing with each other and little with the rest of Xen (an event channel, frames that a grant
shares), so each is a machine of its own. A step is one access to the shared page, one barrier, or work on
private rows; see xenmodel.step for the rules. `ring_step` registers it with what it may write.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from xenmodel.abi.ring import INDEX_MASK, successor
from xenmodel.rings.rows import (
    REQ_EVENT,
    REQ_PROD,
    RSP_EVENT,
    RSP_PROD,
    SC,
    Bell,
    Buffer,
    Cell,
    Early,
    Location,
    MemoryModel,
    Request,
    Side,
    Stage,
    Store,
)
from xenspec.table import PlainTable, ReadTable, Table
from xenspec.vocabulary import BACKEND, FRONTEND, RingSide

P = ParamSpec("P")
R = TypeVar("R")


class SideView(Protocol):
    """A side, read only; fields as in xenmodel.rings.rows.Side."""

    @property
    def stage(self) -> Stage: ...  # noqa: D102 - named by its field
    @property
    def prod(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def cons(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def pushed(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def limit(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def item(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def left(self) -> int: ...  # noqa: D102 - named by its field


class CellView(Protocol):
    """A word of memory, read only."""

    @property
    def value(self) -> int: ...  # noqa: D102 - named by its field


class BufferView(Protocol):
    """Waiting stores, read only."""

    @property
    def stores(self) -> tuple[Store, ...]: ...  # noqa: D102 - named by its field


class EarlyView(Protocol):
    """Earlier values, read only."""

    @property
    def values(self) -> tuple[int, ...]: ...  # noqa: D102 - named by its field


class BellView(Protocol):
    """An event channel, read only."""

    @property
    def pending(self) -> bool: ...  # noqa: D102 - named by its field


class RequestView(Protocol):
    """A request, read only."""

    @property
    def sent(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def held(self) -> bool: ...  # noqa: D102 - named by its field


class RingView(Protocol):
    """What a sequence of steps may look at."""

    @property
    def sides(self) -> ReadTable[int, SideView]: ...  # noqa: D102 - named by its table
    @property
    def cells(self) -> ReadTable[Location, CellView]: ...  # noqa: D102 - named by its table
    @property
    def buffers(self) -> ReadTable[int, BufferView]: ...  # noqa: D102 - named by its table
    @property
    def early(self) -> ReadTable[tuple[int, Location], EarlyView]: ...  # noqa: D102 - named by its table
    @property
    def bells(self) -> ReadTable[int, BellView]: ...  # noqa: D102 - named by its table
    @property
    def requests(self) -> ReadTable[int, RequestView]: ...  # noqa: D102 - named by its table
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def mask(self) -> int: ...  # noqa: D102
    @property
    def model(self) -> MemoryModel: ...  # noqa: D102


@dataclass(slots=True)
class RingMachine:
    """Every table of a ring."""

    sides: Table[int, Side]
    cells: Table[Location, Cell]
    buffers: Table[int, Buffer]
    early: Table[tuple[int, Location], Early]
    bells: Table[int, Bell]
    requests: Table[int, Request]
    written: Table[tuple[int, int], Cell]
    """What a side wrote into a slot, until it is taken (ghost); keyed (side, slot)."""
    size: int
    """Slots, a power of two (nr_ents)."""
    mask: int = INDEX_MASK
    """Of an index; shorter ones are for small worlds."""
    model: MemoryModel = SC

    @property
    def modulus(self) -> int:
        """At which indices wrap."""
        return self.mask + 1


def plain_ring(
    size: int,
    *,
    model: MemoryModel = SC,
    mask: int = INDEX_MASK,
    start: int = 0,
) -> RingMachine:
    """Return a ring of plain rows, both sides asleep, whose first item has the index `start`.

    SHARED_RING_INIT, FRONT_RING_ATTACH and BACK_RING_ATTACH: producers at the start, event indices one ahead.
    """
    first = successor(start, mask=mask)
    m = RingMachine(
        sides=PlainTable("sides", lambda _: Side()),
        cells=PlainTable("cells", lambda _: Cell()),
        buffers=PlainTable("buffers", lambda _: Buffer()),
        early=PlainTable("early", lambda _: Early()),
        bells=PlainTable("bells", lambda _: Bell()),
        requests=PlainTable("requests", lambda _: Request()),
        written=PlainTable("written", lambda _: Cell()),
        size=size,
        mask=mask,
        model=model,
    )
    for x in (FRONTEND, BACKEND):
        side = m.sides[x]
        side.prod = side.cons = side.pushed = side.old = side.limit = start
        side.wanted = first
    for place, value in ((REQ_PROD, start), (RSP_PROD, start), (REQ_EVENT, first), (RSP_EVENT, first)):
        m.cells[Location(place)].value = value
    return m


RING_WRITES: dict[str, tuple[str, ...]] = {}
"""Declared writes by step name, filled by `ring_step` at import: ("sides.prod", …)."""
RING_STEPS: dict[str, Callable[..., object]] = {}
"""Every step by name, filled at import."""


def ring_step(
    *writes: str,
) -> Callable[[Callable[Concatenate[RingMachine, P], R]], Callable[Concatenate[RingView, P], R]]:
    """Register a step with the cells that it may write, and let sequences call it on their view."""

    def register(
        function: Callable[Concatenate[RingMachine, P], R],
    ) -> Callable[Concatenate[RingView, P], R]:
        name = function.__name__
        if name in RING_STEPS:
            raise ValueError(name)
        RING_STEPS[name] = function
        RING_WRITES[name] = writes
        return function  # type: ignore[return-value]  # the one place where a view is known to be a machine

    return register


def peer_of(x: RingSide) -> RingSide:
    """Return the other side."""
    return BACKEND if x == FRONTEND else FRONTEND


def own_producer(x: RingSide) -> Location:
    """Return where a side publishes its producer index."""
    return Location(REQ_PROD if x == FRONTEND else RSP_PROD)


def own_event(x: RingSide) -> Location:
    """Return where a side asks for an event."""
    return Location(RSP_EVENT if x == FRONTEND else REQ_EVENT)
