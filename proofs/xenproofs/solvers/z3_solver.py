"""Z3: a fresh context for each question, a fixed seed, and a resource limit instead of seconds."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# z3 ships no type information: this file is its typed face.

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import z3

from xenproofs.solvers.verdict import Answer, Verdict

RLIMIT = 20_000_000
"""Z3's own unit of work, the same on every machine; about ten seconds here."""
HASTY = 100_000
"""The bound for a question that is asked in full if this does not decide it."""
TRACKED = "tracked!"
"""What the names of tracked assertions begin with, and no name of a question does."""


@dataclass(frozen=True, slots=True)
class Z3:
    """Asks Z3."""

    rlimit: int = RLIMIT
    seed: int = 1
    track: bool = False
    """Tell which assertions a refutation used."""
    name: str = "z3"

    @property
    def identity(self) -> str:
        """Return what an answer depends on beside the question."""
        return f"z3 {z3.get_version_string()} rlimit {self.rlimit} seed {self.seed}{' tracked' * self.track}"

    def hasty(self) -> Z3:
        """Return the same solver with a small bound of work."""
        return replace(self, rlimit=min(self.rlimit, HASTY))

    def ask(self, question: str) -> Answer:
        """Decide whether the assertions of an SMT-LIB text can all hold."""
        started = time.perf_counter()
        context = z3.Context()  # what was asked before must not matter
        solver = z3.Solver(ctx=context)
        solver.set("rlimit", self.rlimit)
        solver.set("random_seed", self.seed)
        if self.track:
            assertions = z3.parse_smt2_string(question, ctx=context)
            for n in range(len(assertions)):
                solver.assert_and_track(assertions[n], z3.Bool(f"{TRACKED}{n}", ctx=context))
        else:
            solver.from_string(question)
        verdict = Verdict(str(solver.check()))
        seconds = time.perf_counter() - started
        if verdict is Verdict.UNSAT and self.track:
            core = sorted(int(str(flag).removeprefix(TRACKED)) for flag in solver.unsat_core())
            return Answer(verdict, seconds, core=tuple(core))
        if verdict is Verdict.SAT:
            model = solver.model()
            values = {str(d.name()): str(model[d]) for d in model.decls() if d.arity() == 0}
            return Answer(verdict, seconds, values=values)
        reason = str(solver.reason_unknown()) if verdict is Verdict.UNKNOWN else ""
        return Answer(verdict, seconds, reason)
