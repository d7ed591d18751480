"""A guest's direct store to an L1 table that it maps read-only: Xen emulates it as a checked update.

(pv_ro_page_fault, ptwr_emulated_update; oracle rules 15 of REPORT.md and 13 of RULES.md.) There is no fast
path and nothing is preserved of the accessed and dirty bits.
"""

from xenmodel.hypercall import Call, Preempted, Steps
from xenmodel.memory.updates import modify, take_locked_l1, unlock_and_drop
from xenmodel.step import Refused
from xenspec.vocabulary import EFAULT, Mfn


def trapped_write(x: Call, table: Mfn, slot: int, word: int) -> Steps[None]:
    """Store `word` into a slot of the caller's L1 table. Raises Refused: the guest sees the fault."""
    if not (yield from take_locked_l1(x, table, x.domain)):
        raise Refused("the page is an L1 table of the caller in use", EFAULT)
    try:
        yield from modify(x, slot, word, x.domain, fast=False)
    except (Refused, Preempted):
        yield from unlock_and_drop(x)
        raise
    yield from unlock_and_drop(x)
