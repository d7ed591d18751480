"""Read-only views of the rows of event channels: what hypercalls and invariants see.

Each protocol lists the fields of one row class of xenmodel.events.rows; a test compares the two lists.
"""

from typing import Protocol

from xenmodel.events.rows import Stage
from xenspec.vocabulary import DomId, PortState, VcpuId


class ChannelsView(Protocol):
    """Channels, read only."""

    @property
    def valid(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def limit(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def active(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def reset_at(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def fifo(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def words(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def pirqs(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def started(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def honest(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def told(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def teller(self) -> VcpuId: ...  # noqa: D102 - named by its field


class PortView(Protocol):
    """Port, read only."""

    @property
    def state(self) -> PortState: ...  # noqa: D102 - named by its field
    @property
    def remote_domain(self) -> DomId: ...  # noqa: D102 - named by its field
    @property
    def remote_port(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def virq(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def pirq(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def vcpu(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def priority(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def last_vcpu(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def last_priority(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def saved(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def waiting(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def readers(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def owed(self) -> VcpuId: ...  # noqa: D102 - named by its field


class SignalView(Protocol):
    """Signal, read only."""

    @property
    def pending(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def masked(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def teller(self) -> VcpuId: ...  # noqa: D102 - named by its field
    @property
    def raised(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def announcer(self) -> VcpuId: ...  # noqa: D102 - named by its field


class SelectorView(Protocol):
    """Selector, read only."""

    @property
    def set(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def teller(self) -> VcpuId: ...  # noqa: D102 - named by its field


class UpcallView(Protocol):
    """Upcall, read only."""

    @property
    def pending(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def masked(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def teller(self) -> VcpuId: ...  # noqa: D102 - named by its field


class EventWordView(Protocol):
    """EventWord, read only."""

    @property
    def pending(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def masked(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def linked(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def busy(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def link(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def teller(self) -> VcpuId: ...  # noqa: D102 - named by its field
    @property
    def announcer(self) -> VcpuId: ...  # noqa: D102 - named by its field
    @property
    def order(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def before(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def linker(self) -> VcpuId: ...  # noqa: D102 - named by its field


class HeadView(Protocol):
    """Head, read only."""

    @property
    def port(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def ready(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def setter(self) -> VcpuId: ...  # noqa: D102 - named by its field
    @property
    def teller(self) -> VcpuId: ...  # noqa: D102 - named by its field


class QueueView(Protocol):
    """Queue, read only."""

    @property
    def tail(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def locked(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def linked(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def holder(self) -> VcpuId: ...  # noqa: D102 - named by its field


class BindingView(Protocol):
    """Binding, read only."""

    @property
    def port(self) -> int: ...  # noqa: D102 - named by its field


class LineView(Protocol):
    """Line, read only."""

    @property
    def port(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def permitted(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def usable(self) -> bool: ...  # noqa: D102 - named by its field


class WaitView(Protocol):
    """Wait, read only."""

    @property
    def blocked(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def polling(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def poll_port(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def checking(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def looked(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def alone(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def sleeps(self) -> int: ...  # noqa: D102 - named by its field


class PolledPortView(Protocol):
    """PolledPort, read only."""

    @property
    def sleep(self) -> int: ...  # noqa: D102 - named by its field


class NoticeView(Protocol):
    """Notice, read only."""

    @property
    def stage(self) -> Stage: ...  # noqa: D102 - named by its field
    @property
    def fifo(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def domain(self) -> DomId: ...  # noqa: D102 - named by its field
    @property
    def port(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def vcpu(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def priority(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def news(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def cursor(self) -> int: ...  # noqa: D102 - named by its field


class HandlerView(Protocol):
    """Handler, read only."""

    @property
    def running(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def cursor(self) -> int: ...  # noqa: D102 - named by its field


class ScanView(Protocol):
    """Scan, read only."""

    @property
    def running(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def cursor(self) -> int: ...  # noqa: D102 - named by its field


class TakenView(Protocol):
    """Taken, read only."""

    @property
    def running(self) -> bool: ...  # noqa: D102 - named by its field
    @property
    def head(self) -> int: ...  # noqa: D102 - named by its field
    @property
    def port(self) -> int: ...  # noqa: D102 - named by its field
