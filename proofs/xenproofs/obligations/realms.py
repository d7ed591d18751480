"""Realms: which statements are assumed together, and what their questions declare.

Memory and event channels share few tables, and no proof about the one needs an invariant of the other. So an
obligation assumes the statements of its own realm alone: fewer premises prove less, never more. A statement
of one realm that a step of the other could break is still an obligation of that step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xenproofs.symbolic.sorts import FLIGHT, FRAME, REF_DATATYPE, REF_SORTS, VCPU_DATATYPE, VCPU_NAMES
from xenproofs.symbolic.state import EVENT_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xenproofs.symbolic.terms import Sort


@dataclass(frozen=True, slots=True)
class Realm:
    """What goes together in one question."""

    name: str
    preamble: str
    sorts: tuple[Sort, ...]
    given: frozenset[str] = frozenset()


MEMORY: Final = Realm("memory", REF_DATATYPE, REF_SORTS)
EVENTS: Final = Realm("events", f"{VCPU_DATATYPE}\n{REF_DATATYPE}", (FRAME, FLIGHT), VCPU_NAMES)
"""Here a virtual CPU is a pair of numbers: ports name theirs by number."""
GRANTS: Final = Realm("grants", MEMORY.preamble, MEMORY.sorts)
"""Memory's statements and those of grants: mappings hold frames, and what grants are about is frames."""
REALMS: Final = (MEMORY, EVENTS, GRANTS)


def realm_of_subsystem(subsystem: str) -> Realm:
    """Return the realm of a subsystem's statements."""
    return {EVENTS.name: EVENTS, GRANTS.name: GRANTS}.get(subsystem, MEMORY)


def realm_of_step(subsystem: str, writes: Iterable[str]) -> Realm:
    """Return the realm of a step: that of event channels if it writes nothing else."""
    if subsystem == GRANTS.name or "domains.exists" in writes:
        return GRANTS  # that a domain owns no more than it is charged for is said there
    tables = {cell.split(".")[0] for cell in writes}
    return EVENTS if tables and tables <= set(EVENT_TABLES) else MEMORY
