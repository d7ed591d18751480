"""Playing one case: every operation in order, and after each what changed."""

from collections.abc import Mapping
from typing import Final

from xenmodel.abi.event import WORD_PORTS
from xenmodel.views import FrameView
from xenproofs.judge.oracle.ask import ASK
from xenproofs.judge.oracle.checked import CheckedBench
from xenproofs.judge.oracle.compare import Got, differences
from xenproofs.judge.oracle.deviation import D1, d1_pages, names_any
from xenproofs.judge.oracle.harness import Harness
from xenproofs.judge.oracle.names import Names
from xenproofs.judge.oracle.pages import FREE, RAW, USUAL, Seen, seen, told
from xenproofs.judge.oracle.start import ASKERS, Bench, Start
from xenproofs.judge.oracle.verdict import START, Breach, CaseVerdict, Divergence, op_name
from xenproofs.judge.trace.case_ops import CaseOp
from xenproofs.judge.trace.case_ports import EvtCaseOp
from xenproofs.judge.trace.cases import Case


class Observer:
    """Watches the pages of a case: what changed since the last look."""

    def __init__(self, harness: Harness) -> None:
        self._harness: Final = harness
        self._version = harness.names.version
        self._names: Final = list(harness.names.frames)
        self._rows = self._find_rows()
        self._raw = list(map(RAW, self._rows))
        self.known: Final = dict(zip(self._names, map(seen, self._raw), strict=True))
        """The pages as they were at the last look."""
        self.replaced: Final[dict[str, Seen]] = {}
        """What the pages that the last look found changed were before."""

    def changes(self) -> dict[str, Seen]:
        """Return the pages whose page_info changed; note the frames that became free."""
        changed: dict[str, Seen] = {}
        self.replaced.clear()
        if self._version != self._harness.names.version:
            self._version = self._harness.names.version
            self._rows = self._find_rows()
        before, self._raw = self._raw, list(map(RAW, self._rows))
        if before == self._raw:
            return changed
        for name, raw, old in zip(self._names, self._raw, before, strict=True):
            if raw != old and (state := seen(raw)) != self.known[name]:
                self.replaced[name] = self.known[name]
                self.known[name] = changed[name] = state
                self._note_freed(name, state)
        return changed

    def _find_rows(self) -> list[FrameView]:
        frames = self._harness.start.machine.frames
        return [frames[mfn] for mfn in self._harness.names.frames.values()]

    def _note_freed(self, name: str, state: Seen) -> None:
        mfn = self._harness.names.frames[name]
        if state == FREE and mfn not in self._harness.freed:
            self._harness.freed.append(mfn)


class Player:
    """Plays cases one after another, each on a machine as new.

    `check` holds the invariants after every operation.
    """

    def __init__(self, *, check: bool = False) -> None:
        self._plain: Final = {} if check else {by: Bench(by) for by in ASKERS}
        self._checked: Final = {by: CheckedBench(by) for by in ASKERS} if check else {}

    def play(self, case: Case) -> CaseVerdict:
        """Play a case up to its first divergence."""
        unknown = tuple(op_name(step.ask) for step in case.ops if type(step.ask) not in ASK)
        if unknown:
            return CaseVerdict(len(case.ops), 0, not_modelled=unknown)
        checked = self._checked.get(case.by)
        begun = self._plain[case.by].restart() if checked is None else checked.restart()
        remember(begun, case.remembered)
        harness = Harness(begun, Names(begun, case.np, case.nf))
        observer = Observer(harness)
        if not _begins_so(case, observer.known):
            begun_as = Got(0, st=dict(observer.known))
            return CaseVerdict(len(case.ops), 0, Divergence(case, START, ("init",), begun_as))
        return _play_ops(case, harness, observer, checked)


def remember(begun: Start, ports: int) -> None:
    """Let Xen remember events of closed ports, bit by bit: their domain closed them while they waited."""
    for port in range(WORD_PORTS):
        if ports >> port & 1:
            begun.machine.ports[begun.domain, port].saved = True
    if ports:
        begun.machine.channels[begun.domain].honest = False


def _begins_so(case: Case, known: Mapping[str, Seen]) -> bool:
    """Return whether the pages begin as the case says; one that it does not list is mapped writable once."""
    given = {name: told(state) for name, state in (case.init or {}).items()}
    return all(state == given.get(name, USUAL) for name, state in known.items())


def _ask(harness: Harness, op: CaseOp) -> Got:
    """Put an operation to the model; that it fails is an answer too, and never the right one."""
    try:
        if harness.fifo.used and not isinstance(op, EvtCaseOp):
            got = ASK[type(op)](harness, op)
            harness.fifo.absorb()
            return got
        return ASK[type(op)](harness, op)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the model's answer to this case
        return Got(0, failure=f"{type(error).__name__}: {error}")


def _play_ops(case: Case, harness: Harness, observer: Observer, checked: CheckedBench | None) -> CaseVerdict:
    """Play every operation up to a divergence; after a deviation, pages that show it are left out."""
    total, agreed = len(case.ops), 0
    tainted: frozenset[str] = frozenset()
    breaches: list[Breach] = []
    diverged: Divergence | None = None
    for index, step in enumerate(case.ops):
        harness.changes = frozenset(step.answer.st)
        got = _ask(harness, step.ask)
        got.st = observer.changes()
        if checked is not None:
            breaches += [Breach(case, index, violation) for violation in checked.after_call()]
        wrong = differences(step.answer, got, tainted, harness.unnamed)
        if not wrong:
            agreed += 1
            continue
        shows = d1_pages(step.ask, step.answer, got, {**observer.known, **observer.replaced})
        if wrong == ["st"] and shows:
            tainted |= shows
            continue
        if not names_any(step.ask, tainted):
            diverged = Divergence(case, index, tuple(wrong), got)
        break
    return CaseVerdict(total, agreed, diverged, (D1,) if tainted else (), breaches=tuple(breaches))
