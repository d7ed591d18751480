"""From a recorded hypercall's arguments to the model's call, or to nothing if the model has none."""

from collections.abc import Mapping
from typing import Final

from xenmodel.dispatch import Given, Multicall, Single
from xenmodel.domains.modes import CallbackOp, Iret
from xenmodel.domains.registers import FpuTaskswitch, SetSegmentBase, StackSwitch
from xenmodel.domains.traps import SetTrapTable, TrapInfo
from xenmodel.domains.vm_assist import VmAssist
from xenmodel.memory import mmuext_op
from xenmodel.memory.descriptors import SetGdt, UpdateDescriptor
from xenmodel.memory.mmu_update import MmuUpdate
from xenmodel.memory.update_va_mapping import UpdateVaMapping
from xenproofs.judge import trace
from xenproofs.judge.trace.operations import Args

COMMANDS: Final[Mapping[str, int]] = {command.name: int(command) for command in mmuext_op.Command}


def single(op: str, args: Args) -> Single | None:
    """Return the model's call, or None where there is none."""
    if isinstance(args, trace.MmuUpdate):
        requests = tuple([(r.ptr, r.val) for r in args.reqs])
        return MmuUpdate(requests, args.foreigndom, preempted=bool(args.preempted))
    if isinstance(args, trace.UpdateVaMapping):
        return UpdateVaMapping(args.va, args.val, args.flags)
    if isinstance(args, trace.MmuextOp):
        ops = tuple([ext_op(op) for op in args.ops])
        return mmuext_op.MmuextOp(ops, args.foreigndom, preempted=bool(args.preempted))
    return _seldom(op, args)


def _seldom(op: str, args: Args) -> Single | None:
    """Return the model's call for what is called less often."""
    if isinstance(args, trace.UpdateVaMappingOtherdomain):
        return UpdateVaMapping(args.va, args.val, args.flags, args.domid)
    if isinstance(args, trace.SetGdt):
        return SetGdt(tuple(args.frames), args.entries)
    if isinstance(args, trace.UpdateDescriptor):
        return UpdateDescriptor(args.maddr, args.desc)
    if isinstance(args, trace.OtherArgs):
        return _by_name(op, args)
    return _of_vcpu(args)


def _by_name(op: str, args: trace.OtherArgs) -> Single | None:
    """Return the model's call for one whose arguments have no type of their own."""
    values = {name: value for name, value in args.fields.items() if isinstance(value, int)}
    if op == "fpu_taskswitch" and values.keys() == {"set"}:
        return FpuTaskswitch(on=values["set"] != 0)
    if op == "callback_op" and values.keys() == {"cmd", "type", "flags", "address"}:
        return CallbackOp(values["cmd"], values["type"], values["address"])
    return None


def _of_vcpu(args: Args) -> Single | None:
    """Return the model's call for what concerns no frames."""
    if isinstance(args, trace.SetSegmentBase):
        return SetSegmentBase(args.which, args.base)
    if isinstance(args, trace.StackSwitch):
        return StackSwitch(args.ss, args.esp)
    if isinstance(args, trace.Iret):
        return Iret(args.cs)
    if isinstance(args, trace.SetTrapTable):
        handlers = (TrapInfo(t.vector, t.flags, t.cs, t.address) for t in args.traps)
        return SetTrapTable(tuple(handlers))
    return VmAssist(args.cmd, args.type) if isinstance(args, trace.VmAssist) else None


def ext_op(op: trace.ExtOp) -> mmuext_op.ExtOp:
    """Return one operation of mmuext_op."""
    command = COMMANDS[op.cmd]
    if op.cmd == trace.ExtCmd.SET_LDT:
        return mmuext_op.ExtOp(command, op.linear_addr or 0, op.nr_ents or 0)
    if op.cmd == trace.ExtCmd.COPY_PAGE:
        return mmuext_op.ExtOp(command, op.mfn or 0, op.src_mfn or 0)
    if op.mfn is not None:
        return mmuext_op.ExtOp(command, op.mfn)
    return mmuext_op.ExtOp(command, op.linear_addr or 0, op.vcpumask)


def multicall(args: trace.Multicall) -> Multicall:
    """Return a multicall; calls that the model does not implement answer as recorded."""
    return Multicall(tuple([single(call.op, call.args) or Given(call.op, call.ret) for call in args.calls]))
