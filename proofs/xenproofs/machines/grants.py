"""Moves of grants: entries written, mapped, unmapped, copied from, and frames given away.

References are few, so that guests meet; a handle is mostly one that the guest has, its address mostly where
its frame is mapped.
"""

from collections.abc import Callable
from typing import Final

from xenmodel.abi.grant import CONTAINS_PTE, E_SUB_PAGE, MASK64, TRANSITIVE
from xenmodel.grants.arguments import (
    Batch,
    BatchOp,
    Copy,
    CopyEnd,
    GetStatusFrames,
    GetVersion,
    GrantCall,
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
from xenmodel.hypercall import Call, Steps
from xenproofs.machines.domains import re_entry
from xenproofs.machines.moves import BOOT_L1, Move, address, extra, frame_of, named, other, others
from xenproofs.machines.setup import XEN_HEAP, estate
from xenspec.vocabulary import DOMID_INVALID, DOMID_SELF, PAGE_SIZE, Errno, GrantFrameId, Mfn

REFS: Final = (0, 1, 2, 300)
"""Entries that are used; a change of layout keeps the first eight, and one page of version 2 has 256."""
FLAGS: Final = (2, 2, 6, 3, 7, 1, 5, 2 | CONTAINS_PTE)
"""GNTMAP_*: processors, devices, both; to write or to read."""
GRANTS: Final = (1, 1, 1, 5, 2, 1, 0x101, 0)
"""GTF_*: access, access to read, a transfer accepted, access to a part, nothing."""
PASSES: Final = 5
"""The choice of an entry that passes another grant on, where the table has the second layout."""
LENGTHS: Final = (8, 64, 5, 4096, 0)
ODD: Final = 18
"""A number of a move from which on the call names what does not exist: a domain, an entry."""
ODD_SLOT: Final = 15
"""The slot by which a copy or a transfer names such a thing; the one before does too."""
NO_SUCH_REF, NO_SUCH_DOMAIN = 5000, 5
AGAIN: Final = 3
"""How often a guest goes on with a call that makes it ask again, before it gives up."""
HALF: Final = PAGE_SIZE // 2
WINDOW: Final = 16
"""Slots of the boot table of level 1 that moves map by."""


def _other(x: Call, move: Move) -> int:
    return other(x.domain, move)


def _ref(number: int) -> int:
    return REFS[number % len(REFS)]


def _entry(x: Call, move: Move) -> Steps[str]:
    """Write an entry of one's own table: what is granted, and to whom; by version 2, its frame first."""
    to = x.domain if move.b % WINDOW == 0 else _other(x, move)
    flags, f = GRANTS[extra(move.d)], frame_of(x.domain, move.c)
    version = x.m.grant_tables[x.domain].version
    page, slot = x.m.grants.place(version, _ref(move.a))
    p, head = GrantFrameId((x.domain, page)), flags | to << 16
    if page >= x.m.grant_tables[x.domain].frames:
        return "no such page"
    if version == 1:
        write_entry(x.m, p, slot, head | f << 32 & MASK64)
        yield write_entry
        return "written"
    first, second = head | (HALF << 48 if flags & E_SUB_PAGE else 0), int(f)
    if extra(move.d) == PASSES:
        giver, second = _passed_on(x, move.c)
        first = TRANSITIVE | to << 16 | giver << 32
    write_entry(x.m, p, slot + 1, second)
    yield write_entry
    write_entry(x.m, p, slot, first)
    yield write_entry
    return "written"


def _passed_on(x: Call, number: int) -> tuple[int, int]:
    """Return whose grant an entry passes on: one of another domain, seldom of one's own or of nobody."""
    whose = number % 8
    giver = {6: int(x.domain), 7: NO_SUCH_DOMAIN}.get(whose, int(others(x.domain)[whose % 2]))
    return giver, NO_SUCH_REF if number >= ODD else _ref(number // 8)


def _map(x: Call, move: Move) -> BatchOp:
    """Return a mapping of one of the other domain's entries, seldom of one's own."""
    flags = FLAGS[extra(move.d)]
    place: int = address(move.b)
    if flags & CONTAINS_PTE:
        place = estate(x.domain).tables[BOOT_L1] * PAGE_SIZE + move.b % WINDOW * 8
    if move.c >= ODD:
        return (
            MapGrantRef(place, flags, NO_SUCH_REF, _other(x, move))
            if move.d % 2
            else _map_of_nobody(place, flags)
        )
    return MapGrantRef(place, flags, _ref(move.a), x.domain if move.c == 0 else _other(x, move))


def _map_of_nobody(place: int, flags: int) -> BatchOp:
    return MapGrantRef(place, flags, 0, NO_SUCH_DOMAIN)


def _handle(x: Call, number: int) -> int:
    """Return one of the handles that the guest has, if it has any."""
    handles = range(x.m.grant_tables[x.domain].handles)
    live = [n for n in handles if x.m.mappings[x.domain, n].live]
    return live[number % len(live)] if live else number


def _place(x: Call, handle: int, move: Move) -> int:
    """Return where the frame of a handle is mapped, as far as it is; now and then any address."""
    row, table = x.m.mappings[x.domain, handle], estate(x.domain).tables[BOOT_L1]
    entries = [(slot, x.m.entries[table, slot]) for slot in range(WINDOW)]
    found = [slot for slot, e in entries if e.linked and e.target == row.frame]
    slot = found[move.b % len(found)] if found and extra(move.d) else move.b
    return table * PAGE_SIZE + slot * 8 if row.by_entry else address(slot)


def _unmap(x: Call, move: Move) -> BatchOp:
    """Return an unmapping: of the processor's part, of the devices', or of both."""
    handle = _handle(x, move.a)
    device = x.m.mappings[x.domain, handle].frame * PAGE_SIZE if move.c % 2 else 0
    host = 0 if move.c % 5 == 1 else _place(x, handle, move)
    return UnmapGrantRef(host, max(device, 0), handle)


def _replace(x: Call, move: Move) -> BatchOp:
    handle = _handle(x, move.a)
    return UnmapAndReplace(_place(x, handle, move), address(move.c), handle)


def _copy(x: Call, move: Move) -> BatchOp:
    """Return a copy between an entry of the other domain and a frame of one's own."""
    granter = NO_SUCH_DOMAIN if move.b == ODD_SLOT else _other(x, move)
    ref = NO_SUCH_REF if move.b == ODD_SLOT - 1 else _ref(move.a)
    entry = CopyEnd(granter, ref, move.b % 3 * 8, by_ref=True)
    own = CopyEnd(
        _other(x, move) if move.b == ODD_SLOT - 2 else DOMID_SELF,
        frame_of(x.domain, move.c),
        move.b,
        by_ref=False,
    )
    length = LENGTHS[extra(move.d) % len(LENGTHS)]
    return Copy(own, entry, length) if move.d % 2 else Copy(entry, own, length)


def _transfer(x: Call, move: Move) -> BatchOp:
    to = NO_SUCH_DOMAIN if move.b == ODD_SLOT else _other(x, move)
    return TransferFrame(frame_of(x.domain, move.c), to, _ref(move.a))


def _swap(_x: Call, move: Move) -> BatchOp:
    return SwapGrantRef(_ref(move.a), NO_SUCH_REF if move.c >= ODD else _ref(move.c))


OPS: Final[dict[str, tuple[str, Callable[[Call, Move], BatchOp]]]] = {
    "map_grant": ("grant_table_op:map_grant_ref", _map),
    "unmap_grant": ("grant_table_op:unmap_grant_ref", _unmap),
    "replace_grant": ("grant_table_op:unmap_and_replace", _replace),
    "copy_grant": ("grant_table_op:copy", _copy),
    "transfer": ("grant_table_op:transfer", _transfer),
    "swap_grants": ("grant_table_op:swap_grant_ref", _swap),
}
"""Kinds of moves that are calls: the call's name, and its operation."""
NAMES: Final = {"grant": "grant", **{kind: name for kind, (name, _) in OPS.items()}}
"""The name of each kind of move."""
KINDS: Final = (*NAMES, "table")
TABLE_OPS: Final = (
    "set_version",
    "set_version",
    "setup_table",
    "query_size",
    "get_version",
    "get_status_frames",
)
"""What is asked of a table as a whole."""
VERSIONS: Final = (1, 2, 2, 1, 2, 3, 0, 2)
PAGES: Final = (1, 2, 1, 2, 65, 1, 2, 0)
"""Pages of a table that are asked for; 64 is the most."""


def table_op(move: Move) -> str:
    """Return what a move asks of a table as a whole."""
    return TABLE_OPS[move.a % len(TABLE_OPS)]


def heap_of(x: Call) -> Callable[[], Mfn | None]:
    """Return an allocator: the first of Xen's own frames that nobody has."""

    def choose() -> Mfn | None:
        rows = ((f, x.m.frames[f]) for f in XEN_HEAP)
        return next((f for f, row in rows if row.ref_count == 0 and row.owner == DOMID_INVALID), None)

    return choose


def _table(x: Call, move: Move) -> Steps[str]:
    """Ask something of a table as a whole: mostly one's own, another's, now and then nobody's."""
    dom = NO_SUCH_DOMAIN if move.b == ODD_SLOT else named(x.domain, move.d)
    asked: dict[str, GrantCall] = {
        "set_version": SetVersion(VERSIONS[extra(move.d)], heap_of(x)),
        "setup_table": SetupTable(dom, PAGES[extra(move.d)], heap_of(x)),
        "query_size": QuerySize(dom),
        "get_version": GetVersion(dom),
        "get_status_frames": GetStatusFrames(dom, PAGES[extra(move.d)]),
    }
    op = table_op(move)
    result = yield from grant_table_op(x, asked[op])
    if op in ("set_version", "get_version"):
        return "ok" if result.rc == 0 else Errno(-result.rc).name
    return result.status.name


def steps_of(x: Call, move: Move) -> Steps[str]:
    """Return the steps of a move; their result says how it ended."""
    if move.kind == "grant":
        return (yield from _entry(x, move))
    if move.kind == "table":
        return (yield from _table(x, move))
    result = yield from grant_table_op(x, Batch((OPS[move.kind][1](x, move),)))
    for _ in range(AGAIN):
        if result.continuation is None:
            return result.status.name
        yield re_entry
        result = yield from grant_table_op(x, Batch((OPS[move.kind][1](x, move),)))
    return "asked again and again"
