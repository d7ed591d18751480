"""Keeping: where a reference goes that is no entry's.

A pin, a base pointer, a page of a descriptor table: each takes a reference over from a flight, and gives it
back to one.
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.logic import Not, implies, ite
from xenspec.memory.contracts.references import InFlight, OfFrame
from xenspec.memory.contracts.types import is_table
from xenspec.memory.frames import NO_FRAME
from xenspec.memory.state import State
from xenspec.vocabulary import SEG, FlightId, Mfn, Mode, VcpuId

USER = 1


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A flight, and the frame whose references it gets."""

    k: FlightId
    frame: Mfn


@dataclass(frozen=True, slots=True)
class Based:
    """A base pointer of a virtual CPU, and what it is to be."""

    v: VcpuId
    which: int
    frame: Mfn


KEEP: Contract[State, InFlight] = Contract("let a place hold a frame")
GIVE_BACK: Contract[State, GivenBack] = Contract("take a place's references in flight")
PIN: Contract[State, OfFrame] = Contract("pin a table")
UNPIN: Contract[State, OfFrame] = Contract("unpin a table")
SET_BASE: Contract[State, Based] = Contract("set a base pointer")


@KEEP.asks(property=6)
def a_place_takes_both_references_over(s: State, a: InFlight) -> bool:
    """The flight holds both references of a validated frame."""
    return s.flights[a.k].mode == Mode.HELD


@KEEP.does(property=6)
def the_references_are_the_places(_: State, after: State, a: InFlight) -> bool:
    """The flight holds nothing any more."""
    return after.flights[a.k].mode == Mode.IDLE


@KEEP.touches
def _keep(_: State, a: InFlight) -> tuple[Cells, ...]:
    return (Cells("flights", a.k, ("mode",)),)


@GIVE_BACK.asks(property=6)
def a_places_references_go_to_an_idle_flight(s: State, a: GivenBack) -> bool:
    """The flight holds nothing yet."""
    return s.flights[a.k].mode == Mode.IDLE


@GIVE_BACK.does(property=6)
def the_flight_holds_both_references(_: State, after: State, a: GivenBack) -> bool:
    """The flight holds both references of the frame."""
    return (after.flights[a.k].mode == Mode.HELD) & (after.flights[a.k].frame == a.frame)


@GIVE_BACK.touches
def _give_back(_: State, a: GivenBack) -> tuple[Cells, ...]:
    return (Cells("flights", a.k, ("mode", "frame")),)


@PIN.asks(property=(5, 15))
def only_a_table_is_pinned_once(s: State, a: OfFrame) -> bool:
    """What is pinned is a page table, and not pinned yet."""
    return is_table(s.frames[a.frame]) & Not(s.frames[a.frame].pinned)


@PIN.does(property=5)
def the_table_is_pinned(_: State, after: State, a: OfFrame) -> bool:
    """The table is pinned."""
    return after.frames[a.frame].pinned


@PIN.touches
def _pin(_: State, a: OfFrame) -> tuple[Cells, ...]:
    return (Cells("frames", a.frame, ("pinned",)),)


@UNPIN.asks(property=(5, 6))
def only_a_pinned_table_is_unpinned(s: State, a: OfFrame) -> bool:
    """A pin is taken away where there is one."""
    return s.frames[a.frame].pinned


@UNPIN.does(property=5)
def the_table_is_pinned_no_more(_: State, after: State, a: OfFrame) -> bool:
    """The table is not pinned."""
    return Not(after.frames[a.frame].pinned)


@UNPIN.touches
def _unpin(_: State, a: OfFrame) -> tuple[Cells, ...]:
    return (Cells("frames", a.frame, ("pinned",)),)


@SET_BASE.asks(property=(2, 4, 15))
def a_base_pointer_is_a_top_level_table_of_the_domain(s: State, a: Based) -> bool:
    """A base pointer names a top-level table of the virtual CPU's domain, or nothing."""
    return implies(
        a.frame != NO_FRAME,
        lambda: (s.frames[a.frame].type == s.pte.levels) & (s.frames[a.frame].owner == s.vcpus[a.v].domain),
    )


@SET_BASE.does(property=33)
def the_base_pointer_names_the_table(_: State, after: State, a: Based) -> bool:
    """The base pointer that was asked for names the table."""
    vcpu = after.vcpus[a.v]
    return ite(a.which == USER, vcpu.user_base == a.frame, vcpu.base == a.frame)


@SET_BASE.touches
def _set_base(_: State, a: Based) -> tuple[Cells, ...]:
    return (
        Cells("vcpus", a.v, ("user_base",), when=a.which == USER),
        Cells("vcpus", a.v, ("base",), when=a.which == 0),
    )


# --- Descriptor tables --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Described:
    """A page of a descriptor table of a virtual CPU, and the frame that it is to be."""

    v: VcpuId
    index: int
    frame: Mfn


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a virtual CPU's LDT is, and how many descriptors count."""

    v: VcpuId
    base: int
    entries: int


SET_GDT: Contract[State, Described] = Contract("set a page of a GDT")
SET_LDT: Contract[State, Described] = Contract("set a page of an LDT shadow")
SIZE_GDT: Contract[State, Placed] = Contract("say how large a GDT is")
PLACE_LDT: Contract[State, Placed] = Contract("say where an LDT is")


def is_own_descriptor_page(s: State, a: Described) -> bool:
    """The frame is a descriptor page of the virtual CPU's domain."""
    return (s.frames[a.frame].type == SEG) & (s.frames[a.frame].owner == s.vcpus[a.v].domain)


@SET_GDT.asks(property=(9, 15))
def a_gdt_page_is_a_descriptor_page_of_the_domain(s: State, a: Described) -> bool:
    """A page of a GDT is a descriptor page of the virtual CPU's domain, or none."""
    return implies(a.frame != NO_FRAME, lambda: is_own_descriptor_page(s, a))


@SET_GDT.does(property=33)
def the_gdt_has_the_page(_: State, after: State, a: Described) -> bool:
    """The page is the frame."""
    return after.gdt[a.v, a.index].frame == a.frame


@SET_GDT.touches
def _set_gdt(_: State, a: Described) -> tuple[Cells, ...]:
    return (Cells("gdt", (a.v, a.index), ("frame",)),)


@SET_LDT.asks(property=(9, 15))
def an_ldt_page_is_a_descriptor_page_of_the_domain(s: State, a: Described) -> bool:
    """A page of an LDT shadow is a descriptor page of the virtual CPU's domain, or none."""
    return implies(a.frame != NO_FRAME, lambda: is_own_descriptor_page(s, a))


@SET_LDT.does(property=33)
def the_ldt_has_the_page(_: State, after: State, a: Described) -> bool:
    """The page is the frame."""
    return after.ldt[a.v, a.index].frame == a.frame


@SET_LDT.touches
def _set_ldt(_: State, a: Described) -> tuple[Cells, ...]:
    return (Cells("ldt", (a.v, a.index), ("frame",)),)


@SIZE_GDT.does(property=33)
def the_gdt_is_so_large(_: State, after: State, a: Placed) -> bool:
    """So many descriptors of the GDT count."""
    return after.vcpus[a.v].gdt_entries == a.entries


@SIZE_GDT.touches
def _size_gdt(_: State, a: Placed) -> tuple[Cells, ...]:
    return (Cells("vcpus", a.v, ("gdt_entries",)),)


@PLACE_LDT.does(property=33)
def the_ldt_is_there(_: State, after: State, a: Placed) -> bool:
    """The LDT is at the address, and so many of its descriptors count."""
    return (after.vcpus[a.v].ldt_base == a.base) & (after.vcpus[a.v].ldt_entries == a.entries)


@PLACE_LDT.touches
def _place_ldt(_: State, a: Placed) -> tuple[Cells, ...]:
    return (Cells("vcpus", a.v, ("ldt_base", "ldt_entries")),)
