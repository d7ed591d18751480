"""General references and the allocation: who may take a frame, and what becomes of it as the last one goes.

Each holder of a frame has a general reference; the allocation is one of them. The last to let go frees the
frame: it is charged to nobody, has no type, and is to be scrubbed before anybody else may read it.
"""

from dataclasses import dataclass

from xenspec.contract import EVERY, Cells, Contract
from xenspec.logic import Not, implies
from xenspec.memory.frames import NO_PFN
from xenspec.memory.state import State
from xenspec.vocabulary import (
    DOMID_FIRST_RESERVED,
    DOMID_INVALID,
    NO_TYPE,
    DomId,
    FlightId,
    Mfn,
    Mode,
)

MOST_REFERENCES = (1 << 54) - 3
"""A general count that may not be raised any more (54 bits, the two largest values reserved)."""
FREED = ("owner", "type", "validated", "noncoherent", "linear", "dirty", "cursor", "stamp")


@dataclass(frozen=True, slots=True)
class Taken:
    """A flight takes a reference of a frame, which is to be a domain's."""

    k: FlightId
    frame: Mfn
    owner: DomId


@dataclass(frozen=True, slots=True)
class InFlight:
    """A flight, and what it holds."""

    k: FlightId


@dataclass(frozen=True, slots=True)
class OfFrame:
    """A frame."""

    frame: Mfn


@dataclass(frozen=True, slots=True)
class OfDomain:
    """A frame, and a domain."""

    frame: Mfn
    domain: DomId


TAKE: Contract[State, Taken] = Contract("take a general reference")
PUT: Contract[State, InFlight] = Contract("put a general reference")
LET_GO: Contract[State, OfFrame] = Contract("let a frame go")
DISCHARGE: Contract[State, OfFrame] = Contract("discharge a domain of a frame")
FORGET_NUMBER: Contract[State, OfFrame] = Contract("forget a frame's number")
GIVE_UP: Contract[State, OfDomain] = Contract("give up an allocation")
LEAVE_XENS: Contract[State, OfFrame] = Contract("leave Xen's own pages alone")
STEAL: Contract[State, OfFrame] = Contract("take a frame away")


@TAKE.asks(property=10)
def a_new_reference_travels_in_an_idle_flight(s: State, a: Taken) -> bool:
    """A flight that takes a reference holds none yet."""
    return s.flights[a.k].mode == Mode.IDLE


@TAKE.asks(property=(2, 7, 15))
def only_a_live_frame_of_the_named_domain_is_taken(s: State, a: Taken) -> bool:
    """A reference is taken only of a frame in use, which belongs to the domain that is named."""
    return (s.frames[a.frame].ref_count > 0) & (s.frames[a.frame].owner == a.owner)


@TAKE.asks(property=6)
def the_general_count_has_room(s: State, a: Taken) -> bool:
    """A general count at its limit is not raised."""
    return s.frames[a.frame].ref_count < MOST_REFERENCES


@TAKE.does(property=6)
def the_flight_holds_the_frame(before: State, after: State, a: Taken) -> bool:
    """The frame has one general reference more, and the flight holds it."""
    return (
        (after.frames[a.frame].ref_count == before.frames[a.frame].ref_count + 1)
        & (after.flights[a.k].mode == Mode.REF)
        & (after.flights[a.k].frame == a.frame)
    )


@TAKE.touches
def _take(_: State, a: Taken) -> tuple[Cells, ...]:
    return (Cells("frames", a.frame, ("ref_count",)), Cells("flights", a.k, ("mode", "frame")))


@PUT.asks(property=6)
def what_is_put_is_a_general_reference(s: State, a: InFlight) -> bool:
    """The flight holds a general reference and no other: a typed one goes first."""
    return s.flights[a.k].mode == Mode.REF


@PUT.does(property=6)
def the_flight_holds_nothing(_: State, after: State, a: InFlight) -> bool:
    """The flight is idle."""
    return after.flights[a.k].mode == Mode.IDLE


@PUT.touches
def _put(_: State, a: InFlight) -> tuple[Cells, ...]:
    return (Cells("flights", a.k, ("mode",)),)


# --- Letting go ---------------------------------------------------------------------------------------------


@LET_GO.does(property=6)
def one_fewer_holds_the_frame(before: State, after: State, a: OfFrame) -> bool:
    """The frame has one general reference fewer."""
    return after.frames[a.frame].ref_count == before.frames[a.frame].ref_count - 1


@LET_GO.does(property=7, advisories=(100,))
def the_last_reference_frees_the_frame(before: State, after: State, a: OfFrame) -> bool:
    """With the last reference the frame is nobody's, has no type, is to be scrubbed, and to be flushed."""
    return implies(
        before.frames[a.frame].ref_count == 1,
        lambda: (
            (after.frames[a.frame].owner == DOMID_INVALID)
            & (after.frames[a.frame].type == NO_TYPE)
            & Not(after.frames[a.frame].validated)
            & Not(after.frames[a.frame].noncoherent)
            & (after.frames[a.frame].linear == 0)
            & after.frames[a.frame].dirty
            & (after.frames[a.frame].cursor == 0)
            & (after.frames[a.frame].stamp == before.world[0].clock)
        ),
    )


@DISCHARGE.does(property=19)
def a_freed_frame_is_charged_to_nobody(before: State, after: State, a: OfFrame) -> bool:
    """The domain whose frame is freed is charged for one frame fewer."""
    owner = before.frames[a.frame].owner
    return implies(
        before.frames[a.frame].ref_count == 1,
        lambda: after.domains[owner].pages == before.domains[owner].pages - 1,
    )


@DISCHARGE.touches
def _discharge(s: State, a: OfFrame) -> tuple[Cells, ...]:
    last = s.frames[a.frame].ref_count == 1
    return (Cells("domains", s.frames[a.frame].owner, ("pages",), when=last),)


@LET_GO.touches
def _let_go(s: State, a: OfFrame) -> tuple[Cells, ...]:
    last = s.frames[a.frame].ref_count == 1
    return (Cells("frames", a.frame, ("ref_count",)), Cells("frames", a.frame, FREED, when=last))


@FORGET_NUMBER.does(property=7)
def a_free_frame_has_no_number(_: State, after: State, a: OfFrame) -> bool:
    """The machine-to-physical map says that the frame is no domain's."""
    return after.m2p[a.frame].pfn == NO_PFN


@FORGET_NUMBER.touches
def _forget_number(_: State, a: OfFrame) -> tuple[Cells, ...]:
    return (Cells("m2p", a.frame, ("pfn",)),)


@GIVE_UP.asks(property=(7, 15))
def only_its_owner_gives_a_frame_up(s: State, a: OfDomain) -> bool:
    """An allocation is given up once, and in the name of the domain that has it."""
    return s.frames[a.frame].allocated & (s.frames[a.frame].owner == a.domain)


@LEAVE_XENS.asks(property=10)
def xens_own_page_is_left_alone(s: State, a: OfFrame) -> bool:
    """A page that Xen shares with a guest is not freed or taken away by giving its allocation up."""
    return Not(s.frames[a.frame].special)


@GIVE_UP.does(property=7)
def the_allocation_is_over(_: State, after: State, a: OfDomain) -> bool:
    """The frame is not allocated any more."""
    return Not(after.frames[a.frame].allocated)


@GIVE_UP.touches
def _give_up(_: State, a: OfDomain) -> tuple[Cells, ...]:
    return (Cells("frames", a.frame, ("allocated",)),)


@STEAL.asks(property=(2, 7))
def only_a_frame_that_nobody_else_holds_is_taken_away(s: State, a: OfFrame) -> bool:
    """A frame that is taken away from a domain has no holder but its allocation."""
    return s.frames[a.frame].ref_count == 1


# --- Coming to a domain -------------------------------------------------------------------------------------

GIVE: Contract[State, OfDomain] = Contract("give a frame to a domain")
CHARGE: Contract[State, OfDomain] = Contract("charge a domain for a frame")
ADMIT: Contract[State, OfDomain] = Contract("admit a frame to a domain")
SCRUB: Contract[State, OfFrame] = Contract("scrub a frame")
TO_THE_LIVING: Contract[State, OfDomain] = Contract("give a frame back to a domain")
RETURN: Contract[State, OfFrame] = Contract("return a frame with its contents")
GIVEN = ("owner", "allocated", "ref_count", "type", "validated", "noncoherent", "linear")


@GIVE.asks(property=(2, 7))
def only_a_free_frame_is_given(s: State, a: OfDomain) -> bool:
    """A frame that is given to a domain is nobody's: no owner, no holder."""
    return (s.frames[a.frame].ref_count == 0) & (s.frames[a.frame].owner == DOMID_INVALID)


@GIVE.asks(property=8, advisories=(401,))
def no_cpu_translates_to_a_frame_that_is_given(s: State, a: OfDomain) -> bool:
    """Every CPU was looked at since the frame was freed: none has a translation to it."""
    return s.frames[a.frame].cursor == s.cpu_count


@GIVE.asks(property=10)
def only_a_domain_is_given_a_frame(s: State, a: OfDomain) -> bool:  # noqa: ARG001 - of the arguments alone
    """A frame is given to an ordinary domain."""
    return a.domain < DOMID_FIRST_RESERVED


@GIVE.does(property=(6, 7))
def a_given_frame_is_the_domains_without_a_type(_: State, after: State, a: OfDomain) -> bool:
    """The frame is the domain's, held by its allocation alone, of no type, in no table's books."""
    return (
        (after.frames[a.frame].owner == a.domain)
        & after.frames[a.frame].allocated
        & (after.frames[a.frame].ref_count == 1)
        & (after.frames[a.frame].type == NO_TYPE)
        & Not(after.frames[a.frame].validated)
        & Not(after.frames[a.frame].noncoherent)
        & (after.frames[a.frame].linear == 0)
    )


@CHARGE.does(property=19)
def a_given_frame_is_charged(before: State, after: State, a: OfDomain) -> bool:
    """The domain is charged for one frame more."""
    return after.domains[a.domain].pages == before.domains[a.domain].pages + 1


@GIVE.touches
def _give(_: State, a: OfDomain) -> tuple[Cells, ...]:
    return (Cells("frames", a.frame, GIVEN), Cells("demotions", a.frame, ("demoted",)))


@CHARGE.touches
def _charge(_: State, a: OfDomain) -> tuple[Cells, ...]:
    return (Cells("domains", a.domain, ("pages",)),)


@ADMIT.asks(property=(19, 20))
def the_quota_has_room(s: State, a: OfDomain) -> bool:
    """A domain is given no frame beyond its maximum."""
    return s.domains[a.domain].pages < s.domains[a.domain].max_pages


@ADMIT.asks(property=32)
def the_dying_are_given_nothing(s: State, a: OfDomain) -> bool:
    """A domain whose end has begun is given no frame."""
    return Not(s.domains[a.domain].dying)


@SCRUB.does(property=7, advisories=(100,))
def a_scrubbed_frame_holds_zeros(_: State, after: State, a: OfFrame) -> bool:
    """Every word of the frame is zero, and it counts as clean."""
    return Not(after.frames[a.frame].dirty) & after.words.all_zero(a.frame, 0, after.pte.slots)


@TO_THE_LIVING.asks(property=32)
def only_the_living_are_given_frames_back(s: State, a: OfDomain) -> bool:
    """The domain exists, and its end has not begun."""
    return s.domains[a.domain].exists & Not(s.domains[a.domain].dying)


@RETURN.does(property=7)
def a_returned_frame_is_clean_for_its_domain(_: State, after: State, a: OfFrame) -> bool:
    """What is in the frame is its own domain's: nothing is left to scrub."""
    return Not(after.frames[a.frame].dirty)


@RETURN.touches
def _return(_: State, a: OfFrame) -> tuple[Cells, ...]:
    return (Cells("frames", a.frame, ("dirty",)),)


@SCRUB.touches
def _scrub(_: State, a: OfFrame) -> tuple[Cells, ...]:
    return (Cells("frames", a.frame, ("dirty",)), Cells("words", (a.frame, EVERY), ("word",)))


# --- Numbers ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Numbered:
    """A frame, and the number by which its owner is to know it."""

    frame: Mfn
    pfn: int


SET_NUMBER: Contract[State, Numbered] = Contract("store a machine-to-physical entry")
HOLD: Contract[State, InFlight] = Contract("hold a frame")
OWN: Contract[State, OfDomain] = Contract("own a frame")


@SET_NUMBER.does(property=33)
def the_map_says_the_number(_: State, after: State, a: Numbered) -> bool:
    """The machine-to-physical map has the number at the frame."""
    return after.m2p[a.frame].pfn == a.pfn


@SET_NUMBER.touches
def _set_number(_: State, a: Numbered) -> tuple[Cells, ...]:
    return (Cells("m2p", a.frame, ("pfn",)),)


@HOLD.asks(property=(7, 15))
def the_frame_is_held_by_a_general_reference(s: State, a: InFlight) -> bool:
    """Whoever works on a frame holds it by a general reference."""
    return s.flights[a.k].mode == Mode.REF


@OWN.asks(property=(7, 15))
def the_frame_is_the_domains_and_allocated(s: State, a: OfDomain) -> bool:
    """The frame is allocated to the domain that is named."""
    return (s.frames[a.frame].owner == a.domain) & s.frames[a.frame].allocated
