"""The state as invariants see it: all tables of the machine and the ghost ones, and which rows were read.

While one instance (one key) of a bundle of invariants is evaluated, each table remembers the rows that were
asked for; reading one again is free. Which fields they read is known beforehand: at most those whose names
occur in their code (`names_in`). So an instance depends on the rows that it read, in the fields that its
bundle names: no field is looked at one by one, which would cost more than the invariants themselves.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType
from typing import Generic, TypeVar

from xenmodel.abi.descriptor import DescriptorFormat
from xenmodel.abi.geometry import PteFormat
from xenmodel.abi.grant import GrantFormat
from xenmodel.domains.rows import (
    DirtyCpu,
    Domain,
    Globals,
    NamedFrame,
    PhysicalCpu,
    TablePage,
    Vcpu,
)
from xenmodel.events.rows import (
    Binding,
    Channels,
    EventWord,
    Handler,
    Head,
    Line,
    Notice,
    PolledPort,
    Port,
    Queue,
    Scan,
    Selector,
    Signal,
    Taken,
    Upcall,
    Wait,
)
from xenmodel.grants.rows import ActiveGrant, CopySide, GrantTable, Mapping, PassedGrant, Unmapping
from xenmodel.hardware.rows import Prefix, TlbEntry
from xenmodel.machine import Machine
from xenmodel.memory.holders import Holder
from xenmodel.memory.rows import Demotion, Entry, Flight, Frame
from xenproofs.judge.adapter import plain, plain_words
from xenproofs.judge.ghost import Counts, HoldRow
from xenproofs.judge.recording import Journal
from xenspec.memory.descriptors import SegmentRules
from xenspec.table import SELF_MAP_FLAGS, PlainTable, PlainWords, Table
from xenspec.vocabulary import DOMID_INVALID, DomId

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")

PAGE_SHIFT = 12


@dataclass(slots=True)
class Author:
    """By whose call an entry was linked, where that is not its table's owner."""

    domain: DomId = DOMID_INVALID


@dataclass(slots=True)
class Granted:
    """What a live grant allows an entry to map."""

    readable: bool = False
    writable: bool = False


@dataclass(slots=True)
class Pins:
    """How often an entry of a grant table is used, by kind."""

    host_writable: int = 0
    host_readonly: int = 0
    device_writable: int = 0
    device_readonly: int = 0


@dataclass(slots=True)
class Share:
    """By how many uses of grants a domain's processors may reach a frame, keyed (domain, frame)."""

    readable: int = 0
    writable: int = 0


class Tracked(dict[K, R], Generic[K, R]):
    """The rows of a store that were read since the last `clear`; reading makes no row in the store."""

    __slots__ = ("store",)

    def __init__(self, store: PlainTable[K, R]) -> None:
        super().__init__()
        self.store = store

    def __missing__(self, key: K) -> R:
        row = self.store.get(key)
        if row is None:
            row = self.store.fresh(key)
        self[key] = row
        return row


class TrackedWords(dict[tuple[int, int], int]):
    """The words that were read since the last `clear`."""

    __slots__ = ("_pages", "store")

    def __init__(self, store: PlainWords) -> None:
        super().__init__()
        self.store = store
        self._pages = store.pages

    def __missing__(self, key: tuple[int, int]) -> int:
        page = self._pages.get(key[0])
        word = self[key] = page.get(key[1], 0) if page else 0
        return word


@dataclass(frozen=True, slots=True)
class WrittenByXen:
    """What Xen writes into its slots of a table: the self map, and the words of `slots`."""

    slots: dict[int, int]
    shape: PteFormat

    def written(self, frame: int, slot: int, word: int, /) -> bool:
        """Return whether Xen itself leaves `word` at (frame, slot); the read-only M2P may be hidden."""
        if slot == self.shape.self_map:
            return word == frame << PAGE_SHIFT | SELF_MAP_FLAGS
        return word == self.slots.get(slot, 0) or (slot == self.shape.m2p_slot and word == 0)

    def own(self, frame: int, slot: int, /, *, shown: bool) -> int:
        """Return what Xen writes into a slot of its own, with the read-only M2P or without."""
        if slot == self.shape.self_map:
            return frame << PAGE_SHIFT | SELF_MAP_FLAGS
        return 0 if slot == self.shape.m2p_slot and not shown else self.slots.get(slot, 0)


@dataclass(slots=True)
class Ghosts:
    """The tables that no step reads."""

    counts: Table[int, Counts]
    held: Table[tuple[int, Holder], HoldRow]
    authors: Table[tuple[int, int], Author]
    granted: Table[tuple[int, int], Granted]
    pins: Table[tuple[int, int], Pins]
    shares: Table[tuple[int, int], Share]


def store_of(table: Table[K, R]) -> PlainTable[K, R]:
    """Return the store with all rows of a table, whether it is recorded or not."""
    if isinstance(table, Journal):
        return table.store
    return plain(table)


@dataclass(slots=True)
class StateView:
    """The state of every registry of invariants, tracked."""

    frames: Tracked[int, Frame]
    entries: Tracked[tuple[int, int], Entry]
    words: TrackedWords
    flights: Tracked[tuple[tuple[int, int], int], Flight]
    domains: Tracked[int, Domain]
    vcpus: Tracked[tuple[int, int], Vcpu]
    gdt: Tracked[tuple[tuple[int, int], int], TablePage]
    ldt: Tracked[tuple[tuple[int, int], int], TablePage]
    event_frames: Tracked[tuple[int, int], NamedFrame]
    eoi_frames: Tracked[int, NamedFrame]
    cpus: Tracked[int, PhysicalCpu]
    dirty: Tracked[tuple[int, int], DirtyCpu]
    tlb: Tracked[tuple[int, int], TlbEntry]
    world: Tracked[int, Globals]
    counts: Tracked[int, Counts]
    held: Tracked[tuple[int, Holder], HoldRow]
    authors: Tracked[tuple[int, int], Author]
    granted: Tracked[tuple[int, int], Granted]
    pins: Tracked[tuple[int, int], Pins]
    shares: Tracked[tuple[int, int], Share]
    grant_tables: Tracked[int, GrantTable]
    grant_frames: Tracked[tuple[int, int], NamedFrame]
    status_frames: Tracked[tuple[int, int], NamedFrame]
    active: Tracked[tuple[int, int], ActiveGrant]
    mappings: Tracked[tuple[int, int], Mapping]
    unmappings: Tracked[tuple[tuple[int, int], int], Unmapping]
    cpu_count: int
    pte: PteFormat
    descriptors: DescriptorFormat
    grants: GrantFormat
    segments: SegmentRules
    xens: WrittenByXen
    channels: Tracked[int, Channels] = field(init=False)
    ports: Tracked[tuple[int, int], Port] = field(init=False)
    signals: Tracked[tuple[int, int], Signal] = field(init=False)
    selectors: Tracked[tuple[tuple[int, int], int], Selector] = field(init=False)
    upcalls: Tracked[tuple[int, int], Upcall] = field(init=False)
    event_words: Tracked[tuple[int, int], EventWord] = field(init=False)
    heads: Tracked[tuple[tuple[int, int], int], Head] = field(init=False)
    queues: Tracked[tuple[tuple[int, int], int], Queue] = field(init=False)
    virqs: Tracked[tuple[tuple[int, int], int], Binding] = field(init=False)
    pirqs: Tracked[tuple[int, int], Line] = field(init=False)
    waits: Tracked[tuple[int, int], Wait] = field(init=False)
    polled: Tracked[tuple[tuple[int, int], int], PolledPort] = field(init=False)
    notices: Tracked[tuple[int, int], Notice] = field(init=False)
    handlers: Tracked[tuple[int, int], Handler] = field(init=False)
    scans: Tracked[tuple[tuple[int, int], int], Scan] = field(init=False)
    taken: Tracked[tuple[tuple[int, int], int], Taken] = field(init=False)
    copies: Tracked[tuple[tuple[int, int], int], CopySide] = field(init=False)
    passed: Tracked[tuple[tuple[int, int], int], PassedGrant] = field(init=False)
    prefixes: Tracked[tuple[int, int, int], Prefix] = field(init=False)
    demotions: Tracked[int, Demotion] = field(init=False)

    @classmethod
    def of(cls, m: Machine, ghosts: Ghosts) -> "StateView":
        """Return a view of a machine and its ghosts."""
        view = cls(
            frames=Tracked(store_of(m.frames)),
            entries=Tracked(store_of(m.entries)),
            words=TrackedWords(plain_words(m.words)),
            flights=Tracked(store_of(m.flights)),
            domains=Tracked(store_of(m.domains)),
            vcpus=Tracked(store_of(m.vcpus)),
            gdt=Tracked(store_of(m.gdt)),
            ldt=Tracked(store_of(m.ldt)),
            event_frames=Tracked(store_of(m.event_frames)),
            eoi_frames=Tracked(store_of(m.eoi_frames)),
            cpus=Tracked(store_of(m.cpus)),
            dirty=Tracked(store_of(m.dirty)),
            tlb=Tracked(store_of(m.tlb)),
            world=Tracked(store_of(m.world)),
            counts=Tracked(store_of(ghosts.counts)),
            held=Tracked(store_of(ghosts.held)),
            authors=Tracked(store_of(ghosts.authors)),
            granted=Tracked(store_of(ghosts.granted)),
            pins=Tracked(store_of(ghosts.pins)),
            shares=Tracked(store_of(ghosts.shares)),
            grant_tables=Tracked(store_of(m.grant_tables)),
            grant_frames=Tracked(store_of(m.grant_frames)),
            status_frames=Tracked(store_of(m.status_frames)),
            active=Tracked(store_of(m.active)),
            mappings=Tracked(store_of(m.mappings)),
            unmappings=Tracked(store_of(m.unmappings)),
            cpu_count=m.cpu_count,
            pte=m.pte,
            descriptors=m.descriptors,
            grants=m.grants,
            segments=SegmentRules(),
            xens=WrittenByXen(m.xen_slots, m.pte),
        )
        view._see_copies(m)
        view._see_walks(m)
        view._see_events(m)
        return view

    def _see_copies(self, m: Machine) -> None:
        """See what copies use, and what is passed on to them."""
        self.copies = Tracked(store_of(m.copies))
        self.passed = Tracked(store_of(m.passed))

    def _see_walks(self, m: Machine) -> None:
        """See what CPUs walk by, and what still may be walked through."""
        self.prefixes = Tracked(store_of(m.prefixes))
        self.demotions = Tracked(store_of(m.demotions))

    def _see_events(self, m: Machine) -> None:
        """See the tables of event channels."""
        self.channels = Tracked(store_of(m.channels))
        self.ports = Tracked(store_of(m.ports))
        self.signals = Tracked(store_of(m.signals))
        self.selectors = Tracked(store_of(m.selectors))
        self.upcalls = Tracked(store_of(m.upcalls))
        self.event_words = Tracked(store_of(m.event_words))
        self.heads = Tracked(store_of(m.heads))
        self.queues = Tracked(store_of(m.queues))
        self.virqs = Tracked(store_of(m.virqs))
        self.pirqs = Tracked(store_of(m.pirqs))
        self.waits = Tracked(store_of(m.waits))
        self.polled = Tracked(store_of(m.polled))
        self.notices = Tracked(store_of(m.notices))
        self.handlers = Tracked(store_of(m.handlers))
        self.scans = Tracked(store_of(m.scans))
        self.taken = Tracked(store_of(m.taken))


def names_in(function: Callable[..., object]) -> frozenset[str]:
    """Return every name that occurs in a function, in those inside it and in those that it calls by name.

    A field of a row can be read only where its name occurs, so that these are at least the fields read.
    """
    if not isinstance(function, FunctionType):
        return frozenset()
    return frozenset(_reachable(function, _names_of(function.__code__), inner=True))


def premise_names(function: Callable[..., object]) -> frozenset[str]:
    """Return the names that an invariant may read before it turns out to be vacuous.

    These are the names outside its consequents, which are the functions inside it. If a consequent may itself
    be vacuous, or one of these functions may belong to the premise, all names count.
    """
    if not isinstance(function, FunctionType):
        return frozenset()
    outside = set(function.__code__.co_names)
    inside = {name for code in _codes_in(function.__code__) for name in _names_of(code)}
    if outside & {"both", "either"} or "implies" in _reachable(function, inside, inner=True):
        return names_in(function)
    return frozenset(_reachable(function, outside, inner=False))


def _reachable(function: FunctionType, names: set[str], *, inner: bool) -> set[str]:
    """Return names of a function, and all names in the functions that they mean."""
    found = set(names)
    pending = _functions(function, names)
    seen = {function} if inner else set[FunctionType]()
    while pending:
        current = pending.pop()
        if current not in seen:
            seen.add(current)
            names = _names_of(current.__code__)
            found |= names
            pending += _functions(current, names)
    return found


def _codes_in(code: CodeType) -> list[CodeType]:
    return [const for const in code.co_consts if isinstance(const, CodeType)]


def _names_of(code: CodeType) -> set[str]:
    return set(code.co_names).union(*map(_names_of, _codes_in(code)))


def _functions(function: FunctionType, names: set[str]) -> list[FunctionType]:
    """Return the functions that names mean in a function's module, or in a module named there."""
    spaces: list[dict[str, object]] = [function.__globals__]
    spaces += [vars(value) for value in map(function.__globals__.get, names) if isinstance(value, ModuleType)]
    return [value for space in spaces for value in map(space.get, names) if isinstance(value, FunctionType)]
