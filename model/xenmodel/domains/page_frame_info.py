"""XEN_DOMCTL_getpageframeinfo3: what a toolstack is told of a domain's frames.

Public interface: xen/include/public/domctl.h, XEN_DOMCTL_PFINFO_*, here without its shift of 28 bits.
"""

from xenmodel.hypercall import Call, Steps
from xenmodel.memory.claim import drop_ref, is_table, take_ref
from xenmodel.memory.updates import flights
from xenmodel.step import Refused
from xenspec.vocabulary import EPERM, ESRCH, DomId, Mfn

NO_TABLE = 0
PINNED = 8
"""Added to the level of a pinned table."""
NOT_A_PAGE = 0xF
PAGE_INFO_SHIFT = 28
"""Where the interface has the answer in a word of 32 bits; the frame's number is below it."""


def page_frame_info(x: Call, f: Mfn, domain: int) -> Steps[int]:
    """Return 1..4 for a validated table of that level, plus 8 if pinned; 0 for other memory; 15 for no page.

    Raises Refused: ESRCH (no such domain: Xen looks for it first, whoever asks), EPERM (the caller is no
    control domain).
    """
    m = x.m
    if not m.domains[domain].exists:
        raise Refused("the domain exists", ESRCH)
    if not m.domains[x.domain].privileged:
        raise Refused("the caller is a control domain", EPERM)
    k, _, _ = flights(x.vcpu)
    try:
        take_ref(m, k, f, DomId(domain))
        yield take_ref
    except Refused:
        return NOT_A_PAGE
    frame = m.frames[f]
    if frame.special:
        answer = NOT_A_PAGE
    elif frame.pinned:
        answer = frame.type + PINNED
    else:
        answer = int(frame.type) if frame.validated and is_table(frame.type) else NO_TABLE
    drop_ref(m, k)
    yield drop_ref
    return answer
