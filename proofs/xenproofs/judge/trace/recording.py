"""Recordings (`xenpv-trace-1`): what a real guest asked of a real Xen, line by line, read lazily.

The first line is the header. A hypercall's line is written when it *completes*, but numbered when it was
*issued*: with one vCPU, `n` grows by one from line to line; with more, it grows for each vCPU, and a call may
come after younger ones of another. No number is used twice, and none is missing but for calls still under way
when the file was cut, at most one for each further vCPU. Calls that were under way at the cut before it may
come with numbers below `first_n`, and numbers below that of the first line may be in the file before. Lines
whose op begins with `@` are not calls: their `n` is the number of the last call issued before (for a console
marker, of the call that printed it), so that a file may begin with one of `first_n - 1`.

All that does not hold raises `BadInput` with file, line and field.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
from msgspec import Raw, structs
from msgspec.json import Decoder
from msgspec.msgpack import Encoder

from xenproofs.judge.trace.events import AsideEvent, Event, Mark
from xenproofs.judge.trace.memory import MmuextOp, MmuUpdate
from xenproofs.judge.trace.misfits import DECODE_ERRORS, misfit
from xenproofs.judge.trace.operations import Args, Multicall, decode_call
from xenproofs.judge.trace.source import numbered_lines
from xenproofs.judge.trace.words import S64, U64, DomIdU16, MfnU64, Misfit, Wire, as_json
from xenspec.errors import BadInput
from xenspec.vocabulary import DomId, Mfn

ASIDE: Final = re.compile(rb'"op"\s*:\s*"@')
FORMAT: Final = "xenpv-trace-1"
PHASE: Final = re.compile(r"boot|workload\d*")
"""`boot` begins at the first hypercall, `workload` at a checkpoint; a number: the tail after the last one."""


class Header(Wire, frozen=True):
    """The first line. `first_n` is the number of the first hypercall."""

    format: str
    xen: str
    guest: str
    machine: str
    phase: str
    first_n: U64


class Continuation(Wire, frozen=True, array_like=True):
    """`[op, args]`: what the vCPU will call again, with the raw arguments that Xen left in its registers."""

    op: str
    args: tuple[U64, ...]


class Hypercall(Wire, frozen=True):
    """One hypercall. `ret` is None for a continued one and for iret; `done` is there if `cont` is."""

    line: int
    n: int
    vcpu: int
    dom: DomId
    op: str
    args: Args
    ret: int | None
    us: int
    cr3: Mfn
    cont: Continuation | None
    done: int | None
    events: tuple[Event, ...]


Line: TypeAlias = Hypercall | AsideEvent


class _WireHypercall(Wire, frozen=True):
    n: U64
    vcpu: U64
    dom: DomIdU16
    op: str
    args: Raw
    ret: S64 | None
    us: U64
    cr3: MfnU64
    cont: Continuation | None = None
    done: U64 | None = None
    xen: tuple[Event, ...] = ()


_HEADER: Final = Decoder(Header)
_HYPERCALL: Final = Decoder(_WireHypercall)
_ASIDE: Final[Decoder[AsideEvent]] = Decoder(AsideEvent)
_ANYTHING: Final[Decoder[object]] = Decoder(object)
_WIDTH: Final = Encoder()
"""Its output is thrown away: it refuses integers that do not fit 64 bits; the decoder of JSON does not."""


@dataclass(slots=True)
class _Order:
    """What the numbers of the lines must obey; see the top of the module."""

    first_n: int
    last: dict[int, int] = field(default_factory=dict[int, int])
    missing: set[int] = field(default_factory=set[int])
    early: set[int] = field(default_factory=set[int])
    """Calls that were issued before the first number of the file."""
    began: int = 0
    """The number of the first call that is not early; 0 before it."""
    top: int = 0
    aside: int = 0

    def __post_init__(self) -> None:
        self.top = self.first_n - 1
        self.aside = self.first_n - 1

    def call(self, vcpu: int, n: int) -> None:
        if not self.began and n >= self.first_n:
            self.began = n
        if n == self.top + 1:
            self.top = self.last[vcpu] = n
            return
        previous = self.last.get(vcpu)
        if previous is not None and n <= previous:
            raise Misfit("n", f"{n} after {previous} of the same vCPU")
        self.last[vcpu] = n
        if n > self.top:
            self.missing.update(range(self.top + 1, min(n, self.top + LONGEST_GAP)))
            if n - self.top > LONGEST_GAP:
                raise Misfit("n", f"{n} after {self.top}: too many calls are missing")
            self.top = n
        elif n in self.missing:
            self.missing.remove(n)
        elif n >= self.first_n or n in self.early:
            raise Misfit("n", f"{n} was used before")
        else:
            self.early.add(n)

    def event(self, n: int, *, mark: bool) -> None:
        if n < self.aside and not mark:
            raise Misfit("n", f"{n} after {self.aside}")
        if n < self.first_n - 1:
            raise Misfit("n", f"{n} is before the header's first_n {self.first_n}")
        self.aside = max(n, self.aside)

    def end(self) -> None:
        vcpus = max(1, len(self.last))
        if len(self.early) >= vcpus:
            raise Misfit("n", f"{min(self.early)} is before the header's first_n {self.first_n}")
        missing = {n for n in self.missing if n > self.began or vcpus == 1}
        if len(missing) >= vcpus:
            raise Misfit("n", f"hypercall {min(missing)} is missing ({len(missing)} in all)")


LONGEST_GAP: Final = 1 << 16
"""A jump of `n` beyond this is damage, not other vCPUs."""


class Recording:
    """A recording on disk: the header at once, the lines on iteration (each iteration reads the file anew).

    Raises:
        BadInput: the file cannot be read or does not begin with a header.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header = _read_header(path)

    def __iter__(self) -> Iterator[Line]:
        order = _Order(self.header.first_n)
        number = 1
        for number, text in islice(numbered_lines(self.path), 1, None):
            try:
                line = _aside(number, text, order) if _is_aside(text) else _hypercall(number, text, order)
            except DECODE_ERRORS as error:
                raise _bad_input(self.path, number, error) from error
            yield line
        try:
            order.end()
        except Misfit as error:
            raise _bad_input(self.path, number, error) from error


def read_recording(path: Path) -> Recording:
    """Open a recording (see `Recording`)."""
    return Recording(path)


def _bad_input(path: Path, line: int, error: Exception) -> BadInput:
    found = misfit(error)
    return BadInput(found.message, file=str(path), line=line, field=found.field)


def _read_header(path: Path) -> Header:
    for number, text in numbered_lines(path):
        try:
            header = _HEADER.decode(text)
            _check_width(text, header)
            _check_header(header)
        except DECODE_ERRORS as error:
            raise _bad_input(path, number, error) from error
        return header
    raise BadInput("the file is empty: no header", file=str(path), line=1)


def _check_header(header: Header) -> None:
    if header.format != FORMAT:
        raise Misfit("format", f"{header.format!r} is not {FORMAT!r}")
    if not PHASE.fullmatch(header.phase):
        raise Misfit("phase", f"{header.phase!r} is neither boot nor workload")
    if header.first_n < 1 or (header.phase == "boot" and header.first_n != 1):
        raise Misfit("first_n", f"{header.phase} cannot begin at hypercall {header.first_n}")


def _is_aside(text: bytes) -> bool:
    """Whether the line's op begins with `@` (in a text of the console, the quotes would be escaped)."""
    return b'"op":"@' in text or (b'"@' in text and ASIDE.search(text) is not None)


def _aside(number: int, text: bytes, order: _Order) -> AsideEvent:
    event = _ASIDE.decode(text)
    _check_width(text, event)
    order.event(event.n, mark=isinstance(event, Mark))
    structs.force_setattr(event, "line", number)
    return event


def _hypercall(number: int, text: bytes, order: _Order) -> Hypercall:
    wire = _HYPERCALL.decode(text)
    call = Hypercall(
        number,
        wire.n,
        wire.vcpu,
        wire.dom,
        wire.op,
        decode_call(wire.op, wire.args),
        wire.ret,
        wire.us,
        wire.cr3,
        wire.cont,
        wire.done,
        wire.xen,
    )
    _check_width(text, call)
    _check_outcome(call)
    order.call(call.vcpu, call.n)
    return call


def _check_outcome(call: Hypercall) -> None:
    if (call.cont is None) != (call.done is None):
        raise Misfit("done", "cont and done come together, or not at all")
    if (call.ret is None) != (call.cont is not None or call.op == "iret"):
        raise Misfit("ret", "is null for a continued call and for iret, and only there")
    if call.done and isinstance(call.args, MmuUpdate | MmuextOp | Multicall):
        most = call.args.nr if isinstance(call.args, Multicall) else call.args.count
        if call.done > most:
            raise Misfit("done", f"{call.done} of {most} operations")


def _check_width(text: bytes, decoded: msgspec.Struct) -> None:
    """Refuse integers wider than 64 bits anywhere in the line."""
    try:
        _WIDTH.encode(decoded)
    except OverflowError:
        as_json(_ANYTHING.decode(text))
        raise
