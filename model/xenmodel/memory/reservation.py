"""Allocation: how frames come to a domain and leave it (steps of memory_op and of domain building).

Which frame the allocator hands out is not Xen's promise and not the model's: it is an input, checked for
admissibility (the frame is RAM that nobody owns).
"""

from xenmodel.machine import Machine
from xenmodel.memory import holders
from xenmodel.memory.claim import flush
from xenmodel.memory.rows import REF, Place
from xenmodel.step import require, step
from xenspec.logic import Not
from xenspec.vocabulary import (
    DOMID_FIRST_RESERVED,
    DOMID_INVALID,
    EAGAIN,
    EINVAL,
    ENOMEM,
    NO_TYPE,
    DomId,
    FlightId,
    Mfn,
)


@step("frames.cursor", "cpus.epoch", "cpus.flushed_at", "world.clock")
def flush_free_frame(m: Machine, f: Mfn) -> None:
    """Flush the next CPU that may still translate to a free frame (alloc_heap_pages)."""
    frame = m.frames[f]
    require("nobody holds the frame", frame.ref_count == 0, EINVAL)
    cpu = frame.cursor
    require("a CPU is left", (cpu >= 0) & (cpu < m.cpu_count), EINVAL)
    if m.cpus[cpu].flushed_at <= frame.stamp:
        flush(m, cpu)
    frame.cursor = cpu + 1


@step(
    "frames.owner",
    "frames.allocated",
    "frames.ref_count",
    "frames.type",
    "frames.validated",
    "frames.linear",
    "frames.noncoherent",
    "domains.pages",
    "words.word",
    "frames.dirty",
    "demotions.demoted",
)
def allocate(m: Machine, f: Mfn, owner: DomId) -> None:
    """Give a free frame to a domain, scrubbed, with no type and one reference (assign_pages)."""
    frame = m.frames[f]
    require("the frame is memory", frame.place == Place.RAM, EINVAL)
    require("nobody holds the frame", (frame.ref_count == 0) & (frame.owner == DOMID_INVALID), EINVAL)
    require("no CPU translates to the frame any more", frame.cursor == m.cpu_count, EAGAIN)
    require("the owner is a domain", owner < DOMID_FIRST_RESERVED, EINVAL)
    domain = m.domains[owner]
    require("the domain is not dying", Not(domain.dying), EINVAL)
    require("the domain's quota has room", domain.pages < domain.max_pages, ENOMEM)
    if frame.dirty:
        m.words.clear(f)
        frame.dirty = False
    frame.owner = owner
    frame.allocated = True
    frame.ref_count = 1
    frame.type = NO_TYPE
    frame.validated = False
    frame.linear = 0
    frame.noncoherent = False
    m.demotions[f].demoted = False
    domain.pages = domain.pages + 1
    m.ghost.take(f, holders.allocated(f), typed=False, general=True)


@step(
    "frames.owner",
    "frames.allocated",
    "frames.ref_count",
    "frames.type",
    "frames.validated",
    "frames.noncoherent",
    "frames.linear",
    "frames.stamp",
    "frames.cursor",
    "frames.dirty",
    "domains.pages",
)
def steal(m: Machine, f: Mfn, owner: DomId) -> None:
    """Take a frame that only its allocation holds away from its domain (steal_page)."""
    frame = m.frames[f]
    require("the frame belongs to the domain", (frame.owner == owner) & frame.allocated, EINVAL)
    require("the frame is not Xen's own", Not(frame.special), EINVAL)
    require("only the allocation holds the frame", frame.ref_count == 1, EINVAL)
    m.ghost.drop(f, holders.allocated(f), typed=False, general=True)
    domain = m.domains[owner]
    domain.pages = domain.pages - 1
    frame.allocated = False
    frame.ref_count = 0
    frame.owner = DOMID_INVALID
    frame.type = NO_TYPE
    frame.validated = False
    frame.noncoherent = False
    frame.linear = 0
    frame.dirty = True
    frame.cursor = 0
    frame.stamp = m.world[0].clock


@step("flights.mode", "frames.allocated", "frames.ref_count")
def drop_allocated(m: Machine, k: FlightId) -> None:
    """Give up the allocation of a frame that a flight holds; it lives on until others let go.

    A page of Xen's own stays Xen's (free_domheap_pages frees none of its heap), whatever its guest gives up.
    """
    flight = m.flights[k]
    require("the frame is held", flight.mode == REF, EAGAIN)
    frame = m.frames[flight.frame]
    if frame.allocated & Not(frame.special):
        frame.allocated = False
        frame.ref_count = frame.ref_count - 1
        m.ghost.drop(flight.frame, holders.allocated(flight.frame), typed=False, general=True)


@step("m2p.pfn")
def set_allocated_m2p(m: Machine, f: Mfn, owner: DomId, pfn: int) -> None:
    """Store the machine-to-physical entry of a frame that a domain was just given."""
    frame = m.frames[f]
    require("the frame belongs to the domain", (frame.owner == owner) & frame.allocated, EINVAL)
    m.m2p[f].pfn = pfn


@step(
    "frames.owner",
    "frames.allocated",
    "frames.ref_count",
    "frames.dirty",
    "domains.pages",
    "demotions.demoted",
)
def give_back(m: Machine, f: Mfn, owner: DomId) -> None:
    """Return a stolen frame to its domain, contents and all (assign_page on a failed exchange)."""
    frame = m.frames[f]
    require("nobody holds the frame", (frame.ref_count == 0) & (frame.owner == DOMID_INVALID), EINVAL)
    require("the frame is memory", frame.place == Place.RAM, EINVAL)
    require("no CPU translates to the frame any more", frame.cursor == m.cpu_count, EAGAIN)
    domain = m.domains[owner]
    require("the domain exists and is not dying", domain.exists & Not(domain.dying), EINVAL)
    frame.owner = owner
    frame.allocated = True
    frame.ref_count = 1
    frame.dirty = False
    m.demotions[f].demoted = False
    domain.pages = domain.pages + 1
    m.ghost.take(f, holders.allocated(f), typed=False, general=True)
