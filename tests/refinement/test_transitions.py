"""Each rule about how a row may change forbids its example, allows what steps do, and is monitored."""

from dataclasses import replace

import pytest

from xenmodel.abi.memory_map import MemoryMap
from xenmodel.domains.rows import Domain, Globals, PhysicalCpu, Vcpu
from xenmodel.machine import Machine, plain_machine
from xenmodel.memory.reservation import allocate
from xenmodel.memory.rows import Entry, Frame
from xenproofs.judge.monitor import Monitor
from xenproofs.judge.refinement import RULES
from xenspec.vocabulary import DOMID_INVALID, L1, L2, WRITABLE, DomId, Mfn

HELD = Frame(owner=DomId(1), allocated=True, ref_count=2, type=L1, type_count=2, validated=True, pinned=True)
FREE = Frame(owner=DOMID_INVALID, dirty=True)
LINK = Entry(linked=True, linked_as=2, target=Mfn(7), backed=True)
OWN_LEVEL = replace(LINK, linear=True)
DOMAIN = Domain(exists=True, pages=4)

FORBIDDEN: dict[str, tuple[object, object]] = {
    "type_changes_only_out_of_use": (HELD, replace(HELD, type=WRITABLE)),
    "owner_changes_only_unheld": (HELD, replace(HELD, owner=DomId(2))),
    "counts_move_by_one": (HELD, replace(HELD, ref_count=4)),
    "given_frame_is_clean_and_untyped": (FREE, replace(FREE, ref_count=1, allocated=True, owner=DomId(1))),
    "freed_frame_keeps_nothing": (replace(HELD, ref_count=1), replace(HELD, ref_count=0)),
    "validity_ends_with_the_last_holder": (HELD, replace(HELD, validated=False)),
    "a_frame_keeps_its_place": (HELD, replace(HELD, mappable_io=True)),
    "pinned_frame_keeps_its_type": (HELD, replace(HELD, type=L2)),
    "linked_entry_keeps_its_level": (LINK, replace(LINK, linked_as=3)),
    "table_link_gains_no_write_permission_in_place": (OWN_LEVEL, replace(OWN_LEVEL, writable=True)),
    "privileges_stay": (DOMAIN, replace(DOMAIN, io_rights=True)),
    "pages_are_charged_one_by_one": (DOMAIN, replace(DOMAIN, pages=2)),
    "the_dying_stay_so": (replace(DOMAIN, dying=True), DOMAIN),
    "base_pointers_change_one_by_one": (Vcpu(), Vcpu(base=Mfn(1), user_base=Mfn(1))),
    "flushes_are_not_undone": (PhysicalCpu(epoch=2), PhysicalCpu(epoch=1)),
    "the_flush_clock_never_goes_back": (Globals(clock=2), Globals(clock=1)),
}
"""For each rule, a row before and after that it forbids."""


def test_every_rule_has_an_example_that_it_forbids() -> None:
    assert set(FORBIDDEN) == {rule.name for rules in RULES.values() for rule in rules}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_rule_forbids_its_example_and_allows_no_change(name: str) -> None:
    (rule,) = (rule for rules in RULES.values() for rule in rules if rule.name == name)
    before, after = FORBIDDEN[name]
    assert not rule.function(before, after)
    assert rule.function(before, before)
    assert rule.sentence.endswith(".")


def machine() -> Machine:
    m = plain_machine(MemoryMap(ram=((0, 0x200),), frames=0x200))
    m.domains[1].exists = True
    m.domains[1].max_pages = 4
    return m


def test_a_step_that_gives_a_frame_unscrubbed_is_noticed() -> None:
    monitor = Monitor.over(machine(), steps=True)
    monitor.start()
    m = monitor.machine
    m.frames[0x150].owner = DomId(1)
    m.frames[0x150].ref_count = 1
    m.frames[0x150].allocated = True
    m.frames[0x150].dirty = True
    found = {violation.name for violation in monitor.after_step(allocate)}
    assert "given_frame_is_clean_and_untyped" in found


def test_the_step_itself_makes_an_allowed_transition() -> None:
    monitor = Monitor.over(machine(), steps=True)
    monitor.start()
    _, found = monitor.try_step(allocate, monitor.machine, Mfn(0x150), DomId(1))
    assert not found
