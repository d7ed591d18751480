"""Which segment descriptors are harmless in the hands of a guest kernel that runs in ring 3.

Layout: Intel SDM volume 3, figures 3-8 and 5-8. A 64-bit guest's segments have no limit to speak of, so that
all depends on privilege: a code or data segment must be ring 3's own, and nothing may lead into ring 0.
"""

from typing import Final

_PRESENT: Final = 47
_CODE_OR_DATA: Final = 44
_PRIVILEGE: Final = 45
_TYPE: Final = 40
_SELECTOR_PRIVILEGE: Final = 16
_RING_3: Final = 3
_RESERVED_TYPE: Final = 0
_CALL_GATE: Final = 12


def harmless(word: int) -> bool:
    """Return whether a guest gains nothing by the descriptor.

    So is one that is not present; a code or data segment of ring 3; type 0, at which the processor faults;
    and a call gate that ring 3 may not use, which Xen emulates.
    """
    if not word >> _PRESENT & 1:
        return True
    privilege = word >> _PRIVILEGE & 3
    if word >> _CODE_OR_DATA & 1:
        return privilege == _RING_3
    kind = word >> _TYPE & 0xF
    if kind == _CALL_GATE:
        return privilege == 0 and word >> _SELECTOR_PRIVILEGE & 3 == _RING_3
    return kind == _RESERVED_TYPE


class SegmentRules:
    """The rules of this module as a state's `segments`."""

    __slots__ = ()

    harmless = staticmethod(harmless)
