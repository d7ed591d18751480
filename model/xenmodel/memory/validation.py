"""The ends of promotion and demotion, and the states in between that other calls can see.

A table whose promotion or demotion is interrupted is *partial*: entries below `next_slot` are linked, the
table holds both references itself, and the next caller of `claim`, or the vCPU whose old table it is,
takes the work over. A promotion that fails leaves what Xen leaves: type none if nothing had been linked
yet (always so for L1 and descriptor pages), else a partial table that the vCPU then demotes.
"""

from xenmodel.machine import Machine
from xenmodel.memory import holders
from xenmodel.memory.claim import release_general
from xenmodel.memory.linking import has_xen_slots, none_present
from xenmodel.memory.rows import DEVALIDATING, HELD, IDLE, NO_FRAME, REF, VALIDATING, Flight, Frame
from xenmodel.step import require, step
from xenspec.logic import Not, either
from xenspec.vocabulary import EAGAIN, L2, L4, NO_TYPE, SEG, FlightId, Mfn, Mode, VcpuId

FREEING = (
    "m2p.pfn",
    "frames.ref_count",
    "frames.owner",
    "frames.type",
    "frames.validated",
    "frames.noncoherent",
    "frames.linear",
    "frames.dirty",
    "frames.cursor",
    "frames.stamp",
    "domains.pages",
)
"""What changes when a general reference goes that may be the last one."""


def _drop_partial_ref(m: Machine, f: Mfn, frame: Frame) -> None:
    """Drop the general reference that went with an earlier partial state, if it is still held."""
    if frame.partial_ref:
        frame.partial_ref = False
        release_general(m, f, holders.partial(f))


def _working(m: Machine, k: FlightId, mode: Mode) -> tuple[Flight, Frame]:
    flight = m.flights[k]
    require("the flight is at this work", flight.mode == mode, EAGAIN)
    return flight, m.frames[flight.frame]


@step("flights.mode", "frames.validated", "frames.partial_ref", *FREEING)
def finish_validation(m: Machine, k: FlightId) -> None:
    """Mark a table whose every slot has been looked at as validated."""
    flight, frame = _working(m, k, VALIDATING)
    require("every slot was looked at", frame.next_slot == m.pte.slots, EAGAIN)
    require("the top of the address space is Xen's", _top_is_xens(m, flight.frame, frame), EAGAIN)
    require(
        "Xen's own slots are written",
        either(Not(has_xen_slots(m, frame)), lambda: m.words.holds_xen_slots(flight.frame, m.xen_slots)),
        EAGAIN,
    )
    frame.validated = True
    flight.mode = HELD
    _drop_partial_ref(m, flight.frame, frame)


def _top_is_xens(m: Machine, f: Mfn, frame: Frame) -> bool:
    """Return whether a top-level table links an L2 table with Xen's slots where it must (PAE)."""
    return either(
        (m.pte.top_slot < 0) | (frame.type != m.pte.levels),
        lambda: m.entries[f, m.pte.top_slot].linked & m.frames[m.entries[f, m.pte.top_slot].target].top_l2,
    )


@step("words.word")
def clear_unused(m: Machine, k: FlightId, slot: int) -> None:
    """Empty a slot of a top-level table that no walk reads (the memset of promote_l3_table, PAE)."""
    flight, frame = _working(m, k, VALIDATING)
    require("a top-level table", (frame.type == m.pte.levels) & (frame.next_slot <= slot), EAGAIN)
    require("the slot is no entry", (slot >= m.pte.walked) & (slot < m.pte.slots), EAGAIN)
    m.words[flight.frame, slot] = 0


@step("words.word")
def write_xen_slots(m: Machine, k: FlightId, *, readonly_m2p: bool) -> None:
    """Overwrite the slots that belong to Xen (init_xen_l4_slots, init_xen_pae_l2_slots)."""
    flight, frame = _working(m, k, VALIDATING)
    require("all of it is looked at", frame.next_slot == m.pte.slots, EAGAIN)
    require("it has slots of Xen", has_xen_slots(m, frame), EAGAIN)
    m.words.write_xen_slots(flight.frame, m.xen_slots, readonly_m2p=readonly_m2p)


@step("words.word")
def write_readonly_m2p(m: Machine, k: FlightId, *, shown: bool) -> None:
    """Fill or empty the slot of the read-only M2P in a top-level table (fill_ro_mpt, zap_ro_mpt)."""
    flight, frame = _working(m, k, HELD)
    require("a top-level table", frame.type == L4, EAGAIN)
    m.words.write_readonly_m2p(flight.frame, m.xen_slots, shown=shown)


@step("flights.mode", "frames.type_count", "frames.type", "frames.next_slot", "frames.partial_ref", *FREEING)
def fail_validation(m: Machine, k: FlightId) -> None:
    """Give a validation up with nothing linked: the frame has no type."""
    flight, frame = _working(m, k, VALIDATING)
    require(
        "nothing is linked, or it is a descriptor page",
        (frame.next_slot == 0) | (frame.type == SEG),
        EAGAIN,
    )
    require("no child waits in it", Not(frame.partial_entry), EAGAIN)
    m.ghost.drop(flight.frame, holders.flight(k), typed=True, general=False)
    frame.type_count = 0
    frame.type = NO_TYPE
    frame.noncoherent = False
    frame.next_slot = 0
    frame.stamp = m.world[0].clock
    flight.mode = REF
    _drop_partial_ref(m, flight.frame, frame)


@step("flights.mode", "frames.partial", "frames.partial_ref", "frames.ref_count")
def suspend(m: Machine, k: FlightId) -> None:
    """Leave a promotion or demotion unfinished: the table holds itself (PGT_partial)."""
    flight = m.flights[k]
    require(
        "a promotion or demotion is under way",
        (flight.mode == VALIDATING) | (flight.mode == DEVALIDATING),
        EAGAIN,
    )
    frame = m.frames[flight.frame]
    require("it is a page table", frame.type <= L4, EAGAIN)
    m.ghost.move(flight.frame, holders.flight(k), holders.partial(flight.frame), typed=True, general=False)
    if Not(frame.partial_ref):
        m.ghost.take(flight.frame, holders.partial(flight.frame), typed=False, general=True)
        frame.ref_count = frame.ref_count + 1
        frame.partial_ref = True
    frame.partial = True
    flight.mode = REF


@step("flights.mode", "vcpus.old_table", "vcpus.old_partial")
def defer(m: Machine, v: VcpuId, k: FlightId) -> None:
    """Hand a reference to the vCPU as the table to finish before anything else (old_guest_table)."""
    flight, vcpu = m.flights[k], m.vcpus[v]
    require("the vCPU has no old table", vcpu.old_table == NO_FRAME, EAGAIN)
    require("the flight holds a reference", (flight.mode == HELD) | (flight.mode == REF), EAGAIN)
    m.ghost.move(flight.frame, holders.flight(k), holders.old(v), typed=flight.mode == HELD, general=True)
    vcpu.old_table = flight.frame
    vcpu.old_partial = flight.mode == REF
    flight.mode = IDLE


@step("flights.mode", "flights.frame", "vcpus.old_table", "vcpus.old_partial", "frames.partial")
def take_old(m: Machine, v: VcpuId, k: FlightId) -> None:
    """Take the vCPU's old table back in flight, to release it (put_old_guest_table)."""
    flight, vcpu = m.flights[k], m.vcpus[v]
    require("the vCPU has an old table", vcpu.old_table != NO_FRAME, EAGAIN)
    require("flight is idle", flight.mode == IDLE, EAGAIN)
    f = vcpu.old_table
    m.ghost.move(f, holders.old(v), holders.flight(k), typed=Not(vcpu.old_partial), general=True)
    flight.frame = f
    if vcpu.old_partial:
        _take_over_demotion(m, k, flight)
    else:
        flight.mode = HELD
    vcpu.old_table = NO_FRAME
    vcpu.old_partial = False


def _take_over_demotion(m: Machine, k: FlightId, flight: Flight) -> None:
    """Demote the flight's frame if it is partial; else only its general reference is left to drop."""
    frame = m.frames[flight.frame]
    if frame.partial:
        frame.partial = False
        m.ghost.move(
            flight.frame, holders.partial(flight.frame), holders.flight(k), typed=True, general=False
        )
        flight.mode = DEVALIDATING
    else:
        flight.mode = REF


@step("flights.mode", "entries.target", "frames.partial_entry")
def keep_in_entry(m: Machine, k: FlightId, kc: FlightId, slot: int) -> None:
    """Leave the general reference of a partial child with the slot at which its parent stops."""
    flight, child = m.flights[k], m.flights[kc]
    require(
        "the table is being worked on",
        (flight.mode == VALIDATING) | (flight.mode == DEVALIDATING),
        EAGAIN,
    )
    frame = m.frames[flight.frame]
    require("the slot is the next one", (frame.next_slot == slot) & (slot < m.pte.slots), EAGAIN)
    require("the slot has no child yet", Not(frame.partial_entry), EAGAIN)
    require("tables have children from L2 on", (frame.type >= L2) & (frame.type <= L4), EAGAIN)
    require("the child is held by a general reference", child.mode == REF, EAGAIN)
    m.ghost.move(
        child.frame, holders.flight(kc), holders.entry(flight.frame, slot), typed=False, general=True
    )
    m.entries[flight.frame, slot].target = child.frame
    frame.partial_entry = True
    child.mode = IDLE


@step("flights.mode", "flights.frame", "frames.partial_entry", "frames.partial")
def take_from_entry(m: Machine, k: FlightId, kc: FlightId, slot: int, *, demote: bool) -> None:
    """Take the partial child back in flight, to promote it further or to demote it."""
    flight, child = m.flights[k], m.flights[kc]
    require(
        "the table is being worked on",
        (flight.mode == VALIDATING) | (flight.mode == DEVALIDATING),
        EAGAIN,
    )
    frame = m.frames[flight.frame]
    require("the slot is the next one", (frame.next_slot == slot) & frame.partial_entry, EAGAIN)
    require("flight is idle", child.mode == IDLE, EAGAIN)
    target = m.entries[flight.frame, slot].target
    m.ghost.move(target, holders.entry(flight.frame, slot), holders.flight(kc), typed=False, general=True)
    frame.partial_entry = False
    child.frame = target
    child.mode = REF
    if demote:
        _take_over_demotion(m, kc, child)


@step("flights.mode", "frames.type_count", "frames.next_slot", "frames.partial_ref", *FREEING)
def finish_devalidation(m: Machine, k: FlightId) -> None:
    """End a demotion: the type count is zero, the type stays."""
    flight, frame = _working(m, k, DEVALIDATING)
    require("no slot is left", Not(frame.partial_entry), EAGAIN)
    require("nothing is linked", none_present(m, flight.frame, 0, frame.next_slot), EAGAIN)
    m.ghost.drop(flight.frame, holders.flight(k), typed=True, general=False)
    frame.type_count = 0
    frame.next_slot = 0
    frame.stamp = m.world[0].clock
    flight.mode = REF
    _drop_partial_ref(m, flight.frame, frame)


@step("frames.next_slot")
def unwind(m: Machine, k: FlightId) -> None:
    """Go back to the first slot of a validation of which nothing is linked any more."""
    flight, frame = _working(m, k, VALIDATING)
    require("no child waits in it", Not(frame.partial_entry), EAGAIN)
    require("nothing is linked", none_present(m, flight.frame, 0, frame.next_slot), EAGAIN)
    frame.next_slot = 0


@step("vcpus.old_table", "vcpus.old_partial", "entries.target", "frames.partial_entry")
def take_old_child(m: Machine, v: VcpuId, k: FlightId, kc: FlightId, slot: int) -> None:
    """Leave the vCPU's old table, a child whose promotion failed, with the slot of its parent."""
    flight, vcpu, child = m.flights[k], m.vcpus[v], m.flights[kc]
    require("the table is being validated", flight.mode == VALIDATING, EAGAIN)
    frame = m.frames[flight.frame]
    require("the slot is the next one", (frame.next_slot == slot) & (slot < m.pte.slots), EAGAIN)
    require("the slot has no child yet", Not(frame.partial_entry), EAGAIN)
    require("tables have children from L2 on", (frame.type >= L2) & (frame.type <= L4), EAGAIN)
    require("the child's flight is idle", child.mode == IDLE, EAGAIN)
    require("the vCPU has a partial old table", (vcpu.old_table != NO_FRAME) & vcpu.old_partial, EAGAIN)
    m.ghost.move(vcpu.old_table, holders.old(v), holders.entry(flight.frame, slot), typed=False, general=True)
    m.entries[flight.frame, slot].target = vcpu.old_table
    frame.partial_entry = True
    vcpu.old_table = NO_FRAME
    vcpu.old_partial = False
