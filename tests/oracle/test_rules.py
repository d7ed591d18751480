"""Every rule of the oracle's reports that concerns memory: switched off in the model, a named case notices.

The tables (`rules_*.py`) say how to switch a rule off; `witnesses.py` which recorded case notices it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.oracle import rules_access, rules_calls, rules_entries, rules_extremes, rules_types
from tests.oracle.witnesses import WITNESSES
from xenmodel.abi.grant import GrantEntries
from xenproofs.judge.oracle.play import Player
from xenproofs.judge.trace.cases import Case, read_cases

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.oracle.switches import Rule

RULES: Final = (
    *rules_entries.RULES,
    *rules_types.RULES,
    *rules_calls.RULES,
    *rules_access.RULES,
    *rules_extremes.RULES,
)
DUEL_CASES: Final = 600
FILES: Final = ("oracle_sample.jsonl.gz", "oracle_rules.jsonl.gz", "duel_extremes.jsonl.gz")


@pytest.fixture(scope="module")
def bundled(pytestconfig: pytest.Config) -> Mapping[str, Case]:
    folder: Path = pytestconfig.rootpath / "tests" / "recordings"
    return {case.id: case for name in FILES for case in read_cases(folder / name)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_that_is_switched_off_is_noticed(
    rule: Rule, bundled: Mapping[str, Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = bundled[WITNESSES[rule.name]]
    assert Player().play(witness).agrees
    rule.off(monkeypatch)
    found = Player().play(witness).diverged
    assert found is not None
    assert found.fields != ("failure",), found.answered


def test_every_rule_has_a_name_and_a_witness_of_its_own() -> None:
    names = [rule.name for rule in RULES]
    assert sorted(names) == sorted(WITNESSES)
    assert len(set(names)) == len(names)


def test_the_bundled_cases_for_rules_agree(bundled: Mapping[str, Case]) -> None:
    player = Player()
    assert [case.id for case in bundled.values() if not player.play(case).agrees] == []


def test_the_bundled_cases_of_a_duel_agree(pytestconfig: pytest.Config) -> None:
    cases = list(read_cases(pytestconfig.rootpath / "tests" / "recordings" / "duel_ports.jsonl.gz"))
    player = Player()
    assert len(cases) == DUEL_CASES
    assert [case.id for case in cases if not player.play(case).agrees] == []


def left_alone(word: int, *_ref: int, writing: bool) -> int:
    """Mark nothing."""
    del writing
    return word


def test_a_word_that_is_marked_otherwise_is_noticed_by_them(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GrantEntries, "used", staticmethod(left_alone))
    monkeypatch.setattr(GrantEntries, "used_status", staticmethod(left_alone))
    path = pytestconfig.rootpath / "tests" / "recordings" / "duel_ports.jsonl.gz"
    player = Player()
    wrong = {case.id.split("-")[0].lstrip("u") for case in read_cases(path) if not player.play(case).agrees}
    assert {"grants", "new_grants"} <= wrong
