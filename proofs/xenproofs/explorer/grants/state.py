"""States of a small world of grants: memory's tables, and those of grants and of domains that may die.

The canonical form leaves out what nobody reads: what was remembered of an entry that is not in use, a place
of an unmapping and a side of a copy that hold nothing, and between calls the frame of the last transfer. A
word of a grant table names its frame as the layout says.
"""

from dataclasses import dataclass, fields, is_dataclass
from typing import Final

from xenmodel.domains.rows import Domain, Vcpu
from xenmodel.grants.rows import ActiveGrant, CopySide, GrantTable, Mapping, PassedGrant, Transfer, Unmapping
from xenmodel.machine import Machine
from xenproofs.explorer.renaming import Renaming
from xenproofs.explorer.state import Keeper, Kept, Numbers, Saved, names_of
from xenproofs.judge.tracking import store_of
from xenspec.vocabulary import VcpuId

Place = tuple[tuple[int, int], int]
"""A vCPU, and a number: an unmapping of its batch, or a side of its copy."""
PINS: Final = 4
"""The first fields of an active entry are its pins."""
CLAIMS: Final = 3
"""The first fields of a side of a copy say whether it uses, holds or looks for anything."""
FRAME_SHIFT: Final = 32
"""Where an entry of version 1 names its frame."""


VCPU: Final = tuple(
    name for name in names_of(Vcpu) if name not in ("base", "user_base", "old_table", "gdt_entries", "domain")
)
FRAME: Final = frozenset({"frame"})
DOMAIN: Final = frozenset({"domain"})
DOMAINS: Final = DOMAIN | {"trans_domain", "by"}


@dataclass(frozen=True, slots=True)
class SavedGrants(Saved):
    """The rows of a state that are not default ones."""

    domains: dict[int, Numbers]
    others: dict[tuple[int, int], Numbers]
    """What else there is of a vCPU."""
    dirty: dict[tuple[int, int], Numbers]
    m2p: dict[int, Numbers]
    tables: dict[int, Numbers]
    pages: dict[tuple[int, int], Numbers]
    status: dict[tuple[int, int], Numbers]
    active: dict[tuple[int, int], Numbers]
    mappings: dict[tuple[int, int], Numbers]
    unmappings: dict[Place, Numbers]
    copies: dict[Place, Numbers]
    passed: dict[Place, Numbers]
    transfers: dict[tuple[int, int], Numbers]
    running: tuple[VcpuId, ...]
    """Which vCPU each CPU runs."""


def _domain(d: int, new: Renaming) -> Numbers:
    return (new.domain(d),)


def _of_domain(key: tuple[int, int], new: Renaming) -> Numbers:
    return new.domain(key[0]), key[1]


def _of_vcpu(key: Place, new: Renaming) -> Numbers:
    return new.domain(key[0][0]), key[0][1], key[1]


class GrantKeeper(Keeper):
    """Saves, restores and compares the states of one machine with grants."""

    def __init__(self, m: Machine, stamped: tuple[int, ...] = ()) -> None:
        """Keep a machine; `stamped`: the frames whose stamps matter, all of them if anything is cached."""
        super().__init__(m, stamped)
        self.m = m
        self._timed = bool(stamped)
        self._domains = Kept(m.domains, names_of(Domain), _domain)
        self._others = Kept(m.vcpus, (*VCPU, "domain"), _of_domain, frozenset({"info_frame"}), DOMAIN)
        self._dirty = Kept(m.dirty, ("dirty",) * 2, lambda k, new: (new.domain(k[0]), new.cpu(k[1])))
        self._m2p = Kept(m.m2p, ("pfn",) * 2, lambda f, new: (new.frame(f),))
        self._tables = Kept(m.grant_tables, names_of(GrantTable), _domain)
        named = ("frame",) * 2  # of one field alone `attrgetter` makes no tuple
        self._pages = Kept(m.grant_frames, named, _of_domain, FRAME)
        self._status = Kept(m.status_frames, named, _of_domain, FRAME)
        self._active = Kept(m.active, names_of(ActiveGrant), _of_domain, FRAME, DOMAINS)
        self._mappings = Kept(m.mappings, names_of(Mapping), _of_domain, FRAME, DOMAIN)
        self._unmappings = Kept(m.unmappings, names_of(Unmapping), _of_vcpu, FRAME, DOMAIN)
        self._copies = Kept(m.copies, names_of(CopySide), _of_vcpu, FRAME, DOMAINS)
        self._passed = Kept(m.passed, names_of(PassedGrant), _of_vcpu, FRAME, DOMAINS)
        self._transfers = Kept(m.transfers, names_of(Transfer), _of_domain, FRAME, DOMAIN)

    def local(self, value: object) -> object:
        """Return what a value tells of a call: also what is made of numbers, such as an operation."""
        if isinstance(value, tuple | list):
            several: tuple[object, ...] = tuple(value)  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType] - of anything
            return tuple(map(self.local, several))
        mutable = getattr(type(value), "__hash__", None) is None
        if mutable or isinstance(value, type) or not is_dataclass(value):
            return super().local(value)
        return (type(value).__name__, *(self.local(getattr(value, one.name)) for one in fields(value)))

    def save(self) -> SavedGrants:
        """Return the state as it is."""
        known = super().save()
        cpus = store_of(self.m.cpus)
        return SavedGrants(
            known.frames,
            known.entries,
            known.flights,
            known.vcpus,
            known.cpus,
            known.world,
            known.tlb,
            known.demotions,
            known.words,
            known.charged,
            known.gdt,
            self._domains.read(),
            self._others.read(),
            self._dirty.read(),
            self._m2p.read(),
            self._tables.read(),
            self._pages.read(),
            self._status.read(),
            self._active.read(),
            self._mappings.read(),
            self._unmappings.read(),
            self._copies.read(),
            self._passed.read(),
            self._transfers.read(),
            tuple(cpus[c].current for c in range(self.m.cpu_count)),
        )

    def restore(self, saved: Saved) -> None:
        """Make the state what it was."""
        if not isinstance(saved, SavedGrants):
            raise TypeError(saved)
        super().restore(saved)
        self._domains.write(saved.domains)
        self._others.write(saved.others)
        self._dirty.write(saved.dirty)
        self._m2p.write(saved.m2p)
        self._tables.write(saved.tables)
        self._pages.write(saved.pages)
        self._status.write(saved.status)
        self._active.write(saved.active)
        self._mappings.write(saved.mappings)
        self._unmappings.write(saved.unmappings)
        self._copies.write(saved.copies)
        self._passed.write(saved.passed)
        self._transfers.write(saved.transfers)
        for c, v in enumerate(saved.running):
            if store_of(self.m.cpus)[c].current != v:
                self.m.cpus[c].current = v

    def _form(self, saved: Saved, new: Renaming, *, busy: bool) -> tuple[object, ...]:
        """Return the form of a state under a renaming; what a call in progress may still read, if one is."""
        if not isinstance(saved, SavedGrants):
            raise TypeError(saved)
        return (
            *self._plain(saved, new),
            self._domains.plain(saved.domains, new),
            self._others.plain(saved.others, new),
            self._dirty.plain(saved.dirty, new),
            self._m2p.plain(saved.m2p, new),
            self._tables.plain(saved.tables, new),
            self._pages.plain(saved.pages, new),
            self._status.plain(saved.status, new),
            self._active.plain({g: row for g, row in saved.active.items() if any(row[:PINS])}, new),
            self._mappings.plain(saved.mappings, new),
            self._unmappings.plain({u: row for u, row in saved.unmappings.items() if row[0] or row[1]}, new),
            self._copies.plain({c: row for c, row in saved.copies.items() if any(row[:CLAIMS])}, new),
            self._passed.plain({c: row for c, row in saved.passed.items() if row[0]}, new),
            self._transfers.plain(saved.transfers, new) if busy else (),
            self._unflushed(new),
            tuple((new.domain(v[0]), v[1]) for v in saved.running),
        )

    def _unflushed(self, new: Renaming) -> tuple[Numbers, ...]:
        """Return of each unmapping which CPUs were not flushed since, where anything is cached."""
        cpus = store_of(self.m.cpus)
        waiting = ((u, row) for u, row in store_of(self.m.unmappings).items() if row.host and self._timed)
        return tuple(
            sorted(
                (*_of_vcpu(u, new), *(c for c in range(self.m.cpu_count) if cpus[c].flushed_at <= row.stamp))
                for u, row in waiting
            )
        )

    def _word(self, place: tuple[int, int], word: int, new: Renaming) -> int:
        """Return a word of a frame, renamed: of a grant table by its layout, else as a page-table entry."""
        pages = store_of(self.m.grant_frames)
        domain = next((p[0] for p, page in pages.items() if page.frame == place[0]), None)
        if domain is None:
            return super()._word(place, word, new)
        if store_of(self.m.grant_tables)[domain].version == 1:
            frame = word >> FRAME_SHIFT
            return word ^ (frame ^ new.frame(frame)) << FRAME_SHIFT
        return new.frame(word) if place[1] % 2 else word
