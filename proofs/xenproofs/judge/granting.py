"""Uses of grants, kept up to date from the rows that changed: ghost state that no step reads.

Three ghost tables. `pins`: how often an entry is used, by kind. `shares`: by how many uses a domain's
processors may reach a frame. `granted`: what these let a page-table entry map; only entries that link another
domain's frame have a row. A dying domain keeps what it had: its handles are given back before its page tables
are taken apart, and it runs no more.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from xenmodel.grants import rows
from xenproofs.judge.adapter import any_holds, keys_of
from xenproofs.judge.recording import Change, Journal, Recorder
from xenproofs.judge.tracking import Granted, Pins, Share, names_in, store_of
from xenspec.table import PlainTable


class Use(NamedTuple):
    """One use of an entry, by the domain that uses it."""

    domain: int
    entry: tuple[int, int]
    frame: int
    host: bool
    device: bool
    readonly: bool
    lasting: bool
    """It maps: a copy gives no page-table entry anything."""


def of_mapping(key: tuple[int, int], row: rows.Mapping) -> Use | None:
    """Return what a handle uses."""
    if not row.pinned:
        return None
    return Use(key[0], (row.domain, row.ref), row.frame, row.host, row.device, row.readonly, lasting=True)


def of_unmapping(key: tuple[tuple[int, int], int], row: rows.Unmapping) -> Use | None:
    """Return what an unmapping under way uses."""
    if not (row.host or row.device):
        return None
    entry = (row.domain, row.ref)
    return Use(key[0][0], entry, row.frame, row.host, row.device, row.readonly, lasting=True)


def of_copy(key: tuple[tuple[int, int], int], row: rows.CopySide) -> Use | None:
    """Return what a side of a copy uses."""
    if not row.pinned:
        return None
    entry = (row.domain, row.ref)
    return Use(key[0][0], entry, row.frame, host=True, device=False, readonly=row.readonly, lasting=False)


def of_passed(_: tuple[tuple[int, int], int], row: rows.PassedGrant) -> Use | None:
    """Return what is used of a grant that is passed on to a side of a copy."""
    if not row.pinned:
        return None
    entry = (row.domain, row.ref)
    return Use(row.by, entry, row.frame, host=True, device=False, readonly=row.readonly, lasting=False)


USES: Final[dict[str, Callable[[Hashable, object], Use | None]]] = {
    "mappings": any_holds(of_mapping),
    "unmappings": any_holds(of_unmapping),
    "copies": any_holds(of_copy),
    "passed": any_holds(of_passed),
}
"""Tables whose rows use entries."""
CELLS: Final = {table: names_in(of) for table, of in USES.items()}
"""The fields that these books need, by table."""


@dataclass(slots=True)
class GrantTables:
    """The ghost tables, recorded."""

    pins: Journal[tuple[int, int], Pins]
    shares: Journal[tuple[int, int], Share]
    granted: Journal[tuple[int, int], Granted]

    @classmethod
    def watched(cls, recorder: Recorder) -> "GrantTables":
        """Return empty tables that a recorder watches."""
        return cls(
            recorder.watch(PlainTable[tuple[int, int], Pins]("pins", lambda _: Pins()), Pins),
            recorder.watch(PlainTable[tuple[int, int], Share]("shares", lambda _: Share()), Share),
            recorder.watch(PlainTable[tuple[int, int], Granted]("granted", lambda _: Granted()), Granted),
        )


class GrantBooks:
    """Keeps the ghost tables of grants."""

    __slots__ = (
        "_domains",
        "_entries",
        "_foreign",
        "_frames",
        "_known",
        "_places",
        "_recorder",
        "_uses",
        "tables",
    )

    def __init__(
        self, recorder: Recorder, tables: GrantTables, foreign: Mapping[tuple[int, int], object]
    ) -> None:
        """Keep `tables`; `foreign` are the entries that link another domain's frame, or did so."""
        self.tables = tables
        self._known = foreign
        self._recorder = recorder
        self._entries = store_of(recorder.machine.entries)
        self._frames = store_of(recorder.machine.frames)
        self._domains = store_of(recorder.machine.domains)
        self._uses: dict[tuple[str, Hashable], Use] = {}
        self._foreign: dict[tuple[int, int], set[tuple[int, int]]] = {}
        """Entries by (domain, frame of another one that they map)."""
        self._places: dict[tuple[int, int], tuple[int, int]] = {}
        """The other way round."""

    def start(self) -> None:
        """Take over all rows."""
        for table in USES:
            for key in self._recorder.journals[table].store:
                self._use(table, key)
        for e in self._known:
            self._place(e)

    def apply(self, changes: dict[str, list[Change]]) -> None:
        """Take over what changed; add the changes of the ghost tables."""
        for table in USES:
            for key, *_ in changes.get(table, ()):
                self._use(table, key)
        for e in keys_of(changes.get("entries", ()), self._entries) if self._known else ():
            if e in self._known:
                self._place(e)
        for journal in (self.tables.pins, self.tables.shares, self.tables.granted):
            if journal and (found := journal.changes()):
                changes[journal.name] = found

    def _use(self, table: str, key: Hashable) -> None:
        """Take over what a row uses now."""
        row = self._recorder.journals[table].store[key]
        before, now = self._uses.pop((table, key), None), USES[table](key, row)
        if now is not None:
            self._uses[table, key] = now
        if before == now:
            return
        if before is not None:
            self._count(before, -1)
        if now is not None:
            self._count(now, 1)

    def _count(self, use: Use, by: int) -> None:
        pins = self.tables.pins[use.entry]
        if use.readonly:
            pins.host_readonly += by * use.host
            pins.device_readonly += by * use.device
        else:
            pins.host_writable += by * use.host
            pins.device_writable += by * use.device
        if use.host and use.lasting:
            share = self.tables.shares[use.domain, use.frame]
            share.readable += by
            share.writable += by * (not use.readonly)
            for e in self._foreign.get((use.domain, use.frame), ()):
                self._grant(e)

    def _place(self, e: tuple[int, int]) -> None:
        """Note what an entry maps, if it is another domain's frame."""
        row = self._entries[e]
        owner, target = self._frames[e[0]].owner, self._frames.get(row.target)
        foreign = row.linked and row.backed and target is not None and target.owner != owner
        before, now = self._places.pop(e, None), (owner, row.target) if foreign else None
        if before is not None:
            self._foreign[before].discard(e)
        if now is not None:
            self._places[e] = now
            self._foreign.setdefault(now, set()).add(e)
        if before is not None or now is not None:
            self._grant(e)

    def _grant(self, e: tuple[int, int]) -> None:
        """Note what the uses of grants let an entry map."""
        place, row = self._places.get(e), self.tables.granted[e]
        if place is None:
            row.readable = row.writable = False
            return
        if self._domains[place[0]].dying:
            return
        share = self.tables.shares[place]
        row.readable = share.readable > 0
        row.writable = share.writable > 0
