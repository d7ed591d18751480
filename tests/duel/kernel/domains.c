/* Other domains, as a toolstack makes them; and the second domain that owns frames and never runs. */
#include "kernel.h"

#define MOST_PASSIVE_FRAMES 16384
#define SPARE_FRAMES 64

static uint64_t passive_frames[MOST_PASSIVE_FRAMES];

long domctl(struct xen_domctl *op)
{
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    return hypercall(__HYPERVISOR_domctl, address_of(op), 0, 0, 0);
}

static void must(struct xen_domctl *op, const char *what)
{
    if (domctl(op))
        stop(what);
}

domid_t create_domain(unsigned vcpus, uint64_t most_pages)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_createdomain, .domain = 1};

    op.u.createdomain.max_vcpus = vcpus;
    op.u.createdomain.max_evtchn_port = 4095;
    op.u.createdomain.max_grant_frames = GRANT_FRAMES;
    op.u.createdomain.max_maptrack_frames = 1024;
    op.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(2);
    must(&op, "cannot create a domain");
    op.cmd = XEN_DOMCTL_max_mem;
    op.u.max_mem.max_memkb = most_pages * (PAGE / 1024);
    must(&op, "cannot give the domain memory");
    op.cmd = XEN_DOMCTL_max_vcpus;
    op.u.max_vcpus.max = vcpus;
    must(&op, "cannot give the domain vCPUs");
    return op.domain;
}

/* Returns the number of extents given; their first frames are in `frames`. */
uint64_t populate(domid_t domain, uint64_t *frames, uint64_t extents, unsigned order)
{
    struct xen_memory_reservation op = {.nr_extents = extents, .extent_order = order, .domid = domain};
    long rc;

    for (uint64_t index = 0; index < extents; index++)
        frames[index] = index << order;
    set_xen_guest_handle(op.extent_start, frames);
    rc = hypercall(__HYPERVISOR_memory_op, XENMEM_populate_physmap, address_of(&op), 0, 0);
    return rc > 0 ? rc : 0;
}

bool domain_info(domid_t domain, struct xen_domctl_getdomaininfo *info)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_getdomaininfo, .domain = domain};
    long rc = domctl(&op);

    *info = op.u.getdomaininfo;
    return !rc;
}

void make_passive(uint64_t frames)
{
    struct xen_domctl_getdomaininfo info;
    domid_t domain;

    if (frames > MOST_PASSIVE_FRAMES)
        stop("too many frames for the second domain");
    domain = create_domain(4, frames + SPARE_FRAMES);
    mailbox.foreign_frames = populate(domain, passive_frames, frames, 0);
    mailbox.foreign = address_of(passive_frames);
    if (!domain_info(domain, &info))
        stop("the second domain is gone");
    share_other_events(info.shared_info_frame, domain);
    setup_grants(domain);
}
