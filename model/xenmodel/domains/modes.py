"""The two modes of a 64-bit guest, its kernel and its user, both in ring 3; and where Xen enters its kernel.

HYPERVISOR_iret (xen/arch/x86/pv/iret.c) returns to either; a system call or an exception enters the kernel.
Each mode has a base pointer of its own: a return to user mode without one is fatal to the domain.
HYPERVISOR_callback_op (callback.c) says where the kernel wants to be entered.
"""

from dataclasses import dataclass

from xenmodel.abi import descriptor
from xenmodel.domains.traps import set_handler
from xenmodel.hypercall import Call, Result, Steps
from xenmodel.machine import Machine
from xenmodel.memory.rows import NO_FRAME
from xenmodel.step import require, step
from xenspec.logic import Not, ite
from xenspec.vocabulary import EFAULT, EINVAL, ENOSYS, ESRCH, DomId, VcpuId

EVENT, FAILSAFE, SYSCALL, NMI, SYSENTER, SYSCALL32 = 0, 1, 2, 4, 5, 7
"""CALLBACKTYPE_*."""
REGISTER, UNREGISTER = 0, 1
"""CALLBACKOP_*."""
PLACES = frozenset({EVENT, FAILSAFE, SYSCALL, SYSENTER, SYSCALL32})
"""The callbacks that are addresses; a non-maskable interrupt has a trap handler."""
NMI_VECTOR = 2
MASKS_EVENTS = 4
"""TI_SET_IF: a trap handler that is entered with events masked."""


@dataclass(frozen=True, slots=True)
class Iret:
    """The part of the guest's iret frame that says where it returns to; None if it cannot be read."""

    selector: int | None


@dataclass(frozen=True, slots=True)
class CallbackOp:
    """`command` is CALLBACKOP_*, `kind` a CALLBACKTYPE_*."""

    command: int
    kind: int
    address: int


@step("vcpus.user_mode", "cpus.loads")
def enter_user(m: Machine, v: VcpuId) -> None:
    """Leave the guest's kernel for its user mode (toggle_guest_mode)."""
    vcpu = m.vcpus[v]
    require("the vCPU is in kernel mode", Not(vcpu.user_mode), EINVAL)
    require("user mode has a base pointer", vcpu.user_base != NO_FRAME, EFAULT)
    vcpu.user_mode = True
    _load_cr3(m, vcpu.cpu)


@step("vcpus.user_mode", "cpus.loads")
def enter_kernel(m: Machine, v: VcpuId) -> None:
    """Enter the guest's kernel: a system call, an exception or an upcall."""
    vcpu = m.vcpus[v]
    require("the vCPU is in user mode", vcpu.user_mode, EINVAL)
    vcpu.user_mode = False
    _load_cr3(m, vcpu.cpu)


def _load_cr3(m: Machine, cpu: int) -> None:
    """Drop a CPU's translations but the global ones; the flush clock does not tick. Part of a step."""
    m.cpus[cpu].loads = m.cpus[cpu].loads + 1


@step("domains.crashed")
def crash(m: Machine, domain: DomId) -> None:
    """Stop a domain that did what cannot be answered (domain_crash)."""
    row = m.domains[domain]
    require("the domain exists", row.exists, ESRCH)
    row.crashed = True


@step(
    "vcpus.event_callback",
    "vcpus.failsafe_callback",
    "vcpus.syscall_callback",
    "vcpus.sysenter_callback",
    "vcpus.syscall32_callback",
)
def set_callback(m: Machine, v: VcpuId, kind: int, address: int) -> None:
    """Store where a vCPU's kernel is entered for one reason."""
    vcpu = m.vcpus[v]
    vcpu.event_callback = ite(kind == EVENT, address, vcpu.event_callback)
    vcpu.failsafe_callback = ite(kind == FAILSAFE, address, vcpu.failsafe_callback)
    vcpu.syscall_callback = ite(kind == SYSCALL, address, vcpu.syscall_callback)
    vcpu.sysenter_callback = ite(kind == SYSENTER, address, vcpu.sysenter_callback)
    vcpu.syscall32_callback = ite(kind == SYSCALL32, address, vcpu.syscall32_callback)


def iret(x: Call, call: Iret) -> Steps[Result]:
    """Return to the mode that the saved code selector names; there is no return code (do_iret)."""
    to_user = call.selector is not None and call.selector & descriptor.RING_3 == descriptor.RING_3
    if call.selector is None or (to_user and x.m.vcpus[x.vcpu].user_base == NO_FRAME):
        crash(x.m, x.domain)
        yield crash
    elif to_user:
        enter_user(x.m, x.vcpu)
        yield enter_user
    return Result(answers=False)


def come_back(x: Call) -> Steps[None]:
    """Enter the kernel, by whatever way: before it makes a call, for example."""
    enter_kernel(x.m, x.vcpu)
    yield enter_kernel


def callback_op(x: Call, call: CallbackOp) -> Steps[Result]:
    """Store or remove a callback; only that of non-maskable interrupts can be removed."""
    if call.command == REGISTER:
        return (yield from _register(x, call))
    if call.command != UNREGISTER:
        return Result(rc=-ENOSYS)
    if call.kind == NMI:
        set_handler(x.m, x.vcpu, NMI_VECTOR, 0, 0, 0)
        yield set_handler
        return Result()
    return Result(rc=-EINVAL if call.kind in PLACES else -ENOSYS)


def _register(x: Call, call: CallbackOp) -> Steps[Result]:
    if not x.m.pte.canonical(call.address):
        return Result(rc=-EINVAL)
    if call.kind == NMI:
        set_handler(x.m, x.vcpu, NMI_VECTOR, descriptor.FLAT_RING3_CS, MASKS_EVENTS, call.address)
        yield set_handler
    elif call.kind in PLACES:
        set_callback(x.m, x.vcpu, call.kind, call.address)
        yield set_callback
    else:
        return Result(rc=-ENOSYS)
    return Result()
