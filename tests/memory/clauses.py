"""The clauses of a module's formulas, and the formulas with one clause negated.

A clause is what `&`, `|`, `Not` and the connectives join: a comparison, a field, a call of another formula.
"""

from __future__ import annotations

import ast
import copy
import inspect
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.house.formulas import LAZY, formulas
from xenspec.logic import Not

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

CONNECTIVES: Final = LAZY | {"conj", "Not"}


class Clause(NamedTuple):
    """One clause of one formula, by its place in the order of the text."""

    function: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.function}#{self.number} {self.text}"


Inner = dict[str, ast.expr]


def _atoms(node: ast.expr, inner: Inner) -> Iterator[ast.expr]:
    """Yield the clauses of an expression, in order; `inner` are those that it has by name."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr):
        yield from _atoms(node.left, inner)
        yield from _atoms(node.right, inner)
    elif isinstance(node, ast.Lambda):
        yield from _atoms(node.body, inner)
    elif isinstance(node, ast.Name) and node.id in inner:
        yield from _atoms(inner[node.id], inner)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CONNECTIVES:
        for argument in node.args:
            yield from _atoms(argument, inner)
    else:
        yield node


def _inner(function: ast.FunctionDef) -> Inner:
    """Return what the functions inside a formula return, by their names."""
    found: Inner = {}
    for node in function.body:
        if isinstance(node, ast.FunctionDef):
            value = _returned(node).value
            assert value is not None
            found |= {node.name: value, **_inner(node)}
    return found


def _all_atoms(function: ast.FunctionDef) -> list[ast.expr]:
    """Return the clauses of a formula, each once."""
    value = _returned(function).value
    assert value is not None
    found = _atoms(value, _inner(function))
    return list({id(atom): atom for atom in found}.values())


def _returned(function: ast.FunctionDef) -> ast.Return:
    (statement,) = [node for node in function.body if isinstance(node, ast.Return)]
    return statement


def clauses(module: ModuleType) -> list[Clause]:
    """Return every clause of every formula of a module."""
    found: list[Clause] = []
    for function in formulas(ast.parse(inspect.getsource(module))):
        atoms = enumerate(_all_atoms(function))
        found += [Clause(function.name, i, ast.unparse(atom)) for i, atom in atoms]
    return found


class _Negate(ast.NodeTransformer):
    def __init__(self, target: ast.expr) -> None:
        self.target = target

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self.target:
            return ast.Call(ast.Name("Not", ast.Load()), [self.target], [])
        return self.generic_visit(node)


def negated(module: ModuleType, clause: Clause | None) -> dict[str, Callable[..., bool]]:
    """Return the formulas of a module, with one clause negated wherever it is reached (none if None)."""
    body: list[ast.stmt] = []
    for original in formulas(ast.parse(inspect.getsource(module))):
        function = copy.deepcopy(original)
        function.decorator_list = []
        if clause is not None and function.name == clause.function:
            _Negate(_all_atoms(function)[clause.number]).visit(function)
        body.append(function)
    tree = ast.fix_missing_locations(ast.Module(body, []))
    space: dict[str, Callable[..., bool]] = {**vars(module), "Not": Not}
    exec(compile(tree, module.__name__, "exec"), space)  # noqa: S102 - the module's own text, one clause apart
    return space
