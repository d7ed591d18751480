"""The table of planted faults of memory: how hostile guests find each, and the explorer's shortest story.

    python -m xenproofs.machines.table [NAME …]

One line a fault: calls made until it is found by seed 1, the length of the story once it is short, the
invariant; then the scope and length of the explorer's shortest story, or why no scope has one. Of faults that
need interleaved vCPUs also whether guests find them whose calls all run to their end. Everything in a line is
the same whenever and wherever it is made (tests/snapshots/machines_faults.txt); seconds go to standard error.
"""

import sys
import time
from collections.abc import Sequence
from math import inf
from typing import Final

from xenproofs.explorer.scopes import SCOPES
from xenproofs.explorer.search import Explorer
from xenproofs.machines.catalogued import CATALOGUED
from xenproofs.machines.episode import Plan
from xenproofs.machines.faults import FAULTS, INTERLEAVED, LIST
from xenproofs.machines.fuzz import Campaign
from xenproofs.machines.planting import Fault
from xenproofs.machines.story import Story

SEED: Final = 1
EPISODES: Final = 2000
"""Episodes after which a fault counts as not found."""
AS_MANY: Final = 500
"""Episodes without interleaving, for a fault that needs it."""
CANDIDATES: Final = 1500
TABLES, RACES = ("alone", "twins"), ("raced",)
CACHES: Final = ("cached", "raced")
OF_MEMORY: Final[tuple[Fault, ...]] = (*CATALOGUED, *LIST, *INTERLEAVED)
"""The faults of the table."""

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
}
"""Why a fault has no story in the scopes that are searched."""


def story_of(fault: Fault) -> tuple[int, Story | None]:
    """Let hostile guests look for a fault; return the calls made, and the story."""
    plan = Plan(SEED, every_step=fault.every_step, fault=fault.name)
    campaign = Campaign(
        plan, inf, episodes=EPISODES, shrink_candidates=CANDIDATES, shrink_seconds=inf, database=None
    )
    report = campaign.run()
    return report.calls, next(iter(report.stories), None)


def shortest(fault: Fault) -> tuple[str, int] | None:
    """Let the explorer look for a fault in small scopes; return the scope and the length of the story."""
    scopes: tuple[str, ...] = (*RACES, *TABLES) if fault.interleaved else (*TABLES, *CACHES)
    if fault.name in ELSEWHERE:
        scopes = (ELSEWHERE[fault.name],)
    for name in scopes:
        found = Explorer(SCOPES[name], fault=fault).run().violations
        if found:
            return name, len(found[0].story)
    return None


def needs_interleaving(fault: Fault) -> bool:
    """Return whether guests whose calls all run to their end do not find a fault."""
    plan = Plan(SEED, every_step=fault.every_step, fault=fault.name, pauses=False)
    return not Campaign(plan, inf, episodes=AS_MANY, shrink_candidates=0, database=None).run().stories


def line_of(fault: Fault) -> str:
    """Return a fault's line of the table."""
    begun = time.process_time()
    calls, story = story_of(fault)
    found = f"not found in {calls} calls"
    if story is not None:
        found = f"found in {calls} calls, story of {len(story.moves)}, {story.breach.name}"
    words = [fault.name, found]
    if fault.interleaved:
        alone = "not found" if needs_interleaving(fault) else "found too"
        words.append(f"without interleaving {alone} in {AS_MANY} episodes")
    spent = time.process_time() - begun
    least = None if fault.name in REASONS else shortest(fault)
    reason = REASONS.get(fault.name, "nothing")
    words.append(f"explorer {least[0]}: {least[1]}" if least else f"explorer: {reason}")
    whole = time.process_time() - begun
    sys.stderr.write(f"{fault.name}: {spent:.1f} s CPU by guests, {whole:.1f} s in all\n")
    return "; ".join(words)


def main(names: Sequence[str]) -> int:
    """Print the lines of some faults, or the whole table."""
    for fault in [FAULTS[name] for name in names] or OF_MEMORY:
        sys.stdout.write(line_of(fault) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
