/* The kernel's own use of memory calls: mapping the pages that Xen shares with it. */
#include "kernel.h"

/* Mapped over: nothing else may lie in the page. */
static union {
    struct shared_info info;
    uint8_t page[PAGE];
} shared_page PAGE_ALIGNED;
static uint8_t grant_pages[GRANT_FRAMES * PAGE] PAGE_ALIGNED;

const volatile struct shared_info *shared(void) { return &shared_page.info; }

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

    if (rc)
        return rc;
    for (unsigned vcpu = 0; vcpu < XEN_LEGACY_MAX_VCPUS; vcpu++)
        shared_page.info.vcpu_info[vcpu].evtchn_upcall_mask = 1;
    return 0;
}

/* Set up the whole grant table and map it; return its first frame. */
uint64_t setup_grants(void)
{
    static uint64_t frames[GRANT_FRAMES];
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = GRANT_FRAMES};

    set_xen_guest_handle(setup.frame_list, frames);
    if (hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, address_of(&setup), 1, 0) || setup.status)
        stop("no grant table");
    for (unsigned index = 0; index < GRANT_FRAMES; index++) {
        if (map_page(address_of(grant_pages + index * PAGE), frames[index], DOMID_SELF))
            stop("cannot map the grant table");
    }
    return frames[0];
}
