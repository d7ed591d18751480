"""What counts as agreeing: each field of an answer, and exactly the pages that changed.

Xen's own slots of a top-level table hold Xen's frame numbers: there the flags are compared, and that the
model shows Xen's placeholder. A frame that the allocator chose, and to which no answer gives a name (an
exchange that fails half-way keeps what it has exchanged), has other numbers here and there: within a case
the same two go together. A grant handle, and a device address, depend on history: compared is that one was
given.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from xenmodel.abi import pte
from xenmodel.hardware.access import PAGE_FAULT
from xenproofs.judge.oracle.names import Shown
from xenproofs.judge.oracle.pages import Seen, told
from xenproofs.judge.oracle.start import XEN_TABLES
from xenproofs.judge.trace.cases import Answer, PortStatus
from xenproofs.judge.trace.naming import EntryRef, NamedEntry

FLAG_BITS = 0xFFF | 0xFFF << 52

Unnamed: TypeAlias = dict[int, int | None]
"""Frames that the allocator chose, by the model's number the real one; None while no answer has shown it."""
Out: TypeAlias = tuple[int | str | tuple[int, ...], ...]
"""What an operation reads or is given, as a list of numbers."""


@dataclass(slots=True)
class Got:
    """What the model answered; None for what an operation does not give."""

    rc: int
    done: int | None = None
    val: Shown | None = None
    fault: tuple[int, int] | None = None
    """Vector and error code."""
    cr2off: int | None = None
    new: int | None = None
    out: Out | None = None
    st: dict[str, Seen] = field(default_factory=dict[str, Seen])
    hrc: int | None = None
    """The hypercall's own return code, where `rc` is a status."""
    handle: int | None = None
    dev: str | None = None
    """The frame at the device address of a grant mapping."""
    failure: str | None = None
    """What kept the model from answering at all: a fault of the model."""


def expected_pages(answer: Answer) -> dict[str, Seen]:
    """Return the pages that changed in real Xen."""
    return {name: told(state) for name, state in answer.st.items()}


NO_PAGES: Final[frozenset[str]] = frozenset()


def differences(
    answer: Answer, got: Got, left_out: frozenset[str] = NO_PAGES, unnamed: Unnamed | None = None
) -> list[str]:
    """Return the names of the fields in which the model's answer differs from real Xen's.

    `left_out`: pages whose page_info is not compared; `unnamed`: the frames that the allocator chose in this
    case, by the model's number the real one, as far as answers have shown it: more are added.
    """
    if got.failure is not None:
        return ["failure"]
    found: list[str] = []
    if answer.rc != got.rc:
        found.append("rc")
    if answer.done != got.done:
        found.append("done")
    if answer.val is not got.val and not _same_value(answer.val, got.val, {} if unnamed is None else unnamed):
        found.append("val")
    if (answer.fault or got.fault) and _shown_fault(answer) != got.fault:
        found.append("fault")
    if answer.cr2off != got.cr2off and (answer.fault is None or answer.fault.vec == PAGE_FAULT):
        found.append("cr2off")  # other faults leave CR2 as the last page fault set it
    return found + _change_differences(answer, got, left_out) + _grant_differences(answer, got)


def _change_differences(answer: Answer, got: Got, left_out: frozenset[str]) -> list[str]:
    """Return which of the fields that say what changed differ."""
    found = ["new"] if answer.new != got.new else []
    if answer.out != got.out and _shown_out(answer) != got.out:
        found.append("out")
    if (answer.st or got.st) and _kept(expected_pages(answer), left_out) != _kept(got.st, left_out):
        found.append("st")
    return found


def _grant_differences(answer: Answer, got: Got) -> list[str]:
    """Return the fields that only grant operations give, if they differ."""
    found = ["hrc"] if answer.hrc != got.hrc else []
    if (answer.handle is None) != (got.handle is None):
        found.append("handle")
    if (answer.dev is None) != (got.dev is None):
        found.append("dev")
    return found


def _kept(pages: dict[str, Seen], left_out: frozenset[str]) -> dict[str, Seen]:
    return {name: state for name, state in pages.items() if name not in left_out} if left_out else pages


def _shown_value(value: EntryRef | None) -> Shown | None:
    return (value.frame, value.flags) if isinstance(value, NamedEntry) else value


def _shown_out(answer: Answer) -> Out | None:
    """Return what was read or given as a list, however the case file writes it."""
    if isinstance(answer.out, PortStatus):
        return answer.out.status, answer.out.vcpu, answer.out.u
    return (answer.out,) if isinstance(answer.out, int) else answer.out


def _shown_fault(answer: Answer) -> tuple[int, int] | None:
    return None if answer.fault is None else (answer.fault.vec, answer.fault.err)


def _same_value(expected: EntryRef | None, got: Shown | None, unnamed: Unnamed) -> bool:
    """Return whether both are the same value, or equal flags with frames that have no name."""
    if _shown_value(expected) == got:
        return True
    if not isinstance(expected, int) or not isinstance(got, int) or (expected ^ got) & FLAG_BITS:
        return False
    mine, real = pte.target(got), pte.target(expected)
    if mine == XEN_TABLES:
        return True
    if mine not in unnamed:
        return False
    if unnamed[mine] is None and real not in unnamed.values():
        unnamed[mine] = real
    return unnamed[mine] == real


def shown_answer(answer: Answer) -> Mapping[str, object]:
    """Return what real Xen answered, as a report shows it: in the form of the case files."""
    fault = None if answer.fault is None else (answer.fault.vec, answer.fault.err)
    value = _shown_value(answer.val)
    out, pages = _shown_out(answer), expected_pages(answer)
    told_back = Got(answer.rc, answer.done, value, fault, answer.cr2off, answer.new, out, pages)
    told_back.hrc, told_back.handle, told_back.dev = answer.hrc, answer.handle, answer.dev
    return shown(told_back)


def shown(got: Got) -> Mapping[str, object]:
    """Return an answer in the form of the case files."""
    fields: dict[str, object] = {
        "rc": got.rc,
        "done": got.done,
        "val": got.val,
        "fault": None if got.fault is None else {"vec": got.fault[0], "err": got.fault[1]},
        "cr2off": got.cr2off,
        "new": got.new,
        "out": got.out,
        "hrc": got.hrc,
        "handle": got.handle,
        "dev": got.dev,
        "failure": got.failure,
        "st": {name: list(state) for name, state in got.st.items()} or None,
    }
    return {name: item for name, item in fields.items() if item is not None}
