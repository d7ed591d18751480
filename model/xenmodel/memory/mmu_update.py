"""HYPERVISOR_mmu_update: a batch of writes to page tables, plain memory and the machine-to-physical map.

Public interface: xen/include/public/xen.h, MMU_*. The low two bits of a request's pointer are its command.
Done-counts: a batch stops at the first refusal; each request's old table is finished before the next.
"""

from dataclasses import dataclass
from enum import IntEnum

from xenmodel.domains.naming import named_domain, require_control
from xenmodel.hypercall import PREEMPT_BATCH, Call, Continuation, Preempted, Result, Steps
from xenmodel.machine import Machine
from xenmodel.memory.claim import drop_ref, take_ref
from xenmodel.memory.demotion import finish_old_table
from xenmodel.memory.holders import Purpose
from xenmodel.memory.rows import NO_FRAME, REF
from xenmodel.memory.updates import flights, update_word
from xenmodel.step import Refused, require, step
from xenspec.vocabulary import DOMID_IO, EAGAIN, ENOSYS, EPERM, ESRCH, PAGE_SIZE, DomId, FlightId, Mfn

PREEMPTED = 1 << 31
"""MMU_UPDATE_PREEMPTED: flag of a re-entry, in the count argument."""


class Command(IntEnum):
    """MMU_*: the command in the low bits of a request's pointer."""

    NORMAL = 0
    MACHPHYS = 1
    PRESERVE_AD = 2
    NO_TRANSLATE = 3


@dataclass(frozen=True, slots=True)
class MmuUpdate:
    """Requests are (pointer, value) pairs; `preempted` marks a re-entry."""

    requests: tuple[tuple[int, int], ...]
    foreign: int
    """The domain whose frames are named; in the upper half, plus one, the owner of the tables (PFD)."""
    preempted: bool = False


@step("m2p.pfn")
def set_m2p(m: Machine, k: FlightId, pfn: int) -> None:
    """Store a machine-to-physical entry of a frame that is held."""
    flight = m.flights[k]
    require("the frame is held", flight.mode == REF, EAGAIN)
    m.m2p[flight.frame].pfn = pfn


def mmu_update(x: Call, call: MmuUpdate) -> Steps[Result]:
    """Apply the requests in order; stop at the first refusal."""
    try:
        yield from finish_old_table(x, FlightId((x.vcpu, Purpose.OLD)))
    except Preempted:
        return Result(done=0, continuation=Continuation("mmu_update", call, 0))
    if call.preempted and not call.requests:
        return Result(rc=signed32(call.foreign))
    done = x.done = 0
    upper = call.foreign >> 16
    if upper and not x.m.domains[upper - 1].exists:
        return Result(rc=-ESRCH, counted=False)
    try:
        owners = _owners(x, call.foreign)
        for pointer, value in call.requests:
            if x.m.vcpus[x.vcpu].old_table != NO_FRAME or (done and (yield PREEMPT_BATCH)):
                raise Preempted  # noqa: TRY301 - one place makes the continuation
            yield from _request(x, pointer, value, *owners)
            done += 1
            x.done = done
    except Refused as refusal:
        return _ended(x, -refusal.errno, done, refusal.guard)
    except Preempted:
        return _continued(call, done)
    return _ended(x, 0, done)


def signed32(value: int) -> int:
    """Return a 32-bit value as the signed number it carries."""
    return value - (1 << 32) if value & (1 << 31) else value


def _owners(x: Call, foreign: int) -> tuple[DomId, DomId]:
    """Return the owner of the tables and the domain whose frames are named."""
    upper = foreign >> 16
    return DomId(upper - 1) if upper else x.domain, named_domain(x, foreign & 0xFFFF)


def _request(x: Call, pointer: int, value: int, table_owner: DomId, named: DomId) -> Steps[None]:
    """Apply one request."""
    width = x.m.pte.word_bytes
    command = pointer & (width - 1)
    if command == Command.MACHPHYS:
        yield from _set_m2p(x, pointer, value, table_owner, named)
        return
    if command not in (Command.NORMAL, Command.PRESERVE_AD, Command.NO_TRANSLATE):
        raise Refused("the command exists", ENOSYS)
    if named != DOMID_IO:
        require_control(x, named)
    require_control(x, table_owner)
    yield from update_word(
        x,
        Mfn(pointer // PAGE_SIZE),
        pointer % PAGE_SIZE // width,
        value & x.m.pte.word_mask,
        owners=(table_owner, named),
        preserve_ad=command == Command.PRESERVE_AD,
    )


def _set_m2p(x: Call, pointer: int, value: int, table_owner: DomId, named: DomId) -> Steps[None]:
    """Set the machine-to-physical entry of a frame of the named domain."""
    if table_owner != x.domain:
        raise Refused("no foreign tables with MACHPHYS", EPERM)
    if named != DOMID_IO:
        require_control(x, named)
    k, _, _ = flights(x.vcpu)
    take_ref(x.m, k, Mfn(pointer // PAGE_SIZE), named)
    yield take_ref
    set_m2p(x.m, k, value)
    yield set_m2p
    drop_ref(x.m, k)
    yield drop_ref


def _ended(x: Call, rc: int, done: int, guard: str = "") -> Result:
    """Answer, by a continuation if the vCPU has an old table to finish."""
    if x.m.vcpus[x.vcpu].old_table == NO_FRAME:
        return Result(rc=rc, done=done, guard=guard)
    rest = MmuUpdate((), rc & 0xFFFFFFFF, preempted=True)
    return Result(done=done, continuation=Continuation("mmu_update", rest, done))


def _continued(call: MmuUpdate, done: int) -> Result:
    rest = MmuUpdate(call.requests[done:], call.foreign, preempted=True)
    return Result(done=done, continuation=Continuation("mmu_update", rest, done))
