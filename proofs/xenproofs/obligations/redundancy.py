"""Whether a statement is redundant: what it asks for holds already, or what it writes stands there already.

Of a mutant that survives its proof the question is whether the specification is too weak to notice it, or
the step does the same without the statement. The second is proved: where the statement was, its copy claims
that the guard holds (of all that goes the same way to a good end), or that the cell has the value that was to
be written. Who proves every claim has shown that nothing changes with the statement.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from xenproofs.bugs.rewriter import Edit, rewritten
from xenproofs.obligations.failing import bare
from xenproofs.obligations.proving import Options, StepProof
from xenproofs.obligations.subjects import subject
from xenproofs.symbolic.state import SymbolicMachine
from xenproofs.symbolic.terms import BOOL
from xenproofs.symbolic.values import lift

if TYPE_CHECKING:
    from xenproofs.obligations.subjects import Subject

NAME: Final = "the statement changes nothing"
CLAIM: Final = "_claim_that"
"""What the claim's function is called in the edited module: no name of the model begins so."""


def claiming(edit: Edit) -> Edit | None:
    """Return the edit that claims instead of dropping; nothing for a call, which is no guard."""
    statement = ast.parse(edit.old).body[0]
    if isinstance(statement, ast.Assign):
        target = ast.unparse(statement.targets[0])
        return Edit(edit.function, edit.old, f"{CLAIM}(m, {target} == ({ast.unparse(statement.value)}))")
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and ast.unparse(call.func) == "require":
        return Edit(edit.function, edit.old, f"{CLAIM}(m, {ast.unparse(call.args[1])})")
    return None


def _claim(machine: object, holds: object) -> None:
    """Claim on the path that is being run."""
    if isinstance(machine, SymbolicMachine):
        machine.path.claim(NAME, lift(holds, BOOL))


def is_redundant(whole: Subject, edit: Edit, options: Options) -> bool:
    """Return whether a solver proves that a step does the same without one of its statements."""
    claims = claiming(edit)
    if claims is None:
        return False
    names = rewritten(whole.module, (claims,))
    names[CLAIM] = _claim
    function = names[edit.function]
    if not callable(function):
        return False
    report = StepProof(subject(whole.name, function, whole.writes), options).prove()
    asked = [o for o in report.outcomes if bare(o.statement) == NAME]
    return bool(asked) and not report.failed
