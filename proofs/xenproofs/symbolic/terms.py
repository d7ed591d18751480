"""Terms of many-sorted first-order logic, and their SMT-LIB text: what both solvers are given.

A term is immutable and made once: two terms are equal if they are the same object, so that "nothing that this
formula reads has changed" is an identity. Constructors simplify a little (literals, double negation, equal
sides), never more than a reader would; what they do is tested against a solver.

Rules of this file: no solver is imported, and nothing knows of Xen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Sort:
    """A sort by its SMT-LIB name; `declared` if it is uninterpreted."""

    name: str
    declared: bool = False


BOOL: Final = Sort("Bool")
INT: Final = Sort("Int")


def bits(width: int) -> Sort:
    """Return the sort of bit vectors of a width."""
    return Sort(f"(_ BitVec {width})")


@dataclass(frozen=True, slots=True)
class Symbol:
    """An uninterpreted function; a constant if its domain is empty."""

    name: str
    domain: tuple[Sort, ...]
    range: Sort


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """An application of `head` to `args`; a quantifier binds `bound` in its one argument."""

    head: str | Symbol
    args: tuple[Term, ...]
    sort: Sort
    bound: tuple[Term, ...] = ()
    free: frozenset[str] = field(default=frozenset(), repr=False)
    """Names of the variables that are not bound inside."""
    binders: frozenset[str] = field(default=frozenset(), repr=False)
    """Names of the variables that are bound inside."""

    def __repr__(self) -> str:
        return text(self)


class SortError(TypeError):
    """A term would mix sorts, or bind a variable twice: a fault of whoever builds it."""


@cache
def _make(head: str | Symbol, args: tuple[Term, ...], sort: Sort, bound: tuple[Term, ...] = ()) -> Term:
    names = frozenset(str(v.head) for v in bound)
    inner = frozenset[str]().union(*(a.binders for a in args))
    if names & inner:
        raise SortError(f"{sorted(names & inner)} is bound twice on one branch")
    free = frozenset[str]().union(*(a.free for a in args)) - names
    return Term(head, args, sort, bound, free, inner | names)


@cache
def variable(name: str, sort: Sort) -> Term:
    """Return a variable for a quantifier."""
    return Term(name, (), sort, free=frozenset({name}))


def symbol(name: str, sort: Sort) -> Term:
    """Return an uninterpreted constant."""
    return _make(Symbol(name, (), sort), (), sort)


def apply(function: Symbol, *args: Term) -> Term:
    """Return the application of an uninterpreted function."""
    if tuple(a.sort for a in args) != function.domain:
        raise SortError(f"{function.name} takes {function.domain}, not {[a.sort.name for a in args]}")
    return _make(function, args, function.range)


def interpreted(head: str, sort: Sort, *args: Term) -> Term:
    """Return the application of a function of the logic, or of a constructor, named as SMT-LIB does."""
    return _make(head, args, sort)


TRUE: Final = _make("true", (), BOOL)
FALSE: Final = _make("false", (), BOOL)


def boolean(value: bool) -> Term:  # noqa: FBT001 - it is the value
    """Return a truth value."""
    return TRUE if value else FALSE


def integer(value: int) -> Term:
    """Return an integer."""
    return _make(str(value) if value >= 0 else f"(- {-value})", (), INT)


def literal(term: Term) -> int | None:
    """Return the value of an integer literal, else nothing."""
    if term.sort is not INT or term.args or isinstance(term.head, Symbol) or term.free:
        return None
    return int(term.head.replace("(- ", "-").replace(")", ""))


def negation(term: Term) -> Term:
    """Return ¬ term."""
    if term is TRUE or term is FALSE:
        return boolean(term is FALSE)
    return term.args[0] if term.head == "not" else _make("not", (term,), BOOL)


def conjunction(parts: Iterable[Term]) -> Term:
    """Return the conjunction of the parts."""
    return _junction("and", parts, TRUE, FALSE)


def disjunction(parts: Iterable[Term]) -> Term:
    """Return the disjunction of the parts."""
    return _junction("or", parts, FALSE, TRUE)


def _junction(head: str, parts: Iterable[Term], neutral: Term, absorbing: Term) -> Term:
    kept: dict[Term, None] = {}
    for part in parts:
        for piece in part.args if part.head == head else (part,):
            if piece is absorbing:
                return absorbing
            if piece is not neutral:
                kept[piece] = None
    if len(kept) < 2:  # noqa: PLR2004 - nothing to join
        return next(iter(kept), neutral)
    return _make(head, tuple(kept), BOOL)


def implication(premise: Term, consequent: Term) -> Term:
    """Return premise ⇒ consequent."""
    if premise is TRUE or consequent is TRUE:
        return consequent
    if premise is FALSE:
        return TRUE
    return negation(premise) if consequent is FALSE else _make("=>", (premise, consequent), BOOL)


def equal(left: Term, right: Term) -> Term:
    """Return left = right."""
    if left.sort != right.sort:
        raise SortError(f"{left} = {right} compares {left.sort.name} with {right.sort.name}")
    if left is right:
        return TRUE
    one, two = literal(left), literal(right)
    if one is not None and two is not None:
        return FALSE
    for this, that in ((left, right), (right, left)):
        if this is TRUE:
            return that
        if this is FALSE:
            return negation(that)
    return _make("=", (left, right), BOOL)


def choice(condition: Term, then: Term, other: Term) -> Term:
    """Return the value `then` where the condition holds, else `other`."""
    if then.sort != other.sort:
        raise SortError(f"a choice between {then.sort.name} and {other.sort.name}")
    if condition is TRUE or then is other:
        return then
    if condition is FALSE:
        return other
    if then.sort is BOOL and {then, other} & {TRUE, FALSE}:
        return conjunction([implication(condition, then), implication(negation(condition), other)])
    return _make("ite", (condition, then, other), then.sort)


def order(head: str, left: Term, right: Term) -> Term:
    """Return an integer comparison: `<` or `<=`."""
    if left.sort is not INT or right.sort is not INT:
        raise SortError(f"{left} {head} {right} orders what has no order")
    one, two = literal(left), literal(right)
    if one is not None and two is not None:
        return boolean(one < two if head == "<" else one <= two)
    if left is right:
        return boolean(head == "<=")
    return _make(head, (left, right), BOOL)


def plus(left: Term, right: Term) -> Term:
    """Return the sum of two integers; literals are gathered."""
    if left.sort is not INT or right.sort is not INT:
        raise SortError(f"{left} + {right} adds what is no number")
    one, two = literal(left), literal(right)
    if one is not None and two is not None:
        return integer(one + two)
    if one is not None:
        return plus(right, left)
    if two is not None and left.head == "+" and (inner := literal(left.args[1])) is not None:
        return plus(left.args[0], integer(inner + two))
    return left if two == 0 else _make("+", (left, right), INT)


def times(factor: int, term: Term) -> Term:
    """Return a literal multiple of an integer."""
    value = literal(term)
    return integer(factor * value) if value is not None else _make("*", (integer(factor), term), INT)


def forall(variables: Sequence[Term], body: Term) -> Term:
    """Return ∀ variables: body."""
    needed = tuple(v for v in variables if v.head in body.free)
    return _make("forall", (body,), BOOL, needed) if needed else body


# --- Text -----------------------------------------------------------------------------------------------


@cache
def text(term: Term) -> str:
    """Return the SMT-LIB text of a term; what it uses more than once is named by `let`."""
    uses: dict[Term, int] = {}
    ordered: list[Term] = []
    _count(term, uses, ordered)
    names: dict[Term, str] = {}
    lets: list[str] = []
    for shared in ordered:
        if uses[shared] > 1 and shared.args and shared is not term:
            lets.append(f"(let ((?{len(names)} {_write(shared, names)})) ")
            names[shared] = f"?{len(names)}"
    return "".join(lets) + _write(term, names) + ")" * len(lets)


def _count(term: Term, uses: dict[Term, int], ordered: list[Term]) -> None:
    """Count uses in this scope (a quantifier's body is a scope of its own); arguments come first."""
    uses[term] = uses.get(term, 0) + 1
    if uses[term] > 1:
        return
    if not term.bound:
        for argument in term.args:
            _count(argument, uses, ordered)
    ordered.append(term)


def _write(term: Term, names: dict[Term, str]) -> str:
    if term in names:
        return names[term]
    head = term.head.name if isinstance(term.head, Symbol) else term.head
    if term.bound:
        binds = " ".join(f"({v.head} {v.sort.name})" for v in term.bound)
        return f"(forall ({binds}) {text(term.args[0])})"
    if not term.args:
        return head
    return f"({head} {' '.join(_write(a, names) for a in term.args)})"


def symbols(terms: Iterable[Term]) -> tuple[list[Symbol], list[Sort]]:
    """Return the uninterpreted functions and the declared sorts of some terms, each once, by name."""
    found: set[Symbol] = set()
    sorts: set[Sort] = set()
    for term in terms:
        used, mentioned = _symbols_of(term)
        found |= used
        sorts |= mentioned
    return sorted(found, key=lambda s: s.name), sorted(sorts, key=lambda s: s.name)


@cache
def _symbols_of(term: Term) -> tuple[frozenset[Symbol], frozenset[Sort]]:
    seen: set[Term] = set()
    found: set[Symbol] = set()
    every: set[Sort] = set()
    waiting = [term]
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        waiting += here.args
        every |= {here.sort, *(v.sort for v in here.bound)}
        if isinstance(here.head, Symbol):
            found.add(here.head)
            every |= {*here.head.domain, here.head.range}
    return frozenset(found), frozenset(s for s in every if s.declared)
