"""The lint of invariants and transitions: they are formulas that happen to be written in Python.

The same text is evaluated and turned into a formula of a solver, so that it may use only what means the same
in both: `&`, `|`, single comparisons, arithmetic, and the connectives of xenspec.logic with lazy consequents,
which are lambdas or functions inside the formula. What Python decides by truthiness (`and`, `if`, chained
comparisons, …), or what binds other than it reads (`a & b == c`), is refused.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES: Final = frozenset(
    {"invariants.py", "transitions.py", "representation.py", "holding.py", "queues.py", "sleeping.py"}
)
"""Names of the modules that hold formulas."""
FOLDERS: Final = frozenset({"contracts"})
"""Names of the packages whose modules hold formulas."""
LAZY: Final = frozenset({"implies", "either", "both"})
"""Connectives whose second argument is a function that is called only where it matters."""
COMPARISONS: Final = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
DECIDING: Final = frozenset(
    {"bool", "int", "any", "all", "sum", "len", "min", "max", "sorted", "isinstance", "range", "not_"}
)
"""Builtins that would look at a value, which a symbolic one cannot bear."""
STATEMENTS: Final = (ast.Assign, ast.Return, ast.Expr, ast.FunctionDef)
OPERATORS: Final = (ast.BitAnd, ast.BitOr, ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod)
BRANCHING: Final[dict[type[ast.AST], str]] = {
    ast.BoolOp: "`and` and `or` decide by truthiness: use & and |",
    ast.IfExp: "a conditional expression decides by truthiness: use ite",
    ast.ListComp: "a comprehension is a loop",
    ast.SetComp: "a comprehension is a loop",
    ast.DictComp: "a comprehension is a loop",
    ast.GeneratorExp: "a generator is a loop",
    ast.NamedExpr: "an assignment inside an expression hides it",
}


def faults(text: str) -> list[str]:
    """Complain about everything in a module's formulas that is no formula."""
    return [
        f"line {line}: {what}"
        for function in formulas(ast.parse(text))
        for line, what in sorted(_of_function(function))
    ]


def formulas(tree: ast.Module) -> list[ast.FunctionDef]:
    """Return the functions of a module that give a truth value."""
    return [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and isinstance(node.returns, ast.Name)
        and node.returns.id == "bool"
    ]


def _of_function(function: ast.FunctionDef) -> Iterator[tuple[int, str]]:
    inside = [node for node in ast.walk(function) if isinstance(node, ast.FunctionDef)]
    for part in inside:
        for statement in part.body:
            if not isinstance(statement, STATEMENTS):
                yield statement.lineno, f"{type(statement).__name__} is no part of a formula"
    thunks = {part.name for part in inside if part is not function and not ast.unparse(part.args)}
    for node in ast.walk(function):
        yield from ((_line(node), what) for what in _of_node(node, thunks))


def _line(node: ast.AST) -> int:
    return node.lineno if isinstance(node, ast.expr | ast.stmt) else 0


def _of_node(node: ast.AST, thunks: set[str]) -> Iterator[str]:
    if type(node) in BRANCHING:
        yield BRANCHING[type(node)]
    elif isinstance(node, ast.UnaryOp):
        yield from _of_unary(node)
    elif isinstance(node, ast.Compare):
        yield from _of_comparison(node)
    elif isinstance(node, ast.BinOp) and not isinstance(node.op, OPERATORS):
        yield f"{type(node.op).__name__} is no operator of formulas"
    elif isinstance(node, ast.Call):
        yield from _of_call(node, thunks)


def _of_unary(node: ast.UnaryOp) -> Iterator[str]:
    if isinstance(node.op, ast.Not):
        yield "`not` decides by truthiness: use Not"
    elif isinstance(node.op, ast.Invert):
        yield "`~True` is -2, which is truthy: use Not"


def _of_comparison(node: ast.Compare) -> Iterator[str]:
    if len(node.ops) > 1:
        yield "a chained comparison is an `and`: write two"
    for op in node.ops:
        if not isinstance(op, COMPARISONS):
            yield f"`{type(op).__name__}` is no comparison of formulas"
    if _is_bare(node.left) and node.left.col_offset == node.col_offset and _same_line(node, node.left):
        yield "`a & b == c` means `(a & b) == c`: put parentheses"
    last = node.comparators[-1]
    if _is_bare(last) and (last.end_lineno, last.end_col_offset) == (node.end_lineno, node.end_col_offset):
        yield "`a == b & c` means `a == (b & c)`: put parentheses"


def _is_bare(node: ast.expr) -> bool:
    """Tell whether a side of a comparison is a conjunction or disjunction."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr)


def _same_line(outer: ast.expr, inner: ast.expr) -> bool:
    return outer.lineno == inner.lineno


def _of_call(node: ast.Call, thunks: set[str]) -> Iterator[str]:
    if not isinstance(node.func, ast.Name):
        return
    if node.func.id in DECIDING:
        yield f"`{node.func.id}` looks at its value"
    if node.func.id in LAZY and not (len(node.args) == 2 and _is_thunk(node.args[1], thunks)):
        yield f"`{node.func.id}` takes a value and a function without parameters, written inside the formula"


def _is_thunk(node: ast.expr, thunks: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in thunks
    return isinstance(node, ast.Lambda) and not ast.unparse(node.args)
