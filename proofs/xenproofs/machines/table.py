"""The table of planted faults: what proof, hostile guests and explorer each find, one line a fault.

    python -m xenproofs.machines.table [NAME …]

*Proof*: the statement that falls of the same bug of one step, found with a state from which the edited step
really ran. *Guests*: the invariant, the length of the story once it is short, the calls made until it was
found by seed 1; of a fault that needs interleaved vCPUs also whether guests find it whose calls all run to
their end. *Explorer*: the scope and the length of the shortest story, or why no scope has one. Seconds are of
one processor, and all that is not the same whenever and wherever a line is made. Without names the whole page
is printed that is checked in (docs/faults.md).
"""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from typing import Final, TypeVar

from xenproofs.bugs.catalogue import BUGS, Bug
from xenproofs.explorer.events.scopes import SCOPES as OF_EVENT_CHANNELS
from xenproofs.explorer.events.search import EventExplorer
from xenproofs.explorer.grants.scopes import EXPLORED as IN_GRANTS
from xenproofs.explorer.grants.scopes import SCOPES as OF_GRANT_TABLES
from xenproofs.explorer.scopes import SCOPES
from xenproofs.explorer.search import Explorer, ExploreReport
from xenproofs.machines.catalogued import CATALOGUED, slug
from xenproofs.machines.episode import Plan
from xenproofs.machines.event_faults import EVENT_FAULTS
from xenproofs.machines.event_faults import EXPLORED as IN_EVENTS
from xenproofs.machines.faults import INTERLEAVED, LIST
from xenproofs.machines.fuzz import Campaign
from xenproofs.machines.grant_faults import GRANT_FAULTS
from xenproofs.machines.planting import Fault, planted
from xenproofs.machines.reasons import ELSEWHERE, PROVED, REASONS
from xenproofs.machines.walk_faults import WALK_FAULTS
from xenproofs.obligations.planted import find

T = TypeVar("T")
SEED: Final = 1
EPISODES: Final = 2000
"""Episodes after which a fault counts as not found."""
AS_MANY: Final = 500
"""Episodes without interleaving, for a fault that needs it."""
CANDIDATES: Final = {"memory": 1500, "walks": 1500, "events": 500, "grants": 500}
"""Stories that the shrinker plays at most; those of events have far more steps."""
TABLES, RACES = ("alone", "twins"), ("raced",)
CACHES: Final = ("cached", "raced")
NOTHING: Final = "—"
SUBSYSTEMS: Final[dict[str, tuple[Fault, ...]]] = {
    "memory": (*CATALOGUED, *LIST, *INTERLEAVED),
    "walks": WALK_FAULTS,
    "events": EVENT_FAULTS,
    "grants": GRANT_FAULTS,
}
"""The faults of the table, by what attacks them."""
FAULTS: Final = {fault.name: (fault, of) for of, those in SUBSYSTEMS.items() for fault in those}
KNOWN: Final[dict[str, Bug]] = {bug.name: bug for bug in BUGS}
BY_SLUG: Final = {slug(bug.name): bug for bug in BUGS}
HEAD: Final = """# Planted faults

Each fault names beforehand what is to notice it; this page is what `python -m xenproofs.machines.table`
prints. *Proof*: the statement that falls of the same bug of one step. *Guests*: the invariant that is broken,
the moves of the shortened story, the calls until it was found by seed 1 (`xencheck fuzz SUBSYSTEM --seed 1
--fault NAME`). *Explorer*: the scope and the transitions of the shortest story (`xencheck explore SUBSYSTEM
--scope SCOPE --fault NAME`), or why no scope has one. Seconds are of one processor. I/O rings have a table of
their own ([I/O rings](rings.md)).

| fault | proof | guests | explorer |
| --- | --- | --- | --- |
"""


def timed(make: Callable[[], T]) -> tuple[T, str]:
    """Return what is made, and the seconds of the processor that it took."""
    begun = time.process_time()
    made = make()
    return made, f"{time.process_time() - begun:.1f} s"


def bug_of(name: str) -> Bug | None:
    """Return the proof's bug of a fault, if it has one."""
    return BY_SLUG.get(name) or KNOWN.get(PROVED.get(name, ""))


def proof(bug: Bug | None) -> str:
    """Return the proof's cell."""
    if bug is None:
        return NOTHING
    finding, seconds = timed(lambda: find(bug))
    return f"`{bug.falls}`, {seconds}" if finding.found else f"not found: {finding.note}, {seconds}"


def guests(fault: Fault, subsystem: str) -> str:
    """Return the cell of hostile guests."""
    plan = Plan(SEED, subsystem, every_step=fault.every_step, fault=fault.name)
    campaign = Campaign(
        plan,
        inf,
        episodes=EPISODES,
        shrink_candidates=CANDIDATES[subsystem],
        shrink_seconds=inf,
        database=None,
    )
    report, seconds = timed(campaign.run)
    if not report.stories:
        return f"not found in {report.calls:,} calls, {seconds}"
    (story,) = report.stories
    text = f"`{story.breach.name}`: {_moves(len(story.moves))}, {report.calls:,} calls, {seconds}"
    if fault.interleaved and subsystem == "memory":
        alone = "not found" if needs_interleaving(fault) else "found too"
        text += f"; without interleaving {alone} in {AS_MANY} episodes"
    return text


def _moves(number: int) -> str:
    return f"{number} move{'s' * (number != 1)}"


def needs_interleaving(fault: Fault) -> bool:
    """Return whether guests whose calls all run to their end do not find a fault."""
    plan = Plan(SEED, every_step=fault.every_step, fault=fault.name, pauses=False)
    return not Campaign(plan, inf, episodes=AS_MANY, shrink_candidates=0, database=None).run().stories


def searches(fault: Fault, subsystem: str) -> dict[str, Callable[[], ExploreReport]]:
    """Return the searches of the explorer for a fault, by scope, the likeliest first."""
    if subsystem == "grants":
        scopes = (IN_GRANTS[fault.name][0],)
        return {name: Explorer(OF_GRANT_TABLES[name], fault=fault).run for name in scopes}
    if subsystem == "events":
        return {IN_EVENTS[fault.name]: EventExplorer(OF_EVENT_CHANNELS[IN_EVENTS[fault.name]]).run}
    names: tuple[str, ...] = (*RACES, *TABLES) if fault.interleaved else (*TABLES, *CACHES)
    if fault.name in ELSEWHERE:
        names = (ELSEWHERE[fault.name],)
    return {name: Explorer(SCOPES[name], fault=fault).run for name in names}


def explorer(fault: Fault, subsystem: str) -> str:
    """Return the explorer's cell."""
    if fault.name in REASONS:
        return REASONS[fault.name]
    for scope, search in searches(fault, subsystem).items():
        with planted(fault if subsystem == "events" else None):
            report, seconds = timed(search)
        if report.violations:
            return f"`{scope}`: {len(report.violations[0].story)}, {seconds}"
    return "nothing"


def line_of(name: str) -> str:
    """Return a fault's line, or that of a bug which the proof alone plants."""
    cells = [proof(bug_of(name)), NOTHING, NOTHING]
    with suppress(KeyError):
        fault, subsystem = FAULTS[name]
        cells[1:] = guests(fault, subsystem), explorer(fault, subsystem)
    return f"| `{name}` | {' | '.join(cells)} |"


def names() -> list[str]:
    """Return the faults in the page's order, then the bugs of single steps that only the proof plants."""
    told = {bug.name for bug in map(bug_of, FAULTS) if bug is not None}
    return [*FAULTS, *(slug(bug.name) for bug in BUGS if bug.name not in told)]


def main(chosen: Sequence[str]) -> int:
    """Print the lines of some faults, or the whole page."""
    if not chosen:
        sys.stdout.write(HEAD)
    for name in chosen or names():
        sys.stdout.write(line_of(name) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
