"""The one place where code is rewritten: a module of the model with edits, as a namespace of its own.

The module is read as source, edited as a syntax tree, and run apart: the real module and the registry of
steps stay as they are (the `step` decorators are left out).
"""

from __future__ import annotations

import ast
import importlib
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

Namespace = dict[str, object]


@dataclass(frozen=True, slots=True)
class Edit:
    """In a function, one statement is replaced; `new` may be several statements, or nothing.

    `old` is the statement's source, or of a guard its name: `guard: NAME`.
    """

    function: str
    old: str
    new: str = ""


class NoSuchStatementError(ValueError):
    """An edit does not fit the source: the model has changed, the bug must be planted anew."""


GUARD: Final = "guard: "


def _matches(statement: ast.stmt, old: str) -> bool:
    if old.startswith(GUARD):
        call = statement.value if isinstance(statement, ast.Expr) else None
        if not isinstance(call, ast.Call) or ast.unparse(call.func) != "require":
            return False
        return isinstance(call.args[0], ast.Constant) and call.args[0].value == old.removeprefix(GUARD)
    return ast.unparse(statement) == ast.unparse(ast.parse(old))


class _Editor(ast.NodeTransformer):
    """Replaces the one statement that matches, inside the function that is named."""

    def __init__(self, edit: Edit) -> None:
        self.edit = edit
        self.done = 0
        self.inside = False

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        if node.name == self.edit.function:
            self.inside = True
            self.generic_visit(node)
            self.inside = False
        return node

    def visit(self, node: ast.AST) -> ast.AST | list[ast.stmt]:
        """Visit a node; a statement that matches is replaced."""
        if self.inside and isinstance(node, ast.stmt) and _matches(node, self.edit.old):
            self.done += 1
            return ast.parse(self.edit.new).body or [ast.Pass()]
        visited: ast.AST = super().visit(node)
        return visited


def _without_step(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = [d for d in node.decorator_list if not ast.unparse(d).startswith("step(")]


def apply(edit: Edit, tree: ast.Module, module: str) -> None:
    """Edit a syntax tree in place.

    Raises:
        NoSuchStatementError: the statement is not there, or more than once.
    """
    editor = _Editor(edit)
    editor.visit(tree)
    if editor.done != 1:
        raise NoSuchStatementError(f"{module}.{edit.function}: {edit.old!r} is there {editor.done} times")


def rewritten(module: str, edits: tuple[Edit, ...]) -> Namespace:
    """Return the namespace of a module of the model with some edits."""
    source = inspect.getsource(importlib.import_module(module))
    tree = ast.parse(source)
    for edit in edits:
        apply(edit, tree, module)
    _without_step(tree)
    namespace: Namespace = {"__name__": module}
    code = compile(ast.fix_missing_locations(tree), f"<{module}, edited>", "exec")
    exec(code, namespace)  # noqa: S102 - the model's own source, edited
    return namespace


def edited_function(module: str, name: str, edits: tuple[Edit, ...]) -> Callable[..., object]:
    """Return one function of a module with some edits."""
    found = rewritten(module, edits)[name]
    if not callable(found):
        raise NoSuchStatementError(f"{module}.{name} is no function")
    return found
