"""Which domain a call names, and what the caller may do to it (get_pg_owner, the dummy XSM policy)."""

from xenmodel.hypercall import Call
from xenmodel.step import Refused
from xenspec.vocabulary import DOMID_FIRST_RESERVED, DOMID_IO, DOMID_SELF, DOMID_XEN, EPERM, ESRCH, DomId


def named_domain(x: Call, number: int) -> DomId:
    """Return the domain that `number` names as a foreign one; SELF is the caller.

    Refuses with ESRCH what names nobody, and the caller's own number.
    """
    if number == DOMID_SELF:
        return x.domain
    if number == x.domain:
        raise Refused("a domain does not name itself by number", ESRCH)
    if number in (DOMID_IO, DOMID_XEN):
        return DomId(number)
    if number >= DOMID_FIRST_RESERVED or not x.m.domains[number].exists:
        raise Refused("the named domain exists", ESRCH)
    return DomId(number)


def addressed_domain(x: Call, number: int) -> DomId | None:
    """Return the domain that a memory_op or event call addresses: SELF, the own number, or another's."""
    if number == DOMID_SELF:
        return x.domain
    if number >= DOMID_FIRST_RESERVED or not x.m.domains[number].exists:
        return None
    return DomId(number)


def require_control(x: Call, target: DomId) -> None:
    """Refuse with EPERM unless the caller is the target itself or a control domain."""
    if target != x.domain and not x.m.domains[x.domain].privileged:
        raise Refused("the caller controls the named domain", EPERM)
