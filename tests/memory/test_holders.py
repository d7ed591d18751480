"""Exact sets of holders: wrong ones are refused, right ones have names."""

from __future__ import annotations

import pytest

from tests.memory import reached
from xenmodel.memory import holders
from xenproofs.judge.ghost import HolderSets, IllegalHolder
from xenproofs.judge.holdings import describe, recount, vcpu_name
from xenproofs.judge.monitor import Monitor

F = 0x200
ENTRY = holders.entry(0x300, 12)


def test_counts_follow_the_sets() -> None:
    sets = HolderSets()
    sets.take(F, ENTRY, typed=True, general=True)
    sets.take(F, holders.allocated(F), typed=False, general=True)
    assert (sets.counts[F].typed, sets.counts[F].general) == (1, 2)
    sets.move(F, ENTRY, holders.pin(F), typed=True, general=True)
    assert (sets.counts[F].typed, sets.counts[F].general) == (1, 2)
    assert {hold.holder for hold in sets.holders_of(F)} == {holders.pin(F), holders.allocated(F)}
    sets.drop(F, holders.pin(F), typed=True, general=False)
    assert (sets.counts[F].typed, sets.counts[F].general) == (0, 2)


@pytest.mark.parametrize(("typed", "general", "part"), [(True, False, "type"), (False, True, "general")])
def test_what_is_taken_twice_is_illegal(part: str, *, typed: bool, general: bool) -> None:
    sets = HolderSets()
    sets.take(F, ENTRY, typed=typed, general=general)
    with pytest.raises(IllegalHolder, match=f"taken twice.*{part} reference of frame 0x200"):
        sets.take(F, ENTRY, typed=typed, general=general)


@pytest.mark.parametrize(("typed", "general", "part"), [(True, False, "type"), (False, True, "general")])
def test_what_is_dropped_and_not_held_is_illegal(part: str, *, typed: bool, general: bool) -> None:
    sets = HolderSets()
    sets.take(F, holders.pin(F), typed=True, general=True)
    with pytest.raises(IllegalHolder, match=f"not held.*{part} reference of frame 0x200"):
        sets.drop(F, ENTRY, typed=typed, general=general)
    with pytest.raises(IllegalHolder, match="not held"):
        sets.move(F, ENTRY, holders.pin(F), typed=typed, general=general)


@pytest.mark.parametrize("name", sorted(reached.SCENARIOS))
def test_rows_explain_every_count(name: str) -> None:
    m = reached.SCENARIOS[name]()
    counts = recount(m)
    sets = HolderSets.of(m)
    for f, (typed, general) in counts.items():
        assert (m.frames[f].type_count, m.frames[f].ref_count) == (typed, general), hex(f)
        assert (sets.counts[f].typed, sets.counts[f].general) == (typed, general), hex(f)


def test_holders_have_names() -> None:
    named: set[str] = set()
    for make in reached.SCENARIOS.values():
        m = make()
        for f in recount(m):
            named |= {
                text.translate(str.maketrans("0123456789abcdef", "################"))
                for text in describe(m, f)
            }
    for expected in (
        "its allocation (reference only)",
        "the pin",
        "the kernel base pointer of d1v0",
        "the user base pointer of d1v0",
        "the old table of d1v0",
        "the table itself, partial",
        "GDT page 0 of d1v0",
        "LDT page 0 of d1v0",
        "the information page of d1v0",
        "event page 0 of dom1",
        "the EOI page of dom1",
        "a reference in flight of d1v0",
        "entry 0 of L2 0x100 of dom1 (links it)",
        "entry 0 of L2 0x100 of dom1 (linear)",
        "entry 0 of L3 0x100 of dom1 (partial child)",
        "entry 0 of L1 0x100 of dom0 (writable)",
    ):
        pattern = expected.translate(str.maketrans("0123456789abcdef", "################"))
        assert any(pattern in text for text in named), expected


def test_vcpus_have_names() -> None:
    assert [vcpu_name(v) for v in ((1, 2), ((3, 4), 5), "x")] == ["d1v2", "d3v4", "x"]


def test_a_violation_says_what_is_given_and_what_is_broken() -> None:
    monitor = Monitor.over(reached.linear_tables(), steps=True)
    monitor.start()
    (e, row) = next((e, row) for e, row in monitor.recorder.journals["entries"].store.items() if row)
    assert isinstance(e, tuple)
    monitor.machine.entries[e].writable = True
    (first, *_) = [v for v in monitor.after_call(monitor.actor) if v.name.startswith("linear_entry_links")]
    assert first.key == e
    assert first.properties == (4,)
    text = str(first)
    assert text.startswith(f"linear_entry_links_its_own_level_read_only at {e}: A linear entry links,")
    assert f"given   entries[{e[0]:#x}, {e[1]}].linear (True)" in text
    assert f"broken  not entries[{e[0]:#x}, {e[1]}].writable (True)" in text
    assert "target" not in text, "what holds is not said"
    assert row is not None
