"""The operations of oracle cases that concern event channels and grants.

A port or handle may be `$k`, what an earlier operation saved in slot k. References below 64 are relative to
the case's own part of the grant table. `save` is the slot that keeps the answer (only of a call that
succeeds, but for gnt_map).
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from xenproofs.judge.trace.case_ops import CaseOp
from xenproofs.judge.trace.naming import EventOperand, Frame, Operand, TableRef, VaRef
from xenproofs.judge.trace.words import U16, U64, DomIdU16, Wire

Saved: TypeAlias = Annotated[int, Meta(ge=0, le=63)]
# fmt: off
EvtName: TypeAlias = Literal[
    "alloc_unbound", "bind_interdomain", "bind_virq", "bind_ipi", "bind_pirq", "bind_vcpu", "close", "send",
    "status", "unmask", "reset", "init_control", "expand_array", "set_priority",
]
# fmt: on


class EvtOp(CaseOp, frozen=True, tag="evt", omit_defaults=True):
    """One event_channel_op; a number is a command of that number.

    The first argument of init_control (frame, offset, vCPU) and of expand_array names a frame.
    """

    cmd: EvtName | U64
    args: tuple[EventOperand, ...]
    save: Saved | None = None


class EvtDumpOp(CaseOp, frozen=True, tag="evt_dump", omit_defaults=True):
    """Read pending word 0, mask word 0 and the selectors and upcall bits of four vCPUs."""

    dom: DomIdU16 | None = None


class EvtReadOp(CaseOp, frozen=True, tag="evt_read", omit_defaults=True):
    """Read the bits of one port."""

    port: Operand
    vcpu: U16 = 0
    dom: DomIdU16 | None = None


class EvtWriteOp(CaseOp, frozen=True, tag="evt_write", omit_defaults=True):
    """The guest writes its own shared_info."""

    cmd: Literal["set_mask", "clr_mask", "set_pending", "clr_pending", "clr_sel", "clr_upcall"]
    port: Operand
    vcpu: U16 = 0


class PollOp(CaseOp, frozen=True, tag="poll"):
    """SCHEDOP_poll of some ports, with a time to wake up at that is over already."""

    ports: tuple[Operand, ...]


class GntEntry(CaseOp, frozen=True):
    """Write a version-1 grant entry."""

    ref: U64
    flags: U16
    dom: U16
    frame: Frame


class GntWriteOp(GntEntry, frozen=True, tag="gnt_write"):
    """Of the own table."""


class ForeignGntWriteOp(GntEntry, frozen=True, tag="fgnt_write"):
    """Of the other domain's table."""


class GntReadOp(CaseOp, frozen=True, tag="gnt_read"):
    """Read an entry of the own table."""

    ref: U64


class ForeignGntReadOp(CaseOp, frozen=True, tag="fgnt_read"):
    """Read an entry of the other domain's table."""

    ref: U64


class NewGntWriteOp(CaseOp, frozen=True, tag="gnt2_write", omit_defaults=True):
    """Write a version-2 entry of the own table.

    `frame`, and for a part of it offset and length; or `gref` of domain `trans`, for a transitive entry.
    """

    ref: U64
    flags: U16
    dom: U16
    frame: Frame | None = None
    off: U16 = 0
    len: U16 = 0
    gref: U64 | None = None
    trans: U16 = 0

    def __post_init__(self) -> None:
        if (self.frame is None) == (self.gref is None):
            raise ValueError("names either a frame or a gref")


class NewGntReadOp(CaseOp, frozen=True, tag="gnt2_read"):
    """Read a version-2 entry of the own table: flags, domain, offset, length, frame."""

    ref: U64


class GntStatusOp(CaseOp, frozen=True, tag="gnt_status"):
    """Read the status of an entry of the own table (version 2)."""

    ref: U64


class GntStatusFramesOp(CaseOp, frozen=True, tag="gnt_status_frames"):
    """GNTTABOP_get_status_frames."""

    nr: U64
    dom: U16 = 0x7FF0


class GntFlushOp(CaseOp, frozen=True, tag="gnt_flush"):
    """GNTTABOP_cache_flush of a part of a frame."""

    frame: Frame
    off: U16
    len: U16
    cmd: U64


class GntMapOp(CaseOp, frozen=True, tag="gnt_map", omit_defaults=True):
    """Map a grant at `va`, or into slot `idx` of the level-1 table `pte_page` (GNTMAP_contains_pte)."""

    flags: U64
    ref: U64
    dom: U16
    save: Saved
    va: VaRef | None = None
    pte_page: TableRef | None = None
    idx: U16 = 0


class GntUnmapOp(CaseOp, frozen=True, tag="gnt_unmap", omit_defaults=True):
    """Unmap what `handle` names; `dev` is the device address."""

    handle: Operand
    va: VaRef | None = None
    pte_page: TableRef | None = None
    idx: U16 = 0
    dev: U64 = 0


class GntReplaceOp(CaseOp, frozen=True, tag="gnt_replace"):
    """GNTTABOP_unmap_and_replace."""

    va: VaRef
    new_va: VaRef
    handle: Operand


class CopyEnd(Wire, frozen=True, omit_defaults=True):
    """Source or destination of a copy: a reference or a frame."""

    dom: U16
    ref: U64 | None = None
    frame: Frame | None = None
    off: U64 = 0

    def __post_init__(self) -> None:
        if (self.ref is None) == (self.frame is None):
            raise ValueError("names either a ref or a frame")


class GntCopyOp(CaseOp, frozen=True, tag="gnt_copy"):
    """GNTTABOP_copy."""

    src: CopyEnd
    dst: CopyEnd
    len: U64


class GntQueryOp(CaseOp, frozen=True, tag="gnt_query"):
    """GNTTABOP_query_size."""

    dom: U16 = 0x7FF0


class GntSetupOp(CaseOp, frozen=True, tag="gnt_setup"):
    """GNTTABOP_setup_table of `nr` frames."""

    nr: U64
    dom: U16 = 0x7FF0


class GntSetVersionOp(CaseOp, frozen=True, tag="gnt_set_version"):
    """GNTTABOP_set_version."""

    version: U64


class GntGetVersionOp(CaseOp, frozen=True, tag="gnt_get_version", omit_defaults=True):
    """GNTTABOP_get_version."""

    dom: U16 = 0x7FF0


class GntSwapOp(CaseOp, frozen=True, tag="gnt_swap"):
    """GNTTABOP_swap_grant_ref."""

    a: U64
    b: U64


class GntTransferOp(CaseOp, frozen=True, tag="gnt_transfer"):
    """GNTTABOP_transfer."""

    frame: Frame
    dom: U16
    ref: U64


EvtCaseOp: TypeAlias = EvtOp | EvtDumpOp | EvtReadOp | EvtWriteOp | PollOp
GntCaseOp: TypeAlias = (
    GntWriteOp
    | ForeignGntWriteOp
    | GntReadOp
    | ForeignGntReadOp
    | NewGntWriteOp
    | NewGntReadOp
    | GntStatusOp
    | GntStatusFramesOp
    | GntFlushOp
    | GntMapOp
    | GntUnmapOp
    | GntReplaceOp
    | GntCopyOp
    | GntQueryOp
    | GntSetupOp
    | GntSetVersionOp
    | GntGetVersionOp
    | GntSwapOp
    | GntTransferOp
)
