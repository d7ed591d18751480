"""Rows of the processor's translation caches: of whole translations, and of prefixes of walks."""

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
    """It led to another domain's frame when it was filled: by the control domain's doing, or by a grant."""


@dataclass(slots=True)
class Prefix:
    """The cached upper part of a walk (Intel SDM volume 3, 4.10.3): where to read on, and what is allowed."""

    valid: bool = False
    table: Mfn = NO_FRAME
    """The frame whose words the walk reads next."""
    writable: bool = False
    """Every word of the prefix allows writing."""
    user: bool = False
    epoch: int = 0
    """The CPU's flush epoch when it was filled."""
    loads: int = 0
    """How often the CPU had loaded CR3 alone when it was filled: that drops all prefixes."""
    drops: int = 0
    """How often INVLPG had dropped the CPU's prefixes when it was filled."""
    domain: DomId = DomId(0)
