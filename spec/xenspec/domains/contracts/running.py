"""Running: the two modes of a guest, where its kernel is entered, and what it sets of its own virtual CPUs.

HYPERVISOR_iret, _callback_op, _set_segment_base, _stack_switch, _fpu_taskswitch, _set_trap_table, _vcpu_op,
_vm_assist (public/xen.h, callback.h, vcpu.h). Each changes what it names of one virtual CPU or domain, which
is the caller's own, and nothing else: that is what their frame conditions say.
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.domains.books import State
from xenspec.logic import Not, implies
from xenspec.memory.frames import NO_FRAME
from xenspec.vocabulary import DomId, VcpuId

EVENT, FAILSAFE, SYSCALL, SYSENTER, SYSCALL32 = 0, 1, 2, 5, 7
"""CALLBACKTYPE_* of callbacks that are addresses."""
FS, GS_USER, GS_KERNEL = 0, 1, 2
"""SEGBASE_*."""
VECTORS = 256
WRITABLE_PAGETABLES, M2P_STRICT = 2, 32
"""VMASST_TYPE_* that memory depends on."""


@dataclass(frozen=True, slots=True)
class OfVcpu:
    """A virtual CPU."""

    v: VcpuId


@dataclass(frozen=True, slots=True)
class Placed:
    """A virtual CPU, what of it, and an address."""

    v: VcpuId
    which: int
    address: int


@dataclass(frozen=True, slots=True)
class Stacked:
    """A virtual CPU, and where its kernel's stack is."""

    v: VcpuId
    selector: int
    pointer: int


@dataclass(frozen=True, slots=True)
class Switched:
    """A virtual CPU, and a switch of it."""

    v: VcpuId
    on: bool


@dataclass(frozen=True, slots=True)
class Timed:
    """A virtual CPU, and a number of nanoseconds, or an address."""

    v: VcpuId
    value: int


@dataclass(frozen=True, slots=True)
class Trapped:
    """A virtual CPU, a vector, and the handler of it."""

    v: VcpuId
    vector: int
    selector: int
    flags: int
    address: int


@dataclass(frozen=True, slots=True)
class Assisted:
    """A domain, and a feature that is switched on or off."""

    domain: DomId
    kind: int
    on: bool


@dataclass(frozen=True, slots=True)
class Created:
    """A virtual CPU, and the domain that it is to be of."""

    v: VcpuId
    domain: DomId


TO_USER: Contract[State, OfVcpu] = Contract("enter user mode")
TO_KERNEL: Contract[State, OfVcpu] = Contract("enter the kernel")
LOAD_BASE: Contract[State, OfVcpu] = Contract("load the base pointer of a mode")
SET_CALLBACK: Contract[State, Placed] = Contract("set a callback")
SET_SEGMENT: Contract[State, Placed] = Contract("set a segment base")
SET_STACK: Contract[State, Stacked] = Contract("set the kernel's stack")
SET_TS: Contract[State, Switched] = Contract("set CR0.TS")
SET_ALARM: Contract[State, Timed] = Contract("set the single-shot timer")
SET_PERIOD: Contract[State, Timed] = Contract("set the periodic timer")
SET_RUNSTATE: Contract[State, Timed] = Contract("set the runstate area")
SET_TRAP: Contract[State, Trapped] = Contract("set an exception's handler")
CREATE: Contract[State, Created] = Contract("give a domain a virtual CPU")
INITIALISE: Contract[State, OfVcpu] = Contract("initialise a virtual CPU")
BE_UP: Contract[State, Switched] = Contract("bring a virtual CPU up or down")
ASSIST: Contract[State, Assisted] = Contract("switch a feature of a domain")


# --- Modes --------------------------------------------------------------------------------------------------


@TO_USER.asks(property=(1, 8))
def user_mode_has_tables_of_its_own(s: State, a: OfVcpu) -> bool:
    """The virtual CPU is in kernel mode, and its user mode has a base pointer."""
    return Not(s.vcpus[a.v].user_mode) & (s.vcpus[a.v].user_base != NO_FRAME)


@TO_USER.does(property=30)
def the_vcpu_is_in_user_mode(_: State, after: State, a: OfVcpu) -> bool:
    """The virtual CPU is in user mode."""
    return after.vcpus[a.v].user_mode


@TO_KERNEL.asks(property=30)
def the_kernel_is_entered_from_user_mode(s: State, a: OfVcpu) -> bool:
    """The virtual CPU is in user mode."""
    return s.vcpus[a.v].user_mode


@TO_KERNEL.does(property=30)
def the_vcpu_is_in_kernel_mode(_: State, after: State, a: OfVcpu) -> bool:
    """The virtual CPU is in kernel mode."""
    return Not(after.vcpus[a.v].user_mode)


@LOAD_BASE.does(property=8)
def a_mode_uses_no_translation_of_the_other(before: State, after: State, a: OfVcpu) -> bool:
    """The CPU has loaded CR3: what it remembers of the other mode, but for global entries, is gone."""
    cpu = before.vcpus[a.v].cpu
    return after.cpus[cpu].loads == before.cpus[cpu].loads + 1


@LOAD_BASE.touches
def _load_base(s: State, a: OfVcpu) -> tuple[Cells, ...]:
    return (Cells("vcpus", a.v, ("user_mode",)), Cells("cpus", s.vcpus[a.v].cpu, ("loads",)))


# --- Where it is entered ------------------------------------------------------------------------------------


@SET_CALLBACK.does(property=33)
def the_kernel_is_entered_there(_: State, after: State, a: Placed) -> bool:
    """The kernel is entered at the address for that reason."""
    v = after.vcpus[a.v]
    return (
        implies(a.which == EVENT, lambda: v.event_callback == a.address)
        & implies(a.which == FAILSAFE, lambda: v.failsafe_callback == a.address)
        & implies(a.which == SYSCALL, lambda: v.syscall_callback == a.address)
        & implies(a.which == SYSENTER, lambda: v.sysenter_callback == a.address)
        & implies(a.which == SYSCALL32, lambda: v.syscall32_callback == a.address)
    )


@SET_CALLBACK.touches
def _set_callback(_: State, a: Placed) -> tuple[Cells, ...]:
    return (
        Cells("vcpus", a.v, ("event_callback",), when=a.which == EVENT),
        Cells("vcpus", a.v, ("failsafe_callback",), when=a.which == FAILSAFE),
        Cells("vcpus", a.v, ("syscall_callback",), when=a.which == SYSCALL),
        Cells("vcpus", a.v, ("sysenter_callback",), when=a.which == SYSENTER),
        Cells("vcpus", a.v, ("syscall32_callback",), when=a.which == SYSCALL32),
    )


@SET_TRAP.asks(property=10)
def there_are_so_many_vectors(_: State, a: Trapped) -> bool:
    """The vector is one that the processor has."""
    return (a.vector >= 0) & (a.vector < VECTORS)


@SET_TRAP.does(property=33)
def the_exception_has_the_handler(_: State, after: State, a: Trapped) -> bool:
    """The handler of the vector is as it was set."""
    row = after.traps[a.v, a.vector]
    return (row.address == a.address) & (row.selector == a.selector) & (row.flags == a.flags)


@SET_TRAP.touches
def _set_trap(_: State, a: Trapped) -> tuple[Cells, ...]:
    return (Cells("traps", (a.v, a.vector), ("address", "selector", "flags")),)


# --- Registers and timers -----------------------------------------------------------------------------------


@SET_SEGMENT.asks(property=10)
def there_are_three_segment_bases(_: State, a: Placed) -> bool:
    """The base is one of FS, and of GS for either mode."""
    return (a.which >= FS) & (a.which <= GS_KERNEL)


@SET_SEGMENT.does(property=33)
def the_segment_begins_there(_: State, after: State, a: Placed) -> bool:
    """The base is the address."""
    v = after.vcpus[a.v]
    return (
        implies(a.which == FS, lambda: v.fs_base == a.address)
        & implies(a.which == GS_USER, lambda: v.gs_base_user == a.address)
        & implies(a.which == GS_KERNEL, lambda: v.gs_base_kernel == a.address)
    )


@SET_SEGMENT.touches
def _set_segment(_: State, a: Placed) -> tuple[Cells, ...]:
    return (
        Cells("vcpus", a.v, ("fs_base",), when=a.which == FS),
        Cells("vcpus", a.v, ("gs_base_user",), when=a.which == GS_USER),
        Cells("vcpus", a.v, ("gs_base_kernel",), when=a.which == GS_KERNEL),
    )


@SET_STACK.does(property=33)
def the_kernels_stack_is_there(_: State, after: State, a: Stacked) -> bool:
    """The kernel's stack is where it was set."""
    return (after.vcpus[a.v].kernel_ss == a.selector) & (after.vcpus[a.v].kernel_sp == a.pointer)


@SET_STACK.touches
def _set_stack(_: State, a: Stacked) -> tuple[Cells, ...]:
    return (Cells("vcpus", a.v, ("kernel_ss", "kernel_sp")),)


@SET_TS.does(property=33)
def the_next_use_of_the_unit_traps_or_not(_: State, after: State, a: Switched) -> bool:
    """CR0.TS is as it was set."""
    return after.vcpus[a.v].task_switched == a.on


@SET_TS.touches
def _set_ts(_: State, a: Switched) -> tuple[Cells, ...]:
    return (Cells("vcpus", a.v, ("task_switched",)),)


@SET_ALARM.does(property=33)
def the_timer_rings_then(_: State, after: State, a: Timed) -> bool:
    """The single-shot timer is set to the moment."""
    return after.vcpus[a.v].alarm == a.value


@SET_ALARM.touches
def _set_alarm(_: State, a: Timed) -> tuple[Cells, ...]:
    return (Cells("vcpus", a.v, ("alarm",)),)


@SET_PERIOD.does(property=33)
def the_timer_has_the_period(_: State, after: State, a: Timed) -> bool:
    """The periodic timer has the period."""
    return after.vcpus[a.v].period == a.value


@SET_PERIOD.touches
def _set_period(_: State, a: Timed) -> tuple[Cells, ...]:
    return (Cells("vcpus", a.v, ("period",)),)


@SET_RUNSTATE.does(property=33)
def the_guest_is_told_of_its_time_there(_: State, after: State, a: Timed) -> bool:
    """The runstate area is at the address."""
    return after.vcpus[a.v].runstate_area == a.value


@SET_RUNSTATE.touches
def _set_runstate(_: State, a: Timed) -> tuple[Cells, ...]:
    return (Cells("vcpus", a.v, ("runstate_area",)),)


# --- Virtual CPUs and features ------------------------------------------------------------------------------


@CREATE.asks(property=32)
def only_a_living_domain_is_given_its_vcpus(s: State, a: Created) -> bool:
    """The domain exists and is not dying; the virtual CPU is one of its own, and not initialised."""
    row = s.domains[a.domain]
    ours = (a.v[0] == a.domain) & (a.v[1] < row.vcpus)
    return row.exists & Not(row.dying) & ours & Not(s.vcpus[a.v].initialised)


@CREATE.does(property=32)
def the_vcpu_is_the_domains(_: State, after: State, a: Created) -> bool:
    """The virtual CPU is of the domain."""
    return after.vcpus[a.v].domain == a.domain


@CREATE.touches
def _create(_: State, a: Created) -> tuple[Cells, ...]:
    return (Cells("vcpus", a.v, ("domain",)),)


@INITIALISE.asks(property=(1, 30))
def a_vcpu_is_initialised_once_with_tables(s: State, a: OfVcpu) -> bool:
    """The virtual CPU is one that its domain has, is not initialised, and has a base pointer."""
    there = (a.v[1] >= 0) & (a.v[1] < s.domains[a.v[0]].vcpus)
    return there & Not(s.vcpus[a.v].initialised) & (s.vcpus[a.v].base != NO_FRAME)


@INITIALISE.does(property=30)
def the_vcpu_is_initialised(_: State, after: State, a: OfVcpu) -> bool:
    """The virtual CPU may run."""
    return after.vcpus[a.v].initialised


@INITIALISE.touches
def _initialise(_: State, a: OfVcpu) -> tuple[Cells, ...]:
    return (Cells("vcpus", a.v, ("initialised",)),)


@BE_UP.asks(property=30)
def only_an_initialised_vcpu_is_brought_up(s: State, a: Switched) -> bool:
    """The virtual CPU is initialised."""
    return s.vcpus[a.v].initialised


@BE_UP.does(property=30)
def the_vcpu_is_up_or_down(_: State, after: State, a: Switched) -> bool:
    """The virtual CPU is up, or held down."""
    return after.vcpus[a.v].up == a.on


@BE_UP.touches
def _be_up(_: State, a: Switched) -> tuple[Cells, ...]:
    return (Cells("vcpus", a.v, ("up",)),)


@ASSIST.asks(property=10)
def a_feature_is_an_existing_domains(s: State, a: Assisted) -> bool:
    """The domain exists."""
    return s.domains[a.domain].exists


@ASSIST.does(property=33)
def the_feature_is_switched(_: State, after: State, a: Assisted) -> bool:
    """The features that memory depends on are switched as asked."""
    row = after.domains[a.domain]
    writable = implies(a.kind == WRITABLE_PAGETABLES, lambda: row.writable_pagetables == a.on)
    return writable & implies(a.kind == M2P_STRICT, lambda: row.m2p_strict == a.on)


@ASSIST.touches
def _assist(_: State, a: Assisted) -> tuple[Cells, ...]:
    return (
        Cells("domains", a.domain, ("assists",)),
        Cells("domains", a.domain, ("writable_pagetables",), when=a.kind == WRITABLE_PAGETABLES),
        Cells("domains", a.domain, ("m2p_strict",), when=a.kind == M2P_STRICT),
    )
