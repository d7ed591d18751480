"""Playing one case: every operation in order, and after each what changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from xenmodel.views import FrameView
from xenproofs.judge.oracle.ask import ASK
from xenproofs.judge.oracle.compare import Got, differences
from xenproofs.judge.oracle.harness import Harness
from xenproofs.judge.oracle.names import Names
from xenproofs.judge.oracle.pages import FREE, Seen, seen
from xenproofs.judge.oracle.start import Asker, Bench
from xenproofs.judge.trace.case_ops import CaseOp
from xenproofs.judge.trace.cases import Answer, Case
from xenspec.vocabulary import Mfn

RAW: Final[Callable[[FrameView], tuple[object, ...]]] = attrgetter(
    "type", "type_count", "pinned", "validated", "partial", "noncoherent", "ref_count", "allocated"
)
"""The fields of a frame that answers show, in one look."""


def op_name(op: CaseOp) -> str:
    """Return the name by which case files call an operation."""
    return str(op.__struct_config__.tag)


@dataclass(frozen=True, slots=True)
class Divergence:
    """An answer in which model and real Xen differ, and in which fields; `index` counts operations from 0."""

    case: str
    index: int
    fields: tuple[str, ...]
    op: CaseOp
    expected: Answer
    got: Got


@dataclass(frozen=True, slots=True)
class CaseVerdict:
    """How a case ended: agreed if nothing diverged and all of it is modelled."""

    ops: int
    agreed: int
    diverged: Divergence | None = None
    not_modelled: tuple[str, ...] = ()


class Observer:
    """Watches the pages of a case: what changed since the last look."""

    def __init__(self, harness: Harness) -> None:
        self._harness: Final = harness
        self._names = dict[str, Mfn]()
        self._rows = list[tuple[str, FrameView]]()
        self._known: Final[dict[str, Seen]] = {}
        self._raw: Final[dict[str, tuple[object, ...]]] = {}
        self._find_rows()
        for name, row in self._rows:
            self._raw[name] = RAW(row)
            self._known[name] = seen(row)

    @property
    def known(self) -> Mapping[str, Seen]:
        """The pages as they were at the last look."""
        return self._known

    def changes(self) -> dict[str, Seen]:
        """Return the pages whose page_info changed; note the frames that became free."""
        raw, changed = self._raw, dict[str, Seen]()
        if self._names != self._harness.names.frames:
            self._find_rows()
        for name, row in self._rows:
            now = RAW(row)
            if now == raw[name]:
                continue
            raw[name] = now
            state = seen(row)
            if state != self._known[name]:
                self._known[name] = changed[name] = state
                self._note_freed(name, state)
        return changed

    def _find_rows(self) -> None:
        self._names = dict(self._harness.names.frames)
        frames = self._harness.start.machine.frames
        self._rows = [(name, frames[mfn]) for name, mfn in self._names.items()]

    def _note_freed(self, name: str, state: Seen) -> None:
        mfn = self._names[name]
        if state == FREE and mfn not in self._harness.freed:
            self._harness.freed.append(mfn)


class Player:
    """Plays cases one after another, each on a machine of its own."""

    def __init__(self) -> None:
        self._benches: Final[dict[Asker, Bench]] = {"dom0": Bench("dom0"), "guest": Bench("guest")}

    def play(self, case: Case) -> CaseVerdict:
        """Play a case up to its first divergence."""
        unknown = [step.ask for step in case.ops if type(step.ask) not in ASK]
        if unknown:
            return CaseVerdict(len(case.ops), 0, not_modelled=tuple(op_name(op) for op in unknown))
        begun = self._benches[case.by].start(case.np, case.nf)
        harness = Harness(begun, Names(begun, case.np, case.nf))
        observer = Observer(harness)
        for index, step in enumerate(case.ops):
            harness.changes = frozenset(step.answer.st)
            got = ASK[type(step.ask)](harness, step.ask)
            got.st = observer.changes()
            wrong = differences(step.answer, got)
            if wrong:
                diverged = Divergence(case.id, index, tuple(wrong), step.ask, step.answer, got)
                return CaseVerdict(len(case.ops), index, diverged)
        return CaseVerdict(len(case.ops), len(case.ops))
