"""HYPERVISOR_vm_assist: a domain switches compatibility features on and off.

Two of them concern memory: writable_pagetables lets a domain store into its read-only L1 tables and have the
store checked and carried out; m2p_strict hides the machine-to-physical map from user mode.
"""

from dataclasses import dataclass

from xenmodel.abi import assist
from xenmodel.hypercall import Call, Result, Steps
from xenmodel.machine import Machine
from xenmodel.step import require, step
from xenspec.logic import ite
from xenspec.vocabulary import EINVAL, ENOSYS, ESRCH, DomId

ENABLE = 0
DISABLE = 1


@dataclass(frozen=True, slots=True)
class VmAssist:
    """`command` is VMASST_CMD_*, `kind` a VMASST_TYPE_*."""

    command: int
    kind: int


@step("domains.assists", "domains.writable_pagetables", "domains.m2p_strict")
def switch_assist(m: Machine, domain: DomId, kind: int, *, on: bool) -> None:
    """Switch a feature of a domain (set_bit or clear_bit of vm_assist)."""
    row = m.domains[domain]
    require("the domain exists", row.exists, ESRCH)
    row.assists = assist.switched(row.assists, kind, on=on)
    row.writable_pagetables = ite(kind == assist.WRITABLE_PAGETABLES, on, row.writable_pagetables)
    row.m2p_strict = ite(kind == assist.M2P_STRICT, on, row.m2p_strict)


def vm_assist(x: Call, call: VmAssist) -> Steps[Result]:
    """Check the type, then the command (do_vm_assist)."""
    if call.kind not in assist.VALID:
        return Result(rc=-EINVAL)
    if call.command not in (ENABLE, DISABLE):
        return Result(rc=-ENOSYS)
    switch_assist(x.m, x.domain, call.kind, on=call.command == ENABLE)
    yield switch_assist
    return Result()
