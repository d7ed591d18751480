"""What the tests of the readers share: the bundled files, one line of each kind, small recordings."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from xenproofs.judge.trace import Aside, Hypercall, read_recording

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xenproofs.judge.trace import Line

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

FOLDER: Final = Path(__file__).resolve().parent.parent / "recordings"
BOOT: Final = FOLDER / "r1_boot.jsonl.gz"
EXCERPT: Final = FOLDER / "r3_excerpt.jsonl.gz"
START: Final = FOLDER / "r1_snap_sod.json.gz"
CHECKPOINT: Final = FOLDER / "r1_snap_0.json.gz"
CASES: Final = FOLDER / "oracle_sample.jsonl.gz"
OTHER_CASES: Final = FOLDER / "oracle_sample_other.jsonl.gz"

HEADER: Final[dict[str, Json]] = {
    "format": "xenpv-trace-1",
    "xen": "4.17.7",
    "guest": "linux",
    "machine": "test",
    "phase": "workload",
    "first_n": 1,
}


def plain_lines(path: Path) -> list[str]:
    """Give the lines of a compressed file, without their line feeds."""
    return gzip.decompress(path.read_bytes()).decode().splitlines()


@cache
def boot() -> tuple[Line, ...]:
    """Give every line of the bundled boot, decoded once."""
    return tuple(read_recording(BOOT))


@cache
def one_of_each() -> dict[str, str]:
    """Give the shortest line of each kind: by op, type of arguments, outcome and events."""
    found: dict[str, str] = {}
    for path in (BOOT, EXCERPT):
        texts = plain_lines(path)
        for line in read_recording(path):
            text = texts[line.line - 1]
            kind = _kind(line)
            if len(text) < len(found.get(kind, text + " ")):
                found[kind] = text
    return found


def _kind(line: Line) -> str:
    if isinstance(line, Aside):
        return type(line).__name__
    outcome = "continued" if line.cont else "refused" if (line.ret or 0) < 0 else "done"
    events = sorted({type(event).__name__ for event in line.events})
    return " ".join([line.op, type(line.args).__name__, outcome, *events])


def recording(folder: Path, lines: Iterable[str], **header: Json) -> Path:
    """Write a plain recording that begins at the first line's number, unless the header says otherwise."""
    texts = list(lines)
    numbers = [n for text in texts if isinstance(n := _number(text), int)]
    fields = HEADER | {"first_n": max(1, numbers[0] if numbers else 1)} | header
    path = folder / "made.jsonl"
    path.write_text("\n".join([json.dumps(fields), *texts]) + "\n", "utf-8", "surrogatepass")
    return path


def _number(text: str) -> Json:
    try:
        fields: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return fields.get("n") if isinstance(fields, dict) else None


def edited(text: str, **changes: Json) -> str:
    """Give a line of JSON with some of its outermost fields changed."""
    fields: dict[str, Json] = json.loads(text)
    return json.dumps(fields | changes)


def without(text: str, name: str) -> str:
    """Give a line of JSON without one of its outermost fields."""
    fields: dict[str, Json] = json.loads(text)
    del fields[name]
    return json.dumps(fields)


def hypercall(n: int, vcpu: int = 0, op: str = "xen_version", **changes: Json) -> str:
    """Make the line of a harmless hypercall."""
    fields: dict[str, Json] = {
        "n": n,
        "vcpu": vcpu,
        "dom": 0,
        "op": op,
        "args": {"cmd": 0},
        "ret": 0,
        "us": n,
        "cr3": 4711,
    }
    return json.dumps(fields | changes)


def calls(lines: Iterable[Line]) -> list[Hypercall]:
    """Give the hypercalls among some lines."""
    return [line for line in lines if isinstance(line, Hypercall)]
