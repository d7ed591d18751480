"""Rules of types and counts: promotion and what its failure leaves, linear tables, pins and base pointers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.oracle.switches import (
    Rule,
    Sequence,
    Silent,
    Steps,
    answering,
    around,
    instead,
    refusing,
    together,
    without_guard,
)
from xenmodel.abi import pte
from xenmodel.machine import Machine
from xenmodel.memory.claim import drop_type, finish_flush
from xenmodel.memory.linking import install_linear, replace_linear
from xenmodel.memory.rows import REF
from xenmodel.memory.validation import fail_validation, finish_devalidation, unwind
from xenmodel.step import Refused
from xenspec.vocabulary import EBUSY, EINVAL, EPERM, FlightId, PageType

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenmodel.hypercall import Call

INNER: Final = frozenset({EBUSY, EPERM})
"""What an L1 entry is refused with."""


def of_flight(m: object, k: FlightId) -> tuple[Machine, int]:
    """Return the machine, and the frame that a flight is at."""
    assert isinstance(m, Machine)
    return m, m.flights[k].frame


def forgetful_drop(m: Machine, k: FlightId) -> None:
    """Lose the type of memory with its last holder."""
    drop_type(m, k)
    frame = m.frames[m.flights[k].frame]
    if not frame.type_count and m.flights[k].mode == REF:
        frame.type = PageType.NONE


def forgetful_demotion(m: Machine, k: FlightId) -> None:
    """Lose the type of a table with its last holder."""
    f = m.flights[k].frame
    finish_devalidation(m, k)
    m.frames[f].type = PageType.NONE


def remembering_failure(m: Machine, k: FlightId) -> None:
    """Keep the type of a frame that could not be promoted."""
    frame = m.frames[m.flights[k].frame]
    kind = frame.type
    fail_validation(m, k)
    frame.type = kind


def remembering_flush(m: Machine, k: FlightId) -> None:
    """Keep the mark of write-combining when the type changes."""
    frame = m.frames[m.flights[k].frame]
    marked = frame.noncoherent
    finish_flush(m, k)
    frame.noncoherent = marked


def forgetful_old_table(old: Sequence) -> Sequence:
    """Leave no type to a table whose promotion failed later than at its first entry."""

    def new(x: Call, k: FlightId) -> Silent:
        vcpu = x.m.vcpus[x.vcpu]
        f, failed = vcpu.old_table, vcpu.old_partial
        yield from old(x, k)
        if failed:
            assert isinstance(x.m, Machine)
            x.m.frames[f].type = PageType.NONE

    return new


def counting_entries(old: Sequence) -> Sequence:
    """Take the number of entries before the failing one for its slot."""

    def new(x: Call, k: FlightId, slot: int) -> Silent:
        f = x.m.flights[k].frame
        if x.m.words.next_present(f, 0) == slot and not x.m.frames[f].partial_entry:
            unwind(x.m, k)
            yield unwind
            slot = 0
        yield from old(x, k, slot)

    return new


def restoring(old: Sequence) -> Sequence:
    """Put the entries of a failed promotion back as the guest wrote them."""

    def new(x: Call, k: FlightId, *args: object) -> Steps:
        m, f = of_flight(x.m, k)
        before = {slot: m.words[f, slot] for slot in range(m.pte.slots)}
        try:
            return (yield from old(x, k, *args))
        except Refused:
            for slot, word in before.items():
                m.words[f, slot] = word
            raise

    return new


def only_tables_linked(old: Sequence) -> Sequence:
    """Promote nothing on the spot: what an entry links has to be a table already."""

    def new(x: Call, k: FlightId, want: int, **kwargs: object) -> Steps:
        frame = x.m.frames[x.m.flights[k].frame]
        if k[1] and want < PageType.L4 and not frame.type_count:
            raise Refused("switched off", EINVAL)
        return (yield from old(x, k, want, **kwargs))

    return new


def linear_self_is_another(old: Sequence) -> Sequence:
    """Count a table's link to itself as one to another table."""

    def new(x: Call, k: FlightId, word: int, _table: int) -> Steps:
        yield from old(x, k, word, x.m.pte.target(word))
        raise Refused("switched off", EINVAL)

    return new


def as_read_only(old: Sequence) -> Sequence:
    """Take a writable linear entry for a read-only one."""

    def new(x: Call, k: FlightId, word: int, table: int) -> Steps:
        return (yield from old(x, k, word & ~pte.RW, table))

    return new


def uncounted(old: Callable[..., None]) -> Callable[..., None]:
    """Forget that tables are linear."""

    def new(m: Machine, k: FlightId, kn: FlightId, *args: object) -> None:
        parent, linked = m.flights[k].frame, m.flights[kn].frame
        old(m, k, kn, *args)
        m.frames[parent].linear = m.frames[linked].linear = 0

    return new


def rewriting_only(m: Machine, k: FlightId, *, readonly_m2p: bool) -> None:
    """Leave Xen's slots as the guest wrote them."""
    del m, k, readonly_m2p


def clearing_demotion(m: Machine, k: FlightId) -> None:
    """Clear Xen's slots when a top-level table ceases to be one."""
    f = m.flights[k].frame
    finish_devalidation(m, k)
    if m.frames[f].type == PageType.L4:
        for slot in range(m.pte.xen_first, m.pte.xen_end):
            m.words[f, slot] = 0


def same_base_refused(old: Sequence) -> Sequence:
    """Refuse to load the table that is loaded."""

    def new(x: Call, f: int) -> Steps:
        if f in (x.m.vcpus[x.vcpu].base, x.m.vcpus[x.vcpu].user_base):
            raise Refused("switched off", EINVAL)
        return (yield from old(x, f))

    return new


def loaded_stays_pinned(old: Sequence) -> Sequence:
    """Refuse to unpin the table that is loaded."""

    def new(x: Call, f: int, owner: int) -> Steps:
        if f == x.m.vcpus[x.vcpu].base:
            raise Refused("switched off", EINVAL)
        return (yield from old(x, f, owner))

    return new


RULES: Final = (
    Rule(
        "REPORT 1: memory keeps its type without holders", instead("memory.claim.drop_type", forgetful_drop)
    ),
    Rule(
        "REPORT 1: a table keeps its type without holders",
        instead("memory.validation.finish_devalidation", forgetful_demotion),
    ),
    Rule(
        "REPORT 2: failing at the first entry leaves no type",
        instead("memory.validation.fail_validation", remembering_failure),
    ),
    Rule(
        "REPORT 2: failing later leaves the level",
        around("memory.promotion.finish_old_table", forgetful_old_table),
    ),
    Rule(
        "REPORT 7: a refused link is EINVAL",
        around("memory.targets._take_child", answering(EBUSY, frozenset({EINVAL}))),
    ),
    Rule(
        "REPORT 7: an L1 entry's refusal comes through",
        around("memory.targets._take_child", answering(EINVAL, INNER)),
    ),
    Rule(
        "REPORT 7: what is linked is promoted on the spot",
        around("memory.promotion.take_type", only_tables_linked),
    ),
    Rule("REPORT 8: linear tables are allowed", around("memory.linear.take_linear", refusing(EINVAL))),
    Rule(
        "REPORT 8: only read-only",
        together(
            around("memory.linear.take_linear", as_read_only), without_guard("a linear entry is read-only")
        ),
    ),
    Rule(
        "REPORT 8: a link to itself holds nothing",
        around("memory.linear.take_linear", linear_self_is_another),
    ),
    Rule(
        "REPORT 8: linear tables are one deep",
        together(
            instead("memory.linking.install_linear", uncounted(install_linear)),
            instead("memory.linking.replace_linear", uncounted(replace_linear)),
        ),
    ),
    Rule("REPORT 9: Xen overwrites its slots", instead("memory.validation.write_xen_slots", rewriting_only)),
    Rule(
        "REPORT 9: and leaves them behind",
        instead("memory.validation.finish_devalidation", clearing_demotion),
    ),
    Rule("REPORT 10: a pinned table is not pinned again", without_guard("the table is not pinned")),
    Rule("REPORT 10: only a pinned table is unpinned", without_guard("the table is pinned")),
    Rule("REPORT 10: a type in use excludes others", without_guard("frame is of the type")),
    Rule("REPORT 11: the loaded base again is no error", around("memory.roots.load_base", same_base_refused)),
    Rule(
        "REPORT 11: the loaded user base again is no error",
        around("memory.roots.load_user_base", same_base_refused),
    ),
    Rule(
        "RULES 1: another type forgets write-combining",
        instead("memory.claim.finish_flush", remembering_flush),
    ),
    Rule(
        "RULES 7a: a failed promotion leaves L1 entries adjusted",
        around("memory.promotion._promote_l1", restoring),
    ),
    Rule("RULES 7a: and those above", around("memory.promotion._promote_table", restoring)),
    Rule("RULES 7a: and descriptors", around("memory.promotion._promote_descriptors", restoring)),
    Rule(
        "RULES 7b: the slot counts, not the entries before",
        around("memory.promotion._abandon", counting_entries),
    ),
    Rule(
        "REPORT 10: the loaded table may be unpinned", around("memory.roots.unpin_table", loaded_stays_pinned)
    ),
)
