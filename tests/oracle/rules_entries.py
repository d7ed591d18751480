"""Rules of page-table entries: what is refused, what is stored, who may map what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.oracle.switches import (
    Rule,
    Sequence,
    Steps,
    answering,
    around,
    constant,
    geometry,
    instead,
    refusing,
)
from xenmodel.abi import pte
from xenmodel.machine import Machine
from xenmodel.memory.validation import write_readonly_m2p, write_xen_slots
from xenmodel.step import Refused
from xenspec.vocabulary import EBUSY, EFAULT, EINVAL, EPERM, FlightId, PageType

if TYPE_CHECKING:
    from xenmodel.hypercall import Call

TOP: Final = 4
NONE_PRESENT: Final = -1


def yes(*_: object) -> bool:
    """Say yes."""
    return True


def no(*_: object) -> bool:
    """Say no."""
    return False


def kernel_entries_stay_bare(word: int, level: int) -> int:
    """Store an L1 entry without USER as it is."""
    return word if level == 1 and not word & pte.USER else pte.adjusted(word, level)


def user_entries_stay_local(word: int, level: int) -> int:
    """Store an L1 entry with USER as it is."""
    return word if level == 1 and word & pte.USER else pte.adjusted(word, level)


def table_entries_stay_bare(word: int, level: int) -> int:
    """Store entries of L2 and L3 as they are."""
    return word if 1 < level < TOP else pte.adjusted(word, level)


def top_entries_stay_unused(word: int, level: int) -> int:
    """Store entries of L4 without the accessed bit."""
    return pte.adjusted(word, 3) if level == TOP else pte.adjusted(word, level)


def absent_entries_change(old: Sequence) -> Sequence:
    """Adjust entries that are not present as well."""

    def new(x: Call, slot: int, word: int, *args: object, **kwargs: object) -> Steps:
        return (yield from old(x, slot, word | pte.USER if word and not word & 1 else word, *args, **kwargs))

    return new


def raw_words_keep_marks(old: Sequence) -> Sequence:
    """Keep the accessed and dirty bits of raw words on request, as in tables."""

    def new(x: Call, f: int, slot: int, word: int, *, preserve_ad: bool, **kwargs: object) -> Steps:
        if preserve_ad and (x.m.frames[f].type > TOP or not x.m.frames[f].type_count):
            word = pte.with_accessed_dirty_of(word, x.m.words[f, slot])
        return (yield from old(x, f, slot, word, preserve_ad=preserve_ad, **kwargs))

    return new


def io_stays_cached(word: int, *, readonly: bool) -> int:
    """Leave the caching of I/O space to the guest."""
    return word ^ pte.RW if readonly and word & pte.RW else word


def io_always_uncached(word: int, *, readonly: bool) -> int:
    """Make every mapping of I/O space uncached."""
    return io_stays_cached(word, readonly=readonly) & ~pte.CACHE | pte.PWT | pte.PCD


def io_writable(word: int, *, readonly: bool) -> int:
    """Map read-only I/O space as asked."""
    del readonly
    return pte.io_adjusted(word, readonly=False)


def any_uncached_is_combining(word: int) -> bool:
    """Take every cache bit for write-combining."""
    return word & pte.CACHE != 0 and word & pte.RW != 0


def writable_may_toggle(before: int, after: int) -> bool:
    """Let the fast path change write permission."""
    return pte.same_but_for_fast_path(before & ~pte.RW, after & ~pte.RW)


def with_callers_rights(old: Sequence) -> Sequence:
    """Judge an entry by the caller's rights, not by those of the table's owner."""

    def new(x: Call, k: FlightId, word: int, _owner: int, _named: int) -> Steps:
        return (yield from old(x, k, word, x.domain, x.domain))

    return new


def special_frames_free(old: Sequence) -> Sequence:
    """Let Xen's own pages change their type as if Xen did not hold it."""

    def new(x: Call, k: FlightId, *args: object, **kwargs: object) -> Steps:
        assert isinstance(x.m, Machine)
        frame = x.m.frames[x.m.flights[k].frame]
        if frame.special:
            frame.type_count = 0
        return (yield from old(x, k, *args, **kwargs))

    return new


def raw_words_stay_out(old: Sequence) -> Sequence:
    """Ignore stores into descriptor pages in use instead of refusing them."""

    def new(x: Call, k: FlightId, *args: object, **kwargs: object) -> Steps:
        if x.m.frames[x.m.flights[k].frame].type == PageType.SEG:
            return None
        return (yield from old(x, k, *args, **kwargs))

    return new


def no_way_is_a_fault(old: Sequence) -> Sequence:
    """Answer EFAULT where an address has no L1 table."""

    def new(*args: object) -> Steps:
        found = yield from old(*args)
        return (yield from refusing(EFAULT)(old)()) if found is None else found

    return new


def unlocked_is_a_fault(old: Sequence) -> Sequence:
    """Answer EFAULT where the entry's table is no L1 table in use."""

    def new(*args: object) -> Steps:
        if not (yield from old(*args)):
            raise Refused("switched off", EFAULT)
        return True

    return new


def tables_unmapped(old: Sequence) -> Sequence:
    """Refuse every mapping of a page table, also read-only ones."""

    def new(x: Call, k: FlightId, word: int, *owners: int) -> Steps:
        frame = x.m.frames[x.m.pte.target(word)]
        if frame.type_count and PageType.L1 <= frame.type <= PageType.L4:
            raise Refused("switched off", EBUSY)
        return (yield from old(x, k, word, *owners))

    return new


def way_unmarked(x: Call, va: int) -> Steps:
    """Find an address's L1 table without marking the way to it."""
    yield from ()
    table = x.m.vcpus[x.vcpu].base
    for slot in x.m.pte.indices(va)[:-1]:
        word = x.m.words[table, slot]
        if not x.m.pte.present(word) or not x.m.pte.guest_address(va):
            return None
        table = x.m.pte.target(word)
    return table


def shown_always(m: Machine, k: FlightId, *, readonly_m2p: bool) -> None:
    """Show the machine-to-physical map in every top-level table."""
    del readonly_m2p
    write_xen_slots(m, k, readonly_m2p=True)


def shown_never(m: Machine, k: FlightId, *, readonly_m2p: bool) -> None:
    """Show it in none that is only validated."""
    del readonly_m2p
    write_xen_slots(m, k, readonly_m2p=False)


def never_hidden(m: Machine, k: FlightId, *, shown: bool) -> None:
    """Leave the map where it is shown."""
    if shown:
        write_readonly_m2p(m, k, shown=shown)


RULES: Final = (
    Rule(
        "REPORT 3: raw words go into memory that is no table",
        around("memory.updates._write_unlocked", refusing(EINVAL)),
    ),
    Rule(
        "REPORT 3: not into a descriptor page in use",
        around("memory.updates._write_locked", raw_words_stay_out),
    ),
    Rule("REPORT 4: L1 without USER gets USER and bit 52", geometry("adjusted", kernel_entries_stay_bare)),
    Rule("REPORT 4: L1 with USER gets GLOBAL", geometry("adjusted", user_entries_stay_local)),
    Rule("REPORT 4: L2 and L3 get USER", geometry("adjusted", table_entries_stay_bare)),
    Rule("REPORT 4: L4 gets ACCESSED", geometry("adjusted", top_entries_stay_unused)),
    Rule("REPORT 4: absent entries stay as they are", around("memory.updates.modify", absent_entries_change)),
    Rule("REPORT 4: I/O space is mapped uncached", geometry("io_adjusted", io_stays_cached)),
    Rule("REPORT 5: cache bits need I/O rights", geometry("without_io_rights_refused", no)),
    Rule("REPORT 5: flags refused in L2..L4", geometry("table_flags_refused", no)),
    Rule(
        "REPORT 6: a table mapped writable is EBUSY",
        around("memory.targets.take_writable", answering(EINVAL)),
    ),
    Rule(
        "REPORT 6: a foreign frame is EBUSY",
        around("memory.targets.take_leaf", answering(EINVAL, frozenset({EBUSY}))),
    ),
    Rule(
        "REPORT 6: I/O space without the right is EPERM",
        around("memory.targets.take_leaf", answering(EINVAL, frozenset({EPERM}))),
    ),
    Rule("REPORT 6: Xen's pages are mapped cached", geometry("cached", yes)),
    Rule(
        "REPORT 6: pin answers with the innermost error", around("memory.roots.pin_table", answering(EINVAL))
    ),
    Rule("REPORT 9: slots 256..271 are Xen's", geometry("xen_end", pte.XEN_FIRST_SLOT)),
    Rule(
        "REPORT 14: an address without an L1 table is EINVAL",
        around("hardware.walk.l1_table_of", no_way_is_a_fault),
    ),
    Rule(
        "RULES 1: only PAT alone makes a frame non-coherent",
        geometry("write_combining", any_uncached_is_combining),
    ),
    Rule("RULES 1: write-combining is remembered", geometry("write_combining", no)),
    Rule("RULES 2: the interrupt window is nobody's", constant("abi.memory_map.MSI_WINDOW", range(0))),
    Rule("RULES 2: the first megabyte is I/O space", constant("abi.memory_map.LOW_FRAMES", 0)),
    Rule("RULES 2: no frame at all is EINVAL", geometry("no_frame", NONE_PRESENT)),
    Rule("RULES 3: asked for, another caching of I/O stays", geometry("io_adjusted", io_always_uncached)),
    Rule("RULES 4: read-only I/O space", geometry("io_adjusted", io_writable)),
    Rule("RULES 5: the named domain is privileged itself", instead("memory.targets._may_name", yes)),
    Rule(
        "RULES 5: a privileged domain is named for another",
        instead("memory.targets._may_name", no),
    ),
    Rule(
        "RULES 6: tables have the rights of their owner",
        around("memory.targets.take_leaf", with_callers_rights),
    ),
    Rule(
        "RULES 8: raw words keep nothing of the old",
        around("memory.updates.update_word", raw_words_keep_marks),
    ),
    Rule(
        "RULES 15: harmless flags change without a check",
        geometry("same_but_for_fast_path", no),
    ),
    Rule(
        "RULES 15: write permission is never harmless",
        geometry("same_but_for_fast_path", writable_may_toggle),
    ),
    Rule(
        "RULES 21: Xen's own pages are never tables",
        around("memory.promotion.take_type", special_frames_free),
    ),
    Rule("REPORT 6: a table may be mapped read-only", around("memory.targets.take_leaf", tables_unmapped)),
    Rule("RULES 2: nor is anything from 0xfd00000 on", constant("abi.memory_map.IO_LIMIT", 1 << 40)),
    Rule(
        "RULES 9: no M2P in a table that is only pinned",
        instead("memory.validation.write_xen_slots", shown_always),
    ),
    Rule("RULES 9: but under m2p_strict", instead("memory.validation.write_xen_slots", shown_never)),
    Rule("RULES 9: shown when the table is loaded", instead("memory.roots._shows_m2p", no)),
    Rule("RULES 9: hidden from user mode", instead("memory.validation.write_readonly_m2p", never_hidden)),
    Rule("RULES 17: update_va_mapping marks the way", instead("hardware.walk.l1_table_of", way_unmarked)),
    Rule(
        "RULES 18: only through a validated L1 table",
        around("memory.updates.take_locked_l1", unlocked_is_a_fault),
    ),
)
