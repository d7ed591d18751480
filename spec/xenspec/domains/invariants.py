"""Safety of domains as such: what there is, and that nothing is left of what there is not.

A domain's number is free again once the domain is buried, and another domain may get it, which must not find
anything of the first. What a domain has is counted, as pages are, or numbered, as virtual CPUs are: of what
does not exist each count is zero, and no number is in use.
"""

from typing import Protocol

from xenspec.domains.books import DomainBook, VcpuBook
from xenspec.invariant import Kind, Registry
from xenspec.logic import Not, implies
from xenspec.table import ReadTable
from xenspec.vocabulary import DOMID_FIRST_RESERVED, DomId, VcpuId


class State(Protocol):
    """The state that these invariants read."""

    @property
    def domains(self) -> ReadTable[int, DomainBook]: ...  # noqa: D102 - named by its table
    @property
    def vcpus(self) -> ReadTable[tuple[int, int], VcpuBook]: ...  # noqa: D102


SAFETY: Registry[State] = Registry("domains", Kind.SAFETY)
invariant = SAFETY.invariant


@invariant(property=32)
def domain_has_the_number_of_one(s: State, d: DomId) -> bool:
    """A domain that exists has none of the numbers that are reserved."""
    return implies(s.domains[d].exists, lambda: (d >= 0) & (d < DOMID_FIRST_RESERVED))


@invariant(property=(15, 32))
def dying_domain_exists_and_controls_nothing(s: State, d: DomId) -> bool:
    """A domain that is dying is still there, and is no control domain."""
    row = s.domains[d]
    return implies(row.dying, lambda: row.exists & Not(row.privileged))


@invariant(property=(15, 19, 32))
def domain_that_does_not_exist_has_nothing(s: State, d: DomId) -> bool:
    """What does not exist has no privilege, no feature, no quota and no virtual CPU."""
    row = s.domains[d]
    rights = row.privileged | row.io_rights | row.crashed
    assists = row.writable_pagetables | row.m2p_strict | (row.assists != 0)
    return implies(
        Not(row.exists) & (d >= 0) & (d < DOMID_FIRST_RESERVED),
        lambda: Not(rights) & Not(assists) & (row.max_pages == 0) & (row.vcpus == 0),
    )


@invariant(property=32)
def initialised_vcpu_exists(s: State, v: VcpuId) -> bool:
    """A virtual CPU that may run is one of those that its domain has."""
    return implies(s.vcpus[v].initialised, lambda: (v[1] >= 0) & (v[1] < s.domains[v[0]].vcpus))
