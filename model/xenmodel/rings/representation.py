"""How a ring keeps its books: what a stage says of the indices, so that each step is seen to keep the rest.

The safety invariants say what must hold of any ring; these say where this one's sides stand meanwhile.
"""

from typing import Protocol

from xenmodel.abi.ring import NOTHING
from xenmodel.rings.machine import CellView, own_event, own_producer
from xenmodel.rings.rows import (
    AGAIN,
    ASKED,
    ASLEEP,
    BROKEN,
    COPIED,
    ORDER,
    PUBLISH,
    SC,
    Location,
    MemoryModel,
    Side,
)
from xenspec.invariant import Kind, Registry
from xenspec.logic import both, implies
from xenspec.table import ReadTable
from xenspec.vocabulary import BACKEND, FRONTEND, RingSide


class RingBooks(Protocol):
    """The tables that these invariants read."""

    @property
    def sides(self) -> ReadTable[int, Side]: ...  # noqa: D102 - named by its table
    @property
    def cells(self) -> ReadTable[Location, CellView]: ...  # noqa: D102 - named by its table
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def modulus(self) -> int: ...  # noqa: D102
    @property
    def model(self) -> MemoryModel: ...  # noqa: D102


REPRESENTATION: Registry[RingBooks] = Registry("rings", Kind.REPRESENTATION)
invariant = REPRESENTATION.invariant


def fits(s: RingBooks, index: int) -> bool:
    """Return whether an index has its width."""
    return (index >= 0) & (index < s.modulus)


@invariant(property=26)
def indices_fit_their_width(s: RingBooks, x: RingSide) -> bool:
    """Every index of a side is one of 32 bits."""
    side = s.sides[x]
    own = fits(s, side.prod) & fits(s, side.cons) & fits(s, side.pushed)
    return own & fits(s, side.old) & fits(s, side.limit) & fits(s, side.wanted)


@invariant(property=26)
def copied_item_is_to_be_taken(s: RingBooks, x: RingSide) -> bool:
    """A side copies an item only below its limit."""
    side = s.sides[x]
    return implies(side.stage == COPIED, lambda: side.cons != side.limit)


@invariant(property=26)
def check_ends_with_its_step(s: RingBooks, x: RingSide) -> bool:
    """Between steps nothing is half checked, but in a ring that is left alone."""
    side = s.sides[x]
    return implies(side.checked != NOTHING, lambda: side.stage == BROKEN)


@invariant(property=(26, 27))
def push_has_items_and_knows_the_old_index(s: RingBooks, x: RingSide) -> bool:
    """Until it publishes, a push has items to publish, and it has read the index that it had published."""
    side = s.sides[x]
    honest = s.sides[FRONTEND].honest & s.sides[BACKEND].honest
    return implies(
        (side.stage == ORDER) | (side.stage == PUBLISH),
        lambda: (side.prod != side.pushed) & implies(honest, lambda: side.old == side.pushed),
    )


@invariant(property=27)
def question_is_for_an_item_to_come(s: RingBooks, x: RingSide) -> bool:
    """Once it has asked, a side waits for an item after those that it took, and within a ring."""
    side = s.sides[x]
    ahead = (side.wanted - side.cons) % s.modulus
    return implies(
        (side.stage == ASKED) | (side.stage == AGAIN) | (side.stage == ASLEEP),
        lambda: (ahead >= 1) & (ahead <= s.size),
    )


@invariant(property=(26, 27))
def page_shows_what_was_stored(s: RingBooks, x: RingSide) -> bool:
    """Without store buffers and hostile stores, the page has the index and the question of each side."""
    side = s.sides[x]
    honest = s.sides[FRONTEND].honest & s.sides[BACKEND].honest
    return implies(
        both(s.model == SC, lambda: honest),
        lambda: (
            (s.cells[own_producer(x)].value == side.pushed) & (s.cells[own_event(x)].value == side.wanted)
        ),
    )
