"""Sleeping: a vCPU says first that it sleeps, and looks then whether it may; so nobody's wake-up is lost.

SCHEDOP_block, SCHEDOP_poll (public/sched.h).
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.events.books import NO_PORT, State
from xenspec.events.contracts.guests import OfVcpu
from xenspec.events.contracts.notices import ANY_PORT
from xenspec.events.invariants import in_use
from xenspec.logic import Not, ite
from xenspec.vocabulary import PollId, PortId, VcpuId


@dataclass(frozen=True, slots=True)
class Polled:
    """A virtual CPU, and a port that it polls."""

    v: VcpuId
    p: PortId


SLEEP: Contract[State, OfVcpu] = Contract("say that one sleeps")
CHECK: Contract[State, OfVcpu] = Contract("look whether one may sleep")
LET_POLL: Contract[State, OfVcpu] = Contract("let a pending port wake one")
CHECK_POLL: Contract[State, OfVcpu] = Contract("look whether one may poll")
LOOK_AT: Contract[State, Polled] = Contract("look at a port that is polled")
BE_POLLING: Contract[State, OfVcpu] = Contract("be polling")
GIVE_UP: Contract[State, OfVcpu] = Contract("give a poll up")
SETTLE: Contract[State, OfVcpu] = Contract("poll one port")
POLL = ("blocked", "polling", "poll_port")


def wakes(s: State, v: VcpuId) -> bool:
    """An upcall is to be delivered to the vCPU."""
    return s.upcalls[v].pending & Not(s.upcalls[v].masked)


@SLEEP.asks(property=(18, 24))
def a_running_vcpu_falls_asleep(s: State, a: OfVcpu) -> bool:
    """The vCPU exists, runs, and is not about to sleep already."""
    wait = s.waits[a.v]
    there = (a.v[1] >= 0) & (a.v[1] < s.domains[a.v[0]].vcpus)
    return there & Not(wait.blocked) & Not(wait.checking)


@SLEEP.does(property=24)
def who_falls_asleep_looks_afterwards(before: State, after: State, a: OfVcpu) -> bool:
    """The vCPU counts as asleep, for one time more, and has not looked yet whether it may be."""
    wait = after.waits[a.v]
    anew = wait.sleeps == before.waits[a.v].sleeps + 1
    return wait.blocked & wait.checking & (wait.looked == NO_PORT) & anew


@SLEEP.touches
def _sleep(_: State, a: OfVcpu) -> tuple[Cells, ...]:
    return (Cells("waits", a.v, ("blocked", "checking", "looked", "sleeps")),)


@CHECK.asks(property=24)
def a_vcpu_looks_that_has_said_that_it_sleeps(s: State, a: OfVcpu) -> bool:
    """The vCPU has not looked yet, and does not poll."""
    return s.waits[a.v].checking & Not(s.waits[a.v].polling)


@CHECK.does(property=24)
def nobody_sleeps_with_an_upcall(before: State, after: State, a: OfVcpu) -> bool:
    """The vCPU runs if there is an upcall to be delivered, or if it was woken meanwhile; else it sleeps."""
    old, new = before.waits[a.v], after.waits[a.v]
    return (new.blocked == (old.blocked & Not(wakes(before, a.v)))) & Not(new.checking)


@CHECK.touches
def _check(_: State, a: OfVcpu) -> tuple[Cells, ...]:
    return (Cells("waits", a.v, ("blocked", "checking")),)


# --- Polling ------------------------------------------------------------------------------------------------


@LET_POLL.asks(property=24)
def a_vcpu_polls_that_has_said_that_it_sleeps(s: State, a: OfVcpu) -> bool:
    """The vCPU has not looked yet whether it may sleep."""
    return s.waits[a.v].checking


@LET_POLL.does(property=24)
def any_port_may_wake_it(_: State, after: State, a: OfVcpu) -> bool:
    """Until it has looked at its ports, any port that becomes pending wakes the vCPU."""
    return after.waits[a.v].polling & (after.waits[a.v].poll_port == ANY_PORT)


@LET_POLL.touches
def _let_poll(_: State, a: OfVcpu) -> tuple[Cells, ...]:
    return (Cells("waits", a.v, ("polling", "poll_port")),)


def _ends(before: State, after: State, v: VcpuId, *, when: bool) -> bool:
    """The vCPU runs and polls for nothing where this holds; else it is as it was."""
    old, new = before.waits[v], after.waits[v]
    runs = Not(new.blocked) & Not(new.polling) & (new.poll_port == NO_PORT)
    same = (new.blocked == old.blocked) & (new.polling == old.polling) & (new.poll_port == old.poll_port)
    return ite(when, runs, same)


@CHECK_POLL.asks(property=24)
def a_vcpu_looks_once_whether_it_may_poll(s: State, a: OfVcpu) -> bool:
    """The vCPU has not looked yet whether it may sleep."""
    return s.waits[a.v].checking


@CHECK_POLL.does(property=24)
def nobody_polls_with_an_upcall(before: State, after: State, a: OfVcpu) -> bool:
    """The vCPU goes on if there is an upcall to be delivered, or if somebody has woken it meanwhile."""
    wait = before.waits[a.v]
    woken = Not(wait.blocked) | Not(wait.polling) | (wait.poll_port == NO_PORT)
    return _ends(before, after, a.v, when=wakes(before, a.v) | woken) & Not(after.waits[a.v].checking)


@CHECK_POLL.touches
def _check_poll(_: State, a: OfVcpu) -> tuple[Cells, ...]:
    return (Cells("waits", a.v, (*POLL, "checking")),)


@BE_POLLING.asks(property=24)
def ports_are_looked_at_after_the_upcall(s: State, a: OfVcpu) -> bool:
    """The vCPU has looked for an upcall, and has not settled on one port."""
    wait = s.waits[a.v]
    return Not(wait.checking) & (Not(wait.polling) | (wait.poll_port == ANY_PORT))


@LOOK_AT.asks(property=(15, 23))
def a_vcpu_polls_ports_in_use_of_its_domain(s: State, a: Polled) -> bool:
    """The port is one of the vCPU's domain, and in use."""
    there = (a.p[0] == a.v[0]) & (a.p[1] >= 0) & (a.p[1] < s.channels[a.p[0]].valid)
    return there & in_use(s.ports[a.p])


def _is_pending(s: State, p: PortId) -> bool:
    """The port is pending, by the ABI of its domain; without a word it is not."""
    channels = s.channels[p[0]]
    word = (p[1] < channels.words) & s.event_words[p].pending
    return ite(channels.fifo, word, s.signals[p].pending)


@LOOK_AT.does(property=24)
def a_pending_port_ends_the_poll(before: State, after: State, a: Polled) -> bool:
    """The vCPU goes on if the port is pending, masked or not; else it is noted that it was not."""
    found = _is_pending(before, a.p)
    looked = after.waits[a.v].looked == ite(found, NO_PORT, a.p[1])
    return _ends(before, after, a.v, when=found) & looked


@LOOK_AT.does(property=24)
def each_port_that_was_looked_at_is_remembered(before: State, after: State, a: Polled) -> bool:
    """Noted are the sleep in which the port was seen not to be pending, and whether it is the only one."""
    old, new = before.waits[a.v], after.waits[a.v]
    seen = after.polled[a.v, a.p[1]].sleep == old.sleeps
    return (Not(new.blocked) | Not(new.polling) | seen) & (
        new.alone == ((old.looked == NO_PORT) | old.alone & (old.looked == a.p[1]))
    )


@LOOK_AT.touches
def _look_at(s: State, a: Polled) -> tuple[Cells, ...]:
    seen = Cells("polled", PollId((a.v, a.p[1])), ("sleep",), when=Not(_is_pending(s, a.p)))
    return (Cells("waits", a.v, (*POLL, "looked", "alone")), seen)


@GIVE_UP.does(property=(16, 24))
def who_polls_wrongly_runs(before: State, after: State, a: OfVcpu) -> bool:
    """The vCPU runs, and polls for nothing."""
    return _ends(before, after, a.v, when=True)


@GIVE_UP.touches
def _give_up(_: State, a: OfVcpu) -> tuple[Cells, ...]:
    return (Cells("waits", a.v, POLL),)


@SETTLE.asks(property=24)
def a_vcpu_settles_on_the_port_it_looked_at(s: State, a: OfVcpu) -> bool:
    """The vCPU has looked at one port alone, and it was not pending."""
    return (s.waits[a.v].looked != NO_PORT) & s.waits[a.v].alone


@SETTLE.does(property=24)
def only_that_port_may_wake_it(before: State, after: State, a: OfVcpu) -> bool:
    """The vCPU polls for the port that it looked at."""
    return after.waits[a.v].poll_port == before.waits[a.v].looked


@SETTLE.touches
def _settle(_: State, a: OfVcpu) -> tuple[Cells, ...]:
    return (Cells("waits", a.v, ("poll_port",)),)
