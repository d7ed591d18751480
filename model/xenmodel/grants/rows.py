"""Rows of grant tables: Xen's own. The entries that guests write are words of the pages that they share.

`ActiveGrant` is what Xen remembers of an entry while it is pinned; the guest's memory is not asked again.
`Mapping` is the row of a handle: whose entry it maps and how. `Unmapping` is one unmapping between the
removal of its entry and the flush after which its references are dropped; `CopySide` the source or
destination of a copy under way, `PassedGrant` the other domain's grant that its entry passes on, if it is a
transitive one; `Transfer` a frame on its way to another domain.
"""

from dataclasses import dataclass

from xenmodel.abi.grant import DEFAULT_HANDLES, DEFAULT_LIMIT
from xenmodel.memory.rows import NO_FRAME
from xenspec.vocabulary import DOMID_INVALID, DomId, Mfn


@dataclass(slots=True)
class GrantTable:
    """A domain's grant table, keyed by the domain."""

    version: int = 1
    max_version: int = 2
    frames: int = 1
    """Pages that are shared with the domain (nr_grant_frames)."""
    limit: int = DEFAULT_LIMIT
    """Most pages."""
    status_frames: int = 0
    """Pages of status (version 2)."""
    handles: int = 0
    """Handles below this exist (maptrack_limit)."""
    handle_limit: int = DEFAULT_HANDLES
    next_handle: int = 0
    """Where the search for a free handle begins: Xen's list of free ones is a queue."""


@dataclass(slots=True)
class ActiveGrant:
    """What Xen knows of an entry, keyed (domain, reference): while it is pinned, who may do what with it."""

    host_writable: int = 0
    """Pins of each kind (GNTPIN_*)."""
    host_readonly: int = 0
    device_writable: int = 0
    device_readonly: int = 0
    domain: DomId = DOMID_INVALID
    """For whom."""
    frame: Mfn = NO_FRAME
    start: int = 0
    """Of the page, the first byte granted; and how many."""
    length: int = 0
    sub_page: bool = False
    trans_domain: DomId = DOMID_INVALID
    """Whose entry grants the frame in the end, and which: of a transitive entry another one, else itself."""
    trans_ref: int = 0


@dataclass(slots=True)
class Mapping:
    """A handle, keyed (domain, handle): one mapping of another domain's entry."""

    taken: bool = False
    """Handed out."""
    pinned: bool = False
    """Its pins are in the active entry."""
    live: bool = False
    """The guest has it: it may unmap."""
    host: bool = False
    """Mapped by a page-table entry."""
    device: bool = False
    """Mapped for devices."""
    readonly: bool = False
    stored: bool = False
    """An entry was stored for it, and no unmapping has removed it; the guest may have overwritten it."""
    by_entry: bool = False
    """The guest named the page-table entry (GNTMAP_contains_pte)."""
    domain: DomId = DOMID_INVALID
    """Whose entry."""
    ref: int = 0
    frame: Mfn = NO_FRAME
    """What the active entry named when it was pinned."""


@dataclass(slots=True)
class Unmapping:
    """What an unmapping has yet to drop, keyed (vCPU, place in the batch) (gnttab_unmap_common)."""

    host: bool = False
    device: bool = False
    readonly: bool = False
    domain: DomId = DOMID_INVALID
    ref: int = 0
    frame: Mfn = NO_FRAME
    stamp: int = 0
    """Flush clock when the entry was removed."""


@dataclass(slots=True)
class CopySide:
    """The source (0) or destination (1) of a copy, keyed (vCPU, side), while it is claimed."""

    pinned: bool = False
    """It uses a grant."""
    held: bool = False
    """It holds its frame."""
    asked: bool = False
    """A transitive entry let it in, and what the entry passes on is looked for."""
    typed: bool = False
    """As writable memory."""
    readonly: bool = False
    domain: DomId = DOMID_INVALID
    ref: int = 0
    frame: Mfn = NO_FRAME
    start: int = 0
    length: int = 0
    trans_domain: DomId = DOMID_INVALID
    """Whose entry grants the frame in the end, and which."""
    trans_ref: int = 0


@dataclass(slots=True)
class PassedGrant:
    """The grant that a side's entry passes on, keyed as the side: pinned for the domain that passes it on."""

    pinned: bool = False
    readonly: bool = False
    by: DomId = DOMID_INVALID
    """Whose entry passes it on."""
    domain: DomId = DOMID_INVALID
    ref: int = 0
    frame: Mfn = NO_FRAME
    start: int = 0
    length: int = 0


@dataclass(slots=True)
class Transfer:
    """A frame between its old domain and its new one, keyed by the vCPU that transfers it."""

    reserved: bool = False
    """A page is charged to the new domain for it."""
    domain: DomId = DOMID_INVALID
    ref: int = 0
    frame: Mfn = NO_FRAME
