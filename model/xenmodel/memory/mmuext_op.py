"""HYPERVISOR_mmuext_op: pins, base pointers, flushes, LDT, page operations.

Public interface: xen/include/public/xen.h, MMUEXT_*. The named domain owns the frames of pins and page
operations; all that concerns the vCPU itself works for the caller's own domain only (EPERM).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from xenmodel.domains.naming import named_domain, require_control
from xenmodel.hardware.tlb import cpus_of_vcpus, flush_cpus, flush_each, invalidate_on_each, invalidate_page
from xenmodel.hypercall import PREEMPT_BATCH, Call, Continuation, Preempted, Result, Steps
from xenmodel.machine import Machine
from xenmodel.memory.claim import drop_ref, take_ref
from xenmodel.memory.demotion import drop_leaf, finish_old_table
from xenmodel.memory.descriptors import set_ldt
from xenmodel.memory.holders import Purpose
from xenmodel.memory.mmu_update import signed32
from xenmodel.memory.promotion import take_type
from xenmodel.memory.roots import load_base, load_user_base, pin_table, unpin_table
from xenmodel.memory.rows import HELD, NO_FRAME, REF
from xenmodel.memory.updates import flights
from xenmodel.step import Refused, require, step
from xenspec.vocabulary import (
    DOMID_IO,
    EACCES,
    EAGAIN,
    EINVAL,
    ENOSYS,
    EOPNOTSUPP,
    EPERM,
    WRITABLE,
    Cpu,
    DomId,
    Errno,
    FlightId,
    Mfn,
    PageType,
)


class Command(IntEnum):
    """MMUEXT_*."""

    PIN_L1_TABLE = 0
    PIN_L2_TABLE = 1
    PIN_L3_TABLE = 2
    PIN_L4_TABLE = 3
    UNPIN_TABLE = 4
    NEW_BASEPTR = 5
    TLB_FLUSH_LOCAL = 6
    INVLPG_LOCAL = 7
    TLB_FLUSH_MULTI = 8
    INVLPG_MULTI = 9
    TLB_FLUSH_ALL = 10
    INVLPG_ALL = 11
    FLUSH_CACHE = 12
    SET_LDT = 13
    NEW_USER_BASEPTR = 15
    CLEAR_PAGE = 16
    COPY_PAGE = 17
    FLUSH_CACHE_GLOBAL = 18
    MARK_SUPER = 19
    UNMARK_SUPER = 20


@dataclass(frozen=True, slots=True)
class ExtOp:
    """One operation: `arg1` is a frame or a linear address, `arg2` a number of entries, a frame or a mask.

    For the MULTI flushes `arg2` is the vCPU mask itself, None if it cannot be read.
    """

    command: int
    arg1: int = 0
    arg2: int | None = 0


@dataclass(frozen=True, slots=True)
class MmuextOp:
    """A batch of operations on one named domain; `preempted` marks a re-entry."""

    ops: tuple[ExtOp, ...]
    foreign: int
    preempted: bool = False


@step("words.word")
def clear_page(m: Machine, k: FlightId) -> None:
    """Make every word of a frame held as writable memory zero."""
    flight = m.flights[k]
    require("the frame is held", flight.mode == HELD, EAGAIN)
    require("as writable memory", m.frames[flight.frame].type == WRITABLE, EAGAIN)
    m.words.clear(flight.frame)


@step("words.word")
def copy_page(m: Machine, k: FlightId, source: FlightId) -> None:
    """Copy a held frame's words into one held as writable memory."""
    flight, other = m.flights[k], m.flights[source]
    require("the frame is held", flight.mode == HELD, EAGAIN)
    require("as writable memory", m.frames[flight.frame].type == WRITABLE, EAGAIN)
    require("the source is held", other.mode == REF, EAGAIN)
    m.words.copy(flight.frame, other.frame)


def mmuext_op(x: Call, call: MmuextOp) -> Steps[Result]:
    """Apply the operations in order; stop at the first refusal."""
    try:
        yield from finish_old_table(x, FlightId((x.vcpu, Purpose.OLD)))
    except Preempted:
        return Result(done=0, continuation=Continuation("mmuext_op", call, 0))
    if call.preempted and not call.ops:
        return Result(rc=signed32(call.foreign))
    done = x.done = 0
    try:
        named = named_domain(x, call.foreign & 0xFFFF)
        require_control(x, named)
    except Refused as refusal:
        return Result(rc=-refusal.errno, counted=False, guard=refusal.guard)
    try:
        for op in call.ops:
            if x.m.vcpus[x.vcpu].old_table != NO_FRAME or (done and (yield PREEMPT_BATCH)):
                raise Preempted  # noqa: TRY301 - one place makes the continuation
            yield from operation(x, op, named)
            done += 1
            x.done = done
    except Refused as refusal:
        return _ended(x, -refusal.errno, done, refusal.guard)
    except Preempted:
        rest = MmuextOp(call.ops[done:], call.foreign, preempted=True)
        return Result(done=done, continuation=Continuation("mmuext_op", rest, done))
    return _ended(x, 0, done)


def _ended(x: Call, rc: int, done: int, guard: str = "") -> Result:
    """Answer, by a continuation if the vCPU has an old table to finish."""
    if x.m.vcpus[x.vcpu].old_table == NO_FRAME:
        return Result(rc=rc, done=done, guard=guard)
    rest = MmuextOp((), rc & 0xFFFFFFFF, preempted=True)
    return Result(done=done, continuation=Continuation("mmuext_op", rest, done))


def operation(x: Call, op: ExtOp, named: DomId) -> Steps[None]:
    """Apply one operation."""
    if op.command <= Command.PIN_L4_TABLE:
        yield from pin_table(x, Mfn(op.arg1), PageType(op.command + 1), named)
    elif op.command == Command.UNPIN_TABLE:
        yield from unpin_table(x, Mfn(op.arg1), named)
    elif op.command in (Command.MARK_SUPER, Command.UNMARK_SUPER):
        raise Refused("superpages exist", EOPNOTSUPP)
    elif op.command == Command.CLEAR_PAGE:
        yield from _clear(x, op, named)
    elif op.command == Command.COPY_PAGE:
        yield from _copy(x, op, named)
    elif op.command in OWN:
        if named != x.domain:
            raise Refused("the named domain is the caller", EPERM)
        yield from OWN[op.command](x, op)
    else:
        raise Refused("the command exists", ENOSYS)


def _clear(x: Call, op: ExtOp, named: DomId) -> Steps[None]:
    k, _, _ = flights(x.vcpu)
    yield from _take_writable(x, k, Mfn(op.arg1), named)
    clear_page(x.m, k)
    yield clear_page
    yield from drop_leaf(x, k)


def _copy(x: Call, op: ExtOp, named: DomId) -> Steps[None]:
    m = x.m
    k, _, _ = flights(x.vcpu)
    source = FlightId((x.vcpu, Purpose.SOURCE))
    _require_ram(named)
    take_ref(m, source, Mfn(op.arg2 or 0), named)
    yield take_ref
    try:
        yield from _take_writable(x, k, Mfn(op.arg1), named)
    except Refused:
        drop_ref(m, source)
        yield drop_ref
        raise
    copy_page(m, k, source)
    yield copy_page
    yield from drop_leaf(x, k)
    drop_ref(m, source)
    yield drop_ref


def _require_ram(named: DomId) -> None:
    if named == DOMID_IO:
        raise Refused("the frame is memory", EINVAL)


def _take_writable(x: Call, k: FlightId, f: Mfn, owner: DomId) -> Steps[None]:
    """Take a frame as writable memory into flight `k`; any refusal is EINVAL."""
    m = x.m
    _require_ram(owner)
    take_ref(m, k, f, owner)
    yield take_ref
    try:
        yield from take_type(x, k, WRITABLE)
    except Refused as refusal:
        drop_ref(m, k)
        yield drop_ref
        raise Refused(refusal.guard, EINVAL) from None


def _new_base(x: Call, op: ExtOp) -> Steps[None]:
    yield from load_base(x, Mfn(op.arg1))


def _new_user_base(x: Call, op: ExtOp) -> Steps[None]:
    yield from load_user_base(x, op.arg1)


def _flush_local(x: Call, _op: ExtOp) -> Steps[None]:
    yield from flush_cpus(x, everywhere=False)


def _flush_all(x: Call, _op: ExtOp) -> Steps[None]:
    yield from flush_cpus(x, everywhere=True)


def _flush_multi(x: Call, op: ExtOp) -> Steps[None]:
    yield from flush_each(x, _named_cpus(x, op))


def _invlpg_local(x: Call, op: ExtOp) -> Steps[None]:
    yield from invalidate_page(x, op.arg1, everywhere=False)


def _invlpg_all(x: Call, op: ExtOp) -> Steps[None]:
    if x.m.pte.guest_address(op.arg1):
        yield from invalidate_page(x, op.arg1, everywhere=True)


def _invlpg_multi(x: Call, op: ExtOp) -> Steps[None]:
    cpus = _named_cpus(x, op)
    if x.m.pte.guest_address(op.arg1):
        yield from invalidate_on_each(x, op.arg1, cpus)


def _named_cpus(x: Call, op: ExtOp) -> list[Cpu]:
    """Return the CPUs of the vCPUs that a mask names (vcpumask_to_pcpumask)."""
    if op.arg2 is None:
        raise Refused("the vCPU mask can be read", EINVAL)
    return cpus_of_vcpus(x, op.arg2)


def _flush_cache(x: Call, _op: ExtOp) -> Steps[None]:
    yield from _cache(x, EACCES)


def _flush_cache_global(x: Call, _op: ExtOp) -> Steps[None]:
    yield from _cache(x, EINVAL)


def _cache(x: Call, errno: Errno) -> Steps[None]:
    if not x.m.domains[x.domain].io_rights:
        raise Refused("the domain has I/O rights", errno)
    yield from ()


def _set_ldt(x: Call, op: ExtOp) -> Steps[None]:
    yield from set_ldt(x, op.arg1, op.arg2 or 0)


OWN: dict[int, Callable[[Call, ExtOp], Steps[None]]] = {
    Command.NEW_BASEPTR: _new_base,
    Command.NEW_USER_BASEPTR: _new_user_base,
    Command.TLB_FLUSH_LOCAL: _flush_local,
    Command.TLB_FLUSH_ALL: _flush_all,
    Command.TLB_FLUSH_MULTI: _flush_multi,
    Command.INVLPG_LOCAL: _invlpg_local,
    Command.INVLPG_ALL: _invlpg_all,
    Command.INVLPG_MULTI: _invlpg_multi,
    Command.FLUSH_CACHE: _flush_cache,
    Command.FLUSH_CACHE_GLOBAL: _flush_cache_global,
    Command.SET_LDT: _set_ldt,
}
"""Operations that concern the calling vCPU and its own domain."""
