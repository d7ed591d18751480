"""Notices: how an event comes from who sends it to the vCPU that is to be told, and that it gets there.

Whoever has begun a notice takes it from stage to stage; each stage is one locked instruction. *Progress* is
said once for all of them (GO_ON): every step of a notice brings it nearer to its end, so that each ends, and
the port is let go of, whatever the guest does to its words meanwhile.
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.events.books import NO_PORT, NOBODY, NoticeBook, Stage, State
from xenspec.events.invariants import in_use
from xenspec.logic import Not, ite
from xenspec.vocabulary import INTERDOMAIN, IPI, PIRQ, VIRQ, PortId, VcpuId

ORDER = (
    Stage.IDLE,
    Stage.END,
    Stage.POLLERS,
    Stage.KICK,
    Stage.UPCALL,
    Stage.READY,
    Stage.HEAD,
    Stage.TAIL,
    Stage.SELECT,
    Stage.LOOK,
    Stage.LOCKED,
    Stage.MARK,
    Stage.TEST,
    Stage.CLEAR,
)
"""All stages, by how far they are from the end."""
ANY_PORT = -1
"""A vCPU polls for several ports."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A notice that begins: whose, of which port, and with what it begins."""

    n: VcpuId
    p: PortId
    stage: Stage


@dataclass(frozen=True, slots=True)
class Sent:
    """Who sends, and by which port."""

    n: VcpuId
    p: PortId


@dataclass(frozen=True, slots=True)
class OfNotice:
    """A notice."""

    n: VcpuId


@dataclass(frozen=True, slots=True)
class Staged:
    """A notice, its stage, and whether it is by the FIFO ABI."""

    n: VcpuId
    stage: Stage
    fifo: bool


BEGIN: Contract[State, Begun] = Contract("begin a notice")
SEND: Contract[State, Sent] = Contract("send an event")
INTERRUPT: Contract[State, Sent] = Contract("tell of an interrupt")
UNMASK: Contract[State, Sent] = Contract("unmask a port")
AGAIN: Contract[State, Sent] = Contract("tell what waited for its word")
GO_ON: Contract[State, OfNotice] = Contract("take a notice further")
BY_ABI: Contract[State, Staged] = Contract("be at a stage of an ABI")
RAISE: Contract[State, OfNotice] = Contract("raise an upcall")
KICK: Contract[State, OfNotice] = Contract("wake the vCPU that was told")
WAKE_POLLER: Contract[State, OfNotice] = Contract("wake a vCPU that polls")
END: Contract[State, OfNotice] = Contract("end a notice")


def of(notice: NoticeBook) -> PortId:
    """Return the port that a notice is of."""
    return PortId((notice.domain, notice.port))


def rest(notice: NoticeBook) -> int:
    """What a notice does after its vCPU was told: look for pollers, if the event is news, else end."""
    return ite(notice.news, Stage.POLLERS, Stage.END)


# --- Beginning ----------------------------------------------------------------------------------------------


@BEGIN.asks(property=24)
def who_begins_a_notice_has_no_other(s: State, a: Begun) -> bool:
    """A virtual CPU (or a CPU, for an interrupt) gives one notice at a time."""
    return s.notices[a.n].stage == Stage.IDLE


@BEGIN.does(property=(23, 24))
def a_notice_holds_its_port(before: State, after: State, a: Begun) -> bool:
    """The notice is of the port, by its domain's ABI, for the vCPU that the port tells; it holds the port."""
    notice, port = after.notices[a.n], before.ports[a.p]
    return (
        (notice.stage == a.stage)
        & (notice.domain == a.p[0])
        & (notice.port == a.p[1])
        & (notice.fifo == before.channels[a.p[0]].fifo)
        & (notice.vcpu == after.ports[a.p].vcpu)
        & (notice.priority == after.ports[a.p].priority)
        & Not(notice.news)
        & (notice.cursor == 0)
        & (after.ports[a.p].readers == port.readers + 1)
    )


@BEGIN.touches
def _begin(_: State, a: Begun) -> tuple[Cells, ...]:
    fields = ("stage", "fifo", "domain", "port", "vcpu", "priority", "news", "cursor")
    return (Cells("notices", a.n, fields), Cells("ports", a.p, ("readers",)))


@SEND.asks(property=(15, 23))
def an_event_is_sent_by_a_port_that_leads_somewhere(s: State, a: Sent) -> bool:
    """The port is joined to another one, or is between vCPUs of its domain."""
    return (s.ports[a.p].state == INTERDOMAIN) | (s.ports[a.p].state == IPI)


@INTERRUPT.asks(property=(15, 23))
def an_interrupt_is_told_by_its_port(s: State, a: Sent) -> bool:
    """The port is one of a virtual or a physical interrupt."""
    return (s.ports[a.p].state == VIRQ) | (s.ports[a.p].state == PIRQ)


@UNMASK.asks(property=23)
def a_port_in_use_is_unmasked(s: State, a: Sent) -> bool:
    """The port is bound to something."""
    return in_use(s.ports[a.p])


@AGAIN.asks(property=(23, 24))
def what_waited_is_told_when_its_word_comes(s: State, a: Sent) -> bool:
    """Who adds words under the event lock has come to the port, and an event was kept with it."""
    port, channels = s.ports[a.p], s.channels[a.p[0]]
    locked = (channels.teller == a.n) & (a.n != NOBODY)
    return locked & (channels.told == a.p[1]) & (a.p[1] < channels.words) & port.saved


@AGAIN.does(property=24)
def who_tells_what_waited_goes_on_afterwards(before: State, after: State, a: Sent) -> bool:
    """The next port comes after this one, which is to become pending now."""
    told = after.channels[a.p[0]].told == before.channels[a.p[0]].told + 1
    return told & (after.ports[a.p].owed == a.n)


@AGAIN.touches
def _again(_: State, a: Sent) -> tuple[Cells, ...]:
    return (Cells("channels", a.p[0], ("told",)), Cells("ports", a.p, ("owed",)))


# --- Progress -----------------------------------------------------------------------------------------------


def distance(stage: int) -> int:
    """How far a stage is from the end of a notice."""
    found = 0
    for far, one in enumerate(ORDER):
        found = ite(stage == one, far, found)
    return found


@GO_ON.asks(property=24)
def only_a_notice_that_has_begun_goes_on(s: State, a: OfNotice) -> bool:
    """There is such a notice."""
    return s.notices[a.n].stage != Stage.IDLE


@GO_ON.does(property=(17, 18, 24))
def a_notice_comes_nearer_to_its_end(before: State, after: State, a: OfNotice) -> bool:
    """The notice is nearer to its end than it was, or looks at the next of its domain's vCPUs."""
    old, new = before.notices[a.n], after.notices[a.n]
    same = (new.stage == old.stage) & (old.stage == Stage.POLLERS)
    next_one = (new.cursor == old.cursor + 1) & (new.cursor < before.domains[old.domain].vcpus)
    return (distance(new.stage) < distance(old.stage)) | (same & next_one)


@GO_ON.touches
def _go_on(_: State, a: OfNotice) -> tuple[Cells, ...]:
    return (Cells("notices", a.n, ("stage",)),)


@BY_ABI.asks(property=(23, 24))
def each_stage_is_taken_in_its_turn(s: State, a: Staged) -> bool:
    """The notice is at the stage that the step is of, and of the ABI that the step is of."""
    return (s.notices[a.n].stage == a.stage) & (s.notices[a.n].fifo == a.fifo)


# --- What both ABIs share -----------------------------------------------------------------------------------


def told(s: State, a: OfNotice) -> VcpuId:
    """Return the vCPU that a notice tells."""
    return VcpuId((s.notices[a.n].domain, s.notices[a.n].vcpu))


@RAISE.asks(property=24)
def an_upcall_is_raised_of_what_is_selected(s: State, a: OfNotice) -> bool:
    """The port is selected, or on a queue that is ready."""
    return s.notices[a.n].stage == Stage.UPCALL


@RAISE.does(property=24)
def the_vcpu_has_an_upcall(before: State, after: State, a: OfNotice) -> bool:
    """The upcall byte is set; who finds it clear wakes the vCPU, else that is left to who set it."""
    v, notice = told(before, a), before.notices[a.n]
    then = ite(before.upcalls[v].pending, rest(notice), Stage.KICK)
    return after.upcalls[v].pending & (after.notices[a.n].stage == then)


@RAISE.touches
def _raise(s: State, a: OfNotice) -> tuple[Cells, ...]:
    return (Cells("upcalls", told(s, a), ("pending", "teller")),)


@KICK.asks(property=24)
def a_vcpu_is_woken_that_has_an_upcall(s: State, a: OfNotice) -> bool:
    """The upcall byte was set for it by this notice."""
    return s.notices[a.n].stage == Stage.KICK


@KICK.does(property=(18, 24))
def the_told_vcpu_is_awake(before: State, after: State, a: OfNotice) -> bool:
    """The vCPU does not sleep; one that was asleep polls for nothing any more."""
    old, new = before.waits[told(before, a)], after.waits[told(before, a)]
    polls = ite(old.blocked, Not(new.polling) & (new.poll_port == NO_PORT), new.polling == old.polling)
    return Not(new.blocked) & polls & (after.notices[a.n].stage == rest(before.notices[a.n]))


@KICK.touches
def _kick(s: State, a: OfNotice) -> tuple[Cells, ...]:
    v = told(s, a)
    asleep = Cells("waits", v, ("polling", "poll_port"), when=s.waits[v].blocked)
    return (Cells("waits", v, ("blocked",)), asleep)


def _next_poller(s: State, a: OfNotice) -> VcpuId:
    """Return the vCPU that a notice looks at next."""
    return VcpuId((s.notices[a.n].domain, s.notices[a.n].cursor))


def _polls_for_it(s: State, a: OfNotice) -> bool:
    """The next vCPU polls for the port, or for it among others."""
    wait = s.waits[_next_poller(s, a)]
    wanted = (wait.poll_port == NO_PORT) | (wait.poll_port == ANY_PORT)
    return wait.polling & (wanted | (wait.poll_port == s.notices[a.n].port))


@WAKE_POLLER.asks(property=24)
def pollers_are_woken_of_news(s: State, a: OfNotice) -> bool:
    """The notice looks at the vCPUs of its domain, one after another."""
    return s.notices[a.n].stage == Stage.POLLERS


@WAKE_POLLER.does(property=(18, 24))
def who_polls_for_the_port_is_awake(before: State, after: State, a: OfNotice) -> bool:
    """A vCPU that polls for the port is awake and polls no more; any other is left as it is."""
    v, notice = _next_poller(before, a), after.notices[a.n]
    old, new, wakes = before.waits[v], after.waits[v], _polls_for_it(before, a)
    awake = Not(new.blocked) & Not(new.polling) & (new.poll_port == NO_PORT)
    same = (new.blocked == old.blocked) & (new.polling == old.polling) & (new.poll_port == old.poll_port)
    return ite(wakes, awake, same) & (notice.cursor == before.notices[a.n].cursor + 1)


@WAKE_POLLER.does(property=24)
def every_vcpu_is_looked_at(before: State, after: State, a: OfNotice) -> bool:
    """The notice ends only when it has come past the last vCPU of the domain."""
    old, new = before.notices[a.n], after.notices[a.n]
    more = old.cursor + 1 < before.domains[old.domain].vcpus
    return new.stage == ite(more, Stage.POLLERS, Stage.END)


@WAKE_POLLER.touches
def _wake_poller(s: State, a: OfNotice) -> tuple[Cells, ...]:
    wait = Cells("waits", _next_poller(s, a), ("blocked", "polling", "poll_port"), when=_polls_for_it(s, a))
    return (wait, Cells("notices", a.n, ("cursor",)))


@END.asks(property=24)
def a_notice_ends_when_all_is_told(s: State, a: OfNotice) -> bool:
    """Nothing is left to be told."""
    return s.notices[a.n].stage == Stage.END


@END.does(property=(23, 24))
def the_port_is_let_go_of(before: State, after: State, a: OfNotice) -> bool:
    """One notice fewer holds the port, and nobody's notice is left."""
    p = of(before.notices[a.n])
    fewer = after.ports[p].readers == before.ports[p].readers - 1
    return (after.notices[a.n].stage == Stage.IDLE) & fewer


@END.touches
def _end(s: State, a: OfNotice) -> tuple[Cells, ...]:
    return (Cells("ports", of(s.notices[a.n]), ("readers",)),)
