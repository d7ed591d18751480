"""The symbolic machine: xenmodel's tables over any number of keys, made from the row classes themselves."""

from __future__ import annotations

from dataclasses import fields
from enum import IntEnum
from functools import cache, partial
from typing import TYPE_CHECKING, Final, get_type_hints

from xenmodel.domains.rows import (
    DirtyCpu,
    Domain,
    Globals,
    NamedFrame,
    PhysicalCpu,
    TablePage,
    TrapHandler,
    Unattributed,
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
from xenmodel.grants.rows import ActiveGrant, CopySide, GrantTable, Mapping, PassedGrant, Transfer, Unmapping
from xenmodel.hardware.rows import Prefix, TlbEntry
from xenmodel.memory.rows import Demotion, Entry, Flight, Frame, MachineToPhys
from xenproofs.symbolic import terms
from xenproofs.symbolic.census import Census
from xenproofs.symbolic.ghost import CountsTable, HeldTable, SymbolicGhost
from xenproofs.symbolic.grants import SymbolicGrants
from xenproofs.symbolic.matching import GrantedTable, Matching
from xenproofs.symbolic.rows import SymbolicTable
from xenproofs.symbolic.sorts import (
    FRAME,
    K_BANK,
    K_CPU,
    K_DOMAIN,
    K_FLIGHT,
    K_FRAME,
    K_GRANT,
    K_HANDLE,
    K_INDEX,
    K_LEVEL,
    K_NUMBER,
    K_PAGE,
    K_PIRQ,
    K_PLACE,
    K_PORT,
    K_PREFIX,
    K_PRIORITY,
    K_SIDE,
    K_SLOT,
    K_VCPU,
    K_VIRQ,
    MADE_VCPU,
    PARTS,
    VCPU,
    Kind,
)
from xenproofs.symbolic.terms import BOOL, INT, Sort
from xenproofs.symbolic.values import Key, Number, lift
from xenproofs.symbolic.words import (
    SymbolicDescriptors,
    SymbolicPae,
    SymbolicPte,
    SymbolicWords,
    SymbolicXens,
)
from xenspec.vocabulary import RESERVED, DomId, Mfn, VcpuId

if TYPE_CHECKING:
    from xenproofs.symbolic.fields import Field
    from xenproofs.symbolic.paths import Path
    from xenproofs.symbolic.scope import Scope
    from xenproofs.symbolic.terms import Term

SCHEMA: Final[dict[str, tuple[type, tuple[Kind, ...]]]] = {
    "frames": (Frame, (K_FRAME,)),
    "entries": (Entry, (K_FRAME, K_SLOT)),
    "flights": (Flight, (K_FLIGHT,)),
    "m2p": (MachineToPhys, (K_FRAME,)),
    "domains": (Domain, (K_DOMAIN,)),
    "vcpus": (Vcpu, (K_VCPU,)),
    "gdt": (TablePage, (K_VCPU, K_INDEX)),
    "ldt": (TablePage, (K_VCPU, K_INDEX)),
    "traps": (TrapHandler, (K_VCPU, K_NUMBER)),
    "event_frames": (NamedFrame, (K_DOMAIN, K_INDEX)),
    "eoi_frames": (NamedFrame, (K_DOMAIN,)),
    "unattributed": (Unattributed, (K_FRAME,)),
    "cpus": (PhysicalCpu, (K_CPU,)),
    "dirty": (DirtyCpu, (K_DOMAIN, K_CPU)),
    "tlb": (TlbEntry, (K_CPU, K_PAGE)),
    "world": (Globals, (K_NUMBER,)),
    "prefixes": (Prefix, (K_CPU, K_LEVEL, K_PREFIX)),
    "demotions": (Demotion, (K_FRAME,)),
    "channels": (Channels, (K_DOMAIN,)),
    "ports": (Port, (K_DOMAIN, K_PORT)),
    "signals": (Signal, (K_DOMAIN, K_PORT)),
    "selectors": (Selector, (K_VCPU, K_BANK)),
    "upcalls": (Upcall, (K_VCPU,)),
    "event_words": (EventWord, (K_DOMAIN, K_PORT)),
    "heads": (Head, (K_VCPU, K_PRIORITY)),
    "queues": (Queue, (K_VCPU, K_PRIORITY)),
    "virqs": (Binding, (K_VCPU, K_VIRQ)),
    "pirqs": (Line, (K_DOMAIN, K_PIRQ)),
    "waits": (Wait, (K_VCPU,)),
    "polled": (PolledPort, (K_VCPU, K_PORT)),
    "notices": (Notice, (K_VCPU,)),
    "handlers": (Handler, (K_VCPU,)),
    "scans": (Scan, (K_VCPU, K_BANK)),
    "taken": (Taken, (K_VCPU, K_PRIORITY)),
    "grant_tables": (GrantTable, (K_DOMAIN,)),
    "grant_frames": (NamedFrame, (K_DOMAIN, K_INDEX)),
    "status_frames": (NamedFrame, (K_DOMAIN, K_INDEX)),
    "active": (ActiveGrant, (K_DOMAIN, K_GRANT)),
    "mappings": (Mapping, (K_DOMAIN, K_HANDLE)),
    "unmappings": (Unmapping, (K_VCPU, K_PLACE)),
    "copies": (CopySide, (K_VCPU, K_SIDE)),
    "passed": (PassedGrant, (K_VCPU, K_SIDE)),
    "transfers": (Transfer, (K_VCPU,)),
}
"""Every table of Machine: its row class and what it is keyed by. A test compares this with Machine."""
EVENT_TABLES: Final = tuple(SCHEMA)[tuple(SCHEMA).index("channels") : tuple(SCHEMA).index("grant_tables")]
"""The tables of event channels."""
GRANT_TABLES: Final = tuple(SCHEMA)[tuple(SCHEMA).index("grant_tables") :]
"""The tables of grants."""

CPU_COUNT: Final = terms.symbol("cpu_count", INT)


@cache
def row_sorts(row: type) -> dict[str, Sort]:
    """Return the sort of each field of a row class."""
    named = {id(Mfn): FRAME, id(VcpuId): VCPU, id(DomId): INT}
    hints = get_type_hints(row)
    return {name: named.get(id(hint), BOOL if hint is bool else INT) for name, hint in hints.items()}


@cache
def enumerations() -> list[tuple[str, str, list[int]]]:
    """Return every field that holds a member of an enumeration: table, field, the members' numbers."""
    found: list[tuple[str, str, list[int]]] = []
    for table, (row, _) in SCHEMA.items():
        for name, hint in get_type_hints(row).items():
            if isinstance(hint, type) and issubclass(hint, IntEnum):
                found.append((table, name, [int(member) for member in hint]))
    return found


def _fresh(row: type, name: str, keys: tuple[Term, ...]) -> Term:
    """Return what a field holds in a row that nobody has written; port 0 alone is not free."""
    sort = row_sorts(row)[name]
    value = lift(getattr(row(), name), sort)
    if row is Port and name == "state":
        return terms.choice(terms.equal(keys[1], terms.integer(0)), lift(int(RESERVED), INT), value)
    return value


class SymbolicMachine:
    """What stands for xenmodel.machine.Machine in a proof: the same attributes, symbolic."""

    def __init__(self, path: Path, scope: Scope, *, pae: bool = False) -> None:
        self.path = path
        self.scope = scope
        self.tables = {
            name: SymbolicTable(name, kinds, row_sorts(row), path, scope)
            for name, (row, kinds) in SCHEMA.items()
        }
        for name, (row, _) in SCHEMA.items():
            self.tables[name].fresh = partial(_fresh, row)
        self.frames = self.tables["frames"]
        self.entries = self.tables["entries"]
        self.flights = self.tables["flights"]
        self.m2p = self.tables["m2p"]
        self.domains = self.tables["domains"]
        self.vcpus = self.tables["vcpus"]
        self.gdt = self.tables["gdt"]
        self.ldt = self.tables["ldt"]
        self.traps = self.tables["traps"]
        self.event_frames = self.tables["event_frames"]
        self.eoi_frames = self.tables["eoi_frames"]
        self.unattributed = self.tables["unattributed"]
        self.cpus = self.tables["cpus"]
        self.dirty = self.tables["dirty"]
        self.tlb, self.prefixes = self.tables["tlb"], self.tables["prefixes"]
        self.world, self.demotions = self.tables["world"], self.tables["demotions"]
        self._add_event_channels()
        self._add_grants()
        self.words = SymbolicWords(path, scope)
        self.ghost = SymbolicGhost(path, scope)
        self.ghost.watch_links(self.entries, self._note_link)
        self.cpu_count = Number(CPU_COUNT, path)
        self.pte = SymbolicPae(path) if pae else SymbolicPte(path)
        self.descriptors = SymbolicDescriptors(path)
        self.segments = self.descriptors
        self.xens = SymbolicXens(path)
        self.held = HeldTable(self.ghost)
        self.counts = CountsTable(self.ghost)
        entry = (K_FRAME, K_SLOT)
        self.authors = SymbolicTable("authors", entry, {"domain": INT}, path)
        self.xen_slots: dict[int, int] = {}

    def _add_event_channels(self) -> None:
        """Give the machine the tables of event channels, and the sizes that go with them."""
        for name in EVENT_TABLES:
            setattr(self, name, self.tables[name])
        self.census = Census(self.tables, self.path, self.scope)
        self.workers, self.used = self.census.sizes["workers"], self.census.sizes["used"]

    def _add_grants(self) -> None:
        """Give the machine the tables of grants, and the sizes that go with them."""
        for name in GRANT_TABLES:
            setattr(self, name, self.tables[name])
        self.pins, self.shares = self.census.sizes["pins"], self.census.sizes["shares"]
        self.charged, self.xens_pages = self.census.sizes["charged"], self.census.sizes["xens_pages"]
        self.grants = SymbolicGrants(self.path)
        self.matching = Matching(self.tables, self.path)
        self.rests, self.places, self.backers = (
            self.matching.rests,
            self.matching.places,
            self.matching.backers,
        )
        self.pasts = self.matching.pasts
        self.granted = GrantedTable(self.matching, self.path)

    def _note_link(self, keys: tuple[Term, ...], value: object) -> None:
        """Remember by whose call an entry is linked, and what it rests on."""
        acting = self.matching.arguments.get("k")
        if value is True and isinstance(acting, Key):
            self.authors.write(keys, "domain", self.vcpus[acting[0]].domain)
        self.matching.links(keys, value)

    def fields(self) -> list[Field]:
        """Return every field of the real state: what a step's declared writes speak of."""
        return [f for table in self.tables.values() for f in table.fields.values()] + [self.words.field]

    def written(self) -> list[str]:
        """Return the names of the fields that have an update."""
        return [f.name for f in self.fields() if f.updates]

    def background(self) -> list[Term]:
        """Return what is known of the machine's constants, and that a vCPU is a domain and a number."""
        domain, number = PARTS[VCPU, 0], PARTS[VCPU, 1]

        def is_its_numbers(v: tuple[Term, ...]) -> Term:
            return terms.equal(terms.apply(MADE_VCPU, terms.apply(domain, *v), terms.apply(number, *v)), *v)

        def has_its_numbers(k: tuple[Term, ...]) -> Term:
            made = terms.apply(MADE_VCPU, *k)
            same = (
                terms.equal(terms.apply(part, made), n) for part, n in zip((domain, number), k, strict=True)
            )
            return terms.conjunction(same)

        return [
            terms.order("<=", terms.integer(1), CPU_COUNT),
            self.scope.forall((K_VCPU,), is_its_numbers, "vcpu"),
            self.scope.forall((K_DOMAIN, K_NUMBER), has_its_numbers, "vcpu"),
        ]


def check_schema() -> list[str]:
    """Return what of a row class the schema does not know: nothing, or the engine is out of date."""
    return [
        f"{table}.{f.name}"
        for table, (row, _) in SCHEMA.items()
        for f in fields(row)
        if f.name not in row_sorts(row)
    ]
