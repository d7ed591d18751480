"""The whole state: tables of rows, and the read-only view of them that hypercalls have.

Nothing else in the model keeps state. `Machine.plain(...)` is the fast backing; checkers and proofs build a
Machine with tables of their own. `View` is what hypercalls are typed against: the same object, whose rows
they may read and must not assign (steps alone change state; see xenmodel.step).
"""

from dataclasses import dataclass, field
from typing import Protocol

from xenmodel.abi.descriptor import DESCRIPTOR_BYTES, DescriptorFormat, Descriptors, NoDescriptors
from xenmodel.abi.geometry import FourLevel, PteFormat
from xenmodel.abi.grant import GrantEntries, GrantFormat
from xenmodel.abi.memory_map import MemoryMap
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
    new_port,
)
from xenmodel.events.views import (
    BindingView,
    ChannelsView,
    EventWordView,
    HandlerView,
    HeadView,
    LineView,
    NoticeView,
    PolledPortView,
    PortView,
    QueueView,
    ScanView,
    SelectorView,
    SignalView,
    TakenView,
    UpcallView,
    WaitView,
)
from xenmodel.grants.rows import ActiveGrant, CopySide, GrantTable, Mapping, PassedGrant, Transfer, Unmapping
from xenmodel.grants.views import (
    ActiveGrantView,
    CopySideView,
    GrantTableView,
    MappingView,
    PassedGrantView,
    TransferView,
    UnmappingView,
)
from xenmodel.hardware.rows import Prefix, TlbEntry
from xenmodel.memory.holders import Ghost, NoGhost
from xenmodel.memory.rows import Demotion, Entry, Flight, Frame, MachineToPhys, Place
from xenmodel.views import (
    DomainView,
    EntryView,
    FlightView,
    FrameView,
    NamedFrameView,
    VcpuView,
    WordsView,
)
from xenspec.table import PlainTable, PlainWords, ReadTable, Table, Words
from xenspec.vocabulary import DOMID_IO, DomId


class View(Protocol):
    """What a hypercall may look at."""

    @property
    def frames(self) -> ReadTable[int, FrameView]: ...  # noqa: D102 - named by its table
    @property
    def entries(self) -> ReadTable[tuple[int, int], EntryView]: ...  # noqa: D102
    @property
    def words(self) -> WordsView: ...  # noqa: D102
    @property
    def flights(self) -> ReadTable[tuple[tuple[int, int], int], FlightView]: ...  # noqa: D102
    @property
    def domains(self) -> ReadTable[int, DomainView]: ...  # noqa: D102
    @property
    def vcpus(self) -> ReadTable[tuple[int, int], VcpuView]: ...  # noqa: D102
    @property
    def gdt(self) -> ReadTable[tuple[tuple[int, int], int], NamedFrameView]: ...  # noqa: D102
    @property
    def ldt(self) -> ReadTable[tuple[tuple[int, int], int], NamedFrameView]: ...  # noqa: D102
    @property
    def traps(self) -> ReadTable[tuple[tuple[int, int], int], TrapHandler]: ...  # noqa: D102
    @property
    def event_frames(self) -> ReadTable[tuple[int, int], NamedFrameView]: ...  # noqa: D102
    @property
    def eoi_frames(self) -> ReadTable[int, NamedFrameView]: ...  # noqa: D102
    @property
    def unattributed(self) -> ReadTable[int, Unattributed]: ...  # noqa: D102
    @property
    def cpus(self) -> ReadTable[int, PhysicalCpu]: ...  # noqa: D102
    @property
    def tlb(self) -> ReadTable[tuple[int, int], TlbEntry]: ...  # noqa: D102
    @property
    def prefixes(self) -> ReadTable[tuple[int, int, int], Prefix]: ...  # noqa: D102
    @property
    def dirty(self) -> ReadTable[tuple[int, int], DirtyCpu]: ...  # noqa: D102
    @property
    def channels(self) -> ReadTable[int, ChannelsView]: ...  # noqa: D102
    @property
    def ports(self) -> ReadTable[tuple[int, int], PortView]: ...  # noqa: D102
    @property
    def signals(self) -> ReadTable[tuple[int, int], SignalView]: ...  # noqa: D102
    @property
    def selectors(self) -> ReadTable[tuple[tuple[int, int], int], SelectorView]: ...  # noqa: D102
    @property
    def upcalls(self) -> ReadTable[tuple[int, int], UpcallView]: ...  # noqa: D102
    @property
    def event_words(self) -> ReadTable[tuple[int, int], EventWordView]: ...  # noqa: D102
    @property
    def heads(self) -> ReadTable[tuple[tuple[int, int], int], HeadView]: ...  # noqa: D102
    @property
    def queues(self) -> ReadTable[tuple[tuple[int, int], int], QueueView]: ...  # noqa: D102
    @property
    def virqs(self) -> ReadTable[tuple[tuple[int, int], int], BindingView]: ...  # noqa: D102
    @property
    def pirqs(self) -> ReadTable[tuple[int, int], LineView]: ...  # noqa: D102
    @property
    def waits(self) -> ReadTable[tuple[int, int], WaitView]: ...  # noqa: D102
    @property
    def polled(self) -> ReadTable[tuple[tuple[int, int], int], PolledPortView]: ...  # noqa: D102
    @property
    def notices(self) -> ReadTable[tuple[int, int], NoticeView]: ...  # noqa: D102
    @property
    def handlers(self) -> ReadTable[tuple[int, int], HandlerView]: ...  # noqa: D102
    @property
    def scans(self) -> ReadTable[tuple[tuple[int, int], int], ScanView]: ...  # noqa: D102
    @property
    def taken(self) -> ReadTable[tuple[tuple[int, int], int], TakenView]: ...  # noqa: D102
    @property
    def grant_tables(self) -> ReadTable[int, GrantTableView]: ...  # noqa: D102
    @property
    def grant_frames(self) -> ReadTable[tuple[int, int], NamedFrameView]: ...  # noqa: D102
    @property
    def status_frames(self) -> ReadTable[tuple[int, int], NamedFrameView]: ...  # noqa: D102
    @property
    def active(self) -> ReadTable[tuple[int, int], ActiveGrantView]: ...  # noqa: D102
    @property
    def mappings(self) -> ReadTable[tuple[int, int], MappingView]: ...  # noqa: D102
    @property
    def unmappings(self) -> ReadTable[tuple[tuple[int, int], int], UnmappingView]: ...  # noqa: D102
    @property
    def copies(self) -> ReadTable[tuple[tuple[int, int], int], CopySideView]: ...  # noqa: D102
    @property
    def passed(self) -> ReadTable[tuple[tuple[int, int], int], PassedGrantView]: ...  # noqa: D102
    @property
    def transfers(self) -> ReadTable[tuple[int, int], TransferView]: ...  # noqa: D102
    @property
    def grants(self) -> GrantFormat: ...  # noqa: D102
    @property
    def cpu_count(self) -> int: ...  # noqa: D102
    @property
    def pte(self) -> PteFormat: ...  # noqa: D102
    @property
    def descriptors(self) -> DescriptorFormat: ...  # noqa: D102


@dataclass(slots=True)
class Machine:
    """Every table of the model. Keys are the vocabulary's; see each row's class for its fields."""

    frames: Table[int, Frame]
    entries: Table[tuple[int, int], Entry]
    words: Words
    flights: Table[tuple[tuple[int, int], int], Flight]
    m2p: Table[int, MachineToPhys]
    domains: Table[int, Domain]
    vcpus: Table[tuple[int, int], Vcpu]
    gdt: Table[tuple[tuple[int, int], int], TablePage]
    ldt: Table[tuple[tuple[int, int], int], TablePage]
    traps: Table[tuple[tuple[int, int], int], TrapHandler]
    event_frames: Table[tuple[int, int], NamedFrame]
    eoi_frames: Table[int, NamedFrame]
    unattributed: Table[int, Unattributed]
    cpus: Table[int, PhysicalCpu]
    dirty: Table[tuple[int, int], DirtyCpu]
    tlb: Table[tuple[int, int], TlbEntry]
    world: Table[int, Globals]
    ghost: Ghost
    cpu_count: int
    pte: PteFormat
    descriptors: DescriptorFormat
    xen_slots: dict[int, int]
    """What Xen writes into the L4 slots that belong to it, but for the self map (slot 258)."""
    prefixes: Table[tuple[int, int, int], Prefix] = field(
        default_factory=lambda: PlainTable("prefixes", lambda _: Prefix())
    )
    demotions: Table[int, Demotion] = field(
        default_factory=lambda: PlainTable("demotions", lambda _: Demotion())
    )
    # Event channels; empty to begin with, as they are in every domain.
    channels: Table[int, Channels] = field(
        default_factory=lambda: PlainTable("channels", lambda _: Channels())
    )
    ports: Table[tuple[int, int], Port] = field(default_factory=lambda: PlainTable("ports", new_port))
    signals: Table[tuple[int, int], Signal] = field(
        default_factory=lambda: PlainTable("signals", lambda _: Signal())
    )
    selectors: Table[tuple[tuple[int, int], int], Selector] = field(
        default_factory=lambda: PlainTable("selectors", lambda _: Selector())
    )
    upcalls: Table[tuple[int, int], Upcall] = field(
        default_factory=lambda: PlainTable("upcalls", lambda _: Upcall())
    )
    event_words: Table[tuple[int, int], EventWord] = field(
        default_factory=lambda: PlainTable("event_words", lambda _: EventWord())
    )
    heads: Table[tuple[tuple[int, int], int], Head] = field(
        default_factory=lambda: PlainTable("heads", lambda _: Head())
    )
    queues: Table[tuple[tuple[int, int], int], Queue] = field(
        default_factory=lambda: PlainTable("queues", lambda _: Queue())
    )
    virqs: Table[tuple[tuple[int, int], int], Binding] = field(
        default_factory=lambda: PlainTable("virqs", lambda _: Binding())
    )
    pirqs: Table[tuple[int, int], Line] = field(default_factory=lambda: PlainTable("pirqs", lambda _: Line()))
    waits: Table[tuple[int, int], Wait] = field(default_factory=lambda: PlainTable("waits", lambda _: Wait()))
    polled: Table[tuple[tuple[int, int], int], PolledPort] = field(
        default_factory=lambda: PlainTable("polled", lambda _: PolledPort())
    )
    notices: Table[tuple[int, int], Notice] = field(
        default_factory=lambda: PlainTable("notices", lambda _: Notice())
    )
    handlers: Table[tuple[int, int], Handler] = field(
        default_factory=lambda: PlainTable("handlers", lambda _: Handler())
    )
    scans: Table[tuple[tuple[int, int], int], Scan] = field(
        default_factory=lambda: PlainTable("scans", lambda _: Scan())
    )
    taken: Table[tuple[tuple[int, int], int], Taken] = field(
        default_factory=lambda: PlainTable("taken", lambda _: Taken())
    )
    # Grant tables; those of a new domain.
    grant_tables: Table[int, GrantTable] = field(
        default_factory=lambda: PlainTable("grant_tables", lambda _: GrantTable())
    )
    grant_frames: Table[tuple[int, int], NamedFrame] = field(
        default_factory=lambda: PlainTable("grant_frames", lambda _: NamedFrame())
    )
    status_frames: Table[tuple[int, int], NamedFrame] = field(
        default_factory=lambda: PlainTable("status_frames", lambda _: NamedFrame())
    )
    active: Table[tuple[int, int], ActiveGrant] = field(
        default_factory=lambda: PlainTable("active", lambda _: ActiveGrant())
    )
    mappings: Table[tuple[int, int], Mapping] = field(
        default_factory=lambda: PlainTable("mappings", lambda _: Mapping())
    )
    unmappings: Table[tuple[tuple[int, int], int], Unmapping] = field(
        default_factory=lambda: PlainTable("unmappings", lambda _: Unmapping())
    )
    copies: Table[tuple[tuple[int, int], int], CopySide] = field(
        default_factory=lambda: PlainTable("copies", lambda _: CopySide())
    )
    passed: Table[tuple[tuple[int, int], int], PassedGrant] = field(
        default_factory=lambda: PlainTable("passed", lambda _: PassedGrant())
    )
    transfers: Table[tuple[int, int], Transfer] = field(
        default_factory=lambda: PlainTable("transfers", lambda _: Transfer())
    )
    grants: GrantFormat = field(default_factory=GrantEntries)


def new_frame(memory: MemoryMap, mfn: int) -> Frame:
    """Return the row of a frame that nothing is known of: I/O space, or RAM that nobody owns."""
    if memory.is_ram(mfn):
        return Frame()
    known = 0 <= mfn < memory.frames
    return Frame(
        owner=DOMID_IO,
        place=Place.IO,
        allocated=known,
        ref_count=1 if known else 0,
        mappable_io=memory.mappable_io(mfn),
        readonly_io=memory.readonly_io(mfn),  # type: ignore[arg-type]  # a key is an Mfn
    )


TABLES = (
    "frames",
    "entries",
    "flights",
    "m2p",
    "domains",
    "vcpus",
    "gdt",
    "ldt",
    "traps",
    "event_frames",
    "eoi_frames",
    "unattributed",
    "cpus",
    "dirty",
    "tlb",
    "world",
    "prefixes",
    "demotions",
    "channels",
    "ports",
    "signals",
    "selectors",
    "upcalls",
    "event_words",
    "heads",
    "queues",
    "virqs",
    "pirqs",
    "waits",
    "polled",
    "notices",
    "handlers",
    "scans",
    "taken",
    "grant_tables",
    "grant_frames",
    "status_frames",
    "active",
    "mappings",
    "unmappings",
    "copies",
    "passed",
    "transfers",
)
"""Names of the tables of rows, in Machine's order (`words` is apart)."""


def plain_machine(
    memory: MemoryMap, *, cpu_count: int = 1, ghost: Ghost | None = None, pte: PteFormat | None = None
) -> Machine:
    """Return an empty machine of plain rows with the given address map and geometry (FourLevel)."""
    geometry: PteFormat = FourLevel() if pte is None else pte
    return Machine(
        frames=PlainTable("frames", lambda mfn: new_frame(memory, mfn)),
        entries=PlainTable("entries", lambda _: Entry()),
        words=PlainWords(geometry.slots, (geometry.xen_first, geometry.xen_end), geometry.self_map),
        flights=PlainTable("flights", lambda _: Flight()),
        m2p=PlainTable("m2p", lambda _: MachineToPhys()),
        domains=PlainTable("domains", lambda _: Domain()),
        vcpus=PlainTable("vcpus", lambda v: Vcpu(domain=DomId(v[0]))),
        gdt=PlainTable("gdt", lambda _: TablePage()),
        ldt=PlainTable("ldt", lambda _: TablePage()),
        traps=PlainTable("traps", lambda _: TrapHandler()),
        event_frames=PlainTable("event_frames", lambda _: NamedFrame()),
        eoi_frames=PlainTable("eoi_frames", lambda _: NamedFrame()),
        unattributed=PlainTable("unattributed", lambda _: Unattributed()),
        cpus=PlainTable("cpus", lambda _: PhysicalCpu()),
        dirty=PlainTable("dirty", lambda _: DirtyCpu()),
        tlb=PlainTable("tlb", lambda _: TlbEntry()),
        world=PlainTable("world", lambda _: Globals()),
        ghost=NoGhost() if ghost is None else ghost,
        cpu_count=cpu_count,
        pte=geometry,
        descriptors=Descriptors() if geometry.word_bytes == DESCRIPTOR_BYTES else NoDescriptors(),
        xen_slots={},
    )
