"""Contracts as obligations: each path of a step that ends well was permitted, and did what its actions mean.

What is permitted is asked of the state before, under what the path decided; an effect of both states. And
`nothing else changes`: every cell that the path wrote holds what it held, unless an action touches it.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Final

from xenproofs.judge.actions import ACTIONS, ANY_NUMBER, ANY_SLOT
from xenproofs.judge.adapter import AnyAction, described, members, picks
from xenproofs.judge.contracts import FRAME_CONDITION
from xenproofs.obligations.statements import in_range
from xenproofs.symbolic import terms
from xenproofs.symbolic.sorts import K_SLOT, PARTS, VCPU
from xenproofs.symbolic.state import SCHEMA
from xenproofs.symbolic.terms import BOOL, INT, TRUE
from xenproofs.symbolic.values import lift, wrap
from xenspec.contract import EVERY, Cells, OfDomain, Those

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xenproofs.obligations.subjects import Subject
    from xenproofs.symbolic.fields import Field
    from xenproofs.symbolic.sorts import Kind
    from xenproofs.symbolic.state import SymbolicMachine
    from xenproofs.symbolic.terms import Term
    from xenproofs.symbolic.values import Decider

SOME: Final = {name: terms.symbol(name, K_SLOT.sort) for name in (ANY_SLOT, ANY_NUMBER)}


def has_contract(step: str) -> bool:
    """Return whether it is said what a step means."""
    return step in ACTIONS


def contract_goals(
    subject: Subject, before: SymbolicMachine, after: SymbolicMachine
) -> list[tuple[str, Term]]:
    """Return what must hold of a path that ended well, by the clauses' names; nothing without a contract."""
    if not has_contract(subject.name):
        return []
    actions = _actions(subject, before)
    found: dict[str, Term] = {}
    for action in actions:
        for asked in action.permissions:
            _add(found, asked.name, asked.function(before))
        for done in action.effects:
            _add(found, done.name, done.function(before, after))
    return [*found.items(), (FRAME_CONDITION, _nothing_else(actions, before, after))]


def permitted(subject: Subject, before: SymbolicMachine) -> Term:
    """Return that all permissions of a step hold, which has a contract."""
    actions = _actions(subject, before)
    return terms.conjunction(
        lift(asked.function(before), BOOL) for action in actions for asked in action.permissions
    )


def _add(found: dict[str, Term], name: str, holds: object) -> None:
    """Join what clauses of one name say: the same action may be taken twice."""
    formula = lift(holds, BOOL)
    found[name] = terms.conjunction([found[name], formula]) if name in found else formula


def _actions(subject: Subject, before: SymbolicMachine) -> list[AnyAction]:
    """Return a step's actions, with the constants of its arguments."""
    describe = ACTIONS[subject.name]
    given: dict[str, object] = {}
    for p in subject.parameters:
        values = tuple(wrap(constant, before.path) for constant in p.constants)
        given[p.name] = values[0] if len(values) == 1 else values
    for name, constant in SOME.items():
        if name in inspect.signature(describe).parameters:
            given[name] = wrap(constant, before.path)
    return described(describe, before, given)


# --- What must not change -----------------------------------------------------------------------------------


def _nothing_else(actions: Iterable[AnyAction], before: SymbolicMachine, after: SymbolicMachine) -> Term:
    """Return that each cell that was written is touched by an action, or holds what it held."""
    touched = [cells for action in actions for cells in action.touched(before)]
    return terms.conjunction(
        _unless_touched(field, touched, after) for field in after.fields() if field.updates
    )


def _unless_touched(field: Field, touched: list[Cells], after: SymbolicMachine) -> Term:
    table, name = field.name.split(".")
    kinds = _kinds(table)
    allowed = [cells for cells in touched if cells.table == table and name in cells.fields]

    def kept(keys: tuple[Term, ...]) -> Term:
        same = terms.equal(field.read(keys), terms.apply(field.before, *keys))
        formula = terms.disjunction([same, *(_is_of(cells, kinds, keys, after.path) for cells in allowed)])
        return terms.implication(in_range(kinds, keys), formula)

    return after.scope.forall(kinds, kept, "kept")


def _kinds(table: str) -> tuple[Kind, ...]:
    return SCHEMA["entries" if table == "words" else table][1]


def _is_of(cells: Cells, kinds: tuple[Kind, ...], keys: tuple[Term, ...], run: Decider) -> Term:
    """Return whether a row is one of those that cells name."""
    parts = (cells.key,) if len(kinds) == 1 else members(cells.key) or ()
    same = [_names(part, kind, key, run) for part, kind, key in zip(parts, kinds, keys, strict=True)]
    return terms.conjunction([*same, lift(cells.when, BOOL)])


def _names(part: object, kind: Kind, key: Term, run: Decider) -> Term:
    """Return whether a part of a key names a row's."""
    if part is EVERY:
        return TRUE
    if isinstance(part, OfDomain):
        return terms.equal(terms.apply(PARTS[VCPU, 0], key), lift(part.domain, INT))
    if isinstance(part, Those):
        return lift(picks(part)(wrap(key, run)), BOOL)
    return terms.equal(key, lift(part, kind.sort))
