"""Operations on grants, put to the model: what the asking program passes, and what it notes.

References below 64 are the case's own part of a table; here they come after the first 64, which a toolstack
fills. The program writes entries of version 1 wherever the table's pages are, and saves a handle whatever
became of the mapping.
"""

from collections.abc import Callable
from typing import Final

from xenmodel.grants.arguments import (
    OKAY,
    Batch,
    BatchOp,
    Copy,
    CopyEnd,
    GetStatusFrames,
    GetVersion,
    GrantCall,
    GrantResult,
    MapGrantRef,
    QuerySize,
    SetupTable,
    SetVersion,
    SwapGrantRef,
    TransferFrame,
    UnmapAndReplace,
    UnmapGrantRef,
)
from xenmodel.grants.calls import grant_table_op
from xenmodel.grants.guest import write_entry
from xenmodel.hypercall import run
from xenproofs.judge.oracle.compare import Got
from xenproofs.judge.oracle.events import MASK16, MASK32, operand
from xenproofs.judge.oracle.harness import Harness
from xenproofs.judge.oracle.names import NAMED_SPECIAL
from xenproofs.judge.trace import case_ports as ports
from xenspec.vocabulary import PAGE_SIZE, SLOTS, DomId, GrantFrameId, GrantId, Mfn

OWN_REFS: Final = 64
"""References of a case; larger ones are meant as they are."""
TABLE_REFS: Final = 64 * SLOTS
"""The program cuts references of its own reads and writes to these."""
NO_STATUS: Final = (1 << 64) - 1
"""What the program notes where there is no status."""
FAILED_HANDLE: Final = 0xDEADBEEF
"""What the program finds in the place of a handle that it was not given."""


def _ref(ref: int) -> int:
    return ref + OWN_REFS if ref < OWN_REFS else ref & MASK32


def _call(h: Harness, call: GrantCall) -> GrantResult:
    return run(grant_table_op(h.x, call))


def _one(h: Harness, op: BatchOp) -> GrantResult:
    return _call(h, Batch((op,)))


def _other(h: Harness) -> DomId:
    return DomId(1 - h.start.domain)


def _place(domain: DomId, ref: int) -> tuple[GrantFrameId, int]:
    """Return the page of a table and the slot of an entry as the program sees it."""
    number = _ref(ref) % TABLE_REFS
    return GrantFrameId((domain, number // SLOTS)), number % SLOTS


def _write(h: Harness, domain: DomId, op: ports.GntEntry) -> Got:
    page, slot = _place(domain, op.ref)
    frame = h.names.frame(op.frame) & MASK32
    for flags in (0, op.flags & MASK16):
        write_entry(h.start.machine, page, slot, flags | (op.dom & MASK16) << 16 | frame << 32)
    return Got(0)


def ask_write(h: Harness, op: ports.GntWriteOp) -> Got:
    """Write an entry of the own table."""
    return _write(h, h.start.domain, op)


def ask_foreign_write(h: Harness, op: ports.ForeignGntWriteOp) -> Got:
    """Write an entry of the other domain's table."""
    return _write(h, _other(h), op)


def _read(h: Harness, domain: DomId, ref: int) -> Got:
    m = h.start.machine
    page, slot = _place(domain, ref)
    word = m.words[m.grant_frames[page].frame, slot]
    frame = Mfn(word >> 32)
    name = h.names.shown.get(frame) or NAMED_SPECIAL.get(frame) or frame
    return Got(0, out=(word & MASK16, word >> 16 & MASK16, name))


def ask_read(h: Harness, op: ports.GntReadOp) -> Got:
    """Read an entry of the own table."""
    return _read(h, h.start.domain, op.ref)


def ask_foreign_read(h: Harness, op: ports.ForeignGntReadOp) -> Got:
    """Read an entry of the other domain's table."""
    return _read(h, _other(h), op.ref)


def _new_place(h: Harness, ref: int) -> tuple[GrantFrameId, int]:
    """Return the page and the slot of an entry's first word, as the program sees the layout of version 2."""
    number = _ref(ref) % (TABLE_REFS // 2)
    return GrantFrameId((h.start.domain, number // (SLOTS // 2))), number % (SLOTS // 2) * 2


def ask_new_write(h: Harness, op: ports.NewGntWriteOp) -> Got:
    """Write an entry of version 2: flags last."""
    page, slot = _new_place(h, op.ref)
    if op.gref is None:
        part, second = op.off | op.len << 16, int(h.names.frame(op.frame or 0))
    else:
        part, second = op.trans, _ref(op.gref)
    word = (op.dom & MASK16) << 16 | part << 32
    for at, stored in ((slot, 0), (slot + 1, second), (slot, word), (slot, word | op.flags & MASK16)):
        write_entry(h.start.machine, page, at, stored)
    return Got(0)


def ask_new_read(h: Harness, op: ports.NewGntReadOp) -> Got:
    """Read an entry of version 2."""
    m = h.start.machine
    page, slot = _new_place(h, op.ref)
    f = m.grant_frames[page].frame
    first, frame = m.words[f, slot], Mfn(m.words[f, slot + 1])
    name = h.names.shown.get(frame) or NAMED_SPECIAL.get(frame) or frame
    return Got(0, out=(first & MASK16, first >> 16 & MASK16, first >> 32 & MASK16, first >> 48, name))


def ask_status(h: Harness, op: ports.GntStatusOp) -> Got:
    """Read the status of an entry; the program finds none in a table of version 1."""
    m = h.start.machine
    g = GrantId((h.start.domain, _ref(op.ref)))
    pages = m.grant_tables[h.start.domain].status_frames
    if not pages:
        return Got(0, out=(NO_STATUS,))
    page, slot = m.grants.status_place(g[1])
    frame = m.status_frames[h.start.domain, page % pages].frame
    return Got(0, out=(m.words[frame, slot] >> 16 * (g[1] % 4) & MASK16,))


def ask_status_frames(h: Harness, op: ports.GntStatusFramesOp) -> Got:
    """Ask for the pages of status."""
    return Got(_call(h, GetStatusFrames(op.dom, op.nr & MASK32)).status)


def _address(h: Harness, op: ports.GntMapOp | ports.GntUnmapOp) -> int:
    """Return the linear address, or the machine address of a page-table entry, that an operation names."""
    if op.pte_page is not None:
        return h.names.machine_address(op.pte_page) + op.idx * 8
    return h.names.va(op.va or 0)


def ask_map(h: Harness, op: ports.GntMapOp) -> Got:
    """Map a grant."""
    answer = _one(h, MapGrantRef(_address(h, op), op.flags & MASK32, _ref(op.ref), op.dom)).answers[0]
    given = answer.status == OKAY
    h.saved[str(op.save)] = answer.handle if given else FAILED_HANDLE
    if not given:
        return Got(answer.status, hrc=0)
    frame = Mfn(answer.device_address // PAGE_SIZE)
    device = h.names.shown.get(frame) or hex(answer.device_address)
    return Got(answer.status, handle=answer.handle, dev=device, hrc=0)


def ask_unmap(h: Harness, op: ports.GntUnmapOp) -> Got:
    """Unmap a grant."""
    handle = operand(h, op.handle) & MASK32
    return Got(_one(h, UnmapGrantRef(_address(h, op), op.dev, handle)).status)


def ask_replace(h: Harness, op: ports.GntReplaceOp) -> Got:
    """Unmap a grant, and move another mapping there."""
    handle = operand(h, op.handle) & MASK32
    call = UnmapAndReplace(h.names.va(op.va), h.names.va(op.new_va), handle)
    return Got(_one(h, call).status)


def _end(h: Harness, end: ports.CopyEnd) -> CopyEnd:
    """Return a side of a copy, cut to the widths of the interface."""
    if end.ref is not None:
        return CopyEnd(end.dom, _ref(end.ref), end.off & MASK16, by_ref=True)
    return CopyEnd(end.dom, h.names.frame(end.frame or 0), end.off & MASK16, by_ref=False)


def ask_copy(h: Harness, op: ports.GntCopyOp) -> Got:
    """Copy."""
    return Got(_one(h, Copy(_end(h, op.src), _end(h, op.dst), op.len & MASK16)).status)


def ask_query(h: Harness, op: ports.GntQueryOp) -> Got:
    """Ask for a table's size."""
    result = _call(h, QuerySize(op.dom))
    return Got(result.status, out=result.told or (0, 0))


def ask_setup(h: Harness, op: ports.GntSetupOp) -> Got:
    """Ask for a table's pages."""
    return Got(_call(h, SetupTable(op.dom, op.nr, lambda: h.allocate(0))).status)


def ask_set_version(h: Harness, op: ports.GntSetVersionOp) -> Got:
    """Change the layout."""
    result = _call(h, SetVersion(op.version, lambda: h.allocate(0)))
    return Got(result.rc, out=result.told)


def ask_get_version(h: Harness, op: ports.GntGetVersionOp) -> Got:
    """Ask for the layout; refused, the program's buffer shows 0."""
    result = _call(h, GetVersion(op.dom))
    return Got(result.rc, out=result.told or (0,))


def ask_swap(h: Harness, op: ports.GntSwapOp) -> Got:
    """Exchange two entries."""
    return Got(_one(h, SwapGrantRef(_ref(op.a), _ref(op.b))).status)


def ask_transfer(h: Harness, op: ports.GntTransferOp) -> Got:
    """Transfer a frame."""
    return Got(_one(h, TransferFrame(h.names.frame(op.frame), op.dom, _ref(op.ref))).status)


ASK: Final[dict[type, Callable[..., Got]]] = {
    ports.GntWriteOp: ask_write,
    ports.ForeignGntWriteOp: ask_foreign_write,
    ports.GntReadOp: ask_read,
    ports.ForeignGntReadOp: ask_foreign_read,
    ports.NewGntWriteOp: ask_new_write,
    ports.NewGntReadOp: ask_new_read,
    ports.GntStatusOp: ask_status,
    ports.GntStatusFramesOp: ask_status_frames,
    ports.GntMapOp: ask_map,
    ports.GntUnmapOp: ask_unmap,
    ports.GntReplaceOp: ask_replace,
    ports.GntCopyOp: ask_copy,
    ports.GntQueryOp: ask_query,
    ports.GntSetupOp: ask_setup,
    ports.GntSetVersionOp: ask_set_version,
    ports.GntGetVersionOp: ask_get_version,
    ports.GntSwapOp: ask_swap,
    ports.GntTransferOp: ask_transfer,
}
"""Operations on grants, by their class."""
