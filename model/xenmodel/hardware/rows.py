"""Rows of the processor's translation caches."""

from dataclasses import dataclass

from xenmodel.memory.rows import NO_FRAME
from xenspec.vocabulary import DomId, Mfn


@dataclass(slots=True)
class TlbEntry:
    """A cached translation, keyed (CPU, page number of the linear address)."""

    valid: bool = False
    frame: Mfn = NO_FRAME
    writable: bool = False
    user: bool = False
    is_global: bool = False
    epoch: int = 0
    """The CPU's flush epoch when it was filled."""
    loads: int = 0
    """How often the CPU had loaded CR3 alone when it was filled."""
    domain: DomId = DomId(0)
    foreign: bool = False
    """It led to another domain's frame when it was filled: by the control domain's doing."""
