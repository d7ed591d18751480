"""Arguments of the memory hypercalls: page-table updates, extended operations, descriptors.

Field names are the recorder's, and these are the public headers' (xen.h: mmu_update, mmuext_op). `count` is
the number of requests without its top bit, which is `preempted`: this call is the re-entry of a continued
one. `pdone` is the guest's pointer for the number done, zero where it passed none.
"""

from enum import StrEnum

from xenproofs.judge.trace.words import (
    U8,
    U16,
    U64,
    DomIdU16,
    Flag,
    MfnU64,
    VaU64,
    Wire,
    WordU64,
)


class MmuRequest(Wire, frozen=True, array_like=True):
    """`[ptr, val]`: low bits of `ptr` are the command (0 normal, 1 machphys, 2 keep A/D, 3 no translate)."""

    ptr: U64
    val: WordU64


class MmuUpdate(Wire, frozen=True):
    """HYPERVISOR_mmu_update; `foreigndom` is 32 bits wide: table owner + 1 above, target domain below."""

    reqs: tuple[MmuRequest, ...]
    count: U64
    preempted: Flag
    foreigndom: U64
    pdone: U64

    def __post_init__(self) -> None:
        if len(self.reqs) != self.count:
            raise ValueError(f"{len(self.reqs)} requests, but count says {self.count}")


class ExtCmd(StrEnum):
    """MMUEXT_* as recorded."""

    PIN_L1_TABLE = "PIN_L1_TABLE"
    PIN_L2_TABLE = "PIN_L2_TABLE"
    PIN_L3_TABLE = "PIN_L3_TABLE"
    PIN_L4_TABLE = "PIN_L4_TABLE"
    UNPIN_TABLE = "UNPIN_TABLE"
    NEW_BASEPTR = "NEW_BASEPTR"
    TLB_FLUSH_LOCAL = "TLB_FLUSH_LOCAL"
    INVLPG_LOCAL = "INVLPG_LOCAL"
    TLB_FLUSH_MULTI = "TLB_FLUSH_MULTI"
    INVLPG_MULTI = "INVLPG_MULTI"
    TLB_FLUSH_ALL = "TLB_FLUSH_ALL"
    INVLPG_ALL = "INVLPG_ALL"
    FLUSH_CACHE = "FLUSH_CACHE"
    SET_LDT = "SET_LDT"
    NEW_USER_BASEPTR = "NEW_USER_BASEPTR"
    CLEAR_PAGE = "CLEAR_PAGE"
    COPY_PAGE = "COPY_PAGE"
    FLUSH_CACHE_GLOBAL = "FLUSH_CACHE_GLOBAL"
    MARK_SUPER = "MARK_SUPER"
    UNMARK_SUPER = "UNMARK_SUPER"


WITH_MFN = frozenset(
    {
        ExtCmd.PIN_L1_TABLE,
        ExtCmd.PIN_L2_TABLE,
        ExtCmd.PIN_L3_TABLE,
        ExtCmd.PIN_L4_TABLE,
        ExtCmd.UNPIN_TABLE,
        ExtCmd.NEW_BASEPTR,
        ExtCmd.NEW_USER_BASEPTR,
        ExtCmd.CLEAR_PAGE,
        ExtCmd.COPY_PAGE,
        ExtCmd.MARK_SUPER,
        ExtCmd.UNMARK_SUPER,
    }
)
WITH_ADDRESS = frozenset({ExtCmd.INVLPG_LOCAL, ExtCmd.INVLPG_MULTI, ExtCmd.INVLPG_ALL, ExtCmd.SET_LDT})


class ExtOp(Wire, frozen=True, omit_defaults=True):
    """One MMUEXT_* operation; which operands it has depends on `cmd`, and is checked."""

    cmd: ExtCmd
    mfn: MfnU64 | None = None
    linear_addr: VaU64 | None = None
    nr_ents: U64 | None = None
    vcpumask: U64 | None = None
    src_mfn: MfnU64 | None = None

    def __post_init__(self) -> None:
        if self.mfn is None and self.cmd in WITH_MFN:
            raise ValueError(f"{self.cmd} without mfn")
        if self.linear_addr is None and self.cmd in WITH_ADDRESS:
            raise ValueError(f"{self.cmd} without linear_addr")
        if self.nr_ents is None and self.cmd is ExtCmd.SET_LDT:
            raise ValueError("SET_LDT without nr_ents")


class MmuextOp(Wire, frozen=True):
    """HYPERVISOR_mmuext_op."""

    ops: tuple[ExtOp, ...]
    count: U64
    preempted: Flag
    foreigndom: U64
    pdone: U64

    def __post_init__(self) -> None:
        if len(self.ops) != self.count:
            raise ValueError(f"{len(self.ops)} operations, but count says {self.count}")


class UpdateVaMapping(Wire, frozen=True):
    """HYPERVISOR_update_va_mapping."""

    va: VaU64
    val: WordU64
    flags: U64


class UpdateVaMappingOtherdomain(Wire, frozen=True):
    """HYPERVISOR_update_va_mapping_otherdomain."""

    va: VaU64
    val: WordU64
    flags: U64
    domid: DomIdU16


class SetGdt(Wire, frozen=True):
    """HYPERVISOR_set_gdt; `entries` counts descriptors, 512 a frame."""

    frames: tuple[MfnU64, ...]
    entries: U64


class UpdateDescriptor(Wire, frozen=True):
    """HYPERVISOR_update_descriptor; `maddr` is a machine byte address."""

    maddr: U64
    desc: WordU64


class TrapInfo(Wire, frozen=True):
    """One trap handler; `flags`: privilege level in bits 0..1, clear the event mask in bit 2."""

    vector: U8
    flags: U8
    cs: U16
    address: VaU64


class SetTrapTable(Wire, frozen=True):
    """HYPERVISOR_set_trap_table, with the terminating entry (address 0) as recorded."""

    traps: tuple[TrapInfo, ...]


class VmAssist(Wire, frozen=True):
    """HYPERVISOR_vm_assist: cmd 0 enable, 1 disable."""

    cmd: U64
    type: U64


class StackSwitch(Wire, frozen=True):
    """HYPERVISOR_stack_switch."""

    ss: U64
    esp: VaU64


class SetSegmentBase(Wire, frozen=True):
    """HYPERVISOR_set_segment_base: which 0 fs, 1 gs user, 2 gs kernel, 3 gs user selector."""

    which: U64
    base: U64


class Iret(Wire, frozen=True):
    """HYPERVISOR_iret: the frame on the guest's kernel stack. It has no return code."""

    rax: U64
    r11: U64
    rcx: U64
    flags: U64
    rip: VaU64
    cs: U64
    rflags: U64
    rsp: VaU64
    ss: U64
