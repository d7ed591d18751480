"""Rows of domains, virtual CPUs and physical CPUs."""

from dataclasses import dataclass, field

from xenmodel.memory.rows import NO_FRAME
from xenspec.vocabulary import DomId, Mfn, VcpuId


@dataclass(slots=True)
class Domain:
    """One domain, as far as memory and its authority need it."""

    exists: bool = False
    privileged: bool = False
    """Domain0: the control and hardware domain."""
    dying: bool = False
    crashed: bool = False
    """Did what cannot be answered (domain_crash): it runs no more."""
    io_rights: bool = False
    """Owns I/O memory or ports, and so may choose cache attributes."""
    vcpus: int = 0
    pages: int = 0
    """Frames charged to the domain (tot_pages)."""
    xen_pages: int = 0
    """Pages of Xen's own that it may map, charged to nobody (xenheap_pages)."""
    max_pages: int = 0
    writable_pagetables: bool = False
    """VMASST_TYPE_writable_pagetables."""
    m2p_strict: bool = False
    """VMASST_TYPE_m2p_strict."""
    assists: int = 0
    """All vm_assist bits."""


@dataclass(slots=True)
class Vcpu:
    """One virtual CPU."""

    domain: DomId = DomId(0)
    initialised: bool = False
    up: bool = False
    """Not held down (VCPUOP_up)."""
    base: Mfn = NO_FRAME
    """Kernel base pointer (guest_table)."""
    user_base: Mfn = NO_FRAME
    """User base pointer (guest_table_user)."""
    user_mode: bool = False
    old_table: Mfn = NO_FRAME
    """old_guest_table: a table whose release is to be finished before anything else."""
    old_partial: bool = False
    gdt_entries: int = 0
    ldt_base: int = 0
    ldt_entries: int = 0
    info_frame: Mfn = NO_FRAME
    cpu: int = 0
    fs_base: int = 0
    gs_base_user: int = 0
    gs_base_kernel: int = 0
    kernel_ss: int = 0
    """Where the kernel's stack is when it is entered (stack_switch)."""
    kernel_sp: int = 0
    task_switched: bool = False
    """CR0.TS: the next use of the floating-point unit traps."""
    event_callback: int = 0
    """Where the kernel is entered, by the reason; 0 is nowhere."""
    failsafe_callback: int = 0
    syscall_callback: int = 0
    sysenter_callback: int = 0
    syscall32_callback: int = 0
    alarm: int = 0
    """When the single-shot timer rings, in nanoseconds since the start; 0 is never."""
    period: int = 0
    """Nanoseconds from one ring of the periodic timer to the next; 0 is none."""
    runstate_area: int = 0


@dataclass(slots=True)
class TrapHandler:
    """Where a vCPU wants one exception delivered, keyed (vCPU, vector); address 0 is nowhere."""

    address: int = 0
    selector: int = 0
    flags: int = 0


@dataclass(slots=True)
class TablePage:
    """One page of a descriptor table (GDT or LDT shadow) of a vCPU, keyed (vCPU, index)."""

    frame: Mfn = NO_FRAME


@dataclass(slots=True)
class NamedFrame:
    """A frame that Xen holds for a domain by number: event pages, the EOI page."""

    frame: Mfn = NO_FRAME


@dataclass(slots=True)
class Unattributed:
    """References of a frame that a mid-run snapshot shows and nothing in it explains."""

    typed: int = 0
    general: int = 0


@dataclass(slots=True)
class PhysicalCpu:
    """One physical CPU."""

    current: VcpuId = field(default=VcpuId((0, 0)))
    epoch: int = 0
    """Flushes so far: a TLB entry of an earlier epoch is gone."""
    loads: int = 0
    """Loads of CR3 alone so far: those drop what is not global."""
    drops: int = 0
    """Uses of INVLPG so far: each drops every cached prefix of walks, and one translation."""
    flushed_at: int = 0
    """Flush clock at the last flush."""


@dataclass(slots=True)
class Globals:
    """Machine-wide values, one row."""

    clock: int = 1
    """Flush clock: ticks at each flush."""


@dataclass(slots=True)
class DirtyCpu:
    """Whether a CPU may hold translations of a domain, keyed (domain, CPU)."""

    dirty: bool = False
