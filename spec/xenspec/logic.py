"""One text, two interpreters: the connectives that steps, guards and invariants are written in.

Concretely a Bool is Python's bool. In a proof it is an object of the symbolic engine that has the same
operators (`&`, `|`, `==`, `<`, …), `negated()` for negation and `choose(a, b)` for a conditional value. So

- negation is `Not(x)`, never `~x` (`~True == -2` is truthy), never `not x` on what may be symbolic;
- an implication is `implies(p, lambda: q)`: concretely `q` is not even evaluated where `p` is false, so that
  an invariant depends only on the cells that matter (so a table whose type flips does not wake its entries);
- a lazy alternative is `either(p, lambda: q)`, where `p | q` reads both; likewise `both(p, lambda: q)`;
- a conditional value is `ite(c, a, b)`, which does not fork a proof's path as `if` does.

`implies`, `Not` and `conj` refuse plain integers: a count used as a truth value is a mistake.

Concretely an implication whose premise is false is not True but `VACUOUS`, which is as true as True and
remembers why; so whoever evaluates an invariant knows whether its premise held, and can show a witness.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar, final, runtime_checkable

T = TypeVar("T")


@runtime_checkable
class SymbolicBool(Protocol):
    """What the symbolic engine's truth values offer; the engine registers nothing else here."""

    def negated(self) -> bool:
        """Return the negation."""
        ...

    def implies(self, consequent: bool) -> bool:
        """Return the implication to `consequent`."""
        ...

    def choose(self, then: T, other: T) -> T:
        """Return the value `then` where this holds, else `other`."""
        ...


class NotABoolError(TypeError):
    """A connective was given something that is no truth value."""

    def __init__(self, value: object) -> None:
        super().__init__(f"{value!r} is no truth value: compare it first")


@final
class Vacuous:
    """True because nothing was asked: the value of an implication whose premise is false.

    In a conjunction it yields to the other side, so that what is left is True only if some premise held.
    """

    __slots__ = ()

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return "VACUOUS"

    def __and__(self, other: bool) -> bool:
        return other

    __rand__ = __and__

    def __or__(self, other: bool) -> bool:
        return other if other is True else VACUOUS

    __ror__ = __or__

    def __eq__(self, other: object) -> bool:
        return other is True or other is self

    def __hash__(self) -> int:
        return 1

    def negated(self) -> bool:
        """Return the negation: what is vacuously true is true."""
        return False

    def implies(self, consequent: bool) -> bool:
        """Return the implication from a true premise."""
        return consequent

    def choose(self, then: T, other: T) -> T:  # noqa: ARG002 - the condition holds
        """Return the value `then`."""
        return then


VACUOUS: bool = Vacuous()  # type: ignore[assignment]  # one more truth value, where Python has only two
"""The one value of `Vacuous`."""


def Not(value: bool) -> bool:  # noqa: N802 - reads as the connective it is, and cannot be mistaken for `not`
    """Negate a truth value."""
    if value is True:
        return False
    if value is False:
        return True
    if isinstance(value, SymbolicBool):  # pyright: ignore[reportUnnecessaryIsInstance] - a proof's Bool
        return value.negated()
    raise NotABoolError(value)


def _truth(value: bool) -> bool:
    """Return a truth value as it is; refuse anything else."""
    if value is True or value is False or value is VACUOUS:
        return value
    if isinstance(value, SymbolicBool):
        return value
    raise NotABoolError(value)


def implies(premise: bool, consequent: Callable[[], bool]) -> bool:
    """Return premise ⇒ consequent(); concretely the consequent is read only where the premise holds."""
    if premise is True:
        result = consequent()
        if result is True or result is VACUOUS or result is False:
            return result
        return _truth(result)
    if premise is False:
        return VACUOUS
    if isinstance(premise, SymbolicBool):
        return premise.implies(consequent())
    raise NotABoolError(premise)


def both(first: bool, second: Callable[[], bool]) -> bool:
    """Return first ∧ second(); concretely the second is read only where the first holds."""
    if first is True:
        return _truth(second())
    if first is False:
        return False
    if isinstance(first, SymbolicBool):
        return first & second()
    raise NotABoolError(first)


def either(first: bool, second: Callable[[], bool]) -> bool:
    """Return first ∨ second(); concretely the second is read only where the first does not hold."""
    if first is True:
        return True
    if first is False:
        return _truth(second())
    if isinstance(first, SymbolicBool):
        return first | second()
    raise NotABoolError(first)


def ite(condition: bool, then: T, other: T) -> T:
    """Return `then` where the condition holds, else `other`, without forking a proof's path."""
    if condition is True:
        return then
    if condition is False:
        return other
    if isinstance(condition, SymbolicBool):
        return condition.choose(then, other)
    raise NotABoolError(condition)


def conj(*parts: bool) -> bool:
    """Return the conjunction of truth values."""
    result = VACUOUS
    for part in parts:
        result = result & _truth(part)
    return result
