"""State as uninterpreted functions with a list of updates: a read is a chain of conditional values.

Not arrays: with these a planted fault gets a real `sat`, with arrays only `unknown`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xenproofs.symbolic import terms
from xenproofs.symbolic.terms import Sort, Symbol, Term

if TYPE_CHECKING:
    from collections.abc import Callable

Keys = tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Update:
    """Where the condition on the keys holds, the new value is read."""

    where: Callable[[Keys], Term]
    value: Callable[[Keys], Term]


def _same(keys: Keys, others: Keys) -> Term:
    return terms.conjunction(terms.equal(a, b) for a, b in zip(keys, others, strict=True))


@dataclass(slots=True)
class Field:
    """One field of a table: its function in the state before, and what was written since."""

    name: str
    domain: tuple[Sort, ...]
    range: Sort
    updates: list[Update] = field(default_factory=list[Update])

    @property
    def before(self) -> Symbol:
        """Return the field's function in the state before the step."""
        return Symbol(self.name, self.domain, self.range)

    def read(self, keys: Keys) -> Term:
        """Return the value at the keys as of now."""
        value = terms.apply(self.before, *keys)
        for update in self.updates:
            value = terms.choice(update.where(keys), update.value(keys), value)
        return value

    def write(self, keys: Keys, value: Term) -> None:
        """Set the value at the keys; writing what is there already is no update."""
        if value is self.read(keys):
            return
        self.updates.append(Update(lambda ks: _same(ks, keys), lambda _: value))

    def write_where(self, where: Callable[[Keys], Term], value: Callable[[Keys], Term]) -> None:
        """Set the value at every key for which a condition holds."""
        self.updates.append(Update(where, value))

    def snapshot(self) -> Callable[[Keys], Term]:
        """Return a reader of the field as it is now, whatever is written later."""
        frozen = Field(self.name, self.domain, self.range, list(self.updates))
        return frozen.read
