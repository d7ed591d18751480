"""`Any` and `cast` stand in one module only, and every package is marked as typed."""

from __future__ import annotations

import pytest

from tests.house import rules, tree

ADAPTER = "proofs/xenproofs/judge/adapter.py"


def test_any_and_cast_stand_in_the_adapter_only() -> None:
    faults = [
        f"{tree.name_of(path)}: {fault}"
        for path in tree.python_files()
        if tree.name_of(path) != ADAPTER
        for fault in rules.untyped_holes(path.read_text("utf-8"))
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "hole",
    [
        "from typing import Any",
        "from typing import Final, cast",
        "from typing_extensions import Any as Whatever",
        "import typing\nx: typing.Any = 1",
        "import typing as t\nx = t.cast(int, y)",
    ],
)
def test_each_way_to_import_a_hole_is_flagged(hole: str) -> None:
    assert len(rules.untyped_holes(hole)) == 1


def test_names_that_only_look_like_holes_pass() -> None:
    assert not rules.untyped_holes("from typing import Final\nmock.Any\nself.cast(spell)\nAny = 1")


def test_every_package_is_marked_as_typed() -> None:
    missing = [
        package
        for root, package in tree.PACKAGES.items()
        if not (tree.ROOT / root / package / "py.typed").is_file()
    ]
    assert not missing
