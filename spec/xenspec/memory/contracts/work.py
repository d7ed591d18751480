"""Work on a table: it ends well, fails, is released, or waits for somebody to go on.

A table under work has one typed holder: the flight that works, or, while it waits, itself. A table at whose
slot its parent has stopped waits with a general reference there.
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.logic import Not, implies, ite
from xenspec.memory.contracts.references import InFlight, OfFrame
from xenspec.memory.contracts.types import held
from xenspec.memory.frames import NO_FRAME
from xenspec.memory.state import State
from xenspec.vocabulary import L2, L4, NO_TYPE, SEG, FlightId, Mode, VcpuId

VALIDATED: Contract[State, InFlight] = Contract("end a validation")
FAILED: Contract[State, InFlight] = Contract("give a validation up")
RELEASED: Contract[State, InFlight] = Contract("end a demotion")
NO_PARTIAL_REFERENCE: Contract[State, OfFrame] = Contract("end a table's hold on itself")
WAIT: Contract[State, InFlight] = Contract("let a table's work wait")


@VALIDATED.asks(property=(4, 5), advisories=(299,))
def every_slot_was_looked_at(s: State, a: InFlight) -> bool:
    """What is found valid was looked at as a whole, by its one worker."""
    return (s.flights[a.k].mode == Mode.VALIDATING) & (held(s, a.k).next_slot == s.pte.slots)


@VALIDATED.does(property=5)
def the_frame_is_valid_and_held(before: State, after: State, a: InFlight) -> bool:
    """The frame is validated, and the flight holds it as what it is."""
    return after.frames[before.flights[a.k].frame].validated & (after.flights[a.k].mode == Mode.HELD)


@VALIDATED.touches
def _validated(s: State, a: InFlight) -> tuple[Cells, ...]:
    return (
        Cells("flights", a.k, ("mode",)),
        Cells("frames", s.flights[a.k].frame, ("validated",)),
    )


@FAILED.asks(property=(4, 16))
def nothing_is_linked_in_what_is_given_up(s: State, a: InFlight) -> bool:
    """A validation is given up where no entry was linked: at the first slot, or in a descriptor page."""
    return (
        (s.flights[a.k].mode == Mode.VALIDATING)
        & ((held(s, a.k).next_slot == 0) | (held(s, a.k).type == SEG))
        & Not(held(s, a.k).partial_entry)
    )


@FAILED.does(property=(5, 16))
def what_failed_has_no_type(before: State, after: State, a: InFlight) -> bool:
    """The frame has no type and no trace of the attempt; the flight keeps its general reference."""
    frame = after.frames[before.flights[a.k].frame]
    return (
        (frame.type == NO_TYPE)
        & (frame.type_count == 0)
        & Not(frame.noncoherent)
        & (frame.next_slot == 0)
        & (after.flights[a.k].mode == Mode.REF)
    )


@FAILED.does(property=8, advisories=(401,))
def what_failed_is_stamped(before: State, after: State, a: InFlight) -> bool:
    """The frame, out of use, notes the flush clock."""
    return after.frames[before.flights[a.k].frame].stamp == before.world[0].clock


@FAILED.touches
def _failed(s: State, a: InFlight) -> tuple[Cells, ...]:
    names = ("type", "type_count", "noncoherent", "next_slot", "stamp")
    return (Cells("flights", a.k, ("mode",)), Cells("frames", s.flights[a.k].frame, names))


@RELEASED.asks(property=(4, 6))
def nothing_waits_in_what_is_released(s: State, a: InFlight) -> bool:
    """A demotion ends where no slot waits with a child."""
    return (s.flights[a.k].mode == Mode.DEVALIDATING) & Not(held(s, a.k).partial_entry)


@RELEASED.does(property=(5, 6))
def what_is_released_is_out_of_use(before: State, after: State, a: InFlight) -> bool:
    """The frame has no typed holder, and the flight keeps its general reference."""
    frame = after.frames[before.flights[a.k].frame]
    return (frame.type_count == 0) & (frame.next_slot == 0) & (after.flights[a.k].mode == Mode.REF)


@RELEASED.does(property=8, advisories=(241, 401))
def what_is_released_is_stamped(before: State, after: State, a: InFlight) -> bool:
    """The frame, out of use, notes the flush clock."""
    return after.frames[before.flights[a.k].frame].stamp == before.world[0].clock


@RELEASED.touches
def _released(s: State, a: InFlight) -> tuple[Cells, ...]:
    names = ("type_count", "next_slot", "stamp")
    return (Cells("flights", a.k, ("mode",)), Cells("frames", s.flights[a.k].frame, names))


@NO_PARTIAL_REFERENCE.does(property=6)
def the_table_holds_itself_no_more(_: State, after: State, a: OfFrame) -> bool:
    """The general reference of a table that waited is gone."""
    return Not(after.frames[a.frame].partial_ref)


@NO_PARTIAL_REFERENCE.touches
def _no_partial_reference(_: State, a: OfFrame) -> tuple[Cells, ...]:
    return (Cells("frames", a.frame, ("partial_ref",)),)


@WAIT.asks(property=(5, 17))
def only_work_on_a_table_waits(s: State, a: InFlight) -> bool:
    """What waits is a page table that is being promoted or demoted."""
    mode = s.flights[a.k].mode
    return ((mode == Mode.VALIDATING) | (mode == Mode.DEVALIDATING)) & (held(s, a.k).type <= L4)


@WAIT.does(property=(5, 6))
def a_table_that_waits_holds_itself(before: State, after: State, a: InFlight) -> bool:
    """The table waits, by a typed and a general reference of its own; the flight keeps a general one."""
    was, frame = held(before, a.k), after.frames[before.flights[a.k].frame]
    return (
        frame.partial
        & frame.partial_ref
        & (frame.ref_count == was.ref_count + ite(was.partial_ref, 0, 1))
        & (after.flights[a.k].mode == Mode.REF)
    )


@WAIT.touches
def _wait(s: State, a: InFlight) -> tuple[Cells, ...]:
    names = ("partial", "partial_ref", "ref_count")
    return (Cells("flights", a.k, ("mode",)), Cells("frames", s.flights[a.k].frame, names))


# --- Old tables and children --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Deferred:
    """A virtual CPU, and the flight with the table that it has to finish."""

    v: VcpuId
    k: FlightId


@dataclass(frozen=True, slots=True)
class Child:
    """A flight at work on a table, the flight of a child, and the slot at which the child waits."""

    k: FlightId
    kc: FlightId
    slot: int
    demote: bool = False


@dataclass(frozen=True, slots=True)
class OldChild:
    """A flight at work on a table, the child's, a virtual CPU whose old table is the child, and the slot."""

    k: FlightId
    kc: FlightId
    v: VcpuId
    slot: int


DEFER: Contract[State, Deferred] = Contract("defer a table")
TAKE_OLD: Contract[State, Deferred] = Contract("take the old table")
WAIT_AT: Contract[State, Child] = Contract("leave a child at its slot")
TAKE_CHILD: Contract[State, Child] = Contract("take a child from its slot")
OLD_WAITS_AT: Contract[State, OldChild] = Contract("leave the old table at its parent's slot")


@DEFER.asks(property=(6, 17))
def one_table_is_deferred_at_a_time(s: State, a: Deferred) -> bool:
    """A virtual CPU defers a table that it holds, if it has deferred none."""
    mode = s.flights[a.k].mode
    return (s.vcpus[a.v].old_table == NO_FRAME) & ((mode == Mode.HELD) | (mode == Mode.REF))


@DEFER.does(property=(6, 17))
def the_virtual_cpu_has_the_table_to_finish(before: State, after: State, a: Deferred) -> bool:
    """The table is the virtual CPU's old one, with what the flight held of it."""
    vcpu, flight = after.vcpus[a.v], before.flights[a.k]
    return (
        (vcpu.old_table == flight.frame)
        & (vcpu.old_partial == (flight.mode == Mode.REF))
        & (after.flights[a.k].mode == Mode.IDLE)
    )


@DEFER.touches
def _defer(_: State, a: Deferred) -> tuple[Cells, ...]:
    return (Cells("flights", a.k, ("mode",)), Cells("vcpus", a.v, ("old_table", "old_partial")))


def _goes_on(s: State, f: int) -> Mode:
    """What a flight does that takes a general reference of a table over: demote it, if it waits."""
    return ite(s.frames[f].partial, Mode.DEVALIDATING, Mode.REF)


@TAKE_OLD.asks(property=6)
def an_old_table_goes_to_an_idle_flight(s: State, a: Deferred) -> bool:
    """There is an old table, and the flight holds nothing."""
    return (s.vcpus[a.v].old_table != NO_FRAME) & (s.flights[a.k].mode == Mode.IDLE)


@TAKE_OLD.does(property=(6, 17))
def the_old_table_is_in_flight(before: State, after: State, a: Deferred) -> bool:
    """The flight has what the virtual CPU had of the table; work that waited goes on as its demotion."""
    f, partial = before.vcpus[a.v].old_table, before.vcpus[a.v].old_partial
    return (
        (after.flights[a.k].frame == f)
        & (after.flights[a.k].mode == ite(partial, _goes_on(before, f), Mode.HELD))
        & implies(partial, lambda: Not(after.frames[f].partial))
        & (after.vcpus[a.v].old_table == NO_FRAME)
        & Not(after.vcpus[a.v].old_partial)
    )


@TAKE_OLD.touches
def _take_old(s: State, a: Deferred) -> tuple[Cells, ...]:
    partial = s.vcpus[a.v].old_partial
    return (
        Cells("flights", a.k, ("mode", "frame")),
        Cells("vcpus", a.v, ("old_table", "old_partial")),
        Cells("frames", s.vcpus[a.v].old_table, ("partial",), when=partial),
    )


def _works_at(s: State, k: FlightId, slot: int) -> bool:
    """The flight works on a table, and has come as far as the slot."""
    mode = s.flights[k].mode
    return ((mode == Mode.VALIDATING) | (mode == Mode.DEVALIDATING)) & (held(s, k).next_slot == slot)


@WAIT_AT.asks(property=(5, 6))
def a_child_waits_where_its_parent_stopped(s: State, a: Child) -> bool:
    """A child that a general reference holds waits at the slot to which its parent, above L1, has come."""
    parent = held(s, a.k)
    return (
        _works_at(s, a.k, a.slot)
        & (a.slot < s.pte.slots)
        & Not(parent.partial_entry)
        & (parent.type >= L2)
        & (parent.type <= L4)
        & (s.flights[a.kc].mode == Mode.REF)
    )


@WAIT_AT.does(property=(5, 6))
def the_slot_has_the_child(before: State, after: State, a: Child) -> bool:
    """The slot names the child and has its reference."""
    t = before.flights[a.k].frame
    return (
        after.frames[t].partial_entry
        & (after.entries[t, a.slot].target == before.flights[a.kc].frame)
        & (after.flights[a.kc].mode == Mode.IDLE)
    )


@WAIT_AT.touches
def _wait_at(s: State, a: Child) -> tuple[Cells, ...]:
    t = s.flights[a.k].frame
    return (
        Cells("flights", a.kc, ("mode",)),
        Cells("frames", t, ("partial_entry",)),
        Cells("entries", (t, a.slot), ("target",)),
    )


@TAKE_CHILD.asks(property=(5, 6))
def a_child_is_taken_where_it_waits(s: State, a: Child) -> bool:
    """The parent is worked on and has come to the slot where a child waits; the child's flight is idle."""
    return _works_at(s, a.k, a.slot) & held(s, a.k).partial_entry & (s.flights[a.kc].mode == Mode.IDLE)


@TAKE_CHILD.does(property=(5, 6))
def the_child_is_in_flight(before: State, after: State, a: Child) -> bool:
    """The flight has the child, whose waiting work goes on as a demotion if that is asked for."""
    t = before.flights[a.k].frame
    child = before.entries[t, a.slot].target
    return (
        Not(after.frames[t].partial_entry)
        & (after.flights[a.kc].frame == child)
        & (after.flights[a.kc].mode == ite(a.demote, _goes_on(before, child), Mode.REF))
        & implies(a.demote, lambda: Not(after.frames[child].partial))
    )


@TAKE_CHILD.touches
def _take_child(s: State, a: Child) -> tuple[Cells, ...]:
    t = s.flights[a.k].frame
    return (
        Cells("flights", a.kc, ("mode", "frame")),
        Cells("frames", t, ("partial_entry",)),
        Cells("frames", s.entries[t, a.slot].target, ("partial",), when=a.demote),
    )


@OLD_WAITS_AT.asks(property=(5, 6))
def an_old_child_waits_where_its_parent_stopped(s: State, a: OldChild) -> bool:
    """The old table, of which a general reference is left, waits at the slot to which its parent has come."""
    parent, vcpu = held(s, a.k), s.vcpus[a.v]
    return (
        (s.flights[a.k].mode == Mode.VALIDATING)
        & (parent.next_slot == a.slot)
        & (a.slot < s.pte.slots)
        & Not(parent.partial_entry)
        & (parent.type >= L2)
        & (parent.type <= L4)
        & (vcpu.old_table != NO_FRAME)
        & vcpu.old_partial
        & (s.flights[a.kc].mode == Mode.IDLE)
    )


@OLD_WAITS_AT.does(property=(5, 6))
def the_slot_has_the_old_table(before: State, after: State, a: OldChild) -> bool:
    """The slot names the old table and has its reference; the virtual CPU has none."""
    t = before.flights[a.k].frame
    return (
        after.frames[t].partial_entry
        & (after.entries[t, a.slot].target == before.vcpus[a.v].old_table)
        & (after.vcpus[a.v].old_table == NO_FRAME)
        & Not(after.vcpus[a.v].old_partial)
    )


@OLD_WAITS_AT.touches
def _old_waits_at(s: State, a: OldChild) -> tuple[Cells, ...]:
    t = s.flights[a.k].frame
    return (
        Cells("vcpus", a.v, ("old_table", "old_partial")),
        Cells("frames", t, ("partial_entry",)),
        Cells("entries", (t, a.slot), ("target",)),
    )
