"""Rules of descriptors, of loads and stores, and of what a toolstack is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.oracle.switches import (
    Rule,
    Sequence,
    Silent,
    Steps,
    around,
    constant,
    descriptors,
    geometry,
    instead,
    together,
)
from xenmodel.abi import descriptor
from xenmodel.abi.descriptor import accepted, stored
from xenmodel.domains.traps import SetTrapTable
from xenmodel.hardware.access import Fault
from xenmodel.machine import Machine
from xenmodel.memory.descriptors import UpdateDescriptor, drop_ldt, map_ldt_page
from xenmodel.memory.updates import modify, take_locked_l1, unlock_and_drop
from xenmodel.step import Refused
from xenspec.vocabulary import EFAULT, PageType

if TYPE_CHECKING:
    from xenmodel.hardware.access import Reach
    from xenmodel.hypercall import Call
    from xenspec.vocabulary import FlightId, Mfn, Va, VcpuId

UNALIGNED: Final = 7
GATE: Final = 0xC


def never(x: Call, va: Va, word: int, reach: Reach) -> Steps:
    """Carry out no store to a table."""
    del x, va, word, reach
    yield from ()
    return False


def for_guests_alone(old: Sequence) -> Sequence:
    """Ask Domain0, too, to have switched writable page tables on."""

    def new(x: Call, *args: object) -> Steps:
        return (yield from old(x, *args)) if x.m.domains[x.domain].writable_pagetables else False

    return new


def unasked(old: Sequence) -> Sequence:
    """Carry out a guest's stores to its tables without asking whether it wants so."""

    def new(x: Call, *args: object) -> Steps:
        assert isinstance(x.m, Machine)
        row = x.m.domains[x.domain]
        before, row.writable_pagetables = row.writable_pagetables, True
        answer = yield from old(x, *args)
        row.writable_pagetables = before
        return answer

    return new


def rounding(old: Sequence) -> Sequence:
    """Carry out unaligned stores to tables, at the word below."""

    def new(x: Call, va: int, word: int, reach: Reach) -> Steps:
        return (yield from old(x, va & ~UNALIGNED, word, reach))

    return new


def by_fast_path(x: Call, table: Mfn, slot: int, word: int) -> Silent:
    """Let an emulated store keep what the fast path keeps."""
    if not (yield from take_locked_l1(x, table, x.domain)):
        raise Refused("switched off", EFAULT)
    try:
        yield from modify(x, slot, word, x.domain)
    finally:
        yield from unlock_and_drop(x)


def unmarked(m: Machine, table: Mfn, slot: int, *, dirty: bool) -> None:
    """Mark no entry that the processor uses."""
    del m, table, slot, dirty


def unmarked_descriptor(m: Machine, v: VcpuId, index: int, slot: int, *, local: bool) -> None:
    """Mark no descriptor that the processor uses."""
    del m, v, index, slot, local


def gates_too(word: int) -> bool:
    """Accept every gate and system segment."""
    del word
    return True


def no_gates(word: int) -> bool:
    """Accept no call gate."""
    return accepted(word) and not is_gate(word)


def is_gate(word: int) -> bool:
    """Tell a present call gate."""
    present = word & descriptor.PRESENT and not word & descriptor.CODE_OR_DATA
    return bool(present) and descriptor.system_type(word) == GATE


def no_zero_type(word: int) -> bool:
    """Refuse system type 0, as every other but a call gate."""
    present = word & descriptor.PRESENT and not word & descriptor.CODE_OR_DATA
    return accepted(word) and not (present and not descriptor.system_type(word))


def absent_checked(word: int) -> bool:
    """Check descriptors that are not present."""
    return accepted(word | descriptor.PRESENT)


def as_given(word: int) -> int:
    """Store a descriptor with the privilege that the guest asked for."""
    return word if word & descriptor.CODE_OR_DATA else stored(word)


def gate_as_given(word: int) -> int:
    """Store a call gate as the guest gave it."""
    return word if is_gate(word) else stored(word)


def always_ring_3(word: int) -> int:
    """Raise the privilege of what is not present, too."""
    return (
        stored(word | descriptor.PRESENT) & ~descriptor.PRESENT
        if not word & descriptor.PRESENT
        else stored(word)
    )


def looked_at(old: Sequence) -> Sequence:
    """Look at the LDT's first page when the LDT is set."""

    def new(x: Call, address: int, entries: int) -> Silent:
        yield from old(x, address, entries)
        if entries:
            yield from map_ldt_page(x, 0)

    return new


def dropping_always(old: Sequence) -> Sequence:
    """Drop the LDT's pages though the LDT stays the same."""

    def new(x: Call, address: int, entries: int) -> Silent:
        yield from old(x, 0, 0)
        yield from old(x, address, entries)

    return new


def kept(x: Call) -> Silent:
    """Keep the LDT's pages."""
    del x
    yield from ()


def protected(old: Sequence) -> Sequence:
    """Answer with a protection fault where a page of the LDT cannot be had."""

    def new(x: Call, selector: int) -> Steps:
        fault = yield from old(x, selector)
        if isinstance(fault, Fault) and fault.address is not None:
            return Fault(13, selector & ~3)
        return fault

    return new


def any_selector(old: Sequence) -> Sequence:
    """Load whatever a selector names."""

    def new(x: Call, selector: int) -> Steps:
        fault = yield from old(x, selector)
        return None if isinstance(fault, Fault) and fault.vector == 13 else fault

    return new


def present_first(old: Sequence) -> Sequence:
    """Take a segment that is not there for one that may not be loaded."""

    def new(x: Call, selector: int) -> Steps:
        fault = yield from old(x, selector)
        return Fault(13, fault.error) if isinstance(fault, Fault) and fault.vector == 11 else fault

    return new


def by_type(old: Sequence) -> Sequence:
    """Tell a toolstack the type of a frame that nobody uses."""

    def new(x: Call, f: Mfn, domain: int) -> Steps:
        answer = yield from old(x, f, domain)
        frame = x.m.frames[f]
        return int(frame.type) if answer == 0 and frame.type <= PageType.L4 else answer

    return new


def at_the_word_below(old: Sequence) -> Sequence:
    """Take an unaligned descriptor for the one that begins below."""

    def new(x: Call, call: UpdateDescriptor) -> Steps:
        return (yield from old(x, UpdateDescriptor(call.address & ~UNALIGNED, call.value)))

    return new


def as_memory(old: Sequence) -> Sequence:
    """Take every page as memory where a descriptor is updated."""

    def new(x: Call, k: FlightId, want: PageType, **kwargs: object) -> Silent:
        again = want == PageType.SEG and x.m.frames[x.m.flights[k].frame].type == PageType.SEG
        yield from old(x, k, PageType.WRITABLE if again else want, **kwargs)

    return new


def dropping_with_entries(old: Sequence) -> Sequence:
    """Drop the LDT's pages whenever an entry changes."""

    def new(x: Call, *args: object, **kwargs: object) -> Silent:
        yield from old(x, *args, **kwargs)
        yield from drop_ldt(x)

    return new


def unreadable_is_empty(old: Sequence) -> Sequence:
    """Take a trap table that cannot be read for an empty one."""

    def new(x: Call, call: SetTrapTable) -> Steps:
        return (yield from old(x, SetTrapTable(call.handlers)))

    return new


RULES: Final = (
    Rule(
        "REPORT 15: stores to read-only L1 tables are carried out",
        instead("hardware.access._store_to_table", never),
    ),
    Rule("REPORT 15: of Domain0 always", around("hardware.access._store_to_table", for_guests_alone)),
    Rule("REPORT 15: of a guest if it asks", around("hardware.access._store_to_table", unasked)),
    Rule("REPORT 17: which descriptors are refused", descriptors("accepted", gates_too)),
    Rule("REPORT 17: call gates are accepted", descriptors("accepted", no_gates)),
    Rule("REPORT 17: stored with DPL 3", descriptors("stored", as_given)),
    Rule("REPORT 17: gates with DPL 0", descriptors("stored", gate_as_given)),
    Rule("REPORT 17: 7168 descriptors at most", constant("abi.descriptor.FIRST_RESERVED_GDT_ENTRY", 1 << 17)),
    Rule(
        "REPORT 18: the LDT is not looked at when it is set", around("memory.descriptors.set_ldt", looked_at)
    ),
    Rule(
        "REPORT 18: a page that is none is a page fault", around("hardware.segments.load_selector", protected)
    ),
    Rule("REPORT 18: 8192 descriptors at most", constant("memory.descriptors.MAX_LDT_ENTRIES", 1 << 17)),
    Rule("RULES 10: system type 0 is accepted", descriptors("accepted", no_zero_type)),
    Rule("RULES 10: what is not present is accepted", descriptors("accepted", absent_checked)),
    Rule("RULES 10: what is not present is stored as it is", descriptors("stored", always_ring_3)),
    Rule("RULES 11: another base drops the LDT's pages", together(constant("memory.roots.drop_ldt", kept))),
    Rule("RULES 11: so does another LDT", together(constant("memory.descriptors.drop_ldt", kept))),
    Rule("RULES 11: the same LDT does not", around("memory.descriptors.set_ldt", dropping_always)),
    Rule("RULES 12: which selectors are refused", around("hardware.segments.load_selector", any_selector)),
    Rule("RULES 12: a segment that is not there", around("hardware.segments.load_selector", present_first)),
    Rule(
        "RULES 12: a loaded descriptor is marked",
        instead("hardware.segments.mark_descriptor", unmarked_descriptor),
    ),
    Rule(
        "RULES 13: an emulated store has no fast path", instead("memory.trapped.trapped_write", by_fast_path)
    ),
    Rule("RULES 13: and must be aligned", around("hardware.access._store_to_table", rounding)),
    Rule("RULES 17: the processor marks what it uses", instead("hardware.walk.mark_used", unmarked)),
    Rule("RULES 19: an unused frame is no table", around("domains.page_frame_info.page_frame_info", by_type)),
    Rule(
        "REPORT 17: descriptors are aligned",
        around("memory.descriptors.update_descriptor", at_the_word_below),
    ),
    Rule("REPORT 18: handlers have canonical addresses", geometry("canonical", gates_too)),
    Rule(
        "REPORT 18: a trap table must be readable",
        around("domains.traps.set_trap_table", unreadable_is_empty),
    ),
    Rule("RULES 10: a descriptor page stays one", around("memory.promotion.take_type", as_memory)),
    Rule(
        "RULES 11: unmapping does not drop the LDT's pages",
        around("memory.updates.modify", dropping_with_entries),
    ),
)
