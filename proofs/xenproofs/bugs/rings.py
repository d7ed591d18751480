"""Planted faults of I/O rings: barriers left out, checks left out, each with what it is to break.

Each says beforehand which invariants may notice it, and in which scope of the explorer it has its shortest
story. A barrier that is left out does no harm in a memory that is ordered without it: `HARMLESS` says where.
"""

from dataclasses import dataclass

from xenmodel.rings.rows import SC, TSO, MemoryModel
from xenproofs.machines.planting import Edit, Fault

PRODUCING, CONSUMING = "rings.producing", "rings.consuming"
LOST = ("sleeper_will_be_told", "push_for_a_sleeper_ends_in_an_event", "published_item_is_taken")
"""A notification is lost."""
STALE = ("copy_is_what_was_written",)
"""A slot is read before it is written, or an old value of it."""


@dataclass(frozen=True, slots=True)
class RingFault:
    """A fault, and the scope in which the explorer is to find it."""

    fault: Fault
    scope: str
    harmless: tuple[MemoryModel, ...] = ()
    """Memories in which a barrier that is left out is not missed."""


def _barrier(
    name: str, sentence: str, step: str, call: str, breaks: tuple[str, ...], *, always: bool = False
) -> tuple[RingFault, ...]:
    """Return a barrier that is left out, once on each side."""
    module = PRODUCING if step in ("order_items", "order_index") else CONSUMING
    found: list[RingFault] = []
    for number, role in enumerate(("frontend", "backend")):
        edit = Edit(f"{module}:{step}", f"{call}(m, x)", f"None if x == {number} else {call}(m, x)")
        fault = Fault(f"{role}_{name}", f"The {role} {sentence}", (edit,), breaks, interleaved=True)
        scope, harmless = ("tso wide", (SC,)) if always else ("arm", (SC, TSO))
        found.append(RingFault(fault, scope, harmless))
    return tuple(found)


BARRIERS: tuple[RingFault, ...] = (
    *_barrier(
        "items_unordered",
        "publishes its index without xen_wmb() after the items.",
        "order_items",
        "write_barrier",
        STALE,
    ),
    *_barrier(
        "push_unfenced",
        "looks at the event index without xen_mb() after its own index.",
        "order_index",
        "full_barrier",
        LOST,
        always=True,
    ),
    *_barrier(
        "reads_unordered",
        "copies an item without xen_rmb() after the index that names it.",
        "order_reads",
        "read_barrier",
        STALE,
    ),
    *_barrier(
        "question_unfenced",
        "looks for the last time without xen_mb() after its event index.",
        "order_event",
        "full_barrier",
        LOST,
        always=True,
    ),
)
"""Each barrier of the protocol left out, on each side."""

CHECKS: tuple[RingFault, ...] = (
    RingFault(
        Fault(
            "no_final_check",
            "A side that has asked for an event sleeps without a last look.",
            (
                Edit(
                    f"{CONSUMING}:look_again",
                    "side.stage = ASLEEP if found == side.cons else LOOK",
                    "side.stage = ASLEEP",
                ),
            ),
            LOST,
        ),
        "sc",
    ),
    RingFault(
        Fault(
            "question_after_last_look",
            "A side sleeps on its first look, and asks for the event afterwards.",
            (Edit(f"{CONSUMING}:ask_for_event", "side.stage = ASKED", "side.stage = ASLEEP"),),
            LOST,
        ),
        "sc",
    ),
    RingFault(
        Fault(
            "asks_for_the_item_after_next",
            "The event index is one too far ahead.",
            (
                Edit(
                    f"{CONSUMING}:ask_for_event",
                    "store(m, x, own_event(x), event)",
                    "store(m, x, own_event(x), successor(event, mask=m.mask))",
                ),
            ),
            LOST,
        ),
        "sc",
    ),
    RingFault(
        Fault(
            "no_question",
            "A side looks for the last time without having stored its event index.",
            (Edit(f"{CONSUMING}:ask_for_event", "store(m, x, own_event(x), event)", "pass"),),
            LOST,
        ),
        "sc",
    ),
    RingFault(
        Fault(
            "notify_only_past_the_event",
            "The condition for a notification is one off: the item that was asked for does not count.",
            (
                Edit(
                    f"{PRODUCING}:check_notify",
                    "crossed(side.pushed, side.old, event, m.mask)",
                    "crossed(side.pushed, side.old, successor(event, mask=m.mask), m.mask)",
                ),
            ),
            LOST,
        ),
        "sc",
    ),
    RingFault(
        Fault(
            "notify_compared_without_wrap",
            "The condition for a notification compares indices as if they never wrapped.",
            (
                Edit(
                    f"{PRODUCING}:check_notify",
                    "crossed(side.pushed, side.old, event, m.mask)",
                    "(side.old < event) & (event <= side.pushed)",
                ),
            ),
            LOST,
        ),
        "sc wide",
    ),
    RingFault(
        Fault(
            "notify_without_the_batch",
            "The condition asks whether the last item was waited for, not whether one of the batch was.",
            (
                Edit(
                    f"{PRODUCING}:check_notify",
                    "crossed(side.pushed, side.old, event, m.mask)",
                    "side.pushed == event",
                ),
            ),
            LOST,
        ),
        "sc wide",
    ),
    RingFault(
        Fault(
            "decided_without_a_barrier",
            "The decision to notify is taken right after the store of the index, with no barrier between.",
            (
                Edit(
                    f"{PRODUCING}:publish",
                    "side.stage = FENCE",
                    "side.stage = (NOTIFY if crossed(side.pushed, side.old, "
                    "load(m, x, own_event(peer_of(x)), 0), m.mask) else LOOK)",
                ),
            ),
            LOST,
        ),
        "tso",
    ),
    RingFault(
        Fault(
            "event_read_before_publishing",
            "The decision to notify is taken with the event index of before the push.",
            (
                Edit(
                    f"{PRODUCING}:begin_push",
                    "side.stage = ORDER",
                    "side.stage, side.item = ORDER, load(m, x, own_event(peer_of(x)), 0)",
                ),
                Edit(
                    f"{PRODUCING}:check_notify",
                    "event = load(m, x, own_event(peer_of(x)), age)",
                    "event, side.item = side.item, -1",
                ),
            ),
            LOST,
        ),
        "sc",
    ),
    RingFault(
        Fault(
            "published_before_written",
            "The producer index counts an item that is still to be written.",
            (
                Edit(
                    f"{PRODUCING}:publish",
                    "store(m, x, own_producer(x), side.prod)",
                    "store(m, x, own_producer(x), successor(side.prod, mask=m.mask))",
                ),
            ),
            (*STALE, "only_published_items_are_taken", "honest_ring_is_never_broken"),
        ),
        "sc",
    ),
    RingFault(
        Fault(
            "response_pushed_before_written",
            "The backend stores its index when it begins to push, and its response only then.",
            (
                Edit(
                    f"{PRODUCING}:write_response",
                    "_write(m, BACKEND, response(r))",
                    "store(m, BACKEND, own_producer(BACKEND), successor(side.prod, mask=m.mask));"
                    " side.old = r; side.stage = ORDER",
                ),
                Edit(
                    f"{PRODUCING}:order_items",
                    "write_barrier(m, x)",
                    "_write(m, x, response(side.old)) if x == BACKEND else None",
                ),
            ),
            (*STALE, *LOST, "only_published_items_are_taken", "indices_are_in_order"),
        ),
        "sc",
    ),
    RingFault(
        Fault(
            "index_trusted",
            "What the peer's producer index says is not compared with what there can be.",
            (
                Edit(f"{CONSUMING}:_ill", "overflows(found, side.prod, m.size, m.mask)", "False"),
                Edit(
                    f"{CONSUMING}:_bound",
                    "distance(found, side.cons, m.mask) <= _most(m, x)",
                    "True",
                ),
            ),
            ("items_to_take_are_bounded", "ring_holds_no_more_than_its_size"),
        ),
        "hostile frontend",
    ),
    RingFault(
        Fault(
            "index_behind_trusted",
            "A producer index behind what was taken is believed: the overflow test alone lets it pass.",
            (
                Edit(
                    f"{CONSUMING}:_bound",
                    "distance(found, side.cons, m.mask) <= _most(m, x)",
                    "True",
                ),
            ),
            ("items_to_take_are_bounded", "ring_holds_no_more_than_its_size"),
        ),
        "hostile frontend two",
    ),
    RingFault(
        Fault(
            "responses_beyond_requests",
            "A frontend believes in more responses than it has sent requests.",
            (
                Edit(
                    f"{CONSUMING}:_ill",
                    "return overflows(found, side.cons, _most(m, x), m.mask)",
                    "return False",
                ),
                Edit(
                    f"{CONSUMING}:_bound",
                    "distance(found, side.cons, m.mask) <= _most(m, x)",
                    "True",
                ),
            ),
            ("items_to_take_are_bounded", "ring_holds_no_more_than_its_size"),
        ),
        "hostile backend",
    ),
    RingFault(
        Fault(
            "slot_read_twice",
            "The check looks at the slot again, and the copy is used.",
            (
                Edit(
                    f"{CONSUMING}:check_item",
                    "side.checked = side.item",
                    "side.checked, side.fetches = "
                    "load(m, x, Location(SLOT, slot_of(side.cons, m.size)), 0), side.fetches + 1",
                ),
            ),
            ("slot_is_fetched_once", "copy_is_what_was_checked"),
        ),
        "hostile frontend",
    ),
    RingFault(
        Fault(
            "answered_twice",
            "The backend does not strike a request off when it answers it.",
            (Edit(f"{PRODUCING}:write_response", "row.held = False", "pass"),),
            ("request_is_answered_once", "honest_ring_is_never_broken"),
        ),
        "sc",
    ),
    RingFault(
        Fault(
            "any_response_accepted",
            "A frontend accepts a response to a request that it has not sent, or that is answered.",
            (
                Edit(
                    f"{CONSUMING}:_acceptable",
                    "return is_response(item) & m.requests[number_of(item)].sent",
                    "return is_response(item)",
                ),
            ),
            ("response_is_handed_up_once",),
        ),
        "hostile backend",
    ),
    RingFault(
        Fault(
            "full_ring_written",
            "The frontend writes a request although the ring is full.",
            (Edit(f"{PRODUCING}:room", "free_requests(side.prod, side.cons, m.size, m.mask)", "1"),),
            ("ring_holds_no_more_than_its_size",),
        ),
        "sc",
    ),
    RingFault(
        Fault(
            "looks_at_an_old_limit",
            "The last look finds work, and the side goes back to the items that it knew of.",
            (
                Edit(
                    f"{CONSUMING}:look_again",
                    "side.stage = ASLEEP if found == side.cons else LOOK",
                    "side.stage = ASLEEP if found == side.cons else ASK",
                ),
            ),
            ("no_cycle_without_progress",),
        ),
        "sc",
    ),
)
"""Everything else that can go wrong."""

FAULTS: dict[str, RingFault] = {one.fault.name: one for one in (*BARRIERS, *CHECKS)}
