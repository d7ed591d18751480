"""All state is tables of rows: `m.frames[mfn].type_count += 1`.

A table maps a key to a row with named fields; every key has a row (a table makes the default row on first
use), so that step code needs no membership tests and reads the same over symbolic rows. Three backings give
the same step code three lives: plain rows (this module, fast), recording rows (which cells were read and
written: xenproofs.judge), symbolic rows (xenproofs.symbolic). A *cell* is (table, key, field).
"""

from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

XEN_FIRST_SLOT = 256
XEN_END_SLOT = 272
"""The L4 slots that belong to Xen are XEN_FIRST_SLOT .. XEN_END_SLOT-1; the first is the read-only M2P."""
SELF_MAP_SLOT = 258
SELF_MAP_FLAGS = 0x8000000000000063
"""The self map of an L4: present, writable, accessed, dirty, no execution, not for user mode."""

FEW = 24
"""A frame with fewer words than this is searched by its words, another by its slots."""

K = TypeVar("K")
R = TypeVar("R")
K_contra = TypeVar("K_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


class ReadTable(Protocol[K_contra, R_co]):
    """What a hypercall or an invariant sees of a table."""

    def __getitem__(self, key: K_contra, /) -> R_co:
        """Return the row of `key`."""
        ...


class Table(Protocol[K_contra, R_co]):
    """What a step sees of a table; its rows are mutable."""

    def __getitem__(self, key: K_contra, /) -> R_co:
        """Return the row of `key`."""
        ...

    def each(self, first: int, end: int, holds: Callable[[int], bool], /) -> bool:
        """Return whether something holds of each number first .. end-1; these are last parts of keys."""
        ...

    def forget(self, domain: int, /, *kept: str) -> None:
        """Make every row of a domain, and of its virtual CPUs, as new, but for the fields that are kept."""
        ...


class PagesRow(Protocol):
    """A row that names a frame."""

    @property
    def frame(self) -> int:
        """The frame."""
        ...


class PlainTable(dict[K, R], Generic[K, R]):
    """A dictionary of rows that makes a default row for an absent key."""

    __slots__ = ("_default", "name")

    def __init__(self, name: str, default: Callable[[K], R]) -> None:
        super().__init__()
        self.name = name
        self._default = default

    def __missing__(self, key: K) -> R:
        row = self[key] = self._default(key)
        return row

    def fresh(self, key: K) -> R:
        """Return the row that an absent key would get, without making it."""
        return self._default(key)

    def each(self, first: int, end: int, holds: Callable[[int], bool], /) -> bool:
        """Return whether something holds of each number first .. end-1."""
        return all(map(holds, range(first, end)))

    def forget(self, domain: int, /, *kept: str) -> None:
        """Make every row of a domain, and of its virtual CPUs, as new; looks through the rows that exist."""
        for key in [key for key, _ in self.rows() if domain_of(key) == domain]:
            row, fresh = self[key], self.fresh(key)
            names: tuple[str, ...] = getattr(row, "__slots__", ())
            for name in names:
                if name not in kept:
                    setattr(row, name, getattr(fresh, name))

    def rows(self) -> ItemsView[K, R]:
        """Return the rows that exist so far, by key."""
        return self.items()


def domain_of(key: object) -> object:
    """Return the domain that a key begins with: the first part of it, or of its first part."""
    if isinstance(key, tuple):
        return domain_of(key[0])  # pyright: ignore[reportUnknownArgumentType]
    return key


def made(table: ReadTable[K, R], keys: Iterable[K]) -> Iterable[K]:
    """Return those keys whose rows have been made so far, where the table can tell; else all of them.

    For searches through many keys: a row that nobody has made is like a new one.
    """
    if not isinstance(table, PlainTable):
        return keys
    known = {key for key, _ in table.rows()}
    return (key for key in keys if key in known)


class Words(Protocol):
    """The raw contents of frames: 512 words each (1024 in the two-level geometry), zero unless written."""

    def __getitem__(self, key: tuple[int, int], /) -> int:
        """Return the word at (frame, slot)."""
        ...

    def __setitem__(self, key: tuple[int, int], word: int, /) -> None:
        """Set the word at (frame, slot)."""
        ...

    def next_present(self, frame: int, slot: int) -> int:
        """Return the first slot from `slot` on with bit 0 set, else the number of slots."""
        ...

    def next_nonzero(self, frame: int, slot: int) -> int:
        """Return the first slot from `slot` on that is not zero, else the number of slots."""
        ...

    def last_present(self, frame: int, end: int) -> int:
        """Return the last slot below `end` with bit 0 set, else -1."""
        ...

    def none_present(self, frame: int, first: int, end: int, *, top: bool) -> bool:
        """Return whether no word in slots first .. end-1 has bit 0 set; `top` leaves out Xen's slots."""
        ...

    def all_zero(self, frame: int, first: int, end: int) -> bool:
        """Return whether every word in slots first .. end-1 is zero."""
        ...

    def clear(self, frame: int) -> None:
        """Make every word of the frame zero."""
        ...

    def clear_pages(self, pages: ReadTable[tuple[int, int], PagesRow], domain: int, count: int) -> None:
        """Make every word of the frames zero that are a domain's pages 0 .. count-1."""
        ...

    def copy(self, target: int, source: int) -> None:
        """Make the words of `target` equal to those of `source`."""
        ...

    def write_xen_slots(self, frame: int, slots: Mapping[int, int], *, readonly_m2p: bool) -> None:
        """Overwrite the slots that belong to Xen with `slots` and the self map."""
        ...

    def write_readonly_m2p(self, frame: int, slots: Mapping[int, int], *, shown: bool) -> None:
        """Write or empty the L4 slot of the read-only M2P."""
        ...

    def holds_xen_slots(self, frame: int, slots: Mapping[int, int]) -> bool:
        """Return whether Xen's slots are as Xen writes them, the read-only M2P shown or not."""
        ...


class PlainWords:
    """Words by frame; only those that are not zero are kept.

    Args:
        slots: words in a frame.
        xen: Xen's own slots of a table that has some: the first, and the one after the last.
        self_map: the one of these that links the table itself, -1 if none does.
    """

    __slots__ = ("pages", "self_map", "slots", "xen_end", "xen_first")

    def __init__(
        self,
        slots: int = 512,
        xen: tuple[int, int] = (XEN_FIRST_SLOT, XEN_END_SLOT),
        self_map: int = SELF_MAP_SLOT,
    ) -> None:
        self.pages: dict[int, dict[int, int]] = {}
        self.slots = slots
        self.xen_first, self.xen_end = xen
        self.self_map = self_map

    def __getitem__(self, key: tuple[int, int]) -> int:
        page = self.pages.get(key[0])
        return page.get(key[1], 0) if page else 0

    def __setitem__(self, key: tuple[int, int], word: int) -> None:
        page = self.pages.get(key[0])
        if page is None:
            page = self.pages[key[0]] = {}
        if word:
            page[key[1]] = word
        else:
            page.pop(key[1], None)

    def next_present(self, frame: int, slot: int) -> int:
        """Return the first slot from `slot` on with bit 0 set, else the number of slots."""
        page = self.pages.get(frame)
        if not page:
            return self.slots
        if page.get(slot, 0) & 1:
            return slot
        if len(page) < FEW:
            return min((s for s, w in page.items() if s >= slot and w & 1), default=self.slots)
        for later in range(slot, self.slots):
            if page.get(later, 0) & 1:
                return later
        return self.slots

    def last_present(self, frame: int, end: int) -> int:
        """Return the last slot below `end` with bit 0 set, else -1."""
        page = self.pages.get(frame)
        if not page:
            return -1
        if page.get(end - 1, 0) & 1:
            return end - 1
        if len(page) < FEW:
            return max((s for s, w in page.items() if s < end and w & 1), default=-1)
        for earlier in range(end - 1, -1, -1):
            if page.get(earlier, 0) & 1:
                return earlier
        return -1

    def none_present(self, frame: int, first: int, end: int, *, top: bool) -> bool:
        """Return whether no word in slots first .. end-1 has bit 0 set; `top` leaves out Xen's slots."""
        if first >= end:
            return True
        found = self.next_present(frame, first)
        if top and self.xen_first <= found < self.xen_end:
            found = self.next_present(frame, self.xen_end)
        return found >= end

    def all_zero(self, frame: int, first: int, end: int) -> bool:
        """Return whether every word in slots first .. end-1 is zero."""
        return first >= end or self.next_nonzero(frame, first) >= end

    def next_nonzero(self, frame: int, slot: int) -> int:
        """Return the first slot from `slot` on that is not zero, else the number of slots."""
        page = self.pages.get(frame)
        if not page:
            return self.slots
        if slot in page:
            return slot
        return min((s for s in page if s >= slot), default=self.slots)

    def clear(self, frame: int) -> None:
        """Make every word of the frame zero."""
        self.pages.pop(frame, None)

    def clear_pages(self, pages: ReadTable[tuple[int, int], PagesRow], domain: int, count: int) -> None:
        """Make every word of the frames zero that are a domain's pages 0 .. count-1."""
        for index in range(count):
            self.clear(pages[domain, index].frame)

    def copy(self, target: int, source: int) -> None:
        """Make the words of `target` equal to those of `source`."""
        self.pages[target] = dict(self.pages.get(source, {}))

    def write_xen_slots(self, frame: int, slots: Mapping[int, int], *, readonly_m2p: bool) -> None:
        """Overwrite the slots that belong to Xen with `slots` and the self map."""
        for slot in range(self.xen_first, self.xen_end):
            self[frame, slot] = slots.get(slot, 0)
        if self.self_map < 0:
            return
        self[frame, self.self_map] = frame << 12 | SELF_MAP_FLAGS
        if not readonly_m2p:
            self[frame, self.xen_first] = 0

    def write_readonly_m2p(self, frame: int, slots: Mapping[int, int], *, shown: bool) -> None:
        """Write or empty the L4 slot of the read-only M2P."""
        self[frame, self.xen_first] = slots.get(self.xen_first, 0) if shown else 0

    def holds_xen_slots(self, frame: int, slots: Mapping[int, int]) -> bool:
        """Return whether Xen's slots are as Xen writes them, the read-only M2P shown or not."""
        for slot in range(self.xen_first, self.xen_end):
            wanted = slots.get(slot, 0) if slot != self.self_map else frame << 12 | SELF_MAP_FLAGS
            hidden = slot == self.xen_first and self.self_map >= 0 and not self[frame, slot]
            if self[frame, slot] != wanted and not hidden:
                return False
        return True

    def frames(self) -> Iterator[int]:
        """Return the frames that have a word that is not zero."""
        return iter(self.pages)
