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
    story: tuple[str, ...] = ()
    """The few calls that led to it."""


@dataclass(slots=True)
class Tally:
    """How many were judged, how many agreed, and the first that did not."""

    judged: int = 0
    agreed: int = 0
    differed: int = 0
    diverged: list[Difference] = field(default_factory=list)

    def differ(self, difference: Difference) -> None:
        """Note one that did not agree."""
        self.differed += 1
        if len(self.diverged) < SHOWN:
            self.diverged.append(difference)


@dataclass(slots=True)
class Compared:
    """How many things were compared with the expected snapshot, and how many differ."""

    compared: int = 0
    differ: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, *, same: bool, example: str = "") -> None:
        """Count one comparison."""
        self.compared += 1
        if not same:
            self.differ += 1
            if len(self.examples) < SHOWN:
                self.examples.append(example)


@dataclass(slots=True)
class ReplayReport:
    """Everything that a replay counts."""

    hypercalls: int = 0
    calls: Tally = field(default_factory=Tally)
    subcalls: Tally = field(default_factory=Tally)
    events: Tally = field(default_factory=Tally)
    trapped: Tally = field(default_factory=Tally)
    assumed: Counter[str] = field(default_factory=Counter)
    not_modelled: Counter[str] = field(default_factory=Counter)
    continuations: int = 0
    tails: int = 0
    """Re-entries of continued calls: neither judged apart nor not modelled."""
    tables: Compared | None = None
    page_info: Compared | None = None
    m2p: Compared | None = None
    recount_frames: int = 0
    recount_unexplained: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    last_n: int = 0
