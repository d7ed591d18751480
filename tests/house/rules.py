"""The rules of the house: functions from a file's text to its faults, so that each can be shown a bad sample.

Limits: a function has at most 40 lines (from `def` to its last line, docstring included), a file 400, and
blocks nest at most three deep. `Any` and `cast` are kept to one adapter. No file names a path of a
particular machine or the host of a package registry.
"""

from __future__ import annotations

import ast
import re
import sys
from typing import Final

MAX_FUNCTION: Final = 40
MAX_FILE: Final = 400
MAX_NESTING: Final = 3

FORBIDDEN_TYPES: Final = frozenset({"Any", "cast"})

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_BLOCKS: Final = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.TryStar,
    ast.Match,
)

# In pieces, so that this file does not break its own rule.
_MACHINE_FOLDERS: Final = ("tmp", "work", "root", "home", "Users")
_MACHINE_PATH: Final = re.compile(r"(?<![\w.~)}>*])/(?:" + "|".join(_MACHINE_FOLDERS) + r")/[\w.]")
_REGISTRY_HOSTS: Final = (
    ("pypi", "org"),
    ("files", "pythonhosted", "org"),
    ("registry", "npmjs", "org"),
    ("deb", "debian", "org"),
    ("index", "crates", "io"),
    ("proxy", "golang", "org"),
)
_REGISTRY: Final = re.compile(r"\b(?:" + "|".join(r"\.".join(host) for host in _REGISTRY_HOSTS) + r")\b")


def long_file(text: str) -> list[str]:
    """Complain about a file that is too long to read at one sitting."""
    lines = len(text.splitlines())
    return [f"{lines} lines, the limit is {MAX_FILE}"] if lines > MAX_FILE else []


def long_functions(text: str) -> list[str]:
    """Complain about each function that does not fit a screen."""
    return [
        f"line {node.lineno}: {node.name} has {lines} lines, the limit is {MAX_FUNCTION}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, _FUNCTIONS)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION
    ]


def deep_nesting(text: str) -> list[str]:
    """Complain about each block nested too deep in its function or module; `elif` and `case` do not nest."""
    return [
        f"line {line}: nested {depth} deep, the limit is {MAX_NESTING}"
        for line, depth in _blocks(ast.parse(text), 0)
        if depth > MAX_NESTING
    ]


def _blocks(node: ast.AST, depth: int) -> list[tuple[int, int]]:
    """Give the line and depth of every block below a node; a function starts anew."""
    found: list[tuple[int, int]] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*_FUNCTIONS, ast.ClassDef)):
            found += _blocks(child, 0)
        elif isinstance(child, _BLOCKS) and not _is_elif(node, child):
            found.append((child.lineno, depth + 1))
            found += _blocks(child, depth + 1)
        else:
            found += _blocks(child, depth)
    return found


def _is_elif(parent: ast.AST, child: ast.AST) -> bool:
    """Tell an `elif` from an `if` inside an `else`, which stands further to the right."""
    return (
        isinstance(parent, ast.If)
        and isinstance(child, ast.If)
        and parent.orelse == [child]
        and child.col_offset == parent.col_offset
    )


def untyped_holes(text: str) -> list[str]:
    """Complain about `Any` and `cast`, however they were imported."""
    faults: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module in {"typing", "typing_extensions"}:
            names = [alias.name for alias in node.names if alias.name in FORBIDDEN_TYPES]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names = [node.attr] if node.value.id in {"typing", "t"} and node.attr in FORBIDDEN_TYPES else []
        else:
            continue
        faults += [f"line {node.lineno}: {name} is kept to the adapter" for name in names]
    return faults


def machine_names(text: str) -> list[str]:
    """Complain about what is true on one machine only: its folders, its registry."""
    return [
        f"line {number}: {found.group()} names a particular machine"
        for number, line in enumerate(text.splitlines(), start=1)
        for found in (*_MACHINE_PATH.finditer(line), *_REGISTRY.finditer(line))
    ]


def foreign_imports(text: str, allowed: frozenset[str]) -> list[str]:
    """Complain about imports that are neither the standard library's nor of an allowed package."""
    faults: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules = [node.module or ""]
        else:
            continue
        tops = [module.partition(".")[0] for module in modules]
        faults += [
            f"line {node.lineno}: {top} is not the standard library's"
            for top in tops
            if top not in sys.stdlib_module_names | allowed
        ]
    return faults
