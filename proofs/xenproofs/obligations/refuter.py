"""The refuter: looks for a concrete state from which a step breaks an invariant."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Final

from xenproofs.obligations.contracts import contract_goals
from xenproofs.obligations.event_instance import TABLES, event_exact, event_instance
from xenproofs.obligations.grant_instance import exact as grant_exact
from xenproofs.obligations.instance import SMALL, Instance, Size, exact, instance
from xenproofs.obligations.realms import EVENTS, GRANTS, MEMORY, realm_of_step
from xenproofs.obligations.statements import statements
from xenproofs.solvers.verdict import Verdict, script
from xenproofs.solvers.z3_solver import Z3
from xenproofs.symbolic import terms
from xenproofs.symbolic.axioms import COUNTING
from xenproofs.symbolic.paths import Path, explore
from xenproofs.symbolic.sorts import FLIGHT_VCPU, K_FRAME, NO_FRAME
from xenproofs.symbolic.state import CPU_COUNT, EVENT_TABLES, GRANT_TABLES, SCHEMA, SymbolicMachine
from xenproofs.symbolic.terms import BOOL, Term, symbol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xenproofs.obligations.statements import Statement
    from xenproofs.obligations.subjects import Subject

ALL_AXIOMS: Final = frozenset(axiom.name for axiom in COUNTING)
RLIMIT: Final = 60_000_000
SHOWN_OUTSIDE: Final = frozenset({"frames", "prefixes", "words"})
"""Tables of which a step that is given what does not exist may read the row all the same."""


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A state, the arguments, and what the step breaks there."""

    step: str
    outcome: str
    broken: tuple[str, ...]
    cells: dict[str, str]
    """Values by cell (`frames.type(frame_0)`), and of the arguments."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Search:
    """How a search ended: a counterexample, none in this scope, or no answer."""

    verdict: Verdict
    seconds: float
    found: Counterexample | None = None


@dataclass(slots=True)
class Start:
    """The state before any step in the finite instance, and what holds of it."""

    state: SymbolicMachine
    known: list[Term]
    by_name: dict[str, Term] = field(default_factory=dict[str, Term])
    tables: frozenset[str] = frozenset(SCHEMA)
    """The tables that the instance shows."""


@cache
def start(size: Size, *, grants: bool = False, label: str = "", pae: bool = False) -> tuple[Instance, Start]:
    """Return the instance and the state before, with grant tables if asked.

    `label` tells instances of one size apart, between which what the statements say is not the same.
    """
    del label
    if grants:
        size = replace(size, slots=(0, 1, 511))
    made = instance(size)
    path = Path((), lambda _: True, disabled=ALL_AXIOMS, running=False)
    state = SymbolicMachine(path, made.scope, pae=pae)
    realms = (MEMORY, GRANTS) if grants else (MEMORY,)
    by_name = {s.name: s.formula(state) for s in statements() if s.realm in realms}
    known = [*by_name.values(), *exact(state, made)]
    shown = frozenset(SCHEMA) - frozenset(EVENT_TABLES)
    if not grants:
        return made, Start(state, known, by_name, shown - frozenset(GRANT_TABLES))
    return made, Start(state, [*known, *grant_exact(state, made.scope, size.domains)], by_name, shown)


@cache
def start_of_events(*, outside: bool = False) -> tuple[Instance, Start]:
    """Return the instance of event channels and the state before."""
    made = event_instance(outside=outside)
    path = Path((), lambda _: True, running=False)
    state = SymbolicMachine(path, made.scope)
    by_name = {s.name: s.formula(state) for s in statements() if s.realm == EVENTS}
    return made, Start(state, [*by_name.values(), *event_exact(state, made)], by_name, frozenset(TABLES))


def _cells(made: Instance, before: Start, subject: Subject) -> dict[str, Term]:
    """Return every cell of the state before, and the arguments, by a readable name."""
    state, shown = before.state, before.tables
    found: dict[str, Term] = {}
    kinds = {name: keys for name, (_, keys) in SCHEMA.items()} | {"words": SCHEMA["entries"][1]}
    for f in state.fields():
        table = f.name.split(".")[0]
        if table not in (*shown, "words") or (table == "words" and "frames" not in shown):
            continue
        for keys in _product(made, [kind.name for kind in kinds[table]], beyond=table in SHOWN_OUTSIDE):
            found[f"{f.name}({', '.join(str(k) for k in keys)})"] = terms.apply(f.before, *keys)
    found["cpu_count"] = CPU_COUNT
    for flight in made.scope.universe.get("flight", ()):
        found[f"flight_vcpu({flight})"] = terms.apply(FLIGHT_VCPU, flight)
    for held in (state.ghost.typed, state.ghost.general) if "frames" in shown else ():
        for keys in _product(made, ["frame", "ref"]):
            found[f"{held.name}({keys[0]}, {keys[1]})"] = terms.apply(held.before, *keys)
    for p in subject.parameters:
        for constant in p.constants:
            found[str(constant)] = constant
    return found


def _product(made: Instance, names: list[str], *, beyond: bool = False) -> list[tuple[Term, ...]]:
    keys: list[tuple[Term, ...]] = [()]
    for name in names:
        values = made.scope.universe[name] + (made.outside.get(name, ()) if beyond else ())
        keys = [(*k, value) for k in keys for value in values]
    return keys


def _arguments(made: Instance, before: Start, subject: Subject) -> list[Term]:
    """Return that the arguments lie inside the universe, or outside where the instance has an outside."""
    found = subject.preconditions(before.state)
    for p in subject.parameters:
        for kind, constant in zip(p.kinds, p.constants, strict=True):
            values = made.scope.universe.get(kind.name, ()) + made.outside.get(kind.name, ())
            if kind.name not in ("number", "word", "bool", "frame"):
                found.append(terms.disjunction(terms.equal(constant, v) for v in values))
            if kind.name == "frame" and NO_FRAME not in values:
                found.append(terms.negation(terms.equal(constant, NO_FRAME)))
    return found


LARGER: Final = {"bury_vcpu": replace(SMALL, vcpus=2)}
"""Steps of which a small instance has no state: the one virtual CPU that it has runs on its CPU."""


def refute(
    subject: Subject,
    only: Sequence[str] = (),
    size: Size = SMALL,
    *,
    rlimit: int = RLIMIT,
    label: str = "",
) -> Search:
    """Look for a state from which the step breaks a statement (one of `only`, if given)."""
    realm = realm_of_step(subject.subsystem, subject.writes)
    grants = realm == GRANTS or bool(set(only) & _of_grants())
    size = LARGER.get(subject.name, SMALL) if size == SMALL else size
    made, before = (
        start_of_events(outside=size.outside)
        if realm == EVENTS
        else start(size, grants=grants, label=label, pae=subject.pae)
    )
    began = time.perf_counter()
    machines: list[SymbolicMachine] = []

    def run(path: Path) -> None:
        machine = SymbolicMachine(path, made.scope, pae=subject.pae)
        machines.append(machine)
        path.outcome = subject.run(machine)

    verdict = Verdict.UNSAT
    for path in explore(run, lambda _: True, ALL_AXIOMS):
        if path.outcome != "done":
            continue
        goals = _goals(subject, path, machines[-1], (made, before), only)
        if not goals:
            continue
        answer = _ask(made, before, subject, path, goals, rlimit)
        if isinstance(answer, Counterexample):
            return Search(Verdict.SAT, time.perf_counter() - began, answer)
        if answer is Verdict.UNKNOWN:
            verdict = answer
    return Search(verdict, time.perf_counter() - began)


@cache
def _of_grants() -> frozenset[str]:
    """Return the names of the statements about grants."""
    return frozenset(s.name for s in statements() if s.realm == GRANTS)


def _at_no_frame(s: Statement, machine: SymbolicMachine, made: Instance) -> list[Term]:
    """Return what a statement about frames says of the number that is none, where an argument may be it."""
    if s.kinds != (K_FRAME,) or NO_FRAME not in made.outside.get(K_FRAME.name, ()):
        return []
    return [s.instance(machine, (NO_FRAME,))]


def _goals(
    subject: Subject,
    path: Path,
    machine: SymbolicMachine,
    start_of: tuple[Instance, Start],
    only: Sequence[str],
) -> dict[str, Term]:
    made, before = start_of
    goals: dict[str, Term] = {}
    for name, claim in path.claims:
        goals[name] = terms.conjunction([goals.get(name, terms.TRUE), claim])
    for s in statements():
        known = before.by_name.get(s.name)
        if known is not None and (after := s.formula(machine)) is not known:
            goals[s.name] = terms.conjunction([after, *_at_no_frame(s, machine, made)])
    goals |= dict(contract_goals(subject, before.state, machine))
    return {n: g for n, g in goals.items() if g is not terms.TRUE and (not only or n in only)}


def _ask(
    made: Instance, before: Start, subject: Subject, path: Path, goals: dict[str, Term], rlimit: int
) -> Counterexample | Verdict:
    flags = {f"bad_{n}": name for n, name in enumerate(goals)}
    meant = [terms.equal(symbol(flag, BOOL), terms.negation(goals[name])) for flag, name in flags.items()]
    cells = _cells(made, before, subject)
    named = {f"cell_{n}": cell for n, cell in enumerate(cells)}
    reads = [terms.equal(symbol(f"cell_{n}", t.sort), t) for n, t in enumerate(cells.values())]
    broken = terms.disjunction(symbol(flag, BOOL) for flag in flags)
    question = [*before.known, *_arguments(made, before, subject), *path.conditions, *meant, broken, *reads]
    answer = Z3(rlimit=rlimit).ask(script(question, made.preamble, given=made.given))
    if answer.verdict is not Verdict.SAT:
        return answer.verdict
    values = {named[c]: v for c, v in answer.values.items() if c in named}
    names = tuple(name for flag, name in flags.items() if answer.values.get(flag, "").lower() == "true")
    return Counterexample(subject.name, path.outcome, names, values, answer.seconds)
