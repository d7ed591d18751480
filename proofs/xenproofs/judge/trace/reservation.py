"""Arguments of HYPERVISOR_memory_op, one struct for each command that is understood.

`exchange`, `machphys_mapping`, `machine_memory_map` and `maximum_reservation` are as measured; no recording
at hand holds the other reservation calls, and one whose fields differ from those here is decoded as unknown.
`start_extent` is where a continued call goes on.
"""

from msgspec import field

from xenproofs.judge.trace.words import U64, DomIdU16, MfnU64, VaU64, Wire


class Extents(Wire, frozen=True):
    """struct xen_memory_reservation, with the array that it points to before and after the call."""

    nr_extents: U64
    extent_order: U64
    mem_flags: U64
    domid: DomIdU16
    extents: tuple[MfnU64, ...]
    extents_out: tuple[MfnU64, ...]


class MemoryExchange(Wire, frozen=True, tag_field="cmd", tag="exchange"):
    """XENMEM_exchange: `given.extents` are traded in, `taken.extents_out` is what Xen's allocator chose.

    `nr_exchanged_in` and `nr_exchanged` count the extents of `given` that were done, before and after the
    call.
    """

    start_extent: U64
    given: Extents = field(name="in")
    taken: Extents = field(name="out")
    nr_exchanged_in: U64
    nr_exchanged: U64


class MachphysMapping(Wire, frozen=True, tag_field="cmd", tag="machphys_mapping"):
    """XENMEM_machphys_mapping: where the guest sees the machine-to-physical table."""

    start_extent: U64
    v_start: VaU64
    v_end: VaU64
    max_mfn: U64


class MemoryRegion(Wire, frozen=True, array_like=True):
    """`[start, length, kind]` in bytes; kind 1 is usable RAM, 2 is reserved."""

    start: U64
    length: U64
    kind: U64


class MachineMemoryMap(Wire, frozen=True, tag_field="cmd", tag="machine_memory_map"):
    """XENMEM_machine_memory_map: the machine's e820 table."""

    start_extent: U64
    nr: U64
    map: tuple[MemoryRegion, ...]


class MaximumReservation(Wire, frozen=True, tag_field="cmd", tag="maximum_reservation"):
    """XENMEM_maximum_reservation: answers a number of pages."""

    start_extent: U64
    domid: DomIdU16


class CurrentReservation(Wire, frozen=True, tag_field="cmd", tag="current_reservation"):
    """XENMEM_current_reservation: answers a number of pages."""

    start_extent: U64
    domid: DomIdU16


class ReservationChange(Wire, frozen=True, tag_field="cmd"):
    """What the three calls that change a reservation have in common; `extents_out`: what Xen wrote back."""

    start_extent: U64
    nr_extents: U64
    extent_order: U64
    mem_flags: U64
    domid: DomIdU16
    extents: tuple[MfnU64, ...]
    extents_out: tuple[MfnU64, ...] = ()


class IncreaseReservation(ReservationChange, frozen=True, tag="increase_reservation"):
    """XENMEM_increase_reservation."""


class DecreaseReservation(ReservationChange, frozen=True, tag="decrease_reservation"):
    """XENMEM_decrease_reservation."""


class PopulatePhysmap(ReservationChange, frozen=True, tag="populate_physmap"):
    """XENMEM_populate_physmap: `extents` are guest frame numbers going in."""


MemoryOp = (
    MemoryExchange
    | MachphysMapping
    | MachineMemoryMap
    | MaximumReservation
    | CurrentReservation
    | IncreaseReservation
    | DecreaseReservation
    | PopulatePhysmap
)
