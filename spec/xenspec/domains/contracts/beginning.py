"""The beginning of a domain: who may make one, of which number, and what it has at first.

XEN_DOMCTL_createdomain (public/domctl.h). Xen makes the control domain itself, when it boots.
"""

from dataclasses import dataclass

from xenspec.contract import Cells, Contract
from xenspec.domains.books import State
from xenspec.logic import Not
from xenspec.vocabulary import DOMID_FIRST_RESERVED, DOMID_XEN, DomId

MAX_VCPUS = 8192
"""Most virtual CPUs of a domain."""
ROW = ("exists", "privileged", "io_rights", "vcpus", "max_pages")


@dataclass(frozen=True, slots=True)
class Made:
    """A domain to be: who makes it, its virtual CPUs, the most frames that it may have, its privilege."""

    caller: DomId
    domain: DomId
    vcpus: int
    frames: int
    privileged: bool


MAKE: Contract[State, Made] = Contract("make a domain")


@MAKE.asks(property=(15, 32))
def only_a_control_domain_makes_another(s: State, a: Made) -> bool:
    """The caller is a control domain, or Xen itself, which alone makes a control domain."""
    xen = a.caller == DOMID_XEN
    return (xen | s.domains[a.caller].privileged) & (Not(a.privileged) | xen)


@MAKE.asks(property=32)
def a_domain_gets_a_number_that_is_nobodys(s: State, a: Made) -> bool:
    """The number is one that domains have, and no domain has it."""
    return (a.domain >= 0) & (a.domain < DOMID_FIRST_RESERVED) & Not(s.domains[a.domain].exists)


@MAKE.asks(property=19)
def a_domain_is_of_a_size_that_there_is(s: State, a: Made) -> bool:  # noqa: ARG001 - of the arguments alone
    """The domain has a virtual CPU, not too many of them, and a quota."""
    return (a.vcpus > 0) & (a.vcpus <= MAX_VCPUS) & (a.frames >= 0)


@MAKE.does(property=(15, 19))
def the_domain_is_what_was_asked_for(_: State, after: State, a: Made) -> bool:
    """The domain exists, with the virtual CPUs, the quota and the privilege that were asked for."""
    row = after.domains[a.domain]
    rights = (row.privileged == a.privileged) & (row.io_rights == a.privileged)
    return row.exists & rights & (row.vcpus == a.vcpus) & (row.max_pages == a.frames)


@MAKE.does(property=32)
def a_new_domain_has_nothing_of_another(_: State, after: State, a: Made) -> bool:
    """The domain has no page yet, is neither dying nor crashed, and has no feature switched on."""
    row = after.domains[a.domain]
    assists = row.writable_pagetables | row.m2p_strict | (row.assists != 0)
    return Not(row.dying) & Not(row.crashed) & Not(assists) & (row.pages == 0) & (row.xen_pages == 0)


@MAKE.touches
def _make(_: State, a: Made) -> tuple[Cells, ...]:
    return (Cells("domains", a.domain, ROW),)
