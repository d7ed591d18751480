"""The explorer visits exactly what it visited before, symmetry or not, and tells shortest stories."""

from __future__ import annotations

import json
import os
from typing import Final

import pytest

from tests.explorer.taking import rows_of, take
from xencheck.cli import run
from xencheck.exits import Exit
from xenproofs.explorer.scopes import SCOPES
from xenproofs.explorer.search import Explorer
from xenproofs.explorer.state import Keeper
from xenproofs.machines.faults import FAULTS

DEEP: Final = os.environ.get("XENCHECK_PROFILE") == "deep"
COUNTS: Final = {
    ("alone", True): (388, 6208, 9, True),
    ("alone", False): (755, 12080, 9, True),
    ("flat", True): (174, 2436, 8, True),
    ("flat", False): (335, 4690, 8, True),
    ("twins", True): (171, 2736, 8, True),
    ("twins", False): (324, 5184, 8, True),
    ("top", True): (35, 350, 5, True),
    ("given", True): (676, 12844, 10, True),
    ("raced", True): (1851, 12261, 10, True),
    ("five", True): (868, 3875, 2, False),
}
"""Of a scope, with and without symmetry: states, transitions, depth, whether that is all."""
DEEP_COUNTS: Final[dict[tuple[str, bool], tuple[int, int, int, bool]]] = {
    ("cached", True): (1316, 27636, 11, True),
    ("cached", False): (2607, 54747, 11, True),
    ("five", False): (6087, 14500, 2, False),
    ("interleaved", True): (2464, 4334, 10, False),
    ("two interleaved", True): (8438, 16260, 9, False),
    ("described", True): (946, 30272, 10, True),
    ("described", False): (1849, 59168, 10, True),
    ("two tops", True): (10258, 297482, 9, True),
    ("linear", True): (6034, 162918, 12, True),
    ("resumed", True): (2169, 7924, 12, False),
    ("paused", True): (1675, 2970, 2, False),
    ("five interleaved", True): (11874, 146112, 3, False),
}
"""The same of scopes that take longer."""


@pytest.mark.parametrize(("scope", "symmetry"), [*COUNTS, *(DEEP_COUNTS if DEEP else ())])
def test_it_visits_what_it_is_known_to_visit(scope: str, *, symmetry: bool) -> None:
    report = Explorer(SCOPES[scope], symmetry=symmetry).run()
    found = (report.states, report.transitions, report.depth, report.complete)
    assert found == {**COUNTS, **DEEP_COUNTS}[scope, symmetry]
    assert not report.violations


def test_every_scope_has_its_numbers_checked_in_but_the_longest() -> None:
    assert SCOPES.keys() - {"pair"} == {scope for scope, _ in (*COUNTS, *DEEP_COUNTS)}


@pytest.mark.parametrize("scope", ["alone", "flat", "twins"])
def test_symmetry_joins_what_differs_in_names_alone(scope: str) -> None:
    """Two frames, or two domains: a state stands for itself and its image, which may be the same."""
    reduced, whole = COUNTS[scope, True][0], COUNTS[scope, False][0]
    alike = 2 * reduced - whole
    assert 0 < alike < reduced
    assert len(SCOPES[scope].renamings()) == 2


def test_several_processes_visit_the_same() -> None:
    reports = [Explorer(SCOPES["twins"], jobs=jobs).run().as_data() for jobs in (1, 2)]
    first, second = ({**report, "seconds": 0} for report in reports)
    assert first == second


@pytest.mark.parametrize(
    ("scope", "fault", "calls"),
    [
        ("alone", "write_permission_is_added_on_the_fast_path", 3),
        ("alone", "failure_keeps_its_count", 2),
        ("cached", "no_flush_before_a_frame_changes_its_type", 5),
        ("raced", "flushed_before_claim", 5),
        ("raced", "stamp_taken_early", 5),
        ("top", "xens_slots_given_away", 2),
        ("described", "descriptor_unchecked", 2),
        ("given", "freed_while_mapped", 2),
        ("given", "scrub_forgotten", 2),
    ],
)
@pytest.mark.parametrize("jobs", [1, 2] if DEEP else [1])
def test_a_planted_fault_has_a_shortest_story(scope: str, fault: str, calls: int, jobs: int) -> None:
    (violation,) = Explorer(SCOPES[scope], fault=FAULTS[fault], jobs=jobs).run().violations
    assert {violation.invariant, *violation.others} & set(FAULTS[fault].breaks)
    assert len(violation.story) == calls


@pytest.mark.parametrize("name", ["flat", "cached"])
def test_a_state_is_restored_whole(name: str) -> None:
    """Whatever calls and the processor have changed, an end of a table's life included, is as it was."""
    scope = SCOPES[name]
    m = scope.machine()
    keeper, at_first = Keeper(m), rows_of(m)
    saved = keeper.save()
    changed: set[str] = set()
    for v in scope.vcpus:
        for action in scope.actions(v):
            take(m, v, action)
            changed |= {table for table, rows in rows_of(m).items() if rows != at_first[table]}
    assert {"frames", "demotions"} <= changed
    keeper.restore(saved)
    assert rows_of(m) == at_first


def test_a_search_may_be_given_up() -> None:
    report = Explorer(SCOPES["alone"], most=50).run()
    assert not report.complete
    assert 50 <= report.states < COUNTS["alone", True][0]


def test_the_json_has_the_agreed_members(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["explore", "memory", "--scope", "twins", "--jobs", "2", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == Exit.HOLDS
    members = "schema_version scope states transitions depth complete symmetry seconds violations"
    assert list(report) == members.split()
    assert report["complete"] is True


@pytest.mark.parametrize("words", [["--scope", "everything"], ["rings", "--jobs", "2"], ["--fault", "none"]])
def test_wrong_usage_ends_with_2(words: list[str]) -> None:
    assert run(["explore", *words]) == Exit.BAD_INPUT
