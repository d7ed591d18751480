"""Contracts: what an action asks, what it does, and what it leaves alone.

    TAKE: Contract[State, Take] = Contract("take a general reference")

    @TAKE.asks(property=15)
    def only_the_owners_frame_is_taken(s: State, a: Take) -> bool:
        '''A reference is taken only of a frame that belongs to whom it is asked of.'''

    @TAKE.does(property=6)
    def one_more_holds_the_frame(before: State, after: State, a: Take) -> bool:
        '''The frame has one general reference more.'''

    @TAKE.touches
    def _(s: State, a: Take) -> tuple[Cells, ...]:
        return (Cells("frames", a.frame, ("ref_count",)),)

An invariant says what every state is like, a transition what no step may do to one row; a contract says what
an action *means*: who may take it (permission, over the state before), what has become of the rows that it is
about (effect), and that nothing else has changed (the cells that it touches). An action is what Xen does, and
not what one function of the model does: a step is one action or several at once, and one action is shared by
all steps that do the same thing. The functions are formulas (xenspec.logic): proved of each path of each step
that ends well, and evaluated where a single step is run and checked.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar, final

from xenspec.logic import implies

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)
A = TypeVar("A")
F = TypeVar("F")
F_co = TypeVar("F_co", covariant=True)


@final
class Every:
    """Stands in a key for every value of one of its parts."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "EVERY"


EVERY: Final = Every()
"""The one value of `Every`."""


@dataclass(frozen=True, slots=True)
class Those:
    """Stands in a key for the values of one of its parts of which something holds in the state before."""

    holds: Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class OfDomain:
    """Stands in a key for every virtual CPU of a domain."""

    domain: int


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells that an action may change: some fields of a row, or of all that a key with EVERY or Those has."""

    table: str
    key: object
    """A number or a tuple of them, as the table is keyed."""
    fields: tuple[str, ...]
    when: bool = True
    """They change only where this holds of the state before."""


@dataclass(frozen=True, slots=True)
class Clause(Generic[F_co]):
    """One thing that a contract says."""

    name: str
    sentence: str
    properties: tuple[int, ...]
    advisories: tuple[int, ...]
    function: F_co


class Permission(Protocol[S_contra]):
    """What must hold of the state before."""

    def __call__(self, before: S_contra, /) -> bool:
        """Return whether it does."""
        ...


class Effect(Protocol[S_contra]):
    """What must hold of both states."""

    def __call__(self, before: S_contra, after: S_contra, /) -> bool:
        """Return whether it does."""
        ...


@dataclass(frozen=True, slots=True)
class Action(Generic[S_contra]):
    """A contract with its arguments: ready to be asked of a state before and one after."""

    contract: str
    permissions: tuple[Clause[Permission[S_contra]], ...]
    effects: tuple[Clause[Effect[S_contra]], ...]
    touched: Callable[[S_contra], tuple[Cells, ...]]


class Contract(Generic[S, A]):
    """What one action asks, does and touches; `A` holds its arguments."""

    __slots__ = ("_asks", "_does", "_touches", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._asks: list[Clause[Callable[[S, A], bool]]] = []
        self._does: list[Clause[Callable[[S, S, A], bool]]] = []
        self._touches: list[Callable[[S, A], tuple[Cells, ...]]] = []

    def asks(
        self,
        *,
        property: int | tuple[int, ...],  # noqa: A002 - what it is
        advisories: tuple[int, ...] = (),
    ) -> Callable[[Callable[[S, A], bool]], Callable[[S, A], bool]]:
        """Register a function as a permission; it stays an ordinary function."""

        def register(function: Callable[[S, A], bool]) -> Callable[[S, A], bool]:
            self._asks.append(_clause(function, property, advisories))
            return function

        return register

    def does(
        self,
        *,
        property: int | tuple[int, ...],  # noqa: A002 - what it is
        advisories: tuple[int, ...] = (),
    ) -> Callable[[Callable[[S, S, A], bool]], Callable[[S, S, A], bool]]:
        """Register a function as an effect; it stays an ordinary function."""

        def register(function: Callable[[S, S, A], bool]) -> Callable[[S, S, A], bool]:
            self._does.append(_clause(function, property, advisories))
            return function

        return register

    def touches(self, function: Callable[[S, A], tuple[Cells, ...]]) -> Callable[[S, A], tuple[Cells, ...]]:
        """Register which cells may change; without any the action only asks."""
        self._touches.append(function)
        return function

    def clauses(self) -> Iterator[Clause[object]]:
        """Return every clause, in the order of the text."""
        for clause in (*self._asks, *self._does):
            yield Clause(clause.name, clause.sentence, clause.properties, clause.advisories, clause.function)

    def of(self, arguments: A, *, when: bool = True) -> Action[S]:
        """Return the action with its arguments; unless `when` holds of the state before, it does nothing."""

        def permission(function: Callable[[S, A], bool]) -> Permission[S]:
            return lambda before: implies(when, lambda: function(before, arguments))

        def effect(function: Callable[[S, S, A], bool]) -> Effect[S]:
            return lambda before, after: implies(when, lambda: function(before, after, arguments))

        def touched(before: S) -> tuple[Cells, ...]:
            found = [cells for touches in self._touches for cells in touches(before, arguments)]
            return tuple(Cells(c.table, c.key, c.fields, when & c.when) for c in found)

        return Action(
            self.name,
            tuple(_with(clause, permission(clause.function)) for clause in self._asks),
            tuple(_with(clause, effect(clause.function)) for clause in self._does),
            touched,
        )


def _clause(function: F, properties: int | tuple[int, ...], advisories: tuple[int, ...]) -> Clause[F]:
    name = str(getattr(function, "__name__", ""))
    sentence = " ".join((function.__doc__ or "").split())
    if not sentence.endswith("."):
        raise ValueError(f"{name}: no sentence")
    of = properties if isinstance(properties, tuple) else (properties,)
    return Clause(name, sentence, of, advisories, function)


def _with(clause: Clause[object], function: F) -> Clause[F]:
    return Clause(clause.name, clause.sentence, clause.properties, clause.advisories, function)
