"""What the steps do that take, type, and let go of frames."""

from xenproofs.judge.actions.registry import Actions, of_step
from xenspec.logic import Not
from xenspec.memory.contracts import references as r
from xenspec.memory.contracts import tops as top
from xenspec.memory.contracts import types as t
from xenspec.memory.state import State
from xenspec.vocabulary import DomId, FlightId, Mfn, PageType


def let_go(s: State, f: Mfn, *, when: bool = True) -> Actions:
    """Drop one general reference of a frame, perhaps the last."""
    gone = r.LET_GO.of(r.OfFrame(f), when=when)
    discharged = r.DISCHARGE.of(r.OfFrame(f), when=when)
    return gone, discharged, r.FORGET_NUMBER.of(r.OfFrame(f), when=when & (s.frames[f].ref_count == 1))


@of_step
def take_ref(_: State, k: FlightId, f: Mfn, owner: DomId) -> Actions:
    """Take a general reference."""
    return (r.TAKE.of(r.Taken(k, f, owner)),)


@of_step
def drop_ref(s: State, k: FlightId) -> Actions:
    """Put a general reference."""
    return r.PUT.of(r.InFlight(k)), *let_go(s, s.flights[k].frame)


@of_step
def drop_allocation(s: State, f: Mfn, owner: DomId) -> Actions:
    """Give an allocation up, with its reference."""
    return r.LEAVE_XENS.of(r.OfFrame(f)), r.GIVE_UP.of(r.OfDomain(f, owner)), *let_go(s, f)


@of_step
def drop_allocated(s: State, k: FlightId) -> Actions:
    """Give the allocation of a held frame up, if there is one and the page is not Xen's own."""
    f = s.flights[k].frame
    ours = s.frames[f].allocated & Not(s.frames[f].special)
    own = r.OfDomain(f, s.frames[f].owner)
    return r.HOLD.of(r.InFlight(k)), r.GIVE_UP.of(own, when=ours), *let_go(s, f, when=ours)


@of_step
def steal(_: State, f: Mfn, owner: DomId) -> Actions:
    """Take a frame away from its domain; its number stays until it has another."""
    frame = r.OfFrame(f)
    own = r.GIVE_UP.of(r.OfDomain(f, owner))
    return r.STEAL.of(frame), r.LEAVE_XENS.of(frame), own, r.LET_GO.of(frame), r.DISCHARGE.of(frame)


@of_step
def allocate(s: State, f: Mfn, owner: DomId) -> Actions:
    """Admit a frame to a domain, scrubbed if another domain's data are in it."""
    given = r.OfDomain(f, owner)
    scrubbed = r.SCRUB.of(r.OfFrame(f), when=s.frames[f].dirty)
    return r.ADMIT.of(given), r.GIVE.of(given), r.CHARGE.of(given), scrubbed


@of_step
def give_back(_: State, f: Mfn, owner: DomId) -> Actions:
    """Give a frame back as it is to the domain that it was taken from."""
    given = r.OfDomain(f, owner)
    return r.TO_THE_LIVING.of(given), r.GIVE.of(given), r.CHARGE.of(given), r.RETURN.of(r.OfFrame(f))


@of_step
def set_m2p(s: State, k: FlightId, pfn: int) -> Actions:
    """Store the number of a held frame."""
    return r.HOLD.of(r.InFlight(k)), r.SET_NUMBER.of(r.Numbered(s.flights[k].frame, pfn))


@of_step
def set_allocated_m2p(_: State, f: Mfn, owner: DomId, pfn: int) -> Actions:
    """Store the number of a domain's frame."""
    return r.OWN.of(r.OfDomain(f, owner)), r.SET_NUMBER.of(r.Numbered(f, pfn))


@of_step
def claim(_: State, k: FlightId, want: PageType) -> Actions:
    """Take a type reference."""
    return (t.TAKE_TYPE.of(t.Typed(k, want)),)


@of_step
def claim_top_l2(_: State, k: FlightId, want: PageType) -> Actions:
    """Take an L2 table for the top of the address space."""
    return (top.TAKE_TOP.of(t.Typed(k, want)),)


@of_step
def take_type_again(_: State, k: FlightId) -> Actions:
    """Take one more type reference."""
    return (t.TAKE_AGAIN.of(r.InFlight(k)),)


@of_step
def lock_page(_: State, k: FlightId) -> Actions:
    """Take a type reference and the lock."""
    return t.TAKE_AGAIN.of(r.InFlight(k)), t.LOCK.of(r.InFlight(k))


@of_step
def unlock_page(_: State, k: FlightId) -> Actions:
    """Drop the lock and its type reference."""
    return (t.UNLOCK.of(r.InFlight(k)),)


@of_step
def drop_type(_: State, k: FlightId) -> Actions:
    """Drop a type reference."""
    return (t.DROP_TYPE.of(r.InFlight(k)),)


@of_step
def finish_flush(_: State, k: FlightId) -> Actions:
    """End the flush of a type change."""
    return (t.FINISH_FLUSH.of(r.InFlight(k)),)


@of_step
def mark_noncoherent(_: State, k: FlightId) -> Actions:
    """Remember a write-combining mapping."""
    return (t.BE_NONCOHERENT.of(r.InFlight(k)),)
