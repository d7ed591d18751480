"""The planted bugs, by name: where, what is edited, and which statement must fall.

To add one: the step that must be found out, its module, the edit, and the name of the invariant (or
`refusal`, `declared writes`, or a claim such as `general holder is new`) that must not be proved any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from xenproofs.bugs.events import OF_EVENTS
from xenproofs.bugs.grants import OF_GRANTS
from xenproofs.bugs.lives import OF_LIVES
from xenproofs.bugs.prefixes import OF_PREFIXES
from xenproofs.bugs.rewriter import Edit

CLAIM: Final = "xenmodel.memory.claim"
LINKING: Final = "xenmodel.memory.linking"
VALIDATION: Final = "xenmodel.memory.validation"
RESERVATION: Final = "xenmodel.memory.reservation"
ROOTS: Final = "xenmodel.memory.roots"
TLB: Final = "xenmodel.hardware.tlb"
DESCRIPTORS: Final = "xenmodel.memory.descriptors"
FRAMES: Final = "xenmodel.events.frames"


@dataclass(frozen=True, slots=True)
class Bug:
    """One planted bug."""

    name: str
    step: str
    module: str
    edit: Edit
    falls: str
    """What must not be proved any more."""
    undeclared: str = ""
    """A declared write that is taken away, instead of an edit of the code."""


def _bug(name: str, step: str, where: str, edit: tuple[str, str] | tuple[str, str, str], falls: str) -> Bug:
    return Bug(name, step, where, Edit(*edit), falls)


OF_MEMORY: Final = (
    _bug(
        "a foreign frame is mapped without authority",
        "install",
        LINKING,
        (
            "_require_authority",
            "guard: the target is the table's owner's, or the caller controls other domains",
        ),
        "mapping_is_authorised",
    ),
    _bug(
        "a large page is linked as if it were a table",
        "replace",
        LINKING,
        ("require_one_frame", "guard: no large page above L1"),
        "linked_entry_names_one_frame",
    ),
    _bug(
        "the count is not taken before the work begins",
        "claim",
        CLAIM,
        ("_claim_first", "frame.type_count = 1"),
        "type_count_is_the_number_of_typed_holders",
    ),
    _bug(
        "a failed promotion is not rolled back",
        "release",
        LINKING,
        ("release", "if e.linked:\n    take_out(m, flight.frame, slot, ko, e)"),
        "linked_slot_is_below_next_slot",
    ),
    _bug(
        "write permission is added on the fast path",
        "amend",
        LINKING,
        ("amend", "guard: with the same write permission"),
        "linked_entry_agrees_with_its_word",
    ),
    _bug(
        "an entry of an L2 links what is no L1 table",
        "install",
        LINKING,
        ("install", "require_type(m, table.type, target, writable=writable)"),
        "table_entry_links_the_level_below",
    ),
    _bug(
        "a base pointer stays when its table is released",
        "swap_base",
        ROOTS,
        ("swap_base", "vcpu.base = target"),
        "base_pointers_hold_their_tables",
    ),
    _bug(
        "no flush before a frame changes its type",
        "flush_next_cpu",
        CLAIM,
        ("flush_next_cpu", "flush(m, cpu)"),
        "cached_writable_targets_writable_or_is_to_be_flushed",
    ),
    _bug(
        "the last use of a writable frame is not stamped",
        "drop_type",
        CLAIM,
        ("drop_type", "frame.stamp = ite(frame.type_count == 0, m.world[0].clock, frame.stamp)"),
        "cached_writable_out_of_use_is_stamped",
    ),
    _bug(
        "a descriptor is stored as the guest wrote it",
        "accept_descriptor",
        LINKING,
        (
            "accept_descriptor",
            "m.words[flight.frame, slot] = m.descriptors.stored(word)",
            "m.words[flight.frame, slot] = word",
        ),
        "looked_at_descriptor_is_stored",
    ),
    _bug(
        "a descriptor's privilege is not checked",
        "write_descriptor",
        DESCRIPTORS,
        ("write_descriptor", "guard: the descriptor is acceptable"),
        "unstored_descriptor_is_in_no_descriptor_page",
    ),
    _bug(
        "a frame is given away while mappings of it exist",
        "allocate",
        RESERVATION,
        ("allocate", "guard: nobody holds the frame"),
        "ref_count_is_the_number_of_holders",
    ),
    _bug(
        "a refusal leaves a store behind",
        "take_ref",
        CLAIM,
        (
            "take_ref",
            "guard: frame belongs to the named domain",
            (
                "frame.ref_count = frame.ref_count + 1\n"
                "require('frame belongs to the named domain', frame.owner == owner, EINVAL)"
            ),
        ),
        "refusal",
    ),
    Bug("a write is not declared", "pin", ROOTS, Edit("pin", "pass"), "declared writes", "frames.pinned"),
    _bug(
        "a partial table does not keep its reference",
        "suspend",
        VALIDATION,
        ("suspend", "frame.ref_count = frame.ref_count + 1"),
        "ref_count_is_the_number_of_holders",
    ),
    _bug(
        "an unpinned table stays pinned",
        "unpin",
        ROOTS,
        ("unpin", "frame.pinned = False"),
        "pin_holds_its_table",
    ),
    _bug(
        "a linear entry may be writable",
        "install_linear",
        LINKING,
        ("_require_linear", "guard: a linear entry is read-only"),
        "linear_entry_links_its_own_level_read_only",
    ),
    _bug(
        "a freed frame keeps its owner",
        "drop_ref",
        CLAIM,
        ("release_general", "frame.owner = DOMID_INVALID"),
        "owned_frame_is_not_free",
    ),
    _bug(
        "a frame is given away before every CPU forgets it",
        "allocate",
        RESERVATION,
        ("allocate", "guard: no CPU translates to the frame any more"),
        "cached_translation_stays_with_its_owner",
    ),
    _bug(
        "a translation grants more than its entry",
        "fill",
        TLB,
        ("fill", "guard: the entry grants writing"),
        "cached_writable_targets_writable_or_is_to_be_flushed",
    ),
    _bug(
        "Xen writes to a frame that is no writable memory",
        "keep_vcpu_info",
        FRAMES,
        ("_held_writable", "guard: as writable memory"),
        "vcpu_info_is_writable_memory",
    ),
    _bug(
        "a GDT page is another domain's",
        "put_gdt_page",
        DESCRIPTORS,
        ("_swap_page", "guard: the new page is the vCPU's domain's"),
        "gdt_page_is_of_the_descriptor_type",
    ),
    _bug(
        "a table is validated before its end",
        "finish_validation",
        VALIDATION,
        ("finish_validation", "guard: every slot was looked at"),
        "validated_table_has_every_slot",
    ),
    _bug(
        "present entries are skipped",
        "skip_absent",
        LINKING,
        ("skip_absent", "guard: nothing present between"),
        "present_slot_below_next_slot_is_linked",
    ),
    _bug(
        "two validate a frame at once",
        "claim",
        CLAIM,
        ("claim", "guard: frame is not being validated"),
        "flight_finds_its_frame_as_it_left_it",
    ),
    _bug(
        "a partial child is forgotten",
        "finish_devalidation",
        VALIDATION,
        ("finish_devalidation", "guard: no slot is left"),
        "partial_entry_holds_its_child",
    ),
)
BUGS: Final = (*OF_MEMORY, *(_bug(*row) for row in (*OF_PREFIXES, *OF_LIVES, *OF_EVENTS, *OF_GRANTS)))
