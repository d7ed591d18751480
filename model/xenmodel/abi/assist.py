"""VMASST_*: the compatibility features of HYPERVISOR_vm_assist (xen/include/public/xen.h).

A 64-bit PV domain may use types 0..5 and 32 on Xen 4.17 (oracle rule 16).
"""

FOUR_GB_SEGMENTS = 0
FOUR_GB_SEGMENTS_NOTIFY = 1
WRITABLE_PAGETABLES = 2
PAE_EXTENDED_CR3 = 3
ARCHITECTURAL_IOPL = 4
RUNSTATE_UPDATE_FLAG = 5
M2P_STRICT = 32

VALID = frozenset(
    {
        FOUR_GB_SEGMENTS,
        FOUR_GB_SEGMENTS_NOTIFY,
        WRITABLE_PAGETABLES,
        PAE_EXTENDED_CR3,
        ARCHITECTURAL_IOPL,
        RUNSTATE_UPDATE_FLAG,
        M2P_STRICT,
    }
)


def switched(assists: int, kind: int, *, on: bool) -> int:
    """Return the set of enabled types with `kind` switched on or off."""
    return assists | 1 << kind if on else assists & ~(1 << kind)
