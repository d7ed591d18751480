"""What the steps do by which pins, base pointers and descriptor tables hold frames, and work waits."""

from xenproofs.judge.actions.references import let_go
from xenproofs.judge.actions.registry import Actions, of_step
from xenspec.logic import ite
from xenspec.memory.contracts import keeping as p
from xenspec.memory.contracts import references as r
from xenspec.memory.contracts import work as j
from xenspec.memory.frames import NO_FRAME
from xenspec.memory.state import State
from xenspec.vocabulary import FlightId, Mfn, Mode, VcpuId


def swapped(s: State, kn: FlightId, ko: FlightId, old: Mfn) -> Actions:
    """Let a place hold what one flight holds, if it does; what it held goes to the other."""
    kept = p.KEEP.of(r.InFlight(kn), when=s.flights[kn].mode != Mode.IDLE)
    return p.GIVE_BACK.of(p.GivenBack(ko, old), when=old != NO_FRAME), kept


def incoming(s: State, kn: FlightId) -> Mfn:
    """Return the frame that a flight holds, or none."""
    return ite(s.flights[kn].mode == Mode.HELD, s.flights[kn].frame, NO_FRAME)


@of_step
def pin(s: State, k: FlightId) -> Actions:
    """Let a pin hold the table."""
    return p.KEEP.of(r.InFlight(k)), p.PIN.of(r.OfFrame(s.flights[k].frame))


@of_step
def unpin(_: State, k: FlightId, f: Mfn) -> Actions:
    """Take a pin's references."""
    return p.GIVE_BACK.of(p.GivenBack(k, f)), p.UNPIN.of(r.OfFrame(f))


@of_step
def swap_base(s: State, v: VcpuId, kn: FlightId, ko: FlightId, *, which: int) -> Actions:
    """Set a base pointer."""
    old = ite(which == p.USER, s.vcpus[v].user_base, s.vcpus[v].base)
    return *swapped(s, kn, ko, old), p.SET_BASE.of(p.Based(v, which, incoming(s, kn)))


@of_step
def put_gdt_page(s: State, v: VcpuId, kn: FlightId, ko: FlightId, index: int) -> Actions:
    """Set a page of a GDT."""
    page = p.Described(v, index, incoming(s, kn))
    return *swapped(s, kn, ko, s.gdt[v, index].frame), p.SET_GDT.of(page)


@of_step
def put_ldt_page(s: State, v: VcpuId, kn: FlightId, ko: FlightId, index: int) -> Actions:
    """Set a page of an LDT shadow."""
    page = p.Described(v, index, incoming(s, kn))
    return *swapped(s, kn, ko, s.ldt[v, index].frame), p.SET_LDT.of(page)


@of_step
def set_gdt_size(_: State, v: VcpuId, entries: int) -> Actions:
    """Say how large a GDT is."""
    return (p.SIZE_GDT.of(p.Placed(v, 0, entries)),)


@of_step
def set_ldt_place(_: State, v: VcpuId, base: int, entries: int) -> Actions:
    """Say where an LDT is."""
    return (p.PLACE_LDT.of(p.Placed(v, base, entries)),)


# --- Work ---------------------------------------------------------------------------------------------------


def ended(s: State, k: FlightId) -> Actions:
    """End what a table that waited had of itself."""
    f = s.flights[k].frame
    waited = s.frames[f].partial_ref
    return j.NO_PARTIAL_REFERENCE.of(r.OfFrame(f), when=waited), *let_go(s, f, when=waited)


@of_step
def finish_validation(s: State, k: FlightId) -> Actions:
    """End a validation well."""
    return j.VALIDATED.of(r.InFlight(k)), *ended(s, k)


@of_step
def fail_validation(s: State, k: FlightId) -> Actions:
    """Give a validation up."""
    return j.FAILED.of(r.InFlight(k)), *ended(s, k)


@of_step
def finish_devalidation(s: State, k: FlightId) -> Actions:
    """End a demotion."""
    return j.RELEASED.of(r.InFlight(k)), *ended(s, k)


@of_step
def suspend(_: State, k: FlightId) -> Actions:
    """Let a table's work wait."""
    return (j.WAIT.of(r.InFlight(k)),)


@of_step
def defer(_: State, v: VcpuId, k: FlightId) -> Actions:
    """Defer a table."""
    return (j.DEFER.of(j.Deferred(v, k)),)


@of_step
def take_old(_: State, v: VcpuId, k: FlightId) -> Actions:
    """Take the old table."""
    return (j.TAKE_OLD.of(j.Deferred(v, k)),)


@of_step
def keep_in_entry(_: State, k: FlightId, kc: FlightId, slot: int) -> Actions:
    """Leave a child at its slot."""
    return (j.WAIT_AT.of(j.Child(k, kc, slot)),)


@of_step
def take_from_entry(_: State, k: FlightId, kc: FlightId, slot: int, *, demote: bool) -> Actions:
    """Take a child from its slot."""
    return (j.TAKE_CHILD.of(j.Child(k, kc, slot, demote)),)


@of_step
def take_old_child(_: State, v: VcpuId, k: FlightId, kc: FlightId, slot: int) -> Actions:
    """Leave the old table at its parent's slot, by whose flight it would have gone."""
    return (j.OLD_WAITS_AT.of(j.OldChild(k, kc, v, slot)),)
