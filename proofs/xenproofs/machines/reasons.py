"""Of the table of planted faults: which bug of the proof a fault is, and why a search has no story."""

from typing import Final

ALLOCATION: Final = "what guests are handed in its place is a frame of their world, which no scope has"
TREES: Final = "no scope has trees of more than two levels"
LINEAR: Final = "only `linear` has tables that link each other: too wide to be searched each time"
PREEMPTION: Final = "in no scope that is visited whole does Xen preempt a promotion"
STEPS: Final = "the explorer holds invariants in states; what a step declares is no state"
GIVEN_UP: Final = "in `raced` nobody gives up the table that another updates, and wider scopes are bounded"
ELSEWHERE: Final[dict[str, str]] = {
    "a_descriptor_is_stored_as_the_guest_wrote_it": "described",
    "a_descriptors_privilege_is_not_checked": "described",
    "a_GDT_page_is_another_domains": "described",
    "descriptor_unchecked": "described",
    "owner_unchecked": "described",
    "a_freed_frame_keeps_its_owner": "given",
    "a_frame_is_given_away_before_every_CPU_forgets_it": "given",
    "freed_while_mapped": "given",
    "scrub_forgotten": "given",
    "a_base_pointer_stays_when_its_table_is_released": "top",
    "base_released_first": "top",
    "xens_slots_given_away": "top",
}
"""The scope that has what a fault is about, where the usual ones have not."""
REASONS: Final[dict[str, str]] = {
    "a_frame_is_given_away_while_mappings_of_it_exist": ALLOCATION,
    "an_entry_of_an_L2_links_what_is_no_L1_table": TREES,
    "a_linear_entry_may_be_writable": LINEAR,
    "linear_unrestricted": LINEAR,
    "a_partial_table_does_not_keep_its_reference": PREEMPTION,
    "a_partial_child_is_forgotten": PREEMPTION,
    "partial_table_taken_over_twice": PREEMPTION,
    "a_write_is_not_declared": STEPS,
    "write_undeclared": STEPS,
    "Xen_writes_to_a_frame_that_is_no_writable_memory": "no scope registers a vCPU's information",
    "a_large_page_is_linked_as_if_it_were_a_table": "no scope writes large pages",
    "demoted_while_locked": GIVEN_UP,
    "unlocked_update": GIVEN_UP,
    "switch_without_flush": "in no scope does a CPU change its vCPU",
    "tables_not_flushed": "no scope has prefixes of walks",
    "interrupt_left_bound": "in no scope is the port of an interrupt closed",
    "settled_on_one_of_several": "the explorer takes the steps of a poll by a text of its own",
    "kept_event_forgotten": "the scopes begin with all event words",
    "queue_locked_by_a_guests_store": "in no scope does a guest store against the protocol",
    **dict.fromkeys(
        (
            "grant_passed_on_without_a_pin",
            "grant_passed_on_writes_what_is_read",
            "grant_passed_on_of_its_own",
            "grant_passed_on_for_another",
        ),
        "no scope has transitive entries",
    ),
}
"""Why a fault has no story in the scopes that are searched."""
PROVED: Final[dict[str, str]] = {
    "unmasked_without_a_second_look": "unmasking does not look at the pending bit again",
    "word_unmasked_without_a_second_look": "unmasking an event word does not look at its pending bit again",
    "peer_left_joined": "closing a port leaves its peer joined",
    "reset_races_send": "a reset closes a port while an event is sent to it",
    "closed_and_still_pending": "a closed port stays pending",
    "interrupt_left_bound": "a closed port's virtual interrupt stays bound",
    "bound_without_notice": "a port is joined and nobody is told",
    "upcall_cleared_last": "the guest clears its upcall bit after it has looked",
    "selected_without_upcall": "the upcall bit is left to who set the selector, who is done",
    "told_and_left_asleep": "a vCPU that is told is not woken",
    "polled_without_a_look": "a vCPU polls for a port that it has not looked at",
    "last_of_several_heard": "a vCPU that polls for several ports is woken by the last one alone",
    "settled_on_one_of_several": "a vCPU that polls for several ports settles on the last one",
    "woken_and_asleep_again": "a vCPU that was woken before it polls sleeps on",
    "kept_event_forgotten": "an event that waits for its word is passed when the word comes",
    "tail_not_updated": "a linked event does not become its queue's tail",
    "old_tail_kept": "a change of priority leaves the event the tail of its old queue",
    "head_set_and_untold": "a queue gets a head and nobody is told",
    "grant_dropped_before_the_flush": "a pin goes before the flush",
    "grant_unpinned_before_the_unmap": "a mapping that the guest has loses its pin",
    "grant_handle_reused": "a handle in use is handed out again",
    "grant_handle_freed_by_halves": "the processor's part of a mapping frees the handle of the device's",
    "grant_mapped_writable_to_read": "a grant to read is mapped writable",
    "grant_entry_read_again": "an entry in use is read again",
    "grant_of_another_domain": "an entry in use by another domain is accepted",
    "grant_of_a_foreign_frame": "devices are given a frame that is not the granting domain's any more",
    "grant_copy_stays_pinned": "a copy stays pinned",
    "grant_transfer_of_a_mapped_frame": "a frame that somebody holds is transferred",
    "grant_layout_changed_in_use": "the layout changes while entries are in use",
    "grant_part_mapped_whole": "a part of a page is mapped as the whole",
    "grant_passed_on_without_a_pin": "what is passed on is pinned once for all uses of its entry",
    "grant_passed_on_writes_what_is_read": "a grant that is passed on to write is used as one to read",
    "grant_passed_on_of_its_own": "a domain passes on a grant of its own",
    "grant_passed_on_for_another": "an entry in use passes on what it names now",
}
"""The proof's planted bug of the same kind (xenproofs.bugs.catalogue); memory's have the fault's name."""
