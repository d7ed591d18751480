"""HYPERVISOR_update_va_mapping and its otherdomain form: change the L1 entry that maps an address.

The entry is found through the caller's current tables; its table must be a validated L1 of the caller.
Flush flags: public/xen.h, UVMF_*.
"""

from dataclasses import dataclass

from xenmodel.domains.naming import named_domain, require_control
from xenmodel.hardware.access import Fault, load
from xenmodel.hardware.tlb import cpus_of, cpus_of_vcpus, flush_each, invalidate_on_each, own_cpu
from xenmodel.hardware.walk import l1_table_of
from xenmodel.hypercall import Call, Preempted, Result, Steps
from xenmodel.memory.updates import modify, take_locked_l1, unlock_and_drop
from xenmodel.step import Refused
from xenspec.vocabulary import EFAULT, EINVAL, Cpu, DomId, Va

FLUSH_TYPE = 3
FLUSH_TLB = 1
FLUSH_INVLPG = 2
LOCAL, ALL = 0, 4
"""Where: on the caller's CPU, or wherever its domain has run. Else a mask of its vCPUs is at this address."""


@dataclass(frozen=True, slots=True)
class UpdateVaMapping:
    """`domain` names the owner of the frames (otherdomain form), None is the caller."""

    va: Va
    value: int
    flags: int
    domain: int | None = None


def update_va_mapping(x: Call, call: UpdateVaMapping) -> Steps[Result]:
    """Change the entry, then flush as asked; where that cannot be found out the entry stays changed."""
    try:
        named = x.domain
        if call.domain is not None:
            named = named_domain(x, call.domain)
            require_control(x, named)
        yield from _update(x, call, named)
        yield from _flush(x, call)
    except Refused as refusal:
        return Result(rc=-refusal.errno, guard=refusal.guard)
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
    if kind in (FLUSH_TLB, FLUSH_INVLPG):
        cpus = yield from _cpus(x, call.flags & ~FLUSH_TYPE)
        flushing = flush_each(x, cpus) if kind == FLUSH_TLB else invalidate_on_each(x, call.va, cpus)
        yield from flushing


def _cpus(x: Call, where: int) -> Steps[list[Cpu]]:
    """Return the CPUs to flush; a mask of vCPUs is read from the caller's memory (vcpumask_to_pcpumask)."""
    if where == LOCAL:
        return [own_cpu(x)]
    if where == ALL:
        return cpus_of(x, x.domain)
    width = x.m.pte.word_bytes
    mask = 0
    for word in range(-(-x.m.domains[x.domain].vcpus // (8 * width))):
        found = yield from load(x, Va(where + word * width))
        if isinstance(found, Fault):
            raise Refused("the mask of vCPUs can be read", EFAULT)
        mask |= found << 8 * width * word
    return cpus_of_vcpus(x, mask)
