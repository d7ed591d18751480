"""Every guard and every statement of a step, dropped in turn: the edits of the mutant run."""

from __future__ import annotations

import ast
import importlib
import inspect

from xenproofs.bugs.rewriter import Edit, NoSuchStatementError, edited_function


def droppable(module: str, function: str) -> list[Edit]:
    """Return an edit for each guard, assignment and call of a function that can be told from the others."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    found: list[Edit] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            found += [Edit(function, ast.unparse(s)) for s in ast.walk(node) if _is_effect(s)]
    return [edit for edit in found if _fits(module, edit)]


def _is_effect(node: ast.AST) -> bool:
    """Tell what can be dropped without leaving a name undefined: calls, and assignments to rows."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    return isinstance(node, ast.Assign) and all(
        isinstance(target, (ast.Attribute, ast.Subscript)) for target in node.targets
    )


def _fits(module: str, edit: Edit) -> bool:
    try:
        edited_function(module, edit.function, (edit,))
    except NoSuchStatementError:
        return False
    return True
