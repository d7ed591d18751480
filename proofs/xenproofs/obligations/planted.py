"""Finding planted bugs: by obligations that need no solver, else by a concrete state that is really run."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xenmodel.step import WRITES
from xenproofs.bugs.rewriter import edited_function
from xenproofs.obligations.concrete import Ran, run_counterexample
from xenproofs.obligations.refuter import refute
from xenproofs.obligations.subjects import Subject, subject, subjects
from xenproofs.symbolic.paths import Path, explore
from xenproofs.symbolic.scope import Unbounded
from xenproofs.symbolic.state import SymbolicMachine

if TYPE_CHECKING:
    from xenproofs.bugs.catalogue import Bug


@dataclass(frozen=True, slots=True)
class Finding:
    """How a planted bug was found, or that it was not."""

    bug: str
    found: bool
    seconds: float
    note: str
    ran: Ran | None = None
    """What the edited step really did from the state that was found."""


def planted(bug: Bug) -> Subject:
    """Return the step with the bug."""
    whole = subjects()[bug.step]
    if bug.undeclared:
        return replace(whole, writes=whole.writes - {bug.undeclared})
    function = edited_function(bug.module, bug.step, (bug.edit,))
    return subject(bug.step, function, frozenset(WRITES[bug.step]))


def find(bug: Bug) -> Finding:
    """Look for what the bug must break."""
    began = time.perf_counter()
    edited = planted(bug)
    if bug.falls in ("refusal", "declared writes"):
        notes = structural(edited, bug.falls)
        return Finding(bug.name, bool(notes), time.perf_counter() - began, "; ".join(notes))
    search = refute(edited, (bug.falls,))
    if search.found is None:
        return Finding(bug.name, found=False, seconds=search.seconds, note=search.verdict.value)
    ran = run_counterexample(edited, search.found)
    note = f"breaks {', '.join(search.found.broken)}"
    return Finding(bug.name, found=True, seconds=time.perf_counter() - began, note=note, ran=ran)


def structural(edited: Subject, what: str) -> list[str]:
    """Return the paths that write on a refusal, or write what is not declared."""
    notes: list[str] = []
    machines: list[SymbolicMachine] = []

    def run(path: Path) -> None:
        machines.append(SymbolicMachine(path, Unbounded()))
        path.outcome = edited.run(machines[-1])

    for path in explore(run, lambda _: True):
        written = set(machines[-1].written())
        if what == "refusal" and path.outcome != "done" and written:
            notes.append(f"{path.outcome}, but wrote {', '.join(sorted(written))}")
        if what == "declared writes" and path.outcome == "done" and written - edited.writes:
            notes.append(f"wrote {', '.join(sorted(written - edited.writes))}")
    return notes
