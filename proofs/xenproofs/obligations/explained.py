"""Why a statement may be dropped and no state is shown that breaks: what the mutant run's table adds.

Each has been looked at. Of what a solver shows to be redundant the invariants are named that its proof used,
or the guard beside it; of the others it is said what the specification leaves open, or what bounds the search
for a state.
"""

from __future__ import annotations

from typing import Final

_FREE: Final = "says of a free frame ownerless_frame_keeps_nothing"
_UNTYPED: Final = "says of a free frame ownerless_frame_is_unused"
_UNVALIDATED: Final = "says of a free frame free_frame_is_not_validated"
_REMEMBERS: Final = "the CPU remembers a prefix: prefix_is_on_a_cpu_that_exists"
_STAGE: Final = "the stage says so: notice_is_by_the_abi_of_its_stage"
_HANDLE: Final = "says of a free handle free_handle_names_nothing"
_CPU: Final = "require('the CPU exists', (cpu >= 0) & (cpu < m.cpu_count), EINVAL)"
_FIFO: Final = "require('by the FIFO ABI', notice.fifo, EINVAL)"
_REMOTE: Final = (
    "require('the remote port exists', (remote[1] >= 0) & (remote[1] < m.channels[remote[0]].valid), EINVAL)"
)
_STATUS: Final = (
    "the contract tells the words by a function of which proof and finite instance know nothing, and no "
    "state was found within the bound of work"
)

EXPLAINED: Final[dict[tuple[str, str], str]] = {
    # Redundant: proved.
    **{(step, "frame.linear = 0"): _FREE for step in ("allocate", "make_shared")},
    **{(step, "frame.noncoherent = False"): _FREE for step in ("allocate", "make_shared")},
    **{(step, "frame.type = NO_TYPE"): _UNTYPED for step in ("allocate", "make_shared")},
    **{(step, "frame.validated = False"): _UNVALIDATED for step in ("allocate", "make_shared")},
    ("drop_type", "frame.next_slot = m.pte.slots"): (
        "it stands behind the last slot of a validated table: validated_table_has_every_slot, "
        "flight_finds_its_frame_as_it_left_it"
    ),
    ("fail_validation", "frame.noncoherent = False"): (
        "no table that is looked at has it: noncoherent_frame_is_writable, writable_frame_is_validated, "
        "flight_finds_its_frame_as_it_left_it"
    ),
    (
        "finish_validation",
        """require("the top of the address space is Xen's", _top_is_xens(m, flight.frame, frame), EAGAIN)""",
    ): "it asks of the top of a PAE address space, of which the proved geometry has none",
    ("steal", "frame.linear = 0"): (
        "only its allocation holds the frame, so that no entry of its own is linked: "
        "linear_counter_tells_own_entries_from_uses, ref_count_is_the_number_of_holders"
    ),
    **{(step, _CPU): _REMEMBERS for step in ("extend_prefix", "fill_through", "mark_through")},
    ("create_vcpu", "m.vcpus[v].domain = d"): "the number says it: vcpu_is_of_the_domain_of_its_number",
    **{
        (step, _FIFO): _STAGE
        for step in ("find_queue_empty", "link_to_tail", "mark_word", "set_head", "set_ready")
    },
    ("join", "far.remote_domain = DomId(local[0])"): "a guard beside it asks that it is",
    (
        "join",
        _REMOTE,
    ): "a guard beside it asks for a port in use: port_in_use_exists",
    (
        "look_at_port",
        "require('the port exists', (p[1] >= 0) & (p[1] < m.channels[p[0]].valid), EINVAL)",
    ): "a guard beside it asks for a port in use: port_in_use_exists",
    ("part", "far.remote_domain = DomId(p[0])"): "it stands there: joined_ports_name_each_other",
    ("take_handle", "row.frame = NO_FRAME"): _HANDLE,
    ("take_handle", "row.live = False"): _HANDLE,
    ("take_handle", "row.pinned = False"): "says of a free handle pinned_handle_is_handed_out",
    ("unmap_host", "require('the entry is present', m.pte.present(word), EPERM)"): (
        "the linked entry says so: linked_entry_agrees_with_its_word"
    ),
    # Survives: what the specification leaves open.
    ("make_queue", "queue.linked = 0"): (
        "a ghost count, which orders words only as long as they are linked: a new queue may begin anywhere"
    ),
    ("switch_assist", "row.assists = assist.switched(row.assists, kind, on=on)"): (
        "the number of all features is made of bits, which formulas do not speak of; the two features that "
        "anything proved reads have fields of their own"
    ),
    (
        "change_version",
        "m.words[at] = m.grants.status_from(m.words[at], g[1], status, 0)",
    ): "the marks of use of four kept entries share a word, of which no contract speaks",
    # Unproved: no state within the bound.
    (
        "swap_entries",
        "m.words[at] = m.grants.status_from(kept, a[1], m.words[of], b[1])",
    ): _STATUS,
    (
        "swap_entries",
        "m.words[of] = m.grants.status_from(m.words[of], b[1], kept, a[1])",
    ): _STATUS,
}
"""By step and the first line of the statement that is dropped."""
