"""The state of a ring as plain data: saved, restored, compared."""

from operator import attrgetter
from typing import NamedTuple

from xenmodel.rings.machine import RingMachine
from xenmodel.rings.rows import SLOT, WORDS, Location, Request, Side, Store
from xenspec.table import PlainTable
from xenspec.vocabulary import BACKEND, FRONTEND

SIDES = (FRONTEND, BACKEND)
FIELDS = tuple(Side.__dataclass_fields__)
FIELDS_OF = attrgetter(*FIELDS)


class Saved(NamedTuple):
    """A ring's rows as tuples; rows that say nothing are left out."""

    sides: tuple[tuple[int, ...], ...]
    cells: tuple[int, ...]
    buffers: tuple[tuple[Store, ...], ...]
    early: tuple[tuple[tuple[int, Location], tuple[int, ...]], ...]
    bells: tuple[bool, ...]
    requests: tuple[tuple[int, bool, bool, int, int], ...]
    written: tuple[int, ...]


class RingKeeper:
    """Saves and restores one ring of plain rows."""

    def __init__(self, m: RingMachine) -> None:
        self.m = m
        slots = tuple(Location(SLOT, slot) for slot in range(m.size))
        self.locations = (*WORDS, *slots)
        self._early = [(int(x), where) for x in SIDES for where in self.locations]
        self._written = [(int(x), slot) for x in SIDES for slot in range(m.size)]
        self._requests: PlainTable[int, Request] = PlainTable("requests", lambda _: Request())
        m.requests = self._requests

    def named_requests(self) -> tuple[tuple[int, str], ...]:
        """Return the requests that have a row, and how they are called."""
        return tuple((number, f"request {number}") for number in self._requests)

    def save(self) -> Saved:
        """Return the state."""
        m = self.m
        return Saved(
            tuple(FIELDS_OF(m.sides[x]) for x in SIDES),
            tuple(m.cells[where].value for where in self.locations),
            tuple(m.buffers[x].stores for x in SIDES),
            tuple((key, values) for key in self._early if (values := m.early[key].values)),
            tuple(m.bells[x].pending for x in SIDES),
            tuple(
                sorted(
                    (number, row.sent, row.held, row.due, row.answers)
                    for number, row in self._requests.items()
                    if row.sent or row.held or row.due or row.answers
                )
            ),
            tuple(m.written[key].value for key in self._written),
        )

    def restore(self, saved: Saved) -> None:
        """Bring the ring back to a state."""
        m = self.m
        for x, values in zip(SIDES, saved.sides, strict=True):
            side = m.sides[x]
            for name, value in zip(FIELDS, values, strict=True):
                setattr(side, name, value)
        for where, value in zip(self.locations, saved.cells, strict=True):
            m.cells[where].value = value
        for x, stores, pending in zip(SIDES, saved.buffers, saved.bells, strict=True):
            m.buffers[x].stores = stores
            m.bells[x].pending = pending
        for key in self._early:
            m.early[key].values = ()
        for seen, values in saved.early:
            m.early[seen].values = values
        self._requests.clear()
        for number, sent, held, due, answers in saved.requests:
            self._requests[number] = Request(sent, held, due, answers)
        for slot, value in zip(self._written, saved.written, strict=True):
            m.written[slot].value = value
