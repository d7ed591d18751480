"""Scopes of rings: how many slots, how long an index is, what memory may do, whether a side is hostile."""

from dataclasses import dataclass

from xenmodel.abi.ring import INDEX_MASK
from xenmodel.rings.machine import RingMachine, plain_ring
from xenmodel.rings.rows import ARM, NO_LIMIT, SC, TSO, MemoryModel
from xenspec.vocabulary import BACKEND, FRONTEND, RingSide

TWO_BITS = 3
"""The mask of indices 0 .. 3, which wrap all the time."""


@dataclass(frozen=True, slots=True)
class RingScope:
    """A small ring."""

    name: str
    model: MemoryModel
    size: int = 1
    mask: int = TWO_BITS
    start: int = 0
    """Index of the first item."""
    requests: int = NO_LIMIT
    """How many the application has; without a limit the ring runs for ever."""
    lazy: bool = False
    """The frontend asks to be told only when more than half of what is due has come."""
    hostile: RingSide | None = None
    """The side that keeps to no protocol: it stores anything before any load of the other."""

    def machine(self) -> RingMachine:
        """Return the ring at its start: both sides asleep."""
        m = plain_ring(self.size, model=self.model, mask=self.mask, start=self.start)
        m.sides[FRONTEND].left = self.requests
        return m


SCOPES: dict[str, RingScope] = {
    scope.name: scope
    for scope in (
        RingScope("sc", SC),
        RingScope("sc two", SC, size=2),
        RingScope("sc lazy", SC, size=2, lazy=True),
        RingScope("sc wide", SC, size=2, mask=INDEX_MASK, start=INDEX_MASK, requests=2),
        RingScope("tso", TSO),
        RingScope("tso two", TSO, size=2),
        RingScope("tso wide", TSO, size=2, mask=INDEX_MASK, start=INDEX_MASK, requests=2),
        RingScope("arm", ARM),
        RingScope("arm two", ARM, size=2),
        RingScope("arm wide", ARM, size=2, mask=INDEX_MASK, start=INDEX_MASK, requests=2),
        RingScope("hostile frontend", SC, hostile=FRONTEND),
        RingScope("hostile frontend two", SC, size=2, hostile=FRONTEND),
        RingScope("hostile backend", SC, hostile=BACKEND),
    )
}
"""The scopes by name; all are complete."""
