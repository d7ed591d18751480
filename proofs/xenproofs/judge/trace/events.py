"""What Xen did, as observed: inside a hypercall (list `xen`), or on a line of its own, aside of any call.

Type events carry the frame's type_info and count_info just *before*. `entries` of a validation is the table's
content as validation begins: the guest filled it with ordinary stores, so this is where a replay learns it.
"""

from itertools import pairwise
from typing import ClassVar, Literal, TypeAlias

from xenproofs.judge.trace.words import U64, DomIdU16, Flag, MfnU64, SlotWord, VaU64, Wire, WordU64
from xenspec.vocabulary import PageType

EventName: TypeAlias = Literal["validate", "devalidate", "settype"]


class TypeEvent(Wire, frozen=True, tag_field="ev"):
    """A frame's type changes; `ev` says how."""

    ev: ClassVar[EventName]

    mfn: MfnU64
    type: PageType
    old_type_info: U64
    old_count_info: U64


class Validate(TypeEvent, frozen=True, tag="validate"):
    """Xen begins (or, where the old type is partial, goes on) to validate a frame as `type`."""

    ev: ClassVar[EventName] = "validate"

    entries: tuple[SlotWord, ...]

    def __post_init__(self) -> None:
        slots = [entry.slot for entry in self.entries]
        if any(slot >= after for slot, after in pairwise(slots)):
            raise ValueError("entries are not in the order of their slots, or one is there twice")


class Devalidate(TypeEvent, frozen=True, tag="devalidate"):
    """Xen begins to devalidate a frame."""

    ev: ClassVar[EventName] = "devalidate"


class SetType(TypeEvent, frozen=True, tag="settype"):
    """A frame takes a type that needs no validation (recorded: 7, writable)."""

    ev: ClassVar[EventName] = "settype"


class PortPending(Wire, frozen=True, tag_field="ev", tag="evtchn_pending"):
    """A port becomes pending during the call."""

    notify_vcpu: U64
    dom: DomIdU16
    port: U64
    fifo: Flag
    us: U64


Event: TypeAlias = Validate | Devalidate | SetType | PortPending


class Aside(Wire, frozen=True, tag_field="op"):
    """A line that is no hypercall; `n` is the last hypercall issued before it."""

    n: U64


class TrappedWrite(Aside, frozen=True, tag="@ptwr"):
    """A direct store to an L1 entry that trapped; it belongs to the vCPU of the lines around it.

    `bytes` is 8, or 1 for a read-modify-write of one byte. `store_maddr` is the entry's machine address.
    `pre` and `post` are the entry before and after, `new` the value asked for; `cmpxchg_expect` is the value
    a compare-and-exchange expected, None for a plain store.
    """

    va: VaU64
    maddr: U64
    store_maddr: U64
    bytes: Literal[1, 2, 4, 8]
    new: WordU64
    cmpxchg_expect: WordU64 | None
    pre: WordU64
    post: WordU64
    line: int = 0


class Pending(Aside, frozen=True, tag="@evtchn_pending"):
    """A port becomes pending outside any hypercall."""

    notify_vcpu: U64
    dom: DomIdU16
    port: U64
    fifo: Flag
    us: U64
    line: int = 0


class Bounce(Aside, frozen=True, tag="@bounce"):
    """An upcall or an exception is delivered to the guest at `eip`."""

    vcpu: U64
    eip: VaU64
    flags: U64
    err: U64
    line: int = 0


class Mark(Aside, frozen=True, tag="@mark"):
    """A text of the guest's console that the recorder looked for."""

    text: str
    line: int = 0


AsideEvent: TypeAlias = TrappedWrite | Pending | Bounce | Mark
