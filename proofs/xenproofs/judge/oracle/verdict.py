"""How a case ended, and what all cases of a run come to: plain data, which commands print."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from xenproofs.judge.monitor import Violation
from xenproofs.judge.oracle.compare import Got, shown, shown_answer
from xenproofs.judge.trace.case_ops import CaseOp
from xenproofs.judge.trace.cases import Case
from xenproofs.judge.trace.plain import as_data

SCHEMA_VERSION: Final = 1
SHOWN: Final = 20
"""Divergences that a report lists in full."""
START: Final = -1
"""In place of an operation's index: the case began otherwise than it says."""


def op_name(op: CaseOp) -> str:
    """Return the name by which case files call an operation."""
    return str(op.__struct_config__.tag)


@dataclass(frozen=True, slots=True)
class Divergence:
    """An answer in which model and real Xen differ, and in which fields; `index` counts operations from 0."""

    case: Case
    index: int
    fields: tuple[str, ...]
    got: Got

    @property
    def asked(self) -> object:
        """Return the operation as the case file has it."""
        if self.index == START:
            return None
        return as_data(self.case.ops[self.index].ask)

    @property
    def expected(self) -> Mapping[str, object]:
        """Return what real Xen answered."""
        if self.index == START:
            return {"init": {name: as_data(state) for name, state in (self.case.init or {}).items()}}
        return shown_answer(self.case.ops[self.index].answer)

    @property
    def answered(self) -> Mapping[str, object]:
        """Return what the model answered."""
        return shown(self.got)


@dataclass(frozen=True, slots=True)
class Breach:
    """An invariant that does not hold after an operation."""

    case: Case
    index: int
    violation: Violation


@dataclass(frozen=True, slots=True)
class CaseVerdict:
    """How a case ended: it agreed if nothing diverged or deviated and all of it is modelled."""

    ops: int
    agreed: int
    diverged: Divergence | None = None
    deviations: tuple[str, ...] = ()
    not_modelled: tuple[str, ...] = ()
    breaches: tuple[Breach, ...] = ()
    """Looked for only if invariants are checked."""

    @property
    def agrees(self) -> bool:
        """Return whether every answer is real Xen's."""
        return self.diverged is None and not self.deviations and not self.not_modelled


@dataclass(slots=True)
class Report:
    """The verdicts of many cases, summed up."""

    cases: int = 0
    cases_agreed: int = 0
    ops: int = 0
    ops_agreed: int = 0
    cases_diverged: int = 0
    not_modelled: Counter[str] = field(default_factory=Counter[str])
    """Operations that keep their cases from being judged, by name."""
    deviations: Counter[str] = field(default_factory=Counter[str])
    """Cases in which real Xen deviates from what must hold, by class."""
    diverged: list[tuple[int, str, Divergence]] = field(default_factory=list[tuple[int, str, Divergence]])
    """The first divergences: the file's place in the run, its name, and what diverged."""

    cases_broken: int = 0
    """Cases in which an invariant does not hold."""
    breaches: list[tuple[int, str, Breach]] = field(default_factory=list[tuple[int, str, Breach]])
    """The first of them."""

    def add(self, place: int, file: str, verdict: CaseVerdict) -> None:
        """Count a case of the run's file number `place`."""
        self.cases += 1
        self.cases_agreed += verdict.agrees
        self.ops += verdict.ops
        self.ops_agreed += verdict.agreed
        self.not_modelled.update(verdict.not_modelled)
        self.deviations.update(verdict.deviations)
        if verdict.breaches:
            self.cases_broken += 1
            if len(self.breaches) < SHOWN:
                self.breaches.append((place, file, verdict.breaches[0]))
        if verdict.diverged is not None:
            self.cases_diverged += 1
            if len(self.diverged) < SHOWN:
                self.diverged.append((place, file, verdict.diverged))

    def merge(self, other: "Report") -> None:
        """Add what another process has judged; the divergences that stand first in the files are kept."""
        self.cases += other.cases
        self.cases_agreed += other.cases_agreed
        self.ops += other.ops
        self.ops_agreed += other.ops_agreed
        self.cases_diverged += other.cases_diverged
        self.not_modelled.update(other.not_modelled)
        self.deviations.update(other.deviations)
        self.cases_broken += other.cases_broken
        diverged = sorted([*self.diverged, *other.diverged], key=lambda item: (item[0], item[2].case.line))
        self.diverged = diverged[:SHOWN]
        breaches = sorted([*self.breaches, *other.breaches], key=lambda item: (item[0], item[2].case.line))
        self.breaches = breaches[:SHOWN]

    def as_data(self, seconds: float) -> dict[str, object]:
        """Return the report as `--json` prints it."""
        return {
            "schema_version": SCHEMA_VERSION,
            "cases": self.cases,
            "cases_agreed": self.cases_agreed,
            "ops": self.ops,
            "ops_agreed": self.ops_agreed,
            "not_modelled": dict(self.not_modelled),
            "deviations": dict(self.deviations),
            "diverged": [
                {
                    "case": found.case.id,
                    "file": file,
                    "line": found.case.line,
                    "index": found.index,
                    "fields": list(found.fields),
                    "op": found.asked,
                    "expected": found.expected,
                    "got": found.answered,
                }
                for _, file, found in self.diverged
            ],
            "violations": [
                {
                    "case": found.case.id,
                    "file": file,
                    "line": found.case.line,
                    "index": found.index,
                    "invariant": found.violation.name,
                    "sentence": found.violation.sentence,
                    "detail": list(found.violation.detail),
                }
                for _, file, found in self.breaches
            ],
            "seconds": round(seconds, 3),
        }
