"""The mutant run: each guard and statement of each step dropped in turn, and who notices.

`python -m xenproofs.obligations.mutants [--jobs N] [STEP …]` proves each mutant as it would prove the step.
Where an obligation is left unproved it looks for a state that shows what is broken, in one finite instance
after the other (`BOUNDS`), and really runs the mutant from it. The table tells of each mutant:

- `broken`: a state was found, and what falls there; or a refusal has written, or a write is not declared;
- `unproved`: no solver proves it any more, and no state was found within the bound of work;
- `vacuous`: no path ends well;
- `does not run`: the text without the statement makes no step;
- `redundant`: everything is still proved, and a solver proves that the statement changes nothing: the guard
  holds wherever the others do, or what it writes stands there already;
- `survives`: everything is still proved, and the statement does change something that no invariant and no
  contract speaks of.

`explained.py` says of those that are not broken why.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Final

from xenmodel.step import WRITES
from xenproofs.bugs.dropping import droppable
from xenproofs.bugs.rewriter import Edit, edited_function
from xenproofs.obligations.concrete import run_counterexample
from xenproofs.obligations.explained import EXPLAINED
from xenproofs.obligations.failing import bare
from xenproofs.obligations.instance import IDLE, SMALL, XENS, Size
from xenproofs.obligations.outcomes import Kind
from xenproofs.obligations.proving import Options, StepProof
from xenproofs.obligations.redundancy import is_redundant
from xenproofs.obligations.refuter import Counterexample, refute
from xenproofs.obligations.subjects import subject, subjects
from xenproofs.obligations.widths import narrow_counters

RLIMIT: Final = 1_000_000
"""Z3's bound for one obligation of a mutant: the longest proof of a step takes less."""
NOTICED: Final = frozenset({"broken", "unproved", "vacuous", "does not run"})


@dataclass(frozen=True, slots=True)
class Bound:
    """A finite instance in which a state is looked for."""

    name: str
    size: Size = SMALL
    narrow: bool = False
    """Whether counters are so narrow that a few holders fill them."""
    rlimit: int = 20_000_000
    all_statements: bool = True
    """Whether any statement may break; else one of those that were not proved."""


BOUNDS: Final = (
    Bound("small", all_statements=False),
    Bound("small"),
    Bound("outside", replace(SMALL, outside=True)),
    Bound("idle", IDLE),
    Bound("narrow", narrow=True),
    Bound("xens", XENS),
    Bound("small", rlimit=60_000_000),
    Bound("outside", replace(SMALL, outside=True), rlimit=60_000_000),
)
"""Looked at one after the other, the cheapest first."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one mutant."""

    step: str
    dropped: str
    """The first line of the statement that was dropped."""
    fate: str
    by: tuple[str, ...] = ()
    """What falls, or is not proved any more."""
    bound: str = ""
    """The finite instance that shows it."""


def judge(step: str, edit: Edit) -> Fate:
    """Prove a step without one of its statements."""
    whole = subjects()[step]
    dropped = edit.old.splitlines()[0]
    options = Options(cache=False, rlimit=RLIMIT, first_failure=True)
    try:
        function = edited_function(whole.module, step, (edit,))
        report = StepProof(subject(step, function, frozenset(WRITES[step])), options).prove()
    except (AttributeError, NameError, TypeError) as error:
        return Fate(step, dropped, "does not run", (str(error),))
    failed = report.failed
    if not failed:
        return Fate(step, dropped, "redundant" if is_redundant(whole, edit, options) else "survives")
    names = tuple(dict.fromkeys(bare(o.statement) for o in failed))
    kinds = {o.kind for o in failed}
    if kinds == {Kind.VACUOUS}:
        return Fate(step, dropped, "vacuous", names)
    if Kind.VIOLATED in kinds:
        return Fate(step, dropped, "broken", names)
    for bound in BOUNDS:
        found = shown(step, edit, bound, names)
        if found is not None:
            return Fate(step, dropped, "broken", found.broken, bound.name)
    return Fate(step, dropped, "unproved", names)


def shown(step: str, edit: Edit, bound: Bound, names: tuple[str, ...]) -> Counterexample | None:
    """Return a state of an instance that a mutant breaks, and from which it was really run to a good end."""
    with narrow_counters() if bound.narrow else nullcontext():
        function = edited_function(subjects()[step].module, step, (edit,))
        edited = subject(step, function, frozenset(WRITES[step]))
        only = () if bound.all_statements else names
        found = refute(edited, only, bound.size, rlimit=bound.rlimit, label=bound.name).found
        if found is None or run_counterexample(edited, found).outcome != "done":
            return None
        return found


def line_of(fate: Fate) -> str:
    """Return a row of the table."""
    where = f" ({fate.bound})" if fate.bound not in ("", BOUNDS[0].name) else ""
    by = f": {', '.join(fate.by)}" if fate.by else ""
    why = EXPLAINED.get((fate.step, fate.dropped), "")
    return f"{fate.step}: without `{fate.dropped}`: {fate.fate}{where}{by}" + f" [{why}]" * bool(why)


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
