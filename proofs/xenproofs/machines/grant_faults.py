"""Planted faults of grants: what Xen got wrong, or could have, and which invariant is to notice."""

from xenproofs.machines.breach import CRASH, ILLEGAL_HOLDER
from xenproofs.machines.planting import Edit, Fault

PINS, HOST, MAPPING, COPYING = "grants.pins", "grants.host", "grants.mapping", "grants.claiming"
PASSING = "grants.passing"
INNER = "use_entry(m, k, g, DomId(row.domain), readonly=row.readonly)"
USES = "pins_are_the_uses_of_the_entry"
GRANTED = "mapping_is_of_what_was_granted"
COUNTED = "type_count_is_the_number_of_typed_holders"
REFERENCED = "ref_count_is_the_number_of_holders"
WRITTEN = (
    "writable_entry_targets_writable_frame",
    "writable_mapping_is_authorised",
    "host_mapping_is_pinned",
)
CACHED = (
    "cached_foreign_translation_is_granted",
    "cached_translation_stays_with_its_owner",
    "cached_writable_targets_writable_or_is_to_be_flushed",
    "cached_writable_out_of_use_is_stamped",
    "cached_free_frame_is_stamped",
)

GRANT_FAULTS: tuple[Fault, ...] = (
    Fault(
        "grant_dropped_before_the_flush",
        "An unmapping drops its references and pins, and flushes nobody.",
        (
            Edit(
                "grants.unmapping:unmap_batch", "yield from flush_cpus(x, everywhere=True)", "yield from ()"
            ),
            Edit(
                "grants.unmapping:finish_host",
                'require("no CPU translates by it any more", _is_flushed(m, i), EAGAIN)',
                "pass",
            ),
        ),
        CACHED,
        advisories=(218,),
    ),
    Fault(
        "grant_unpinned_before_the_unmap",
        "A pin is taken back as soon as an unmapping is asked for, whether it succeeds or not.",
        (
            Edit(
                f"{HOST}:unmap_host",
                'require("the mapping is live", row.live & row.host, EAGAIN)',
                "m.active[row.domain, row.ref].host_writable = 0",
            ),
        ),
        (USES, "host_mapping_is_pinned"),
        advisories=(218,),
    ),
    Fault(
        "grant_handle_reused",
        "A handle that is in use is handed out again.",
        (
            Edit(f"{PINS}:take_handle", 'require("it is free", Not(row.taken), EAGAIN)', "pass"),
            Edit(
                f"{MAPPING}:_new_handle",
                "free = next((n for n in numbers if not m.mappings[x.domain, n].taken), None)",
                "free = next(iter(range(min(1, table.handles))), None)",
            ),
        ),
        (USES, GRANTED, COUNTED, REFERENCED),
    ),
    Fault(
        "grant_handle_freed_by_halves",
        "Unmapping the processor's part of a mapping frees the handle of the device's part as well.",
        (Edit(f"{HOST}:unmap_host", "if Not(row.device):\n        forget(row)", "forget(row)"),),
        (USES, COUNTED, REFERENCED),
        advisories=(218, 224),
    ),
    Fault(
        "grant_mapped_writable_to_read",
        "A mapping to read gets an entry that writes.",
        (
            Edit("abi.grant:entry_flags", "(0 if flags & READONLY else PTE_WRITABLE)", "PTE_WRITABLE"),
            Edit(
                f"{HOST}:map_granted",
                'require("the entry writes as the grant does", writable == Not(row.readonly), EAGAIN)',
                "pass",
            ),
            Edit(f"{HOST}:map_granted", "require_reference(m, kn, L1, target, writable=writable)", "pass"),
            Edit(f"{HOST}:map_granted", "require_type(m, L1, target, writable=writable)", "pass"),
        ),
        (*WRITTEN, COUNTED, ILLEGAL_HOLDER),
    ),
    Fault(
        "grant_entry_read_again",
        "An entry in use is read again: the mapping is of what it names now.",
        (Edit(f"{PINS}:pin_entry", "row.frame = active.frame", "row.frame = named_frame(m, g)"),),
        (GRANTED,),
    ),
    Fault(
        "grant_of_another_domain",
        "An entry in use by one domain may be mapped by another.",
        (
            Edit(
                f"{PINS}:pin_entry",
                'require("the entry is in use by the caller\'s domain", active.domain == h[0], EPERM)',
                "pass",
            ),
        ),
        (GRANTED,),
    ),
    Fault(
        "grant_of_a_foreign_frame",
        "The frame that an entry names may be anybody's.",
        (
            Edit(
                f"{PINS}:require_owned",
                "lives = (frame.ref_count > 0) & (frame.owner == owner)",
                "lives = frame.ref_count > 0",
            ),
            Edit(f"{MAPPING}:_take_references", "if m.frames[row.frame].owner != granter:", "if False:"),
            Edit(
                f"{PINS}:give_handle",
                'require("the frame is the granting domain\'s still", '
                "m.frames[row.frame].owner == row.domain, EAGAIN)",
                "pass",
            ),
            Edit(
                f"{COPYING}:hold_side",
                "granted = (flight.frame == row.frame) & (frame.owner == row.trans_domain)",
                "granted = flight.frame == row.frame",
            ),
        ),
        (
            "device_mapping_keeps_its_frame",
            "copied_frame_is_the_granting_domains",
            "unmapped_frame_stays_until_the_flush",
        ),
        every_step=True,
    ),
    Fault(
        "grant_device_type_forgotten",
        "A mapping for devices that write takes no type of the frame.",
        (
            Edit(f"{MAPPING}:_take_references", "if row.device and not row.readonly:", "if False:"),
            Edit(
                f"{PINS}:give_handle",
                'require("the reference of devices is in flight", '
                "flight.mode == ite(row.readonly, REF, HELD), EAGAIN)",
                "pass",
            ),
            Edit(
                f"{PINS}:give_handle",
                'require("and writable memory, if devices may write", row.readonly | writable, EAGAIN)',
                "pass",
            ),
        ),
        ("device_mapping_keeps_its_frame", COUNTED, ILLEGAL_HOLDER),
        advisories=(224,),
    ),
    Fault(
        "grant_copy_stays_pinned",
        "A copy does not take its pin back.",
        (Edit(f"{COPYING}:unpin_copy", "add_pins(m.active[g], -1,", "add_pins(m.active[g], 0,"),),
        (USES,),
    ),
    Fault(
        "grant_failed_map_stays_pinned",
        "A mapping that fails does not take its pins back.",
        (Edit(f"{PINS}:unpin_entry", "add_pins(m.active[g], -1,", "add_pins(m.active[g], 0,"),),
        (USES,),
    ),
    Fault(
        "grant_transfer_of_a_mapped_frame",
        "A frame may be given away while it is mapped.",
        (
            Edit(
                "memory.reservation:steal",
                'require("only the allocation holds the frame", frame.ref_count == 1, EINVAL)',
                "pass",
            ),
        ),
        ("mapped_frame_has_an_owner", COUNTED, REFERENCED, "ownerless_frame_is_unused", CRASH),
        advisories=(380,),
    ),
    Fault(
        "grant_layout_changed_in_use",
        "The layout of a table changes although some of its entries are in use.",
        (
            Edit(
                "grants.versions:_refusal",
                "if any(is_pinned(m.active[at]) for at in made(m.active, beyond)):",
                "if False:",
            ),
            Edit(
                "grants.versions:change_version",
                'require("nobody uses what is emptied", unused, EBUSY)',
                "pass",
            ),
        ),
        ("entry_in_use_exists",),
    ),
    Fault(
        "grant_part_mapped_whole",
        "An entry that a copy uses for a part of a page is mapped, as if it were in use for the whole.",
        (
            Edit(
                f"{PINS}:pin_entry",
                'require("the whole page is in use", Not(active.sub_page), EPERM)',
                "pass",
            ),
        ),
        (GRANTED,),
        interleaved=True,
    ),
    Fault(
        "grant_passed_on_without_a_pin",
        "A copy by a transitive entry in use does not pin the inner one, and takes its pin back in the end.",
        (
            Edit(
                f"{PASSING}:pin_passed",
                INNER,
                f"{INNER}\n    if is_pinned(m.active[row.domain, row.ref]):\n"
                "        add_pins(active, -1, host=True, device=False, readonly=row.readonly)",
            ),
        ),
        (USES,),
        advisories=(226,),
        interleaved=True,
    ),
    Fault(
        "grant_passed_on_writes_what_is_read",
        "A copy that writes by a transitive entry asks of the inner one only to read.",
        (
            Edit(f"{PASSING}:pin_passed", INNER, INNER.replace("readonly=row.readonly", "readonly=True")),
            Edit(f"{PASSING}:pin_passed", "passed.readonly = row.readonly", "passed.readonly = True"),
        ),
        ("passed_grant_is_what_is_looked_for", "copy_by_a_transitive_entry_uses_what_it_passes_on"),
        every_step=True,
    ),
    Fault(
        "grant_passed_on_of_its_own",
        "A transitive entry may name an entry of its own domain.",
        (
            Edit(
                f"{PASSING}:look_through",
                'require("the grant is another domain\'s", domain != g[0], EACCES)',
                "pass",
            ),
        ),
        ("passed_grant_is_another_domains",),
        every_step=True,
    ),
    Fault(
        "grant_passed_on_for_another",
        "A transitive entry that is in use is not asked again whether it still passes on what it did.",
        (
            Edit(
                f"{PASSING}:pin_passing",
                'require("the entry passes on what it did", _passes(active, passed, by), EBUSY)',
                "pass",
            ),
        ),
        ("copy_is_of_what_was_granted",),
        every_step=True,
    ),
    Fault(
        "grant_kept_by_the_dead",
        "A dying domain's handles are taken back, and their pins are not.",
        (Edit("grants.releasing:release_mapping", "add_pins(m.active[g], -1,", "add_pins(m.active[g], 0,"),),
        (USES,),
        advisories=(224,),
    ),
    Fault(
        "grant_of_devices_kept_by_the_dead",
        "What devices of a dying domain have is forgotten, not given back.",
        (Edit("grants.releasing:release_mapping", "if row.device:", "if False:"),),
        (COUNTED, REFERENCED),
        advisories=(224,),
    ),
)
