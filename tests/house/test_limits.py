"""The size limits hold in every source file, and each check flags a planted fault."""

from __future__ import annotations

import pytest

from tests.house import rules, tree

CHECKS = {"file": rules.long_file, "function": rules.long_functions, "nesting": rules.deep_nesting}


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_every_source_file_is_within_the_limit(check: str) -> None:
    files = tree.python_files()
    faults = [
        f"{tree.name_of(path)}: {fault}" for path in files for fault in CHECKS[check](path.read_text("utf-8"))
    ]
    assert files, "found no source file to look at"
    assert not faults, "\n".join(faults)


def _function(lines: int) -> str:
    return "\n".join(["def f() -> None:", *["    pass"] * (lines - 1)])


def test_a_file_of_401_lines_is_flagged() -> None:
    assert not rules.long_file("pass\n" * 400)
    assert rules.long_file("pass\n" * 401) == ["401 lines, the limit is 400"]


def test_a_function_of_41_lines_is_flagged() -> None:
    assert not rules.long_functions(_function(40))
    assert rules.long_functions(_function(41)) == ["line 1: f has 41 lines, the limit is 40"]


def test_a_method_of_41_lines_is_flagged() -> None:
    method = "class C:\n" + "\n".join("    " + line for line in _function(41).splitlines())
    assert rules.long_functions(method) == ["line 2: f has 41 lines, the limit is 40"]


def test_four_nested_blocks_are_flagged() -> None:
    blocks = ["def f():", "  for a in b:", "    while c:", "      with d:", "        pass"]
    assert not rules.deep_nesting("\n".join(blocks))
    blocks[-1:] = ["        if e:", "          pass"]
    assert rules.deep_nesting("\n".join(blocks)) == ["line 5: nested 4 deep, the limit is 3"]


def test_elif_does_not_nest_but_if_inside_else_does() -> None:
    chain = "if a:\n  pass\n" + "elif b:\n  pass\n" * 5
    assert not rules.deep_nesting(chain)
    ladder = "".join(f"{' ' * n}if a:\n{' ' * n} pass\n{' ' * n}else:\n" for n in range(4)) + "    pass\n"
    assert rules.deep_nesting(ladder) == ["line 10: nested 4 deep, the limit is 3"]


def test_a_function_inside_blocks_starts_anew() -> None:
    assert not rules.deep_nesting("if a:\n if b:\n  if c:\n   def f():\n    if d:\n     pass")
