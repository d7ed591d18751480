"""How this model keeps its books of sleeping vCPUs: what each has seen since it slept, and who is to wake it.

A poll looks at its ports one after another. Those that were seen not to be pending are the ones whose row in
`polled` names the present sleep; none does as the sleep begins.
"""

from xenmodel.events.representation import REPRESENTATION, State, of_port
from xenmodel.events.rows import ANY_PORT, NO_PORT, S_LOOK, S_POLLERS, S_TAIL
from xenmodel.events.views import NoticeView
from xenspec.logic import Not, either, implies
from xenspec.vocabulary import FREE, RESERVED, PollId, PortId, VcpuId

__all__ = ["REPRESENTATION", "State"]

invariant = REPRESENTATION.invariant


@invariant(property=24)
def sleeping_vcpu_exists(s: State, v: VcpuId) -> bool:
    """A vCPU that sleeps, or is about to, is among those that a notice looks at."""
    wait = s.waits[v]
    return implies(
        wait.blocked | wait.polling | wait.checking, lambda: (v[1] >= 0) & (v[1] < s.domains[v[0]].vcpus)
    )


@invariant(property=24)
def polling_vcpu_waits_for_what_it_saw(s: State, v: VcpuId) -> bool:
    """A vCPU polls only asleep, and if for one port, for the one that it looked at, and at no other."""
    wait = s.waits[v]
    return implies(wait.checking, lambda: wait.looked == NO_PORT) & implies(
        wait.polling,
        lambda: (
            (wait.blocked | wait.checking)
            & either(
                wait.poll_port == ANY_PORT,
                lambda: (wait.poll_port == wait.looked) & (wait.looked != NO_PORT) & wait.alone,
            )
        ),
    )


def _was_seen(s: State, k: PollId) -> bool:
    """The vCPU polls, and has seen in this sleep that the port is not pending."""
    wait = s.waits[k[0]]
    return wait.polling & (s.polled[k].sleep == wait.sleeps)


@invariant(property=24)
def ports_are_seen_after_the_sleep_has_begun(s: State, k: PollId) -> bool:
    """No port was seen in a sleep to come; and in this one none, while its vCPU looks for an upcall first."""
    wait = s.waits[k[0]]
    return (s.polled[k].sleep <= wait.sleeps) & implies(
        wait.checking, lambda: s.polled[k].sleep < wait.sleeps
    )


@invariant(property=24)
def only_port_of_a_poll_is_the_last_one(s: State, k: PollId) -> bool:
    """A vCPU that polls has looked at some port last, and if that was the only one, at no other."""
    wait = s.waits[k[0]]
    return implies(
        _was_seen(s, k), lambda: (wait.looked != NO_PORT) & (Not(wait.alone) | (wait.looked == k[1]))
    )


@invariant(property=24)
def poller_is_ahead_of_the_announcement(s: State, k: PollId) -> bool:
    """Whoever made a port pending that a sleeping vCPU saw not to be so has yet to come to that vCPU."""
    v, wait, channels = VcpuId(k[0]), s.waits[k[0]], s.channels[k[0][0]]
    p = PortId((v[0], k[1]))
    port = s.ports[p]
    fifo = channels.fifo
    pending = fifo & s.event_words[p].pending | Not(fifo) & s.signals[p].pending
    open_port = (port.state != FREE) & (port.state != RESERVED)

    def answered() -> bool:
        plain, words = s.notices[s.signals[p].announcer], s.notices[s.event_words[p].announcer]
        return Not(fifo) & _announces(plain, p, v) | fifo & _announces(words, p, v)

    return implies(channels.honest & wait.blocked & _was_seen(s, k) & pending & open_port, answered)


def _announces(n: NoticeView, p: PortId, v: VcpuId) -> bool:
    """The notice of the port has yet to come to the vCPU among those that poll."""
    telling = (n.stage >= S_LOOK) & (n.stage <= S_POLLERS) | (n.stage >= S_TAIL)
    return of_port(n, p) & telling & n.news & (n.cursor <= v[1])
