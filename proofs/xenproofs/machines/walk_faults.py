"""Planted faults that only paging-structure caches show; `xencheck fuzz walks` looks for them."""

from xenproofs.machines.planting import Edit, Fault

WALK_FAULTS: tuple[Fault, ...] = (
    Fault(
        "tables_not_flushed",
        "No processor is flushed for a frame that was a page table: no translation of it lets a guest write.",
        (
            Edit(
                "memory.claim:flush_next_cpu",
                "(row.flushed_at <= frame.stamp)",
                "(row.flushed_at <= frame.stamp) & Not(m.demotions[flight.frame].demoted)",
            ),
        ),
        (
            "prefix_leads_to_a_table_or_what_was_one",
            "prefix_of_a_frame_out_of_use_is_ahead_of_its_flush",
        ),
    ),
)
