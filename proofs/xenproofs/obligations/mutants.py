"""The mutant run: each guard and statement of each step dropped in turn, and who notices.

`python -m xenproofs.obligations.mutants [STEP …]` tells of each mutant what a concrete state betrays of it,
or that a refusal has written, that a write is not declared, or that it survives.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from xenmodel.step import WRITES
from xenproofs.bugs.dropping import droppable
from xenproofs.bugs.rewriter import Edit, edited_function
from xenproofs.obligations.planted import structural
from xenproofs.obligations.refuter import refute
from xenproofs.obligations.subjects import subject, subjects
from xenproofs.solvers.verdict import Verdict


def judge(step: str, edit: Edit) -> tuple[str, str, str]:
    """Return the step, the dropped statement, and what noticed it; `survives` if nothing did."""
    whole = subjects()[step]
    function = edited_function(whole.module, step, (edit,))
    edited = subject(step, function, frozenset(WRITES[step]))
    try:
        for what in ("refusal", "declared writes"):
            if structural(edited, what):
                return step, edit.old, what
        search = refute(edited)
    except (AttributeError, NameError, TypeError) as error:
        return step, edit.old, f"does not run: {error}"
    if search.found is not None:
        return step, edit.old, ", ".join(search.found.broken)
    return step, edit.old, "survives" if search.verdict is Verdict.UNSAT else "undecided"


def main(names: list[str]) -> int:
    """Run the mutants of some steps, or of all; the result is never a failure, but a table to be read."""
    chosen = [subjects()[name] for name in names] or list(subjects().values())
    work = [(s.name, edit) for s in chosen for edit in droppable(s.module, s.name)]
    noticed = 0
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        for done in as_completed([executor.submit(judge, *item) for item in work]):
            step, dropped, by = done.result()
            noticed += by not in ("survives", "undecided")
            sys.stdout.write(f"{step}: without `{dropped.splitlines()[0]}`: {by}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{noticed} of {len(work)} mutants are noticed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
