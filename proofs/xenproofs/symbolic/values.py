"""Symbolic values: what a step's or an invariant's text meets instead of ints, bools and keys.

They are never subclasses of int: whatever is not written here is an error, not a guess. A truth value forks
the path when Python asks for it (`if`), in a step only; see xenproofs.symbolic.paths.
"""

from __future__ import annotations

from typing import NoReturn, Protocol

from xenproofs.symbolic import terms
from xenproofs.symbolic.sorts import CONSTANTS, MADE_VCPU, PARTS, VCPU
from xenproofs.symbolic.terms import BOOL, INT, Sort, Term
from xenproofs.symbolic.traps import ConstantError, KeyUseError, SoundnessError


class Decider(Protocol):
    """Who says which way a path goes."""

    def decide(self, condition: Term, /) -> bool:
        """Choose a side of a condition, and remember it."""
        ...


class Value:
    """A term, and who decides about it."""

    __slots__ = ("run", "term")

    def __init__(self, term: Term, run: Decider) -> None:
        self.term = term
        self.run = run

    def __repr__(self) -> str:
        return f"<{self.term}>"

    def __hash__(self) -> int:
        raise KeyUseError(f"{self!r} is used as a dictionary key")

    def __int__(self) -> NoReturn:
        raise KeyUseError(f"{self!r} is used as a number")

    __index__ = __int__

    def __iter__(self) -> NoReturn:
        raise KeyUseError(f"{self!r} is used as a sequence")

    def __bool__(self) -> bool:
        raise SoundnessError(f"{self!r} is no truth value: compare it first")

    def __eq__(self, other: object) -> Truth:  # type: ignore[override]  # a formula, not an answer
        return Truth(terms.equal(self.term, lift(other, self.term.sort)), self.run)

    def __ne__(self, other: object) -> Truth:  # type: ignore[override]  # a formula, not an answer
        return (self == other).negated()


class Truth(Value):
    """A symbolic truth value: xenspec.logic's SymbolicBool."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return self.run.decide(self.term)

    def __and__(self, other: object) -> Truth:
        return Truth(terms.conjunction([self.term, lift(other, BOOL)]), self.run)

    def __rand__(self, other: object) -> Truth:
        return Truth(terms.conjunction([lift(other, BOOL), self.term]), self.run)

    def __or__(self, other: object) -> Truth:
        return Truth(terms.disjunction([self.term, lift(other, BOOL)]), self.run)

    def __ror__(self, other: object) -> Truth:
        return Truth(terms.disjunction([lift(other, BOOL), self.term]), self.run)

    def __invert__(self) -> NoReturn:
        raise SoundnessError("negation is Not(x): ~ on a concrete truth value is never false")

    def negated(self) -> Truth:
        """Return the negation."""
        return Truth(terms.negation(self.term), self.run)

    def implies(self, consequent: object) -> Truth:
        """Return the implication to `consequent`."""
        return Truth(terms.implication(self.term, lift(consequent, BOOL)), self.run)

    def choose(self, then: object, other: object) -> Value:
        """Return the value `then` where this holds, else `other`."""
        sort = sort_of(then) if isinstance(then, Value) else sort_of(other)
        return wrap(terms.choice(self.term, lift(then, sort), lift(other, sort)), self.run)


class Number(Value):
    """A symbolic integer: a count, a slot, a CPU, a domain number, a member of an enumeration."""

    __slots__ = ()

    def __lt__(self, other: object) -> Truth:
        return Truth(terms.order("<", self.term, lift(other, INT)), self.run)

    def __le__(self, other: object) -> Truth:
        return Truth(terms.order("<=", self.term, lift(other, INT)), self.run)

    def __gt__(self, other: object) -> Truth:
        return Truth(terms.order("<", lift(other, INT), self.term), self.run)

    def __ge__(self, other: object) -> Truth:
        return Truth(terms.order("<=", lift(other, INT), self.term), self.run)

    def __add__(self, other: object) -> Number:
        return Number(terms.plus(self.term, lift(other, INT)), self.run)

    __radd__ = __add__

    def __sub__(self, other: object) -> Number:
        return Number(terms.plus(self.term, terms.times(-1, lift(other, INT))), self.run)

    def __rsub__(self, other: object) -> Number:
        return Number(terms.plus(lift(other, INT), terms.times(-1, self.term)), self.run)

    def __neg__(self) -> Number:
        return Number(terms.times(-1, self.term), self.run)

    def __mul__(self, other: int) -> Number:
        return Number(terms.times(_literal(other), self.term), self.run)

    # By a positive literal Python rounds down, as SMT-LIB does.

    def __floordiv__(self, other: int) -> Number:
        return self._by_literal("div", other)

    def __mod__(self, other: int) -> Number:
        return self._by_literal("mod", other)

    def _by_literal(self, head: str, other: int) -> Number:
        divisor = _literal(other)
        if divisor <= 0:
            raise ConstantError(f"{self!r} {head} {other!r}: by a positive literal only")
        return Number(terms.interpreted(head, INT, self.term, terms.integer(divisor)), self.run)

    # Bit operations occur in steps only on what no invariant reads: any function of their arguments.

    def __or__(self, other: object) -> Number:
        return self._opaque("bit_or", self.term, other)

    def __and__(self, other: object) -> Number:
        return self._opaque("bit_and", self.term, other)

    def __rlshift__(self, other: object) -> Number:
        return self._opaque("shifted", self.term, other)

    def __invert__(self) -> Number:
        return self._opaque("bit_not", self.term, 0)

    def _opaque(self, name: str, left: Term, right: object) -> Number:
        function = terms.Symbol(name, (INT, INT), INT)
        return Number(terms.apply(function, left, lift(right, INT)), self.run)


class Key(Value):
    """A frame, virtual CPU, flight or word: it can only be compared for equality."""

    __slots__ = ()

    def __getitem__(self, index: int) -> Value:
        """Return a part of a key: a flight's virtual CPU, a virtual CPU's domain or number."""
        part = PARTS.get((self.term.sort, index))
        if part is None:
            raise KeyUseError(f"part {index} of {self!r}")
        return wrap(terms.apply(part, self.term), self.run)


def _literal(value: object) -> int:
    """Return a plain number; anything else would make the arithmetic nonlinear."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConstantError(f"{value!r} is no literal number")
    return value


def wrap(term: Term, run: Decider) -> Value:
    """Return the value of a term's sort."""
    kind = {BOOL: Truth, INT: Number}.get(term.sort, Key)
    return kind(term, run)


def sort_of(value: object) -> Sort:
    """Return the sort of a symbolic value or a constant."""
    if isinstance(value, Value):
        return value.term.sort
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return INT
    raise ConstantError(f"{value!r} has no sort")


def lift(value: object, sort: Sort) -> Term:
    """Return the term of a value or constant, which must be of the sort."""
    if isinstance(value, Value):
        if value.term.sort != sort:
            raise ConstantError(f"{value!r} is a {value.term.sort.name}, not a {sort.name}")
        return value.term
    if sort == BOOL and (value is True or value is False or type(value).__name__ == "Vacuous"):
        return terms.boolean(bool(value))
    if isinstance(value, int) and not isinstance(value, bool):
        if sort == INT:
            return terms.integer(int(value))
        if value in CONSTANTS.get(sort, {}):
            return CONSTANTS[sort][value]
    if sort == VCPU and isinstance(value, tuple):
        return _vcpu(list(value))  # pyright: ignore[reportUnknownArgumentType]
    raise ConstantError(f"{value!r} is no constant of sort {sort.name}")


def _vcpu(parts: list[object]) -> Term:
    """Return the virtual CPU of a domain and a number, of which nothing more is known."""
    if len(parts) != 2:  # noqa: PLR2004 - a domain and a number
        raise ConstantError(f"{parts!r} is no virtual CPU")
    return terms.apply(MADE_VCPU, *(lift(part, INT) for part in parts))
