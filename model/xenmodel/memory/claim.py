"""Taking and dropping a frame's two references, one atomic operation at a time.

General reference: get_page() / put_page(); the last one frees the frame. Type reference:
_get_page_type() / _put_page_type(). Taking a type is several steps, because other CPUs run between them:
claim (type and count are set, the frame is not validated yet), flush each CPU that may still translate to
the frame, then either done (writable) or validation, entry by entry (xenmodel.memory.promotion).

Advisories 241, 299 and 401 live between these steps. All references here are in flight (holders.Purpose).
"""

from xenmodel.machine import Machine
from xenmodel.memory import holders
from xenmodel.memory.rows import (
    DEVALIDATING,
    FLUSHING,
    HELD,
    IDLE,
    NO_PFN,
    REF,
    REF_LIMIT,
    TYPE_LIMIT,
    VALIDATING,
    Flight,
    Frame,
)
from xenmodel.step import require, step
from xenspec.logic import Not, ite
from xenspec.vocabulary import (
    DOMID_INVALID,
    EAGAIN,
    EINVAL,
    L1,
    L2,
    L4,
    NO_TYPE,
    SHARED,
    WRITABLE,
    DomId,
    FlightId,
    Mfn,
    PageType,
)

LOCK_AND_ONE = 2
"""Type references of a frame that its lock and one more holder have."""

FREED = (
    "m2p.pfn",
    "frames.owner",
    "frames.type",
    "frames.validated",
    "frames.noncoherent",
    "frames.linear",
    "frames.dirty",
    "frames.cursor",
)
"""What changes, beside the counts, when the last general reference of a frame goes."""


@step("flights.mode", "flights.frame", "frames.ref_count")
def take_ref(m: Machine, k: FlightId, f: Mfn, owner: DomId) -> None:
    """Take a general reference to a live frame of `owner` (get_page)."""
    flight, frame = m.flights[k], m.frames[f]
    require("flight is idle", flight.mode == IDLE, EAGAIN)
    require("frame is live", frame.ref_count > 0, EINVAL)
    require("frame belongs to the named domain", frame.owner == owner, EINVAL)
    require("general count has room", frame.ref_count < REF_LIMIT, EINVAL)
    frame.ref_count = frame.ref_count + 1
    m.ghost.take(f, holders.flight(k), typed=False, general=True)
    flight.mode = REF
    flight.frame = f


@step("flights.mode", "frames.ref_count", "frames.stamp", "domains.pages", *FREED)
def drop_ref(m: Machine, k: FlightId) -> None:
    """Drop a general reference; the last one frees the frame (put_page)."""
    flight = m.flights[k]
    require("flight holds a general reference", flight.mode == REF, EAGAIN)
    flight.mode = IDLE
    release_general(m, flight.frame, holders.flight(k))


def release_general(m: Machine, f: Mfn, holder: holders.Holder) -> None:
    """Lower the general count of `f` for `holder`, and free the frame at zero. Part of a step."""
    frame = m.frames[f]
    m.ghost.drop(f, holder, typed=False, general=True)
    frame.ref_count = frame.ref_count - 1
    if frame.ref_count == 0:
        domain = m.domains[frame.owner]
        domain.pages = domain.pages - 1
        frame.owner = DOMID_INVALID
        frame.type = NO_TYPE
        frame.validated = False
        frame.noncoherent = False
        frame.linear = 0
        frame.dirty = True
        frame.cursor = 0
        frame.stamp = m.world[0].clock
        m.m2p[f].pfn = NO_PFN


@step(
    "flights.mode",
    "frames.type",
    "frames.type_count",
    "frames.validated",
    "frames.partial",
    "frames.flushing",
    "frames.cursor",
    "frames.next_slot",
    "frames.linear",
    "frames.noncoherent",
    "frames.top_l2",
)
def claim(m: Machine, k: FlightId, want: PageType) -> None:
    """Take a type reference: at count zero the type may change, which starts its flush (_get_page_type)."""
    flight = m.flights[k]
    frame = m.frames[flight.frame]
    require("flight holds a general reference", flight.mode == REF, EAGAIN)
    require("there is such a type to take", (want != NO_TYPE) & (want != SHARED), EINVAL)
    require("type count has room", frame.type_count < TYPE_LIMIT, EINVAL)
    if frame.type_count == 0:
        _claim_first(m, k, flight, frame, want)
    else:
        require("frame is of the type", (frame.type == want) & Not(frame.top_l2), EINVAL)
        require("frame is not being validated", frame.validated | frame.partial, EAGAIN)
        if frame.validated:
            frame.type_count = frame.type_count + 1
            m.ghost.take(flight.frame, holders.flight(k), typed=True, general=False)
            flight.mode = HELD
        else:
            frame.partial = False
            m.ghost.move(
                flight.frame, holders.partial(flight.frame), holders.flight(k), typed=True, general=False
            )
            flight.mode = VALIDATING


def _claim_first(m: Machine, k: FlightId, flight: Flight, frame: Frame, want: PageType) -> None:
    """Take the first type reference of a frame."""
    frame.type_count = 1
    m.ghost.take(flight.frame, holders.flight(k), typed=True, general=False)
    if (frame.type == want) & Not(frame.top_l2):
        if frame.validated:
            flight.mode = HELD
        else:
            _begin_validation(flight, frame)
    else:
        _begin_flush(flight, frame, want)
        frame.top_l2 = False


def _begin_flush(flight: Flight, frame: Frame, want: PageType) -> None:
    """Change the type of a frame that nobody uses; its flush comes next."""
    frame.type = want
    frame.validated = False
    frame.flushing = True
    frame.cursor = 0
    flight.mode = FLUSHING


@step(
    "flights.mode",
    "frames.type",
    "frames.type_count",
    "frames.validated",
    "frames.partial",
    "frames.flushing",
    "frames.cursor",
    "frames.top_l2",
)
def claim_top_l2(m: Machine, k: FlightId, want: PageType) -> None:
    """Take the only reference of an L2 table for the top of the address space (PGT_pae_xen_l2)."""
    flight = m.flights[k]
    frame = m.frames[flight.frame]
    require("flight holds a general reference", flight.mode == REF, EAGAIN)
    require("there are such tables", (m.pte.top_slot >= 0) & (want == L2), EAGAIN)
    require("the table is linked nowhere else", (frame.type_count == 0) | frame.partial, EINVAL)
    if frame.partial:
        require("frame is of the type", (frame.type == L2) & frame.top_l2, EINVAL)
        frame.partial = False
        m.ghost.move(
            flight.frame, holders.partial(flight.frame), holders.flight(k), typed=True, general=False
        )
        flight.mode = VALIDATING
    else:
        frame.type_count = 1
        m.ghost.take(flight.frame, holders.flight(k), typed=True, general=False)
        _begin_flush(flight, frame, L2)
        frame.top_l2 = True


def _begin_validation(flight: Flight, frame: Frame) -> None:
    """Start to look at the contents of a frame that is to be a table or a descriptor page."""
    frame.next_slot = 0
    frame.linear = 0
    frame.noncoherent = False
    flight.mode = VALIDATING


@step("frames.cursor", "cpus.epoch", "cpus.flushed_at", "world.clock")
def flush_next_cpu(m: Machine, k: FlightId) -> None:
    """Flush the next CPU that may still translate to a frame whose type changes (flush_mask)."""
    flight = m.flights[k]
    require("frame is being flushed", flight.mode == FLUSHING, EAGAIN)
    frame = m.frames[flight.frame]
    cpu = frame.cursor
    require("a CPU is left", cpu < m.cpu_count, EAGAIN)
    row = m.cpus[cpu]
    if m.dirty[frame.owner, cpu].dirty & (row.flushed_at <= frame.stamp):
        flush(m, cpu)
    frame.cursor = cpu + 1


def flush(m: Machine, cpu: int) -> None:
    """Drop every translation of a CPU. Part of a step."""
    world, row = m.world[0], m.cpus[cpu]
    row.epoch = row.epoch + 1
    world.clock = world.clock + 1
    row.flushed_at = world.clock


@step(
    "flights.mode",
    "frames.flushing",
    "frames.validated",
    "frames.next_slot",
    "frames.linear",
    "frames.noncoherent",
    "demotions.demoted",
)
def finish_flush(m: Machine, k: FlightId) -> None:
    """End the flush of a type change: a writable frame is done, others are validated next."""
    flight = m.flights[k]
    require("frame is being flushed", flight.mode == FLUSHING, EAGAIN)
    frame = m.frames[flight.frame]
    require("every CPU was looked at", frame.cursor == m.cpu_count, EAGAIN)
    frame.flushing = False
    frame.noncoherent = False
    m.demotions[flight.frame].demoted = False
    if frame.type == WRITABLE:
        frame.validated = True
        flight.mode = HELD
    else:
        _begin_validation(flight, frame)


DEMOTED = (
    "demotions.demoted",
    "demotions.demoted_at",
    "demotions.demoted_from",
    "demotions.demoted_owner",
)
"""What is noted when a frame ceases to be a validated table."""


def _note_demotion(m: Machine, f: Mfn, frame: Frame) -> None:
    """Note that nothing links a table any more: from now on only what CPUs have cached leads to it."""
    demotion = m.demotions[f]
    demotion.demoted = True
    demotion.demoted_at = m.world[0].clock
    demotion.demoted_from = frame.type
    demotion.demoted_owner = frame.owner


@step("flights.mode", "frames.type_count", "frames.validated", "frames.next_slot", "frames.stamp", *DEMOTED)
def drop_type(m: Machine, k: FlightId) -> None:
    """Drop a type reference; the last one of a page table starts its demotion (_put_page_type)."""
    flight = m.flights[k]
    require("flight holds a type reference", flight.mode == HELD, EAGAIN)
    frame = m.frames[flight.frame]
    require(
        "the lock's reference would not be the last",
        Not(frame.locked) | (frame.type_count > LOCK_AND_ONE),
        EAGAIN,
    )
    if (frame.type_count == 1) & is_table(frame.type):
        _note_demotion(m, flight.frame, frame)
        frame.validated = False
        frame.next_slot = m.pte.slots
        flight.mode = DEVALIDATING
    else:
        m.ghost.drop(flight.frame, holders.flight(k), typed=True, general=False)
        frame.type_count = frame.type_count - 1
        frame.stamp = ite(frame.type_count == 0, m.world[0].clock, frame.stamp)
        flight.mode = REF


def is_table(frame_type: PageType) -> bool:
    """Return whether a type is one of the page-table types."""
    return (frame_type >= L1) & (frame_type <= L4)


@step("flights.mode", "frames.type_count")
def take_type_again(m: Machine, k: FlightId) -> None:
    """Take one more type reference of a frame that is validated and in use, whatever its type."""
    flight = m.flights[k]
    require("flight holds a general reference", flight.mode == REF, EAGAIN)
    frame = m.frames[flight.frame]
    require("frame is in use", frame.type_count > 0, EINVAL)
    require("frame is validated", frame.validated, EINVAL)
    require("type count has room", frame.type_count < TYPE_LIMIT, EINVAL)
    frame.type_count = frame.type_count + 1
    m.ghost.take(flight.frame, holders.flight(k), typed=True, general=False)
    flight.mode = HELD


@step("flights.mode", "frames.type_count", "frames.locked")
def lock_page(m: Machine, k: FlightId) -> None:
    """Lock a validated frame in use, to update it; refused with EAGAIN while another has it (page_lock)."""
    flight = m.flights[k]
    require("flight holds a general reference", flight.mode == REF, EAGAIN)
    frame = m.frames[flight.frame]
    require("nobody else updates the frame", Not(frame.locked), EAGAIN)
    require("frame is in use", frame.type_count > 0, EINVAL)
    require("frame is validated", frame.validated, EINVAL)
    require("type count has room", frame.type_count < TYPE_LIMIT, EINVAL)
    frame.type_count = frame.type_count + 1
    frame.locked = True
    m.ghost.take(flight.frame, holders.flight(k), typed=True, general=False)
    flight.mode = HELD


@step("flights.mode", "frames.type_count", "frames.locked")
def unlock_page(m: Machine, k: FlightId) -> None:
    """Drop the lock and its type reference; never the last one, which waits for the lock (page_unlock)."""
    flight = m.flights[k]
    require("flight holds a type reference", flight.mode == HELD, EAGAIN)
    frame = m.frames[flight.frame]
    require("the frame is locked", frame.locked, EAGAIN)
    require("another type reference is left", frame.type_count > 1, EAGAIN)
    m.ghost.drop(flight.frame, holders.flight(k), typed=True, general=False)
    frame.type_count = frame.type_count - 1
    frame.locked = False
    flight.mode = REF


@step("frames.noncoherent")
def mark_noncoherent(m: Machine, k: FlightId) -> None:
    """Remember that a frame is mapped writable and write-combining (PGT_non_coherent)."""
    flight = m.flights[k]
    require("flight holds a type reference", flight.mode == HELD, EAGAIN)
    require("of writable memory", m.frames[flight.frame].type == WRITABLE, EAGAIN)
    m.frames[flight.frame].noncoherent = True


@step("frames.allocated", "frames.ref_count", "frames.stamp", "domains.pages", *FREED)
def drop_allocation(m: Machine, f: Mfn, owner: DomId) -> None:
    """Give up the allocation of a frame; it lives on while others hold it (put_page_alloc_ref)."""
    frame = m.frames[f]
    require("frame is allocated", frame.allocated, EINVAL)
    require("frame belongs to the domain", frame.owner == owner, EINVAL)
    require("frame is not Xen's own", Not(frame.special), EINVAL)
    frame.allocated = False
    release_general(m, f, holders.allocated(f))
