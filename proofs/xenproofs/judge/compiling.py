"""All invariants of a bundle as one function, made from their expanded texts when a monitor begins.

    program = compiled(functions, own)             # texts and what they read; once for each bundle
    evaluate = program.bind(view)                  # over one state
    vacuous = evaluate(key, concerned, broken)     # the bits of those that are vacuous, of those concerned

One call instead of one for each invariant and connective, and the rows at the key are fetched once. A text
that is not expanded (`Program.interpreted` says why) is called as it stands, and its rows are tracked as any
are. `tests/engine/test_compiling.py` holds both against each other.
"""

import ast
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import Final, TypeAlias

from xenproofs.judge.adapter import Evaluate, compiled_function, fetch, fresh, rows_read
from xenproofs.judge.expanding import (
    ALL,
    OWN,
    Asked,
    Expanded,
    Formula,
    Joined,
    Premised,
    Unsupported,
    expand,
)
from xenproofs.judge.tracking import StateView
from xenspec.logic import VACUOUS

Cells: TypeAlias = frozenset[tuple[str, str]]
"""Fields of tables."""
Bound: TypeAlias = Callable[[Hashable, int, list[int]], int]
"""Evaluates at a key the invariants of some bits; returns the bits of those that are vacuous, and appends the
places of those that do not hold."""
WORDS: Final = "words"
INDENT: Final = "    "


@dataclass(frozen=True, slots=True)
class Reads:
    """What an expanded text reads."""

    names: Cells
    premise: Cells
    """What it reads before it turns out to be vacuous."""
    elsewhere: frozenset[str]
    """The tables of which it reads rows at other keys."""
    premise_elsewhere: frozenset[str]
    """Those of which its premise does."""


@dataclass(frozen=True, slots=True)
class Program:
    """The invariants of a bundle, compiled."""

    reads: tuple[Reads | None, ...]
    """What each reads; None of one that is called as it stands."""
    interpreted: dict[str, str]
    """Why some are called as they stand, by name."""
    source: str
    code: CodeType
    constants: dict[str, object]
    own: frozenset[str]
    """The tables of which rows at the key are read."""
    elsewhere: frozenset[str]
    """The tables of which rows at other keys are."""

    def bind(self, view: StateView) -> Bound:
        """Return the function over one state."""
        space: dict[str, object] = {"s": view, "VACUOUS": VACUOUS, **self.constants}
        space |= {ALL + table: rows_read(view, table) for table in self.elsewhere}
        space |= {f"get_{table}": fetch(view, table) for table in self.own}
        space |= {f"new_{table}": fresh(view, table) for table in self.own - {WORDS}}
        exec(self.code, space)  # noqa: S102 - the invariants' own texts, see `expanding`
        return compiled_function(space["evaluate"])


@cache
def compiled(functions: tuple[Evaluate, ...], own: frozenset[str]) -> Program:
    """Compile the invariants of a bundle; `own` are the tables that it ranges over."""
    constants: dict[str, object] = {}
    reads: list[Reads | None] = []
    bodies: list[list[str]] = []
    interpreted: dict[str, str] = {}
    for place, function in enumerate(functions):
        try:
            text = expand(function, own)
            reads.append(_reads(text))
            bodies.append(list(_lines(text.formula, place)))
            constants |= text.constants
        except Unsupported as reason:
            reads.append(None)
            bodies.append(_call(place))
            constants[f"text_{place}"] = function
            interpreted[function.__name__] = str(reason)
    known = [read for read in reads if read is not None]
    used = {table for read in known for table, _ in read.names}
    elsewhere = frozenset[str]().union(*(read.elsewhere for read in known))
    at_key = frozenset(table for table in own & used if any(OWN + table in "\n".join(b) for b in bodies))
    source = _source(sorted(at_key), bodies)
    code = compile(source, "<invariants>", "exec", dont_inherit=True)
    return Program(tuple(reads), interpreted, source, code, constants, at_key, elsewhere)


# --- What a text reads ------------------------------------------------------------------------------------


def _reads(text: Expanded) -> Reads:
    names, elsewhere = _cells(_everything(text.formula))
    premise, premise_elsewhere = _cells(_premises(text.formula))
    return Reads(names, premise, elsewhere, premise_elsewhere)


def _cells(parts: Iterator[ast.expr]) -> tuple[Cells, frozenset[str]]:
    """Return the fields that expressions read, and the tables of which they read rows at other keys."""
    cells: set[tuple[str, str]] = set()
    elsewhere: set[str] = set()
    for part in parts:
        rows: set[int] = set()
        for node in ast.walk(part):
            if isinstance(node, ast.Attribute) and (table := _table(node.value)):
                cells.add((table, node.attr))
                rows.add(id(node.value))
            elif (table := _table(node)) == WORDS:
                cells.add((WORDS, "word"))
            elif table and id(node) not in rows:
                raise Unsupported(f"a row of {table} is used other than by a field")
            if isinstance(node, ast.Subscript) and (table := _table(node)):
                elsewhere.add(table)
    return frozenset(cells), frozenset(elsewhere)


def _table(node: ast.AST) -> str:
    """Return the table whose row a node is, else nothing."""
    match node:
        case ast.Name(id=name) if name.startswith(OWN):
            return name.removeprefix(OWN)
        case ast.Subscript(value=ast.Name(id=name)) if name.startswith(ALL):
            return name.removeprefix(ALL)
        case _:
            return ""


def _premises(formula: Formula) -> Iterator[ast.expr]:
    """Return what is read before a formula turns out to be vacuous; everything, if it never does."""
    match formula:
        case Asked(value):
            yield value
        case Premised(premise, then):
            yield premise
            if not isinstance(then, Asked):
                yield from _premises(then)
        case Joined(parts):
            for part in parts:
                yield from _premises(part)


def _everything(formula: Formula) -> Iterator[ast.expr]:
    match formula:
        case Asked(value):
            yield value
        case Premised(premise, then):
            yield premise
            yield from _everything(then)
        case Joined(parts):
            for part in parts:
                yield from _everything(part)


# --- The function -----------------------------------------------------------------------------------------


def _source(own: list[str], bodies: list[list[str]]) -> str:
    lines = ["def evaluate(key, concerned, broken):", "    vacuous = 0"]
    for table in own:
        lines.append(f"    {OWN}{table} = get_{table}(key)")
        if table != WORDS:
            lines += [f"    if {OWN}{table} is None:", f"        {OWN}{table} = new_{table}(key)"]
    for place, body in enumerate(bodies):
        lines.append(f"    if concerned & {1 << place}:")
        lines += [INDENT * 2 + line for line in body]
    return "\n".join((*lines, "    return vacuous", ""))


def _lines(formula: Formula, place: int) -> Iterator[str]:
    """Return the statements that evaluate a formula."""
    match formula:
        case Premised(premise, Asked(value)):
            yield f"if {ast.unparse(premise)}:"
            yield f"    if not ({ast.unparse(value)}):"
            yield f"        broken.append({place})"
            yield "else:"
            yield f"    vacuous |= {1 << place}"
        case Asked(value):
            yield f"if not ({ast.unparse(value)}):"
            yield f"    broken.append({place})"
        case _:
            yield "asked = False"
            yield from _parts(formula, place)
            yield "if not asked:"
            yield f"    vacuous |= {1 << place}"


def _parts(formula: Formula, place: int) -> Iterator[str]:
    match formula:
        case Asked(value):
            yield "asked = True"
            yield f"if not ({ast.unparse(value)}):"
            yield f"    broken.append({place})"
        case Premised(premise, then):
            yield f"if {ast.unparse(premise)}:"
            yield from (INDENT + line for line in _parts(then, place))
        case Joined(parts):
            for part in parts:
                yield from _parts(part, place)


def _call(place: int) -> list[str]:
    """Return the statements that call a text as it stands."""
    return [
        f"truth = text_{place}(s, key)",
        "if truth is VACUOUS:",
        f"    vacuous |= {1 << place}",
        "elif truth is not True:",
        f"    broken.append({place})",
    ]
