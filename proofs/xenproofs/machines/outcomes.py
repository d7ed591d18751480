"""Which outcomes a deep campaign must reach: each call of the small world with what real Xen answers to it.

The codes are those observed in the oracle's cases (return codes per call, Domain0 and guest together) for the
calls that moves make, and for VCPUOP_register_vcpu_info, of which there are no cases, those that the public
header (vcpu.h) leaves; faults are the processor's. Not derived from any campaign: what is here and was never
reached is a hole in the campaign.
"""

from collections.abc import Iterable

from xenmodel.abi.grant import GrantStatus

STATUSES = frozenset(status.name for status in GrantStatus)

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

OF_EVENTS: dict[str, str] = {
    "event_channel_op:alloc_unbound": "ok EPERM ESRCH",
    "event_channel_op:bind_interdomain": "ok EINVAL ESRCH",
    "event_channel_op:bind_ipi": "ok ENOENT",
    "event_channel_op:bind_vcpu": "ok EINVAL ENOENT",
    "event_channel_op:bind_virq": "ok EINVAL ENOENT EEXIST",
    "event_channel_op:close": "ok EINVAL",
    "event_channel_op:reset": "ok EPERM ESRCH",
    "event_channel_op:send": "ok EINVAL",
    "event_channel_op:expand_array": "ok EOPNOTSUPP EINVAL",
    "event_channel_op:init_control": "ok EINVAL ENOENT",
    "event_channel_op:set_priority": "ok ENOSYS EINVAL",
    "event_channel_op:status": "ok EPERM ESRCH EINVAL",
    "event_channel_op:unmask": "ok EINVAL",
}
"""The same of event channels; of the FIFO ABI, in which no case was asked, what the public header leaves."""
OF_GRANTS: dict[str, str] = {
    "grant_table_op:copy": (
        "OKAY GENERAL_ERROR BAD_DOMAIN BAD_GNTREF PERMISSION_DENIED BAD_PAGE BAD_COPY_ARG"
    ),
    "domctl:destroydomain": "ok EPERM ESRCH EINVAL",
    "grant_table_op:get_status_frames": "OKAY GENERAL_ERROR BAD_DOMAIN PERMISSION_DENIED",
    "grant_table_op:get_version": "ok EPERM ESRCH",
    "grant_table_op:map_grant_ref": "OKAY GENERAL_ERROR BAD_DOMAIN BAD_GNTREF BAD_PAGE",
    "grant_table_op:query_size": "OKAY BAD_DOMAIN PERMISSION_DENIED",
    "grant_table_op:set_version": "ok EINVAL EBUSY",
    "grant_table_op:setup_table": "OKAY GENERAL_ERROR BAD_DOMAIN PERMISSION_DENIED",
    "grant_table_op:swap_grant_ref": "OKAY BAD_GNTREF EAGAIN",
    "grant_table_op:transfer": "OKAY GENERAL_ERROR BAD_DOMAIN BAD_PAGE",
    "grant_table_op:unmap_and_replace": "OKAY GENERAL_ERROR BAD_HANDLE",
    "grant_table_op:unmap_grant_ref": "OKAY GENERAL_ERROR BAD_HANDLE",
}
"""The same of grants, by the names of their statuses.

Of status frames and of a domain's end there are no cases: what the public headers leave.
"""
BY_SUBSYSTEM: dict[str, dict[str, str]] = {"events": OF_EVENTS, "grants": OF_GRANTS}


def expected(subsystem: str = "memory") -> tuple[str, ...]:
    """Return every `call × outcome` that a deep campaign must reach."""
    return tuple(
        f"{call} × {outcome if outcome in STATUSES else outcome.replace('_', ' ')}"
        for call, outcomes in BY_SUBSYSTEM.get(subsystem, EXPECTED).items()
        for outcome in outcomes.split()
    )


def unreached(coverage: Iterable[str], subsystem: str = "memory") -> list[str]:
    """Return what of the expected outcomes is not among those reached."""
    reached = set(coverage)
    return [one for one in expected(subsystem) if one not in reached]
