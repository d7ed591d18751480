"""The planted bugs of the proof, for hostile guests to find: the same edits, under the same names.

A step's guard often stands a second time in the sequence of steps around it, which then has to be edited too
before any call gets as far: `Around` has these edits. Where a breach shows first in another invariant than
the one that the proof must lose, it says which.
"""

from dataclasses import dataclass

from xenproofs.bugs.catalogue import OF_MEMORY, Bug
from xenproofs.machines.breach import CRASH, ILLEGAL_HOLDER
from xenproofs.machines.laws import CHARGED
from xenproofs.machines.planting import Edit, Fault, Statement

COUNTED = "type_count_is_the_number_of_typed_holders"
REFERENCED = "ref_count_is_the_number_of_holders"
LEFT = "nothing_in_flight_between_calls"
CACHED = (
    "cached_writable_targets_writable_or_is_to_be_flushed",
    "cached_writable_out_of_use_is_stamped",
    "cached_writable_translation_reaches_no_table",
)
CLAIM, VALIDATION, TARGETS = "memory.claim", "memory.validation", "memory.targets"
PROMOTION, MEMORY_OP = "memory.promotion", "memory.memory_op"
FOREIGN_FRAME = "Mfn(0x147)"
"""A frame of the second domain that its boot tables map."""


@dataclass(frozen=True, slots=True)
class Around:
    """What a bug of the catalogue needs to be reached, and how it shows."""

    edits: tuple[Edit, ...] = ()
    breaks: tuple[str, ...] = ()
    advisories: tuple[int, ...] = ()
    interleaved: bool = False
    every_step: bool = False


AROUND: dict[str, Around] = {
    "a foreign frame is mapped without authority": Around(
        (
            Edit(
                f"{TARGETS}:take_leaf",
                "if real != named and not _may_name(x, table_owner, named, real):",
                "if real >= DOMID_IO:",
            ),
        ),
        ("writable_mapping_is_authorised",),
        advisories=(248,),
    ),
    "a large page is linked as if it were a table": Around(
        (Edit("abi.pte:table_flags_refused", "word & TABLE_DISALLOWED != 0", "False"),), advisories=(148,)
    ),
    "the count is not taken before the work begins": Around(
        (
            Edit(
                f"{CLAIM}:finish_flush",
                "frame.validated = True",
                "frame.validated, frame.type_count = True, 1",
            ),
            Edit(
                f"{VALIDATION}:finish_validation",
                "frame.validated = True",
                "frame.validated, frame.type_count = True, frame.type_count + 1",
            ),
        ),
        (LEFT,),
        advisories=(299, 401),
    ),
    "a failed promotion is not rolled back": Around(breaks=(COUNTED, REFERENCED)),
    "write permission is added on the fast path": Around(
        (Edit("abi.pte:same_but_for_fast_path", "~FAST_PATH", "~(FAST_PATH | RW)"),), advisories=(182,)
    ),
    "an entry of an L2 links what is no L1 table": Around(
        (Edit(f"{TARGETS}:_take_child", "PageType(level - 1)", "PageType(1 if level == 3 else level - 1)"),)
    ),
    "a base pointer stays when its table is released": Around(breaks=(COUNTED, REFERENCED)),
    "no flush before a frame changes its type": Around(breaks=CACHED, advisories=(241,)),
    "the last use of a writable frame is not stamped": Around(breaks=CACHED, advisories=(241,)),
    "a descriptor is stored as the guest wrote it": Around(
        breaks=("harmful_word_is_in_no_descriptor_page", "unstored_descriptor_is_in_no_descriptor_page")
    ),
    "a descriptor's privilege is not checked": Around(
        (
            Edit(
                "memory.descriptors:update_descriptor",
                "if call.address % 8 or not m.descriptors.accepted(call.value):",
                "if call.address % 8:",
            ),
        ),
        ("harmful_word_is_in_no_descriptor_page",),
    ),
    "a frame is given away while mappings of it exist": Around(
        (Edit(f"{MEMORY_OP}:_populate", "call.allocator(call.order)", FOREIGN_FRAME),),
        ("mapping_is_authorised", "writable_mapping_is_authorised", COUNTED, CHARGED),
    ),
    "a refusal leaves a store behind": Around(breaks=(REFERENCED, "ownerless_frame_is_unused")),
    "a write is not declared": Around(every_step=True),
    "a partial table does not keep its reference": Around(advisories=(299,)),
    "an unpinned table stays pinned": Around(breaks=(COUNTED, REFERENCED)),
    "a linear entry may be writable": Around(
        (Edit("memory.linear:take_linear", "if m.pte.writable(word):", "if False:"),)
    ),
    "a freed frame keeps its owner": Around(),
    "a frame is given away before every CPU forgets it": Around(
        (
            Edit(
                f"{MEMORY_OP}:flush_free",
                "while m.frames[f].ref_count == 0 and m.frames[f].cursor < m.cpu_count:",
                "while False:",
            ),
        ),
        ("cached_free_frame_is_stamped",),
    ),
    "a translation grants more than its entry": Around(breaks=CACHED),
    "Xen writes to a frame that is no writable memory": Around(
        (
            Edit(
                "events.frames:take_frame",
                "    yield from take_writable(x, kn, EINVAL)\n",
                "    from xenmodel.memory.claim import take_type_again\n"
                "    if x.m.frames[f].type_count and x.m.frames[f].validated:\n"
                "        take_type_again(x.m, kn)\n"
                "    else:\n"
                "        yield from take_writable(x, kn, EINVAL)\n",
            ),
        ),
        ("event_frame_is_writable_memory",),
    ),
    "a GDT page is another domain's": Around(
        (
            Edit(
                "memory.descriptors:_take_page",
                "take_ref(m, k, f, x.domain)",
                "take_ref(m, k, f, m.frames[f].owner)",
            ),
        )
    ),
    "a table is validated before its end": Around(
        (Edit(f"{PROMOTION}:_promote_l1", "if m.frames[f].next_slot != end:", "if False:"),)
    ),
    "present entries are skipped": Around(
        (
            Edit(
                f"{PROMOTION}:_promote_l1",
                "slot = words.next_present(f, 0)",
                "slot = words.next_present(f, 1)",
            ),
        )
    ),
    "two validate a frame at once": Around(
        breaks=("unvalidated_frame_has_one_holder", "frame_at_work_has_one_holder", ILLEGAL_HOLDER),
        advisories=(299, 401),
        interleaved=True,
    ),
    "a partial child is forgotten": Around(
        (Edit("memory.demotion:_demote_table", "if frame.partial_entry:", "if False:"),), (CRASH,)
    ),
}
"""What the bugs of memory and translation caches need, by their names."""
SHOWN_BY: dict[str, tuple[str, ...]] = {
    "refusal": (),
    "declared writes": ("declared_writes",),
    "looked_at_descriptor_is_stored": (),
}
"""What falls in the proof and is no invariant that a running machine is held to, and what stands for it."""


def slug(name: str) -> str:
    """Return a bug's name as `--fault` takes it: words with `_` between."""
    return "".join(c if c.isalnum() else "" if c == "'" else "_" for c in name)


def fault_of(bug: Bug) -> Fault:
    """Return a bug of the catalogue as a fault to plant at run time."""
    around = AROUND.get(bug.name, Around())
    statement = Statement(bug.module.removeprefix("xenmodel."), bug.edit)
    return Fault(
        slug(bug.name),
        f"{bug.name[0].upper()}{bug.name[1:]}.",
        (*around.edits, *(() if bug.undeclared else (statement,))),
        (*SHOWN_BY.get(bug.falls, (bug.falls,)), *around.breaks),
        around.advisories,
        around.interleaved,
        around.every_step,
        (bug.step if bug.undeclared else "", bug.undeclared),
    )


CATALOGUED: tuple[Fault, ...] = tuple(map(fault_of, OF_MEMORY))
