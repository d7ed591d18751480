"""Hypercalls are generators: they sequence steps, and yield after every one of them.

A hypercall sees a read-only `View` and changes state only through steps. It yields the step that has just
run, so that a scheduler may switch to another vCPU there and a checker may look; a `PREEMPT_…` marker where
Xen itself may preempt (the driver answers True to do so); `SPIN` where Xen waits for another CPU.

Results: a return code, or a `Continuation` when Xen makes the guest re-enter.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from xenmodel.machine import View
from xenspec.vocabulary import DomId, PageType, VcpuId

T = TypeVar("T")

Steps = Generator[object, bool | None, T]
"""A sequence of steps with a result."""


class Marker:
    """Something that a hypercall yields which is not a step."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


PREEMPT_BATCH = Marker("PREEMPT_BATCH")
"""Xen checks here, between the requests of a batch, whether to preempt; answer True to make it so."""
PREEMPT_TABLE = Marker("PREEMPT_TABLE")
"""The same between the slots of a table that is being promoted or demoted."""
PREEMPT_CALL = Marker("PREEMPT_CALL")
"""The same between the calls of a multicall."""
SPIN = Marker("SPIN")
"""Xen waits here for another CPU to finish with a frame."""


class Preempted(Exception):  # noqa: N818 - an outcome, not an error
    """The work stopped at a preemption point; what it held is kept for a re-entry (-ERESTART)."""


class FrameInfo(NamedTuple):
    """A frame's page_info just before a type event."""

    type: int
    type_count: int
    validated: bool
    pinned: bool
    partial: bool
    ref_count: int
    allocated: bool


class TypeEvent(NamedTuple):
    """Xen begins to validate, devalidate or retype a frame."""

    kind: str
    """`validate`, `devalidate` or `settype`."""
    mfn: int
    type: PageType
    before: FrameInfo


@dataclass(frozen=True, slots=True)
class Continuation:
    """Xen re-enters `op` with `args`; `done` sub-operations are finished."""

    op: str
    args: object
    done: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a hypercall answers: a return code, or a continuation; and how much of a batch is done."""

    rc: int = 0
    done: int = 0
    continuation: Continuation | None = None
    counted: bool = True
    """Whether `done` is told to the guest at all (not if a batch names nobody it may name)."""
    answers: bool = True
    """Whether the guest sees a return code at all (not after iret)."""
    guard: str = field(default="", compare=False)
    """The guard that refused, where one did: for whoever explains the answer."""


@dataclass(slots=True)
class Call:
    """One hypercall in progress: who makes it, and where its type events go."""

    m: View
    vcpu: VcpuId
    domain: DomId
    events: list[TypeEvent] = field(default_factory=list[TypeEvent])
    done: int = 0
    """Requests of the current batch that are finished."""
    table: int = -1
    """The table inside which the last PREEMPT_TABLE was yielded."""
    index: int = 0
    """Calls of the current multicall that are finished."""
    stores: "Callable[[int], None] | None" = None
    """Called with a frame just before Xen looks at its contents: where a replay learns guest stores."""
    preemptible: bool = True
    """Whether Xen may preempt inside a table: not while it cleans up behind a failure that it must answer."""


def note(x: Call, kind: str, mfn: int, new_type: PageType, before: FrameInfo) -> None:
    """Record a type event."""
    x.events.append(TypeEvent(kind, mfn, new_type, before))


def frame_info(x: Call, mfn: int) -> FrameInfo:
    """Return the frame's page_info as it is now."""
    f = x.m.frames[mfn]
    return FrameInfo(f.type, f.type_count, f.validated, f.pinned, f.partial, f.ref_count, f.allocated)


def run(steps: Steps[T]) -> T:
    """Run steps to their end on one CPU, never preempted."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        value: T = end.value
        return value
