"""From the name of a hypercall to the type of its arguments.

Rules of the file:
- a name that the public ABI does not have is bad input;
- one that it has and the table of decoders has not is decoded as `Unknown` and counted by the judge as not
  modelled; it is no error;
- so is a command (`cmd`) of a known hypercall that no recording at hand holds;
- arguments of a known hypercall and command that do not fit their type are bad input.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from msgspec import Raw
from msgspec.json import Decoder

from xenproofs.judge.trace import devices, memory, reservation, vcpu
from xenproofs.judge.trace.misfits import DECODE_ERRORS, misfit
from xenproofs.judge.trace.words import S64, U64, Json, Misfit, Wire, as_json


class Unknown(Wire, frozen=True):
    """Arguments of a hypercall, or of a command of one, that the reader does not know."""

    fields: Mapping[str, Json]


class Multicall(Wire, frozen=True):
    """HYPERVISOR_multicall."""

    nr: int
    calls: "tuple[Call, ...]"


Args: TypeAlias = (
    memory.MmuUpdate
    | memory.MmuextOp
    | memory.UpdateVaMapping
    | memory.UpdateVaMappingOtherdomain
    | memory.SetGdt
    | memory.UpdateDescriptor
    | memory.SetTrapTable
    | memory.VmAssist
    | memory.StackSwitch
    | memory.SetSegmentBase
    | memory.Iret
    | reservation.MemoryOp
    | vcpu.VcpuOp
    | devices.EventChannelOp
    | devices.GrantTableOp
    | devices.PhysdevOp
    | devices.SchedOp
    | devices.OtherArgs
    | Multicall
    | Unknown
)


class Call(Wire, frozen=True):
    """One call of a multicall. A continued multicall shows `ret` 0 for the calls it did not come to."""

    op: str
    args: Args
    ret: int


class _WireCall(Wire, frozen=True):
    op: str
    args: Raw
    ret: S64


class _WireMulticall(Wire, frozen=True):
    nr: U64
    calls: tuple[_WireCall, ...]


_MEMORY_OP: Final[Decoder[reservation.MemoryOp]] = Decoder(reservation.MemoryOp)
_VCPU_OP: Final[Decoder[vcpu.VcpuOp]] = Decoder(vcpu.VcpuOp)
_EVENT_CHANNEL_OP: Final[Decoder[devices.EventChannelOp]] = Decoder(devices.EventChannelOp)
_GRANT_TABLE_OP: Final[Decoder[devices.GrantTableOp]] = Decoder(devices.GrantTableOp)
_MULTICALL: Final = Decoder(_WireMulticall)
_FIELDS: Final = Decoder(dict[str, U64 | str | None])
_ANYTHING: Final[Decoder[dict[str, object]]] = Decoder(dict[str, object])


def _other(raw: Raw) -> devices.OtherArgs:
    return devices.OtherArgs(_FIELDS.decode(raw))


def _multicall(raw: Raw) -> Multicall:
    wire = _MULTICALL.decode(raw)
    if wire.nr != len(wire.calls):
        raise Misfit("nr", f"{len(wire.calls)} calls, but nr says {wire.nr}")
    calls: list[Call] = []
    for index, call in enumerate(wire.calls):
        try:
            calls.append(Call(call.op, decode_call(call.op, call.args), call.ret))
        except Misfit as error:
            raise error.inside(f"calls[{index}]") from error
    return Multicall(wire.nr, tuple(calls))


DECODERS: Final[Mapping[str, Callable[[Raw], Args]]] = {
    "mmu_update": Decoder(memory.MmuUpdate).decode,
    "mmuext_op": Decoder(memory.MmuextOp).decode,
    "update_va_mapping": Decoder(memory.UpdateVaMapping).decode,
    "update_va_mapping_otherdomain": Decoder(memory.UpdateVaMappingOtherdomain).decode,
    "multicall": _multicall,
    "set_gdt": Decoder(memory.SetGdt).decode,
    "set_trap_table": Decoder(memory.SetTrapTable).decode,
    "update_descriptor": Decoder(memory.UpdateDescriptor).decode,
    "memory_op": _MEMORY_OP.decode,
    "vcpu_op": _VCPU_OP.decode,
    "event_channel_op": _EVENT_CHANNEL_OP.decode,
    "grant_table_op": _GRANT_TABLE_OP.decode,
    "physdev_op": Decoder(devices.PhysdevOp).decode,
    "sched_op": Decoder(devices.SchedOp).decode,
    "vm_assist": Decoder(memory.VmAssist).decode,
    "stack_switch": Decoder(memory.StackSwitch).decode,
    "set_segment_base": Decoder(memory.SetSegmentBase).decode,
    "iret": Decoder(memory.Iret).decode,
    "callback_op": _other,
    "console_io": _other,
    "fpu_taskswitch": _other,
    "mca": _other,
    "platform_op": _other,
    "set_debugreg": _other,
    "xen_version": _other,
    "xenpmu_op": _other,
}

OTHERS: Final = frozenset(
    [
        "acm_op",
        "argo_op",
        "dm_op",
        "domctl",
        "event_channel_op_compat",
        "get_debugreg",
        "hvm_op",
        "hypfs_op",
        "kexec_op",
        "nmi_op",
        "physdev_op_compat",
        "sched_op_compat",
        "set_callbacks",
        "set_timer_op",
        "sysctl",
        "tmem_op",
        "xenoprof_op",
        "xsm_op",
    ]
)
"""Hypercalls without a decoder here (`__HYPERVISOR_*` of xen/include/public/xen.h, retired ones included)."""
NUMBERED: Final = re.compile(r"[a-z_]*\d+")
"""How a recorder names a call that has a number and no name, as `arch_0` or `hypercall_63`."""

MEASURED: Final[Mapping[str, frozenset[str]]] = {
    "memory_op": frozenset({"exchange", "machphys_mapping", "machine_memory_map", "maximum_reservation"}),
    "vcpu_op": frozenset(
        {
            "initialise",
            "up",
            "is_up",
            "register_vcpu_info",
            "register_runstate_memory_area",
            "set_singleshot_timer",
            "stop_singleshot_timer",
            "stop_periodic_timer",
        }
    ),
    "event_channel_op": frozenset(
        {
            "alloc_unbound",
            "bind_ipi",
            "bind_pirq",
            "bind_virq",
            "bind_vcpu",
            "close",
            "send",
            "init_control",
            "expand_array",
            "set_priority",
        }
    ),
    "grant_table_op": frozenset({"query_size", "set_version", "setup_table"}),
    "sched_op": frozenset({"block", "yield"}),
}
"""Commands whose fields were seen in a recording: there a misfit is the input's fault, not our ignorance."""


def decode_call(op: str, raw: Raw) -> Args:
    """Decode the arguments of a call, of a line or inside a multicall.

    Raises:
        Misfit: there is no such hypercall (`op`), or they do not fit (`args`).
    """
    if op not in DECODERS and op not in OTHERS and not NUMBERED.fullmatch(op):
        raise Misfit("op", f"{op!r} is no hypercall")
    try:
        return decode_args(op, raw)
    except Misfit as error:
        raise error.inside("args") from error


def decode_args(op: str, raw: Raw) -> Args:
    """Decode the arguments of hypercall `op`.

    Raises:
        Misfit: they do not fit; the field is seen from inside `args`.
    """
    decode = DECODERS.get(op)
    if decode is None:
        return _unknown(raw)
    try:
        return decode(raw)
    except DECODE_ERRORS as error:
        if not _is_measured(op, raw):
            return _unknown(raw)
        raise misfit(error) from error


def _is_measured(op: str, raw: Raw) -> bool:
    """Whether the shape of these arguments is known from recordings."""
    commands = MEASURED.get(op)
    if commands is None:
        return True
    command = _anything(raw).get("cmd")
    return not isinstance(command, str | int) or isinstance(command, bool) or command in commands


def _unknown(raw: Raw) -> Unknown:
    return Unknown({name: as_json(value, name) for name, value in _anything(raw).items()})


def _anything(raw: Raw) -> dict[str, object]:
    try:
        return _ANYTHING.decode(raw)
    except DECODE_ERRORS as error:
        raise misfit(error) from error
