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

from xenmodel.step import WRITES
from xenproofs.bugs.rewriter import Edit as StatementEdit
from xenproofs.bugs.rewriter import NoSuchStatementError, apply


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
class Statement:
    """A statement of one function is changed, as the catalogue of the proof's planted bugs says."""

    module: str
    """Below `xenmodel`."""
    edit: StatementEdit

    @property
    def function(self) -> str:
        """Return `module:name` below `xenmodel`."""
        return f"{self.module}:{self.edit.function}"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that Xen had, or could have had, and what is expected to notice it."""

    name: str
    sentence: str
    edits: tuple[Edit | Statement, ...]
    breaks: tuple[str, ...]
    """Invariants (or other breaches) one of which is expected to be broken first."""
    advisories: tuple[int, ...] = ()
    interleaved: bool = False
    """Whether it shows only where two vCPUs interleave."""
    every_step: bool = False
    """Whether only a check after every step sees it."""
    undeclared: tuple[str, str] = ("", "")
    """A step, and a write that it declares no more."""


def function_of(path: str) -> FunctionType:
    """Return a function of the model by `module:name`."""
    module, _, name = path.partition(":")
    found: object = getattr(importlib.import_module(f"xenmodel.{module}"), name, None)
    if not isinstance(found, FunctionType):
        raise Outdated(path)
    return found


def edited(function: FunctionType, edits: list[Edit | Statement]) -> CodeType:
    """Return a function's code with edits made in its text, then in its statements."""
    text = textwrap.dedent(inspect.getsource(function))
    for edit in edits:
        if isinstance(edit, Statement):
            continue
        if text.count(edit.before) != 1:
            raise Outdated(f"{edit.function}: {edit.before!r} stands there {text.count(edit.before)} times")
        text = text.replace(edit.before, edit.after)
    tree = ast.parse(text)
    try:
        for edit in edits:
            if isinstance(edit, Statement):
                apply(edit.edit, tree, edit.module)
    except NoSuchStatementError as error:
        raise Outdated(*error.args) from None
    ast.fix_missing_locations(tree)
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


ORIGINALS: dict[FunctionType, CodeType] = {}
"""What functions have run before a fault was planted in them, as long as it is."""


@contextmanager
def unplanted() -> Generator[None]:
    """Run as ever although a fault is planted: worlds are made so, whatever happens in them later."""
    with ExitStack() as undo:
        for function, code in ORIGINALS.items():
            undo.callback(setattr, function, "__code__", function.__code__)
            function.__code__ = code
        yield


@contextmanager
def planted(fault: Fault | None) -> Generator[None]:
    """Run with a fault; with none, as ever."""
    with ExitStack() as undo:
        for path, edits in _by_function(fault.edits if fault else ()).items():
            function = function_of(path)
            changed = edited(function, edits)
            undo.callback(setattr, function, "__code__", function.__code__)
            undo.callback(ORIGINALS.pop, function)
            ORIGINALS[function] = function.__code__
            function.__code__ = changed
        step, write = fault.undeclared if fault else ("", "")
        if step:
            undo.callback(WRITES.__setitem__, step, WRITES[step])
            WRITES[step] = tuple(one for one in WRITES[step] if one != write)
        yield


def _by_function(edits: tuple[Edit | Statement, ...]) -> Mapping[str, list[Edit | Statement]]:
    found: dict[str, list[Edit | Statement]] = {}
    for edit in edits:
        found.setdefault(edit.function, []).append(edit)
    return found
