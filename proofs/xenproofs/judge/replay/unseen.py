"""What a snapshot in the middle of a run does not show, and what is learnt of it from the calls that follow.

It shows every table and the page_info of every frame, and the base pointers of one vCPU; not which vCPU that
is, nothing of the others, no GDT, no event channel. References that these hold are unexplained at first. Each
is given to its holder as soon as a call says who that must be, and is counted as assumed:

- a vCPU's first call shows its base pointer; its user base pointer is the top-level table with an unexplained
  reference that has the same lower half, or the only one that is left;
- `set_gdt` gives back the old GDT: the page that it sets again, or the only page of descriptors that has an
  unexplained reference;
- a call that succeeds on a port nobody has opened since was bound before, and so was each port below one that
  is handed out now: Xen hands out the lowest that is free. What such a port is bound to is not known: it is
  taken for one that waits for Domain0, of which nothing is predicted but that it exists.

At the start of the day, and in a state that was saved by a replay from there, nothing is unseen.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

from xenmodel.abi.event import TWO_LEVEL_PORTS
from xenmodel.events.ports import make_ports, open_unbound
from xenmodel.machine import Machine
from xenmodel.memory import holders
from xenmodel.memory.roots import KERNEL, USER
from xenmodel.memory.rows import NO_FRAME
from xenspec.vocabulary import FREE, SEG, SLOTS, DomId, Mfn, PortId, VcpuId

TOP = 4
LOWER_HALF = 256
"""Slots of a top-level table below Xen's own: those of user space, which both tables of a process have."""
BASE = "base pointer of a vCPU that the snapshot does not show"
USER_BASE = "user base pointer of a vCPU that the snapshot does not show"
OTHER_VCPU = "base pointers that the snapshot shows are another vCPU's"
GDT = "GDT that was set before the recording begins"
PORT = "port that was bound before the recording begins"
EVENT = "event of a port that was bound before the recording begins"
ABI = "event by an ABI that was chosen before the recording begins"
STATE = "vCPU that was up before the recording begins"


@dataclass(slots=True)
class Unseen:
    """What is not known yet. Every set is empty where a replay began at the start of the day."""

    middle: bool = False
    """The replay began at a snapshot in the middle of a run."""
    vcpus: set[int] = field(default_factory=set[int])
    """vCPUs of which no call has shown the base pointer yet."""
    gdts: set[int] = field(default_factory=set[int])
    """vCPUs whose GDT is the one of before."""
    frames: set[int] = field(default_factory=set[int])
    """Frames that had unexplained references at the start."""
    shown: int = 0
    """The vCPU to which the base pointers of the snapshot are ascribed."""
    ports: set[int] = field(default_factory=set[int])
    """Ports of which calls since have told what they are, or that they are free."""
    earlier: set[int] = field(default_factory=set[int])
    """Ports of which it is known only that they were bound before."""

    def sets(self) -> dict[str, set[int]]:
        """Return the sets by their names, as a saved state has them."""
        return {
            "vcpus": self.vcpus,
            "gdts": self.gdts,
            "frames": self.frames,
            "ports": self.ports,
            "earlier": self.earlier,
        }

    # --- Base pointers -----------------------------------------------------------------------------------

    def base(self, m: Machine, v: VcpuId, f: Mfn) -> list[str]:
        """Take `f` for the base pointer of a vCPU that makes its first call, if it may be that.

        Returns what was assumed; nothing if it cannot be.
        """
        shown = VcpuId((v[0], self.shown))
        if v[1] >= m.domains[v[0]].vcpus:
            return []
        mine = m.vcpus[v].base
        if mine == f:
            self.vcpus.discard(v[1])
            return []
        if mine != NO_FRAME and shown != v:
            return []
        if f in self._unexplained(m, TOP):
            return self._learn(m, v, f)
        if self.shown in self.vcpus and m.vcpus[shown].base == f:
            return self._hand_over(m, shown, v)
        return []

    def _learn(self, m: Machine, v: VcpuId, f: Mfn) -> list[str]:
        """Take a top-level table for the base pointer of a vCPU, and another for its user base pointer."""
        self.vcpus.discard(v[1])
        if v[1] == self.shown:
            self._disown(m, v)
        self._take(m, v, f, KERNEL)
        _begin(m, v)
        user = self._user_table(m, f)
        if user is None:
            return [BASE]
        self._take(m, v, user, USER)
        return [BASE, USER_BASE]

    def _hand_over(self, m: Machine, shown: VcpuId, v: VcpuId) -> list[str]:
        """Ascribe the snapshot's base pointers to the vCPU that runs on them."""
        self.vcpus.discard(v[1])
        base, user = m.vcpus[shown].base, m.vcpus[shown].user_base
        self._disown(m, shown)
        self.shown = v[1]
        _begin(m, v)
        self._take(m, v, base, KERNEL)
        if user != NO_FRAME:
            self._take(m, v, user, USER)
        return [OTHER_VCPU]

    def _disown(self, m: Machine, v: VcpuId) -> None:
        """Let nobody be known to hold a vCPU's base pointers."""
        vcpu = m.vcpus[v]
        for which, f in ((KERNEL, vcpu.base), (USER, vcpu.user_base)):
            if f == NO_FRAME:
                continue
            row = m.unattributed[f]
            to = (holders.unattributed(f)[0], f, max(row.typed, row.general))
            m.ghost.move(f, holders.base(v, which), to, typed=True, general=True)
            row.typed += 1
            row.general += 1
            self.frames.add(f)
        vcpu.base = vcpu.user_base = NO_FRAME

    def _take(self, m: Machine, v: VcpuId, f: Mfn, which: int) -> None:
        """Give a top-level table's unexplained reference to a base pointer."""
        _explain(m, f, holders.base(v, which))
        if which == KERNEL:
            m.vcpus[v].base = f
        else:
            m.vcpus[v].user_base = f

    def _user_table(self, m: Machine, base: Mfn) -> Mfn | None:
        """Return the user's top-level table that belongs to a kernel's, if one must."""
        left = [Mfn(f) for f in self._unexplained(m, TOP) if f != base]
        alike = [f for f in left if _lower_half(m, f) == _lower_half(m, base)]
        if len(alike) == 1:
            return alike[0]
        return left[0] if len(left) == 1 and not self.vcpus else None

    def _unexplained(self, m: Machine, kind: int) -> list[int]:
        """Return the frames of a type that still have an unexplained reference."""
        rows = ((f, m.unattributed[f]) for f in sorted(self.frames))
        return [f for f, row in rows if row.typed and row.general and m.frames[f].type == kind]

    # --- GDT ---------------------------------------------------------------------------------------------

    def gdt(self, m: Machine, v: VcpuId, frames: Iterable[int]) -> list[str]:
        """Give the GDT of before to a vCPU that sets another; return what was assumed."""
        if v[1] not in self.gdts:
            return []
        self.gdts.discard(v[1])
        pages = self._unexplained(m, SEG)
        again = [f for f in frames if f in pages]
        chosen = again or (pages if len(pages) == 1 else [])
        for index, f in enumerate(chosen):
            _explain(m, Mfn(f), holders.gdt(v, index))
            m.gdt[v, index].frame = Mfn(f)
            m.vcpus[v].gdt_entries = SLOTS * (index + 1)
        return [GDT] * len(chosen)

    # --- Ports -------------------------------------------------------------------------------------------

    def port(self, m: Machine, domain: DomId, port: int) -> list[str]:
        """Take a port for one that was bound before, if it may be that; return what was assumed."""
        if not self._may_be_earlier(m, domain, port):
            return []
        while m.channels[domain].valid <= port:
            make_ports(m, domain)
        open_unbound(m, PortId((domain, port)), domain)
        self.earlier.add(port)
        return [PORT]

    def ports_below(self, m: Machine, domain: DomId, port: int) -> list[str]:
        """Take the ports below one that is handed out for bound before, where they may be that."""
        if not self.middle or port >= TWO_LEVEL_PORTS:
            return []
        return list(chain.from_iterable(self.port(m, domain, below) for below in range(1, port)))

    def opened(self, port: int) -> None:
        """Note a port of which a call has told what it is."""
        self.ports.add(port)

    def closed(self, port: int) -> None:
        """Note a port that is free now."""
        self.ports.add(port)
        self.earlier.discard(port)

    def tells(self, m: Machine, domain: DomId, port: int, *, fifo: bool) -> str:
        """Return as what an event is to be taken whose way is not known; nothing if it is known."""
        if not self.middle:
            return ""
        if port in self.earlier or self._may_be_earlier(m, domain, port):
            return EVENT
        return ABI if fifo and not m.channels[domain].fifo else ""

    def _may_be_earlier(self, m: Machine, domain: DomId, port: int) -> bool:
        """Whether a port may have been bound before the recording begins, for all that is known."""
        unknown = self.middle and 0 < port < TWO_LEVEL_PORTS and port not in self.ports
        return unknown and m.ports[domain, port].state == FREE


def in_the_middle(vcpus: int, unexplained: Iterable[int]) -> Unseen:
    """Return what a snapshot in the middle of a run does not show: of so many vCPUs, of these frames."""
    return Unseen(True, set(range(vcpus)), set(range(vcpus)), set(unexplained))  # noqa: FBT003 - a field


def _begin(m: Machine, v: VcpuId) -> None:
    vcpu = m.vcpus[v]
    vcpu.domain = DomId(v[0])
    vcpu.initialised = vcpu.up = True


def _explain(m: Machine, f: Mfn, holder: holders.Holder) -> None:
    """Give a frame's unexplained reference, typed and general, to a holder."""
    row = m.unattributed[f]
    last = (holders.unattributed(f)[0], f, max(row.typed, row.general) - 1)
    m.ghost.move(f, last, holder, typed=True, general=True)
    row.typed -= 1
    row.general -= 1


def _lower_half(m: Machine, f: Mfn) -> list[tuple[int, Mfn]]:
    """Return what a top-level table links for user space: slots and tables."""
    entries = ((slot, m.entries[f, slot]) for slot in range(LOWER_HALF) if m.words[f, slot])
    return [(slot, e.target) for slot, e in entries if e.linked]
