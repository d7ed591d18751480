"""Who holds a frame: each row that keeps a reference is a holder of its frame, and each holder is such a row.

`held` is ghost state: a row for each (frame, holder), with the holder as xenmodel.memory.holders names it. It
moves where steps tell `Machine.ghost` so; these invariants compare it with the rows themselves, in both
directions: from the row to the holder (keyed as the row is) and from the holder to the row (keyed by a hold:
the frame and the two parts of the holder's name, one key type for each kind of holder).
"""

from typing import Final, NewType, Protocol

from xenmodel.memory import holders
from xenmodel.memory.books import State
from xenmodel.memory.rows import IDLE, NO_FRAME, REF
from xenspec.invariant import Kind, Registry
from xenspec.logic import Not, conj, either, implies
from xenspec.table import ReadTable
from xenspec.vocabulary import (
    EntryId,
    EoiFrameId,
    EventFrameId,
    FlightId,
    GdtPage,
    LdtPage,
    Mfn,
    VcpuId,
)

Vcpu = tuple[int, int]
EntryHold = NewType("EntryHold", tuple[int, int, int])
"""(frame, table, slot)."""
PinHold = NewType("PinHold", tuple[int, int, int])
"""(frame, frame, 0), as for the other holders that are the frame itself."""
BaseHold = NewType("BaseHold", tuple[int, Vcpu, int])
"""(frame, vCPU, 0 kernel or 1 user)."""
OldHold = NewType("OldHold", tuple[int, Vcpu, int])
"""(frame, vCPU, 0)."""
PartialHold = NewType("PartialHold", tuple[int, int, int])
GdtHold = NewType("GdtHold", tuple[int, Vcpu, int])
"""(frame, vCPU, index)."""
LdtHold = NewType("LdtHold", tuple[int, Vcpu, int])
"""(frame, vCPU, index)."""
VcpuInfoHold = NewType("VcpuInfoHold", tuple[int, Vcpu, int])
"""(frame, vCPU, 0)."""
EventFrameHold = NewType("EventFrameHold", tuple[int, int, int])
"""(frame, domain, index)."""
EoiFrameHold = NewType("EoiFrameHold", tuple[int, int, int])
"""(frame, domain, 0)."""
AllocatedHold = NewType("AllocatedHold", tuple[int, int, int])
FlightHold = NewType("FlightHold", tuple[int, tuple[Vcpu, int], int])
"""(frame, flight, 0)."""

KINDS: Final = {
    "EntryHold": "entry",
    "PinHold": "pin",
    "BaseHold": "base",
    "OldHold": "old",
    "PartialHold": "partial",
    "GdtHold": "gdt",
    "LdtHold": "ldt",
    "VcpuInfoHold": "vcpu_info",
    "EventFrameHold": "event_frame",
    "EoiFrameHold": "eoi_frame",
    "AllocatedHold": "allocated",
    "FlightHold": "flight",
}
"""The kind of holder (the first part of its name) that each key type ranges over."""


class HoldRow(Protocol):
    """What one holder has of one frame."""

    @property
    def typed(self) -> bool:
        """A type reference."""
        ...

    @property
    def general(self) -> bool:
        """A general reference."""
        ...


class HeldState(State, Protocol):
    """The state of the representation invariants, with the ghost holders."""

    @property
    def held(self) -> ReadTable[tuple[int, holders.Holder], HoldRow]: ...  # noqa: D102 - named by its table


HOLDING: Registry[HeldState] = Registry("memory", Kind.REPRESENTATION)
invariant = HOLDING.invariant


def _both(s: HeldState, f: int, holder: holders.Holder) -> bool:
    """The holder has both references of the frame."""
    row = s.held[f, holder]
    return row.typed & row.general


def _any(s: HeldState, f: int, holder: holders.Holder) -> bool:
    """The holder has a reference of the frame."""
    row = s.held[f, holder]
    return row.typed | row.general


# --- From the row to the holder -----------------------------------------------------------------------------


@invariant(property=6, advisories=(113, 182, 299))
def entry_holds_its_target(s: HeldState, e: EntryId) -> bool:
    """A linked entry holds its target: as a table or writable memory with both references, else with one."""
    row = s.entries[e]
    return implies(
        row.linked & row.backed,
        lambda: (
            s.held[row.target, holders.entry(e[0], e[1])].general
            & (s.held[row.target, holders.entry(e[0], e[1])].typed == ((row.linked_as > 1) | row.writable))
        ),
    )


@invariant(property=6)
def pin_holds_its_table(s: HeldState, f: Mfn) -> bool:
    """A pin holds both references of its table."""
    return implies(s.frames[f].pinned, lambda: _both(s, f, holders.pin(f)))


@invariant(property=6, advisories=(147,))
def allocation_holds_its_frame(s: HeldState, f: Mfn) -> bool:
    """The allocation of a frame holds a general reference of it."""
    return implies(s.frames[f].allocated, lambda: s.held[f, holders.allocated(f)].general)


@invariant(property=6, advisories=(299,))
def partial_table_holds_itself(s: HeldState, f: Mfn) -> bool:
    """A partial table holds its own type reference, and a general one until the work on it is over."""
    frame = s.frames[f]
    return conj(
        implies(frame.partial, lambda: s.held[f, holders.partial(f)].typed),
        implies(frame.partial_ref, lambda: s.held[f, holders.partial(f)].general),
    )


@invariant(property=6, advisories=(299,))
def partial_entry_holds_its_child(s: HeldState, f: Mfn) -> bool:
    """The slot at which the work on a table stopped holds a general reference of the partial child."""
    frame = s.frames[f]
    return implies(
        frame.partial_entry,
        lambda: (
            s.held[s.entries[f, frame.next_slot].target, holders.entry(f, frame.next_slot)].general
            & Not(s.entries[f, frame.next_slot].linked)
        ),
    )


@invariant(property=6)
def flight_holds_its_frame(s: HeldState, k: FlightId) -> bool:
    """An in-flight reference holds its frame, with both references unless it is a general one only."""
    flight = s.flights[k]
    return implies(
        flight.mode != IDLE,
        lambda: (
            s.held[flight.frame, holders.flight(k)].general
            & (s.held[flight.frame, holders.flight(k)].typed == (flight.mode != REF))
        ),
    )


@invariant(property=6)
def base_pointers_hold_their_tables(s: HeldState, v: VcpuId) -> bool:
    """A vCPU's base pointers hold both references of their tables."""
    vcpu = s.vcpus[v]
    return conj(
        implies(vcpu.base != NO_FRAME, lambda: _both(s, vcpu.base, holders.base(v, 0))),
        implies(vcpu.user_base != NO_FRAME, lambda: _both(s, vcpu.user_base, holders.base(v, 1))),
    )


@invariant(property=6, advisories=(58,))
def old_table_is_held_by_its_vcpu(s: HeldState, v: VcpuId) -> bool:
    """A vCPU holds the table that it has yet to release, by a general reference only if it is partial."""
    vcpu = s.vcpus[v]
    return implies(
        vcpu.old_table != NO_FRAME,
        lambda: (
            s.held[vcpu.old_table, holders.old(v)].general
            & (s.held[vcpu.old_table, holders.old(v)].typed == Not(vcpu.old_partial))
        ),
    )


@invariant(property=6)
def vcpu_info_holds_its_frame(s: HeldState, v: VcpuId) -> bool:
    """A vCPU's information page holds both references of its frame."""
    vcpu = s.vcpus[v]
    return implies(vcpu.info_frame != NO_FRAME, lambda: _both(s, vcpu.info_frame, holders.vcpu_info(v)))


@invariant(property=(6, 9))
def gdt_page_holds_its_frame(s: HeldState, p: GdtPage) -> bool:
    """A page of a GDT holds both references of its frame."""
    frame = s.gdt[p].frame
    return implies(frame != NO_FRAME, lambda: _both(s, frame, holders.gdt(p[0], p[1])))


@invariant(property=(6, 9))
def ldt_page_holds_its_frame(s: HeldState, p: LdtPage) -> bool:
    """A page of an LDT shadow holds both references of its frame."""
    frame = s.ldt[p].frame
    return implies(frame != NO_FRAME, lambda: _both(s, frame, holders.ldt(p[0], p[1])))


@invariant(property=6)
def event_frame_holds_its_frame(s: HeldState, p: EventFrameId) -> bool:
    """A FIFO page holds both references of its frame."""
    frame = s.event_frames[p].frame
    return implies(frame != NO_FRAME, lambda: _both(s, frame, holders.event_frame(p[0], p[1])))


@invariant(property=6)
def eoi_frame_holds_its_frame(s: HeldState, p: EoiFrameId) -> bool:
    """The EOI page of a domain holds both references of its frame."""
    frame = s.eoi_frames[p].frame
    return implies(frame != NO_FRAME, lambda: _both(s, frame, holders.eoi_frame(p)))


# --- From the holder to the row -----------------------------------------------------------------------------


@invariant(property=6, advisories=(113, 182, 299))
def entry_hold_is_of_a_linked_entry(s: HeldState, h: EntryHold) -> bool:
    """Who holds a frame as an entry is a linked entry that names it, or the slot of a partial child."""
    return implies(
        _any(s, h[0], holders.entry(h[1], h[2])),
        lambda: (
            (s.entries[h[1], h[2]].target == h[0])
            & either(
                s.entries[h[1], h[2]].linked & s.entries[h[1], h[2]].backed,
                lambda: s.frames[h[1]].partial_entry & (s.frames[h[1]].next_slot == h[2]),
            )
        ),
    )


@invariant(property=6)
def pin_hold_is_of_a_pinned_table(s: HeldState, h: PinHold) -> bool:
    """Who holds a frame as a pin is the frame's own pin."""
    return implies(_any(s, h[0], holders.pin(h[1])), lambda: (h[0] == h[1]) & s.frames[h[0]].pinned)


@invariant(property=6)
def base_hold_is_of_a_base_pointer(s: HeldState, h: BaseHold) -> bool:
    """Who holds a frame as a base pointer is one that points to it."""
    return implies(
        _any(s, h[0], holders.base(h[1], h[2])),
        lambda: (
            ((h[2] == 0) & (s.vcpus[h[1]].base == h[0])) | ((h[2] == 1) & (s.vcpus[h[1]].user_base == h[0]))
        ),
    )


@invariant(property=6, advisories=(58,))
def old_hold_is_of_an_old_table(s: HeldState, h: OldHold) -> bool:
    """Who holds a frame as an old table is a vCPU that has yet to release it."""
    return implies(_any(s, h[0], holders.old(h[1])), lambda: (s.vcpus[h[1]].old_table == h[0]) & (h[2] == 0))


@invariant(property=6, advisories=(299,))
def partial_hold_is_of_a_partial_table(s: HeldState, h: PartialHold) -> bool:
    """Who holds a frame as a partial table is the unfinished table itself."""
    row = s.held[h[0], holders.partial(h[1])]
    return conj(
        implies(row.typed | row.general, lambda: h[0] == h[1]),
        implies(row.typed, lambda: s.frames[h[0]].partial),
        implies(row.general, lambda: s.frames[h[0]].partial_ref),
    )


@invariant(property=(6, 9))
def gdt_hold_is_of_a_gdt_page(s: HeldState, h: GdtHold) -> bool:
    """Who holds a frame as a GDT page is one that is in it."""
    return implies(_any(s, h[0], holders.gdt(h[1], h[2])), lambda: s.gdt[h[1], h[2]].frame == h[0])


@invariant(property=(6, 9))
def ldt_hold_is_of_an_ldt_page(s: HeldState, h: LdtHold) -> bool:
    """Who holds a frame as an LDT page is one that is in it."""
    return implies(_any(s, h[0], holders.ldt(h[1], h[2])), lambda: s.ldt[h[1], h[2]].frame == h[0])


@invariant(property=6)
def vcpu_info_hold_is_of_a_vcpu(s: HeldState, h: VcpuInfoHold) -> bool:
    """Who holds a frame as a vCPU's information is the vCPU whose page it is."""
    return implies(
        _any(s, h[0], holders.vcpu_info(h[1])), lambda: (s.vcpus[h[1]].info_frame == h[0]) & (h[2] == 0)
    )


@invariant(property=6)
def event_hold_is_of_an_event_frame(s: HeldState, h: EventFrameHold) -> bool:
    """Who holds a frame as a FIFO page is the page that is in it."""
    return implies(
        _any(s, h[0], holders.event_frame(h[1], h[2])),
        lambda: s.event_frames[h[1], h[2]].frame == h[0],
    )


@invariant(property=6)
def eoi_hold_is_of_an_eoi_frame(s: HeldState, h: EoiFrameHold) -> bool:
    """Who holds a frame as an EOI page is the domain whose page it is."""
    return implies(
        _any(s, h[0], holders.eoi_frame(h[1])), lambda: (s.eoi_frames[h[1]].frame == h[0]) & (h[2] == 0)
    )


@invariant(property=6, advisories=(147,))
def allocated_hold_is_of_an_allocation(s: HeldState, h: AllocatedHold) -> bool:
    """Who holds a frame as its allocation is the frame's own, by a general reference only."""
    row = s.held[h[0], holders.allocated(h[1])]
    return implies(
        row.typed | row.general, lambda: (h[0] == h[1]) & Not(row.typed) & s.frames[h[0]].allocated
    )


@invariant(property=6)
def flight_hold_is_of_a_flight(s: HeldState, h: FlightHold) -> bool:
    """Who holds a frame in flight is a flight that is about it."""
    return implies(
        _any(s, h[0], holders.flight(h[1])),
        lambda: (s.flights[h[1]].frame == h[0]) & (s.flights[h[1]].mode != IDLE) & (h[2] == 0),
    )
