"""Oracle cases: a few operations from a known start, and what real Xen answered to each.

A line is a case; `init` is given where a page's start is not the usual one (type writable, validated, count
1, two references, allocated). `st` of an answer lists exactly the pages whose page_info changed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, field
from msgspec.json import Decoder
from msgspec.msgpack import Encoder

from xenmodel.hardware.access import PAGE_FAULT
from xenproofs.judge.trace.case_ops import (
    CaseOp,
    MemoryCaseOp,
    MmuExtOp,
    MmuUpdateOp,
    PageInfoOp,
    ReadOp,
    ReservationOp,
    WriteOp,
)
from xenproofs.judge.trace.case_ports import (
    EvtCaseOp,
    EvtDumpOp,
    EvtReadOp,
    ForeignGntReadOp,
    GntCaseOp,
    GntMapOp,
    GntReadOp,
    GntStatusOp,
    NewGntReadOp,
)
from xenproofs.judge.trace.misfits import DECODE_ERRORS, misfit
from xenproofs.judge.trace.naming import EntryRef
from xenproofs.judge.trace.pageinfo import PageInfo
from xenproofs.judge.trace.source import numbered_lines
from xenproofs.judge.trace.words import S64, U64, Misfit, Wire, as_json
from xenspec.errors import BadInput
from xenspec.vocabulary import PageType

GUARDED: Final = -9999
"""`rc` of a base-pointer load that the harness did not carry out: not Xen's answer."""

Operation: TypeAlias = MemoryCaseOp | EvtCaseOp | GntCaseOp
PageKey: TypeAlias = Annotated[str, Meta(pattern="^[pf][0-7]~?$")]
TypeWord: TypeAlias = Literal["none", "l1", "l2", "l3", "l4", "seg", "shared", "wr", "free"]

_TYPES: Final[dict[TypeWord, PageType]] = {
    "none": PageType.NONE,
    "free": PageType.NONE,
    "l1": PageType.L1,
    "l2": PageType.L2,
    "l3": PageType.L3,
    "l4": PageType.L4,
    "seg": PageType.SEG,
    "shared": PageType.SHARED,
    "wr": PageType.WRITABLE,
}


class PageState(Wire, frozen=True, array_like=True):
    """`[type, type_count, type_flags, ref_count, ref_flags]`.

    type_flags: L locked, p pinned, v validated, t partial, n non-coherent; ref_flags: a allocated, h Xen's
    heap.
    """

    type: TypeWord
    type_count: U64
    type_flags: Annotated[str, Meta(pattern="^L?p?v?x?t?n?$")]
    ref_count: U64
    ref_flags: Annotated[str, Meta(pattern="^a?h?(/[0-9a-f]+)?$")]

    @property
    def info(self) -> PageInfo:
        """The same as a `PageInfo`; a free frame has type none and no references."""
        return PageInfo(
            type=_TYPES[self.type],
            type_count=self.type_count,
            validated="v" in self.type_flags,
            pinned="p" in self.type_flags,
            partial="t" in self.type_flags,
            noncoherent="n" in self.type_flags,
            allocated=self.ref_flags.startswith("a"),
            xenheap="h" in self.ref_flags,
            ref_count=self.ref_count,
        )


class Fault(Wire, frozen=True):
    """An exception: vector and error code."""

    vec: Annotated[int, Meta(ge=0, le=255)]
    err: U64


class PortStatus(Wire, frozen=True):
    """Answer of EVTCHNOP_status; `u` is (domain, port) of an interdomain channel, else one number."""

    status: U64
    vcpu: U64
    u: U64 | tuple[U64, ...]

    def __post_init__(self) -> None:
        if isinstance(self.u, tuple) and len(self.u) != len(("domain", "port")):
            raise ValueError("u is neither a number nor (domain, port)")


OutValue: TypeAlias = U64 | tuple[U64 | str, ...] | PortStatus


class Answer(Wire, frozen=True, omit_defaults=True):
    """What came back; None for what the operation does not give.

    `rc` is a negative errno, GNTST_* for grant operations, the extents done for reservation calls, -1 with a
    fault. `new`: replaced extents, whose names now mean the new frames. `handle`, `dev` depend on history.
    """

    rc: S64
    done: U64 | None = None
    val: EntryRef | None = None
    fault: Fault | None = None
    cr2off: U64 | None = None
    out: OutValue | None = None
    st: dict[PageKey, PageState] = field(default_factory=dict[PageKey, PageState])
    new: U64 | None = None
    hrc: S64 | None = None
    handle: U64 | None = None
    dev: str | None = None


class CaseStep(Wire, frozen=True, rename={"ask": "in", "answer": "out"}):
    """One operation and its answer."""

    ask: Operation
    answer: Answer


class Case(Wire, frozen=True, omit_defaults=True):
    """One case. `np` pages of the calling domain, `nf` of the other; `cleanup` 64: a mapping stayed behind.

    `crash` and `log` are given where the asking domain did not survive. `remembered`: ports below 64, by bit,
    whose event Xen kept from an earlier case until there is an event word to say so. `line` is where the case
    stands in its file.
    """

    id: str
    by: Literal["dom0", "guest"]
    np: Annotated[int, Meta(ge=0, le=8)]
    nf: Annotated[int, Meta(ge=0, le=8)]
    ops: tuple[CaseStep, ...]
    tag: str | None = None
    init: dict[PageKey, PageState] | None = None
    cleanup: U64 | None = None
    crash: str | None = None
    log: str | None = None
    remembered: U64 = 0
    line: int = 0

    @property
    def is_memory(self) -> bool:
        """Whether all operations concern memory (none an event channel or a grant)."""
        return all(isinstance(step.ask, MemoryCaseOp) for step in self.ops)


_NEEDED: Final[dict[type[CaseOp], str]] = {
    MmuUpdateOp: "done",
    MmuExtOp: "done",
    ReservationOp: "done",
    PageInfoOp: "val",
    ReadOp: "val",
    WriteOp: "cr2off",
    EvtDumpOp: "out",
    EvtReadOp: "out",
    GntReadOp: "out",
    NewGntReadOp: "out",
    GntStatusOp: "out",
    ForeignGntReadOp: "out",
    GntMapOp: "hrc",
}
"""What an answer must have; `_missing` knows the exceptions."""

_CASE: Final = Decoder(Case)
_ANYTHING: Final[Decoder[object]] = Decoder(object)
_WIDTH: Final = Encoder()


def read_cases(path: Path) -> Iterator[Case]:
    """Read the cases of a file (JSON Lines, plain or .gz), one at a time.

    Raises:
        BadInput: a line that does not fit, or an id used twice.
    """
    seen: dict[str, int] = {}
    for number, text in numbered_lines(path):
        try:
            case = _decode(text)
            if case.id in seen:
                raise Misfit("id", f"{case.id!r} stands in line {seen[case.id]} already")
        except DECODE_ERRORS as error:
            found = misfit(error)
            raise BadInput(found.message, file=str(path), line=number, field=found.field) from error
        seen[case.id] = number
        msgspec.structs.force_setattr(case, "line", number)
        yield case


def _decode(text: bytes) -> Case:
    case = _CASE.decode(text)
    try:
        _WIDTH.encode(case)
    except OverflowError:
        as_json(_ANYTHING.decode(text))
        raise
    _check_pages("init", case.init or {}, case)
    for index, step in enumerate(case.ops):
        if step.answer.st:
            _check_pages(f"ops[{index}].out.st", step.answer.st, case)
        missing = _missing(step.ask, step.answer)
        if missing:
            raise Misfit(f"ops[{index}].out.{missing}", "is missing from this answer")
    return case


def _missing(ask: Operation, answer: Answer) -> str | None:
    """The field that an answer to this operation must have and this one has not."""
    name = _NEEDED.get(type(ask))
    if name is None or getattr(answer, name) is not None:
        return None
    match ask:
        case MmuUpdateOp() | MmuExtOp():
            excused = answer.rc < 0 or bool(ask.nodone)
        case ReservationOp():
            excused = ask.cmd != "exchange"
        case ReadOp():
            excused = answer.fault is not None
        case WriteOp():
            excused = answer.fault is None or answer.fault.vec != PAGE_FAULT
        case _:
            excused = False
    return None if excused else name


def _check_pages(where: str, pages: dict[str, PageState], case: Case) -> None:
    """The pages named are pages of the case."""
    for name in pages:
        if int(name[1]) >= (case.np if name[0] == "p" else case.nf):
            raise Misfit(f"{where}.{name}", f"the case has {case.np} pages p and {case.nf} pages f")
