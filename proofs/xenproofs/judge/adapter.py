"""The one module that may cast: where tables of other backings are given the types of the model's rows.

The model's code is typed against tables of its own rows. Recording and tracking tables hold these very rows,
but for whoever treats all tables alike their key and row types are in the way: here they are set aside.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from inspect import signature
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from xenmodel.machine import Machine
from xenspec.contract import Action, Those
from xenspec.invariant import Invariant
from xenspec.table import PlainTable, PlainWords, Table, Words
from xenspec.transition import Transition, Transitions

if TYPE_CHECKING:
    from xenproofs.judge.compiling import Bound
    from xenproofs.judge.recording import Change, Journal
    from xenproofs.judge.tracking import StateView, Tracked, TrackedWords

K = TypeVar("K")
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")

AnyTable: TypeAlias = PlainTable[Hashable, object]
"""A table whose key and row types are set aside."""
AnyJournal: TypeAlias = "Journal[Hashable, object]"
"""A journal whose key and row types are set aside."""
AnyInvariant: TypeAlias = Invariant[object]
"""An invariant whose state type is set aside."""
AnyTransition: TypeAlias = Transition[object]
"""A rule about how a row may change, whose row type is set aside."""
AnyAction: TypeAlias = Action[object]
"""An action whose state type is set aside."""
Evaluate: TypeAlias = Callable[[object, Hashable], object]
"""An invariant's function, to be given any state and any key."""


def plain(table: Table[K, R]) -> PlainTable[K, R]:
    """Return a machine's table as the plain table that it is."""
    if not isinstance(table, PlainTable):
        raise TypeError(f"{type(table).__name__} is no table of rows that could be listed")
    return table


def plain_words(words: Words) -> PlainWords:
    """Return a machine's words as the plain words that they are."""
    if not isinstance(words, PlainWords):
        raise TypeError(f"{type(words).__name__} are no words that could be listed")
    return words


def anonymous(table: Table[K, R]) -> AnyTable:
    """Set a table's key and row types aside."""
    return cast("AnyTable", plain(table))


def table_of(machine: Machine, name: str) -> AnyTable:
    """Return a machine's table by its name, key and row types set aside."""
    return anonymous(cast("AnyTable", getattr(machine, name)))


def any_journal(journal: "Journal[K, R]") -> AnyJournal:
    """Set a journal's key and row types aside."""
    return cast("AnyJournal", journal)


def stateless(invariants: Iterable[Invariant[S]]) -> list[AnyInvariant]:
    """Set the state types of invariants aside; whoever evaluates them has a state with all their tables."""
    return [cast("AnyInvariant", invariant) for invariant in invariants]


def rowless(transitions: Transitions[R]) -> list[AnyTransition]:
    """Set the row type of rules aside; whoever evaluates them has rows of their table."""
    return [cast("AnyTransition", transition) for transition in transitions]


def any_actions(actions: Iterable[Action[S]]) -> list[AnyAction]:
    """Set the state type of actions aside; whoever asks them has states with all their tables."""
    return [cast("AnyAction", action) for action in actions]


def described(
    describe: Callable[..., Iterable[Action[S]]], state: object, arguments: Mapping[str, object]
) -> list[AnyAction]:
    """Return what a step does, of a state and those arguments that it is told by, types set aside."""
    told = list(signature(describe).parameters)[1:]
    return any_actions(describe(state, **{name: arguments[name] for name in told}))


def evaluator(invariant: AnyInvariant) -> Evaluate:
    """Return an invariant's function for any key; the caller sees to it that the key is of its type."""
    return cast("Evaluate", invariant.function)


def rows_read(view: "StateView", table: str) -> dict[Hashable, object]:
    """Return the rows of a table that were read through a view, with their types set aside."""
    return cast("dict[Hashable, object]", getattr(view, table))


def fetch(view: "StateView", table: str) -> Callable[[Hashable], object]:
    """Return a function from a key to the row that a table has there, or None."""
    source = cast("Tracked[Hashable, object] | TrackedWords", getattr(view, table))
    read: object = source.store.get if isinstance(source.store, PlainTable) else source.store.__getitem__
    return cast("Callable[[Hashable], object]", read)


def fresh(view: "StateView", table: str) -> Callable[[Hashable], object]:
    """Return a function from a key to the row that a table would get there; no row is made in the table."""
    return cast("Tracked[Hashable, object]", getattr(view, table)).store.fresh


def compiled_function(value: object) -> "Bound":
    """Return what was made from the texts of a bundle of invariants as the function that it is."""
    return cast("Bound", value)


def any_holds(of: Callable[[K, R], T]) -> Callable[[Hashable, object], T]:
    """Set the key and row types of a function on rows aside; the caller gives it rows of its own table."""
    return cast("Callable[[Hashable, object], T]", of)


def keys_of(changes: "Iterable[Change]", table: Mapping[K, object]) -> list[K]:  # noqa: ARG001 - gives the type
    """Return the keys of a table's changes, typed as the table's keys."""
    return [cast("K", key) for key, *_ in changes]


def row_at(view: "StateView", table: str, key: object) -> object:
    """Return the row (or word) of a view's table at a key, without noting that it was read."""
    store = cast("PlainTable[object, object] | PlainWords", getattr(view, table).store)
    if isinstance(store, PlainWords):
        return store[cast("tuple[int, int]", key)]
    row = store.get(key)
    return store.fresh(key) if row is None else row


def picks(those: Those) -> Callable[[object], object]:
    """Set the type of what stands in a key aside: in a proof its rows have symbolic keys."""
    return cast("Callable[[object], object]", those.holds)


def members(value: object) -> tuple[object, ...] | None:
    """Return the members of a tuple; None of anything else."""
    return cast("tuple[object, ...]", value) if isinstance(value, tuple) else None
