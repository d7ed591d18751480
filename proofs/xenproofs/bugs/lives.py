"""Planted bugs of the steps by which virtual CPUs and domains come and go: rows of the catalogue."""

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
    (
        "a domain is forgotten while a processor runs its virtual CPU",
        "bury_vcpu",
        LIFECYCLE,
        ("bury_vcpu", "guard: it runs on no CPU"),
        "running_vcpu_exists",
    ),
    (
        "a domain is forgotten that still has virtual CPUs",
        "bury",
        LIFECYCLE,
        ("bury", "guard: it has no vCPU left"),
        "running_vcpu_exists",
    ),
    (
        "a domain is forgotten that still has pages",
        "bury",
        LIFECYCLE,
        ("bury", "guard: it has no frame left, nor one of Xen's"),
        "pages_are_what_is_charged",
    ),
    (
        "a control domain is destroyed whose doing others' mappings are",
        "begin_destroy",
        LIFECYCLE,
        ("begin_destroy", "guard: it is no control domain, and so not the caller"),
        "dying_domain_exists_and_controls_nothing",
    ),
    (
        "a page of Xen's is shared with a domain that does not exist",
        "make_shared",
        "xenmodel.grants.tables",
        ("make_shared", "guard: the owner is a domain that exists"),
        "domain_that_does_not_exist_has_no_page",
    ),
)
"""Virtual CPUs and domains come and go: whose they are, whom CPUs count for, and that nothing is left."""
