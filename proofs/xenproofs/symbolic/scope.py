"""What quantifiers range over: everything (a proof), or a finite universe of each kind (the refuter)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from xenproofs.symbolic.terms import Term, conjunction, forall, variable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xenproofs.symbolic.sorts import Kind


class Scope(Protocol):
    """Makes universal statements."""

    def forall(self, kinds: tuple[Kind, ...], body: Callable[[tuple[Term, ...]], Term], name: str) -> Term:
        """Return ∀ keys of the kinds: body(keys); `name` sets its variables apart."""
        ...


@dataclass(frozen=True, slots=True)
class Unbounded:
    """A quantifier is a quantifier."""

    def forall(self, kinds: tuple[Kind, ...], body: Callable[[tuple[Term, ...]], Term], name: str) -> Term:
        """Return the quantified formula."""
        variables = tuple(variable(f"{name}_{number}", kind.sort) for number, kind in enumerate(kinds))
        return forall(variables, body(variables))


@dataclass(frozen=True, slots=True)
class Finite:
    """A quantifier is the conjunction over a universe, by kind."""

    universe: Mapping[str, tuple[Term, ...]]

    def forall(self, kinds: tuple[Kind, ...], body: Callable[[tuple[Term, ...]], Term], name: str) -> Term:
        """Return the conjunction of all instances."""
        del name
        ranges = [self.universe[kind.name] for kind in kinds]
        return conjunction(body(keys) for keys in itertools.product(*ranges))
