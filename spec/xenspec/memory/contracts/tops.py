"""PAE: the L2 table for the top of the address space, which one top-level table links and no other.

PGT_pae_xen_l2: its last slots are Xen's. Whoever takes it has the only type reference.
"""

from xenspec.contract import Cells, Contract
from xenspec.logic import Not, ite
from xenspec.memory.contracts.types import Typed, held
from xenspec.memory.state import State
from xenspec.vocabulary import L2, Mode

TAKE_TOP: Contract[State, Typed] = Contract("take a table for the top of the address space")


def _goes_on(s: State, a: Typed) -> bool:
    """The work on such a table waits for somebody to go on."""
    return held(s, a.k).partial


@TAKE_TOP.asks(property=(6, 15))
def a_top_table_is_taken_of_a_frame_that_is_held(s: State, a: Typed) -> bool:
    """Whoever takes the table holds a general reference of it; and the geometry has such tables, of L2."""
    return (s.flights[a.k].mode == Mode.REF) & (s.pte.top_slot >= 0) & (a.want == L2)


@TAKE_TOP.asks(property=(4, 5))
def a_top_table_is_linked_once(s: State, a: Typed) -> bool:
    """Nobody has a type reference of the table, or it is such a one whose work waits."""
    frame = held(s, a.k)
    waits = frame.partial & (frame.type == L2) & frame.top_l2
    return waits | (Not(frame.partial) & (frame.type_count == 0))


@TAKE_TOP.does(property=5)
def the_frame_is_a_top_table(before: State, after: State, a: Typed) -> bool:
    """The frame is such a table, by one type reference."""
    frame = after.frames[before.flights[a.k].frame]
    return (frame.type == L2) & frame.top_l2 & (frame.type_count == 1) & Not(frame.partial)


@TAKE_TOP.does(property=8, advisories=(241, 401))
def a_new_top_table_is_flushed_first(before: State, after: State, a: Typed) -> bool:
    """Its flush begins with the first CPU, unless its work goes on."""
    frame = after.frames[before.flights[a.k].frame]
    flushed = frame.flushing & (frame.cursor == 0) & Not(frame.validated)
    mode = after.flights[a.k].mode
    return ite(_goes_on(before, a), mode == Mode.VALIDATING, flushed & (mode == Mode.FLUSHING))


@TAKE_TOP.touches
def _take_top(s: State, a: Typed) -> tuple[Cells, ...]:
    f, anew = s.flights[a.k].frame, Not(_goes_on(s, a))
    return (
        Cells("flights", a.k, ("mode",)),
        Cells("frames", f, ("partial",)),
        Cells("frames", f, ("type", "type_count", "validated", "flushing", "cursor", "top_l2"), when=anew),
    )
