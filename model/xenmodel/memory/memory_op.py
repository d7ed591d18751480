"""HYPERVISOR_memory_op: reservations grow, shrink and are exchanged.

Public interface: xen/include/public/memory.h, XENMEM_*. Return value: extents done, or an errno. Frames
that the allocator hands out come from `Allocator`, an input.
"""

from collections.abc import Callable
from dataclasses import dataclass

from xenmodel.domains.naming import addressed_domain, require_control
from xenmodel.hypercall import Call, Steps
from xenmodel.memory.claim import drop_ref, take_ref
from xenmodel.memory.reservation import (
    allocate,
    drop_allocated,
    flush_free_frame,
    give_back,
    set_allocated_m2p,
    steal,
)
from xenmodel.memory.updates import flights
from xenmodel.step import Refused
from xenspec.vocabulary import EINVAL, ENOMEM, EPERM, ESRCH, DomId, Mfn

Allocator = Callable[[int], Mfn | None]
"""Given an order, returns the first of 2^order free frames, or None when memory is short."""

MAX_DOMAIN_ORDER = 9
"""Largest extent order an unprivileged domain may ask for (memop-max-order, domU)."""
MAX_CONTROL_ORDER = 18
"""Largest extent order for the hardware domain."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """XENMEM_increase_reservation, decrease_reservation or populate_physmap."""

    command: str
    """`increase`, `decrease` or `populate`."""
    domain: int
    extents: tuple[int, ...]
    """Frames to give up, or pseudo-physical frames to fill."""
    order: int
    allocator: Allocator
    start: int = 0


@dataclass(frozen=True, slots=True)
class Exchange:
    """XENMEM_exchange: `given` frames of order `given_order` for new ones at `places` of `taken_order`."""

    domain: int
    given: tuple[int, ...]
    given_order: int
    places: tuple[int, ...]
    """Pseudo-physical frames of the new extents."""
    taken_order: int
    allocator: Allocator
    done: int = 0


@dataclass(frozen=True, slots=True)
class MemoryOpResult:
    """What a memory_op answers: its return value, extents done, and the frames handed out."""

    rc: int
    done: int
    frames: tuple[Mfn, ...] = ()


def order_limit(x: Call) -> int:
    """Return the largest extent order that the caller may ask for (max_order)."""
    return MAX_CONTROL_ORDER if x.m.domains[x.domain].privileged else MAX_DOMAIN_ORDER


def reservation(x: Call, call: Reservation) -> Steps[MemoryOpResult]:
    """Apply extent by extent; stop at the first that fails; the answer is how many were done."""
    target = addressed_domain(x, call.domain)
    if target is None or call.order > order_limit(x):
        return MemoryOpResult(call.start, call.start)
    frames: list[Mfn] = []
    done = call.start
    try:
        require_control(x, target)
        for extent in call.extents[call.start :]:
            frames += yield from _extent(x, call, target, extent)
            done += 1
    except Refused:
        pass
    return MemoryOpResult(done, done, tuple(frames))


def _extent(x: Call, call: Reservation, target: DomId, extent: int) -> Steps[list[Mfn]]:
    """Give up or fill one extent; return the first frame handed out, if any."""
    if call.command != "decrease":
        return [(yield from _populate(x, call, target, extent))]
    for frame in range(extent, extent + (1 << call.order)):
        yield from give_up(x, Mfn(frame), target)
    return []


def give_up(x: Call, f: Mfn, owner: DomId) -> Steps[None]:
    """Give up the allocation of a frame; a frame already given up, but still mapped, is no error."""
    m = x.m
    k, _, _ = flights(x.vcpu)
    take_ref(m, k, f, owner)
    yield take_ref
    drop_allocated(m, k)
    yield drop_allocated
    drop_ref(m, k)
    yield drop_ref


def flush_free(x: Call, f: Mfn) -> Steps[None]:
    """Flush every CPU that may still translate to a free frame."""
    m = x.m
    while m.frames[f].ref_count == 0 and m.frames[f].cursor < m.cpu_count:
        flush_free_frame(m, f)
        yield flush_free_frame


def _populate(x: Call, call: Reservation, target: DomId, pfn: int) -> Steps[Mfn]:
    """Give the domain new frames, and place them in the machine-to-physical map if they have a place."""
    count = 1 << call.order
    domain = x.m.domains[target]
    if domain.pages + count > domain.max_pages:
        raise Refused("the domain's quota has room", ENOMEM)
    first = call.allocator(call.order)
    if first is None:
        raise Refused("memory is left", ENOMEM)
    for offset in range(count):
        frame = Mfn(first + offset)
        yield from flush_free(x, frame)
        allocate(x.m, frame, target)
        yield allocate
        if call.command == "populate":
            set_allocated_m2p(x.m, frame, target, pfn + offset)
            yield set_allocated_m2p
    return first


def exchange(x: Call, call: Exchange) -> Steps[MemoryOpResult]:
    """Exchange chunk by chunk: steal the old frames, allocate the new ones, or give the old ones back."""
    frames: list[Mfn] = []
    done = call.done
    try:
        shape = _shape(x, call)
        target = addressed_domain(x, call.domain)
        if target is None:
            raise Refused("the domain exists", ESRCH)  # noqa: TRY301 - one place answers
        require_control(x, target)
        chunks = len(call.given) // shape[0]
        for chunk in range(call.done // shape[0], chunks):
            frames += yield from _exchange_chunk(x, call, target, shape, chunk)
            done += shape[0]
    except Refused as refusal:
        return MemoryOpResult(-refusal.errno, done, tuple(frames))
    return MemoryOpResult(0, done, tuple(frames))


def _shape(x: Call, call: Exchange) -> tuple[int, int]:
    """Return how many old and how many new extents make one chunk; refuse what does not fit together.

    Of extents that are too large Xen says so before it looks at anything else, the domain included.
    """
    if max(call.given_order, call.taken_order) > order_limit(x):
        raise Refused("the caller may ask for extents of this order", EPERM)
    if len(call.given) << call.given_order != len(call.places) << call.taken_order:
        raise Refused("as much is taken as is given", EINVAL)
    if call.given_order <= call.taken_order:
        size = 1 << (call.taken_order - call.given_order)
        if len(call.given) % size:
            raise Refused("the chunks are whole", EINVAL)
        return size, 1
    return 1, 1 << (call.given_order - call.taken_order)


def _give_back(x: Call, stolen: list[Mfn], target: DomId) -> Steps[None]:
    """Return stolen frames to their domain; if that is dying by now they stay free."""
    for f in stolen:
        yield from flush_free(x, f)
        try:
            give_back(x.m, f, target)
            yield give_back
        except Refused:
            return


def _exchange_chunk(
    x: Call, call: Exchange, target: DomId, shape: tuple[int, int], chunk: int
) -> Steps[list[Mfn]]:
    """Exchange one chunk; on refusal every frame of it is the domain's again, with no type."""
    m = x.m
    stolen: list[Mfn] = []
    frames: list[Mfn] = []
    try:
        for extent in call.given[chunk * shape[0] : (chunk + 1) * shape[0]]:
            for f in range(extent, extent + (1 << call.given_order)):
                steal(m, Mfn(f), target)
                yield steal
                stolen.append(Mfn(f))
        for _ in range(shape[1]):
            first = call.allocator(call.taken_order)
            if first is None:
                raise Refused("memory is left", ENOMEM)  # noqa: TRY301 - one place gives back
            frames.append(first)
    except Refused:
        yield from _give_back(x, stolen, target)
        raise
    places = call.places[chunk * shape[1] : (chunk + 1) * shape[1]]
    for first, place in zip(frames, places, strict=True):
        for offset in range(1 << call.taken_order):
            yield from flush_free(x, Mfn(first + offset))
            allocate(m, Mfn(first + offset), target)
            yield allocate
            set_allocated_m2p(m, Mfn(first + offset), target, place + offset)
            yield set_allocated_m2p
    return frames
