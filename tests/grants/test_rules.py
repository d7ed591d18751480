"""Every rule of grants that real Xen showed: switched off in the model, a named case notices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.grants.rules import RULES
from tests.grants.witnesses import WITNESSES
from xenproofs.judge.oracle.play import Player
from xenproofs.judge.trace.cases import Case, read_cases

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.oracle.switches import Rule

SAMPLES: Final = ("oracle_sample_grants.jsonl.gz", "duel_transitive.jsonl.gz")
TRANSITIVE_CASES: Final = 238


@pytest.fixture(scope="module")
def bundled(pytestconfig: pytest.Config) -> Mapping[str, Case]:
    folder = pytestconfig.rootpath / "tests" / "recordings"
    return {case.id: case for name in SAMPLES for case in read_cases(folder / name)}


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


def test_the_bundled_cases_of_transitive_entries_agree(pytestconfig: pytest.Config) -> None:
    cases = list(read_cases(pytestconfig.rootpath / "tests" / "recordings" / SAMPLES[1]))
    player = Player()
    assert len(cases) == TRANSITIVE_CASES
    assert [case.id for case in cases if not player.play(case).agrees] == []


def test_every_rule_has_a_name_and_a_witness_of_its_own() -> None:
    names = [rule.name for rule in RULES]
    assert sorted(names) == sorted(WITNESSES)
    assert len(set(names)) == len(names)
