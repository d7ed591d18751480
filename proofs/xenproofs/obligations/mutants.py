"""The mutant run: each guard and statement of each step dropped in turn, and who notices.

`python -m xenproofs.obligations.mutants [--jobs N] [STEP …]` proves each mutant as it would prove the step.
Where an obligation is left unproved it looks for a state that shows what is broken. The table tells of each
mutant:

- `broken`: a state was found, and what falls there; or a refusal has written, or a write is not declared;
- `unproved`: no solver proves it any more, and no state was found within the bound of work;
- `vacuous`: no path ends well;
- `does not run`: the text without the statement makes no step;
- `survives`: everything is still proved. The guard is there for the errno, or for what no invariant says.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Final

from xenmodel.step import WRITES
from xenproofs.bugs.dropping import droppable
from xenproofs.bugs.rewriter import Edit, edited_function
from xenproofs.obligations.failing import bare
from xenproofs.obligations.outcomes import Kind
from xenproofs.obligations.proving import Options, StepProof
from xenproofs.obligations.refuter import refute
from xenproofs.obligations.subjects import subject, subjects

RLIMIT: Final = 1_000_000
"""Z3's bound for one obligation of a mutant: the longest proof of a step takes less."""
REFUTER_RLIMIT: Final = 20_000_000
NOTICED: Final = frozenset({"broken", "unproved", "vacuous", "does not run"})


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one mutant."""

    step: str
    dropped: str
    """The first line of the statement that was dropped."""
    fate: str
    by: tuple[str, ...] = ()
    """What falls, or is not proved any more."""


def judge(step: str, edit: Edit) -> Fate:
    """Prove a step without one of its statements."""
    whole = subjects()[step]
    dropped = edit.old.splitlines()[0]
    try:
        function = edited_function(whole.module, step, (edit,))
        edited = subject(step, function, frozenset(WRITES[step]))
        options = Options(cache=False, rlimit=RLIMIT, first_failure=True)
        report = StepProof(edited, options).prove()
    except (AttributeError, NameError, TypeError) as error:
        return Fate(step, dropped, "does not run", (str(error),))
    failed = report.failed
    if not failed:
        return Fate(step, dropped, "survives")
    names = tuple(dict.fromkeys(bare(o.statement) for o in failed))
    kinds = {o.kind for o in failed}
    if kinds == {Kind.VACUOUS}:
        return Fate(step, dropped, "vacuous", names)
    if Kind.VIOLATED in kinds:
        return Fate(step, dropped, "broken", names)
    found = refute(edited, names, rlimit=REFUTER_RLIMIT).found
    return (
        Fate(step, dropped, "unproved", names)
        if found is None
        else Fate(step, dropped, "broken", found.broken)
    )


def line_of(fate: Fate) -> str:
    """Return a row of the table."""
    by = f": {', '.join(fate.by)}" if fate.by else ""
    return f"{fate.step}: without `{fate.dropped}`: {fate.fate}{by}"


def main(names: list[str]) -> int:
    """Run the mutants of some steps, or of all; the result is never a failure, but a table to be read."""
    jobs = int(names[1]) if names[:1] == ["--jobs"] else 2
    names = names[2:] if names[:1] == ["--jobs"] else names
    chosen = [subjects()[name] for name in names] or list(subjects().values())
    work = [(s.name, edit) for s in chosen for edit in droppable(s.module, s.name)]
    counts: dict[str, int] = {}
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as executor:
        for done in as_completed([executor.submit(judge, *item) for item in work]):
            fate = done.result()
            counts[fate.fate] = counts.get(fate.fate, 0) + 1
            sys.stdout.write(line_of(fate) + "\n")
            sys.stdout.flush()
    noticed = sum(counts.get(fate, 0) for fate in NOTICED)
    by_fate = ", ".join(f"{count} {fate}" for fate, count in sorted(counts.items()))
    sys.stdout.write(f"{noticed} of {len(work)} mutants are noticed: {by_fate}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
