"""What becomes of an obligation that is not proved: a state that breaks it, and whether a guest gets there.

`find_states` asks the refuter for a finite state that satisfies every invariant and from which the step
breaks one; the state is loaded into the executable and the step really runs there. Such an obligation is
`not inductive`: the invariants allow a state from which they are broken, but nothing says that it can be
reached. `find_story` then has hostile guests look for a way: what they break is `violated`, with the calls
that lead to it. What neither finds stays `undecided`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import chain, repeat
from textwrap import indent
from typing import TYPE_CHECKING, Final

from xenproofs.machines.episode import Plan
from xenproofs.machines.fuzz import Campaign
from xenproofs.machines.story import Story, as_text
from xenproofs.obligations.concrete import run_counterexample
from xenproofs.obligations.outcomes import Kind, Outcome, StepReport
from xenproofs.obligations.refuter import Counterexample, refute

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xenproofs.obligations.subjects import Subject

SEARCHES: Final = 4
"""States looked for, for each step; each may break several invariants."""
STORY_SECONDS: Final = 30
NUMBERED: Final = re.compile(r" \(\d+\)$")
"""What tells claims of one name apart."""


def bare(statement: str) -> str:
    """Return an obligation's statement as the refuter names it."""
    return NUMBERED.sub("", statement)


def find_states(subject: Subject, report: StepReport) -> None:
    """Look for states from which the step breaks what is undecided of it; the report is changed in place."""
    left = {bare(o.statement) for o in report.outcomes if o.kind is Kind.UNDECIDED and o.path >= 0}
    for _ in range(SEARCHES):
        if not left:
            return
        search = refute(subject, sorted(left))
        if search.found is None:
            note = f"; {search.verdict.value} in the finite instance"
            report.outcomes = [_noted(o, left, o.kind, o.note + note) for o in report.outcomes]
            return
        broken = left & set(search.found.broken)
        notes = chain([_told(subject, search.found)], repeat("the same state shows it"))
        report.outcomes = [
            _noted(o, broken, Kind.NOT_INDUCTIVE, next(notes)) if _open(o, broken) else o
            for o in report.outcomes
        ]
        left -= broken


def _open(outcome: Outcome, names: set[str]) -> bool:
    return outcome.kind is Kind.UNDECIDED and bare(outcome.statement) in names


def _noted(outcome: Outcome, names: set[str], kind: Kind, note: str) -> Outcome:
    return replace(outcome, kind=kind, note=note) if _open(outcome, names) else outcome


def _told(subject: Subject, found: Counterexample) -> str:
    """Tell of a state what the step does there, when it is really run."""
    ran = run_counterexample(subject, found)
    call = f"{found.step}({', '.join(ran.actors)})"
    return "\n    ".join(("state not shown reachable", f"{call}: {ran.outcome}", *ran.changed))


def find_story(reports: Sequence[StepReport], seconds: float = STORY_SECONDS, jobs: int = 1) -> Story | None:
    """Have hostile guests look for a way to break what is not inductive; mark what they break as violated."""
    left = {o.statement for r in reports for o in r.outcomes if o.kind is Kind.NOT_INDUCTIVE}
    if not left:
        return None
    for every_step in (False, True):
        plan = Plan(seed=1, every_step=every_step)
        found = Campaign(plan, seconds=seconds, jobs=jobs, shrink_seconds=seconds).run()
        for story in found.stories:
            broken = left & (story.breach.names | {story.breach.name})
            told = indent(as_text(story), "    ")
            notes = chain([f"reached by\n{told}"], repeat("the same story reaches it"))
            for r in reports:
                r.outcomes = [_reached(o, broken, notes) for o in r.outcomes]
            return story
    return None


def _reached(outcome: Outcome, broken: set[str], notes: Iterator[str]) -> Outcome:
    if outcome.kind is not Kind.NOT_INDUCTIVE or outcome.statement not in broken:
        return outcome
    return replace(outcome, kind=Kind.VIOLATED, note=next(notes))
