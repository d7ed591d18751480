"""Real 64-bit words: the functions of xenmodel.abi run on bit vectors, and become formulas.

They are plain Python with branches; each path's condition selects its result. Operations that could leave 64
bits (a sum, a shift to the left of a symbolic word) do not exist here, so that nothing wraps unseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xenproofs.symbolic import terms
from xenproofs.symbolic.paths import Path, explore
from xenproofs.symbolic.terms import BOOL, Term, bits, interpreted
from xenproofs.symbolic.traps import ConstantError, KeyUseError
from xenproofs.symbolic.values import Decider, Truth, Value

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH: Final = 64
BITS: Final = bits(WIDTH)
_ALL: Final = (1 << WIDTH) - 1


def word_literal(value: int) -> Term:
    """Return a 64-bit word."""
    if not 0 <= value <= _ALL:
        raise ConstantError(f"{value:#x} does not fit {WIDTH} bits")
    return interpreted(f"#x{value:016x}", BITS)


class Bits:
    """A symbolic 64-bit word that stands where xenmodel.abi expects an int."""

    __slots__ = ("run", "term")

    def __init__(self, term: Term, run: Decider) -> None:
        self.term = term
        self.run = run

    def __hash__(self) -> int:
        raise KeyUseError("a symbolic word is used as a dictionary key")

    def __bool__(self) -> bool:
        return self.run.decide(terms.negation(terms.equal(self.term, word_literal(0))))

    def _operand(self, other: object, *, mask: bool = False) -> Term:
        if isinstance(other, Bits):
            return other.term
        if isinstance(other, int) and not isinstance(other, bool):
            return word_literal(other & _ALL if mask and other < 0 else other)
        raise ConstantError(f"{other!r} is no word")

    def _apply(self, head: str, other: object, *, mask: bool = False) -> Bits:
        return Bits(interpreted(head, BITS, self.term, self._operand(other, mask=mask)), self.run)

    def __and__(self, other: object) -> Bits:
        return self._apply("bvand", other, mask=True)

    __rand__ = __and__

    def __or__(self, other: object) -> Bits:
        return self._apply("bvor", other)

    __ror__ = __or__

    def __xor__(self, other: object) -> Bits:
        return self._apply("bvxor", other)

    __rxor__ = __xor__

    def __rshift__(self, other: object) -> Bits:
        return self._apply("bvlshr", other)

    def __eq__(self, other: object) -> Truth:  # type: ignore[override]  # a formula, not an answer
        return Truth(terms.equal(self.term, self._operand(other)), self.run)

    def __ne__(self, other: object) -> Truth:  # type: ignore[override]  # a formula, not an answer
        return (self == other).negated()

    def _compare(self, head: str, other: object) -> Truth:
        return Truth(interpreted(head, BOOL, self.term, self._operand(other)), self.run)

    def __lt__(self, other: object) -> Truth:
        return self._compare("bvult", other)

    def __le__(self, other: object) -> Truth:
        return self._compare("bvule", other)

    def __gt__(self, other: object) -> Truth:
        return self._compare("bvugt", other)

    def __ge__(self, other: object) -> Truth:
        return self._compare("bvuge", other)


def meaning(function: Callable[..., object], *arguments: Term, **flags: object) -> Term:
    """Return what a function of words computes, as one term of its arguments."""
    results: list[object] = []

    def run(path: Path) -> None:
        words = [Bits(argument, path) for argument in arguments]
        results.append(function(*words, **flags))

    value: Term | None = None
    for path in explore(run, lambda _: True):
        result = _term(results[-1])
        value = result if value is None else terms.choice(terms.conjunction(path.conditions), result, value)
    if value is None:
        raise ConstantError("the function has no path")
    return value


def _term(result: object) -> Term:
    if isinstance(result, (Bits, Value)):
        return result.term
    if isinstance(result, bool):
        return terms.boolean(result)
    if isinstance(result, int):
        return word_literal(result)
    raise ConstantError(f"{result!r} is no word and no truth value")
