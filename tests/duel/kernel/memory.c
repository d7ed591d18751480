/* The kernel's own use of memory calls: mapping the pages that Xen shares with it. */
#include "kernel.h"

/* Mapped over: nothing else may lie in the page. */
static union {
    struct shared_info info;
    uint8_t page[PAGE];
} shared_page PAGE_ALIGNED;

volatile struct shared_info *shared(void) { return &shared_page.info; }

/* This kernel takes no interrupt. */
void mask_upcalls(void)
{
    for (unsigned vcpu = 0; vcpu < XEN_LEGACY_MAX_VCPUS; vcpu++)
        shared_page.info.vcpu_info[vcpu].evtchn_upcall_mask = 1;
}

long map_page(uint64_t va, uint64_t mfn, domid_t owner)
{
    uint64_t entry = mfn * PAGE | BOOT_FLAGS, flush = UVMF_INVLPG | UVMF_ALL;

    if (owner == DOMID_SELF)
        return hypercall(__HYPERVISOR_update_va_mapping, va, entry, flush, 0);
    return hypercall(__HYPERVISOR_update_va_mapping_otherdomain, va, entry, flush, owner);
}

long one_mmuext(unsigned command, uint64_t first, domid_t domain)
{
    struct mmuext_op op = {.cmd = command, .arg1.mfn = first};

    return hypercall(__HYPERVISOR_mmuext_op, address_of(&op), 1, 0, domain);
}

long map_shared_info(uint64_t mfn)
{
    long rc = map_page(address_of(&shared_page), mfn, DOMID_SELF);

    if (!rc)
        mask_upcalls();
    return rc;
}
