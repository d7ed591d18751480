"""Snapshots: the whole state of Domain0's memory at one moment, as Xen's own bookkeeping has it.

A run covers `length` frames from its first; runs of one list do not overlap. Checked, because all that
follows builds on it: numbers fit 64 bits, slots are 0..511 and in order, every table and every base pointer
is a frame of page_info, a table's words are those of its run and its type is its level's.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta
from msgspec.json import Decoder
from msgspec.msgpack import Encoder

from xenproofs.judge.trace.misfits import DECODE_ERRORS, misfit
from xenproofs.judge.trace.pageinfo import PageInfo, decode_page_info
from xenproofs.judge.trace.source import whole
from xenproofs.judge.trace.words import U64, MfnU64, Misfit, PfnU64, SlotWord, VaU64, Wire, as_json
from xenspec.errors import BadInput
from xenspec.vocabulary import Mfn, Pfn

FORMAT: Final = "xenpv-trace-1"
INVALID_M2P: Final = Pfn(2**64 - 1)
"""What the machine-to-physical table says of a frame without a place in the guest's memory."""
MOST_FRAMES: Final = 1 << 28
"""Frames of a machine (1 TiB): more is damage, and must not be expanded."""
TABLE_LEVELS: Final = range(1, 5)

Length: TypeAlias = Annotated[int, Meta(ge=1, le=MOST_FRAMES)]


class SnapshotTable(Wire, frozen=True):
    """A page table: `level` 1..4, its page_info words, the words that are not zero by slot."""

    level: Annotated[int, Meta(ge=1, le=4)]
    type_info: U64
    count_info: U64
    entries: tuple[SlotWord, ...]

    def __post_init__(self) -> None:
        slots = [entry.slot for entry in self.entries]
        if any(slot >= after for slot, after in pairwise(slots)):
            raise ValueError("entries are not in the order of their slots, or one is there twice")

    @property
    def info(self) -> PageInfo:
        """The page_info words, decoded."""
        return decode_page_info(self.type_info, self.count_info)


class PageInfoRun(Wire, frozen=True, array_like=True):
    """`length` frames from `mfn` on with the same two words."""

    mfn: MfnU64
    length: Length
    count_info: U64
    type_info: U64

    @property
    def info(self) -> PageInfo:
        """The words, decoded."""
        return decode_page_info(self.type_info, self.count_info)


class M2pRun(Wire, frozen=True, array_like=True):
    """Frames `mfn`, mfn + 1, … are the guest's `pfn`, pfn + 1, …; or none is any (`pfn` INVALID_M2P)."""

    mfn: MfnU64
    pfn: PfnU64
    length: Length


class P2mRun(Wire, frozen=True, array_like=True):
    """The guest's frames `pfn`, pfn + 1, … are the machine's `mfn`, mfn + 1, …."""

    pfn: PfnU64
    mfn: MfnU64
    length: Length


class E820Range(Wire, frozen=True, array_like=True):
    """`[first, last, kind]`: machine byte addresses in hexadecimal, the last one included."""

    first: Annotated[str, Meta(pattern="^[0-9a-f]{1,16}$")]
    last: Annotated[str, Meta(pattern="^[0-9a-f]{1,16}$")]
    kind: str

    def __post_init__(self) -> None:
        if self.first_byte > self.last_byte:
            raise ValueError("the range ends before it begins")

    @property
    def first_byte(self) -> int:
        """Address of the first byte."""
        return int(self.first, 16)

    @property
    def last_byte(self) -> int:
        """Address of the last byte."""
        return int(self.last, 16)


class StartInfo(Wire, frozen=True):
    """struct start_info: what Xen tells the guest at its start."""

    magic: str
    nr_pages: U64
    shared_info: U64
    flags: U64
    store_mfn: MfnU64
    store_evtchn: U64
    console_info_off: U64
    console_info_size: U64
    pt_base: VaU64
    nr_pt_frames: U64
    mfn_list: VaU64
    mod_start: U64
    mod_len: U64
    cmd_line: str
    first_p2m_pfn: PfnU64
    nr_p2m_frames: U64
    va: VaU64


class Snapshot(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """State just before hypercall `at_n`. `start_info`, `p2m_runs`, `e820`: at the start of day only."""

    format: str
    xen: str
    guest: str
    machine: str
    snapshot: str
    at_n: U64
    when: str
    rip: VaU64
    guest_table_mfn: MfnU64
    guest_user_table_mfn: MfnU64
    domain_struct_va: VaU64
    vcpu_struct_va: VaU64
    ram_frames: Length
    owned_frames: U64
    type_histogram: dict[str, U64]
    m2p_runs: tuple[M2pRun, ...]
    tables: dict[MfnU64, SnapshotTable]
    page_info_runs: tuple[PageInfoRun, ...]
    start_info: StartInfo | None = None
    p2m_runs: tuple[P2mRun, ...] | None = None
    entry: VaU64 | None = None
    layout: tuple[str, ...] | None = None
    e820: tuple[E820Range, ...] | None = None

    @cached_property
    def page_info(self) -> dict[Mfn, PageInfo]:
        """Every owned frame's page_info; frames of one run share the object."""
        return {
            Mfn(run.mfn + i): info
            for run in self.page_info_runs
            for info in (run.info,)
            for i in range(run.length)
        }

    def m2p(self) -> Iterator[tuple[Mfn, Pfn | None]]:
        """(machine frame, the guest's frame or None) for every frame of the runs."""
        for run in self.m2p_runs:
            for i in range(run.length):
                yield Mfn(run.mfn + i), None if run.pfn == INVALID_M2P else Pfn(run.pfn + i)

    def p2m(self) -> Iterator[tuple[Pfn, Mfn]]:
        """(the guest's frame, machine frame); nothing where the snapshot has no P2M."""
        for run in self.p2m_runs or ():
            for i in range(run.length):
                yield Pfn(run.pfn + i), Mfn(run.mfn + i)


_SNAPSHOT: Final = Decoder(Snapshot)
_ANYTHING: Final[Decoder[object]] = Decoder(object)
_WIDTH: Final = Encoder()
TOP_LEVEL: Final = 4


def read_snapshot(path: Path) -> Snapshot:
    """Read and check a snapshot.

    Raises:
        BadInput: it cannot be read, does not fit, or contradicts itself.
    """
    data = whole(path)
    try:
        snapshot = _SNAPSHOT.decode(data)
        _check_width(data, snapshot)
        _check_keys(data, snapshot)
        check_snapshot(snapshot)
    except DECODE_ERRORS as error:
        found = misfit(error)
        raise BadInput(found.message, file=str(path), field=found.field) from error
    return snapshot


def check_snapshot(snapshot: Snapshot) -> None:
    """Check that a snapshot does not contradict itself.

    Raises:
        Misfit: it does, and in which field.
    """
    if snapshot.format != FORMAT:
        raise Misfit("format", f"{snapshot.format!r} is not {FORMAT!r}")
    runs = snapshot.page_info_runs
    _check_disjoint("page_info_runs", [(run.mfn, run.length) for run in runs])
    _check_disjoint("m2p_runs", [(run.mfn, run.length) for run in snapshot.m2p_runs])
    _check_disjoint("p2m_runs", [(run.pfn, run.length) for run in snapshot.p2m_runs or ()])
    owned = sum(run.length for run in runs)
    if owned != snapshot.owned_frames or owned > snapshot.ram_frames:
        raise Misfit("owned_frames", f"page_info_runs cover {owned} frames")
    if sum(run.length for run in snapshot.m2p_runs) > snapshot.ram_frames:
        raise Misfit("m2p_runs", f"they cover more than the {snapshot.ram_frames} frames of RAM")
    _check_histogram(snapshot)
    if snapshot.e820 is not None:
        _check_disjoint(
            "e820", [(part.first_byte, part.last_byte - part.first_byte + 1) for part in snapshot.e820]
        )
    _check_tables(snapshot)
    _check_base("guest_table_mfn", snapshot.guest_table_mfn, snapshot)
    if snapshot.guest_user_table_mfn:
        _check_base("guest_user_table_mfn", snapshot.guest_user_table_mfn, snapshot)


def _check_histogram(snapshot: Snapshot) -> None:
    counted: Counter[str] = Counter()
    for run in snapshot.page_info_runs:
        counted[str(int(run.info.type))] += run.length
    if counted != snapshot.type_histogram:
        raise Misfit("type_histogram", f"page_info_runs say {dict(counted)}")


def _check_tables(snapshot: Snapshot) -> None:
    page_info = snapshot.page_info
    for mfn, table in snapshot.tables.items():
        where = f"tables.{mfn}"
        if mfn not in page_info:
            raise Misfit(where, "page_info_runs do not cover this frame")
        if page_info[mfn] != table.info:
            raise Misfit(where, f"page_info says {page_info[mfn]}, the table {table.info}")
        if table.info.type != table.level:
            raise Misfit(where, f"a table of level {table.level} has type {table.info.type.name}")
    for mfn, info in page_info.items():
        if info.validated and info.type in TABLE_LEVELS and mfn not in snapshot.tables:
            raise Misfit("tables", f"frame {mfn} is {info}, but its content is not here")


def _check_base(field: str, mfn: Mfn, snapshot: Snapshot) -> None:
    table = snapshot.tables.get(mfn)
    if table is None or table.level != TOP_LEVEL:
        raise Misfit(field, f"{mfn} is no table of level {TOP_LEVEL}")


def _check_disjoint(field: str, spans: list[tuple[int, int]]) -> None:
    spans = sorted(spans)
    for (first, length), (after, _) in pairwise(spans):
        if first + length > after:
            raise Misfit(field, f"the runs from {first} and from {after} overlap")


def _check_keys(data: bytes, snapshot: Snapshot) -> None:
    """A frame that is named twice in `tables` would be dropped silently by any decoder of JSON."""
    written = data.count(b'"level"')
    if written != len(snapshot.tables):
        raise Misfit(
            "tables", f"{written} tables are written, {len(snapshot.tables)} have a frame of their own"
        )


def _check_width(data: bytes, snapshot: Snapshot) -> None:
    """Refuse integers wider than 64 bits anywhere in the file."""
    try:
        _WIDTH.encode(snapshot)
    except OverflowError:
        as_json(_ANYTHING.decode(data))
        raise
