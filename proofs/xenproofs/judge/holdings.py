"""Who holds which frame, read off the rows: for recounts and for messages.

    recount(machine)           -> what each frame's counts should be
    describe(machine, frame)   -> "entry 12 of L1 0x19f of dom0 (writable)", …

One function for each kind of row says which frames it holds. Nothing here is kept up to date; who needs that
uses `xenproofs.judge.counting` (counts) or `xenproofs.judge.ghost` (the holders themselves).
"""

from collections.abc import Callable, Iterator
from itertools import chain, starmap
from typing import NamedTuple, TypeVar

from xenmodel.domains.rows import NamedFrame, TablePage, Unattributed, Vcpu
from xenmodel.grants.rows import CopySide, Mapping, Unmapping
from xenmodel.machine import Machine
from xenmodel.memory import holders
from xenmodel.memory.rows import IDLE, NO_FRAME, REF, Entry, Flight, Frame
from xenproofs.judge.adapter import plain
from xenspec.table import Table
from xenspec.vocabulary import PageType

K = TypeVar("K")
R = TypeVar("R")

VcpuKey = tuple[int, int]
FlightKey = tuple[tuple[int, int], int]
PageKey = tuple[tuple[int, int], int]


class Hold(NamedTuple):
    """What one holder has of one frame."""

    frame: int
    holder: holders.Holder
    typed: bool
    general: bool


class EntryClaim(NamedTuple):
    """What a linked entry has of its target: always a general reference."""

    target: int
    typed: bool
    linear: bool


def claim_of(e: Entry) -> EntryClaim | None:
    """Return what an entry holds, if it holds anything."""
    if e.linked and e.backed:
        return EntryClaim(e.target, e.linked_as > 1 or e.writable, e.linear)
    return None


def of_entry(key: tuple[int, int], e: Entry) -> tuple[Hold, ...]:
    """Return what an entry holds."""
    claim = claim_of(e)
    if claim is None:
        return ()
    return (Hold(claim.target, holders.entry(*key), claim.typed, general=True),)


def of_frame(f: int, frame: Frame) -> tuple[Hold, ...]:
    """Return what a frame's own pin, allocation and partial state hold of it."""
    found: tuple[Hold, ...] = ()
    if frame.pinned:
        found += (Hold(f, holders.pin(f), typed=True, general=True),)
    if frame.allocated:
        found += (Hold(f, holders.allocated(f), typed=False, general=True),)
    if frame.partial or frame.partial_ref:
        found += (Hold(f, holders.partial(f), frame.partial, frame.partial_ref),)
    return found


def of_partial_entry(t: int, frame: Frame, child: Entry) -> tuple[Hold, ...]:
    """Return what the slot of a partial child holds, if the table has one; `child` is the entry there."""
    if not frame.partial_entry:
        return ()
    return (Hold(child.target, holders.entry(t, frame.next_slot), typed=False, general=True),)


def of_flight(k: FlightKey, flight: Flight) -> tuple[Hold, ...]:
    """Return what an in-flight reference holds."""
    if flight.mode == IDLE:
        return ()
    return (Hold(flight.frame, holders.flight(k), flight.mode != REF, general=True),)


def of_vcpu(v: VcpuKey, vcpu: Vcpu) -> tuple[Hold, ...]:
    """Return what a vCPU's base pointers, old table and information page hold."""
    named = (
        Hold(vcpu.base, holders.base(v, 0), typed=True, general=True),
        Hold(vcpu.user_base, holders.base(v, 1), typed=True, general=True),
        Hold(vcpu.old_table, holders.old(v), not vcpu.old_partial, general=True),
        Hold(vcpu.info_frame, holders.vcpu_info(v), typed=True, general=True),
    )
    return tuple(hold for hold in named if hold.frame != NO_FRAME)


def of_gdt(key: PageKey, page: TablePage) -> tuple[Hold, ...]:
    """Return what a page of a GDT holds."""
    return _page(page, holders.gdt(*key))


def of_ldt(key: PageKey, page: TablePage) -> tuple[Hold, ...]:
    """Return what a page of an LDT shadow holds."""
    return _page(page, holders.ldt(*key))


def of_event_frame(key: tuple[int, int], page: NamedFrame) -> tuple[Hold, ...]:
    """Return what a FIFO page holds."""
    return _page(page, holders.event_frame(*key))


def of_eoi_frame(domain: int, page: NamedFrame) -> tuple[Hold, ...]:
    """Return what an EOI page holds."""
    return _page(page, holders.eoi_frame(domain))


def of_grant_frame(key: tuple[int, int], page: NamedFrame) -> tuple[Hold, ...]:
    """Return what Xen holds of a page of a grant table."""
    return _shared(page, holders.grant_frame(*key))


def of_status_frame(key: tuple[int, int], page: NamedFrame) -> tuple[Hold, ...]:
    """Return what Xen holds of a page of grant status."""
    return _shared(page, holders.status_frame(*key))


def _shared(page: NamedFrame, holder: holders.Holder) -> tuple[Hold, ...]:
    return () if page.frame == NO_FRAME else (Hold(page.frame, holder, typed=True, general=False),)


def of_mapping(key: tuple[int, int], row: Mapping) -> tuple[Hold, ...]:
    """Return what a grant mapping for devices holds; one for the processor is held by its entry."""
    if not (row.live and row.device):
        return ()
    return (Hold(row.frame, holders.device_map(*key), not row.readonly, general=True),)


def of_unmapping(key: FlightKey, row: Unmapping) -> tuple[Hold, ...]:
    """Return what an unmapping of a grant has yet to drop."""
    named = ((row.host, holders.unmapped_host(*key)), (row.device, holders.unmapped_device(*key)))
    return tuple(Hold(row.frame, holder, not row.readonly, general=True) for kept, holder in named if kept)


def of_copy_side(key: FlightKey, row: CopySide) -> tuple[Hold, ...]:
    """Return what a side of a copy holds."""
    return (Hold(row.frame, holders.copy_side(*key), row.typed, general=True),) if row.held else ()


def _page(page: TablePage | NamedFrame, holder: holders.Holder) -> tuple[Hold, ...]:
    if page.frame == NO_FRAME:
        return ()
    return (Hold(page.frame, holder, typed=True, general=True),)


def of_unattributed(f: int, row: Unattributed) -> tuple[Hold, ...]:
    """Return what nothing explains: as many holders as references, the typed ones first."""
    kind = holders.unattributed(f)[0]
    return tuple(
        Hold(f, (kind, f, index), index < row.typed, index < row.general)
        for index in range(max(row.typed, row.general))
    )


def holds_of(m: Machine) -> Iterator[Hold]:
    """Return every hold that a machine's rows show."""
    return (hold for holds in _all(m) for hold in holds)


def _all(m: Machine) -> Iterator[tuple[Hold, ...]]:
    """Return what each row that holds anything holds."""
    return chain(
        _each(m.entries, of_entry),
        _each(m.frames, of_frame),
        _each(m.frames, lambda t, frame: _of_child(m, t, frame)),
        _each(m.flights, of_flight),
        _each(m.vcpus, of_vcpu),
        _each(m.gdt, of_gdt),
        _each(m.ldt, of_ldt),
        _each(m.event_frames, of_event_frame),
        _each(m.eoi_frames, of_eoi_frame),
        _each(m.grant_frames, of_grant_frame),
        _each(m.status_frames, of_status_frame),
        _each(m.mappings, of_mapping),
        _each(m.unmappings, of_unmapping),
        _each(m.copies, of_copy_side),
        _each(m.unattributed, of_unattributed),
    )


def _each(table: Table[K, R], of: Callable[[K, R], tuple[Hold, ...]]) -> Iterator[tuple[Hold, ...]]:
    return filter(None, starmap(of, plain(table).rows()))


def _of_child(m: Machine, t: int, frame: Frame) -> tuple[Hold, ...]:
    return of_partial_entry(t, frame, m.entries[t, frame.next_slot]) if frame.partial_entry else ()


def recount(m: Machine) -> dict[int, tuple[int, int]]:
    """Return the typed and general holders of each frame that has any."""
    counts: dict[int, tuple[int, int]] = {}
    for holds in _all(m):
        for frame, _, typed, general in holds:
            before = counts.get(frame, (0, 0))
            counts[frame] = (before[0] + typed, before[1] + general)
    return counts


# --- Messages -----------------------------------------------------------------------------------------------


def describe(m: Machine, frame: int) -> list[str]:
    """Return the holders of a frame in English, those with a type reference first."""
    holds = [hold for hold in holds_of(m) if hold.frame == frame]
    return [name_of(m, hold) for hold in sorted(holds, key=lambda hold: (not hold.typed, str(hold.holder)))]


def name_of(m: Machine, hold: Hold) -> str:
    """Return one hold in English, with the reference that it has if that is not said by its kind."""
    kind, a, b = hold.holder
    if kind == "entry" and isinstance(a, int) and isinstance(b, int):
        return _entry_name(m, a, b)
    name = {
        "pin": "the pin",
        "base": f"the {'user' if b else 'kernel'} base pointer of {vcpu_name(a)}",
        "old": f"the old table of {vcpu_name(a)}",
        "partial": "the table itself, partial",
        "gdt": f"GDT page {b} of {vcpu_name(a)}",
        "ldt": f"LDT page {b} of {vcpu_name(a)}",
        "vcpu_info": f"the information page of {vcpu_name(a)}",
        "event_frame": f"event page {b} of dom{a}",
        "eoi_frame": f"the EOI page of dom{a}",
        "grant_frame": f"page {b} of dom{a}'s grant table",
        "status_frame": f"page {b} of dom{a}'s grant status",
        "device_map": f"grant mapping {b} of dom{a} for devices",
        "copy_side": f"the {'target' if b else 'source'} of a copy by {vcpu_name(a)}",
        "unmapped_host": f"an entry that {vcpu_name(a)} unmapped",
        "unmapped_device": f"a device mapping that {vcpu_name(a)} ended",
        "allocated": "its allocation",
        "unattributed": "somebody unknown",
        "flight": f"a reference in flight of {vcpu_name(a)}",
    }.get(kind)
    return f"{name or kind}{'' if hold.typed == hold.general else _part(hold)}"


def _part(hold: Hold) -> str:
    return " (type only)" if hold.typed else " (reference only)"


def _entry_name(m: Machine, t: int, slot: int) -> str:
    e, table = m.entries[t, slot], m.frames[t]
    level = PageType(e.linked_as if e.linked else table.type).name
    if not e.linked:
        how = "partial child"
    elif e.linked_as > 1:
        how = "linear" if e.linear else "links it"
    else:
        how = "writable" if e.writable else "read-only"
    return f"entry {slot} of {level} {t:#x} of dom{table.owner} ({how})"


def vcpu_name(v: object) -> str:
    """Return the name, such as d0v1, of a vCPU or of the one whose flight it is."""
    match v:
        case (int(domain), int(number)) | ((int(domain), int(number)), int(_)):
            return f"d{domain}v{number}"
        case _:
            return str(v)
