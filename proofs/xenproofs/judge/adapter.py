"""The one module that may cast: where tables of other backings are given the types of the model's rows.

The model's code is typed against tables of its own rows. Recording and tracking tables hold these very rows,
but for whoever treats all tables alike their key and row types are in the way: here they are set aside.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from xenspec.invariant import Invariant
from xenspec.table import PlainTable, Table

if TYPE_CHECKING:
    from xenproofs.judge.recording import Journal

K = TypeVar("K")
R = TypeVar("R")
S = TypeVar("S")

AnyTable: TypeAlias = PlainTable[Hashable, object]
"""A table whose key and row types are set aside."""
AnyJournal: TypeAlias = "Journal[Hashable, object]"
"""A journal whose key and row types are set aside."""
AnyInvariant: TypeAlias = Invariant[object]
"""An invariant whose state type is set aside."""
Evaluate: TypeAlias = Callable[[object, Hashable], object]
"""An invariant's function, to be given any state and any key."""


def plain(table: Table[K, R]) -> PlainTable[K, R]:
    """Return a machine's table as the plain table that it is."""
    if not isinstance(table, PlainTable):
        raise TypeError(f"{type(table).__name__} is no table of rows that could be listed")
    return table


def anonymous(table: Table[K, R]) -> AnyTable:
    """Set a table's key and row types aside."""
    return cast("AnyTable", plain(table))


def any_journal(journal: "Journal[K, R]") -> AnyJournal:
    """Set a journal's key and row types aside."""
    return cast("AnyJournal", journal)


def stateless(invariants: Iterable[Invariant[S]]) -> list[AnyInvariant]:
    """Set the state types of invariants aside; whoever evaluates them has a state with all their tables."""
    return [cast("AnyInvariant", invariant) for invariant in invariants]


def evaluator(invariant: AnyInvariant) -> Evaluate:
    """Return an invariant's function for any key; the caller sees to it that the key is of its type."""
    return cast("Evaluate", invariant.function)
