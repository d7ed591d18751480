"""Holders: who holds a frame's references, and the flights by which references travel.

A frame has two counts, general and typed; each is the number of its holders. A holder is named by a plain
tuple whose first member says its kind. References move and are never conjured: taken into a *flight*
(`take_ref`, `claim`), put from there into a resting place (an entry, a pin, a base pointer, …), taken back
into a flight, and dropped from it (`drop_type`, `drop_ref`). Moving changes no count.

The executable counts and does not keep sets of holders; `Ghost` is where a checker or a proof keeps them.
"""

from enum import IntEnum
from typing import Protocol

Holder = tuple[str, object, object]


def entry(table: int, slot: int) -> Holder:
    """Entry `slot` of `table`; typed if it links a table or is writable."""
    return ("entry", table, slot)


def pin(frame: int) -> Holder:
    """Return the pin of a table."""
    return ("pin", frame, 0)


def base(vcpu: object, which: int) -> Holder:
    """Return a vCPU's base pointer: 0 kernel, 1 user."""
    return ("base", vcpu, which)


def old(vcpu: object) -> Holder:
    """Return the table that a vCPU has yet to finish releasing (old_guest_table)."""
    return ("old", vcpu, 0)


def partial(frame: int) -> Holder:
    """Return the hold of a partly validated table on itself (PGT_partial)."""
    return ("partial", frame, 0)


def gdt(vcpu: object, index: int) -> Holder:
    """Return page `index` of a vCPU's GDT."""
    return ("gdt", vcpu, index)


def ldt(vcpu: object, index: int) -> Holder:
    """Return page `index` of a vCPU's LDT shadow."""
    return ("ldt", vcpu, index)


def vcpu_info(vcpu: object) -> Holder:
    """Return the page of VCPUOP_register_vcpu_info."""
    return ("vcpu_info", vcpu, 0)


def event_frame(domain: int, index: int) -> Holder:
    """Return a FIFO event page: control blocks and event-array pages."""
    return ("event_frame", domain, index)


def eoi_frame(domain: int) -> Holder:
    """Return the page of PHYSDEVOP_pirq_eoi_gmfn."""
    return ("eoi_frame", domain, 0)


def device_map(domain: int, handle: int) -> Holder:
    """Return a grant mapping for devices, by the handle of the domain that maps."""
    return ("device_map", domain, handle)


def grant_frame(domain: int, index: int) -> Holder:
    """Return Xen's own hold of a page of a grant table, as writable memory."""
    return ("grant_frame", domain, index)


def status_frame(domain: int, index: int) -> Holder:
    """Return Xen's own hold of a page of grant status, likewise."""
    return ("status_frame", domain, index)


def unmapped_host(vcpu: object, index: int) -> Holder:
    """Return what a page-table entry held that a grant's unmapping removed, until the flush is over."""
    return ("unmapped_host", vcpu, index)


def unmapped_device(vcpu: object, index: int) -> Holder:
    """Return what a device mapping held, likewise."""
    return ("unmapped_device", vcpu, index)


def copy_side(vcpu: object, side: int) -> Holder:
    """Return a side of a copy: 0 source, 1 destination."""
    return ("copy_side", vcpu, side)


def allocated(frame: int) -> Holder:
    """Return the allocation itself (PGC_allocated)."""
    return ("allocated", frame, 0)


def xen(frame: int) -> Holder:
    """Return Xen's own reference to a frame that it shares with a guest."""
    return ("xen", frame, 0)


def unattributed(frame: int) -> Holder:
    """Return a reference that a snapshot shows and nothing in it explains."""
    return ("unattributed", frame, 0)


def flight(flight_id: object) -> Holder:
    """Return an in-flight reference."""
    return ("flight", flight_id, 0)


class Purpose(IntEnum):
    """What a hypercall takes an in-flight reference for; the second half of a FlightId, below 16."""

    PAGE = 0
    """The page that the call is about; locked while it is updated."""
    NEW = 1
    """A new entry's, pin's or base pointer's target."""
    OLD = 2
    """A replaced entry's target."""
    SOURCE = 3


DEPTH = 16
"""A reference taken while another is being promoted or demoted: purpose + 16 for each level below."""


class Ghost(Protocol):
    """Where holders are remembered, beside the counts; never read by a step."""

    def take(self, frame: int, holder: Holder, *, typed: bool, general: bool) -> None:
        """Add a holder, to the typed holders, the general ones, or both."""
        ...

    def drop(self, frame: int, holder: Holder, *, typed: bool, general: bool) -> None:
        """Remove a holder."""
        ...

    def move(self, frame: int, source: Holder, target: Holder, *, typed: bool, general: bool) -> None:
        """Rename a holder."""
        ...


class NoGhost:
    """Remembers nothing: the executable as it runs fast."""

    __slots__ = ()

    def take(self, frame: int, holder: Holder, *, typed: bool, general: bool) -> None:
        """Forget it."""

    def drop(self, frame: int, holder: Holder, *, typed: bool, general: bool) -> None:
        """Forget it."""

    def move(self, frame: int, source: Holder, target: Holder, *, typed: bool, general: bool) -> None:
        """Forget it."""
