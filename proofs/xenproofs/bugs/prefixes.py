"""Planted bugs of paging-structure caches: rows of the catalogue (see xenproofs.bugs.catalogue)."""

from typing import Final

PREFIXES: Final = "xenmodel.hardware.prefixes"
CLAIM: Final = "xenmodel.memory.claim"

OF_PREFIXES: Final = (
    (
        "the end of a demotion is not stamped",
        "finish_devalidation",
        "xenmodel.memory.validation",
        ("finish_devalidation", "frame.stamp = m.world[0].clock"),
        "demoted_frame_out_of_use_is_stamped",
    ),
    (
        "a table changes its type without a flush",
        "flush_next_cpu",
        CLAIM,
        ("flush_next_cpu", "flush(m, cpu)"),
        "prefix_of_a_frame_out_of_use_is_ahead_of_its_flush",
    ),
    (
        "a table that was freed is given away before every CPU forgets it",
        "allocate",
        "xenmodel.memory.reservation",
        ("allocate", "guard: no CPU translates to the frame any more"),
        "prefix_leads_to_a_table_or_what_was_one",
    ),
    (
        "a prefix is walked on from after its flush",
        "extend_prefix",
        PREFIXES,
        ("extend_prefix", "guard: the prefix is cached"),
        "prefix_leads_to_a_table_or_what_was_one",
    ),
    (
        "a translation by a prefix grants more than the path",
        "fill_through",
        PREFIXES,
        ("fill_through", "guard: the path grants writing"),
        "cached_writable_targets_writable_or_is_to_be_flushed",
    ),
    (
        "a prefix through a read-only link allows writing",
        "begin_prefix",
        PREFIXES,
        ("begin_prefix", "guard: the entry grants writing"),
        "prefix_leads_to_a_table_or_what_was_one",
    ),
    (
        "a table ceases to be one and nobody notes it",
        "drop_type",
        CLAIM,
        ("drop_type", "_note_demotion(m, flight.frame, frame)"),
        "prefix_leads_to_a_table_or_what_was_one",
    ),
)
