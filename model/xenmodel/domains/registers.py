"""Registers that a guest sets by hypercall: segment bases, the kernel's stack, CR0.TS.

HYPERVISOR_set_segment_base, stack_switch and fpu_taskswitch (xen/arch/x86/pv/misc-hypercalls.c). A base must
be an address that a processor accepts. Loading a selector that cannot be loaded is no error: GS is then null.
"""

from dataclasses import dataclass
from typing import TypeAlias

from xenmodel.abi import descriptor
from xenmodel.hardware.segments import load_selector
from xenmodel.hypercall import Call, Result, Steps
from xenmodel.machine import Machine
from xenmodel.step import require, step
from xenspec.logic import ite
from xenspec.vocabulary import EINVAL, VcpuId

FS, GS_USER, GS_KERNEL, GS_USER_SELECTOR = 0, 1, 2, 3
"""SEGBASE_*: which base."""
SELECTOR_BITS = 0xFFFF


@dataclass(frozen=True, slots=True)
class SetSegmentBase:
    """`which` is SEGBASE_*; `base` is an address, or a selector to load into GS."""

    which: int
    base: int


@dataclass(frozen=True, slots=True)
class StackSwitch:
    """Where the kernel's stack is when the guest enters its kernel."""

    selector: int
    pointer: int


@dataclass(frozen=True, slots=True)
class FpuTaskswitch:
    """Whether the next use of the floating-point unit traps (CR0.TS)."""

    on: bool


SetsRegister: TypeAlias = SetSegmentBase | StackSwitch | FpuTaskswitch


@step("vcpus.fs_base", "vcpus.gs_base_user", "vcpus.gs_base_kernel")
def set_base(m: Machine, v: VcpuId, which: int, base: int) -> None:
    """Store a segment base."""
    require("the base exists", (which >= FS) & (which <= GS_KERNEL), EINVAL)
    vcpu = m.vcpus[v]
    vcpu.fs_base = ite(which == FS, base, vcpu.fs_base)
    vcpu.gs_base_user = ite(which == GS_USER, base, vcpu.gs_base_user)
    vcpu.gs_base_kernel = ite(which == GS_KERNEL, base, vcpu.gs_base_kernel)


@step("vcpus.kernel_ss", "vcpus.kernel_sp")
def set_stack(m: Machine, v: VcpuId, selector: int, pointer: int) -> None:
    """Store where a vCPU's kernel stack is."""
    vcpu = m.vcpus[v]
    vcpu.kernel_ss = selector
    vcpu.kernel_sp = pointer


@step("vcpus.task_switched")
def set_task_switched(m: Machine, v: VcpuId, *, on: bool) -> None:
    """Store CR0.TS of a vCPU."""
    m.vcpus[v].task_switched = on


def set_register(x: Call, call: SetsRegister) -> Steps[Result]:
    """Run one of the calls that set a register."""
    if isinstance(call, SetSegmentBase):
        return (yield from _set_segment_base(x, call))
    if isinstance(call, StackSwitch):
        set_stack(x.m, x.vcpu, descriptor.in_ring_3(call.selector), call.pointer)
        yield set_stack
    else:
        set_task_switched(x.m, x.vcpu, on=call.on)
        yield set_task_switched
    return Result()


def _set_segment_base(x: Call, call: SetSegmentBase) -> Steps[Result]:
    """Store a base, or load a selector into the user's GS (do_set_segment_base)."""
    if call.which == GS_USER_SELECTOR:
        selector = call.base & SELECTOR_BITS
        if selector > descriptor.RING_3:
            yield from load_selector(x, descriptor.in_ring_3(selector))
        return Result()
    if call.which not in (FS, GS_USER, GS_KERNEL) or not x.m.pte.canonical(call.base):
        return Result(rc=-EINVAL)
    set_base(x.m, x.vcpu, call.which, call.base)
    yield set_base
    return Result()
