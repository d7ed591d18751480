"""A small world with grant tables: Domain0 and two guests, each with a page of entries, and calls by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.worlds import RW, USER, World
from xenmodel.abi.geometry import FourLevel
from xenmodel.abi.grant import DEVICE_MAP, HOST_MAP, READONLY
from xenmodel.grants.arguments import (
    Answer,
    Batch,
    BatchOp,
    Copy,
    CopyEnd,
    GrantCall,
    GrantResult,
    MapGrantRef,
    SetupTable,
    TransferFrame,
    UnmapAndReplace,
    UnmapGrantRef,
)
from xenmodel.grants.calls import grant_table_op
from xenmodel.grants.guest import write_entry
from xenmodel.grants.tables import add_grant_frame, make_shared
from xenmodel.hardware.tlb import idle_cpu
from xenmodel.hypercall import run
from xenmodel.memory.memory_op import flush_free
from xenmodel.memory.mmuext_op import Command
from xenspec.vocabulary import DOMID_SELF, PAGE_SIZE, Cpu, DomId, GrantFrameId, Mfn, Va

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xenmodel.machine import Machine

VA: Final = Va(0x40003000)
"""Where a guest maps its first page; others follow."""
PERMIT: Final = 1
ACCEPT: Final = 2
FOR_READING: Final = 5
"""GTF_permit_access, GTF_accept_transfer, GTF_permit_access | GTF_readonly."""
HOST: Final = HOST_MAP
BOTH: Final = HOST_MAP | DEVICE_MAP
DEVICE: Final = DEVICE_MAP
READ: Final = READONLY
GUESTS: Final = (0, 1, 2)


class GrantWorld:
    """Three domains on two CPUs, idle to begin with."""

    def __init__(self, cpus: int = 2) -> None:
        self.w: Final = World(FourLevel(), cpus=cpus)
        for cpu in range(cpus):
            idle_cpu(self.m, Cpu(cpu))
        for domain in GUESTS:
            self.add_page(domain)

    @property
    def m(self) -> Machine:
        """The machine, or what has taken it over."""
        return self.w.m

    def add_page(self, domain: int) -> None:
        """Give a domain's table a page; a new table claims one that it does not have yet."""
        table = self.m.grant_tables[domain]
        if self.m.grant_frames[domain, 0].frame < 0:
            table.frames = 0
        f = Mfn(self.w.free.pop(0))
        run(flush_free(self.w.call(domain), f))
        make_shared(self.m, f, DomId(domain))
        add_grant_frame(self.m, GrantFrameId((domain, table.frames)), f)

    def loads(self, domain: int, mappings: Mapping[int, tuple[int, int]], cpu: int = 0) -> Mfn:
        """Let a domain run on tables with these mappings; return the top-level one."""
        self.w.runs(domain, cpu)
        root = self.w.tree(mappings, domain)
        assert self.w.pin(root, domain=domain) == 0
        assert self.w.ext((Command.NEW_BASEPTR, root), domain=domain) == 0
        return root

    def guest(self, domain: int, pages: int, cpu: int = 0) -> list[Mfn]:
        """Let a domain run with pages of its own mapped writable from VA on; return them."""
        frames = [self.w.page(domain) for _ in range(pages)]
        self.loads(domain, {VA + i * PAGE_SIZE: (f, RW | USER) for i, f in enumerate(frames)}, cpu)
        return frames

    def grants(self, domain: int, ref: int, to: int, frame: int, flags: int = PERMIT) -> None:
        """Let a domain write an entry."""
        write_entry(self.m, GrantFrameId((domain, 0)), ref, flags | to << 16 | frame << 32)

    def entry(self, domain: int, ref: int) -> tuple[int, int, int]:
        """Return flags, domain and frame of an entry as its memory has them."""
        word = self.m.words[self.m.grant_frames[domain, 0].frame, ref]
        return word & 0xFFFF, word >> 16 & 0xFFFF, word >> 32

    def asks(self, domain: int, call: GrantCall) -> GrantResult:
        """Make a call."""
        return run(grant_table_op(self.w.call(domain), call))

    def does(self, domain: int, op: BatchOp) -> Answer:
        """Make a call of one operation."""
        return self.asks(domain, Batch((op,))).answers[0]

    def maps(self, domain: int, ref: int, of: int, va: int = VA, flags: int = HOST) -> Answer:
        """Map an entry of another domain."""
        return self.does(domain, MapGrantRef(va, flags, ref, of))

    def unmaps(self, domain: int, handle: int, va: int = VA, device: int = 0) -> Answer:
        """Unmap."""
        return self.does(domain, UnmapGrantRef(va, device, handle))

    def replaces(self, domain: int, handle: int, va: int, new: int) -> Answer:
        """Unmap, and move another mapping there."""
        return self.does(domain, UnmapAndReplace(va, new, handle))

    def copies(self, domain: int, source: tuple[int, int], target: int, length: int = 64) -> Answer:
        """Copy from an entry (domain, reference) into a frame of one's own."""
        ends = CopyEnd(source[0], source[1], 0, by_ref=True), CopyEnd(DOMID_SELF, target, 0, by_ref=False)
        return self.does(domain, Copy(*ends, length))

    def transfers(self, domain: int, frame: int, to: int, ref: int) -> Answer:
        """Give a frame away."""
        return self.does(domain, TransferFrame(frame, to, ref))

    def setup(self, domain: int, frames: int, on: int = DOMID_SELF) -> GrantResult:
        """Ask for a table's pages; more are made of free frames."""
        return self.asks(domain, SetupTable(on, frames, lambda: Mfn(self.w.free.pop(0))))
