"""How a duel runs: every question is answered once, whatever the machine does; nothing is believed early."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tests.duel.worlds import Echo, Planted, question
from xenproofs.duel.duel import Duel, Plan
from xenproofs.duel.feed import Feed
from xenproofs.judge.oracle.verdict import CaseVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from xenproofs.judge.trace.cases import Case, Operation

AGREES = Planted(lambda _: None)


@given(st.data())
def test_every_question_is_answered_once_and_in_order(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 30))
    asked = [question(3, index) for index in range(count)]
    deadly = [one.id for one in asked if data.draw(st.booleans())] if count < 10 else []
    xen = Echo(data.draw(st.integers(1, 9)), deadly)
    feed = Feed(xen, iter(asked), data.draw(st.integers(1, 12)), lambda: False)
    seen: list[str] = []
    for answered in feed:
        assert all(one.id == case.id for one, case in answered)
        seen += [case.id for _, case in answered]
        if data.draw(st.booleans()):
            feed.pause()
            assert xen.ask([question(4, 0)])
    assert seen == [one.id for one in asked]


def test_a_closed_feed_still_delivers_what_was_asked() -> None:
    closings = iter([False, False, True, True])
    feed = Feed(Echo(), (question(3, index) for index in range(100)), 10, lambda: next(closings))
    assert sum(len(answered) for answered in feed) == 20


def test_a_death_of_the_machine_is_a_disagreement_only_if_it_repeats() -> None:
    first = question(9, 0)
    once, always = Echo(deadly=[first.id]), Echo(deadly=[first.id] * 99)
    for xen, disagreements in ((once, 0), (always, 1)):
        duel = Duel(Plan(9, cases=5, budget=20), xen, AGREES, lambda _: None)
        duel.run()
        assert (len(duel.report.disagreed), duel.report.cases) == (disagreements, 5)
        assert duel.report.transient == 1 - disagreements


class Moody:
    """A model whose first verdict on each case is that it disagrees."""

    def __init__(self, wrong: Planted) -> None:
        self._seen: set[str] = set()
        self._wrong = wrong

    def play(self, case: Case) -> CaseVerdict:
        """Judge a case."""
        if case.id in self._seen:
            return CaseVerdict(len(case.ops), len(case.ops))
        self._seen.add(case.id)
        return self._wrong.play(case)


def test_what_agrees_when_asked_again_is_counted_as_transient() -> None:
    duel = Duel(Plan(9, cases=8), Echo(), Moody(Planted(lambda _: 0)), lambda _: None)
    duel.run()
    report = duel.report
    assert (report.cases, report.agreed, report.transient, report.disagreed) == (8, 8, 8, [])


class Broken:
    """A model that raises."""

    def play(self, case: Case) -> CaseVerdict:
        """Raise where a case has a second operation of the same kind as its first."""
        kinds = [step.ask.__struct_config__.tag for step in case.ops]
        if kinds[0] in kinds[1:]:
            raise KeyError("no such row")
        return CaseVerdict(len(kinds), len(kinds))


def test_a_model_that_raises_is_a_disagreement_and_is_shortened() -> None:
    duel = Duel(Plan(9, families=("linear",), cases=1), Echo(), Broken(), lambda _: None)
    duel.run()
    (found,) = duel.report.disagreed
    assert found.fields == ("model raised",)
    assert found.model == {"raised": "KeyError: 'no such row'"}
    assert len(found.question.ops) == 2


def test_deviating_cases_are_counted_apart_and_not_kept() -> None:
    def deviates(case: Case) -> CaseVerdict:
        return CaseVerdict(len(case.ops), 0, deviations=("D1",) if case.id.endswith("-3") else ())

    judge, kept = Planted(lambda _: None), list[str]()
    judge.play = deviates  # type: ignore[method-assign]
    duel = Duel(Plan(9, cases=6), Echo(), judge, lambda _: None, lambda case: kept.append(case.id))
    duel.run()
    assert dict(duel.report.deviations) == {"D1": 1}
    assert (duel.report.cases, duel.report.agreed, len(kept)) == (6, 5, 5)


def test_the_same_seed_asks_the_same_questions() -> None:
    def ops(seed: int) -> list[Sequence[Operation]]:
        return [one.ops for one in islice(Plan(seed).questions(), 30)]

    assert ops(5) == ops(5)
    assert ops(5) != ops(6)


class Endless:
    """A model that does not end a case."""

    def play(self, case: Case) -> CaseVerdict:
        """Go round for ever."""
        while True:
            self.case = case


def test_a_model_that_never_ends_is_a_disagreement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xenproofs.duel.duel.MODEL_SECONDS", 0.02)
    duel = Duel(Plan(9, families=("linear",), cases=1, budget=3), Echo(), Endless(), lambda _: None)
    duel.run()
    (found,) = duel.report.disagreed
    assert found.fields == ("model raised",)
    assert found.model == {"raised": "TimeoutError: no end after 0.02 s of processor time"}
