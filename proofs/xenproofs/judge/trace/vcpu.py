"""Arguments of HYPERVISOR_vcpu_op, and the decoder of the context of a new vCPU.

The recorder spells out the first fields of `struct vcpu_guest_context` (x86-64) and leaves the rest, from
`trap_ctxt` on, as hexadecimal bytes: trap_ctxt[256], ldt_base, ldt_ents, gdt_frames[16], gdt_ents, kernel_ss,
kernel_sp, ctrlreg[8], debugreg[8], three callback addresses, vm_assist, fs_base, gs_base_kernel,
gs_base_user. The last word is cut off in the recordings, so it is read only where it is there.
"""

import struct
from typing import Final

from xenproofs.judge.trace.memory import TrapInfo
from xenproofs.judge.trace.words import U16, U64, MfnU64, VaU64, Wire
from xenspec.vocabulary import Mfn, Va

TRAPS: Final = 256
GDT_FRAMES: Final = 16
WORDS_AFTER_TRAPS: Final = struct.Struct("<2Q16Q1Q2Q8Q8Q3Q1Q2Q")
TRAP: Final = struct.Struct("<BBHxxxxQ")
SHORT: Final = TRAPS * TRAP.size + WORDS_AFTER_TRAPS.size
FULL: Final = SHORT + 8
PAGE_SHIFT: Final = 12


class GuestContext(Wire, frozen=True):
    """What `rest_hex` says. `trap_table` has the handlers that are set (address not zero)."""

    trap_table: tuple[TrapInfo, ...]
    ldt_base: Va
    ldt_ents: int
    gdt_frames: tuple[Mfn, ...]
    gdt_ents: int
    kernel_ss: int
    kernel_sp: Va
    ctrlreg: tuple[int, ...]
    debugreg: tuple[int, ...]
    event_callback: Va
    failsafe_callback: Va
    syscall_callback: Va
    vm_assist: int
    fs_base: Va
    gs_base_kernel: Va
    gs_base_user: Va | None

    @property
    def base_mfn(self) -> Mfn:
        """Frame of the kernel's L4 table (ctrlreg[3])."""
        return Mfn(self.ctrlreg[3] >> PAGE_SHIFT)

    @property
    def user_base_mfn(self) -> Mfn:
        """Frame of the user L4 table (ctrlreg[1]), 0 for none."""
        return Mfn(self.ctrlreg[1] >> PAGE_SHIFT)

    @property
    def gdt_in_use(self) -> tuple[Mfn, ...]:
        """The GDT frames that `gdt_ents` covers, 512 descriptors a frame."""
        return self.gdt_frames[: (self.gdt_ents + 511) // 512]


class UserRegs(Wire, frozen=True):
    """The general registers of a new vCPU."""

    r15: U64
    r14: U64
    r13: U64
    r12: U64
    rbp: U64
    rbx: U64
    r11: U64
    r10: U64
    r9: U64
    r8: U64
    rax: U64
    rcx: U64
    rdx: U64
    rsi: U64
    rdi: U64


class RecordedContext(Wire, frozen=True):
    """struct vcpu_guest_context as recorded; `rest()` decodes what is only there as bytes."""

    flags: U64
    user_regs: UserRegs
    rip: VaU64
    rflags: U64
    rsp: VaU64
    rest_hex: str

    def __post_init__(self) -> None:
        try:
            size = len(bytes.fromhex(self.rest_hex))
        except ValueError as error:
            raise ValueError(f"rest_hex: {error}") from error
        if size not in {SHORT, FULL}:
            raise ValueError(f"rest_hex has {size} bytes, not {SHORT} or {FULL}")

    def rest(self) -> GuestContext:
        """Decode `rest_hex` (public/arch-x86/xen.h, struct vcpu_guest_context)."""
        data = bytes.fromhex(self.rest_hex)
        traps = TRAP.iter_unpack(data[: TRAPS * TRAP.size])
        words = list(WORDS_AFTER_TRAPS.unpack_from(data, TRAPS * TRAP.size))
        frames, callbacks = words[2:18], words[37:40]
        return GuestContext(
            trap_table=tuple(TrapInfo(*trap) for trap in traps if trap[3]),
            ldt_base=Va(words[0]),
            ldt_ents=words[1],
            gdt_frames=tuple(Mfn(frame) for frame in frames),
            gdt_ents=words[18],
            kernel_ss=words[19],
            kernel_sp=Va(words[20]),
            ctrlreg=tuple(words[21:29]),
            debugreg=tuple(words[29:37]),
            event_callback=Va(callbacks[0]),
            failsafe_callback=Va(callbacks[1]),
            syscall_callback=Va(callbacks[2]),
            vm_assist=words[40],
            fs_base=Va(words[41]),
            gs_base_kernel=Va(words[42]),
            gs_base_user=Va(int.from_bytes(data[SHORT:], "little")) if len(data) == FULL else None,
        )


class VcpuCall(Wire, frozen=True, tag_field="cmd"):
    """What every VCPUOP_* names: the vCPU it is about."""

    vcpuid: U64


class VcpuInitialise(VcpuCall, frozen=True, tag="initialise"):
    """VCPUOP_initialise."""

    ctxt: RecordedContext


class VcpuUp(VcpuCall, frozen=True, tag="up"):
    """VCPUOP_up."""


class VcpuDown(VcpuCall, frozen=True, tag="down"):
    """VCPUOP_down."""


class VcpuIsUp(VcpuCall, frozen=True, tag="is_up"):
    """VCPUOP_is_up."""


class RegisterVcpuInfo(VcpuCall, frozen=True, tag="register_vcpu_info"):
    """VCPUOP_register_vcpu_info: the frame stays referenced by Xen for good."""

    mfn: MfnU64
    offset: U16


class RegisterRunstate(VcpuCall, frozen=True, tag="register_runstate_memory_area"):
    """VCPUOP_register_runstate_memory_area."""

    addr: VaU64


class SetSingleshotTimer(VcpuCall, frozen=True, tag="set_singleshot_timer"):
    """VCPUOP_set_singleshot_timer; flag 1 asks for an error where the moment has passed."""

    timeout_abs_ns: U64
    flags: U64


class StopSingleshotTimer(VcpuCall, frozen=True, tag="stop_singleshot_timer"):
    """VCPUOP_stop_singleshot_timer."""


class StopPeriodicTimer(VcpuCall, frozen=True, tag="stop_periodic_timer"):
    """VCPUOP_stop_periodic_timer."""


VcpuOp = (
    VcpuInitialise
    | VcpuUp
    | VcpuDown
    | VcpuIsUp
    | RegisterVcpuInfo
    | RegisterRunstate
    | SetSingleshotTimer
    | StopSingleshotTimer
    | StopPeriodicTimer
)
