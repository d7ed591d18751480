"""Z3: a fresh solver for each question, a fixed seed, and a resource limit instead of seconds."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# z3 ships no type information: this file is its typed face.

from __future__ import annotations

import time
from dataclasses import dataclass

import z3

from xenproofs.solvers.verdict import Answer, Verdict

RLIMIT = 20_000_000
"""Z3's own unit of work, the same on every machine; about ten seconds here."""


@dataclass(frozen=True, slots=True)
class Z3:
    """Asks Z3."""

    rlimit: int = RLIMIT
    seed: int = 1
    name: str = "z3"

    @property
    def identity(self) -> str:
        """Return what an answer depends on beside the question."""
        return f"z3 {z3.get_version_string()} rlimit {self.rlimit} seed {self.seed}"

    def ask(self, question: str) -> Answer:
        """Decide whether the assertions of an SMT-LIB text can all hold."""
        started = time.perf_counter()
        solver = z3.Solver()
        solver.set("rlimit", self.rlimit)
        solver.set("random_seed", self.seed)
        solver.from_string(question)
        verdict = Verdict(str(solver.check()))
        seconds = time.perf_counter() - started
        if verdict is Verdict.SAT:
            model = solver.model()
            values = {str(d.name()): str(model[d]) for d in model.decls() if d.arity() == 0}
            return Answer(verdict, seconds, values=values)
        reason = str(solver.reason_unknown()) if verdict is Verdict.UNKNOWN else ""
        return Answer(verdict, seconds, reason)
