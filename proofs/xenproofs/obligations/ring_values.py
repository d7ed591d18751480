"""Indices of rings as a solver's bit vectors: what the steps of a ring meet instead of ints.

A value is a 40-bit vector in two's complement that holds what Python's integer would hold: an index has 32
bits, so that sums and differences of a few are exact, and a mask that is forgotten shows. Comparisons are
signed, as Python's are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xenproofs.symbolic import terms
from xenproofs.symbolic.terms import BOOL, Term, bits, interpreted, symbol
from xenproofs.symbolic.traps import ConstantError, KeyUseError, SoundnessError
from xenproofs.symbolic.values import Truth

if TYPE_CHECKING:
    from xenproofs.symbolic.values import Decider

WIDTH: Final = 40
WIDE: Final = bits(WIDTH)
_MODULUS: Final = 1 << WIDTH
MOST: Final = 1 << 39
"""Constants of a formula are smaller than this, so that nothing comes near the width."""


def constant(value: int) -> Term:
    """Return an integer as a vector."""
    if not -MOST < value < MOST:
        raise ConstantError(f"{value} is no index")
    return interpreted(f"#x{value % _MODULUS:010x}", WIDE)


class Index:
    """A symbolic integer of a ring: an index, a stage, an item, a count."""

    __slots__ = ("run", "term")

    def __init__(self, term: Term, run: Decider) -> None:
        self.term = term
        self.run = run

    def __repr__(self) -> str:
        return f"<{self.term}>"

    def __hash__(self) -> int:
        raise KeyUseError("a symbolic index is used as a dictionary key")

    def __bool__(self) -> bool:
        raise SoundnessError("a symbolic index is no truth value: compare it first")

    def _apply(self, head: str, left: object, right: object) -> Index:
        return Index(interpreted(head, WIDE, vector(left), vector(right)), self.run)

    def __add__(self, other: object) -> Index:
        return self._apply("bvadd", self, other)

    def __radd__(self, other: object) -> Index:
        return self._apply("bvadd", other, self)

    def __sub__(self, other: object) -> Index:
        return self._apply("bvsub", self, other)

    def __rsub__(self, other: object) -> Index:
        return self._apply("bvsub", other, self)

    def __and__(self, other: object) -> Index:
        return self._apply("bvand", self, other)

    def __rand__(self, other: object) -> Index:
        return self._apply("bvand", other, self)

    def __rshift__(self, other: object) -> Index:
        return self._apply("bvashr", self, other)

    def __mod__(self, modulus: object) -> Index:
        """Return the remainder by a power of two, which is what lies below it in two's complement."""
        if isinstance(modulus, int):
            if modulus & (modulus - 1):
                raise ConstantError(f"{modulus} is no power of two")
            return self & (modulus - 1)
        return self & (Index(vector(modulus), self.run) - 1)

    def __eq__(self, other: object) -> Truth:  # type: ignore[override]  # a formula, not an answer
        return Truth(terms.equal(self.term, vector(other)), self.run)

    def __ne__(self, other: object) -> Truth:  # type: ignore[override]  # a formula, not an answer
        return (self == other).negated()

    def _compare(self, head: str, other: object) -> Truth:
        return Truth(interpreted(head, BOOL, self.term, vector(other)), self.run)

    def __lt__(self, other: object) -> Truth:
        return self._compare("bvslt", other)

    def __le__(self, other: object) -> Truth:
        return self._compare("bvsle", other)

    def __gt__(self, other: object) -> Truth:
        return self._compare("bvsgt", other)

    def __ge__(self, other: object) -> Truth:
        return self._compare("bvsge", other)


def vector(value: object) -> Term:
    """Return the term of an index or a constant."""
    if isinstance(value, Index):
        return value.term
    if isinstance(value, int) and not isinstance(value, bool):
        return constant(value)
    raise ConstantError(f"{value!r} is no index")


def formula(value: object) -> Term:
    """Return the term of a truth value."""
    if isinstance(value, Truth):
        return value.term
    if value is True or value is False or type(value).__name__ == "Vacuous":
        return terms.boolean(bool(value))
    raise ConstantError(f"{value!r} is no truth value")


def fresh(name: str, run: Decider) -> Index:
    """Return a symbolic integer of which nothing is known."""
    return Index(symbol(name, WIDE), run)


def within(value: Index, least: int, most: int) -> Term:
    """Return that a value lies between two constants."""
    return terms.conjunction([formula(value >= least), formula(value <= most)])
