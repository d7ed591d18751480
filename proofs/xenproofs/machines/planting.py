"""Planting a fault at run time: a function of the model runs a changed copy of its own code for a while.

No source changes: the function's text is read, edited, compiled, and its code put in place of the original's,
so that every module which has imported the function runs the fault. An edit that no longer fits the text
raises `Outdated` instead of planting nothing.
"""

import ast
import builtins
import dis
import importlib
import inspect
import textwrap
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType


class Outdated(ValueError):  # noqa: N818 - the fault's text is, and has to be brought up to date
    """An edit does not fit the function that it is about."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one function: `before`, which stands in it once, becomes `after`."""

    function: str
    """`module:name` below `xenmodel`."""
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that Xen had, or could have had, and what is expected to notice it."""

    name: str
    sentence: str
    edits: tuple[Edit, ...]
    breaks: tuple[str, ...]
    """Invariants (or other breaches) one of which is expected to be broken first."""
    advisories: tuple[int, ...] = ()
    interleaved: bool = False
    """Whether it shows only where two vCPUs interleave."""
    every_step: bool = False
    """Whether only a check after every step sees it."""


def function_of(path: str) -> FunctionType:
    """Return a function of the model by `module:name`."""
    module, _, name = path.partition(":")
    found: object = getattr(importlib.import_module(f"xenmodel.{module}"), name, None)
    if not isinstance(found, FunctionType):
        raise Outdated(path)
    return found


def edited(function: FunctionType, edits: list[Edit]) -> CodeType:
    """Return a function's code with edits made in its text."""
    text = textwrap.dedent(inspect.getsource(function))
    for edit in edits:
        if text.count(edit.before) != 1:
            raise Outdated(f"{edit.function}: {edit.before!r} stands there {text.count(edit.before)} times")
        text = text.replace(edit.before, edit.after)
    tree = ast.parse(text)
    ast.increment_lineno(tree, function.__code__.co_firstlineno - 1)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            node.decorator_list.clear()
    constants = compile(tree, function.__code__.co_filename, "exec", dont_inherit=True).co_consts
    code = next(c for c in constants if isinstance(c, CodeType) and c.co_name == function.__name__)
    if unknown := _globals_of(code) - function.__globals__.keys() - vars(builtins).keys():
        raise Outdated(f"{function.__name__}: no such names in its module: {sorted(unknown)}")
    return code


def _globals_of(code: CodeType) -> set[str]:
    """Return the names that code looks up in its module, inner functions apart."""
    return {str(i.argval) for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}


@contextmanager
def planted(fault: Fault | None) -> Generator[None]:
    """Run with a fault; with none, as ever."""
    with ExitStack() as undo:
        for path, edits in _by_function(fault.edits if fault else ()).items():
            function = function_of(path)
            undo.callback(setattr, function, "__code__", function.__code__)
            function.__code__ = edited(function, edits)
        yield


def _by_function(edits: tuple[Edit, ...]) -> Mapping[str, list[Edit]]:
    found: dict[str, list[Edit]] = {}
    for edit in edits:
        found.setdefault(edit.function, []).append(edit)
    return found
