"""Texts of invariants, expanded: what is left speaks of the key, of rows and of constants only.

Formulas are pure, and their names are bound once, so that each name may be replaced by what it means: local
names, functions inside a formula, and the formulas that it calls. The connectives become those of Python,
which read their second side only where it matters: an expanded text reads no more than the text itself.

In an expanded text `key` is the key, `own_TABLE` the row of a table at the key, `all_TABLE` the table, `s`
the state (of which only constants are used). A text is expanded only if compiling its source gives the very
code that would run; whatever else is not understood is refused with a reason (`Unsupported`), and is then run
as it stands.
"""

import ast
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Final, NewType, TypeAlias

from xenspec import logic

OWN: Final = "own_"
"""Prefix of a table's name: the row at the key."""
ALL: Final = "all_"
"""Prefix of a table's name: the table, for rows at other keys."""
ARITHMETIC: Final = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod)
DEPTH: Final = 30
"""Formulas inside one another, at most."""


class Unsupported(Exception):  # noqa: N818 - no mistake: such a text is run as it stands
    """A text has something in it that is not expanded."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A truth value that is not vacuous."""

    value: ast.expr


@dataclass(frozen=True, slots=True)
class Premised:
    """A formula that is vacuous where its premise is false."""

    premise: ast.expr
    then: "Formula"


@dataclass(frozen=True, slots=True)
class Joined:
    """A conjunction, vacuous only if all its parts are."""

    parts: "tuple[Formula, ...]"


Formula: TypeAlias = Asked | Premised | Joined


@dataclass(frozen=True, slots=True)
class Expanded:
    """An invariant's text, expanded, and the constants that it names."""

    formula: Formula
    constants: dict[str, object]


@dataclass(slots=True)
class Scope:
    """What the names of a function mean."""

    space: dict[str, object]
    """The names of its module."""
    names: "dict[str, Meant]" = field(default_factory=dict[str, "Meant"])
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Deferred:
    """An expression, not expanded yet, with the scope that it stands in."""

    node: ast.expr
    scope: Scope


@dataclass(frozen=True, slots=True)
class Inner:
    """A function without parameters inside a formula."""

    node: ast.FunctionDef
    scope: Scope


Meant: TypeAlias = ast.expr | Deferred | Inner


def expand(function: Callable[..., object], own: frozenset[str]) -> Expanded:
    """Return an invariant's text, expanded; `own` are the tables that its key type ranges over."""
    node = source_of(function)
    state, key = (argument.arg for argument in node.args.args)
    expander = _Expander(own)
    names: dict[str, Meant] = {state: ast.Name("s"), key: ast.Name("key")}
    scope = Scope(space_of(function), names)
    return Expanded(expander.formula(*expander.enter(node.body, scope)), expander.constants)


# --- Sources ----------------------------------------------------------------------------------------------


def source_of(function: object) -> ast.FunctionDef:
    """Return the text of a function of a module, if it is what would run."""
    if not isinstance(function, FunctionType):
        raise Unsupported("it is no function")
    node, code = _functions_of(function.__module__).get(function.__name__, (None, None))
    if node is None or code != function.__code__ or function.__closure__:
        raise Unsupported(f"{function.__name__} is not what its source says")
    return node


def space_of(function: object) -> dict[str, object]:
    """Return what the global names of a function mean."""
    return function.__globals__ if isinstance(function, FunctionType) else {}


@cache
def _functions_of(module: str) -> dict[str, tuple[ast.FunctionDef, CodeType]]:
    """Return the functions of a module, by name: text and code."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError, KeyError):
        return {}
    consts = compile(tree, module, "exec", dont_inherit=True).co_consts
    codes = {const.co_name: const for const in consts if isinstance(const, CodeType)}
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {node.name: (node, codes[node.name]) for node in found}


# --- Expanding --------------------------------------------------------------------------------------------


class _Expander:
    """Expands one text."""

    def __init__(self, own: frozenset[str]) -> None:
        self.own = own
        self.constants: dict[str, object] = {}

    def enter(self, body: list[ast.stmt], scope: Scope) -> tuple[ast.expr, Scope]:
        """Note what the statements of a function bind; return what it returns."""
        *statements, last = body
        for statement in statements:
            self._bind(statement, scope)
        if not isinstance(last, ast.Return) or last.value is None:
            raise Unsupported("it does not end in a value")
        return last.value, scope

    def _bind(self, statement: ast.stmt, scope: Scope) -> None:
        match statement:
            case ast.Expr(value=ast.Constant()):
                return
            case ast.FunctionDef(name=name, args=ast.arguments(args=[], kwonlyargs=[])):
                bound: dict[str, Meant] = {name: Inner(statement, scope)}
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                bound = {name: Deferred(value, scope)}
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                bound = dict(zip(map(_name, targets), (Deferred(v, scope) for v in values), strict=True))
            case _:
                raise Unsupported(f"{type(statement).__name__} is no part of a formula")
        if scope.names.keys() & bound.keys():
            raise Unsupported("it binds a name twice")
        scope.names |= bound

    # --- Formulas -----------------------------------------------------------------------------------------

    def formula(self, node: ast.expr, scope: Scope) -> Formula:
        """Expand what may be vacuous."""
        match node:
            case ast.BinOp(op=ast.BitAnd(), left=left, right=right):
                return _join((self.formula(left, scope), self.formula(right, scope)))
            case ast.Name(id=name) if isinstance(meant := scope.names.get(name), Deferred):
                return self.formula(meant.node, meant.scope)
            case ast.Call(func=func, args=args):
                return self._of_call(self._meaning(func, scope), node, args, scope)
            case _:
                return Asked(self.truth(node, scope))

    def _of_call(self, meant: object, node: ast.Call, args: list[ast.expr], scope: Scope) -> Formula:
        if meant is logic.implies:
            return Premised(self.truth(args[0], scope), self.formula(*self._called(args[1], scope)))
        if meant is logic.conj:
            return _join(tuple(self.formula(part, scope) for part in args))
        if isinstance(meant, FunctionType) and meant.__module__ != logic.__name__:
            return self.formula(*self._inlined(meant, node, scope))
        return Asked(self.truth(node, scope))

    # --- Truth values -------------------------------------------------------------------------------------

    def truth(self, node: ast.expr, scope: Scope) -> ast.expr:
        """Expand a truth value that is never vacuous."""
        match node:
            case ast.BinOp(op=ast.BitAnd(), left=left, right=right):
                return ast.BoolOp(ast.And(), [self.truth(left, scope), self.truth(right, scope)])
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                return ast.BoolOp(ast.Or(), [self.truth(left, scope), self.truth(right, scope)])
            case ast.Name(id=name) if isinstance(meant := scope.names.get(name), Deferred):
                return self.truth(meant.node, meant.scope)
            case ast.Call(func=func, args=args):
                return self._truth_of_call(self._meaning(func, scope), node, args, scope)
            case _:
                return self.value(node, scope)

    def _truth_of_call(self, meant: object, node: ast.Call, args: list[ast.expr], scope: Scope) -> ast.expr:
        if meant is logic.Not:
            return ast.UnaryOp(ast.Not(), self.truth(args[0], scope))
        if meant is logic.both or meant is logic.either:
            op = ast.And() if meant is logic.both else ast.Or()
            return ast.BoolOp(op, [self.truth(args[0], scope), self.truth(*self._called(args[1], scope))])
        if meant is logic.ite:
            return ast.IfExp(*(self.truth(part, scope) for part in args))
        if meant is logic.implies or meant is logic.conj:
            raise Unsupported("an implication stands where what is vacuous is lost")
        if isinstance(meant, FunctionType):
            return self.truth(*self._inlined(meant, node, scope))
        if isinstance(meant, Inner):
            return self.truth(*self._called(node.func, scope))
        return self.value(node, scope)

    # --- Values -------------------------------------------------------------------------------------------

    def value(self, node: ast.expr, scope: Scope) -> ast.expr:
        """Expand a value."""
        match node:
            case ast.Constant():
                found: ast.expr = node
            case ast.Name(id=name):
                found = self._of_name(name, scope)
            case ast.Attribute(value=of, attr=attr):
                found = self._of_attribute(of, attr, scope)
            case ast.Subscript(value=of, slice=at):
                found = self._of_subscript(self.value(of, scope), self.value(at, scope))
            case ast.Tuple(elts=parts):
                found = ast.Tuple([self.value(part, scope) for part in parts])
            case ast.Call(func=func, args=args):
                found = self._of_value_call(self._meaning(func, scope), node, args, scope)
            case _:
                found = self._of_operator(node, scope)
        return found

    def _of_operator(self, node: ast.expr, scope: Scope) -> ast.expr:
        match node:
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                return self.truth(node, scope)
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, ARITHMETIC):
                return ast.BinOp(self.value(left, scope), op, self.value(right, scope))
            case ast.Compare(left=left, ops=ops, comparators=[right]):
                return ast.Compare(self.value(left, scope), ops, [self.value(right, scope)])
            case _:
                raise Unsupported(f"{type(node).__name__} is not understood")

    def _of_attribute(self, of: ast.expr, attr: str, scope: Scope) -> ast.expr:
        if isinstance(module := self._meaning(of, scope), ModuleType):
            return self._constant(f"{module.__name__}.{attr}", getattr(module, attr))
        return ast.Attribute(self.value(of, scope), attr)

    def _of_name(self, name: str, scope: Scope) -> ast.expr:
        match scope.names.get(name):
            case Deferred(node, there):
                return self.value(node, there)
            case Inner():
                raise Unsupported(f"{name} is used as a value")
            case None if name in scope.space:
                return self._constant(f"{scope.space['__name__']}.{name}", scope.space[name])
            case None:
                raise Unsupported(f"{name} is unknown")
            case known:
                return known

    def _constant(self, name: str, constant: object) -> ast.expr:
        if type(constant) is int or type(constant) is str:
            return ast.Constant(constant)
        known = name.replace(".", "_")
        self.constants[known] = constant
        return ast.Name(known)

    def _of_subscript(self, of: ast.expr, at: ast.expr) -> ast.expr:
        match of, at:
            case ast.Attribute(value=ast.Name(id="s"), attr=table), ast.Name(id="key") if table in self.own:
                return ast.Name(OWN + table)
            case ast.Attribute(value=ast.Name(id="s"), attr=table), _:
                return ast.Subscript(ast.Name(ALL + table), at)
            case ast.Tuple(elts=parts), ast.Constant(value=int(index)):
                return parts[index]
            case _:
                return ast.Subscript(of, at)

    def _of_value_call(self, meant: object, node: ast.Call, args: list[ast.expr], scope: Scope) -> ast.expr:
        if isinstance(meant, NewType):
            return self.value(args[0], scope)
        if meant is logic.ite:
            return ast.IfExp(self.truth(args[0], scope), *(self.value(part, scope) for part in args[1:]))
        if isinstance(meant, FunctionType) and meant.__module__ == logic.__name__:
            return self._truth_of_call(meant, node, args, scope)
        if isinstance(meant, FunctionType):
            return self.value(*self._inlined(meant, node, scope))
        if isinstance(meant, Inner):
            return self.value(*self._called(node.func, scope))
        if meant is not None or node.keywords:
            raise Unsupported(f"{ast.unparse(node.func)} is not understood")
        return ast.Call(self.value(node.func, scope), [self.value(part, scope) for part in args], [])

    # --- Calls --------------------------------------------------------------------------------------------

    def _meaning(self, func: ast.expr, scope: Scope) -> object:
        """Return what is called: a function, a type or a module by a global name; None if it is a method."""
        match func:
            case ast.Name(id=name) if name in scope.names:
                meant = scope.names[name]
                return meant if isinstance(meant, Inner) else None
            case ast.Name(id=name):
                return scope.space.get(name)
            case ast.Attribute(value=of, attr=attr):
                module = self._meaning(of, scope)
                return getattr(module, attr, None) if isinstance(module, ModuleType) else None
            case _:
                return None

    def _called(self, thunk: ast.expr, scope: Scope) -> tuple[ast.expr, Scope]:
        """Return what a function without parameters inside a formula returns."""
        match thunk:
            case ast.Lambda(body=body):
                return body, scope
            case ast.Name(id=name) if isinstance(inner := scope.names.get(name), Inner):
                there = Scope(inner.scope.space, dict(inner.scope.names), inner.scope.depth)
                return self.enter(inner.node.body, there)
            case _:
                raise Unsupported(f"{ast.unparse(thunk)} is no function inside the formula")

    def _inlined(self, function: FunctionType, call: ast.Call, scope: Scope) -> tuple[ast.expr, Scope]:
        """Return what another formula returns, with the arguments of a call in place of its parameters."""
        node = source_of(function)
        if scope.depth > DEPTH:
            raise Unsupported(f"{function.__name__} calls itself")
        names: dict[str, Meant] = {
            parameter.arg: Deferred(argument, scope)
            for parameter, argument in zip(node.args.args, call.args, strict=False)
        }
        names |= {word.arg: Deferred(word.value, scope) for word in call.keywords if word.arg}
        if names.keys() != {parameter.arg for parameter in (*node.args.args, *node.args.kwonlyargs)}:
            raise Unsupported(f"{function.__name__} is called without some of its arguments")
        return self.enter(node.body, Scope(space_of(function), names, scope.depth + 1))


def _name(node: ast.expr) -> str:
    if not isinstance(node, ast.Name):
        raise Unsupported("it binds what is no name")
    return node.id


def _join(parts: tuple[Formula, ...]) -> Formula:
    """Return a conjunction; the parts that are never vacuous are one."""
    flat = [p for part in parts for p in (part.parts if isinstance(part, Joined) else (part,))]
    if all(isinstance(part, Asked) for part in flat):
        return Asked(ast.BoolOp(ast.And(), [part.value for part in flat if isinstance(part, Asked)]))
    return Joined(tuple(flat))
