"""cvc5: the second opinion, from the same text; its unknown is undecided, whatever Z3 says."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportAttributeAccessIssue=false
# cvc5 ships no type information: this file is its typed face.

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import cvc5

from xenproofs.solvers.verdict import Answer, Verdict

RLIMIT = 4_000_000
"""cvc5's unit of work."""
HASTY = 20_000
"""The bound for a question that is asked in full if this does not decide it."""


@dataclass(frozen=True, slots=True)
class Cvc5:
    """Asks cvc5."""

    rlimit: int = RLIMIT
    seed: int = 1
    name: str = "cvc5"

    @property
    def identity(self) -> str:
        """Return what an answer depends on beside the question."""
        return f"cvc5 {cvc5.__version__} rlimit {self.rlimit} seed {self.seed}"

    def hasty(self) -> Cvc5:
        """Return the same solver with a small bound of work."""
        return replace(self, rlimit=min(self.rlimit, HASTY))

    def ask(self, question: str) -> Answer:
        """Decide whether the assertions of an SMT-LIB text can all hold."""
        started = time.perf_counter()
        solver = cvc5.Solver(cvc5.TermManager())
        solver.setOption("rlimit-per", str(self.rlimit))
        solver.setOption("seed", str(self.seed))
        parser = cvc5.InputParser(solver)
        logic = cvc5.InputLanguage.SMT_LIB_2_6
        parser.setStringInput(logic, "(set-logic ALL)\n" + question, "question")
        manager = parser.getSymbolManager()
        while not (command := parser.nextCommand()).isNull():
            said = str(command.invoke(solver, manager))
            if "error" in said:
                raise ValueError(said)
        result = solver.checkSat()
        seconds = time.perf_counter() - started
        word = "unsat" if result.isUnsat() else "sat" if result.isSat() else "unknown"
        return Answer(Verdict(word), seconds, "" if word != "unknown" else str(result))
