"""The end of a domain: who may begin it, and what Xen takes back from one that is dying.

XEN_DOMCTL_destroydomain (public/domctl.h). Nothing of this happens to a domain that is not dying; what others
hold of its frames stays theirs.
"""

from dataclasses import dataclass
from typing import Protocol

from xenspec.contract import Cells, Contract
from xenspec.domains import books
from xenspec.events import books as events
from xenspec.logic import Not
from xenspec.memory.frames import NO_FRAME
from xenspec.vocabulary import DOMID_XEN, DomId, FlightId, Mode, VcpuId

CALLBACKS = (
    "event_callback",
    "failsafe_callback",
    "syscall_callback",
    "sysenter_callback",
    "syscall32_callback",
    "alarm",
    "period",
    "runstate_area",
)
WAITING = ("blocked", "polling", "poll_port", "checking", "looked")
REGISTERS = (
    "initialised",
    "up",
    "user_mode",
    "cpu",
    "fs_base",
    "gs_base_user",
    "gs_base_kernel",
    "kernel_ss",
    "kernel_sp",
    "task_switched",
)


class State(books.State, events.State, Protocol):
    """What there is of domains, and of their event channels."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A domain, and the one that asks for its end."""

    caller: DomId
    domain: DomId


@dataclass(frozen=True, slots=True)
class OfDomain:
    """A domain."""

    domain: DomId


@dataclass(frozen=True, slots=True)
class OfVcpu:
    """A virtual CPU."""

    v: VcpuId


@dataclass(frozen=True, slots=True)
class InFlight:
    """A flight, and what it holds."""

    k: FlightId


DESTROY: Contract[State, Ended] = Contract("begin the end of a domain")
CRASH: Contract[State, OfDomain] = Contract("crash a domain")
BURY: Contract[State, OfVcpu] = Contract("forget a virtual CPU")
OF_DYING: Contract[State, OfVcpu] = Contract("be a virtual CPU of a dying domain")
FORGET_CALLBACKS: Contract[State, OfVcpu] = Contract("forget where a virtual CPU is entered")
DROP_EOI: Contract[State, OfDomain] = Contract("take a dying domain's page of handled interrupts")
DROP_INFO: Contract[State, OfVcpu] = Contract("take a virtual CPU's information page")
TAKE_OVER: Contract[State, InFlight] = Contract("take a dying domain's waiting demotion over")


@DESTROY.asks(property=(15, 32))
def only_a_control_domain_ends_another(s: State, a: Ended) -> bool:
    """The caller is a control domain, or Xen itself; the domain that is to end exists, and is no such one."""
    control = (a.caller == DOMID_XEN) | s.domains[a.caller].privileged
    return control & s.domains[a.domain].exists & Not(s.domains[a.domain].privileged)


@DESTROY.does(property=32)
def the_end_has_begun(_: State, after: State, a: Ended) -> bool:
    """The domain is dying."""
    return after.domains[a.domain].dying


@DESTROY.touches
def _destroy(_: State, a: Ended) -> tuple[Cells, ...]:
    return (Cells("domains", a.domain, ("dying",)),)


@CRASH.asks(property=32)
def only_who_exists_crashes(s: State, a: OfDomain) -> bool:
    """The domain exists."""
    return s.domains[a.domain].exists


@CRASH.does(property=16)
def a_crashed_domain_runs_no_more(_: State, after: State, a: OfDomain) -> bool:
    """The domain has crashed."""
    return after.domains[a.domain].crashed


@CRASH.touches
def _crash(_: State, a: OfDomain) -> tuple[Cells, ...]:
    return (Cells("domains", a.domain, ("crashed",)),)


@OF_DYING.asks(property=32)
def only_from_the_dying_is_taken_back(s: State, a: OfVcpu) -> bool:
    """The end of the virtual CPU's domain has begun."""
    return s.domains[s.vcpus[a.v].domain].dying


@FORGET_CALLBACKS.does(property=32)
def the_vcpu_is_entered_nowhere(_: State, after: State, a: OfVcpu) -> bool:
    """No callback, no timer and no area is left of the virtual CPU."""
    v = after.vcpus[a.v]
    entered = (v.event_callback == 0) & (v.failsafe_callback == 0) & (v.syscall_callback == 0)
    other = (v.sysenter_callback == 0) & (v.syscall32_callback == 0)
    return entered & other & (v.alarm == 0) & (v.period == 0) & (v.runstate_area == 0)


@FORGET_CALLBACKS.touches
def _forget_callbacks(_: State, a: OfVcpu) -> tuple[Cells, ...]:
    return (Cells("vcpus", a.v, CALLBACKS),)


@BURY.asks(property=(6, 7, 32))
def a_buried_vcpu_holds_nothing(s: State, a: OfVcpu) -> bool:
    """The virtual CPU has no base pointer, no table to finish, no information page and no descriptors."""
    v = s.vcpus[a.v]
    tables = (v.base == NO_FRAME) & (v.user_base == NO_FRAME) & (v.old_table == NO_FRAME)
    return tables & (v.info_frame == NO_FRAME) & (v.gdt_entries == 0) & (v.ldt_entries == 0)


@BURY.asks(property=(8, 23, 32))
def only_the_last_vcpu_is_buried_that_nothing_calls(s: State, a: OfVcpu) -> bool:
    """The virtual CPU is the last that its domain has, runs nowhere, and no port tells it of events."""
    last = (a.v[1] >= 0) & (a.v[1] == s.domains[a.v[0]].vcpus - 1)
    runs = s.cpus[s.vcpus[a.v].cpu].current == a.v
    return last & Not(runs) & (s.channels[a.v[0]].active == 0)


@BURY.does(property=32)
def the_domain_has_one_vcpu_fewer(before: State, after: State, a: OfVcpu) -> bool:
    """The domain has one virtual CPU fewer."""
    return after.domains[a.v[0]].vcpus == before.domains[a.v[0]].vcpus - 1


@BURY.does(property=(24, 32))
def a_buried_vcpu_waits_for_nothing(_: State, after: State, a: OfVcpu) -> bool:
    """The virtual CPU neither sleeps nor polls."""
    wait = after.waits[a.v]
    sleeps = wait.blocked | wait.polling | wait.checking
    return Not(sleeps) & (wait.poll_port == 0) & (wait.looked == 0)


@BURY.does(property=32)
def a_buried_vcpu_is_as_if_it_had_never_been(_: State, after: State, a: OfVcpu) -> bool:
    """The virtual CPU cannot run, and nothing of its registers is left for another domain of that number."""
    v = after.vcpus[a.v]
    runs = v.initialised | v.up | v.user_mode | v.task_switched
    bases = (v.fs_base == 0) & (v.gs_base_user == 0) & (v.gs_base_kernel == 0)
    return Not(runs) & bases & (v.kernel_ss == 0) & (v.kernel_sp == 0) & (v.cpu == 0)


@BURY.touches
def _bury(_: State, a: OfVcpu) -> tuple[Cells, ...]:
    return (
        Cells("vcpus", a.v, REGISTERS),
        Cells("waits", a.v, WAITING),
        Cells("domains", a.v[0], ("vcpus",)),
    )


@DROP_EOI.asks(property=(6, 32))
def the_page_of_a_dying_domain_is_taken(s: State, a: OfDomain) -> bool:
    """The end of the domain has begun, and Xen keeps such a page of it."""
    return s.domains[a.domain].dying & (s.eoi_frames[a.domain].frame != NO_FRAME)


@DROP_EOI.does(property=6)
def the_domain_has_no_page_of_handled_interrupts(_: State, after: State, a: OfDomain) -> bool:
    """Xen keeps no such page of the domain."""
    return after.eoi_frames[a.domain].frame == NO_FRAME


@DROP_EOI.touches
def _drop_eoi(_: State, a: OfDomain) -> tuple[Cells, ...]:
    return (Cells("eoi_frames", a.domain, ("frame",)),)


@DROP_INFO.asks(property=6)
def an_information_page_is_taken_that_is_kept(s: State, a: OfVcpu) -> bool:
    """Xen keeps an information page of the virtual CPU."""
    return s.vcpus[a.v].info_frame != NO_FRAME


@DROP_INFO.does(property=6)
def the_vcpu_has_no_information_page(_: State, after: State, a: OfVcpu) -> bool:
    """Xen keeps no such page of the virtual CPU."""
    return after.vcpus[a.v].info_frame == NO_FRAME


@DROP_INFO.touches
def _drop_info(_: State, a: OfVcpu) -> tuple[Cells, ...]:
    return (Cells("vcpus", a.v, ("info_frame",)),)


@TAKE_OVER.asks(property=(5, 17, 32))
def only_a_dying_domains_waiting_table_is_taken_over(s: State, a: InFlight) -> bool:
    """The flight holds a general reference of a table whose work waits, and whose owner is dying."""
    frame = s.frames[s.flights[a.k].frame]
    return (s.flights[a.k].mode == Mode.REF) & frame.partial & s.domains[frame.owner].dying


@TAKE_OVER.does(property=(5, 17))
def the_flight_goes_on_with_the_demotion(before: State, after: State, a: InFlight) -> bool:
    """The table waits no more: the flight releases its entries."""
    waits = after.frames[before.flights[a.k].frame].partial
    return Not(waits) & (after.flights[a.k].mode == Mode.DEVALIDATING)


@TAKE_OVER.touches
def _take_over(s: State, a: InFlight) -> tuple[Cells, ...]:
    waits = Cells("frames", s.flights[a.k].frame, ("partial",))
    return (Cells("flights", a.k, ("mode",)), waits)
