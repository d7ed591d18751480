"""Invariants and transitions are formulas; each way not to be one is flagged."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

import pytest

from tests.house import formulas, tree

if TYPE_CHECKING:
    from pathlib import Path

LAYERS: Final = ("spec", "model")


def modules() -> list[Path]:
    """Give every module that holds invariants, transitions or contracts."""
    return [
        path
        for path in tree.python_files()
        if (path.name in formulas.MODULES or path.parent.name in formulas.FOLDERS)
        and path.relative_to(tree.ROOT).parts[0] in LAYERS
    ]


def test_every_invariant_and_transition_is_a_formula() -> None:
    found = modules()
    faults = [
        f"{tree.name_of(path)}: {fault}"
        for path in found
        for fault in formulas.faults(path.read_text("utf-8"))
    ]
    assert len(found) > 4, "found almost no invariants to look at"
    assert not faults, "\n".join(faults)


def test_invariants_stand_in_no_other_module() -> None:
    looked_at = set(modules())
    elsewhere = [
        tree.name_of(path)
        for path in tree.python_files()
        if path.relative_to(tree.ROOT).parts[0] in LAYERS and path not in looked_at
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
        and any(
            isinstance(d, ast.Call) and ast.unparse(d.func).endswith("invariant") for d in node.decorator_list
        )
    ]
    assert not elsewhere


def formula(text: str) -> str:
    """Give a module with one formula."""
    return f"def f(s: State, e: EntryId) -> bool:\n    row = s.entries[e]\n    {text}\n"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("return row.a and row.b", "truthiness"),
        ("return row.a or row.b", "truthiness"),
        ("return not row.a", "use Not"),
        ("return ~row.a", "truthy"),
        ("return row.a & (not row.b)", "use Not"),
        ("return row.a if row.b else row.c", "ite"),
        ("if row.a:\n        return row.b\n    return row.c", "If"),
        ("for x in row.a:\n        pass\n    return row.c", "For"),
        ("return 0 <= row.a < 5", "chained"),
        ("return row.a in (1, 2)", "In"),
        ("return row.a is None", "Is"),
        ("return row.a & row.b == 1", "parentheses"),
        ("return row.a == row.b | row.c", "parentheses"),
        ("return row.a != row.b & row.c", "parentheses"),
        ("return row.a ^ row.b", "BitXor"),
        ("return row.a >> 3 == 1", "RShift"),
        ("return all(row.a for x in row.b)", "loop"),
        ("return any([row.a])", "looks at"),
        ("return bool(row.a)", "looks at"),
        ("return implies(row.a, row.b)", "written inside"),
        ("return implies(row.a, lambda x: row.b)", "written inside"),
        ("return either(row.a, later)", "written inside"),
        ("return both(row.a)", "written inside"),
        ("return (x := row.a) & x", "hides"),
        ("def g() -> bool:\n        return row.a and row.b\n\n    return implies(row.c, g)", "truthiness"),
        ("def g(x: int) -> bool:\n        return row.a\n\n    return implies(row.c, g)", "written inside"),
        ("assert row.a\n    return row.b", "Assert"),
    ],
)
def test_each_way_not_to_be_a_formula_is_flagged(text: str, word: str) -> None:
    found = formulas.faults(formula(text))
    assert any(word in fault for fault in found), found


@pytest.mark.parametrize(
    "text",
    [
        "return (row.a == 1) & (row.b != 2) | (row.c < row.d - 1)",
        "return (row.a & row.b) == row.c",
        "return row.a == (row.b | row.c)",
        "return implies(row.a & Not(row.b), lambda: row.c >= 2)",
        "return conj(implies(row.a, lambda: row.b), either(row.c, lambda: ite(row.a, row.b, row.c)))",
        "return (\n        row.a\n        == (row.b | row.c)\n    )",
        "\n    def later() -> bool:\n        return row.a\n\n    return implies(row.b, later)",
    ],
)
def test_formulas_pass(text: str) -> None:
    assert not formulas.faults(formula(text))


def test_functions_that_give_no_truth_value_are_left_alone() -> None:
    assert not formulas.faults("def f(x: int) -> int:\n    return x if x else 1\n")
