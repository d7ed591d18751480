"""HYPERVISOR_update_va_mapping and its otherdomain form: change the L1 entry that maps an address.

The entry is found through the caller's current tables; its table must be a validated L1 of the caller.
Flush flags: public/xen.h, UVMF_*.
"""

from dataclasses import dataclass

from xenmodel.domains.naming import named_domain, require_control
from xenmodel.hardware.tlb import flush_cpus, invalidate_page
from xenmodel.hardware.walk import l1_table_of
from xenmodel.hypercall import Call, Preempted, Result, Steps
from xenmodel.memory.updates import modify, take_locked_l1, unlock_and_drop
from xenmodel.step import Refused
from xenspec.vocabulary import EINVAL, DomId, Va

FLUSH_TYPE = 3
FLUSH_TLB = 1
FLUSH_INVLPG = 2
FLUSH_ALL = 4


@dataclass(frozen=True, slots=True)
class UpdateVaMapping:
    """`domain` names the owner of the frames (otherdomain form), None is the caller."""

    va: Va
    value: int
    flags: int
    domain: int | None = None


def update_va_mapping(x: Call, call: UpdateVaMapping) -> Steps[Result]:
    """Change the entry, then flush as asked."""
    try:
        named = x.domain
        if call.domain is not None:
            named = named_domain(x, call.domain)
            require_control(x, named)
        yield from _update(x, call, named)
    except Refused as refusal:
        return Result(rc=-refusal.errno, guard=refusal.guard)
    yield from _flush(x, call)
    return Result()


def _update(x: Call, call: UpdateVaMapping, named: DomId) -> Steps[None]:
    table = yield from l1_table_of(x, call.va)
    if table is None or not (yield from take_locked_l1(x, table, x.domain)):
        raise Refused("the address has an L1 table of the caller", EINVAL)
    try:
        yield from modify(x, x.m.pte.indices(call.va)[-1], call.value & x.m.pte.word_mask, named)
    except (Refused, Preempted):
        yield from unlock_and_drop(x)
        raise
    yield from unlock_and_drop(x)


def _flush(x: Call, call: UpdateVaMapping) -> Steps[None]:
    kind = call.flags & FLUSH_TYPE
    everywhere = call.flags & ~FLUSH_TYPE != 0
    if kind == FLUSH_TLB:
        yield from flush_cpus(x, everywhere=everywhere)
    elif kind == FLUSH_INVLPG:
        yield from invalidate_page(x, call.va, everywhere=everywhere)
