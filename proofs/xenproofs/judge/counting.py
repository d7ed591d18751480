"""The number of each frame's holders, kept up to date from the rows that changed.

A recount without the counting: what every row holds is remembered, and when the row changes its old hold goes
from the frame's numbers and its new one comes. No step takes part in it, so that it can be compared with the
counts that the steps keep.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Final

from xenmodel.memory.rows import Frame
from xenproofs.judge import holdings
from xenproofs.judge.adapter import any_holds, keys_of
from xenproofs.judge.ghost import Counts
from xenproofs.judge.holdings import EntryClaim, Hold
from xenproofs.judge.recording import Change, Recorder
from xenproofs.judge.tracking import names_in, store_of
from xenspec.table import PlainTable

Holds = tuple[Hold, ...]

SIMPLE: Final[dict[str, Callable[[Hashable, object], Holds]]] = {
    "frames": any_holds(holdings.of_frame),
    "flights": any_holds(holdings.of_flight),
    "vcpus": any_holds(holdings.of_vcpu),
    "gdt": any_holds(holdings.of_gdt),
    "ldt": any_holds(holdings.of_ldt),
    "event_frames": any_holds(holdings.of_event_frame),
    "eoi_frames": any_holds(holdings.of_eoi_frame),
    "grant_frames": any_holds(holdings.of_grant_frame),
    "status_frames": any_holds(holdings.of_status_frame),
    "mappings": any_holds(holdings.of_mapping),
    "unmappings": any_holds(holdings.of_unmapping),
    "copies": any_holds(holdings.of_copy_side),
    "unattributed": any_holds(holdings.of_unattributed),
}
"""Tables whose rows by themselves say what they hold; entries and partial children are apart."""


CELLS: Final = {
    **{table: names_in(of) for table, of in SIMPLE.items()},
    "frames": names_in(holdings.of_frame) | names_in(holdings.of_partial_entry),
    "entries": names_in(holdings.claim_of),
}
"""The fields that counting needs, by table."""


class RunningCounts:
    """Counts by frame. With `holders` off, only of linear entries: the holders are counted elsewhere."""

    __slots__ = (
        "_child_mask",
        "_children",
        "_claims",
        "_entries",
        "_frames",
        "_holders",
        "_holds",
        "_masks",
        "_recorder",
        "counts",
        "relinked",
        "touched",
    )

    def __init__(self, recorder: Recorder, counts: PlainTable[int, Counts], *, holders: bool = True) -> None:
        self.counts = counts
        self.touched: set[int] = set()
        """Frames whose holders have changed in number; whoever looks at them empties it."""
        self.relinked: set[int] = set()
        """Frames whose linear entries have, likewise."""
        self._recorder = recorder
        self._holders = holders
        self._entries = store_of(recorder.machine.entries)
        self._frames = store_of(recorder.machine.frames)
        self._claims: dict[tuple[int, int], EntryClaim] = {}
        self._holds: dict[tuple[str, Hashable], Holds] = {}
        self._children: dict[int, Hold] = {}
        layouts = recorder.layouts.by_table
        self._masks = {
            table: layouts[table].mask(names_in(of)) for table, of in SIMPLE.items() if table in layouts
        }
        self._child_mask = layouts["frames"].mask(frozenset({"partial_entry", "next_slot"}))

    def start(self) -> None:
        """Count what all rows hold."""
        for e in self._entries:
            self._entry(e)
        if not self._holders:
            return
        for table in self._masks:
            for key in self._recorder.journals[table].store:
                self._row(table, key)
        for t, frame in self._frames.items():
            self._child(t, frame)

    def apply(self, changes: dict[str, list[Change]]) -> None:
        """Take over what changed."""
        if "entries" in changes:
            for e in keys_of(changes["entries"], self._entries):
                self._entry(e)
        if not self._holders:
            return
        for table, of_table in changes.items():
            mask = self._masks.get(table, 0)
            for key, fields, _, _ in of_table if mask else ():
                if fields & mask:
                    self._row(table, key)
        for change in changes.get("frames", ()):
            if change[1] & self._child_mask:
                self._children_of((change,))

    def _children_of(self, changes: Iterable[Change]) -> None:
        for t in keys_of(changes, self._frames):
            self._child(t, self._frames[t])

    def _entry(self, e: tuple[int, int]) -> None:
        before, now = self._claims.get(e), holdings.claim_of(self._entries[e])
        if before == now:
            return
        if before is not None:
            self._claim(e[0], before, -1)
            del self._claims[e]
        if now is not None:
            self._claim(e[0], now, 1)
            self._claims[e] = now

    def _claim(self, t: int, claim: EntryClaim, by: int) -> None:
        if self._holders:
            counts = self.counts[claim.target]
            counts.general += by
            if claim.typed:
                counts.typed += by
            self.touched.add(claim.target)
        if claim.linear:
            self.counts[claim.target].uses += by
            self.counts[t].own += by
            self.relinked |= {t, claim.target}

    def _row(self, table: str, key: Hashable) -> None:
        """Take over what the row of a simple table holds now."""
        now = SIMPLE[table](key, self._recorder.journals[table].store[key])
        before = self._holds.get((table, key), ())
        if now == before:
            return
        for hold in before:
            self._hold(hold, -1)
        for hold in now:
            self._hold(hold, 1)
        self._holds[table, key] = now

    def _child(self, t: int, frame: Frame) -> None:
        """Take over whether a table has a partial child, and which."""
        before = self._children.pop(t, None)
        if before is not None:
            self._hold(before, -1)
        if frame.partial_entry:
            (now,) = holdings.of_partial_entry(t, frame, self._entries[t, frame.next_slot])
            self._hold(now, 1)
            self._children[t] = now

    def _hold(self, hold: Hold, by: int) -> None:
        counts = self.counts[hold.frame]
        if hold.typed:
            counts.typed += by
        if hold.general:
            counts.general += by
        self.touched.add(hold.frame)
