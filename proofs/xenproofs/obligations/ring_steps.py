"""Every step of a ring keeps its invariants: for every 32-bit index, every size, and every store of a peer.

The steps themselves run on symbolic rows, in sequentially consistent memory: both sides in any stage with any
indices that satisfy the invariants, the page with any words. A branch forks the path. Afterwards each
invariant whose formula has changed is one obligation. What a slot holds is any item at each load, so that
three invariants, which speak of what slots hold, are left to the explorer (`OF_SLOTS`).
"""

from __future__ import annotations

import inspect
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from xenmodel.abi.ring import INDEX_MASK
from xenmodel.rings import protocol
from xenmodel.rings.machine import RING_STEPS, plain_ring
from xenmodel.rings.representation import REPRESENTATION
from xenmodel.rings.rows import SLOT, WORDS, Bell, Cell, Location, Request, Side, Stage
from xenmodel.step import Refused
from xenproofs.obligations.ring_facts import LARGEST
from xenproofs.obligations.ring_values import formula, fresh, within
from xenproofs.solvers.verdict import Verdict, script
from xenproofs.symbolic import terms
from xenproofs.symbolic.paths import Path, explore
from xenproofs.symbolic.terms import BOOL, symbol
from xenproofs.symbolic.values import Truth
from xenspec.rings.invariants import SAFETY
from xenspec.vocabulary import BACKEND, FRONTEND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xenmodel.rings.machine import RingMachine
    from xenproofs.obligations.deciding import Solver
    from xenproofs.symbolic.terms import Term

R = TypeVar("R")

OF_SLOTS: Final = frozenset(
    {"copy_is_what_was_written", "held_request_was_sent", "honest_ring_is_never_broken"}
)
"""Invariants that rest on what slots hold; the explorer looks at them."""
OF_INDICES: Final = frozenset(
    {
        "copied_item_is_to_be_taken",
        "indices_are_in_order",
        "indices_fit_their_width",
        "items_to_take_are_bounded",
        "only_published_items_are_taken",
        "ring_holds_no_more_than_its_size",
    }
)
"""Invariants of the indices alone, from which most that is hard follows."""
SIDES: Final = ((FRONTEND, "front"), (BACKEND, "back"))
TRUTHS: Final = frozenset({"honest", "pending", "sent", "held"})
"""Fields that are truth values."""
NEVER: Final = frozenset({"drain"})
"""Steps that do not exist where memory has no store buffers."""
MODULES: Final = protocol.MODULES
"""Imported for the steps that they register."""


class OneRow:
    """A table of which a step reads and writes one row, by a key that may be symbolic."""

    def __init__(self, row: object) -> None:
        self.row = row

    def __getitem__(self, key: object, /) -> object:
        return self.row


class Page:
    """The cells of the page: the indices by their place, and one slot, which may be any."""

    def __init__(self, words: dict[Location, Cell], slot: Cell) -> None:
        self.words = words
        self.slot = slot

    def __getitem__(self, key: Location, /) -> Cell:
        return self.slot if key.place == SLOT else self.words[Location(key.place)]


def symbolic_row(kind: Callable[..., R], name: str, run: Path) -> R:
    """Return a row of which nothing is known."""

    def any_value(part: str) -> object:
        full = f"{name}_{part}"
        return Truth(symbol(full, BOOL), run) if part in TRUTHS else fresh(full, run)

    return kind(**{part: any_value(part) for part in inspect.signature(kind).parameters})


def world(run: Path) -> RingMachine:
    """Return a ring of any size in any state."""
    m = plain_ring(1)
    words = {where: symbolic_row(Cell, where.place.name.lower(), run) for where in WORDS}
    parts: dict[str, object] = {
        "sides": {x: symbolic_row(Side, name, run) for x, name in SIDES},
        "bells": {x: symbolic_row(Bell, f"{name}_bell", run) for x, name in SIDES},
        "cells": Page(words, symbolic_row(Cell, "slot", run)),
        "requests": OneRow(symbolic_row(Request, "request", run)),
        "written": OneRow(symbolic_row(Cell, "written", run)),
        "size": fresh("size", run),
    }
    for name, value in parts.items():
        setattr(m, name, value)
    return m


def widths(run: Path) -> list[Term]:
    """Return what is known of any ring: the size is a power of two, a word of the page has 32 bits."""
    size, ahead = fresh("size", run), fresh("ahead", run)
    known = [within(size, 1, LARGEST), formula((size & (size - 1)) == 0), formula(ahead >= 1)]
    known += [within(fresh(f"{where.place.name.lower()}_value", run), 0, INDEX_MASK) for where in WORDS]
    known += [within(fresh(f"{name}_stage", run), 0, max(Stage)) for _, name in SIDES]
    return [*known, within(fresh("value", run), 0, INDEX_MASK)]


def _text(function: Callable[..., object]) -> Callable[..., object]:
    """Return an invariant's function, to be called with a key of its type."""
    return function


def statements(m: RingMachine) -> dict[str, Term]:
    """Return every invariant at every key, as formulas of the ring as it is now."""
    found: dict[str, Term] = {}
    for invariant in (*SAFETY, *REPRESENTATION):
        holds = _text(invariant.function)
        if invariant.key == "RingSide":
            found |= {f"{invariant.name}[{name}]": formula(holds(m, x)) for x, name in SIDES}
        else:
            found[invariant.name] = formula(holds(m, 0))
    return {name: term for name, term in found.items() if name.partition("[")[0] not in OF_SLOTS}


@dataclass(slots=True)
class RingReport:
    """What became of one step."""

    step: str
    paths: int = 0
    refusals: int = 0
    proved: int = 0
    trivial: int = 0
    refuted: list[str] = field(default_factory=list[str])
    undecided: list[str] = field(default_factory=list[str])
    seconds: float = 0.0

    @property
    def obligations(self) -> int:
        """Return how many there are."""
        return self.proved + len(self.refuted) + len(self.undecided)


@dataclass(frozen=True, slots=True)
class Ended:
    """A path's end: the invariants there, and whether the step was refused."""

    after: dict[str, Term]
    refused: bool


class RingProof:
    """Proves one step with one solver, or with several that must agree."""

    def __init__(self, step: str, solvers: tuple[Solver, ...]) -> None:
        self.step = step
        self.solvers = solvers
        outside = Path((), lambda _: True, running=False)
        self.before = statements(world(outside))
        known = widths(outside)
        self.premises = [*known, *self.before.values()]
        near = (term for name, term in self.before.items() if name.partition("[")[0] in OF_INDICES)
        self.near = [*known, *near]
        self.report = RingReport(step)

    def prove(self) -> RingReport:
        """Run the step on both sides, along every path, and prove what has changed."""
        began = time.perf_counter()
        for call in calls(self.step):
            self._prove_call(call)
        self.report.seconds = time.perf_counter() - began
        return self.report

    def _prove_call(self, call: Call) -> None:
        ends: list[Ended] = []

        def run(path: Path) -> None:
            m = world(path)
            try:
                RING_STEPS[self.step](m, *call.arguments(path))
            except Refused:
                ends.append(Ended(statements(m), refused=True))
            else:
                ends.append(Ended(statements(m), refused=False))

        for path in explore(run, self._feasible):
            self.report.paths += 1
            end = ends[-1]
            self.report.refusals += end.refused
            for name, after in end.after.items():
                self._decide(f"{call.name}: {name}", after, name, path)

    def _feasible(self, conditions: list[Term]) -> bool:
        question = script([*self.premises, *conditions])
        return self.solvers[0].ask(question).verdict is not Verdict.UNSAT

    def _decide(self, told: str, after: Term, name: str, path: Path) -> None:
        """Put one obligation to every solver."""
        if after is self.before[name]:
            self.report.trivial += 1
            return
        verdicts = {self._verdict(solver, one, path) for solver in self.solvers for one in pieces(after)}
        if verdicts == {Verdict.UNSAT}:
            self.report.proved += 1
        else:
            (self.report.refuted if Verdict.SAT in verdicts else self.report.undecided).append(told)

    def _verdict(self, solver: Solver, after: Term, path: Path) -> Verdict:
        """Ask from what is known of indices first, which is often enough; then from all that is known."""
        wrong = [*path.conditions, terms.negation(after)]
        if solver.ask(script([*self.near, *wrong])).verdict is Verdict.UNSAT:
            return Verdict.UNSAT
        return solver.ask(script([*self.premises, *wrong])).verdict


def pieces(after: Term) -> list[Term]:
    """Return the parts of an implication to several things, each as an implication."""
    if after.head != "=>" or after.args[1].head != "and":
        return [after]
    return [terms.implication(after.args[0], part) for part in after.args[1].args]


@dataclass(frozen=True, slots=True)
class Call:
    """A step with a choice of its arguments that are not symbolic."""

    name: str
    fixed: dict[str, object]
    names: tuple[str, ...]

    def arguments(self, run: Path) -> list[object]:
        """Return the arguments: the fixed ones, and symbols of which nothing is known."""
        return [self.fixed[name] if name in self.fixed else fresh(name, run) for name in self.names]


def calls(step: str) -> Iterator[Call]:
    """Give the calls of a step: on each side, and for a hostile store to each kind of word."""
    names = tuple(inspect.signature(RING_STEPS[step]).parameters)[1:]
    for x, role in SIDES if "x" in names else SIDES[:1]:
        for where in (*WORDS, Location(SLOT)) if "where" in names else (None,):
            fixed: dict[str, object] = {"x": x, "age": 0, "where": where}
            place = f" {where.place.name.lower()}" if where else ""
            yield Call(f"{step}{place} of the {role}", fixed, names)


def ring_steps() -> list[str]:
    """Return the steps that are proved."""
    return [name for name in RING_STEPS if name not in NEVER]
