"""Planted faults: each breaks an invariant that is named beforehand, and is found by acting at random."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from tests.events.stage import ALL_VCPUS, Stage, tell_what_waited
from tests.events.world import BrokenError, handler_moves
from xenmodel.events import arguments as calls
from xenmodel.events import delivery, fifo, guest, ports, setup, two_level, waiting
from xenmodel.events.notices import after, wake_poller
from xenmodel.events.rows import (
    ANY_PORT,
    NO_PORT,
    S_END,
    S_HEAD,
    S_LOOK,
    S_POLLERS,
    S_READY,
    S_SELECT,
    S_TEST,
    S_UPCALL,
)
from xenmodel.events.rows import Stage as NoticeStage
from xenmodel.events.waiting import Poll
from xenspec.vocabulary import FREE, UNBOUND, DomId, PortId, VcpuId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from xenmodel.machine import Machine

UNLINK: Final = guest.unlink
LOOK: Final = waiting.look_at_port
ZERO, ONE, OTHER = ALL_VCPUS[0], ALL_VCPUS[2], ALL_VCPUS[3]
"""A vCPU of Domain0, and the guest's two."""
ACTS: Final = 150
SEEDS: Final = 40


def do_not_look_again(m: Machine, n: VcpuId) -> None:
    """Unmask without looking whether the port became pending meanwhile."""
    m.notices[n].stage = S_END


def leave_asleep(m: Machine, n: VcpuId) -> None:
    """Set the upcall bit, and do not wake the vCPU."""
    notice = m.notices[n]
    upcall = m.upcalls[notice.domain, notice.vcpu]
    upcall.pending, upcall.teller = True, n
    notice.stage = after(notice)


def select_without_upcall(m: Machine, n: VcpuId) -> None:
    """Set the selector bit, and leave the upcall to somebody else."""
    two_level.set_selector(m, n)
    if m.notices[n].stage == S_UPCALL:
        m.notices[n].stage = after(m.notices[n])


def forget_pollers(m: Machine, n: VcpuId) -> None:
    """Do not wake who polls for a masked port."""
    notice = m.notices[n]
    masked = m.signals[notice.domain, notice.port].masked
    notice.stage = S_END if masked else S_SELECT


def leave_peer(m: Machine, p: PortId) -> None:
    """Close one of two joined ports, and leave the other as it is."""
    port = m.ports[p]
    far = m.ports[port.remote_domain, port.remote_port]
    before = far.state, far.remote_domain
    ports.__dict__["_close"](m, p)
    far.state, far.remote_domain = before


def part_at_once(m: Machine, p: PortId) -> None:
    """Close one of two joined ports while somebody tells one of them."""
    port = m.ports[p]
    far = m.ports[port.remote_domain, port.remote_port]
    ports.__dict__["_close"](m, p)
    far.state, far.remote_domain = UNBOUND, DomId(p[0])


def keep_binding(m: Machine, p: PortId) -> None:
    """Close the port of a virtual interrupt, and leave the interrupt bound to it."""
    ports.__dict__["_close"](m, p)


def keep_pending(m: Machine, p: PortId) -> None:
    """Close a port, and leave it pending."""
    m.ports[p].state, m.ports[p].vcpu = FREE, 0
    m.channels[p[0]].active -= 1


def retarget_anything(m: Machine, p: PortId, vcpu: int) -> None:
    """Tell another vCPU, also of an interrupt that belongs to one."""
    m.ports[p].vcpu = vcpu


def clear_late(m: Machine, v: VcpuId) -> None:
    """Leave the handler by clearing the upcall bit: what came during it is lost."""
    m.handlers[v].running = False
    m.upcalls[v].pending = False


def pass_anything(m: Machine, v: VcpuId, word: int) -> None:
    """Drop the word after its first port."""
    m.scans[v, word].running = False


def sleep_on_what_was_seen(m: Machine, v: VcpuId) -> None:
    """Sleep on although there is an upcall: it came after the guest had looked."""
    m.waits[v].checking = False


def poll_unseen(m: Machine, v: VcpuId, p: PortId) -> bool:
    """Sleep until a port becomes pending, without looking whether it is."""
    m.waits[v].looked, m.waits[v].alone = p[1], m.waits[v].looked == NO_PORT
    m.polled[v, p[1]].sleep = m.waits[v].sleeps
    return False


def hear_the_last(m: Machine, n: VcpuId) -> None:
    """Wake who polls for several ports only by the one that it looked at last."""
    notice = m.notices[n]
    wait = m.waits[notice.domain, notice.cursor]
    if wait.poll_port == ANY_PORT and wait.looked != notice.port:
        notice.cursor += 1
        notice.stage = S_POLLERS if notice.cursor < m.domains[notice.domain].vcpus else S_END
    else:
        wake_poller(m, n)


def settle_on_the_last(m: Machine, v: VcpuId, p: PortId) -> bool:
    """Look at a port, and let only that one wake the vCPU, whatever it has looked at before."""
    found = LOOK(m, v, p)
    if not found:
        m.waits[v].poll_port = ANY_PORT if m.waits[v].alone else p[1]
    return found


def pass_what_waited(m: Machine, n: VcpuId, p: PortId) -> Iterator[Callable[..., None]]:
    """Add a word, and do not tell the event that waited for it."""
    assert m.channels[p[0]].teller == n
    m.channels[p[0]].told = p[1] + 1
    yield setup.pass_word


def keep_old_tail(m: Machine, n: VcpuId) -> None:
    """Link a word that was the tail of its queue, and leave it the tail."""
    notice = m.notices[n]
    port = m.ports[notice.domain, notice.port]
    last = m.queues[(notice.domain, port.last_vcpu), port.last_priority]
    tail = last.tail
    fifo.link_word(m, n)
    last.tail = tail


def hide_queue(m: Machine, n: VcpuId) -> None:
    """Make a port the head of its queue, and tell nobody."""
    fifo.set_head(m, n)
    m.notices[n].stage = after(m.notices[n])


def drop_tail(m: Machine, n: VcpuId) -> None:
    """Make a linked word the tail, and let nothing link it."""
    notice = m.notices[n]
    queue = m.queues[(notice.domain, notice.vcpu), notice.priority]
    queue.tail, queue.locked = notice.port, False
    notice.stage = after(notice)


def raise_without_queue(m: Machine, n: VcpuId) -> None:
    """Make a queue ready, and leave the upcall to somebody else."""
    fifo.set_ready(m, n)
    if m.notices[n].stage == S_UPCALL:
        m.notices[n].stage = after(m.notices[n])


def unlink_later(m: Machine, v: VcpuId, priority: int) -> None:
    """Go on with the next word, and forget the one that was unlinked."""
    UNLINK(m, v, priority)
    m.taken[v, priority].port = NO_PORT
    m.taken[v, priority].running = m.taken[v, priority].head != NO_PORT


def close_while_told(stage: Stage) -> None:
    """One end is closed while the other is being told."""
    stage.begin_and_step(ZERO, calls.Send(1), 2)
    stage.begin_and_step(ONE, calls.Close(1), 2)


def poll_for_masked(stage: Stage) -> None:
    """A vCPU polls for a masked port, which then becomes pending."""
    guest.mask_port(stage.world.m, PortId((1, 1)))
    stage.begin_and_step(OTHER, Poll((1,)))
    stage.begin_and_step(ZERO, calls.Send(1))


def poll_for_pending(stage: Stage) -> None:
    """A vCPU polls for a masked port that is pending already."""
    guest.mask_port(stage.world.m, PortId((1, 1)))
    stage.begin_and_step(ZERO, calls.Send(1))
    stage.begin_and_step(OTHER, Poll((1,)))


def poll_for_several(stage: Stage) -> None:
    """A vCPU polls for two masked ports; the first of them becomes pending."""
    for port in (1, 2):
        guest.mask_port(stage.world.m, PortId((1, port)))
    stage.begin_and_step(OTHER, Poll((1, 2)))
    stage.begin_and_step(ZERO, calls.Send(1))


def close_while_pending(stage: Stage) -> None:
    """A port between vCPUs is told, masked, and closed."""
    stage.begin_and_step(ZERO, calls.Send(2))
    stage.begin_and_step(ZERO, calls.Close(2))


def close_virq_port(stage: Stage) -> None:
    """The port of a virtual interrupt is closed."""
    stage.begin_and_step(ONE, calls.Close(2))


def move_interrupt(stage: Stage) -> None:
    """The timer of one vCPU is to be told to another."""
    stage.begin_and_step(ONE, calls.BindVcpu(2, 0))


def tell_at_the_end(stage: Stage) -> None:
    """A port is told again just before its handler ends."""
    m, v = stage.world.m, ONE
    stage.begin_and_step(ZERO, calls.Send(1))
    guest.clear_upcall(m, v)
    while any(move.name != "leave_handler" for move in handler_moves(m, v)):
        handler_moves(m, v)[-1].take()
    stage.begin_and_step(ZERO, calls.Send(1))
    guest.leave_handler(m, v)
    stage.world.check()


@dataclass(frozen=True, slots=True)
class Fault:
    """What replaces the entry `name` of a table of steps or a module; the invariants, one of which breaks."""

    replacement: Callable[..., object]
    place: ModuleType | dict[NoticeStage, delivery.NoticeStep]
    name: str | NoticeStage
    breaks: tuple[str, ...]
    fifo: bool = False
    story: Callable[[Stage], None] | None = None
    """Where it is found; None: by acting at random."""


TWO_LEVEL: Final = delivery.TWO_LEVEL
FIFO: Final = delivery.FIFO
UNSEEN: Final = ("pending_port_will_be_looked_at", "unselected_port_is_between_pending_and_selected")
UNTOLD: Final = ("selected_word_has_an_upcall", "untold_selector_has_its_upcall_next")
UNBOUND_VIRQ: Final = ("bound_virtual_interrupt_has_its_port",)
UNTOLD_QUEUE: Final = ("ready_queue_has_an_upcall",)
ASLEEP: Final = ("sleeping_vcpu_has_no_upcall", "unwoken_vcpu_is_kicked_next")
FORGOTTEN: Final = ("kept_event_waits_for_its_word_alone", "kept_event_is_told_when_its_word_comes")
DEAF: Final = ("polling_vcpu_listens_to_all_its_ports", "polling_vcpu_waits_for_what_it_saw")
UNPOLLED: Final = ("polling_vcpu_waits_for_what_is_not_pending", "poller_is_ahead_of_the_announcement")
UNLINKED: Final = ("pending_word_is_linked", "unlinked_word_is_between_pending_and_linked")
UNREADY: Final = ("queue_with_events_is_ready", "unready_queue_is_made_ready_next")
FAULTS: Final = (
    Fault(do_not_look_again, TWO_LEVEL, S_TEST, UNSEEN),
    Fault(select_without_upcall, TWO_LEVEL, S_SELECT, UNTOLD),
    Fault(leave_asleep, TWO_LEVEL, S_UPCALL, ASLEEP),
    Fault(forget_pollers, TWO_LEVEL, S_LOOK, UNPOLLED, story=poll_for_masked),
    Fault(pass_anything, guest, "pass_port", UNSEEN),
    Fault(clear_late, guest, "leave_handler", UNTOLD, story=tell_at_the_end),
    Fault(sleep_on_what_was_seen, waiting, "stay_asleep_without_upcall", ASLEEP),
    Fault(poll_unseen, waiting, "look_at_port", UNPOLLED, story=poll_for_pending),
    Fault(hear_the_last, delivery.TWO_LEVEL, S_POLLERS, UNPOLLED, story=poll_for_several),
    Fault(hear_the_last, delivery.FIFO, S_POLLERS, UNPOLLED, fifo=True, story=poll_for_several),
    Fault(settle_on_the_last, waiting, "look_at_port", DEAF, story=poll_for_several),
    Fault(leave_peer, ports, "part", ("joined_ports_name_each_other",)),
    Fault(part_at_once, ports, "part", ("notice_holds_its_port",), story=close_while_told),
    Fault(
        keep_binding, ports, "close_virq", ("bound_virtual_interrupt_has_its_port",), story=close_virq_port
    ),
    Fault(keep_pending, ports, "close_plain", ("free_port_is_clean",), story=close_while_pending),
    Fault(
        retarget_anything,
        ports,
        "retarget",
        ("port_of_a_virtual_interrupt_is_its_binding", "bound_virtual_interrupt_has_its_port"),
        story=move_interrupt,
    ),
    Fault(do_not_look_again, FIFO, S_TEST, UNLINKED, fifo=True),
    Fault(pass_what_waited, setup, "raise_again", FORGOTTEN, story=tell_what_waited),
    Fault(keep_old_tail, FIFO, S_SELECT, ("tail_is_on_its_queue", "queue_with_events_is_ready"), fifo=True),
    Fault(hide_queue, FIFO, S_HEAD, UNREADY, fifo=True),
    Fault(raise_without_queue, FIFO, S_READY, ("ready_queue_has_an_upcall",), fifo=True),
    Fault(
        drop_tail,
        fifo,
        "link_to_tail",
        ("linked_word_can_be_reached", "last_word_of_a_queue_is_its_tail"),
        fifo=True,
    ),
    Fault(unlink_later, guest, "unlink", UNLINKED, fifo=True),
    Fault(
        clear_late,
        guest,
        "leave_handler",
        ("ready_queue_has_an_upcall",),
        fifo=True,
        story=tell_at_the_end,
    ),
)


def shown(fault: Fault) -> str:
    """Return a fault's name as a test."""
    return f"{fault.replacement.__name__}-{'fifo' if fault.fifo else '2-level'}"


def broken(*, fifo: bool, story: Callable[[Stage], None] | None) -> str | None:
    """Tell the story, or let everybody act, seed after seed; return the invariant that breaks first."""
    if story is not None:
        try:
            story(Stage(fifo=fifo))
        except BrokenError as found:
            return found.name
    for seed in range(0 if story else SEEDS):
        stage, rng = Stage(fifo=fifo), random.Random(seed)  # noqa: S311 - a schedule, not a secret
        try:
            for _ in range(ACTS):
                stage.act(rng)
        except BrokenError as found:
            return found.name
    return None


@pytest.mark.parametrize("fifo", [False, True])
def test_the_stories_break_nothing_without_a_fault(fifo: bool) -> None:  # noqa: FBT001 - the ABI
    for story in {fault.story for fault in FAULTS if fault.story}:
        if story != tell_what_waited or not fifo:  # which begins with a switch to the FIFO ABI
            story(Stage(fifo=fifo))


@pytest.mark.parametrize("fault", FAULTS, ids=shown)
def test_a_planted_fault_breaks_the_invariant_that_is_named(
    fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(fault.place, dict) and isinstance(fault.name, NoticeStage):
        monkeypatch.setitem(fault.place, fault.name, fault.replacement)
    else:
        monkeypatch.setattr(fault.place, str(fault.name), fault.replacement)
    assert broken(fifo=fault.fifo, story=fault.story) in fault.breaks
