"""Operations on event channels and grants as requests of the test kernel."""

from collections.abc import Callable
from typing import Final

from xenmodel.abi.event import EventOp
from xenmodel.abi.grant import GrantOp
from xenproofs.duel.live import protocol
from xenproofs.duel.live.protocol import Code
from xenproofs.duel.live.request import MASK32, Operand, Places, Request, Unaskable, reference
from xenproofs.judge.trace import case_ports as ports
from xenproofs.judge.trace.case_ops import SELF, CaseOp

MASK16: Final = 0xFFFF
GREF_SOURCE, GREF_TARGET = 1, 2
"""GNTCOPY_source_gref and GNTCOPY_dest_gref."""
NEW_LAYOUT: Final = 2


def _saves(slot: int | None) -> int:
    return 0 if slot is None else slot + 1


def _number(value: int) -> Operand:
    return value, 0, 0


def _evt(op: ports.EvtOp, places: Places) -> Request:
    command = EventOp[op.cmd.upper()] if isinstance(op.cmd, str) else op.cmd
    return Request(Code.EVENT, tuple(map(places.value, op.args)), a=command, b=_saves(op.save))


def _is_other(dom: int | None) -> int:
    """Return whether a domain is the second one, as the asking program tells them apart."""
    return 1 if dom not in (None, 0, SELF) else 0


def _evt_dump(op: ports.EvtDumpOp, places: Places) -> Request:
    del places
    return Request(Code.EVENT_DUMP, a=_is_other(op.dom))


def _evt_read(op: ports.EvtReadOp, places: Places) -> Request:
    return Request(Code.EVENT_READ, (places.value(op.port), _number(op.vcpu)), a=_is_other(op.dom))


def _evt_write(op: ports.EvtWriteOp, places: Places) -> Request:
    return Request(Code.EVENT_WRITE, (places.value(op.port), _number(op.vcpu)), a=protocol.BITS[op.cmd])


def _poll(op: ports.PollOp, places: Places) -> Request:
    if len(op.ports) > protocol.MOST_PORTS:
        raise Unaskable(f"{len(op.ports)} ports, the kernel takes {protocol.MOST_PORTS}")
    return Request(Code.POLL, tuple(map(places.value, op.ports)))


def _write(op: ports.GntEntry, places: Places, table: int) -> Request:
    """Return the store of an entry of version 1: a frame's number is in its upper half."""
    base, slot, shift = places.frame(op.frame)
    flags = op.flags | op.dom << 16
    word = ((base & MASK32) << 32 | flags, 0, 0) if not slot else (flags, slot, shift + 32)
    return Request(Code.GRANT_WRITE, (reference(op.ref), word), a=table, b=1)


def _gnt_write(op: ports.GntWriteOp, places: Places) -> Request:
    return _write(op, places, 0)


def _foreign_write(op: ports.ForeignGntWriteOp, places: Places) -> Request:
    return _write(op, places, 1)


def _gnt_read(op: ports.GntReadOp, places: Places) -> Request:
    del places
    return Request(Code.GRANT_READ, (reference(op.ref),), b=1)


def _foreign_read(op: ports.ForeignGntReadOp, places: Places) -> Request:
    del places
    return Request(Code.GRANT_READ, (reference(op.ref),), a=1, b=1)


def _new_write(op: ports.NewGntWriteOp, places: Places) -> Request:
    first = op.flags | op.dom << 16
    if op.gref is None:
        first |= op.off << 32 | op.len << 48
        second = places.frame(op.frame or 0)
    else:
        first |= op.trans << 32
        second = reference(op.gref)
    return Request(Code.GRANT_WRITE, (reference(op.ref), _number(first), second), b=NEW_LAYOUT)


def _new_read(op: ports.NewGntReadOp, places: Places) -> Request:
    del places
    return Request(Code.GRANT_READ, (reference(op.ref),), b=NEW_LAYOUT)


def _status(op: ports.GntStatusOp, places: Places) -> Request:
    del places
    return Request(Code.GRANT_STATUS, (reference(op.ref),))


def _address(op: ports.GntMapOp | ports.GntUnmapOp, places: Places) -> Operand:
    """Return the linear address, or the machine address of a page-table entry, that an operation names."""
    if op.pte_page is not None:
        return places.address_in(op.pte_page, op.idx * 8)
    return places.va(op.va or 0)


def _grant(command: GrantOp, *operands: Operand, save: int | None = None) -> Request:
    return Request(Code.GRANT, operands, a=command, b=_saves(save))


def _map(op: ports.GntMapOp, places: Places) -> Request:
    operands = (_address(op, places), _number(op.flags), reference(op.ref), _number(op.dom))
    return _grant(GrantOp.MAP_GRANT_REF, *operands, save=op.save)


def _unmap(op: ports.GntUnmapOp, places: Places) -> Request:
    operands = (_address(op, places), _number(op.dev), places.value(op.handle))
    return _grant(GrantOp.UNMAP_GRANT_REF, *operands)


def _replace(op: ports.GntReplaceOp, places: Places) -> Request:
    operands = (places.va(op.va), places.va(op.new_va), places.value(op.handle))
    return _grant(GrantOp.UNMAP_AND_REPLACE, *operands)


def _copy(op: ports.GntCopyOp, places: Places) -> Request:
    by_ref = GREF_SOURCE * (op.src.ref is not None) | GREF_TARGET * (op.dst.ref is not None)
    operands = (*_end(op.src, places), *_end(op.dst, places), _number(op.len), _number(by_ref))
    return _grant(GrantOp.COPY, *operands)


def _end(end: ports.CopyEnd, places: Places) -> tuple[Operand, Operand, Operand]:
    what = places.frame(end.frame or 0) if end.ref is None else reference(end.ref)
    return what, _number(end.dom), _number(end.off)


def _query(op: ports.GntQueryOp, places: Places) -> Request:
    del places
    return _grant(GrantOp.QUERY_SIZE, _number(op.dom))


def _setup(op: ports.GntSetupOp, places: Places) -> Request:
    del places
    return _grant(GrantOp.SETUP_TABLE, _number(op.dom), _number(op.nr))


def _status_frames(op: ports.GntStatusFramesOp, places: Places) -> Request:
    del places
    return _grant(GrantOp.GET_STATUS_FRAMES, _number(op.dom), _number(op.nr))


def _set_version(op: ports.GntSetVersionOp, places: Places) -> Request:
    del places
    return _grant(GrantOp.SET_VERSION, _number(op.version))


def _get_version(op: ports.GntGetVersionOp, places: Places) -> Request:
    del places
    return _grant(GrantOp.GET_VERSION, _number(op.dom))


def _swap(op: ports.GntSwapOp, places: Places) -> Request:
    del places
    return _grant(GrantOp.SWAP_GRANT_REF, reference(op.a), reference(op.b))


def _transfer(op: ports.GntTransferOp, places: Places) -> Request:
    return _grant(GrantOp.TRANSFER, places.frame(op.frame), _number(op.dom), reference(op.ref))


def _flush(op: ports.GntFlushOp, places: Places) -> Request:
    operands = (places.address_in(op.frame, 0), _number(op.off), _number(op.len), _number(op.cmd))
    return _grant(GrantOp.CACHE_FLUSH, *operands)


REQUESTS: Final[dict[type[CaseOp], Callable[..., Request]]] = {
    ports.EvtOp: _evt,
    ports.EvtDumpOp: _evt_dump,
    ports.EvtReadOp: _evt_read,
    ports.EvtWriteOp: _evt_write,
    ports.PollOp: _poll,
    ports.GntWriteOp: _gnt_write,
    ports.ForeignGntWriteOp: _foreign_write,
    ports.GntReadOp: _gnt_read,
    ports.ForeignGntReadOp: _foreign_read,
    ports.NewGntWriteOp: _new_write,
    ports.NewGntReadOp: _new_read,
    ports.GntStatusOp: _status,
    ports.GntStatusFramesOp: _status_frames,
    ports.GntFlushOp: _flush,
    ports.GntMapOp: _map,
    ports.GntUnmapOp: _unmap,
    ports.GntReplaceOp: _replace,
    ports.GntCopyOp: _copy,
    ports.GntQueryOp: _query,
    ports.GntSetupOp: _setup,
    ports.GntSetVersionOp: _set_version,
    ports.GntGetVersionOp: _get_version,
    ports.GntSwapOp: _swap,
    ports.GntTransferOp: _transfer,
}
"""How each operation becomes a request."""
