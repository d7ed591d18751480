"""HYPERVISOR_set_trap_table: where a vCPU wants its exceptions delivered.

Public interface: struct trap_info in arch-x86/xen.h. The array ends with an entry of address 0; entries
before one that is refused stay stored. A selector loses its privileges: a PV kernel runs in ring 3.
"""

from dataclasses import dataclass

from xenmodel.abi import descriptor
from xenmodel.hypercall import Call, Result, Steps
from xenmodel.machine import Machine
from xenmodel.step import require, step
from xenspec.vocabulary import EFAULT, EINVAL, VcpuId

VECTORS = 256


@dataclass(frozen=True, slots=True)
class TrapInfo:
    """One handler; the low two bits of `flags` are the DPL, bit 2 masks events on entry."""

    vector: int
    flags: int
    selector: int
    address: int


@dataclass(frozen=True, slots=True)
class SetTrapTable:
    """The handlers up to the end mark; None clears the table. `readable` is false if the array breaks off."""

    handlers: tuple[TrapInfo, ...] | None
    readable: bool = True


@step("traps.address", "traps.selector", "traps.flags")
def set_handler(m: Machine, v: VcpuId, vector: int, selector: int, flags: int, address: int) -> None:
    """Store one handler of a vCPU."""
    require("the vector exists", (vector >= 0) & (vector < VECTORS), EINVAL)
    row = m.traps[v, vector]
    row.address = address
    row.selector = selector
    row.flags = flags


def set_trap_table(x: Call, call: SetTrapTable) -> Steps[Result]:
    """Store handler by handler; stop at one whose address no processor accepts."""
    if call.handlers is None:
        for vector in range(VECTORS):
            if x.m.traps[x.vcpu, vector].address:
                set_handler(x.m, x.vcpu, vector, 0, 0, 0)
                yield set_handler
        return Result()
    for info in call.handlers:
        if not info.address:
            return Result()
        if not x.m.pte.canonical(info.address):
            return Result(rc=-EINVAL)
        selector = descriptor.in_ring_3(info.selector)
        set_handler(x.m, x.vcpu, info.vector, selector, info.flags, info.address)
        yield set_handler
    return Result(rc=0 if call.readable else -EFAULT)
