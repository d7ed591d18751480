"""Rules of calls: who is named, batches, single operations, reservations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.oracle.switches import (
    Rule,
    Sequence,
    Silent,
    Steps,
    answering,
    around,
    constant,
    instead,
    refusing,
    without_guard,
)
from xenmodel.abi import assist
from xenmodel.domains.naming import addressed_domain, named_domain
from xenmodel.hypercall import Result
from xenmodel.memory.memory_op import MAX_CONTROL_ORDER, MemoryOpResult
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp
from xenmodel.step import Refused
from xenspec.vocabulary import DOMID_IO, EACCES, EINVAL, ENOSYS, EPERM, ESRCH, DomId, PageType

if TYPE_CHECKING:
    from collections.abc import Callable

    from xenmodel.domains.vm_assist import VmAssist
    from xenmodel.hypercall import Call
    from xenmodel.memory.memory_op import Exchange, Reservation
    from xenmodel.memory.mmu_update import MmuUpdate
    from xenmodel.memory.update_va_mapping import UpdateVaMapping
    from xenspec.vocabulary import Mfn

FLAGS: Final = 7
SUPERPAGES: Final = (Command.MARK_SUPER, Command.UNMARK_SUPER)
CACHES: Final = (Command.FLUSH_CACHE, Command.FLUSH_CACHE_GLOBAL)
FRAMES: Final = (Command.CLEAR_PAGE, Command.COPY_PAGE)


def by_own_number(x: Call, number: int) -> DomId:
    """Let a domain name itself by number."""
    return x.domain if number == x.domain else named_domain(x, number)


def anybody(x: Call, number: int) -> DomId:
    """Let a call name domains that do not exist."""
    try:
        return named_domain(x, number)
    except Refused:
        return DomId(number)


def own_tables(x: Call, foreign: int) -> tuple[DomId, DomId]:
    """Ignore who owns the tables."""
    return x.domain, named_domain(x, foreign & 0xFFFF)


def no_control(_x: Call, _target: DomId) -> None:
    """Let every domain control every other."""


def control_of_io(x: Call, target: DomId) -> None:
    """Let every domain name I/O space."""
    if target not in (x.domain, DOMID_IO) and not x.m.domains[x.domain].privileged:
        raise Refused("switched off", EPERM)


def for_anybody(old: Sequence) -> Sequence:
    """Do for another domain what concerns the calling vCPU."""

    def new(x: Call, op: ExtOp, named: DomId) -> Silent:
        own = op.command > Command.UNPIN_TABLE and op.command not in FRAMES
        yield from old(x, op, x.domain if own else named)

    return new


def foreign_m2p(old: Sequence) -> Sequence:
    """Allow foreign tables with MACHPHYS."""

    def new(x: Call, pointer: int, value: int, _table_owner: DomId, named: DomId) -> Silent:
        yield from old(x, pointer, value, x.domain, named)

    return new


def superpages(old: Sequence) -> Sequence:
    """Take the marking of superpages for a wrong argument."""

    def new(x: Call, op: ExtOp, named: DomId) -> Silent:
        yield from refusing(EINVAL)(old)() if op.command in SUPERPAGES else old(x, op, named)

    return new


def caches_for_all(old: Sequence) -> Sequence:
    """Let a domain without I/O rights flush caches."""

    def new(x: Call, op: ExtOp, named: DomId) -> Silent:
        if op.command not in CACHES:
            yield from old(x, op, named)

    return new


def one_cache_errno(old: Sequence) -> Sequence:
    """Refuse both flushes of caches alike."""

    def new(x: Call, op: ExtOp, named: DomId) -> Silent:
        globally = op.command == Command.FLUSH_CACHE_GLOBAL
        yield from (answering(EACCES)(old) if globally else old)(x, op, named)

    return new


def clearing_anything(old: Sequence) -> Sequence:
    """Let a page that is a table be cleared, to no effect."""

    def new(x: Call, op: ExtOp, named: DomId) -> Silent:
        yield from (answering(None)(old) if op.command in FRAMES else old)(x, op, named)

    return new


def known_flags(old: Sequence) -> Sequence:
    """Refuse flush flags that have no meaning."""

    def new(x: Call, call: UpdateVaMapping) -> Steps:
        if call.flags > FLAGS:
            return Result(rc=-EINVAL)
        return (yield from old(x, call))

    return new


def command_first(old: Sequence) -> Sequence:
    """Look at vm_assist's command before its type."""

    def new(x: Call, call: VmAssist) -> Steps:
        if call.command > 1:
            return Result(rc=-ENOSYS)
        return (yield from old(x, call))

    return new


def owned_only(old: Sequence) -> Sequence:
    """Refuse to give up what was given up before."""

    def new(x: Call, f: Mfn, owner: DomId) -> Silent:
        if not x.m.frames[f].allocated:
            raise Refused("switched off", EINVAL)
        yield from old(x, f, owner)

    return new


def unmapped_only(old: Sequence) -> Sequence:
    """Refuse to give up what is mapped."""

    def new(x: Call, f: Mfn, owner: DomId) -> Silent:
        if x.m.frames[f].ref_count > 1:
            raise Refused("switched off", EINVAL)
        yield from old(x, f, owner)

    return new


def big_orders_refused(old: Sequence) -> Sequence:
    """Refuse an order that is too large instead of doing nothing."""

    def new(x: Call, call: Reservation) -> Steps:
        return MemoryOpResult(-EPERM, 0) if call.order > MAX_CONTROL_ORDER else (yield from old(x, call))

    return new


def absent_refused(old: Sequence) -> Sequence:
    """Refuse a domain that does not exist instead of doing nothing."""

    def new(x: Call, call: Reservation) -> Steps:
        absent = addressed_domain(x, call.domain) is None
        return MemoryOpResult(-ESRCH, 0) if absent else (yield from old(x, call))

    return new


def whole_number(old: Sequence) -> Sequence:
    """Let the upper half of the named domain count in mmuext_op."""

    def new(x: Call, call: MmuextOp) -> Steps:
        if call.foreign >> 16:
            return Result(rc=-ESRCH, counted=False)
        return (yield from old(x, call))

    return new


def others_tables_only(old: Sequence) -> Sequence:
    """Refuse the own domain as the owner of the tables."""

    def new(x: Call, call: MmuUpdate) -> Steps:
        if call.foreign >> 16 == x.domain + 1:
            return Result(rc=-ESRCH, counted=False)
        return (yield from old(x, call))

    return new


def plain_sources(old: Sequence) -> Sequence:
    """Refuse to copy a page table."""

    def new(x: Call, op: ExtOp, named: DomId) -> Silent:
        source = x.m.frames[op.arg2 or 0]
        if op.command == Command.COPY_PAGE and source.type_count and source.type <= PageType.L4:
            raise Refused("switched off", EINVAL)
        yield from old(x, op, named)

    return new


def all_or_nothing(old: Sequence) -> Sequence:
    """Answer that nothing was exchanged where not all was."""

    def new(x: Call, call: Exchange) -> Steps:
        answer = yield from old(x, call)
        assert isinstance(answer, MemoryOpResult)
        return MemoryOpResult(answer.rc, 0, answer.frames) if answer.rc else answer

    return new


def exchange_of(errno: int) -> Callable[[Sequence], Sequence]:
    """Answer 0 where an exchange is refused with an errno."""

    def make(old: Sequence) -> Sequence:
        def new(x: Call, call: Exchange) -> Steps:
            answer = yield from old(x, call)
            assert isinstance(answer, MemoryOpResult)
            return MemoryOpResult(0, answer.done) if answer.rc == -errno else answer

        return new

    return make


def past_refusals(old: Sequence) -> Sequence:
    """Go on with the next extent after a refusal."""

    def new(*args: object) -> Steps:
        return (yield from answering(None)(old)(*args)) or []

    return new


def itself_alone(x: Call, target: DomId) -> None:
    """Let no domain control another."""
    if target != x.domain:
        raise Refused("switched off", EPERM)


RULES: Final = (
    Rule("REPORT 11: another domain's vCPU is EPERM", around("memory.mmuext_op.operation", for_anybody)),
    Rule("REPORT 12: the own number is ESRCH", instead("domains.naming.named_domain", by_own_number)),
    Rule("REPORT 12: an absent domain is ESRCH", instead("domains.naming.named_domain", anybody)),
    Rule("REPORT 12: a guest names no other domain", instead("domains.naming.require_control", no_control)),
    Rule("REPORT 12: nor I/O space in mmuext_op", instead("domains.naming.require_control", control_of_io)),
    Rule(
        "REPORT 12: the upper half names the owner of the tables",
        instead("memory.mmu_update._owners", own_tables),
    ),
    Rule("REPORT 12: no foreign tables with MACHPHYS", around("memory.mmu_update._set_m2p", foreign_m2p)),
    Rule("REPORT 12: a frame of the named domain", without_guard("frame belongs to the named domain")),
    Rule(
        "REPORT 13: a batch stops at the first refusal", around("memory.mmu_update._request", answering(None))
    ),
    Rule("REPORT 13: so does the other", around("memory.mmuext_op.operation", answering(None))),
    Rule(
        "REPORT 14: every flag is accepted", around("memory.update_va_mapping.update_va_mapping", known_flags)
    ),
    Rule("REPORT 16: tables are not cleared", around("memory.mmuext_op.operation", clearing_anything)),
    Rule("REPORT 16: there are no superpages", around("memory.mmuext_op.operation", superpages)),
    Rule("REPORT 16: a guest flushes no caches", around("memory.mmuext_op.operation", caches_for_all)),
    Rule("REPORT 16: one is EACCES, one EINVAL", around("memory.mmuext_op.operation", one_cache_errno)),
    Rule("REPORT 16: six types of vm_assist", constant("abi.assist.VALID", frozenset(range(64)))),
    Rule("REPORT 16: and m2p_strict", constant("abi.assist.VALID", assist.VALID - {assist.M2P_STRICT})),
    Rule("REPORT 16: the type comes first", around("domains.vm_assist.vm_assist", command_first)),
    Rule("REPORT 19: what is mapped lives on", around("memory.memory_op.give_up", unmapped_only)),
    Rule("REPORT 19: and may be given up again", around("memory.memory_op.give_up", owned_only)),
    Rule("REPORT 19: freed once", without_guard("frame is live", "frame belongs to the named domain")),
    Rule(
        "REPORT 19: only unmapped frames are exchanged", without_guard("only the allocation holds the frame")
    ),
    Rule(
        "REPORT 19: too large an order is no extent",
        around("memory.memory_op.reservation", big_orders_refused),
    ),
    Rule("REPORT 19: nor is an absent domain", around("memory.memory_op.reservation", absent_refused)),
    Rule("REPORT 16: a table may be copied", around("memory.mmuext_op.operation", plain_sources)),
    Rule("RULES 5: mmuext_op takes the lower half", around("memory.mmuext_op.mmuext_op", whole_number)),
    Rule(
        "RULES 5: the own tables are named as a foreign domain's",
        around("memory.mmu_update.mmu_update", others_tables_only),
    ),
    Rule("RULES 14: an exchange stops half-way", around("memory.memory_op.exchange", all_or_nothing)),
    Rule(
        "RULES 14: an absent domain is ESRCH there", around("memory.memory_op.exchange", exchange_of(ESRCH))
    ),
    Rule("RULES 14: another one EPERM for a guest", around("memory.memory_op.exchange", exchange_of(EPERM))),
    Rule("RULES 14: giving up stops at the first refusal", around("memory.memory_op._extent", past_refusals)),
    Rule(
        "RULES 14: Domain0 gives up another's frames", instead("domains.naming.require_control", itself_alone)
    ),
)
