"""Planted faults: what goes wrong in a hypervisor, one by one, and which invariant is to notice.

Each is looked for by `xencheck fuzz --fault NAME`; tests/machines/test_faults.py runs some of them, the deep
profile all.
"""

from xenproofs.machines.breach import CRASH, ILLEGAL_HOLDER
from xenproofs.machines.catalogued import CACHED, CATALOGUED, CLAIM, COUNTED, LEFT, REFERENCED, VALIDATION
from xenproofs.machines.event_faults import EVENT_FAULTS
from xenproofs.machines.grant_faults import GRANT_FAULTS
from xenproofs.machines.planting import Edit, Fault
from xenproofs.machines.walk_faults import WALK_FAULTS

LINKING = "memory.linking"

LIST: tuple[Fault, ...] = (
    Fault(
        "owner_unchecked",
        "get_page() takes a reference to whomever the frame belongs to.",
        (
            Edit(
                f"{CLAIM}:take_ref",
                'require("frame belongs to the named domain", frame.owner == owner, EINVAL)',
                "pass",
            ),
        ),
        ("gdt_page_is_of_the_descriptor_type", LEFT),
    ),
    Fault(
        "base_released_first",
        "The old base pointer's references are dropped before the new table is taken.",
        (
            Edit(
                "memory.roots:load_base",
                "    yield from _take_top(x, kn, f)\n",
                "    ko = flights(x.vcpu)[2]\n"
                "    m.ghost.move(\n"
                "        vcpu.base, holders.base(x.vcpu, KERNEL), holders.flight(ko),\n"
                "        typed=True, general=True)\n"
                "    m.flights[ko].frame, m.flights[ko].mode = vcpu.base, HELD\n"
                "    yield from release_both(x, ko)\n"
                "    yield from _take_top(x, kn, f)\n",
            ),
            Edit(
                "memory.roots:swap_base",
                "if before != NO_FRAME:",
                "if before != NO_FRAME and which != KERNEL:",
            ),
        ),
        ("kernel_base_is_a_top_level_table", COUNTED, REFERENCED),
    ),
    Fault(
        "descriptor_unchecked",
        "A page of descriptors is accepted as it is.",
        (
            Edit(
                f"{LINKING}:accept_descriptor",
                'require("the descriptor is acceptable", m.descriptors.accepted(word), EINVAL)',
                "pass",
            ),
        ),
        ("harmful_word_is_in_no_descriptor_page", "unstored_descriptor_is_in_no_descriptor_page"),
    ),
    Fault(
        "freed_while_mapped",
        "A frame that is given up becomes free although it is still mapped.",
        (
            Edit(
                f"{CLAIM}:release_general",
                "if frame.ref_count == 0:",
                "if (frame.ref_count == 0) | Not(frame.allocated):",
            ),
        ),
        (
            "mapped_frame_has_an_owner",
            "mapping_is_authorised",
            "writable_entry_targets_writable_frame",
            "ownerless_frame_is_unused",
        ),
        advisories=(252,),
    ),
    Fault(
        "refusal_leaves_a_store",
        "An entry is stored before its target is taken, and stays where the target is refused.",
        (
            Edit(
                "memory.updates:_modify_present",
                "    stored = yield from take_leaf(",
                "    m.words[t, slot] = stored\n    stored = yield from take_leaf(",
            ),
        ),
        ("linked_entry_agrees_with_its_word", "present_slot_below_next_slot_is_linked"),
    ),
    Fault(
        "write_undeclared",
        "The end of a flush lowers the stamp of its frame, which it does not declare.",
        (Edit(f"{CLAIM}:finish_flush", "frame.flushing = False", "frame.flushing, frame.stamp = False, -1"),),
        ("declared_writes",),
        every_step=True,
    ),
    Fault(
        "linear_unrestricted",
        "A table that links its own level may itself be linked from its own level.",
        (
            Edit("memory.linear:take_linear", " and linked.linear <= 0", ""),
            Edit(f"{LINKING}:_require_linear", "(linked.linear <= 0)", "True"),
        ),
        ("linear_counter_tells_own_entries_from_uses",),
        advisories=(240,),
    ),
    Fault(
        "xens_slots_given_away",
        "Any slot of a top-level table may be updated.",
        (Edit(f"{LINKING}:is_guest_slot", "frame.type != m.pte.xen_level", "True"),),
        ("no_entry_is_linked_in_xens_slots", "xens_slots_hold_what_xen_wrote"),
    ),
    Fault(
        "scrub_forgotten",
        "A frame is handed out as its last owner left it.",
        (Edit("memory.reservation:allocate", "if frame.dirty:", "if False:"),),
        ("unscrubbed_frame_is_free",),
        advisories=(100,),
    ),
    Fault(
        "failure_keeps_its_count",
        "A failed promotion keeps the type reference that it had taken.",
        (Edit(f"{VALIDATION}:fail_validation", "frame.type_count = 0", "pass"),),
        (COUNTED, "frame_without_a_type_is_not_in_use"),
        advisories=(58,),
    ),
    Fault(
        "switch_without_flush",
        "A processor goes from one domain to another and keeps what it has cached.",
        (Edit("hardware.tlb:switch_vcpu", "flush(m, cpu)", "pass"),),
        ("cached_domain_is_dirty",),
    ),
)

INTERLEAVED: tuple[Fault, ...] = (
    Fault(
        "type_compared_early",
        "A frame's type is compared first, and the reference counted later, in a second atomic operation.",
        (
            Edit(
                f"{CLAIM}:claim",
                'require("frame is of the type", (frame.type == want) & Not(frame.top_l2), EINVAL)',
                "pass",
            ),
            Edit(
                "memory.promotion:take_type",
                "    while True:\n",
                "    if frame.type_count and frame.type != want:\n"
                '        raise Refused("frame is of the type", EAGAIN)\n'
                "    yield note\n"
                "    while True:\n",
            ),
        ),
        ("writable_entry_targets_writable_frame", "table_entry_links_the_level_below", LEFT),
        interleaved=True,
    ),
    Fault(
        "demoted_while_locked",
        "The last other reference of a table may go while somebody updates it.",
        (
            Edit(
                "memory.demotion:put_type",
                "while frame.locked and frame.type_count == LOCK_AND_ONE:",
                "while False:",
            ),
            Edit(
                f"{CLAIM}:drop_type",
                "Not(frame.locked) | (frame.type_count > LOCK_AND_ONE)",
                "True",
            ),
        ),
        (LEFT, COUNTED),
        interleaved=True,
    ),
    Fault(
        "unlocked_update",
        "Two vCPUs may update one table at the same time.",
        (
            Edit(f"{CLAIM}:lock_page", "Not(frame.locked)", "True"),
            Edit(f"{CLAIM}:unlock_page", 'require("the frame is locked", frame.locked, EAGAIN)', "pass"),
        ),
        (LEFT, COUNTED, REFERENCED, CRASH),
        interleaved=True,
    ),
    Fault(
        "flushed_before_claim",
        "The processors are flushed first, the type is claimed later: others may fill them in between.",
        (
            Edit(
                "memory.promotion:take_type",
                "    while True:\n",
                "    if frame.type_count == 0 and frame.type != want:\n"
                "        for cpu in range(m.cpu_count):\n"
                "            m.cpus[cpu].epoch = m.cpus[cpu].epoch + 1\n"
                "            m.world[0].clock = m.world[0].clock + 1\n"
                "            m.cpus[cpu].flushed_at = m.world[0].clock\n"
                "            yield flush_next_cpu\n"
                "    while True:\n",
            ),
            Edit(f"{CLAIM}:flush_next_cpu", "flush(m, cpu)", "pass"),
        ),
        CACHED,
        advisories=(401,),
        interleaved=True,
    ),
    Fault(
        "stamp_taken_early",
        "The time of a frame's last use is noted when an update begins, not when the entry has gone.",
        (
            Edit(
                "memory.updates:modify",
                "    before = m.words[t, slot]\n",
                "    before = m.words[t, slot]\n"
                "    entry = m.entries[t, slot]\n"
                "    if entry.linked and entry.writable:\n"
                "        m.frames[entry.target].stamp = m.world[0].clock\n"
                "        yield lock_page\n",
            ),
            Edit(
                "memory.updates:modify",
                "    yield from _drop_old(x, ko, level)\n",
                "    old = m.frames[m.flights[ko].frame] if m.flights[ko].mode == HELD else None\n"
                "    noted = old.stamp if old is not None else 0\n"
                "    yield from _drop_old(x, ko, level)\n"
                "    if old is not None and level == L1 and old.type_count == 0:\n"
                "        old.stamp = noted\n",
            ),
        ),
        CACHED,
        advisories=(241,),
        interleaved=True,
    ),
    Fault(
        "partial_table_taken_over_twice",
        "A table that was seen interrupted is taken over, although another vCPU is going on with it by now.",
        (
            Edit(
                "memory.promotion:take_type",
                "    while True:\n        try:\n",
                "    interrupted = frame.partial\n"
                "    yield note\n"
                "    while True:\n"
                "        try:\n"
                "            if interrupted and not frame.validated and frame.type == want:\n"
                "                frame.partial = True\n",
            ),
        ),
        ("unvalidated_frame_has_one_holder", "frame_at_work_has_one_holder", COUNTED, ILLEGAL_HOLDER),
        advisories=(299,),
        interleaved=True,
    ),
)

FAULTS: dict[str, Fault] = {fault.name: fault for fault in (*CATALOGUED, *LIST, *INTERLEAVED, *EVENT_FAULTS)}
"""Every fault that is to be found."""
WALKS: dict[str, Fault] = {fault.name: fault for fault in WALK_FAULTS}
"""Those that an attack by prefixes of walks is to find."""
GRANTS: dict[str, Fault] = {fault.name: fault for fault in GRANT_FAULTS}
"""Those that an attack by grants is to find."""


def fault_named(name: str) -> Fault | None:
    """Return a fault by its name; none for no name.

    Raises:
        KeyError: there is no such fault.
    """
    if not name:
        return None
    found = FAULTS.get(name) or GRANTS.get(name) or WALKS.get(name)
    if found is None:
        raise KeyError(name)
    return found
