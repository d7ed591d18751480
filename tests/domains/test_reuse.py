"""A number that is given again: a domain leaves nothing to the next one of its number (property 32)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from tests.grants.world import BOTH, GrantWorld
from tests.worlds import RW, USER
from xenmodel.domains.lifecycle import CreateDomain, DestroyDomain, create, destroy
from xenmodel.domains.vcpu_op import NewContext, initialise
from xenmodel.events import guest
from xenmodel.events.arguments import AllocUnbound, BindInterdomain, BindIpi, BindVirq
from xenmodel.events.calls import event_channel_op
from xenmodel.events.waiting import Poll, poll
from xenmodel.grants.arguments import Batch, MapGrantRef
from xenmodel.grants.calls import grant_table_op
from xenmodel.grants.guest import write_entry
from xenmodel.grants.tables import add_grant_frame, make_shared
from xenmodel.hardware.access import store
from xenmodel.hardware.tlb import switch_vcpu
from xenmodel.machine import TABLES
from xenproofs.judge.adapter import plain, table_of
from xenproofs.judge.monitor import Monitor
from xenspec.table import domain_of
from xenspec.vocabulary import Cpu, DomId, GrantFrameId, Mfn, PortId, Va, VcpuId

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec

    from xenmodel.hypercall import Call, Steps

    P = ParamSpec("P")

T = TypeVar("T")

NEW: Final = DomId(3)
V: Final = VcpuId((NEW, 0))
VA: Final = Va(0x40003000)
MEANINGLESS: Final = {"flights": ("frame",)}
"""What is left behind and means nothing: the flight is idle."""


class Story:
    """A world whose every step is checked against all invariants and contracts."""

    def __init__(self) -> None:
        self.grants: Final = GrantWorld()
        self.grants.guest(2, 4)
        self.monitor: Final = Monitor.over(self.grants.m, steps=True)
        self.grants.w.m = self.monitor.machine
        assert not self.monitor.start()

    def call(self, domain: int) -> Call:
        """Return a call of a domain's first vCPU."""
        return self.grants.w.call(domain)

    def does(self, domain: int, steps: Steps[T]) -> T:
        """Make a call, to its end."""
        result, found = self.monitor.drive(DomId(domain), steps)
        assert not found, found[0]
        return result

    def takes(self, step: Callable[P, object], *arguments: P.args, **named: P.kwargs) -> None:
        """Take a step, which is not refused."""
        refused, found = self.monitor.try_step(step, *arguments, **named)
        assert refused is None
        assert not found, found[0]

    def pages(self, domain: DomId) -> list[Mfn]:
        """Return a domain's frames."""
        return [Mfn(f) for f, frame in plain(self.monitor.machine.frames).rows() if frame.owner == domain]

    def create(self) -> tuple[Mfn, ...]:
        """Create the domain; return its frames."""
        free = self.grants.w.free
        call = CreateDomain(NEW, 2, 24, 16, lambda _: Mfn(free.pop(0)), self.pages)
        made = self.does(0, create(self.call(0), call))
        assert made.rc == 0
        return made.frames

    def destroy(self) -> bool:
        """Destroy the domain as far as that goes; return whether it is gone."""
        while self.does(0, destroy(self.call(0), DestroyDomain(NEW, self.pages))).continuation is not None:
            pass
        return not self.monitor.machine.domains[NEW].exists

    def rows(self) -> dict[str, dict[str, object]]:
        """Return every row of the number that differs from a new one, in every table."""
        found: dict[str, dict[str, object]] = {}
        for name in (name for name in TABLES if name not in BY_FRAME):
            table = table_of(self.monitor.machine, name)
            for key, row in table.rows():
                kept, fresh = fields(name, row), fields(name, table.fresh(key))
                if domain_of(key) == NEW and kept != fresh:
                    found[f"{name}[{key}]"] = kept
        return found


BY_FRAME: Final = {
    "frames",
    "entries",
    "m2p",
    "unattributed",
    "demotions",
    "cpus",
    "tlb",
    "prefixes",
    "world",
}
"""Tables whose keys begin with another number than a domain's."""


def fields(name: str, row: object) -> dict[str, object]:
    """Return a row's fields but for those that mean nothing."""
    names: tuple[str, ...] = getattr(row, "__slots__", ())
    return {field: getattr(row, field) for field in names if field not in MEANINGLESS.get(name, ())}


def lives(story: Story, frames: tuple[Mfn, ...]) -> None:
    """Let the domain run on tables of its own, store, grant, map, open ports, be told, and sleep."""
    world, w, m = story.grants, story.grants.w, story.monitor.machine
    w.given[NEW] = list(frames[4:])
    root = w.tree({VA + i * 0x1000: (frames[i], RW | USER) for i in range(3)}, NEW)
    w.given[NEW] = []
    assert not story.monitor.after_call(NEW)
    assert story.does(NEW, initialise(story.call(NEW), V, NewContext(root, Mfn(0), (), 0))) == 0
    story.takes(switch_vcpu, story.monitor.machine, Cpu(1), V)
    assert story.does(NEW, store(story.call(NEW), VA, 7)) is None
    page(story)
    story.takes(write_entry, story.monitor.machine, GrantFrameId((NEW, 0)), 0, 1 | 2 << 16 | frames[3] << 32)
    story.takes(write_entry, story.monitor.machine, GrantFrameId((1, 0)), 0, 1 | NEW << 16 | w.page(1) << 32)
    mapped = story.does(NEW, grant_table_op(story.call(NEW), Batch((MapGrantRef(VA, BOTH, 0, 1),))))
    assert mapped.answers[0].status == 0
    tells(story)
    assert m.mappings[NEW, 0].live
    assert world.m is m


def page(story: Story) -> None:
    """Give the domain's grant table its page."""
    f = Mfn(story.grants.w.free.pop(0))
    story.monitor.machine.grant_tables[NEW].frames = 0
    story.monitor.machine.frames[f].cursor = 2
    story.takes(make_shared, story.monitor.machine, f, NEW)
    story.takes(add_grant_frame, story.monitor.machine, GrantFrameId((NEW, 0)), f)


def tells(story: Story) -> None:
    """Let the domain open ports of each kind, be told by another domain, mask, and sleep until it is told."""
    calls = (AllocUnbound(NEW, 1), BindIpi(1), BindVirq(0, 0), AllocUnbound(NEW, 1))
    ports = [story.does(NEW, event_channel_op(story.call(NEW), call)).port for call in calls]
    far = story.does(1, event_channel_op(story.call(1), BindInterdomain(NEW, ports[0])))
    assert far.rc == 0
    story.takes(guest.mask_port, story.monitor.machine, PortId((NEW, ports[1])))
    assert story.does(NEW, poll(story.call(NEW), Poll((ports[3],)))) == 0
    assert story.monitor.machine.waits[V].blocked


def test_a_number_given_again_inherits_nothing() -> None:
    story = Story()
    frames = story.create()
    first = story.rows()
    lives(story, frames)
    assert len(story.rows()) > len(first) + 10
    assert story.destroy()
    assert story.rows() == {}
    assert story.pages(NEW) == []
    story.create()
    assert story.rows() == first
