"""The planted bugs of grants: name, step, module, edit, and the invariant that must fall."""

from __future__ import annotations

from typing import Final

PINS: Final = "xenmodel.grants.pins"
HOST: Final = "xenmodel.grants.host"
COPIES: Final = "xenmodel.grants.claiming"
PASSING: Final = "xenmodel.grants.passing"
UNMAPPING: Final = "xenmodel.grants.unmapping"
VERSIONS: Final = "xenmodel.grants.versions"
TRANSFERRING: Final = "xenmodel.grants.transferring"
RESERVATION: Final = "xenmodel.memory.reservation"

GIVEN_UP: Final = """frame.allocated = False
    frame.ref_count = frame.ref_count - 1
    m.ghost.drop(flight.frame, holders.allocated(flight.frame), typed=False, general=True)"""

FLUSHED: Final = """return m.cpus.each(
        0, m.cpu_count, lambda c: Not(m.dirty[domain, c].dirty) | (m.cpus[c].flushed_at > stamp)
    )"""

PINNED_ANEW: Final = "use_entry(m, k, g, DomId(row.domain), readonly=row.readonly)"
TAKEN_BACK: Final = """if is_pinned(m.active[row.domain, row.ref]):
    add_pins(active, -1, host=True, device=False, readonly=row.readonly)"""
OWN: Final = "lives = own & (frame.owner == owner) & (frame.ref_count > 0) & Not(m.domains[owner].dying)"

Row = tuple[str, str, str, tuple[str, str] | tuple[str, str, str], str]

OF_GRANTS: Final[tuple[Row, ...]] = (
    (
        "a mapping that the guest has loses its pin",
        "unpin_entry",
        PINS,
        ("unpin_entry", "guard: the handle is not given yet"),
        "given_handle_is_of_a_mapping",
    ),
    (
        "a handle in use is handed out again",
        "take_handle",
        PINS,
        ("take_handle", "guard: it is free"),
        "pins_are_the_uses_of_the_entry",
    ),
    (
        "a grant to read is mapped writable",
        "map_granted",
        HOST,
        ("map_granted", "guard: the entry writes as the grant does"),
        "writable_mapping_is_authorised",
    ),
    (
        "an entry in use is read again",
        "pin_entry",
        PINS,
        ("pin_entry", "row.frame = active.frame", "row.frame = named_frame(m, g)"),
        "mapping_is_of_what_was_granted",
    ),
    (
        "an entry in use by another domain is accepted",
        "pin_entry",
        PINS,
        ("pin_entry", "guard: the entry is in use by the caller's domain"),
        "mapping_is_of_what_was_granted",
    ),
    (
        "a part of a page is mapped as the whole",
        "pin_entry",
        PINS,
        ("pin_entry", "guard: the whole page is in use"),
        "mapping_is_of_what_was_granted",
    ),
    (
        "an entry is forgotten while others use it",
        "finish_host",
        UNMAPPING,
        ("_take_back", "flight.frame = row.frame", "flight.frame = row.frame\nm.active[g].frame = -1"),
        "mapping_is_of_what_was_granted",
    ),
    (
        "the layout changes while entries are in use",
        "change_version",
        VERSIONS,
        ("change_version", "guard: nobody uses what is emptied"),
        "entry_in_use_exists",
    ),
    (
        "a frame that somebody holds is transferred",
        "hand_over",
        TRANSFERRING,
        ("hand_over", "guard: nobody holds the frame"),
        "ref_count_is_the_number_of_holders",
    ),
    (
        "the pin of devices is forgotten",
        "pin_entry",
        PINS,
        (
            "pin_entry",
            "add_pins(active, 1, host=row.host, device=row.device, readonly=row.readonly)",
            "add_pins(active, 1, host=row.host, device=False, readonly=row.readonly)",
        ),
        "device_mapping_is_pinned",
    ),
    (
        "a copy stays pinned",
        "unpin_copy",
        COPIES,
        ("unpin_copy", "add_pins(m.active[g], -1, host=True, device=False, readonly=row.readonly)"),
        "pins_are_the_uses_of_the_entry",
    ),
    (
        "the processor's part of a mapping frees the handle of the device's",
        "unmap_host",
        HOST,
        ("unmap_host", "if Not(row.device):\n    forget(row)", "forget(row)"),
        "device_hold_is_of_a_live_mapping",
    ),
    (
        "a pin goes before the flush",
        "finish_host",
        UNMAPPING,
        ("finish_host", "guard: no CPU translates by it any more"),
        "cached_foreign_translation_is_granted",
    ),
    (
        "a flush no later than an unmapping ends it",
        "finish_host",
        UNMAPPING,
        ("_is_flushed", FLUSHED, FLUSHED.replace(">", ">=")),
        "foreign_word_of_a_demoted_table_rests_on_a_use",
    ),
    (
        "devices are given a frame that is not the granting domain's any more",
        "give_handle",
        PINS,
        ("give_handle", "guard: the frame is the granting domain's still"),
        "device_mapping_keeps_its_frame",
    ),
    (
        "a mapping is stored twice",
        "map_granted",
        HOST,
        ("map_granted", "guard: no other entry is stored for it"),
        "foreign_entry_rests_on_a_mapping",
    ),
    (
        "a transfer that came to nothing stays charged",
        "unreserve_page",
        TRANSFERRING,
        ("unreserve_page", "domain.pages = domain.pages - 1"),
        "pages_are_what_is_charged",
    ),
    (
        "a frame that is given back is not charged",
        "give_back",
        RESERVATION,
        ("give_back", "domain.pages = domain.pages + 1"),
        "pages_are_what_is_charged",
    ),
    (
        "what is passed on is pinned once for all uses of its entry",
        "pin_passed",
        PASSING,
        ("pin_passed", PINNED_ANEW, f"{PINNED_ANEW}\n{TAKEN_BACK}"),
        "pins_are_the_uses_of_the_entry",
    ),
    (
        "a grant that is passed on to write is used as one to read",
        "pin_passed",
        PASSING,
        ("pin_passed", PINNED_ANEW, PINNED_ANEW.replace("readonly=row.readonly", "readonly=True")),
        "passed_grant_is_of_what_was_granted",
    ),
    (
        "a domain passes on a grant of its own",
        "look_through",
        PASSING,
        ("look_through", "guard: the grant is another domain's"),
        "passed_grant_is_another_domains",
    ),
    (
        "an entry that passes a grant on is used as if it granted a frame",
        "pin_for_copy",
        COPIES,
        ("_pin_used", OWN, OWN.replace("own & ", "")),
        "copy_by_a_transitive_entry_uses_what_it_passes_on",
    ),
    (
        "an entry in use passes on what it names now",
        "pin_passing",
        PASSING,
        ("pin_passing", "guard: the entry passes on what it did"),
        "copy_is_of_what_was_granted",
    ),
    (
        "what is passed on is given back while it is in use",
        "unpin_passed",
        PASSING,
        ("unpin_passed", "guard: and the side does not use it"),
        "copy_by_a_transitive_entry_uses_what_it_passes_on",
    ),
    (
        "a guest gives up a page of its grant table",
        "drop_allocated",
        RESERVATION,
        (
            "drop_allocated",
            f"if frame.allocated & Not(frame.special):\n    {GIVEN_UP}",
            f"if frame.allocated:\n    {GIVEN_UP}",
        ),
        "page_of_a_table_is_writable_memory",
    ),
)
