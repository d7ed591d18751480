"""What a duel tells while it runs, and what it comes to: plain data, which commands show."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from xenproofs.judge.trace.plain import as_data
from xenproofs.judge.trace.questions import Question

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An operation that model and real Xen answer differently, after as short a story as was found.

    Args:
        question: the story; its operation number `index` is the one that differs.
        fields: in which fields of the answer.
        xen: what real Xen answered, in the form of the case files.
        model: what the model answered; None where real Xen did not survive the operation.
        found_ops: operations of the case as it was found.
        asked: questions that shortening it took.
    """

    question: Question
    index: int
    fields: tuple[str, ...]
    xen: object
    model: object
    found_ops: int
    asked: int = 0

    @property
    def kind(self) -> tuple[str, tuple[str, ...]]:
        """What a shorter story must show too: the operation's name and the fields."""
        if self.fields == ("model raised",):
            return "", self.fields
        return str(self.question.ops[self.index].__struct_config__.tag), self.fields

    def as_data(self) -> dict[str, object]:
        """Return the disagreement as reports give it."""
        return {
            "case": self.question.id,
            "op": as_data(self.question.ops[self.index]),
            "xen": self.xen,
            "model": self.model,
            "fields": list(self.fields),
            "index": self.index,
            "story": as_data(self.question),
            "found_ops": self.found_ops,
            "asked": self.asked,
        }


@dataclass(frozen=True, slots=True)
class Versions:
    """Who takes part."""

    xencheck: str
    xen: str
    qemu: str


@dataclass(slots=True)
class DuelReport:
    """What a duel comes to.

    `transient`: cases that disagreed once and agreed when asked again, as happens when real Xen is preempted.
    `skipped`: why there was no duel, or why it ended early.
    """

    seed: int
    by: Literal["dom0", "guest"] = "dom0"
    cases: int = 0
    ops: int = 0
    agreed: int = 0
    transient: int = 0
    deviations: Counter[str] = field(default_factory=Counter[str])
    disagreed: list[Disagreement] = field(default_factory=list[Disagreement])
    disagreed_unexplored: int = 0
    """Disagreements beyond the number that is shortened."""
    boots: int = 0
    seconds: float = 0.0
    skipped: str | None = None
    versions: Versions | None = None
    interrupted: bool = False

    @property
    def pace(self) -> float:
        """Return cases a second."""
        return self.cases / self.seconds if self.seconds else 0.0

    def as_data(self) -> dict[str, object]:
        """Return the report as `--json` prints it."""
        versions = self.versions
        return {
            "schema_version": SCHEMA_VERSION,
            "seed": self.seed,
            "by": self.by,
            "cases": self.cases,
            "ops": self.ops,
            "agreed": self.agreed,
            "transient": self.transient,
            "deviations": dict(self.deviations),
            "disagreed": [found.as_data() for found in self.disagreed],
            "disagreed_unexplored": self.disagreed_unexplored,
            "cases_per_s": round(self.pace, 1),
            "boots": self.boots,
            "seconds": round(self.seconds, 3),
            "skipped": self.skipped,
            "xen": None if versions is None else versions.xen,
            "qemu": None if versions is None else versions.qemu,
        }


@dataclass(frozen=True, slots=True)
class Progress:
    """A batch has been judged."""

    report: DuelReport


@dataclass(frozen=True, slots=True)
class Found:
    """A case disagrees, also when asked again; it will be shortened now."""

    disagreement: Disagreement


@dataclass(frozen=True, slots=True)
class Shortening:
    """A shorter story of the disagreement was found."""

    ops: int
    asked: int
    budget: int


@dataclass(frozen=True, slots=True)
class Shortened:
    """No shorter story was found within the budget."""

    disagreement: Disagreement


Event: TypeAlias = Progress | Found | Shortening | Shortened
