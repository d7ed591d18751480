"""HYPERVISOR_vcpu_op, as far as it touches frames: a new vCPU's tables, and the page of its information.

Public interface: xen/include/public/vcpu.h. A new vCPU gets its GDT and base pointers in one call
(arch_set_info_guest): GDT pages first, then the kernel's base, then the user's.
"""

from dataclasses import dataclass

from xenmodel.events.frames import keep_vcpu_info, take_frame
from xenmodel.hypercall import Call, Steps
from xenmodel.machine import Machine
from xenmodel.memory.claim import take_ref
from xenmodel.memory.demotion import drop_leaf
from xenmodel.memory.descriptors import SetGdt, set_gdt, set_ldt_place
from xenmodel.memory.promotion import take_type
from xenmodel.memory.roots import KERNEL, USER, swap_base
from xenmodel.memory.rows import NO_FRAME
from xenmodel.memory.updates import flights
from xenmodel.step import Refused, require, step
from xenspec.logic import Not
from xenspec.vocabulary import EEXIST, EINVAL, ENOENT, Mfn, PageType, VcpuId

PAGE_BYTES = 4096
INFO_BYTES = 64
"""Size of vcpu_info, which must lie within one page."""


@dataclass(frozen=True, slots=True)
class NewContext:
    """What of a vcpu_guest_context names frames; a base of 0 is none."""

    base: Mfn
    user_base: Mfn
    gdt_frames: tuple[int, ...]
    gdt_entries: int
    ldt_base: int = 0
    ldt_entries: int = 0


@step("vcpus.initialised")
def mark_initialised(m: Machine, v: VcpuId) -> None:
    """Let a vCPU run: its kernel has a base pointer."""
    vcpu = m.vcpus[v]
    require("the domain has the vCPU", (v[1] >= 0) & (v[1] < m.domains[v[0]].vcpus), ENOENT)
    require("the vCPU is not initialised yet", Not(vcpu.initialised), EEXIST)
    require("it has a base pointer", vcpu.base != NO_FRAME, EINVAL)
    vcpu.initialised = True


def initialise(x: Call, v: VcpuId, context: NewContext) -> Steps[int]:
    """VCPUOP_initialise: return 0 or an errno."""
    m = x.m
    if v[1] >= m.domains[x.domain].vcpus:
        return -ENOENT
    if m.vcpus[v].initialised:
        return -EEXIST
    taken = yield from set_gdt(x, SetGdt(context.gdt_frames, context.gdt_entries), v)
    if taken.rc:
        return taken.rc
    try:
        yield from _set_base(x, v, context.base, KERNEL)
        if context.user_base:
            yield from _set_base(x, v, context.user_base, USER)
    except Refused as refusal:
        return -refusal.errno
    set_ldt_place(m, v, context.ldt_base if context.ldt_entries else 0, context.ldt_entries)
    yield set_ldt_place
    mark_initialised(m, v)
    yield mark_initialised
    return 0


def _set_base(x: Call, v: VcpuId, f: Mfn, which: int) -> Steps[None]:
    """Take a top-level table as a base pointer of another vCPU that has none yet."""
    m = x.m
    _, kn, ko = flights(x.vcpu)
    take_ref(m, kn, f, x.domain)
    yield take_ref
    try:
        yield from take_type(x, kn, PageType(m.pte.levels))
    except Refused:
        yield from drop_leaf(x, kn)
        raise
    swap_base(m, v, kn, ko, which=which)
    yield swap_base


def register_info(x: Call, v: VcpuId, f: Mfn, offset: int) -> Steps[int]:
    """VCPUOP_register_vcpu_info: return 0 or an errno."""
    if v[1] >= x.m.domains[x.domain].vcpus:
        return -ENOENT
    if offset > PAGE_BYTES - INFO_BYTES or x.m.vcpus[v].info_frame != NO_FRAME:
        return -EINVAL
    try:
        kn = yield from take_frame(x, f)
    except Refused as refusal:
        return -refusal.errno
    try:
        keep_vcpu_info(x.m, kn, v)
        yield keep_vcpu_info
    except Refused as refusal:
        yield from drop_leaf(x, kn)
        return -refusal.errno
    return 0


@step("vcpus.up")
def mark_up(m: Machine, v: VcpuId, *, up: bool) -> None:
    """Let an initialised vCPU run, or hold it down."""
    vcpu = m.vcpus[v]
    require("the vCPU is initialised", vcpu.initialised, EINVAL)
    vcpu.up = up


def set_up(x: Call, v: VcpuId, *, up: bool) -> Steps[int]:
    """VCPUOP_up and VCPUOP_down: return 0 or an errno."""
    if v[1] >= x.m.domains[x.domain].vcpus:
        return -ENOENT
    try:
        mark_up(x.m, v, up=up)
        yield mark_up
    except Refused as refusal:
        return -refusal.errno
    return 0


def is_up(x: Call, v: VcpuId) -> int:
    """VCPUOP_is_up: return 1, 0 or an errno."""
    if v[1] >= x.m.domains[x.domain].vcpus:
        return -ENOENT
    return 1 if x.m.vcpus[v].up else 0
