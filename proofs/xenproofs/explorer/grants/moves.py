"""What actors of a small world of grants may do: stores of the granter, calls, and what processors do.

A guest's own store, into its grant table, and what a processor does happen at any time, also while a call is
left standing. Handles and addresses are all there are, those that do not fit each other included.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

from xenmodel.abi.grant import CONTAINS_PTE, DEVICE_MAP, HOST_MAP, READONLY
from xenmodel.domains.lifecycle import DestroyDomain, destroy
from xenmodel.grants.arguments import (
    Batch,
    BatchOp,
    Copy,
    CopyEnd,
    MapGrantRef,
    SetVersion,
    TransferFrame,
    UnmapAndReplace,
    UnmapGrantRef,
)
from xenmodel.grants.calls import grant_table_op
from xenmodel.grants.guest import write_entry
from xenmodel.memory.mmu_update import MmuUpdate
from xenmodel.memory.mmuext_op import Command, ExtOp, MmuextOp
from xenproofs.explorer.actions import Action, Hardware, Whole, evicted, filled
from xenproofs.explorer.grants.places import (
    ASTRAY,
    GRANTER,
    L1_TABLE,
    MAPPER,
    SECOND,
    address,
    data,
    frame,
    frame_name,
    frames_of,
    heap_of,
)
from xenspec.vocabulary import DOMID_SELF, PAGE_SIZE, DomId, EntryId, GrantFrameId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xenmodel.hypercall import Call, Steps
    from xenmodel.machine import Machine
    from xenproofs.explorer.grants.world import GrantScope
    from xenspec.vocabulary import VcpuId

PERMIT, ACCEPT, FOR_READING, PART = 1, 2, 5, 0x101
"""GTF_permit_access, GTF_accept_transfer, and permitted to read only, or a part of the page."""
HALF: Final = PAGE_SIZE // 2
RIGHTS: Final = {PERMIT: "rw", FOR_READING: "ro", PART: "its first half"}
SOURCE_WORD: Final = 8
"""Bytes that a copy moves."""


def _stored(domain: DomId, ref: int, flags: int, to: DomId, f: int) -> Hardware:
    """Store an entry by the layout that the table has, its frame first."""

    def store(m: Machine) -> None:
        version = m.grant_tables[domain].version
        page, slot = m.grants.place(version, ref)
        word = flags | to << 16
        if version == 1:
            write_entry(m, GrantFrameId((domain, page)), slot, word | f << 32)
            return
        write_entry(m, GrantFrameId((domain, page)), slot + 1, f)
        part = HALF << 48 if flags == PART else 0
        write_entry(m, GrantFrameId((domain, page)), slot, word | part)

    return Hardware(store)


def _entries(scope: GrantScope, _: VcpuId) -> Iterator[Action]:
    """Grant a frame to the mapping domain, to write or to read; revoke."""
    for ref in scope.refs:
        yield Action(f"entry {ref} := nothing", _stored(GRANTER, ref, 0, DomId(0), 0))
        for number, flags in product(range(scope.frames), (PERMIT, FOR_READING)):
            f = data(GRANTER, number)
            text = f"entry {ref} := {frame_name(f)} {RIGHTS[flags]} for dom{MAPPER}"
            yield Action(text, _stored(GRANTER, ref, flags, MAPPER, f))


def _for_either(scope: GrantScope, _: VcpuId) -> Iterator[Action]:
    """Grant a frame to either mapping domain, to write or to read; revoke."""
    for ref in scope.refs:
        yield Action(f"entry {ref} := nothing", _stored(GRANTER, ref, 0, DomId(0), 0))
        for number, to, flags in product(range(scope.frames), (MAPPER, SECOND), (PERMIT, FOR_READING)):
            f = data(GRANTER, number)
            text = f"entry {ref} := {frame_name(f)} {RIGHTS[flags]} for dom{to}"
            yield Action(text, _stored(GRANTER, ref, flags, to, f))


def _parts(scope: GrantScope, _: VcpuId) -> Iterator[Action]:
    """Grant a part of a frame."""
    for ref in scope.refs:
        f = data(GRANTER, 0)
        text = f"entry {ref} := {RIGHTS[PART]} of {frame_name(f)} for dom{MAPPER}"
        yield Action(text, _stored(GRANTER, ref, PART, MAPPER, f))


def _to_itself(scope: GrantScope, _: VcpuId) -> Iterator[Action]:
    """Grant a frame to oneself."""
    for ref, number in product(scope.refs, range(scope.frames)):
        f = data(GRANTER, number)
        yield Action(
            f"entry {ref} := {frame_name(f)} rw for dom{GRANTER}", _stored(GRANTER, ref, PERMIT, GRANTER, f)
        )


def _foreign(scope: GrantScope, _: VcpuId) -> Iterator[Action]:
    """Grant the mapping domain its own frame."""
    for ref in scope.refs:
        f = data(MAPPER, 0)
        yield Action(
            f"entry {ref} := {frame_name(f)} rw for dom{MAPPER}", _stored(GRANTER, ref, PERMIT, MAPPER, f)
        )


def _accepts(_: GrantScope, v: VcpuId) -> Iterator[Action]:
    """Wait for a frame in one's first entry, or no more."""
    domain = DomId(v[0])
    other = GRANTER if domain == MAPPER else MAPPER
    yield Action("entry 0 := nothing", _stored(domain, 0, 0, DomId(0), 0))
    yield Action(f"entry 0 accepts a frame of dom{other}", _stored(domain, 0, ACCEPT, other, 0))


# --- Calls ------------------------------------------------------------------------------------------------


def _op(text: str, op: Callable[[Call], BatchOp]) -> Action:
    """Return a call of one operation."""

    def begin(x: Call) -> Steps[object]:
        return (yield from grant_table_op(x, Batch((op(x),))))

    return Action(text, Whole(begin))


def _same(op: BatchOp) -> Callable[[Call], BatchOp]:
    return lambda _: op


def _told(flags: int) -> str:
    """Say for whom a mapping is, and what it may do."""
    whom = {HOST_MAP: "", DEVICE_MAP: " for devices"}.get(flags & (HOST_MAP | DEVICE_MAP), " for both")
    return f"{'ro' if flags & READONLY else 'rw'}{whom}"


def _map(scope: GrantScope, _: VcpuId) -> Iterator[Action]:
    """Map an entry of the granting domain by address; devices alone need none."""
    for ref, flags in product(scope.refs, scope.flags):
        slots = range(scope.slots) if flags & HOST_MAP else range(1)
        for slot in slots:
            op = MapGrantRef(address(slot), flags, ref, GRANTER)
            at = f" at slot {slot}" if flags & HOST_MAP else ""
            yield _op(f"map entry {ref} {_told(flags)}{at}", _same(op))


def _entry_at(v: VcpuId, slot: int) -> int:
    """Return the machine address of an entry of a vCPU's L1 table."""
    return frame(DomId(v[0]), L1_TABLE) * PAGE_SIZE + slot * 8


def _map_by_entry(scope: GrantScope, v: VcpuId) -> Iterator[Action]:
    """Map an entry of the granting domain in a page-table entry that is named itself."""
    for ref, flags, slot in product(scope.refs, scope.flags, range(scope.slots)):
        op = MapGrantRef(_entry_at(v, slot), flags | CONTAINS_PTE, ref, GRANTER)
        yield _op(f"map entry {ref} {_told(flags)} in l1[{slot}]", _same(op))


def _map_astray(scope: GrantScope, _: VcpuId) -> Iterator[Action]:
    """Map where there is no L1 table: the call fails after it has pinned the entry."""
    for ref in scope.refs:
        yield _op(f"map entry {ref} rw astray", _same(MapGrantRef(ASTRAY, HOST_MAP, ref, GRANTER)))


def _map_for_devices(scope: GrantScope, v: VcpuId) -> Iterator[Action]:
    """Map an entry of the granting domain for devices, whoever one is, and unmap it."""
    for ref in scope.refs:
        yield _op(f"map entry {ref} rw for devices", _same(MapGrantRef(0, DEVICE_MAP, ref, GRANTER)))
    yield from _unmap_devices(scope, v)


def _unmap(scope: GrantScope, _: VcpuId) -> Iterator[Action]:
    """Unmap the processor's part of a handle by address."""
    for handle, slot in product(range(scope.handles), range(scope.slots)):
        op = UnmapGrantRef(address(slot), 0, handle)
        yield _op(f"unmap handle {handle} at slot {slot}", _same(op))


def _unmap_by_entry(scope: GrantScope, v: VcpuId) -> Iterator[Action]:
    """Unmap the processor's part of a handle, naming the page-table entry."""
    for handle, slot in product(range(scope.handles), range(scope.slots)):
        op = UnmapGrantRef(_entry_at(v, slot), 0, handle)
        yield _op(f"unmap handle {handle} in l1[{slot}]", _same(op))


def _of_devices(handle: int, host: int) -> Callable[[Call], BatchOp]:
    """Return an unmapping of the part of devices, and of the processor's if there is an address."""

    def op(x: Call) -> BatchOp:
        f = max(x.m.mappings[x.domain, handle].frame, 0)
        return UnmapGrantRef(host, f * PAGE_SIZE, handle)

    return op


def _unmap_devices(scope: GrantScope, _: VcpuId) -> Iterator[Action]:
    """Unmap what devices have by a handle."""
    for handle in range(scope.handles):
        yield _op(f"unmap handle {handle} for devices", _of_devices(handle, 0))


def _unmap_both(scope: GrantScope, _: VcpuId) -> Iterator[Action]:
    """Unmap both parts of a handle at once."""
    for handle in range(scope.handles):
        yield _op(f"unmap handle {handle} at slot 0 and for devices", _of_devices(handle, address(0)))


def _replace(scope: GrantScope, _: VcpuId) -> Iterator[Action]:
    """End a mapping and move the entry of the other slot there."""
    for handle, slot in product(range(scope.handles), range(scope.slots)):
        other = (slot + 1) % scope.slots
        op = UnmapAndReplace(address(slot), address(other), handle)
        yield _op(f"unmap handle {handle} at slot {slot}, replaced by slot {other}", _same(op))


def _copy(scope: GrantScope, _: VcpuId) -> Iterator[Action]:
    """Copy a word between an entry of the granting domain and a frame of one's own; beyond its part too."""
    own = CopyEnd(DOMID_SELF, data(MAPPER, 0), 0, by_ref=False)
    for ref, offset in product(scope.refs, (0, HALF) if scope.version != 1 else (0,)):
        entry = CopyEnd(GRANTER, ref, offset, by_ref=True)
        where = f" byte {offset}" if offset else ""
        yield _op(f"copy from entry {ref}{where}", _same(Copy(entry, own, SOURCE_WORD)))
        yield _op(f"copy to entry {ref}{where}", _same(Copy(own, entry, SOURCE_WORD)))


def _transfer(scope: GrantScope, v: VcpuId) -> Iterator[Action]:
    """Give a frame away, one's own or one that was given to one, in the first entry of the other's table."""
    other = GRANTER if v[0] == MAPPER else MAPPER
    for number in range(scope.frames):
        f = data(GRANTER, number)
        yield _op(f"transfer {frame_name(f)} to dom{other}", _same(TransferFrame(f, other, 0)))


def _versions(_: GrantScope, _v: VcpuId) -> Iterator[Action]:
    """Change the layout of one's table."""
    for version in (1, 2):
        yield Action(f"set version {version}", Whole(_set_version(version)))


def _set_version(version: int) -> Callable[[Call], Steps[object]]:
    def begin(x: Call) -> Steps[object]:
        return (yield from grant_table_op(x, SetVersion(version, heap_of(x))))

    return begin


def _overwrite(scope: GrantScope, v: VcpuId) -> Iterator[Action]:
    """Empty a slot by an ordinary update, whatever it maps."""
    for slot in range(scope.slots):
        yield Action(f"l1[{slot}] := absent", MmuUpdate(((_entry_at(v, slot), 0),), DOMID_SELF))


def _pins(scope: GrantScope, _: VcpuId) -> Iterator[Action]:
    """Let a frame that may be granted become a table, or none any more."""
    for number in range(scope.frames):
        f = data(GRANTER, number)
        for command, text in ((Command.PIN_L1_TABLE, "pin"), (Command.UNPIN_TABLE, "unpin")):
            yield Action(f"{text} {frame_name(f)}", MmuextOp((ExtOp(command, f),), DOMID_SELF))


def _fills(scope: GrantScope, v: VcpuId) -> Iterator[Action]:
    """Let the processor cache a translation by a slot, or evict it."""
    cpu = scope.vcpus.index(v)
    for slot, writable in product(range(scope.slots), (False, True)):
        how = "written" if writable else "read"
        action = filled(cpu, EntryId((frame(DomId(v[0]), L1_TABLE), slot)), writable=writable)
        yield Action(f"cpu{cpu} fills from l1[{slot}], {how}", action)
    yield Action(f"cpu{cpu} evicts", evicted(cpu))


def _destroys(_: GrantScope, _v: VcpuId) -> Iterator[Action]:
    """Destroy either domain."""
    for domain in (GRANTER, MAPPER):
        yield Action(f"destroy dom{domain}", Whole(_destroyed(domain)))


def _destroys_any(_: GrantScope, _v: VcpuId) -> Iterator[Action]:
    """Destroy the granting domain or either that maps."""
    for domain in (GRANTER, MAPPER, SECOND):
        yield Action(f"destroy dom{domain}", Whole(_destroyed(domain)))


def _destroys_granter(_: GrantScope, _v: VcpuId) -> Iterator[Action]:
    """Destroy the granting domain."""
    yield Action(f"destroy dom{GRANTER}", Whole(_destroyed(GRANTER)))


def _destroyed(domain: DomId) -> Callable[[Call], Steps[object]]:
    """Return a destruction, made again until it is over."""

    def begin(x: Call) -> Steps[object]:
        result = yield from destroy(x, DestroyDomain(domain, frames_of))
        while result.continuation is not None:
            result = yield from destroy(x, DestroyDomain(domain, frames_of))
        return result

    return begin


KINDS: Final[dict[str, Callable[[GrantScope, VcpuId], Iterator[Action]]]] = {
    "entries": _entries,
    "entries for either": _for_either,
    "parts": _parts,
    "entries to itself": _to_itself,
    "foreign entries": _foreign,
    "accept": _accepts,
    "map": _map,
    "map by entry": _map_by_entry,
    "map astray": _map_astray,
    "map for devices": _map_for_devices,
    "unmap": _unmap,
    "unmap by entry": _unmap_by_entry,
    "unmap devices": _unmap_devices,
    "unmap both": _unmap_both,
    "replace": _replace,
    "copy": _copy,
    "transfer": _transfer,
    "versions": _versions,
    "overwrite": _overwrite,
    "pin": _pins,
    "fill": _fills,
    "destroy": _destroys,
    "destroy any": _destroys_any,
    "destroy the granter": _destroys_granter,
}
"""Kinds of actions: what each of a scope's actors may do."""
