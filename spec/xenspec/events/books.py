"""The state that contracts of event channels speak of: all that Xen keeps of ports, words and notices.

Safety invariants need only what is bound and what waits (xenspec.events.state). A contract says how a port
comes to be bound, and how a notice brings an event to its vCPU, one locked instruction after the other.
"""

from enum import IntEnum
from typing import Protocol

from xenspec.events.fifo import EventWordRow, HeadRow, QueueRow, TakenRow
from xenspec.events.state import (
    BindingRow,
    ChannelsRow,
    HandlerRow,
    LineRow,
    NoticeRow,
    PolledRow,
    PortRow,
    ScanRow,
    SelectorRow,
    SignalRow,
    UpcallRow,
    WaitRow,
)
from xenspec.memory import state as memory
from xenspec.table import ReadTable
from xenspec.vocabulary import DOMID_INVALID, VcpuId

NOBODY = VcpuId((DOMID_INVALID, 0))
"""A vCPU field that names none."""
NO_PORT = 0


class Stage(IntEnum):
    """What a notice is about to do; 0: there is no notice."""

    IDLE = 0
    MARK = 1
    """Set the pending bit."""
    LOOK = 2
    """Look at the mask."""
    CLEAR = 3
    """Clear the mask."""
    TEST = 4
    """Look at the pending bit, the mask being clear now."""
    SELECT = 5
    """Set the selector bit, or LINKED."""
    UPCALL = 6
    """Set the upcall byte."""
    KICK = 7
    """Wake the vCPU."""
    POLLERS = 8
    """Wake vCPUs that poll, one after another."""
    END = 9
    """Let go of the port."""
    TAIL = 10
    """Append the linked word to its queue."""
    HEAD = 11
    """Make the port the head of the empty queue."""
    READY = 12
    """Tell that the queue is not empty."""
    LOCKED = 13
    """Set PENDING, the queues being locked."""


class ChannelsBook(ChannelsRow, Protocol):
    """A domain's ports, with what is counted of them."""

    @property
    def active(self) -> int:
        """How many are bound to something."""
        ...

    @property
    def reset_at(self) -> int:
        """The next port that a reset under way closes; 0: there is none."""
        ...


class PortBook(PortRow, Protocol):
    """All of a port."""

    @property
    def priority(self) -> int:
        """The queue that it is linked on next (FIFO)."""
        ...

    @property
    def saved(self) -> bool:
        """Its event waits until there is a word for it (FIFO)."""
        ...

    @property
    def readers(self) -> int:
        """How many notices hold it."""
        ...


class WaitBook(WaitRow, Protocol):
    """All of a vCPU that may sleep."""

    @property
    def alone(self) -> bool:
        """It has looked at no other port than the last one."""
        ...


class LineBook(LineRow, Protocol):
    """All of a physical interrupt."""

    @property
    def usable(self) -> bool:
        """There is an interrupt behind the number, that nothing else needs alone."""
        ...


class WordBook(EventWordRow, Protocol):
    """All of an event word."""

    @property
    def busy(self) -> bool:
        """BUSY is set."""
        ...


class QueueBook(QueueRow, Protocol):
    """A queue with its lock."""

    @property
    def locked(self) -> bool:
        """A notice links to it."""
        ...

    @property
    def holder(self) -> VcpuId:
        """Whose notice locked it last. Ghost."""
        ...


class NoticeBook(NoticeRow, Protocol):
    """All of a notice."""

    @property
    def fifo(self) -> bool:
        """It is by the FIFO ABI."""
        ...

    @property
    def news(self) -> bool:
        """The port was not pending before: pollers are to be told."""
        ...


class State(memory.State, Protocol):
    """The state before or after an action of event channels."""

    @property
    def channels(self) -> ReadTable[int, ChannelsBook]: ...  # noqa: D102 - named by its table
    @property
    def ports(self) -> ReadTable[tuple[int, int], PortBook]: ...  # noqa: D102
    @property
    def signals(self) -> ReadTable[tuple[int, int], SignalRow]: ...  # noqa: D102
    @property
    def selectors(self) -> ReadTable[tuple[tuple[int, int], int], SelectorRow]: ...  # noqa: D102
    @property
    def upcalls(self) -> ReadTable[tuple[int, int], UpcallRow]: ...  # noqa: D102
    @property
    def event_words(self) -> ReadTable[tuple[int, int], WordBook]: ...  # noqa: D102
    @property
    def heads(self) -> ReadTable[tuple[tuple[int, int], int], HeadRow]: ...  # noqa: D102
    @property
    def queues(self) -> ReadTable[tuple[tuple[int, int], int], QueueBook]: ...  # noqa: D102
    @property
    def virqs(self) -> ReadTable[tuple[tuple[int, int], int], BindingRow]: ...  # noqa: D102
    @property
    def pirqs(self) -> ReadTable[tuple[int, int], LineBook]: ...  # noqa: D102
    @property
    def waits(self) -> ReadTable[tuple[int, int], WaitBook]: ...  # noqa: D102
    @property
    def polled(self) -> ReadTable[tuple[tuple[int, int], int], PolledRow]: ...  # noqa: D102
    @property
    def notices(self) -> ReadTable[tuple[int, int], NoticeBook]: ...  # noqa: D102
    @property
    def handlers(self) -> ReadTable[tuple[int, int], HandlerRow]: ...  # noqa: D102
    @property
    def scans(self) -> ReadTable[tuple[tuple[int, int], int], ScanRow]: ...  # noqa: D102
    @property
    def taken(self) -> ReadTable[tuple[tuple[int, int], int], TakenRow]: ...  # noqa: D102
