"""Refinement as obligations: each row that a step writes changes as the specification allows.

A movement is one transition rule of xenspec with the kinds of its table's keys; its formula reads the row
in the state before the step and in the one after it. The same rules are evaluated at run time
(xenproofs.judge.refinement).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xenproofs.judge.refinement import RULES
from xenproofs.obligations.statements import in_range
from xenproofs.symbolic import terms
from xenproofs.symbolic.state import SCHEMA
from xenproofs.symbolic.terms import BOOL
from xenproofs.symbolic.values import lift, wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xenproofs.symbolic.sorts import Kind
    from xenproofs.symbolic.state import SymbolicMachine
    from xenproofs.symbolic.terms import Term


LEANS: Final[dict[str, tuple[str, ...]]] = {
    "table_link_gains_no_write_permission_in_place": (
        "linear_entry_links_its_own_level_read_only",
        "unbacked_link_is_to_itself_read_only",
    ),
    "word_of_a_demoted_table_leads_to_a_table": ("ownerless_frame_is_unused",),
}
"""Invariants from which a rule or a lemma follows: they are proved of the state after the step by themselves,
and may be assumed of it here."""


@dataclass(frozen=True, slots=True)
class Movement:
    """One rule about how the rows of a table may change."""

    name: str
    table: str
    kinds: tuple[Kind, ...]
    rule: Callable[..., object]

    def formula(self, before: SymbolicMachine, after: SymbolicMachine) -> Term:
        """Return that every row of the table changes as the rule allows."""

        def body(keys: tuple[Term, ...]) -> Term:
            values = tuple(wrap(key, after.path) for key in keys)
            key = values[0] if len(values) == 1 else values
            allowed = self.rule(before.tables[self.table][key], after.tables[self.table][key])
            return terms.implication(in_range(self.kinds, keys), lift(allowed, BOOL))

        return after.scope.forall(self.kinds, body, "row")


def movements(written: Sequence[str]) -> list[Movement]:
    """Return the rules about the tables of some written fields (`table.field`)."""
    tables = {name.split(".")[0] for name in written}
    return [
        Movement(rule.name, table, SCHEMA[table][1], rule.function)
        for table, rules in RULES.items()
        for rule in rules
        if table in tables
    ]
