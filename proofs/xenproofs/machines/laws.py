"""Laws of the whole small world, held after every move (or every step): recounts that walk every row.

The monitor follows what changes. These follow nothing: whatever it might have overlooked, or counted wrongly
on the way, differs from what a walk finds.
"""

from typing import Final

from xenmodel.machine import Machine
from xenproofs.judge.holdings import recount
from xenproofs.judge.monitor import Violation
from xenproofs.judge.tracking import store_of
from xenproofs.machines.setup import GUESTS

COUNTS: Final = "counts_are_what_a_walk_of_all_rows_finds"
CHARGED: Final = "every_frame_is_charged_to_its_owner"


def broken_laws(m: Machine) -> list[Violation]:
    """Return the laws that do not hold, between any two steps."""
    return [*_counts(m), *_charged(m)]


def _counts(m: Machine) -> list[Violation]:
    """A frame's counts are the numbers of its holders, entries of every table walked."""
    found = recount(m)
    return [
        Violation(
            COUNTS,
            f,
            "The counts of a frame are what its holders add up to.",
            (6, 7),
            (f"types {frame.type_count}, references {frame.ref_count}; holders {found.get(f, (0, 0))}",),
        )
        for f, frame in store_of(m.frames).items()
        if (frame.type_count, frame.ref_count) != found.get(f, (0, 0))
    ]


def _charged(m: Machine) -> list[Violation]:
    """Frames are conserved: each is free, Xen's own, or charged to its owner; one that is promised too."""
    rows = store_of(m.frames).values()
    owners = [frame.owner for frame in rows if not frame.special]
    owners += [row.domain for row in store_of(m.transfers).values() if row.reserved]
    xens = [frame.owner for frame in rows if frame.special]
    domains = {d: store_of(m.domains)[d] for d in GUESTS}
    return [
        Violation(
            CHARGED,
            d,
            "A domain is charged for as many frames as it owns, and those that transfers promise it.",
            (8,),
            (
                f"charged for {row.pages}, owner of {owners.count(d)}",
                f"with {row.xen_pages} pages of Xen's own, and {xens.count(d)} such frames",
            ),
        )
        for d, row in domains.items()
        if (row.pages, row.xen_pages) != (owners.count(d), xens.count(d))
    ]
