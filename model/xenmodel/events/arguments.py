"""What event_channel_op is asked and what it answers (xen/include/public/event_channel.h)."""

from dataclasses import dataclass
from typing import TypeAlias

from xenmodel.events.rows import NO_PORT
from xenmodel.events.setup import ExpandArray, InitControl, SetPriority


@dataclass(frozen=True, slots=True)
class AllocUnbound:
    """Open a port of `dom` that `remote` may bind."""

    dom: int
    remote: int


@dataclass(frozen=True, slots=True)
class BindInterdomain:
    """Join a new port to an unbound one of `remote`."""

    remote: int
    remote_port: int


@dataclass(frozen=True, slots=True)
class BindVirq:
    """Open a port for a virtual interrupt."""

    virq: int
    vcpu: int


@dataclass(frozen=True, slots=True)
class BindPirq:
    """Open a port for a physical interrupt."""

    pirq: int
    flags: int = 0


@dataclass(frozen=True, slots=True)
class BindIpi:
    """Open a port for a vCPU of the caller's."""

    vcpu: int


@dataclass(frozen=True, slots=True)
class BindVcpu:
    """Tell another vCPU."""

    port: int
    vcpu: int


@dataclass(frozen=True, slots=True)
class Close:
    """Close a port."""

    port: int


@dataclass(frozen=True, slots=True)
class Send:
    """Tell the other end of a port."""

    port: int


@dataclass(frozen=True, slots=True)
class Unmask:
    """Unmask a port."""

    port: int


@dataclass(frozen=True, slots=True)
class Status:
    """Ask what a port is."""

    dom: int
    port: int


@dataclass(frozen=True, slots=True)
class Reset:
    """Close all ports of a domain, and return it to the 2-level ABI; `again` goes on with a reset."""

    dom: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """A command that Xen does not know."""

    command: int


EventCall: TypeAlias = (
    AllocUnbound
    | BindInterdomain
    | BindVirq
    | BindPirq
    | BindIpi
    | BindVcpu
    | Close
    | Send
    | Unmask
    | Status
    | Reset
    | InitControl
    | ExpandArray
    | SetPriority
    | Unknown
)


@dataclass(frozen=True, slots=True)
class PortStatus:
    """What EVTCHNOP_status answers: the state's number, the vCPU that is told, and what is bound."""

    status: int
    vcpu: int
    domain: int = 0
    """Peer's domain, or the one that may bind."""
    port: int = 0
    """Peer's port."""
    interrupt: int = 0
    """Number of the virtual or physical interrupt."""


@dataclass(frozen=True, slots=True)
class EventResult:
    """What a command answers: a return code, the new port if there is one, a status if it was asked."""

    rc: int = 0
    port: int = NO_PORT
    status: PortStatus | None = None
    restart: bool = False
    """The call is to be made again (a reset that was preempted)."""
