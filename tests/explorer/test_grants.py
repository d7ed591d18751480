"""The explorer of grants: known counts, symmetry or not, shortest stories of planted faults, whole states."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from tests.explorer.taking import rows_of, take
from xencheck.cli import run as command
from xencheck.exits import Exit
from xenproofs.explorer.grants.places import GRANTER, MAPPER, SECOND
from xenproofs.explorer.grants.scopes import EXPLORED, SCOPES
from xenproofs.explorer.search import Explorer
from xenproofs.machines.faults import GRANTS
from xenproofs.machines.reasons import REASONS

DEEP: Final = os.environ.get("XENCHECK_PROFILE") == "deep"
COUNTS: Final = {
    ("map", True): (473, 4257, 11, True),
    ("map", False): (941, 8469, 11, True),
    ("death", True): (433, 3556, 9, True),
    ("paused death", True): (244, 987, 7, True),
    ("paused layout", True): (143, 993, 7, True),
    ("paused transfer", True): (206, 1756, 6, True),
}
"""Of a scope, with and without symmetry: states, transitions, depth, whether that is all."""
DEEP_COUNTS: Final = {
    ("two", True): (669, 9366, 7, True),
    ("by entry", True): (636, 8904, 8, True),
    ("devices", True): (2042, 32672, 11, True),
    ("own", True): (782, 9384, 9, True),
    ("replace", True): (467, 7005, 8, True),
    ("copy", True): (1530, 18360, 10, True),
    ("parts", True): (1256, 15072, 9, True),
    ("transfer", True): (1779, 23127, 13, True),
    ("layout", True): (1133, 13596, 12, True),
    ("cached", True): (819, 9009, 11, True),
    ("death of devices", True): (659, 6088, 10, True),
    ("either", True): (1429, 18577, 10, True),
    ("two for either", True): (487, 7792, 6, True),
    ("either dies", True): (371, 2801, 8, True),
    ("either cached", True): (440, 6600, 9, True),
    ("paused either", True): (4149, 41750, 10, True),
    ("paused", True): (4323, 29187, 12, True),
    ("paused copy", True): (1883, 9678, 8, True),
    ("paused parts", True): (638, 4038, 5, True),
    ("interleaved", True): (3540, 18180, 46, True),
}
"""The same of scopes that take longer."""
KNOWN: Final = {**COUNTS, **DEEP_COUNTS}
PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "grants.md"


@pytest.mark.parametrize(("scope", "symmetry"), [*COUNTS, *(DEEP_COUNTS if DEEP else ())])
def test_it_visits_what_it_is_known_to_visit(scope: str, *, symmetry: bool) -> None:
    report = Explorer(SCOPES[scope], symmetry=symmetry).run()
    found = (report.states, report.transitions, report.depth, report.complete)
    assert not report.violations
    assert found == KNOWN[scope, symmetry]


def test_an_entry_in_use_by_another_is_found_where_two_domains_map() -> None:
    fault = GRANTS["grant_of_another_domain"]
    (violation,) = Explorer(SCOPES["either"], fault=fault).run().violations
    assert violation.invariant in fault.breaks
    assert len(violation.story) == 3
    assert violation.story[1].startswith(f"dom{MAPPER}")
    assert violation.story[2].startswith(f"dom{SECOND}")


def test_every_scope_has_its_numbers_checked_in() -> None:
    assert SCOPES.keys() == {scope for scope, _ in KNOWN}


def test_symmetry_joins_what_differs_in_names_alone() -> None:
    """Two frames: a state stands for itself and its image, which may be the same; else nothing is joined."""
    reduced, whole = COUNTS["map", True][0], COUNTS["map", False][0]
    alike = 2 * reduced - whole
    assert 0 < alike < reduced
    assert len(SCOPES["map"].renamings()) == 2
    assert len(SCOPES["replace"].renamings()) == 1


def test_the_page_tells_what_is_known() -> None:
    rows = {tuple(cell.strip() for cell in line.split("|")) for line in PAGE.read_text("utf-8").splitlines()}
    told = {(row[1].strip("`"), *row[3:6]) for row in rows if len(row) > 6}
    assert told >= {(scope, *(f"{n:,}" for n in KNOWN[scope, True][:3])) for scope in SCOPES}


def test_every_planted_fault_has_a_scope_or_a_reason() -> None:
    assert GRANTS.keys() == EXPLORED.keys() | (GRANTS.keys() & REASONS.keys())
    assert not EXPLORED.keys() & REASONS.keys()


@pytest.mark.parametrize("name", EXPLORED)
def test_a_planted_fault_has_a_shortest_story(name: str) -> None:
    scope, length = EXPLORED[name]
    (violation,) = Explorer(SCOPES[scope], fault=GRANTS[name]).run().violations
    assert {violation.invariant, *violation.others} & {*GRANTS[name].breaks}
    assert len(violation.story) == length


STORIES: Final = {
    "death": ("entry 0 := dom1.f0 rw for dom2", "map entry 0 rw at slot 0", f"destroy dom{MAPPER}"),
    "transfer": ("entry 0 accepts a frame of dom1", f"transfer dom1.f0 to dom{MAPPER}"),
    "parts": ("entry 0 := its first half of dom1.f0 for dom2", "copy to entry 0"),
    "layout": ("set version 2", "entry 0 := dom1.f0 ro for dom2", "set version 1"),
    "death of devices": (
        "entry 0 := dom1.f0 rw for dom2",
        "map entry 0 rw for both at slot 0",
        f"destroy dom{GRANTER}",
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_what_is_saved_brings_everything_back(name: str) -> None:
    """After a story and back at the start each table is what it was: what calls write is not forgotten."""
    scope = SCOPES[name]
    m = scope.machine()
    keeper = scope.keeper(m)
    first, saved = rows_of(m), keeper.save()
    for told in STORIES[name]:
        ((v, action),) = [(v, one) for v in scope.vcpus for one in scope.actions(v) if one.text == told]
        before, words = rows_of(m), keeper.save().words
        take(m, v, action)
        assert (rows_of(m), keeper.save().words) != (before, words), told
    keeper.restore(saved)
    assert (rows_of(m), keeper.save()) == (first, saved)


def test_the_command_explores_grants(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["explore", "grants"]) == Exit.HOLDS
    assert f"{COUNTS['map', True][0]} states" in capsys.readouterr().out
    code = command(["explore", "grants", "--fault", "grant_entry_read_again"])
    assert code == Exit.VIOLATED
    assert "mapping_is_of_what_was_granted" in capsys.readouterr().out
    assert command(["explore", "grants", "--scope", "alone"]) == Exit.BAD_INPUT
