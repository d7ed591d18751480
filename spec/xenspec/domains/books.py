"""The state that contracts of domains speak of: how domains run, and where their kernels are entered."""

from typing import Protocol

from xenspec.memory import state as memory
from xenspec.table import ReadTable


class DomainBook(memory.ChargedDomainRow, Protocol):
    """All of a domain."""

    @property
    def crashed(self) -> bool:
        """It did what cannot be answered, and runs no more."""
        ...

    @property
    def assists(self) -> int:
        """All features that it has switched on."""
        ...

    @property
    def writable_pagetables(self) -> bool:
        """VMASST_TYPE_writable_pagetables."""
        ...

    @property
    def m2p_strict(self) -> bool:
        """VMASST_TYPE_m2p_strict."""
        ...


class VcpuBook(memory.RunningVcpuRow, Protocol):
    """All of a virtual CPU."""

    @property
    def up(self) -> bool:
        """It is not held down."""
        ...

    @property
    def user_mode(self) -> bool:
        """It is in the guest's user mode."""
        ...

    @property
    def fs_base(self) -> int:
        """The base of FS."""
        ...

    @property
    def gs_base_user(self) -> int:
        """The user's base of GS."""
        ...

    @property
    def gs_base_kernel(self) -> int:
        """The kernel's base of GS."""
        ...

    @property
    def kernel_ss(self) -> int:
        """The kernel's stack segment."""
        ...

    @property
    def kernel_sp(self) -> int:
        """The kernel's stack pointer."""
        ...

    @property
    def task_switched(self) -> bool:
        """CR0.TS."""
        ...

    @property
    def event_callback(self) -> int:
        """Where the kernel is entered for an upcall; 0: nowhere, as in the others."""
        ...

    @property
    def failsafe_callback(self) -> int:
        """Where, as its segments cannot be loaded."""
        ...

    @property
    def syscall_callback(self) -> int:
        """Where, for a system call."""
        ...

    @property
    def sysenter_callback(self) -> int:
        """Where, for a 32-bit system call by SYSENTER."""
        ...

    @property
    def syscall32_callback(self) -> int:
        """Where, for a 32-bit system call by SYSCALL."""
        ...

    @property
    def alarm(self) -> int:
        """When the single-shot timer rings; 0: never."""
        ...

    @property
    def period(self) -> int:
        """The period of the periodic timer; 0: none."""
        ...

    @property
    def runstate_area(self) -> int:
        """Where the guest is told how it spends its time."""
        ...


class TrapRow(Protocol):
    """A handler of an exception."""

    @property
    def address(self) -> int:
        """Where; 0: nowhere."""
        ...

    @property
    def selector(self) -> int:
        """With which code segment."""
        ...

    @property
    def flags(self) -> int:
        """How."""
        ...


class State(memory.State, Protocol):
    """The state before or after an action of domains."""

    @property
    def domains(self) -> ReadTable[int, DomainBook]: ...  # noqa: D102 - named by its table
    @property
    def vcpus(self) -> ReadTable[tuple[int, int], VcpuBook]: ...  # noqa: D102
    @property
    def traps(self) -> ReadTable[tuple[tuple[int, int], int], TrapRow]: ...  # noqa: D102
