"""Which hypercall an argument class belongs to; and multicall, which is a batch of any of them.

The union `Arguments` is the list of what the model implements; `dispatch` ends in assert_never, so that a
class without an implementation does not pass the type checker.
"""

from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from xenmodel.domains.modes import CallbackOp, Iret, callback_op, iret
from xenmodel.domains.registers import FpuTaskswitch, SetSegmentBase, SetsRegister, StackSwitch, set_register
from xenmodel.domains.traps import SetTrapTable, set_trap_table
from xenmodel.domains.vm_assist import VmAssist, vm_assist
from xenmodel.hypercall import PREEMPT_CALL, Call, Continuation, Result, Steps
from xenmodel.memory.descriptors import SetGdt, UpdateDescriptor, set_gdt, update_descriptor
from xenmodel.memory.memory_op import Exchange, MemoryOpResult, Reservation, exchange, reservation
from xenmodel.memory.mmu_update import MmuUpdate, mmu_update
from xenmodel.memory.mmuext_op import MmuextOp, mmuext_op
from xenmodel.memory.update_va_mapping import UpdateVaMapping, update_va_mapping


@dataclass(frozen=True, slots=True)
class Given:
    """A call that the model does not implement, whose answer is taken as given (inside a multicall)."""

    op: str
    rc: int = field(repr=False)
    """Left out of its text, by which a re-entry is known: what is not made yet has no answer."""


OfVcpu: TypeAlias = SetsRegister | SetTrapTable | VmAssist | Iret | CallbackOp
"""Calls that concern the vCPU alone, or its domain, and no frames."""
Single: TypeAlias = MmuUpdate | MmuextOp | UpdateVaMapping | SetGdt | UpdateDescriptor | OfVcpu | Given
"""What may stand in a multicall."""
Arguments: TypeAlias = Single | Reservation | Exchange


@dataclass(frozen=True, slots=True)
class Multicall:
    """HYPERVISOR_multicall: calls in order."""

    calls: tuple[Single, ...]


@dataclass(frozen=True, slots=True)
class MulticallResult:
    """What a multicall answers: a result for each call that was made, and how many are finished."""

    results: tuple[Result, ...]
    done: int
    continuation: Continuation | None = None


def dispatch(x: Call, call: Single) -> Steps[Result]:
    """Run one call."""
    if isinstance(call, MmuUpdate):
        return mmu_update(x, call)
    if isinstance(call, MmuextOp):
        return mmuext_op(x, call)
    if isinstance(call, UpdateVaMapping):
        return update_va_mapping(x, call)
    if isinstance(call, SetGdt):
        return set_gdt(x, call)
    if isinstance(call, UpdateDescriptor):
        return update_descriptor(x, call)
    return _given(call) if isinstance(call, Given) else _of_vcpu(x, call)


def _of_vcpu(x: Call, call: OfVcpu) -> Steps[Result]:
    """Run a call that concerns no frames."""
    if isinstance(call, SetSegmentBase | StackSwitch | FpuTaskswitch):
        return set_register(x, call)
    if isinstance(call, Iret):
        return iret(x, call)
    if isinstance(call, CallbackOp):
        return callback_op(x, call)
    if isinstance(call, SetTrapTable):
        return set_trap_table(x, call)
    if isinstance(call, VmAssist):  # pyright: ignore[reportUnnecessaryIsInstance] - assert_never checks the union
        return vm_assist(x, call)
    assert_never(call)


def _given(call: Given) -> Steps[Result]:
    yield from ()
    return Result(rc=call.rc)


def memory_operation(x: Call, call: Reservation | Exchange) -> Steps[MemoryOpResult]:
    """Run one memory_op."""
    if isinstance(call, Exchange):
        return exchange(x, call)
    return reservation(x, call)


def multicall(x: Call, call: Multicall) -> Steps[MulticallResult]:
    """Run the calls in order; a preempted one, or Xen's own preemption, leaves a continuation."""
    results: list[Result] = []
    x.index = 0
    for position, single in enumerate(call.calls):
        if position and (yield PREEMPT_CALL):
            rest = Multicall(call.calls[position:])
            return MulticallResult(tuple(results), position, Continuation("multicall", rest, position))
        result = yield from dispatch(x, single)
        results.append(result)
        if result.continuation is not None:
            rest = Multicall((_single(result.continuation.args), *call.calls[position + 1 :]))
            return MulticallResult(tuple(results), position, Continuation("multicall", rest, position))
        x.index = position + 1
    return MulticallResult(tuple(results), len(call.calls))


def _single(args: object) -> Single:
    """Return a continuation's arguments as the call that they are."""
    if isinstance(args, MmuUpdate | MmuextOp):
        return args
    raise TypeError(args)
