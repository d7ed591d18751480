"""The duel itself: real Xen answers, the model is held against each answer, differences are pursued.

A case that disagrees is asked again, since real Xen can be preempted at a moment that the model does not
know. What disagrees every time is shortened by asking: operations are left out, then requests of batches, as
long as the same operation still differs in the same fields. Deviations of real Xen from what must hold are
recognised by the judge and counted apart.
"""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Final, Literal, Protocol

from xenproofs.duel.events import Disagreement, DuelReport, Event, Found, Progress, Shortened, Shortening
from xenproofs.duel.feed import Feed, Respondent
from xenproofs.duel.generate import FAMILIES, nth
from xenproofs.duel.limit import limited
from xenproofs.duel.minimise import Budget, minimise
from xenproofs.judge.oracle.verdict import CaseVerdict
from xenproofs.judge.trace.cases import Case
from xenproofs.judge.trace.questions import Question, parts, read_ops, with_parts
from xenspec.errors import BadInput

REPEATS: Final = 2
"""How often a case that disagrees is asked again."""
RARELY: Final = 100_000
"""New objects before the collector looks for cycles: cases leave next to none."""
MODEL_SECONDS: Final = 3.0
"""Processor time after which the model is taken never to end a case; it needs some milliseconds."""
MOST_SHORTENED: Final = 10
"""Disagreements that are shortened; further ones are counted."""


class Judge(Protocol):
    """Holds the model against the answers of a case."""

    def play(self, case: Case, /) -> CaseVerdict:
        """Return how the case ended."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask, and how much.

    Args:
        seed: the cases follow from it, the families and who asks.
        by: who asks.
        families: generators to draw from, in turn.
        cases: how many; None: until the time is over.
        seconds: after which no further batch is asked; None: no limit.
        batch: cases in a batch.
        budget: questions that shortening one disagreement may take.
    """

    seed: int
    by: Literal["dom0", "guest"] = "dom0"
    families: tuple[str, ...] = tuple(FAMILIES)
    cases: int | None = None
    seconds: float | None = None
    batch: int = 400
    budget: int = 2000

    def check(self) -> None:
        """Refuse families that do not exist.

        Raises:
            BadInput: there is one.
        """
        unknown = [name for name in self.families if name not in FAMILIES]
        if unknown:
            raise BadInput(f"no family {', '.join(unknown)}; there are {', '.join(FAMILIES)}")

    def questions(self) -> Iterator[Question]:
        """Yield the questions, always the same ones."""
        indices: Iterator[int] = count()
        for index in indices if self.cases is None else islice(indices, self.cases):
            case = nth(self.seed, index, self.families, 0 if self.by == "dom0" else 1)
            yield Question(case.name, self.by, case.pages, case.foreign, read_ops(case.ops))


class Duel:
    """One run.

    Args:
        plan: what to ask.
        xen: who answers.
        judge: who holds the model against the answers.
        tell: is told of everything that happens.
        keep: is given every case as it was judged, but those in which real Xen deviates from what must
            hold: what triggers that is for its maintainers first.
    """

    def __init__(
        self,
        plan: Plan,
        xen: Respondent,
        judge: Judge,
        tell: Callable[[Event], None],
        keep: Callable[[Case], None] | None = None,
    ) -> None:
        self._plan: Final = plan
        self._xen: Final = xen
        self._judge: Final = judge
        self._tell: Final = tell
        self._keep: Final = keep
        self.report: Final = DuelReport(plan.seed, plan.by)
        self.stop = False
        """Set it to end the run after the batch in progress."""

    def run(self) -> None:
        """Ask, judge and pursue until the plan is fulfilled; `report` grows with it."""
        begun = time.monotonic()
        seconds = self._plan.seconds

        def closed() -> bool:
            return self.stop or (seconds is not None and time.monotonic() - begun > seconds)

        feed = Feed(self._xen, self._plan.questions(), self._plan.batch, closed)
        thresholds = gc.get_threshold()
        gc.set_threshold(RARELY)
        try:
            for answered in feed:
                suspects = [(question, case) for question, case in answered if not self._agrees(case)]
                if suspects:
                    feed.pause()
                for question, case in suspects:
                    self._pursue(question, case)
                self.report.seconds = time.monotonic() - begun
                self._tell(Progress(self.report))
        finally:
            gc.set_threshold(*thresholds)

    def _agrees(self, case: Case) -> bool:
        """Judge a case and count it, unless it disagrees."""
        verdict = self._play(case)
        if isinstance(verdict, str) or case.crash is not None or verdict.diverged is not None:
            return False
        self._count(case, kept=verdict.agrees)
        self.report.agreed += verdict.agrees
        self.report.deviations.update(verdict.deviations)
        return True

    def _play(self, case: Case) -> CaseVerdict | str:
        """Return the verdict; or the exception that the model raised, which is a disagreement like others."""
        try:
            with limited(MODEL_SECONDS):
                return self._judge.play(case)
        except Exception as error:  # noqa: BLE001 - whatever it is, the case that raises it is the finding
            return f"{type(error).__name__}: {error}"

    def _count(self, case: Case, *, kept: bool = True) -> None:
        self.report.cases += 1
        self.report.ops += len(case.ops)
        if self._keep is not None and kept:
            self._keep(case)

    def _pursue(self, question: Question, case: Case) -> None:
        """Ask a case again that disagreed; believe it, and shorten it, if it always does."""
        again = self._xen.ask([question] * REPEATS)
        if not all(self._differs(question, other) for other in again):
            self.report.transient += 1
            agreeing = next(other for other in again if self._differs(question, other) is None)
            self._agrees(agreeing)
            return
        first = self._differs(question, case)
        self._count(case)
        if first is None:
            raise RuntimeError("the model judges one case in two ways")
        if len(self.report.disagreed) >= MOST_SHORTENED:
            self.report.disagreed_unexplored += 1
            return
        self._tell(Found(first))
        shortest = self._shorten(first)
        self.report.disagreed.append(shortest)
        self._tell(Shortened(shortest))

    def _differs(self, question: Question, case: Case) -> Disagreement | None:
        """Return what differs between a case's answers and the model's, if anything does."""
        played, ops = self._play(case), question.ops
        if isinstance(played, str):
            return Disagreement(question, len(ops) - 1, ("model raised",), None, {"raised": played}, len(ops))
        found = played.diverged
        if found is not None:
            fields, index = found.fields, max(found.index, 0)
            return Disagreement(question, index, fields, found.expected, found.answered, len(ops))
        if case.crash is None:
            return None
        index, xen = min(len(case.ops), len(ops) - 1), {"crash": case.crash, "log": case.log}
        return Disagreement(question, index, ("crash",), xen, None, len(ops))

    def _shorten(self, first: Disagreement) -> Disagreement:
        """Leave out operations, then requests of batches, as long as the same difference shows."""
        budget = Budget(self._plan.budget)
        best = [first]

        def shows(candidates: Sequence[Question]) -> int | None:
            for number, case in enumerate(self._xen.ask(candidates)):
                found = self._differs(candidates[number], case)
                if found is not None and found.kind == first.kind:
                    asked = self._plan.budget - budget.left
                    best[0] = replace(found, found_ops=first.found_ops, asked=asked)
                    self._tell(Shortening(len(found.question.ops), asked, self._plan.budget))
                    return number
            return None

        question = first.question
        story = question.shortened(question.ops[: first.index + 1])
        if budget.take(1) and shows([story]) is not None:
            question = story
        ops = minimise(
            question.ops, lambda lists: shows([question.shortened(ops) for ops in lists]), budget, least=1
        )
        _shorten_batches(question.shortened(ops), shows, budget)
        return replace(best[0], asked=self._plan.budget - budget.left)


def _shorten_batches(
    question: Question, shows: Callable[[Sequence[Question]], int | None], budget: Budget
) -> None:
    """Leave out requests of each batch in turn, the last one first."""
    for place in reversed(range(len(question.ops))):
        question = _shorten_batch(question, place, shows, budget)


def _shorten_batch(
    question: Question, place: int, shows: Callable[[Sequence[Question]], int | None], budget: Budget
) -> Question:
    """Leave out requests of the batch that is operation number `place`."""
    op = question.ops[place]

    def keeping(kept: Sequence[int]) -> Question:
        ops = list(question.ops)
        ops[place] = with_parts(op, kept)
        return question.shortened(ops)

    every = range(parts(op))
    kept = minimise(every, lambda lists: shows([keeping(one) for one in lists]), budget, least=1)
    return keeping(kept)
