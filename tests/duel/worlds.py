"""What the tests of the duel share: questions to ask, and stand-ins for real Xen and for the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import strategies as st

from xenproofs.duel.generate import FAMILIES, nth
from xenproofs.duel.live.request import Page, Places
from xenproofs.duel.live.tools import Missing, Tools, find_tools
from xenproofs.judge.oracle.compare import Got
from xenproofs.judge.oracle.start import BOOT, FIRST_VA, FOREIGN_FRAMES, OWN_PAGES, SPECIAL
from xenproofs.judge.oracle.verdict import CaseVerdict, Divergence
from xenproofs.judge.trace.cases import Answer, Case, CaseStep, Operation
from xenproofs.judge.trace.questions import Question, read_ops
from xenspec.vocabulary import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xenproofs.judge.trace.naming import SpecialName

VIRT_BASE: Final = 0xFFFFFFFF80000000
SPECIAL_FRAMES: Final[tuple[SpecialName, ...]] = (
    "bootl4",
    "bootl3",
    "bootl2",
    "bootl1",
    "shinfo",
    "gnt0",
    "startinfo",
    "xen",
    "invalid",
    "mmio_vga",
    "mmio_lapic",
)


def question(seed: int, index: int, families: tuple[str, ...] = tuple(FAMILIES)) -> Question:
    """Give a case of the generators as a question of Domain0."""
    case = nth(seed, index, families)
    return Question(case.name, "dom0", case.pages, case.foreign, read_ops(case.ops))


questions = st.builds(question, st.integers(0, 2**32), st.integers(0, len(FAMILIES) - 1))
"""Questions of every family."""


def places(asked: Question) -> Places:
    """Give the frames and addresses that the model's own start has: its translations can be compared."""
    first = FIRST_VA["dom0"]
    table = BOOT[3] * PAGE_SIZE
    return Places(
        tuple(
            Page(OWN_PAGES + i, first + i * PAGE_SIZE, 0, table + ((first >> 12 & 511) + i) * 8)
            for i in range(asked.np)
        ),
        tuple(Page(FOREIGN_FRAMES + i) for i in range(asked.nf)),
        {name: SPECIAL[name] for name in SPECIAL_FRAMES},
        VIRT_BASE,
    )


def answered(asked: Question, *, crash: str | None = None, ops: int | None = None) -> Case:
    """Give a case in which every operation was answered with 0."""
    steps = tuple(CaseStep(op, Answer(0)) for op in asked.ops[:ops])
    return Case(asked.id, asked.by, asked.np, asked.nf, steps, crash=crash)


class Echo:
    """Stands in for real Xen: answers everything with 0, a few questions at a time.

    Args:
        at_once: questions that it takes at once.
        deadly: ids of questions that end the machine, once each.
    """

    def __init__(self, at_once: int = 1000, deadly: Sequence[str] = ()) -> None:
        self.at_once = at_once
        self.deadly = list(deadly)
        self.asked = 0
        self._taken: list[Question] = []

    def begin(self, given: Sequence[Question]) -> int:
        """Take some questions."""
        assert not self._taken
        assert given
        self._taken = list(given[: self.at_once])
        return len(self._taken)

    def collect(self) -> list[Case]:
        """Answer up to the first deadly question."""
        cases: list[Case] = []
        taken, self._taken = self._taken, []
        for asked in taken:
            self.asked += 1
            if asked.id in self.deadly:
                self.deadly.remove(asked.id)
                return [*cases, answered(asked, crash="crash", ops=1)]
            cases.append(answered(asked))
        return cases

    def ask(self, given: Sequence[Question]) -> list[Case]:
        """Answer all."""
        cases: list[Case] = []
        while len(cases) < len(given):
            self.begin(given[len(cases) :])
            cases += self.collect()
        return cases


class Planted:
    """Stands in for the model: it answers wrongly where `wrong` finds the place of an operation."""

    def __init__(self, wrong: Callable[[Sequence[Operation]], int | None]) -> None:
        self._wrong = wrong

    def play(self, case: Case) -> CaseVerdict:
        """Judge a case."""
        place = self._wrong([step.ask for step in case.ops])
        if place is None:
            return CaseVerdict(len(case.ops), len(case.ops))
        return CaseVerdict(len(case.ops), place, Divergence(case, place, ("rc",), Got(-22)))


def tools_or_skip(*, guest: bool = False) -> Tools:
    """Give what a live Xen needs, or skip the test openly."""
    found = find_tools(guest=guest)
    if isinstance(found, Missing):
        pytest.skip(f"no live Xen here: {found.reason}")
    return found
