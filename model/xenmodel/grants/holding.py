"""Which references grants hold: each row that keeps one is a holder of its frame, and each holder such a row.

As in xenmodel.memory.holding. A mapping for processors is not here: its page-table entry holds the frame.
"""

from typing import Final, NewType, Protocol

from xenmodel.domains.rows import NamedFrame
from xenmodel.grants.views import CopySideView, MappingView, UnmappingView
from xenmodel.memory import holders
from xenmodel.memory.holding import HoldRow
from xenmodel.memory.rows import NO_FRAME
from xenspec.invariant import Kind, Registry
from xenspec.logic import Not, conj, implies
from xenspec.table import ReadTable
from xenspec.vocabulary import CopyId, GrantFrameId, HandleId, UnmapId

Vcpu = tuple[int, int]
DeviceMapHold = NewType("DeviceMapHold", tuple[int, int, int])
"""(frame, domain, handle)."""
UnmappedHostHold = NewType("UnmappedHostHold", tuple[int, Vcpu, int])
"""(frame, vCPU, place in the batch)."""
UnmappedDeviceHold = NewType("UnmappedDeviceHold", tuple[int, Vcpu, int])
"""(frame, vCPU, place in the batch)."""
CopySideHold = NewType("CopySideHold", tuple[int, Vcpu, int])
"""(frame, vCPU, side of the copy)."""
GrantFrameHold = NewType("GrantFrameHold", tuple[int, int, int])
"""(frame, domain, index)."""
StatusFrameHold = NewType("StatusFrameHold", tuple[int, int, int])
"""(frame, domain, index)."""

KINDS: Final = {
    "DeviceMapHold": "device_map",
    "UnmappedHostHold": "unmapped_host",
    "UnmappedDeviceHold": "unmapped_device",
    "CopySideHold": "copy_side",
    "GrantFrameHold": "grant_frame",
    "StatusFrameHold": "status_frame",
}
"""The kind of holder that each key type ranges over."""


class State(Protocol):
    """The state that the invariants of this module read."""

    @property
    def mappings(self) -> ReadTable[tuple[int, int], MappingView]: ...  # noqa: D102 - named by its table
    @property
    def unmappings(self) -> ReadTable[tuple[tuple[int, int], int], UnmappingView]: ...  # noqa: D102
    @property
    def copies(self) -> ReadTable[tuple[tuple[int, int], int], CopySideView]: ...  # noqa: D102
    @property
    def grant_frames(self) -> ReadTable[tuple[int, int], NamedFrame]: ...  # noqa: D102
    @property
    def status_frames(self) -> ReadTable[tuple[int, int], NamedFrame]: ...  # noqa: D102
    @property
    def held(self) -> ReadTable[tuple[int, holders.Holder], HoldRow]: ...  # noqa: D102


HOLDING: Registry[State] = Registry("grants", Kind.REPRESENTATION)
invariant = HOLDING.invariant


def _has(s: State, f: int, holder: holders.Holder, *, typed: bool) -> bool:
    """The holder has a general reference of the frame, and a type reference if and only if `typed`."""
    return s.held[f, holder].general & (s.held[f, holder].typed == typed)


def _any(s: State, f: int, holder: holders.Holder) -> bool:
    """The holder has a reference of the frame."""
    return s.held[f, holder].typed | s.held[f, holder].general


# --- From the row to the holder ---------------------------------------------------------------------------


@invariant(property=(6, 28))
def device_mapping_holds_its_frame(s: State, h: HandleId) -> bool:
    """A mapping for devices that is live holds its frame, with both references if it may write."""
    row = s.mappings[h]
    return implies(
        row.live & row.device,
        lambda: _has(s, row.frame, holders.device_map(h[0], h[1]), typed=Not(row.readonly)),
    )


@invariant(property=(6, 8, 28))
def unmapping_holds_its_frame(s: State, u: UnmapId) -> bool:
    """An unmapping holds its frame until the flush is over, with both references if it could write."""
    row = s.unmappings[u]
    return conj(
        implies(
            row.host,
            lambda: _has(s, row.frame, holders.unmapped_host(u[0], u[1]), typed=Not(row.readonly)),
        ),
        implies(
            row.device,
            lambda: _has(s, row.frame, holders.unmapped_device(u[0], u[1]), typed=Not(row.readonly)),
        ),
    )


@invariant(property=(6, 28))
def side_of_a_copy_holds_its_frame(s: State, c: CopyId) -> bool:
    """A side of a copy that holds its frame has a reference of it, and a type reference if it writes."""
    row = s.copies[c]
    return implies(row.held, lambda: _has(s, row.frame, holders.copy_side(c[0], c[1]), typed=row.typed))


@invariant(property=6)
def grant_pages_are_held_by_xen(s: State, p: GrantFrameId) -> bool:
    """Xen holds the pages of grant tables and of their status as writable memory."""
    return conj(
        implies(
            s.grant_frames[p].frame != NO_FRAME,
            lambda: s.held[s.grant_frames[p].frame, holders.grant_frame(p[0], p[1])].typed,
        ),
        implies(
            s.status_frames[p].frame != NO_FRAME,
            lambda: s.held[s.status_frames[p].frame, holders.status_frame(p[0], p[1])].typed,
        ),
    )


# --- From the holder to the row ---------------------------------------------------------------------------


@invariant(property=(6, 28))
def device_hold_is_of_a_live_mapping(s: State, x: DeviceMapHold) -> bool:
    """Who holds a frame as a mapping for devices is a live one of that frame."""
    row = s.mappings[x[1], x[2]]
    return implies(
        _any(s, x[0], holders.device_map(x[1], x[2])), lambda: row.live & row.device & (row.frame == x[0])
    )


@invariant(property=(6, 28))
def unmapped_host_hold_is_of_an_unmapping(s: State, x: UnmappedHostHold) -> bool:
    """Who holds a frame as an entry that was unmapped is an unmapping of that frame."""
    row = s.unmappings[x[1], x[2]]
    return implies(_any(s, x[0], holders.unmapped_host(x[1], x[2])), lambda: row.host & (row.frame == x[0]))


@invariant(property=(6, 28))
def unmapped_device_hold_is_of_an_unmapping(s: State, x: UnmappedDeviceHold) -> bool:
    """Who holds a frame as a mapping for devices that was ended is an unmapping of that frame."""
    row = s.unmappings[x[1], x[2]]
    return implies(
        _any(s, x[0], holders.unmapped_device(x[1], x[2])), lambda: row.device & (row.frame == x[0])
    )


@invariant(property=(6, 28))
def copy_hold_is_of_a_side(s: State, x: CopySideHold) -> bool:
    """Who holds a frame as a side of a copy is a side that holds that frame."""
    row = s.copies[x[1], x[2]]
    return implies(_any(s, x[0], holders.copy_side(x[1], x[2])), lambda: row.held & (row.frame == x[0]))


@invariant(property=6)
def grant_frame_hold_is_of_a_page(s: State, x: GrantFrameHold) -> bool:
    """Who holds a frame as a page of a grant table is that page."""
    return implies(
        _any(s, x[0], holders.grant_frame(x[1], x[2])), lambda: s.grant_frames[x[1], x[2]].frame == x[0]
    )


@invariant(property=6)
def status_frame_hold_is_of_a_page(s: State, x: StatusFrameHold) -> bool:
    """Who holds a frame as a page of grant status is that page."""
    return implies(
        _any(s, x[0], holders.status_frame(x[1], x[2])), lambda: s.status_frames[x[1], x[2]].frame == x[0]
    )
