"""EVTCHNOP_*: numbers and layout of event channels (xen/include/public/event_channel.h, xen.h).

A 64-bit domain. 2-level: a bit a port in 64 words of pending and of mask bits, a selector of 64 bits a vCPU.
FIFO: a 32-bit word a port, sixteen queues a vCPU.
"""

from enum import IntEnum
from typing import Final

from xenspec.vocabulary import PortState

WORD_PORTS: Final = 64
"""Ports in a word of pending bits, and words under a selector."""
TWO_LEVEL_PORTS: Final = WORD_PORTS * WORD_PORTS
"""EVTCHN_2L_NR_CHANNELS."""
FIFO_PORTS: Final = 1 << 17
"""EVTCHN_FIFO_NR_CHANNELS."""
PAGE_PORTS: Final = 1024
"""Event words in a page of the FIFO array."""
ARRAY_PAGES: Final = FIFO_PORTS // PAGE_PORTS
LINK_BITS: Final = 17
"""EVTCHN_FIFO_LINK_BITS, which init_control answers."""
QUEUES: Final = 16
"""EVTCHN_FIFO_MAX_QUEUES: priorities, 0 the most urgent."""
DEFAULT_PRIORITY: Final = 7
LOWEST_PRIORITY: Final = QUEUES - 1
CONTROL_BYTES: Final = 72
"""Size of evtchn_fifo_control_block_t: ready, reserved, sixteen heads."""
CONTROL_ALIGNMENT: Final = 8
CONTROL_PAGE: Final = 4096
BUCKET_PORTS: Final = 64
"""Ports that Xen makes at a time (EVTCHNS_PER_BUCKET)."""
NO_LIMIT: Final = (1 << 31) - 1
"""max_evtchn_port of a domain that was given no limit."""
POLL_PORTS: Final = 128
"""Ports that one SCHEDOP_poll may name."""

VIRQS: Final = 24
"""NR_VIRQS."""
VCPU_VIRQS: Final = frozenset({0, 1, 7, 13})
"""Timer, debug, profiler and PMU: one binding for each vCPU; every other number is global."""


class EventOp(IntEnum):
    """The commands of event_channel_op."""

    BIND_INTERDOMAIN = 0
    BIND_VIRQ = 1
    BIND_PIRQ = 2
    CLOSE = 3
    SEND = 4
    STATUS = 5
    ALLOC_UNBOUND = 6
    BIND_IPI = 7
    BIND_VCPU = 8
    UNMASK = 9
    RESET = 10
    INIT_CONTROL = 11
    EXPAND_ARRAY = 12
    SET_PRIORITY = 13
    RESET_CONT = 14


STATUS: Final[dict[PortState, int]] = {
    PortState.FREE: 0,
    PortState.RESERVED: 0,
    PortState.UNBOUND: 1,
    PortState.INTERDOMAIN: 2,
    PortState.PIRQ: 3,
    PortState.VIRQ: 4,
    PortState.IPI: 5,
}
"""EVTCHNSTAT_* by state."""


def selector_of(port: int) -> int:
    """Return the number of the word, and of the selector bit, that a port's bits are in."""
    return port // WORD_PORTS


def place_in_word(port: int) -> int:
    """Return the place of a port's bit in its word."""
    return port % WORD_PORTS


def first_of_word(word: int) -> int:
    """Return the port whose bit is the first of a word."""
    return word * WORD_PORTS


def is_global(virq: int) -> bool:
    """Return whether a virtual interrupt has one binding for the whole domain (virq_is_global)."""
    return (virq != 0) & (virq != 1) & (virq != 7) & (virq != 13)  # noqa: PLR2004 - see VCPU_VIRQS
