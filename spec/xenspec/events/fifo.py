"""Abstract rows of the FIFO ABI: words of ports, and queues of linked words."""

from typing import Protocol

from xenspec.vocabulary import VcpuId


class EventWordRow(Protocol):
    """A port's word of the FIFO ABI."""

    @property
    def pending(self) -> bool:
        """An event waits."""
        ...

    @property
    def masked(self) -> bool:
        """It is not to be told."""
        ...

    @property
    def linked(self) -> bool:
        """The word is on a queue."""
        ...

    @property
    def link(self) -> int:
        """The next port of the queue; 0: it is the last."""
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
    def linker(self) -> VcpuId:
        """Who set LINKED last. Ghost."""
        ...

    @property
    def before(self) -> int:
        """The port that links it; 0: it is the first. Ghost."""
        ...

    @property
    def order(self) -> int:
        """When it was put on its queue. Ghost."""
        ...


class HeadRow(Protocol):
    """A queue as the guest sees it."""

    @property
    def port(self) -> int:
        """The first port, when the queue became not empty."""
        ...

    @property
    def ready(self) -> bool:
        """There is something on it."""
        ...

    @property
    def setter(self) -> VcpuId:
        """Who set the first port last. Ghost."""
        ...

    @property
    def teller(self) -> VcpuId:
        """Who made it ready. Ghost."""
        ...


class QueueRow(Protocol):
    """A queue as Xen sees it."""

    @property
    def tail(self) -> int:
        """The port that was put on it last."""
        ...

    @property
    def linked(self) -> int:
        """How many were put on it. Ghost."""
        ...


class TakenRow(Protocol):
    """A queue that a guest consumes."""

    @property
    def running(self) -> bool:
        """The ready bit was taken, and the queue is being consumed."""
        ...

    @property
    def head(self) -> int:
        """The next port; 0: it is in the control block."""
        ...

    @property
    def port(self) -> int:
        """The port that was unlinked and not looked at yet."""
        ...
