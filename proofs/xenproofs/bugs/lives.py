"""Planted bugs of the steps by which virtual CPUs come and CPUs leave them: rows of the catalogue."""

from typing import Final

LIFECYCLE: Final = "xenmodel.domains.lifecycle"
TLB: Final = "xenmodel.hardware.tlb"

OF_LIVES: Final = (
    (
        "a domain is given another one's virtual CPU",
        "create_vcpu",
        LIFECYCLE,
        ("create_vcpu", "guard: the vCPU is one of the domain's"),
        "vcpu_is_of_the_domain_of_its_number",
    ),
    (
        "a CPU that is left idle counts as nobody's",
        "idle_cpu",
        TLB,
        ("idle_cpu", "m.dirty[m.vcpus[idle].domain, cpu].dirty = True"),
        "running_domain_is_dirty",
    ),
)
"""Virtual CPUs come and go: whose they are, and whom the CPUs that ran them count for."""
