"""Which outcomes a deep campaign must reach: each call of the small world with what real Xen answers to it.

The codes are those observed in the oracle's cases (return codes per call, Domain0 and guest together) for the
calls that moves make, and for VCPUOP_register_vcpu_info, of which there are no cases, those that the public
header (vcpu.h) leaves; faults are the processor's. Not derived from any campaign: what is here and was never
reached is a hole in the campaign.
"""

from collections.abc import Iterable

EXPECTED: dict[str, str] = {
    "mmu_update:normal": "ok EPERM ESRCH EACCES EBUSY EINVAL",
    "mmu_update:preserve_ad": "ok EPERM ESRCH EBUSY EINVAL",
    "mmu_update:no_translate": "ok EPERM EBUSY EINVAL",
    "mmu_update:machphys": "ok EPERM ESRCH EINVAL",
    "mmu_update:batch": "ok EPERM EBUSY EINVAL",
    "mmuext_op:pin_l1": "ok EPERM ESRCH EBUSY EINVAL",
    "mmuext_op:pin_l2": "ok EPERM ESRCH EBUSY EINVAL",
    "mmuext_op:pin_l3": "ok EPERM EINVAL",
    "mmuext_op:pin_l4": "ok EPERM ESRCH EINVAL",
    "mmuext_op:unpin": "ok EPERM ESRCH EINVAL",
    "mmuext_op:new_baseptr": "ok EPERM ESRCH EINVAL",
    "mmuext_op:new_user_baseptr": "ok EPERM ESRCH EINVAL",
    "mmuext_op:clear_page": "ok EPERM ESRCH EINVAL",
    "mmuext_op:copy_page": "ok EINVAL",
    "mmuext_op:set_ldt": "ok EINVAL",
    "mmuext_op:flush_cache": "ok EPERM ESRCH EACCES",
    "mmuext_op:flush_cache_global": "ok EINVAL",
    "mmuext_op:mark_super": "EOPNOTSUPP",
    "mmuext_op:unmark_super": "EOPNOTSUPP",
    "mmuext_op:tlb_flush_local": "ok EPERM ESRCH",
    "mmuext_op:tlb_flush_all": "ok",
    "mmuext_op:invlpg_local": "ok",
    "mmuext_op:invlpg_all": "ok",
    "mmuext_op:batch": "ok EPERM EBUSY EINVAL",
    "update_va_mapping": "ok EPERM EACCES EBUSY EINVAL",
    "update_va_mapping_otherdomain": "ok EPERM ESRCH EBUSY EINVAL",
    "set_gdt": "ok EINVAL",
    "update_descriptor": "ok EINVAL",
    "vcpu_op:register_vcpu_info": "ok EINVAL ENOENT",
    "memory_op:decrease": "0_done 1_done 2_done",
    "memory_op:populate": "0_done 1_done 2_done",
    "memory_op:increase": "0_done 1_done",
    "memory_op:exchange": "ok EINVAL",
    "load": "value #14/0",
    "store": "stored #14/3 #14/2",
    "select": "loaded #11 #13 #14",
    "fill": "done refused",
    "evict": "done",
    "stale_store": "done refused",
    "switch": "done",
}


def expected() -> tuple[str, ...]:
    """Return every `call × outcome` that a deep campaign must reach."""
    return tuple(
        f"{call} × {outcome.replace('_', ' ')}"
        for call, outcomes in EXPECTED.items()
        for outcome in outcomes.split()
    )


def unreached(coverage: Iterable[str]) -> list[str]:
    """Return what of the expected outcomes is not among those reached."""
    reached = set(coverage)
    return [one for one in expected() if one not in reached]
