"""Results of the test kernel as answers: the oracle's format, names in place of frame numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeGuard, get_args

from xenmodel.abi import pte
from xenproofs.duel.live import protocol
from xenproofs.duel.live.port_answers import port_answer
from xenproofs.duel.live.request import FLAG_BITS, MASK, Places
from xenproofs.judge.trace.case_ops import (
    MmuExtOp,
    MmuUpdateOp,
    PageInfoOp,
    ReadOp,
    ReservationOp,
    WriteOp,
)
from xenproofs.judge.trace.case_ports import EvtCaseOp, GntCaseOp
from xenproofs.judge.trace.cases import Answer, Case, CaseStep, Fault, Operation, PageState, TypeWord
from xenproofs.judge.trace.naming import EntryRef, ForeignName, FrameName, NamedEntry, OldName, PageName
from xenproofs.judge.trace.questions import Question

USUAL: Final = PageState("wr", 1, "v", 2, "a")
"""How a page of the asking domain begins, unless the case says otherwise."""
TYPES: Final[tuple[TypeWord, ...]] = ("none", "l1", "l2", "l3", "l4", "seg", "shared", "wr")
TYPE_FLAGS: Final = ((60, "L"), (59, "p"), (58, "v"), (57, "x"), (56, "t"), (55, "n"))
TYPE_SHIFT: Final = 61
TYPE_COUNT: Final = (1 << 55) - 1
ALLOCATED, XEN_HEAP = 1 << 63, 1 << 62
STATE_SHIFT, STATE_FREE = 58, 3
OTHER_SHIFT, OTHER_BITS = 52, 0x3FF
REF_COUNT: Final = (1 << 52) - 1
PAGE_FAULT: Final = 14
PAGES: Final[tuple[PageName, ...]] = get_args(PageName)
FOREIGN: Final[tuple[ForeignName, ...]] = get_args(ForeignName)
OLD: Final = frozenset(get_args(OldName))
NAMES_KEPT: Final = 2
"""How many new frames of one call get their page's name in answers: part of the format."""


@lru_cache(maxsize=4096)
def page_state(count: int, kind: int) -> PageState:
    """Return what the count word and the type word of a `struct page_info` say.

    A free frame's words mean other things; it is shown without type and references.
    """
    if count >> STATE_SHIFT & 3 == STATE_FREE or not count | kind:
        return PageState("free", 0, "", 0, "")
    other = count >> OTHER_SHIFT & OTHER_BITS
    held = "a" * bool(count & ALLOCATED) + "h" * bool(count & XEN_HEAP) + (f"/{other:x}" if other else "")
    flags = "".join(letter for bit, letter in TYPE_FLAGS if kind >> bit & 1)
    return PageState(TYPES[kind >> TYPE_SHIFT], kind & TYPE_COUNT, flags, count & REF_COUNT, held)


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer as the kernel wrote it, and the page_info of the case's frames after it."""

    rc: int
    out: tuple[int, int, int]
    fault: int
    fault_address: int
    pages: bytes


def is_old(name: str) -> TypeGuard[OldName]:
    """Return whether this is the name of a frame that a page had before."""
    return name in OLD


@dataclass(slots=True)
class Names:
    """What frames are called in answers, at one moment of a case."""

    by_frame: dict[int, FrameName | OldName] = field(default_factory=dict[int, FrameName | OldName])

    def replace(self, page: FrameName, mfn: int) -> None:
        """Let a page's name mean a new frame; the frame before is called `pN~`."""
        was = f"{page}~"
        for old in [frame for frame, name in self.by_frame.items() if name == page]:
            if is_old(was):
                self.by_frame[old] = was
        self.by_frame[mfn] = page

    def word(self, value: int) -> EntryRef:
        """Return a word, as an entry where its frame has a name."""
        name = self.by_frame.get(pte.target(value))
        return value if not value or name is None else NamedEntry(name, value & FLAG_BITS)


def names_at(places: Places) -> Names:
    """Return the names with which a case begins."""
    names = Names()
    names.by_frame.update((mfn, name) for name, mfn in places.special.items() if mfn)
    names.by_frame.update((page.mfn, name) for page, name in zip(places.pages, PAGES, strict=False))
    names.by_frame.update((page.mfn, name) for page, name in zip(places.foreign, FOREIGN, strict=False))
    return names


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a case takes place, and what frames are called at this moment."""

    names: Names
    places: Places


@dataclass(frozen=True, slots=True)
class Ended:
    """How a case ended before its time."""

    how: str
    log: str


def decode(
    data: bytes, question: Question, places: Places, *, readable: bool, ended: Ended | None = None
) -> Case:
    """Return a case with the answers that a result gives."""
    frames = len(places.pages) + len(places.foreign)
    answered, left, remembered = protocol.RESULT.unpack_from(data)
    raws = _raws(data, protocol.RESULT.size, answered + 1, frames)
    shown = [*PAGES[: len(places.pages)], *FOREIGN[: len(places.foreign)]]
    names, before, steps = names_at(places), raws[0].pages, list[CaseStep]()
    for op, raw in zip(question.ops, raws[1:], strict=False):
        changed = _changes(shown, before, raw.pages) if readable and raw.pages != before else {}
        before = raw.pages
        steps.append(CaseStep(op, _answer(op, raw, Scene(names, places), changed)))
    return Case(
        id=question.id,
        by=question.by,
        np=question.np,
        nf=question.nf,
        ops=tuple(steps),
        init=_beginning(shown, raws[0].pages, question) if readable else None,
        cleanup=left or None,
        crash=ended.how if ended else None,
        log=ended.log if ended else None,
        remembered=remembered,
    )


def _raws(data: bytes, offset: int, count: int, frames: int) -> list[Raw]:
    width = frames * protocol.PAGE_INFO.size
    raws: list[Raw] = []
    for _ in range(count):
        rc, *rest = protocol.ANSWER.unpack_from(data, offset)
        first, second, third, fault, address = rest
        offset += protocol.ANSWER.size
        raws.append(Raw(rc, (first, second, third), fault, address, data[offset : offset + width]))
        offset += width
    return raws


def _states(pages: bytes) -> list[PageState]:
    return [page_state(count, kind) for count, kind in protocol.PAGE_INFO.iter_unpack(pages)]


def _changes(shown: Sequence[str], before: bytes, after: bytes) -> dict[str, PageState]:
    pairs = zip(shown, _states(before), _states(after), strict=True)
    return {name: new for name, old, new in pairs if new != old}


def _beginning(shown: Sequence[str], pages: bytes, question: Question) -> dict[str, PageState] | None:
    states = dict(zip(shown, _states(pages), strict=True))
    unusual = question.nf or any(state != USUAL for state in states.values())
    return states if unusual else None


def _answer(op: Operation, raw: Raw, scene: Scene, changed: dict[str, PageState]) -> Answer:
    if isinstance(op, EvtCaseOp | GntCaseOp):
        return port_answer(op, raw.rc, raw.out, scene.names.by_frame, changed)
    fault = Fault(raw.fault >> 32 & 0xFF, raw.fault & 0xFFFFFFFF) if raw.fault else None
    done: int | None = None
    value: EntryRef | None = None
    cr2off: int | None = None
    new: int | None = None
    match op:
        case MmuUpdateOp() | MmuExtOp():
            done = None if raw.rc == protocol.GUARDED else _told(raw.out[0])
        case ReadOp():
            value = None if fault else scene.names.word(raw.out[0])
        case PageInfoOp():
            value = raw.out[0] >> 28 & 0xF
        case WriteOp():
            if fault and fault.vec == PAGE_FAULT:
                cr2off = raw.fault_address - scene.places.va(op.va)[0] & MASK
        case ReservationOp():
            done = raw.out[0] if op.cmd == "exchange" else None
            new = 1 if _hand_out(op, raw, scene.names) else None
        case _:
            pass
    return Answer(raw.rc, done=done, val=value, fault=fault, cr2off=cr2off, new=new, st=changed)


def _told(done: int) -> int | None:
    return None if done == protocol.NOT_TOLD else done


def _hand_out(op: ReservationOp, raw: Raw, names: Names) -> bool:
    """Give new frames their names; return whether there are any."""
    if op.cmd == "exchange":
        known = 1 if raw.rc == 0 else 0
    else:
        known = min(raw.rc, NAMES_KEPT) if raw.rc > 0 and op.cmd != "decrease" else 0
    for page, mfn in zip(op.extents, raw.out[1 : 1 + known], strict=False):
        if not isinstance(page, int):
            names.replace(page, mfn)
    return known > 0
