"""Every invariant has a witness that was reached, and holds in every state reached."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from tests.memory import reached
from xenproofs.judge.bundles import OWN_TABLES
from xenproofs.judge.monitor import CALL_INVARIANTS, STEP_INVARIANTS, Monitor
from xenspec.invariant import Kind, Registry, key_type

if TYPE_CHECKING:
    from pathlib import Path

    from xenspec.vocabulary import EntryId, Mfn


SCENARIOS: Final = sorted(reached.SCENARIOS)


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("steps", [False, True])
def test_every_invariant_holds_in_a_state_reached(name: str, *, steps: bool) -> None:
    monitor = Monitor.over(reached.SCENARIOS[name](), steps=steps)
    assert not monitor.start()
    assert not monitor.check_all()


def test_no_invariant_is_vacuous() -> None:
    seen: set[str] = set()
    for make in reached.SCENARIOS.values():
        monitor = Monitor.over(make(), steps=True)
        monitor.start()
        seen |= {tally.invariant.name for tally in monitor.tallies() if tally.witnessed}
    assert seen >= {invariant.name for invariant in reached.INVARIANTS}


def test_a_machine_of_which_nothing_is_known_leaves_invariants_vacuous() -> None:
    """Negative control: witnesses are seen, not assumed."""
    monitor = Monitor.over(reached.idle_world().m, steps=True)
    assert not monitor.start()
    assert len(monitor.vacuous()) > len(STEP_INVARIANTS) // 2


def test_names_are_unique_and_keys_are_known() -> None:
    names = [invariant.name for invariant in STEP_INVARIANTS]
    assert len(names) == len(set(names))
    assert {invariant.key for invariant in STEP_INVARIANTS} <= set(OWN_TABLES)
    assert set(CALL_INVARIANTS) < set(STEP_INVARIANTS)


def test_properties_one_to_ten_are_all_served() -> None:
    ends = {15, 19, 32}
    for kind in Kind:
        served = {n for i in reached.INVARIANTS if i.kind is kind for n in i.properties}
        assert served <= set(range(1, 11)) | {28} | ends
        assert served >= {1, 4, 5, 7, 8, 9, 10} | {28} | ({2, 3} if kind is Kind.SAFETY else {6})


def test_sentences_are_sentences() -> None:
    for invariant in STEP_INVARIANTS:
        assert invariant.sentence[0].isupper()
        assert invariant.sentence.endswith(".")
        assert ". " not in invariant.sentence, "one sentence"


def test_nothing_is_awaited() -> None:
    assert [invariant.name for invariant in STEP_INVARIANTS if invariant.awaits is not None] == []


def test_advisories_are_those_of_the_catalogue(shared: Path) -> None:
    catalogue = json.loads((shared / "bugs" / "catalogue.json").read_text("utf-8"))
    known = {entry["id"].removeprefix("XSA-").rstrip("abcdef") for entry in catalogue}
    named = {str(n) for invariant in reached.INVARIANTS for n in invariant.advisories}
    assert named <= known
    assert len(named) > 15


def test_a_registry_refuses_what_is_no_invariant() -> None:
    registry: Registry[object] = Registry("memory", Kind.SAFETY)

    def nameless(_s: object, _f: Mfn) -> bool:
        return True

    def good(_s: object, _e: EntryId) -> bool:
        """It holds."""
        return True

    with pytest.raises(ValueError, match="no sentence"):
        registry.invariant(property=1)(nameless)
    registry.invariant(property=1)(good)
    assert (registry["good"].key, registry["good"].properties, len(registry)) == ("EntryId", (1,), 1)
    with pytest.raises(ValueError, match="two invariants"):
        registry.invariant(property=1)(good)
    with pytest.raises(TypeError, match="one key"):
        key_type(test_sentences_are_sentences)
