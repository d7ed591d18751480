"""Planted faults of event channels, and which invariant is to notice each."""

from xenproofs.machines.planting import Edit, Fault

NOTICES, PORTS, TWO_LEVEL, FIFO = "events.notices", "events.ports", "events.two_level", "events.fifo"
WAITING, SETUP = "events.waiting", "events.setup"
UNSEEN = ("pending_port_will_be_looked_at", "unselected_port_is_between_pending_and_selected")
UNTOLD = ("selected_word_has_an_upcall", "untold_selector_has_its_upcall_next")

EVENT_FAULTS: tuple[Fault, ...] = (
    Fault(
        "unmasked_without_a_second_look",
        "Unmasking a port clears the mask, and does not look whether the port became pending meanwhile.",
        (
            Edit(
                f"{TWO_LEVEL}:clear_mask",
                "notice.stage = ite(was, S_TEST, S_END)",
                "notice.stage = S_END",
            ),
        ),
        UNSEEN,
    ),
    Fault(
        "peer_left_joined",
        "Closing one of two joined ports leaves the other as it is.",
        (Edit(f"{PORTS}:part", "far.state = UNBOUND", "pass"),),
        ("joined_ports_name_each_other",),
    ),
    Fault(
        "upcall_cleared_last",
        "The guest clears its upcall bit after it has looked at what is selected, not before.",
        (
            Edit(
                "events.guest:leave_handler",
                "handler.running = False",
                "handler.running = m.upcalls[v].pending = False",
            ),
        ),
        UNTOLD,
        interleaved=True,
    ),
    Fault(
        "bound_without_notice",
        "A port is joined, and the events that its peer sent before are forgotten.",
        (Edit(f"{PORTS}:join", "open_notice(m, notice, S_MARK, local)", "pass"),),
        ("joined_port_is_told_at_once",),
    ),
    Fault(
        "selected_without_upcall",
        "Who sets a selector bit leaves the upcall bit to somebody else.",
        (
            Edit(
                f"{TWO_LEVEL}:set_selector",
                "notice.stage = ite(already, after(notice), S_UPCALL)",
                "notice.stage = after(notice)",
            ),
        ),
        UNTOLD,
    ),
    Fault(
        "told_and_left_asleep",
        "The upcall bit of a vCPU that sleeps is set, and nobody wakes it.",
        (
            Edit(
                f"{NOTICES}:raise_upcall",
                "notice.stage = ite(already, after(notice), S_KICK)",
                "notice.stage = after(notice)",
            ),
        ),
        ("sleeping_vcpu_has_no_upcall", "unwoken_vcpu_is_kicked_next"),
    ),
    Fault(
        "closed_and_still_pending",
        "A port that is closed stays pending for whoever gets it next.",
        (Edit(f"{PORTS}:_close", "m.signals[p].pending = False", "pass"),),
        ("free_port_is_clean",),
    ),
    Fault(
        "tail_not_updated",
        "An event that is linked to a queue does not become its tail.",
        (Edit(f"{FIFO}:_append", "queue.tail = notice.port", "pass"),),
        (
            "word_is_not_behind_the_tail",
            "queue_is_made_ready_once",
            "last_word_of_a_queue_is_its_tail",
            "ready_queue_has_words",
        ),
    ),
    Fault(
        "old_tail_kept",
        "An event that changes its queue by its priority stays the tail of the old one.",
        (
            Edit(
                f"{FIFO}:link_word",
                "last.tail = ite(Not(already) & (last.tail == notice.port), NO_PORT, last.tail)",
                "pass",
            ),
        ),
        (
            "tail_was_linked_on_its_queue",
            "tail_is_on_its_queue",
            "queue_with_events_is_ready",
            "unready_queue_is_made_ready_next",
        ),
    ),
    Fault(
        "word_unmasked_without_a_second_look",
        "Unmasking an event word does not look whether the port became pending meanwhile.",
        (Edit(f"{FIFO}:unmask_word", "notice.stage = S_TEST", "notice.stage = S_END"),),
        ("pending_word_is_linked", "unlinked_word_is_between_pending_and_linked"),
    ),
    Fault(
        "head_set_and_untold",
        "A queue that was empty gets a head, and nobody is told.",
        (Edit(f"{FIFO}:set_head", "notice.stage = S_READY", "notice.stage = after(notice)"),),
        ("queue_with_events_is_ready", "unready_queue_is_made_ready_next"),
    ),
    Fault(
        "queue_locked_by_a_guests_store",
        "Who links an event leaves the queue locked if the guest has unlinked the event's word meanwhile.",
        (Edit(f"{FIFO}:_append", "queue.locked = False", "queue.locked = Not(word.linked)"),),
        ("deadlock",),
        interleaved=True,
    ),
    Fault(
        "interrupt_left_bound",
        "Closing the port of a virtual interrupt leaves the interrupt bound to it.",
        (
            Edit(
                f"{PORTS}:close_virq",
                "m.virqs[(p[0], home), port.virq].port = NO_PORT",
                "pass",
            ),
        ),
        ("bound_virtual_interrupt_has_its_port",),
    ),
    Fault(
        "polled_without_a_look",
        "A vCPU sleeps until a port becomes pending, and does not look whether it is.",
        (Edit(f"{WAITING}:look_at_port", "found = is_pending(m, p)", "found = False"),),
        ("polling_vcpu_waits_for_what_is_not_pending", "poller_is_ahead_of_the_announcement"),
    ),
    Fault(
        "last_of_several_heard",
        "A vCPU that polls for several ports is woken by the one that it looked at last alone.",
        (
            Edit(
                f"{NOTICES}:wake_poller",
                "wanted = (wait.poll_port == NO_PORT) | (wait.poll_port == ANY_PORT) | "
                "(wait.poll_port == notice.port)",
                "wanted = (wait.poll_port == NO_PORT) | (wait.looked == notice.port) | "
                "(wait.poll_port == notice.port)",
            ),
        ),
        ("polling_vcpu_waits_for_what_is_not_pending", "poller_is_ahead_of_the_announcement"),
    ),
    Fault(
        "settled_on_one_of_several",
        "A vCPU that polls for several ports lets only the last one wake it.",
        (
            Edit(
                f"{WAITING}:poll",
                "if not found and len(call.ports) == 1:",
                "if not found and call.ports:",
            ),
            Edit(f"{WAITING}:poll_one_port", 'require("and no other one", wait.alone, EINVAL)', "pass"),
        ),
        ("polling_vcpu_listens_to_all_its_ports", "polling_vcpu_waits_for_what_it_saw"),
    ),
    Fault(
        "woken_and_asleep_again",
        "A vCPU that is woken before it has looked for an upcall sleeps on.",
        (
            Edit(
                f"{WAITING}:look_for_upcall",
                "found = upcall.pending & Not(upcall.masked) | woken",
                "found = upcall.pending & Not(upcall.masked)",
            ),
        ),
        ("polling_vcpu_waits_for_what_it_saw",),
        interleaved=True,
    ),
    Fault(
        "kept_event_forgotten",
        "Event words are added, and nobody tells the events that waited for them.",
        (
            Edit(f"{SETUP}:_tell_what_waited", "if m.ports[p].saved:", "if False:"),
            Edit(
                f"{SETUP}:pass_word",
                'require("no event waited for its word", Not(m.ports[domain, channels.told].saved), EINVAL)',
                "pass",
            ),
        ),
        ("kept_event_waits_for_its_word_alone", "kept_event_is_told_when_its_word_comes"),
    ),
    Fault(
        "reset_races_send",
        "A port is closed while an event is being sent to it.",
        tuple(
            Edit(f"{PORTS}:{step}", 'require("nobody works on it", port.readers == 0, EAGAIN)', "pass")
            for step in ("close_plain", "close_virq", "part")
        ),
        ("notice_holds_its_port",),
        advisories=(343,),
        interleaved=True,
    ),
)

EXPLORED: dict[str, str] = {
    "unmasked_without_a_second_look": "timer 2l",
    "peer_left_joined": "close 2l",
    "upcall_cleared_last": "send 2l",
    "bound_without_notice": "close 2l",
    "selected_without_upcall": "send 2l",
    "told_and_left_asleep": "polls 2l",
    "closed_and_still_pending": "close 2l",
    "tail_not_updated": "send fifo",
    "old_tail_kept": "priority fifo",
    "word_unmasked_without_a_second_look": "timer fifo",
    "head_set_and_untold": "close fifo",
    "polled_without_a_look": "polls 2l",
    "last_of_several_heard": "polls 2l",
    "woken_and_asleep_again": "polls 2l",
    "reset_races_send": "reset 2l",
}
"""In which scope of the explorer a fault has its shortest story."""
