"""The page of what is trusted names every step that is proved and every axiom, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from xenproofs.obligations.subjects import ASSUMED, subjects
from xenproofs.symbolic.axioms import COUNTING, word_axioms
from xenproofs.symbolic.scope import Unbounded

PAGE = Path(__file__).parents[2] / "docs" / "trusted.md"


def test_every_step_has_its_lock_or_instruction() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(subjects())
    assert all(len(why) > 8 for _, why in rows)


def test_every_axiom_is_listed() -> None:
    text = PAGE.read_text("utf-8")
    names = [axiom.name for axiom in (*COUNTING, *(axiom for axiom, _ in word_axioms(Unbounded())))]
    assert not [name for name in names if f"| {name} |" not in text]


def test_what_is_assumed_of_a_step_is_listed() -> None:
    text = PAGE.read_text("utf-8")
    assert not [name for name in ASSUMED if f"- `{name}`:" not in text]
