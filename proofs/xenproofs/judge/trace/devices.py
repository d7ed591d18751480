"""Arguments of event_channel_op, grant_table_op, physdev_op and sched_op.

Event-channel and grant-table commands as measured, with two more that have one plain argument (unmask,
reset). Answers that Xen writes into the argument (a new port) stand beside the question, as recorded.
"""

from typing import Final

from xenproofs.judge.trace.words import S64, U64, DomIdU16, MfnU64, Wire
from xenspec.vocabulary import Mfn

FRAME_BYTES: Final = 8
EOI_GMFN: Final = frozenset({17, 28})
"""PHYSDEVOP_pirq_eoi_gmfn, version 1 and 2."""


class AllocUnbound(Wire, frozen=True, tag_field="cmd", tag="alloc_unbound"):
    """EVTCHNOP_alloc_unbound."""

    dom: DomIdU16
    remote_dom: DomIdU16
    port: U64


class BindIpi(Wire, frozen=True, tag_field="cmd", tag="bind_ipi"):
    """EVTCHNOP_bind_ipi."""

    vcpu: U64
    port: U64


class BindPirq(Wire, frozen=True, tag_field="cmd", tag="bind_pirq"):
    """EVTCHNOP_bind_pirq."""

    pirq: U64
    flags: U64
    port: U64


class BindVirq(Wire, frozen=True, tag_field="cmd", tag="bind_virq"):
    """EVTCHNOP_bind_virq."""

    virq: U64
    vcpu: U64
    port: U64


class BindVcpu(Wire, frozen=True, tag_field="cmd", tag="bind_vcpu"):
    """EVTCHNOP_bind_vcpu."""

    port: U64
    vcpu: U64


class ClosePort(Wire, frozen=True, tag_field="cmd", tag="close"):
    """EVTCHNOP_close."""

    port: U64


class SendPort(Wire, frozen=True, tag_field="cmd", tag="send"):
    """EVTCHNOP_send."""

    port: U64


class UnmaskPort(Wire, frozen=True, tag_field="cmd", tag="unmask"):
    """EVTCHNOP_unmask."""

    port: U64


class ResetPorts(Wire, frozen=True, tag_field="cmd", tag="reset"):
    """EVTCHNOP_reset."""

    dom: DomIdU16


class InitControl(Wire, frozen=True, tag_field="cmd", tag="init_control"):
    """EVTCHNOP_init_control: the frame stays mapped by Xen."""

    control_gfn: MfnU64
    offset: U64
    vcpu: U64
    link_bits: U64


class ExpandArray(Wire, frozen=True, tag_field="cmd", tag="expand_array"):
    """EVTCHNOP_expand_array: the frame stays mapped by Xen."""

    array_gfn: MfnU64


class SetPriority(Wire, frozen=True, tag_field="cmd", tag="set_priority"):
    """EVTCHNOP_set_priority."""

    port: U64
    priority: U64


EventChannelOp = (
    AllocUnbound
    | BindIpi
    | BindPirq
    | BindVirq
    | BindVcpu
    | ClosePort
    | SendPort
    | UnmaskPort
    | ResetPorts
    | InitControl
    | ExpandArray
    | SetPriority
)


class GrantQuerySize(Wire, frozen=True, tag_field="cmd", tag="query_size"):
    """GNTTABOP_query_size."""

    count: U64
    dom: DomIdU16
    nr_frames: U64
    max_nr_frames: U64
    status: S64


class GrantSetVersion(Wire, frozen=True, tag_field="cmd", tag="set_version"):
    """GNTTABOP_set_version."""

    count: U64
    version: U64
    version_out: U64


class GrantSetupTable(Wire, frozen=True, tag_field="cmd", tag="setup_table"):
    """GNTTABOP_setup_table."""

    count: U64
    dom: DomIdU16
    nr_frames: U64
    status: S64
    frames: tuple[MfnU64, ...]


GrantTableOp = GrantQuerySize | GrantSetVersion | GrantSetupTable


class PhysdevOp(Wire, frozen=True, omit_defaults=True):
    """HYPERVISOR_physdev_op: the argument's first bytes, and what they were afterwards where they changed."""

    cmd: U64
    raw_in: str
    raw_out: str | None = None

    def __post_init__(self) -> None:
        for name, text in (("raw_in", self.raw_in), ("raw_out", self.raw_out)):
            try:
                bytes.fromhex(text or "")
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        if self.cmd in EOI_GMFN and len(bytes.fromhex(self.raw_in)) < FRAME_BYTES:
            raise ValueError("raw_in is too short for a frame number")

    @property
    def eoi_gmfn(self) -> Mfn | None:
        """The frame that PHYSDEVOP_pirq_eoi_gmfn registers (first word); None for other calls."""
        if self.cmd not in EOI_GMFN:
            return None
        return Mfn(int.from_bytes(bytes.fromhex(self.raw_in)[:FRAME_BYTES], "little"))


class SchedOp(Wire, frozen=True):
    """HYPERVISOR_sched_op without further arguments: block, yield."""

    cmd: str


class OtherArgs(Wire, frozen=True):
    """Arguments of a call that changes nothing modelled; kept as they are."""

    fields: dict[str, U64 | str | None]
