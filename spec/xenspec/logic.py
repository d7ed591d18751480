"""One text, two interpreters: the connectives that steps, guards and invariants are written in.

Concretely a Bool is Python's bool. In a proof it is an object of the symbolic engine that has the same
operators (`&`, `|`, `==`, `<`, …), `negated()` for negation and `choose(a, b)` for a conditional value. So

- negation is `Not(x)`, never `~x` (`~True == -2` is truthy) and never `not x` on a value that may be symbolic;
- an implication is `implies(p, lambda: q)`: concretely `q` is not even evaluated where `p` is false, so that
  an invariant depends only on the cells that matter (see docs/decisions/0002);
- a conditional value is `ite(c, a, b)`, which does not fork a proof's path as `if` does.

`implies`, `Not` and `conj` refuse plain integers: a count used as a truth value is a mistake.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar, runtime_checkable

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

    def choose(self, then: object, other: object) -> object:
        """Return the value `then` where this holds, else `other`."""
        ...


class NotABoolError(TypeError):
    """A connective was given something that is no truth value."""

    def __init__(self, value: object) -> None:
        super().__init__(f"{value!r} is no truth value: compare it first")


def Not(value: bool) -> bool:  # noqa: N802 - reads as the connective it is, and cannot be mistaken for `not`
    """Negate a truth value."""
    if value is True:
        return False
    if value is False:
        return True
    if isinstance(value, SymbolicBool):
        return value.negated()
    raise NotABoolError(value)


def implies(premise: bool, consequent: Callable[[], bool]) -> bool:
    """Return premise ⇒ consequent(); concretely the consequent is read only where the premise holds."""
    if premise is True:
        result = consequent()
        if result is True or result is False or isinstance(result, SymbolicBool):
            return result
        raise NotABoolError(result)
    if premise is False:
        return True
    if isinstance(premise, SymbolicBool):
        return premise.implies(consequent())
    raise NotABoolError(premise)


def ite(condition: bool, then: T, other: T) -> T:
    """Return `then` where the condition holds, else `other`, without forking a proof's path."""
    if condition is True:
        return then
    if condition is False:
        return other
    if isinstance(condition, SymbolicBool):
        return condition.choose(then, other)  # type: ignore[return-value]  # the engine returns T's stand-in
    raise NotABoolError(condition)


def conj(*parts: bool) -> bool:
    """Return the conjunction of truth values."""
    result = True
    for part in parts:
        result = result & part
    return result
