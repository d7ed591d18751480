"""The explorer visits exactly what it visited before, symmetry or not, and tells shortest stories."""

from __future__ import annotations

import json

import pytest

from xencheck.cli import run
from xencheck.exits import Exit
from xenproofs.explorer.scopes import SCOPES
from xenproofs.explorer.search import Explorer
from xenproofs.machines.faults import FAULTS
from xenproofs.machines.planting import planted

COUNTS = {
    ("alone", True): (388, 6208, 9, True),
    ("alone", False): (755, 12080, 9, True),
    ("five", True): (824, 3007, 2, False),
}
"""Of a scope, with and without symmetry: states, transitions, depth, whether that is all."""


@pytest.mark.parametrize(("scope", "symmetry"), COUNTS)
def test_it_visits_what_it_is_known_to_visit(scope: str, *, symmetry: bool) -> None:
    report = Explorer(SCOPES[scope], symmetry=symmetry).run()
    found = (report.states, report.transitions, report.depth, report.complete)
    assert found == COUNTS[scope, symmetry]
    assert not report.violations


@pytest.mark.parametrize(
    ("fault", "calls"), [("write_permission_is_added_on_the_fast_path", 3), ("failure_keeps_its_count", 2)]
)
def test_a_planted_fault_has_a_shortest_story(fault: str, calls: int) -> None:
    with planted(FAULTS[fault]):
        (violation,) = Explorer(SCOPES["alone"]).run().violations
    assert violation.invariant in FAULTS[fault].breaks
    assert len(violation.story) == calls


def test_the_json_has_the_agreed_members(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["explore", "--scope", "five", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == Exit.HOLDS
    members = "schema_version scope states transitions depth complete symmetry seconds violations"
    assert list(report) == members.split()
    assert report["complete"] is False


def test_an_unknown_scope_is_wrong_usage() -> None:
    assert run(["explore", "--scope", "everything"]) == Exit.BAD_INPUT
