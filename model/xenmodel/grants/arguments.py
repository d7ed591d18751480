"""What grant_table_op is asked and what it answers (xen/include/public/grant_table.h)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from xenmodel.abi.grant import NO_HANDLE, GrantStatus
from xenmodel.hypercall import Continuation
from xenspec.vocabulary import Mfn

XenHeap = Callable[[], Mfn | None]
"""Returns a free frame for a page of Xen's own, or None when memory is short."""

OKAY: Final = GrantStatus.OKAY
GENERAL_ERROR: Final = GrantStatus.GENERAL_ERROR
BAD_DOMAIN: Final = GrantStatus.BAD_DOMAIN
BAD_GNTREF: Final = GrantStatus.BAD_GNTREF
BAD_HANDLE: Final = GrantStatus.BAD_HANDLE
BAD_DEV_ADDR: Final = GrantStatus.BAD_DEV_ADDR
PERMISSION_DENIED: Final = GrantStatus.PERMISSION_DENIED
BAD_PAGE: Final = GrantStatus.BAD_PAGE
BAD_COPY_ARG: Final = GrantStatus.BAD_COPY_ARG
TRY_AGAIN: Final = GrantStatus.EAGAIN
NO_SPACE: Final = GrantStatus.NO_SPACE
"""The statuses by themselves."""


@dataclass(frozen=True, slots=True)
class MapGrantRef:
    """Map reference `ref` of `dom` at `host_addr`; `flags`: GNTMAP_*."""

    host_addr: int
    flags: int
    ref: int
    dom: int


@dataclass(frozen=True, slots=True)
class UnmapGrantRef:
    """End a mapping; an address of 0 leaves its part alone."""

    host_addr: int
    dev_bus_addr: int
    handle: int


@dataclass(frozen=True, slots=True)
class UnmapAndReplace:
    """End a mapping, and move there the entry that maps `new_addr`."""

    host_addr: int
    new_addr: int
    handle: int


@dataclass(frozen=True, slots=True)
class CopyEnd:
    """One side of a copy: a reference, or else a frame of the caller's, and an offset in it."""

    dom: int
    number: int
    offset: int
    by_ref: bool


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy `length` bytes."""

    source: CopyEnd
    target: CopyEnd
    length: int


@dataclass(frozen=True, slots=True)
class TransferFrame:
    """Give a frame to the domain that accepts it in reference `ref`."""

    frame: int
    dom: int
    ref: int


@dataclass(frozen=True, slots=True)
class SwapGrantRef:
    """Exchange two entries of the caller's table."""

    first: int
    second: int


@dataclass(frozen=True, slots=True)
class SetupTable:
    """Have at least so many pages; they are told."""

    dom: int
    frames: int
    heap: XenHeap = lambda: None


@dataclass(frozen=True, slots=True)
class QuerySize:
    """Ask how many pages there are and may be."""

    dom: int


@dataclass(frozen=True, slots=True)
class SetVersion:
    """Change the layout of the caller's table."""

    version: int
    heap: XenHeap = lambda: None


@dataclass(frozen=True, slots=True)
class GetVersion:
    """Ask for the layout of a table."""

    dom: int


@dataclass(frozen=True, slots=True)
class GetStatusFrames:
    """Ask for the pages of status."""

    dom: int
    frames: int


@dataclass(frozen=True, slots=True)
class UnknownGrantOp:
    """A command that Xen does not know."""

    command: int


BatchOp: TypeAlias = MapGrantRef | UnmapGrantRef | UnmapAndReplace | Copy | TransferFrame | SwapGrantRef
"""What comes in batches."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Operations of one kind, in order."""

    ops: tuple[BatchOp, ...]


GrantCall: TypeAlias = (
    Batch | SetupTable | QuerySize | SetVersion | GetVersion | GetStatusFrames | UnknownGrantOp
)


@dataclass(frozen=True, slots=True)
class Answer:
    """How one operation ended, and what it tells."""

    status: GrantStatus
    handle: int = NO_HANDLE
    device_address: int = 0


@dataclass(frozen=True, slots=True)
class GrantResult:
    """What grant_table_op answers: the return code, an answer for each operation done, numbers told."""

    rc: int = 0
    answers: tuple[Answer, ...] = ()
    told: tuple[int, ...] = ()
    continuation: Continuation | None = None

    @property
    def status(self) -> GrantStatus:
        """Return the status of the first operation."""
        return self.answers[0].status if self.answers else OKAY
