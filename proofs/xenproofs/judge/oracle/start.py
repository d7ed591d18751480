"""The machine that a case starts on: the asker's boot tables and pages, and the other domain's frames.

Frame numbers and addresses are this module's choice: no answer shows one. (An event word of the FIFO ABI,
read as an entry, must not look like one of these frames.) Everything that the asking program has, but that no
case looks at, is left out: the start has about twenty rows, whatever the machine's size.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Final, Literal, Protocol, runtime_checkable

from xenmodel.abi import pte
from xenmodel.abi.geometry import FourLevel
from xenmodel.abi.memory_map import MemoryMap
from xenmodel.domains.rows import DirtyCpu, Domain, NamedFrame, PhysicalCpu, Unattributed, Vcpu
from xenmodel.events.rows import Channels, Upcall
from xenmodel.grants.rows import GrantTable
from xenmodel.machine import Machine, new_frame, plain_machine
from xenmodel.memory.rows import Entry, Frame
from xenspec.table import SELF_MAP_FLAGS, SELF_MAP_SLOT, PlainTable, PlainWords
from xenspec.vocabulary import SLOTS, DomId, Mfn, PageType, Va, VcpuId

Asker = Literal["dom0", "guest"]
"""Who asks: Domain0, beside a passive domain 1; or an unprivileged domain 1, beside Domain0."""
ASKERS: Final[tuple[Asker, ...]] = ("dom0", "guest")

MAX_PAGE: Final = 0xA0000
MEMORY: Final = MemoryMap(ram=((0, MAX_PAGE),), frames=MAX_PAGE)
VCPUS: Final = 4
MOST_PAGES: Final = 8
"""Pages p, and frames f, that a case may have."""
PAGES_CHARGED: Final = 64
"""tot_pages of either domain."""
QUOTA: Final = 0x50000
"""max_pages: more than any case takes."""

OWN_PAGES: Final = Mfn(0x11000)
FOREIGN_FRAMES: Final = Mfn(0x21000)
FRESH_FRAMES: Final = Mfn(0x31000)
"""Where frames begin that nobody owns: what the allocator hands out."""

BOOT: Final = (Mfn(0x8004), Mfn(0x8003), Mfn(0x8002), Mfn(0x8001))
"""The boot tables, from level 4 down."""
SHARED_INFO: Final = Mfn(0x8010)
GRANT_FRAME: Final = Mfn(0x8011)
START_INFO: Final = Mfn(0x8012)
GRANT_PAGES: Final = (Mfn(0x9000), Mfn(0x9100))
"""Where the pages of Domain0's grant table begin, and of domain 1's; the asker's first one is GRANT_FRAME."""
GRANT_FRAMES: Final = 64
"""Pages of a table."""
PHYSICAL_INTERRUPTS: Final = (208, 56)
"""Interrupts that Domain0 may name, and domain 1 (nr_pirqs): of one CPU, and one IO-APIC of 24 lines."""
HANDLES: Final = 256
FIRST_HANDLE: Final = 64
"""Handles that there are, and the next one: earlier cases have used some."""
XEN_IMAGE: Final = Mfn(0x8020)
XEN_TABLES: Final = Mfn(0x8021)
"""Stands for the tables of Xen's own that it writes into its slots of a top-level table."""

SPECIAL: Final[dict[str, Mfn]] = {
    "bootl4": BOOT[0],
    "bootl3": BOOT[1],
    "bootl2": BOOT[2],
    "bootl1": BOOT[3],
    "shinfo": SHARED_INFO,
    "gnt0": GRANT_FRAME,
    "startinfo": START_INFO,
    "xen": XEN_IMAGE,
    "invalid": Mfn(MAX_PAGE + 0x1000),
    "mmio_vga": Mfn(0xB8),
    "mmio_lapic": Mfn(0xFEE00),
}

FIRST_VA: Final[dict[Asker, Va]] = {"dom0": Va(0xFFFFFFFF90000000), "guest": Va(0xFFFFFFFF88000000)}
"""The own address of p0. Domain0's kernel has level-1 tables at the first, the guest's has none."""
BOOT_FLAGS: Final = 0x67
"""Present, writable, user, accessed, dirty: what the boot tables' entries have."""

NO_WORDS: Final[dict[int, int]] = {}
XEN_SLOTS: Final[dict[int, int]] = {
    256: pte.entry(XEN_TABLES, 0x8000000000000025),
    260: pte.entry(XEN_TABLES, 0x8000000000000063),
    261: pte.entry(XEN_TABLES, 0x67),
    262: pte.entry(XEN_TABLES, 0x8000000000000063),
}
"""What Xen writes into its slots; the driver lets user mode through 261, to read Xen's frame table."""


@dataclass(frozen=True, slots=True)
class Start:
    """A fresh machine, and who asks on it."""

    machine: Machine
    asker: VcpuId
    domain: DomId
    first_va: Va


@runtime_checkable
class Emptied(Protocol):
    """A table of plain rows, as far as a bench needs it."""

    @property
    def name(self) -> str:
        """Return the table's name."""
        ...

    def clear(self) -> None:
        """Forget every row."""
        ...


class Bench:
    """Makes machines for one asker, one at a time: a row of the start is made when it is first looked at.

    The start is always the same, with eight pages p and eight frames f; a case names as many as it needs.
    """

    def __init__(self, by: Asker) -> None:
        self._domain: Final = DomId(0 if by == "dom0" else 1)
        self._asker: Final = VcpuId((self._domain, 0))
        self._frames: Final = _frames(self._domain, by)
        self._links: Final = _links(FourLevel.indices(FIRST_VA[by]))
        self._words: Final = _words(self._links)
        self._held: Final = _held_elsewhere(by)
        m = self._build()
        self.start: Final = Start(m, self._asker, self._domain, FIRST_VA[by])
        self._tables: Final = [
            table for item in fields(m) if isinstance(table := getattr(m, item.name), Emptied)
        ]

    def restart(self) -> Start:
        """Forget the case before, whatever it did, and return the machine as new."""
        for table in self._tables:
            table.clear()
        m = self.start.machine
        m.words = words = PlainWords()
        words.pages = {frame: page.copy() for frame, page in self._words.items()}
        return self.start

    def make_rows(self) -> None:
        """Make every row of the start, for whoever lists them."""
        m = self.start.machine
        touched: list[object] = [m.frames[mfn] for mfn in self._frames]
        touched += [m.entries[at] for at in self._links]
        touched += [m.unattributed[mfn] for mfn in self._held]
        touched += [m.grant_frames[domain, index] for domain in (0, 1) for index in range(GRANT_FRAMES)]
        touched += [m.domains[0], m.domains[1], m.vcpus[self._asker], m.cpus[0], m.dirty[self._domain, 0]]

    def first_word(self, at: tuple[int, int]) -> int:
        """Return the word with which a case starts at (frame, slot)."""
        return self._words.get(at[0], NO_WORDS).get(at[1], 0)

    def _build(self) -> Machine:
        m = plain_machine(MEMORY)
        m.xen_slots.update(XEN_SLOTS)
        m.frames = PlainTable("frames", self._frame)
        m.entries = PlainTable("entries", self._entry)
        m.unattributed = PlainTable("unattributed", self._unattributed)
        m.domains = PlainTable("domains", lambda number: _domain(number, self._domain))
        m.vcpus = PlainTable("vcpus", self._vcpu)
        m.cpus = PlainTable("cpus", lambda _: PhysicalCpu(current=self._asker))
        m.upcalls = PlainTable("upcalls", lambda _: Upcall(masked=True))
        m.channels = PlainTable("channels", _channels)
        m.grant_tables = PlainTable("grant_tables", _grant_table)
        m.grant_frames = PlainTable("grant_frames", self._grant_frame)
        m.dirty = PlainTable("dirty", lambda at: DirtyCpu(dirty=at == (self._domain, 0)))
        return m

    def _frame(self, mfn: int) -> Frame:
        make = self._frames.get(mfn)
        return new_frame(MEMORY, mfn) if make is None else make()

    def _entry(self, at: tuple[int, int]) -> Entry:
        found = self._links.get(at)
        if found is None:
            return Entry()
        return Entry(linked=True, linked_as=found[0], target=found[1], writable=True, backed=True)

    def _unattributed(self, mfn: int) -> Unattributed:
        held = 1 if mfn in self._held else 0
        return Unattributed(typed=held, general=held)

    def _grant_frame(self, page: tuple[int, int]) -> NamedFrame:
        """Return a page of a grant table."""
        domain, index = page
        if domain not in (0, 1) or not 0 <= index < GRANT_FRAMES:
            return NamedFrame()
        return NamedFrame(_grant_frame_of(self._domain, domain, index))

    def _vcpu(self, vcpu: tuple[int, int]) -> Vcpu:
        if vcpu != self._asker:
            return Vcpu(domain=DomId(vcpu[0]))
        return Vcpu(domain=self._domain, initialised=True, up=True, base=BOOT[0])


def _domain(number: int, asker: DomId) -> Domain:
    """Return Domain0, domain 1, or one that does not exist; the asker has a page of shared information."""
    if number not in (0, 1):
        return Domain()
    control = number == 0
    return Domain(
        exists=True,
        privileged=control,
        io_rights=control,
        vcpus=VCPUS,
        pages=PAGES_CHARGED,
        xen_pages=GRANT_FRAMES + (number == asker),
        max_pages=QUOTA,
    )


def _grant_pages(asker: DomId) -> dict[Mfn, DomId]:
    """Return the owner of each page of the two grant tables."""
    keys = [(DomId(domain), index) for domain in (0, 1) for index in range(GRANT_FRAMES)]
    return {_grant_frame_of(asker, domain, index): domain for domain, index in keys}


def _grant_frame_of(asker: DomId, domain: int, index: int) -> Mfn:
    """Return a page of a grant table; only the asker's first one has a name."""
    return GRANT_FRAME if (domain, index) == (asker, 0) else Mfn(GRANT_PAGES[domain] + index)


def _channels(number: int) -> Channels:
    """Return what Domain0's event channels have in common, domain 1's, or a new domain's."""
    return Channels(pirqs=PHYSICAL_INTERRUPTS[number]) if number in (0, 1) else Channels()


def _grant_table(number: int) -> GrantTable:
    """Return Domain0's grant table, domain 1's, or that of a new domain."""
    if number not in (0, 1):
        return GrantTable()
    return GrantTable(frames=GRANT_FRAMES, handles=HANDLES, next_handle=FIRST_HANDLE)


def _held_elsewhere(by: Asker) -> frozenset[int]:
    """Return the frames whose one mapping is not part of the start: nothing there explains it."""
    shared = {SHARED_INFO, START_INFO, *_grant_pages(DomId(0 if by == "dom0" else 1))}
    others = {FOREIGN_FRAMES + index for index in range(MOST_PAGES)} if by == "guest" else set[int]()
    return frozenset(shared | others)


def _links(path: tuple[int, ...]) -> dict[tuple[int, int], tuple[int, Mfn]]:
    """Return level and target of the boot tables' entries: the way down to the pages, and the pages."""
    ways: dict[tuple[int, int], tuple[int, Mfn]] = {
        (BOOT[4 - level], path[4 - level]): (level, BOOT[5 - level]) for level in (4, 3, 2)
    }
    pages: dict[tuple[int, int], tuple[int, Mfn]] = {
        (BOOT[3], path[3] + index): (1, Mfn(OWN_PAGES + index)) for index in range(MOST_PAGES)
    }
    return ways | pages


def _words(links: dict[tuple[int, int], tuple[int, Mfn]]) -> dict[int, dict[int, int]]:
    """Return the words of the boot tables by frame: those entries, and Xen's slots of the first."""
    found: dict[int, dict[int, int]] = {frame: {} for frame in BOOT}
    for (frame, slot), (_, target) in links.items():
        found[frame][slot] = pte.entry(target, BOOT_FLAGS)
    found[BOOT[0]] |= {**XEN_SLOTS, SELF_MAP_SLOT: pte.entry(BOOT[0], SELF_MAP_FLAGS)}
    return found


def _frames(domain: DomId, by: Asker) -> dict[int, Callable[[], Frame]]:
    """Return what makes the row of each frame that is not just memory nobody owns, or I/O space."""
    other = DomId(1 - domain)
    own, shared = partial(_memory, domain, special=False), partial(_memory, domain, special=True)
    foreign = partial(_unused if by == "dom0" else partial(_memory, special=False), other)
    tables: dict[int, Callable[[], Frame]] = {
        mfn: partial(_table, domain, PageType(4 - index)) for index, mfn in enumerate(BOOT)
    }
    pages = {OWN_PAGES + index: own for index in range(MOST_PAGES)}
    others = {FOREIGN_FRAMES + index: foreign for index in range(MOST_PAGES)}
    grants: dict[int, Callable[[], Frame]] = {
        mfn: partial(_grant_page, owner) for mfn, owner in _grant_pages(domain).items()
    }
    return {**tables, **pages, **others, **grants, SHARED_INFO: shared, START_INFO: own}


def _table(owner: DomId, kind: PageType) -> Frame:
    """Return a boot table: linked, or pinned and loaded."""
    top = kind == PageType.L4
    held = 2 if top else 1
    return Frame(
        owner=owner,
        allocated=True,
        type=kind,
        type_count=held,
        ref_count=held + 1,
        validated=True,
        pinned=top,
        next_slot=SLOTS,
    )


def _memory(owner: DomId, *, special: bool) -> Frame:
    """Return a page that is mapped writable once; a special one, that Xen holds writable itself."""
    return Frame(
        owner=owner,
        allocated=True,
        special=special,
        type=PageType.WRITABLE,
        type_count=1,
        ref_count=2,
        validated=True,
    )


def _grant_page(owner: DomId) -> Frame:
    """Return a page of a grant table: Xen holds it writable, and somebody has mapped it so."""
    page = _memory(owner, special=True)
    page.type_count = 2
    return page


def _unused(owner: DomId) -> Frame:
    """Return a frame that its domain has never used."""
    return Frame(owner=owner, allocated=True, ref_count=1)
