"""The converse of contracts: what is permitted is not refused.

A contract says of a step that ended well that it was permitted. A guard that is too strong would refuse what
it should not, and no invariant would miss it. So of each path that is refused it is proved that something was
not permitted: some permission of the step's contract does not hold in the state before. The permissions
name the resources, too (room in a counter, a free place), so that this is all that may be in the way.
"""

from __future__ import annotations

from typing import Final

NOT_REFUSED: Final = "what_is_permitted_is_not_refused"
SENTENCE: Final = "A step is refused only if a permission of its contract does not hold."

_AT_WORK: Final = "the flight is at this work"
_GUESTS: Final = "the slot is the guest's"
_MEMORY: Final = "the frame is memory"
_OLD_IDLE: Final = "the flight of the old page is idle"

UNASKED: Final[dict[str, tuple[str, ...]]] = {
    # How a table is looked at and released slot by slot: the order of the work, which its callers keep to.
    "skip_absent": (
        "forward",
        "no child waits at the next slot",
        "nothing present between",
        "only zeros between",
        "the frame is being validated",
    ),
    "release": (
        "no child waits at the next slot",
        "nothing present above",
        "the slot was validated",
        "the table is being demoted, or its validation is given up",
    ),
    "unwind": ("no child waits in it", "nothing is linked", _AT_WORK),
    "write_xen_slots": (_AT_WORK,),
    "write_readonly_m2p": (_AT_WORK,),
    "install": ("it is a page table", _GUESTS),
    "install_unbacked": (_GUESTS,),
    "accept_descriptor": ("it is a descriptor page", _GUESTS),
    "finish_validation": ("Xen's own slots are written",),
    "finish_devalidation": ("nothing is linked",),
    # Rules of links that their contracts say of the entry that comes of it, or in another way.
    "install_linear": (_GUESTS,),
    "amend": ("no large page above L1",),
    # A free flight for what goes out, or for what is not taken this time.
    "swap_base": ("the flight of the old base is idle", "there is such a base pointer"),
    "put_gdt_page": (_OLD_IDLE,),
    "put_ldt_page": (_OLD_IDLE,),
    "pin_entry": ("flight is idle",),
    # What a frame is, beside its owner and its holders: memory, and no table since it was made.
    "allocate": (_MEMORY,),
    "give_back": (_MEMORY,),
    "make_shared": (_MEMORY,),
    "hand_over": (_MEMORY,),
    "add_grant_frame": ("it is new",),
    "add_status_frame": ("it is new",),
}
"""Guards of steps that no contract asks for, so that a refusal by one of them may be of what is permitted."""


def is_asked(step: str, outcome: str) -> bool:
    """Return whether a path's refusal is to be of what some contract does not permit."""
    return outcome.removeprefix("refused: ") not in UNASKED.get(step, ())
