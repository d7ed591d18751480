"""HYPERVISOR_sched_op block and poll: a vCPU sleeps until it is told.

A vCPU says first that it sleeps, and looks afterwards whether there is something for it: whoever tells it in
between finds it asleep and wakes it. Public interface: xen/include/public/sched.h; vcpu_block() and do_poll()
of xen/common/sched/core.c.
"""

from dataclasses import dataclass

from xenmodel.abi.event import POLL_PORTS
from xenmodel.events.rows import ANY_PORT, NO_PORT, Wait
from xenmodel.hypercall import Call, Steps
from xenmodel.machine import Machine, View
from xenmodel.step import Refused, require, step
from xenspec.logic import Not, ite
from xenspec.vocabulary import EINVAL, FREE, RESERVED, PortId, VcpuId


@dataclass(frozen=True, slots=True)
class Poll:
    """SCHEDOP_poll: sleep until one of the ports is pending, whether it is masked or not."""

    ports: tuple[int, ...]


@step("waits.blocked", "waits.checking", "waits.looked", "waits.sleeps")
def fall_asleep(m: Machine, v: VcpuId) -> None:
    """Say that the vCPU sleeps; it still looks whether it may."""
    wait = m.waits[v]
    require("the vCPU exists", (v[1] >= 0) & (v[1] < m.domains[v[0]].vcpus), EINVAL)
    require("the vCPU runs", Not(wait.blocked), EINVAL)
    require("it is not about to sleep already", Not(wait.checking), EINVAL)
    wait.blocked = True
    wait.checking = True
    wait.looked = NO_PORT
    wait.sleeps = wait.sleeps + 1


@step("waits.blocked", "waits.checking")
def stay_asleep_without_upcall(m: Machine, v: VcpuId) -> None:
    """Sleep, unless an upcall is to be delivered (local_events_need_delivery)."""
    wait, upcall = m.waits[v], m.upcalls[v]
    require("the vCPU looks whether it may sleep", wait.checking & Not(wait.polling), EINVAL)
    wait.blocked = wait.blocked & Not(upcall.pending & Not(upcall.masked))
    wait.checking = False


@step("waits.polling", "waits.poll_port")
def begin_poll(m: Machine, v: VcpuId) -> None:
    """Say that a pending port may wake the vCPU, whichever it is for now."""
    wait = m.waits[v]
    require("the vCPU looks whether it may sleep", wait.checking, EINVAL)
    wait.poll_port = ANY_PORT
    wait.polling = True


def _end_poll(wait: Wait, condition: bool) -> None:  # noqa: FBT001 - a condition of the step
    """Go on at once, where the condition holds. Part of a step."""
    wait.blocked = wait.blocked & Not(condition)
    wait.polling = wait.polling & Not(condition)
    wait.poll_port = ite(condition, NO_PORT, wait.poll_port)


POLLS = ("waits.blocked", "waits.polling", "waits.poll_port")


@step(*POLLS, "waits.checking")
def look_for_upcall(m: Machine, v: VcpuId) -> bool:
    """Go on at once if an upcall is to be delivered, or if somebody has woken the vCPU meanwhile."""
    wait, upcall = m.waits[v], m.upcalls[v]
    require("the vCPU looks whether it may sleep", wait.checking, EINVAL)
    woken = Not(wait.blocked) | Not(wait.polling) | (wait.poll_port == NO_PORT)
    found = upcall.pending & Not(upcall.masked) | woken
    _end_poll(wait, found)
    wait.checking = False
    return found


@step(*POLLS, "waits.looked", "waits.alone", "polled.sleep")
def look_at_port(m: Machine, v: VcpuId, p: PortId) -> bool:
    """Go on at once if the port is pending; return whether. A port that is not in use cannot be polled."""
    wait, port = m.waits[v], m.ports[p]
    require("the vCPU has looked for an upcall", Not(wait.checking), EINVAL)
    require("it has not settled on a port", Not(wait.polling) | (wait.poll_port == ANY_PORT), EINVAL)
    require("the port is the domain's", p[0] == v[0], EINVAL)
    require("the port exists", (p[1] >= 0) & (p[1] < m.channels[p[0]].valid), EINVAL)
    require("the port is in use", (port.state != FREE) & (port.state != RESERVED), EINVAL)
    found = is_pending(m, p)
    _end_poll(wait, found)
    wait.alone = (wait.looked == NO_PORT) | wait.alone & (wait.looked == p[1])
    wait.looked = ite(found, NO_PORT, p[1])
    polled = m.polled[v, p[1]]
    polled.sleep = ite(found, polled.sleep, wait.sleeps)
    return found


@step(*POLLS)
def give_up_poll(m: Machine, v: VcpuId) -> None:
    """Go on at once: the call is wrong."""
    wait = m.waits[v]
    wait.blocked = False
    wait.polling = False
    wait.poll_port = NO_PORT


@step("waits.poll_port")
def poll_one_port(m: Machine, v: VcpuId) -> None:
    """Let only the one port that was looked at wake the vCPU."""
    wait = m.waits[v]
    require("a port was looked at", wait.looked != NO_PORT, EINVAL)
    require("and no other one", wait.alone, EINVAL)
    wait.poll_port = wait.looked


def block(x: Call) -> Steps[int]:
    """SCHEDOP_block: let upcalls in, and sleep until there is one. Return 0."""
    m, v = x.m, x.vcpu
    let_upcalls_in(m, v)
    yield let_upcalls_in
    fall_asleep(m, v)
    yield fall_asleep
    stay_asleep_without_upcall(m, v)
    yield stay_asleep_without_upcall
    return 0


@step("upcalls.masked")
def let_upcalls_in(m: Machine, v: VcpuId) -> None:
    """Clear the upcall mask on the guest's behalf."""
    require("the vCPU runs", Not(m.waits[v].blocked), EINVAL)
    m.upcalls[v].masked = False


def is_pending(m: View, p: PortId) -> bool:
    """Return whether a port in use is pending, by the ABI of its domain (evtchn_is_pending)."""
    channels = m.channels[p[0]]
    with_word = (p[1] < channels.words) & m.event_words[p].pending
    return ite(channels.fifo, with_word, m.signals[p].pending)


def poll(x: Call, call: Poll) -> Steps[int]:
    """SCHEDOP_poll: sleep until an upcall, or until a named port is pending. Return 0 or an errno."""
    m, v = x.m, x.vcpu
    if len(call.ports) > POLL_PORTS:
        return -EINVAL
    fall_asleep(m, v)
    yield fall_asleep
    begin_poll(m, v)
    yield begin_poll
    found = look_for_upcall(m, v)
    yield look_for_upcall
    try:
        for port in call.ports:
            if found:
                break
            found = look_at_port(m, v, PortId((x.domain, port)))
            yield look_at_port
    except Refused as refusal:
        give_up_poll(m, v)
        yield give_up_poll
        return -refusal.errno
    if not found and len(call.ports) == 1:
        poll_one_port(m, v)
        yield poll_one_port
    return 0
