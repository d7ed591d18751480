"""Abstract rows of event channels, and the state that their invariants read.

Ports belong to a domain and are keyed (domain, port). Two ABIs say which events wait: a bit a port and a
selector a vCPU (2-level), or a word a port and queues a vCPU (FIFO). A *notice* is the work of making one
event known, between the moment it becomes pending and the moment its vCPU is awake.
"""

from typing import Protocol

from xenspec.events.fifo import EventWordRow, HeadRow, QueueRow, TakenRow
from xenspec.table import ReadTable
from xenspec.vocabulary import DomId, PortState, VcpuId


class EventDomainRow(Protocol):
    """A domain."""

    @property
    def exists(self) -> bool:
        """There is such a domain."""
        ...

    @property
    def vcpus(self) -> int:
        """How many vCPUs it has."""
        ...


class ChannelsRow(Protocol):
    """What a domain's ports have in common."""

    @property
    def valid(self) -> int:
        """Ports below this exist."""
        ...

    @property
    def fifo(self) -> bool:
        """The domain uses the FIFO ABI."""
        ...

    @property
    def words(self) -> int:
        """Ports below this have an event word (FIFO)."""
        ...

    @property
    def told(self) -> int:
        """Whoever adds words has come to the ports below this (FIFO)."""
        ...

    @property
    def teller(self) -> VcpuId:
        """Who adds words, and tells what waited for them."""
        ...

    @property
    def honest(self) -> bool:
        """The domain has kept to the protocol in the words that it shares with Xen. Ghost."""
        ...


class PortRow(Protocol):
    """One port: what it is bound to, and whom it tells."""

    @property
    def state(self) -> PortState:
        """What it is bound to."""
        ...

    @property
    def remote_domain(self) -> DomId:
        """The peer's domain, or the one that may bind."""
        ...

    @property
    def remote_port(self) -> int:
        """The peer's port."""
        ...

    @property
    def virq(self) -> int:
        """Its virtual interrupt."""
        ...

    @property
    def pirq(self) -> int:
        """Its physical interrupt."""
        ...

    @property
    def vcpu(self) -> int:
        """Number of the vCPU that it tells."""
        ...

    @property
    def waiting(self) -> bool:
        """An event was kept until there is a word for it, and has not become pending there (FIFO). Ghost."""
        ...

    @property
    def owed(self) -> VcpuId:
        """Who is to make it pending, having joined it or added its word. Ghost."""
        ...

    @property
    def last_vcpu(self) -> int:
        """The vCPU of the queue that its word was last linked on (FIFO)."""
        ...

    @property
    def last_priority(self) -> int:
        """Priority of that queue."""
        ...


class SignalRow(Protocol):
    """A port's bits of the 2-level ABI."""

    @property
    def pending(self) -> bool:
        """An event waits."""
        ...

    @property
    def masked(self) -> bool:
        """It is not to be told."""
        ...

    @property
    def teller(self) -> VcpuId:
        """Who made it pending, or unmasked it, last. Ghost."""
        ...

    @property
    def announcer(self) -> VcpuId:
        """Who made it pending last. Ghost."""
        ...

    @property
    def raised(self) -> int:
        """The vCPU whose selector was set for it last. Ghost."""
        ...


class SelectorRow(Protocol):
    """The bit that says that a word of ports is to be looked at."""

    @property
    def set(self) -> bool:
        """It is to be looked at."""
        ...

    @property
    def teller(self) -> VcpuId:
        """Who set it. Ghost."""
        ...


class UpcallRow(Protocol):
    """A vCPU's upcall bytes."""

    @property
    def pending(self) -> bool:
        """The vCPU is to look at its events."""
        ...

    @property
    def masked(self) -> bool:
        """It is not to be interrupted for it."""
        ...

    @property
    def teller(self) -> VcpuId:
        """Who set the pending byte. Ghost."""
        ...


class BindingRow(Protocol):
    """A virtual interrupt."""

    @property
    def port(self) -> int:
        """The port that it is bound to; 0: none."""
        ...


class LineRow(Protocol):
    """A physical interrupt."""

    @property
    def port(self) -> int:
        """The port that it is bound to; 0: none."""
        ...

    @property
    def permitted(self) -> bool:
        """The domain may bind it."""
        ...


class WaitRow(Protocol):
    """Whether a vCPU sleeps."""

    @property
    def blocked(self) -> bool:
        """It sleeps."""
        ...

    @property
    def polling(self) -> bool:
        """A pending port may wake it."""
        ...

    @property
    def poll_port(self) -> int:
        """The only port that may."""
        ...

    @property
    def checking(self) -> bool:
        """It has not looked yet whether it may sleep."""
        ...

    @property
    def looked(self) -> int:
        """The port that it saw not to be pending last."""
        ...

    @property
    def sleeps(self) -> int:
        """How often it has said that it sleeps. Ghost."""
        ...


class PolledRow(Protocol):
    """A port that a vCPU polls for."""

    @property
    def sleep(self) -> int:
        """In which of its sleeps the vCPU saw last that the port is not pending. Ghost."""
        ...


class NoticeRow(Protocol):
    """A vCPU's work of making an event known."""

    @property
    def stage(self) -> int:
        """What is next; 0: there is no such work."""
        ...

    @property
    def domain(self) -> DomId:
        """Domain of the port."""
        ...

    @property
    def port(self) -> int:
        """The port."""
        ...

    @property
    def vcpu(self) -> int:
        """The vCPU to be told."""
        ...

    @property
    def priority(self) -> int:
        """The queue to link to (FIFO)."""
        ...

    @property
    def cursor(self) -> int:
        """The next vCPU to look at among those that poll."""
        ...


class HandlerRow(Protocol):
    """A guest's handler of upcalls."""

    @property
    def running(self) -> bool:
        """It has cleared the upcall byte, and looks at what is selected."""
        ...

    @property
    def cursor(self) -> int:
        """What it looks at next."""
        ...


class ScanRow(Protocol):
    """A word of ports that a guest looks at."""

    @property
    def running(self) -> bool:
        """The selector bit was taken, and the word is being looked at."""
        ...

    @property
    def cursor(self) -> int:
        """The place in the word that is next."""
        ...


class EventState(Protocol):
    """The tables that invariants of event channels read."""

    @property
    def domains(self) -> ReadTable[int, EventDomainRow]: ...  # noqa: D102 - named by its table
    @property
    def channels(self) -> ReadTable[int, ChannelsRow]: ...  # noqa: D102 - named by its table
    @property
    def ports(self) -> ReadTable[tuple[int, int], PortRow]: ...  # noqa: D102 - named by its table
    @property
    def signals(self) -> ReadTable[tuple[int, int], SignalRow]: ...  # noqa: D102 - named by its table
    @property
    def selectors(self) -> ReadTable[tuple[tuple[int, int], int], SelectorRow]: ...  # noqa: D102 - named by its table
    @property
    def upcalls(self) -> ReadTable[tuple[int, int], UpcallRow]: ...  # noqa: D102 - named by its table
    @property
    def event_words(self) -> ReadTable[tuple[int, int], EventWordRow]: ...  # noqa: D102 - named by its table
    @property
    def heads(self) -> ReadTable[tuple[tuple[int, int], int], HeadRow]: ...  # noqa: D102 - named by its table
    @property
    def queues(self) -> ReadTable[tuple[tuple[int, int], int], QueueRow]: ...  # noqa: D102 - named by its table
    @property
    def virqs(self) -> ReadTable[tuple[tuple[int, int], int], BindingRow]: ...  # noqa: D102 - named by its table
    @property
    def pirqs(self) -> ReadTable[tuple[int, int], LineRow]: ...  # noqa: D102 - named by its table
    @property
    def waits(self) -> ReadTable[tuple[int, int], WaitRow]: ...  # noqa: D102 - named by its table
    @property
    def polled(self) -> ReadTable[tuple[tuple[int, int], int], PolledRow]: ...  # noqa: D102 - named by its table
    @property
    def notices(self) -> ReadTable[tuple[int, int], NoticeRow]: ...  # noqa: D102 - named by its table
    @property
    def handlers(self) -> ReadTable[tuple[int, int], HandlerRow]: ...  # noqa: D102 - named by its table
    @property
    def scans(self) -> ReadTable[tuple[tuple[int, int], int], ScanRow]: ...  # noqa: D102 - named by its table
    @property
    def taken(self) -> ReadTable[tuple[tuple[int, int], int], TakenRow]: ...  # noqa: D102 - named by its table
