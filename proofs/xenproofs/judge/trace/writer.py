"""Recordings written back, line for line: for tests, and for counterexamples as trace files."""

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec.json import Encoder

from xenproofs.judge.trace.devices import OtherArgs
from xenproofs.judge.trace.files import replace_file
from xenproofs.judge.trace.operations import Args, Multicall, Unknown
from xenproofs.judge.trace.recording import Header, Hypercall, Line

_ENCODER: Final = Encoder()


def write_recording(path: Path, header: Header, lines: Iterable[Line]) -> None:
    """Write a recording, compressed where the name ends in `.gz`; whole or not at all."""
    data = b"".join(encoded_lines(header, lines))
    replace_file(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def encoded_lines(header: Header, lines: Iterable[Line]) -> Iterator[bytes]:
    """The lines of a recording, header first, each with its line feed."""
    yield _ENCODER.encode(header) + b"\n"
    for line in lines:
        yield _ENCODER.encode(_hypercall(line) if isinstance(line, Hypercall) else _aside(line)) + b"\n"


def _hypercall(call: Hypercall) -> dict[str, object]:
    """The object of a line; optional keys only where they say something, as the recorder does."""
    fields: dict[str, object] = {
        "n": call.n,
        "vcpu": call.vcpu,
        "dom": call.dom,
        "op": call.op,
        "args": _args(call.args),
        "ret": call.ret,
        "us": call.us,
        "cr3": call.cr3,
    }
    if call.cont is not None:
        fields |= {"cont": call.cont, "done": call.done}
    if call.events:
        fields["xen"] = call.events
    return fields


def _args(args: Args) -> object:
    match args:
        case OtherArgs() | Unknown():
            return args.fields
        case Multicall():
            calls = [{"op": call.op, "args": _args(call.args), "ret": call.ret} for call in args.calls]
            return {"nr": args.nr, "calls": calls}
        case _:
            return args


def _aside(line: msgspec.Struct) -> dict[str, object]:
    """The object of a line that is no call, without the line number that the reader added."""
    fields: dict[str, object] = msgspec.to_builtins(line)
    fields.pop("line", None)
    return fields
