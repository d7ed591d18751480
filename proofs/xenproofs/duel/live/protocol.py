"""What driver and test kernel say to each other: the same layout as tests/duel/kernel/protocol.h.

All numbers are little endian. The mailbox is an array of 64-bit words; a test compares this file with the
header.
"""

from enum import IntEnum, auto
from struct import Struct
from typing import Final

MAGIC: Final = 0x4C455544434E4558
VERSION: Final = 2
MAILBOX_LINE: Final = "duel: mailbox 0x"
"""How the kernel's line on the console begins that tells the mailbox's frame."""


class Field(IntEnum):
    """The words of the mailbox, in order."""

    MAGIC = 0
    VERSION = auto()
    STATE = auto()
    FINISHED = auto()
    ANSWERED = auto()
    ROOT = auto()
    TABLES = auto()
    TABLE_PAGES = auto()
    SCRIPT = auto()
    SCRIPT_BYTES = auto()
    RESULTS = auto()
    RESULTS_BYTES = auto()
    ARENA = auto()
    ARENA_PAGES = auto()
    SHARED_INFO = auto()
    GRANT_FRAME = auto()
    START_INFO = auto()
    MAX_PAGE = auto()
    FOREIGN = auto()
    FOREIGN_FRAMES = auto()
    GUEST_MAILBOX = auto()
    GUEST_FLAGS = auto()
    COMMAND = auto()
    FRAME_TABLE = auto()
    CASES = auto()
    WANT_PASSIVE = auto()
    WANT_GUEST = auto()


class State(IntEnum):
    """Where the kernel is."""

    NONE = 0
    BOOTED = auto()
    READY = auto()
    RUNNING = auto()


class Command(IntEnum):
    """What the driver wants next."""

    NONE = 0
    BEGIN = auto()
    RUN = auto()


class Code(IntEnum):
    """The kinds of requests."""

    MMU_UPDATE = 1
    MMUEXT = auto()
    UPDATE_VA = auto()
    UPDATE_VA_OTHER = auto()
    SET_GDT = auto()
    UPDATE_DESCRIPTOR = auto()
    SET_TRAP_TABLE = auto()
    MEMORY_OP = auto()
    STORE = auto()
    LOAD = auto()
    LOAD_SELECTOR = auto()
    VM_ASSIST = auto()
    PAGE_INFO = auto()
    EVENT = auto()
    EVENT_DUMP = auto()
    EVENT_READ = auto()
    EVENT_WRITE = auto()
    POLL = auto()
    GRANT = auto()
    GRANT_WRITE = auto()
    GRANT_READ = auto()
    GRANT_STATUS = auto()


FLAG_NODONE: Final = 1
FLAG_FORCE: Final = 2
FLAG_NO_LIST: Final = 4
TRAPS: Final = {"ours": 0, "entry": 1, "null": 2, "ptr": 3}
BITS: Final = {
    "clr_pending": 0,
    "set_pending": 1,
    "clr_mask": 2,
    "set_mask": 3,
    "clr_sel": 4,
    "clr_upcall": 5,
}
NEED_FREE_TABLE: Final = 1
"""The case changes the layout of the grant table: no entry of an earlier case may be in use still."""
SLOT_SAVED: Final = 0x100
SLOT_REFERENCES: Final = 0x200
"""Slots of operands: what was saved there; the case's first grant reference."""

MOST_UPDATES: Final = 64
MOST_EXTENTS: Final = 8
MOST_FRAMES: Final = 16
MOST_SAVED: Final = 64
MOST_PORTS: Final = 130

GUARDED: Final = -9999
NOT_TOLD: Final = 0xFFFFFFFF
"""The number done, where Xen did not write it."""
FAULTED: Final = 1 << 63

CASE_HEADER: Final = Struct("<IIQ")
"""Requests, frames, what it needs."""
CASE_FRAME: Final = Struct("<QQQ")
"""Frame, own address, address of the level-1 entry that maps it."""
REQUEST: Final = "HHIQQQ"
"""Code, number of operands, flags, a, b, c."""
OPERAND: Final = "QII"
"""Base, slot, shift: what it means is `base + (frame of slot << shift)`; slot 0 is no frame."""

RESULT: Final = Struct("<QQQ")
"""Requests answered, what could not be tidied up, ports whose event Xen remembers."""
ANSWER: Final = Struct("<qQQQQQ")
"""Return code, three values, fault, address of the fault."""
PAGE_INFO: Final = Struct("<QQ")
"""Count word and type word."""


def result_bytes(requests: int, frames: int) -> int:
    """Return the room that a case's result takes."""
    return RESULT.size + (requests + 1) * (ANSWER.size + frames * PAGE_INFO.size)
