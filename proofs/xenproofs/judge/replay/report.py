"""What a replay found, as plain data: engines fill it, commands print it."""

from collections import Counter
from dataclasses import dataclass, field

SCHEMA_VERSION = 1
SHOWN = 20
"""Differences that a report lists in full."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One answer of the model that is not the recorded one."""

    n: int
    op: str
    expected: str
    got: str
    why: str
    line: int
    file: str

    def __str__(self) -> str:
        """As one line: where, what, and why if that is known."""
        why = f" ({self.why})" if self.why else ""
        place = f"{self.file}:{self.line}"
        return f"{place}: #{self.n} {self.op}: Xen {self.expected}, model {self.got}{why}"


@dataclass(slots=True)
class Differences:
    """How many differences there are, and the first of them."""

    total: int = 0
    first: list[Difference] = field(default_factory=list[Difference])

    def add(self, difference: Difference) -> None:
        """Note one."""
        self.total += 1
        if len(self.first) < SHOWN:
            self.first.append(difference)


@dataclass(slots=True)
class Tally:
    """How many were judged, and how many agreed."""

    judged: int = 0
    agreed: int = 0

    def count(self, *, agrees: bool) -> None:
        """Count one."""
        self.judged += 1
        self.agreed += agrees


@dataclass(slots=True)
class Compared:
    """How many things were compared with the expected snapshot, and how many differ."""

    compared: int = 0
    differ: int = 0
    examples: list[str] = field(default_factory=list[str])

    def difference(self, example: str) -> None:
        """Note one that differs; whoever compares counts `compared`."""
        self.differ += 1
        if len(self.examples) < SHOWN:
            self.examples.append(example)


@dataclass(slots=True)
class Expectation:
    """What the comparison with the snapshot at the end found."""

    tables: Compared = field(default_factory=Compared)
    page_info: Compared = field(default_factory=Compared)
    m2p: Compared = field(default_factory=Compared)

    @property
    def differ(self) -> int:
        """How many things differ in all."""
        return self.tables.differ + self.page_info.differ + self.m2p.differ


@dataclass(frozen=True, slots=True)
class Breach:
    """An invariant that does not hold, and the line after which it did not."""

    name: str
    key: str
    sentence: str
    detail: tuple[str, ...]
    """What was given and what is broken, with the values."""
    when: str
    n: int
    op: str
    line: int
    file: str

    def __str__(self) -> str:
        """As a report shows it: the invariant first, then the clauses."""
        place = f"{self.file}:{self.line}: #{self.n} {self.op}"
        return "\n    ".join(
            (f"{place}, {self.when}: {self.name} at {self.key}: {self.sentence}", *self.detail)
        )


@dataclass(slots=True)
class Checked:
    """What the checking of invariants found."""

    mode: str = "off"
    instances: int = 0
    evaluated: int = 0
    violated: int = 0
    first: list[Breach] = field(default_factory=list[Breach])
    vacuous: list[str] = field(default_factory=list[str])
    """Invariants no instance of which had its premise hold."""
    refusals: int = 0
    """Refusals of steps that were held against the step's contract."""
    unasked: int = 0
    """Refusals for what no contract asks."""

    def add(self, breach: Breach) -> None:
        """Note one that is violated."""
        self.violated += 1
        if len(self.first) < SHOWN:
            self.first.append(breach)


@dataclass(slots=True)
class ReplayReport:
    """Everything that a replay counts.

    Laws: hypercalls = calls.judged + not modelled (sum) + tails; the differences of `diverged` are those of
    calls, their tails and trapped writes, one a line at most; those of `event_differences` are apart.
    """

    hypercalls: int = 0
    calls: Tally = field(default_factory=Tally)
    subcalls: Tally = field(default_factory=Tally)
    trapped: Tally = field(default_factory=Tally)
    diverged: Differences = field(default_factory=Differences)
    events: Tally = field(default_factory=Tally)
    told: Tally = field(default_factory=Tally)
    """Ports that became pending: which vCPU is told, and how. Their differences are in `diverged`."""
    event_differences: Differences = field(default_factory=Differences)
    assumed: Counter[str] = field(default_factory=Counter[str])
    not_modelled: Counter[str] = field(default_factory=Counter[str])
    subcalls_not_modelled: Counter[str] = field(default_factory=Counter[str])
    tails: int = 0
    """Re-entries of continued calls: neither judged apart nor not modelled."""
    checked: Checked = field(default_factory=Checked)
    expectation: Expectation | None = None
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def agrees(self) -> bool:
        """Whether nothing differs and nothing is violated."""
        expected = self.expectation is None or not self.expectation.differ
        found = self.diverged.total or self.event_differences.total or self.checked.violated
        return expected and not found
