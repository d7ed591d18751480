"""The planted bugs of event channels: name, step, module, edit, and the invariant that must fall."""

from __future__ import annotations

from typing import Final

NOTICES: Final = "xenmodel.events.notices"
PORTS: Final = "xenmodel.events.ports"
TWO_LEVEL: Final = "xenmodel.events.two_level"
FIFO: Final = "xenmodel.events.fifo"
GUEST: Final = "xenmodel.events.guest"
WAITING: Final = "xenmodel.events.waiting"
SETUP: Final = "xenmodel.events.setup"
WANTED: Final = "wanted = (wait.poll_port == NO_PORT)"

Row = tuple[str, str, str, tuple[str, str] | tuple[str, str, str], str]

OF_EVENTS: Final[tuple[Row, ...]] = (
    (
        "unmasking does not look at the pending bit again",
        "clear_mask",
        TWO_LEVEL,
        ("clear_mask", "notice.stage = ite(was, S_TEST, S_END)", "notice.stage = S_END"),
        "unselected_port_is_between_pending_and_selected",
    ),
    (
        "unmasking an event word does not look at its pending bit again",
        "unmask_word",
        FIFO,
        ("unmask_word", "notice.stage = S_TEST", "notice.stage = S_END"),
        "unlinked_word_is_between_pending_and_linked",
    ),
    (
        "closing a port leaves its peer joined",
        "part",
        PORTS,
        ("part", "far.state = UNBOUND"),
        "joined_ports_name_each_other",
    ),
    (
        "a port is closed while an event is sent to it",
        "part",
        PORTS,
        ("part", "guard: nobody works on it"),
        "notice_holds_its_port",
    ),
    (
        "a reset closes a port while an event is sent to it",
        "close_plain",
        PORTS,
        ("close_plain", "guard: nobody works on it"),
        "notice_holds_its_port",
    ),
    (
        "a closed port stays pending",
        "close_plain",
        PORTS,
        ("_close", "m.signals[p].pending = False"),
        "free_port_is_clean",
    ),
    (
        "a closed port's virtual interrupt stays bound",
        "close_virq",
        PORTS,
        ("close_virq", "m.virqs[(p[0], home), port.virq].port = NO_PORT"),
        "bound_virtual_interrupt_has_its_port",
    ),
    (
        "a port is joined and nobody is told",
        "join",
        PORTS,
        ("join", "open_notice(m, notice, S_MARK, local)"),
        "joined_port_is_told_at_once",
    ),
    (
        "the guest clears its upcall bit after it has looked",
        "leave_handler",
        GUEST,
        (
            "leave_handler",
            "handler.running = False",
            "handler.running = False\nm.upcalls[v].pending = False",
        ),
        "selected_word_has_an_upcall",
    ),
    (
        "the upcall bit is left to who set the selector, who is done",
        "set_selector",
        TWO_LEVEL,
        (
            "set_selector",
            "notice.stage = ite(already, after(notice), S_UPCALL)",
            "notice.stage = after(notice)",
        ),
        "untold_selector_has_its_upcall_next",
    ),
    (
        "a vCPU that is told is not woken",
        "raise_upcall",
        NOTICES,
        (
            "raise_upcall",
            "notice.stage = ite(already, after(notice), S_KICK)",
            "notice.stage = after(notice)",
        ),
        "unwoken_vcpu_is_kicked_next",
    ),
    (
        "a vCPU polls for a port that it has not looked at",
        "look_at_port",
        WAITING,
        ("look_at_port", "found = is_pending(m, p)", "found = m.upcalls[v].masked"),
        "poller_is_ahead_of_the_announcement",
    ),
    (
        "a vCPU that was woken before it polls sleeps on",
        "look_for_upcall",
        WAITING,
        (
            "look_for_upcall",
            "found = upcall.pending & Not(upcall.masked) | woken",
            "found = upcall.pending & Not(upcall.masked)",
        ),
        "polling_vcpu_waits_for_what_it_saw",
    ),
    (
        "a vCPU that polls for several ports is woken by the last one alone",
        "wake_poller",
        NOTICES,
        (
            "wake_poller",
            f"{WANTED} | (wait.poll_port == ANY_PORT) | (wait.poll_port == notice.port)",
            f"{WANTED} | (wait.looked == notice.port) | (wait.poll_port == notice.port)",
        ),
        "poller_is_ahead_of_the_announcement",
    ),
    (
        "a vCPU that polls for several ports settles on the last one",
        "poll_one_port",
        WAITING,
        ("poll_one_port", "guard: and no other one"),
        "polling_vcpu_listens_to_all_its_ports",
    ),
    (
        "an event that waits for its word is passed when the word comes",
        "pass_word",
        SETUP,
        ("pass_word", "guard: no event waited for its word"),
        "kept_event_is_told_when_its_word_comes",
    ),
    (
        "a linked event does not become its queue's tail",
        "link_to_tail",
        FIFO,
        ("_append", "queue.tail = notice.port"),
        "word_is_not_behind_the_tail",
    ),
    (
        "a change of priority leaves the event the tail of its old queue",
        "link_word",
        FIFO,
        (
            "link_word",
            "last.tail = ite(Not(already) & (last.tail == notice.port), NO_PORT, last.tail)",
        ),
        "tail_was_linked_on_its_queue",
    ),
    (
        "the queue that an event was on last is not locked",
        "lock_queues",
        FIFO,
        ("lock_queues", "last.locked = True"),
        "linking_notice_owns_the_last_queue",
    ),
    (
        "a queue gets a head and nobody is told",
        "set_head",
        FIFO,
        ("set_head", "notice.stage = S_READY", "notice.stage = after(notice)"),
        "unready_queue_is_made_ready_next",
    ),
)
