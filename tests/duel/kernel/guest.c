/* The unprivileged guest: a second domain that runs a fresh copy of this very kernel, and is asked in place of
 * Domain0. What Xen's builder does for Domain0, this file does for the guest.
 *
 * Its memory is one block of frames, so that its frame n is `base + n`: the image where it was linked, then
 * the start info page, the frame list, and the page tables, highest level first and mapped read-only. */
#include "kernel.h"

static uint64_t window_page[ENTRIES] PAGE_ALIGNED;
static struct vcpu_guest_context context;

struct layout {
    domid_t domain;
    uint64_t base, pages;
    uint64_t start_info, list, l4, l3, l2, l1, end; /* page numbers */
};

static uint64_t page_number(const void *address) { return (address_of(address) - VIRT_BASE) / PAGE; }

/* Map a page of the guest to write to it. */
static uint64_t *window(const struct layout *at, uint64_t page)
{
    if (map_page(address_of(window_page), at->base + page, at->domain))
        stop("cannot look into the guest");
    return window_page;
}

static struct layout plan(domid_t domain, uint64_t base, uint64_t pages)
{
    struct layout at = {.domain = domain, .base = base, .pages = pages};

    at.start_info = page_number(image_end + PAGE - 1);
    at.list = at.start_info + 1;
    at.l4 = at.list + pages / ENTRIES;
    at.l3 = at.l4 + 1;
    at.l2 = at.l3 + 1;
    at.l1 = at.l2 + 1;
    at.end = at.l1 + pages / ENTRIES;
    if (at.end > pages)
        stop("the guest is too small");
    return at;
}

static void copy_image(const struct layout *at)
{
    uint64_t page = page_number(image_begin), beyond = page_number(image_filled);

    for (; page < beyond; page++) {
        const uint64_t *from = (const uint64_t *)(VIRT_BASE + page * PAGE);
        uint64_t *to = window(at, page);

        for (unsigned word = 0; word < ENTRIES; word++)
            to[word] = from[word];
    }
}

static void write_list_and_tables(const struct layout *at)
{
    for (uint64_t table = 0; table < at->pages / ENTRIES; table++) {
        uint64_t *list = window(at, at->list + table);

        for (unsigned word = 0; word < ENTRIES; word++)
            list[word] = at->base + table * ENTRIES + word;
    }
    for (uint64_t table = 0; table < at->pages / ENTRIES; table++) {
        uint64_t *l1 = window(at, at->l1 + table);

        for (unsigned word = 0; word < ENTRIES; word++) {
            uint64_t page = table * ENTRIES + word;
            bool is_table = page >= at->l4 && page < at->end;

            l1[word] = (at->base + page) * PAGE | (is_table ? BOOT_FLAGS & ~2UL : BOOT_FLAGS);
        }
        window(at, at->l2)[table] = (at->base + at->l1 + table) * PAGE | BOOT_FLAGS;
    }
    window(at, at->l3)[ENTRIES - 2] = (at->base + at->l2) * PAGE | BOOT_FLAGS;
    window(at, at->l4)[ENTRIES - 1] = (at->base + at->l3) * PAGE | BOOT_FLAGS;
}

static void write_start_info(const struct layout *at, uint64_t shared_info)
{
    struct start_info *page = (struct start_info *)window(at, at->start_info);

    page->nr_pages = at->pages;
    page->shared_info = shared_info * PAGE;
    page->pt_base = VIRT_BASE + at->l4 * PAGE;
    page->nr_pt_frames = at->end - at->l4;
    page->mfn_list = VIRT_BASE + at->list * PAGE;
}

static void clear_memory(const struct layout *at)
{
    for (uint64_t page = 0; page < at->pages; page++) {
        if (one_mmuext(MMUEXT_CLEAR_PAGE, at->base + page, at->domain))
            stop("cannot clear the guest's memory");
    }
}

static void start_vcpu(const struct layout *at)
{
    uint64_t start = VIRT_BASE + at->start_info * PAGE;
    struct xen_domctl op = {.cmd = XEN_DOMCTL_setvcpucontext, .domain = at->domain};

    context.flags = VGCF_in_kernel | VGCF_online;
    context.user_regs.rip = address_of(image_begin);
    context.user_regs.rsi = start;
    context.user_regs.cs = FLAT_KERNEL_CS;
    context.user_regs.ss = context.kernel_ss = FLAT_KERNEL_SS;
    context.user_regs.rsp = context.kernel_sp = start;
    context.ctrlreg[3] = xen_pfn_to_cr3(at->base + at->l4);
    set_xen_guest_handle(op.u.vcpucontext.ctxt, &context);
    if (domctl(&op))
        stop("cannot set up the guest's vCPU");
    op = (struct xen_domctl){.cmd = XEN_DOMCTL_unpausedomain, .domain = at->domain};
    if (domctl(&op))
        stop("cannot start the guest");
}

domid_t make_guest(unsigned order)
{
    uint64_t pages = 1UL << order, base;
    domid_t domain = create_domain(4, pages + 4096);
    struct xen_domctl_getdomaininfo info;
    struct layout at;

    if (populate(domain, &base, 1, order) != 1 || !domain_info(domain, &info))
        stop("no memory for the guest");
    at = plan(domain, base, pages);
    clear_memory(&at);
    copy_image(&at);
    write_list_and_tables(&at);
    write_start_info(&at, info.shared_info_frame);
    hypercall(__HYPERVISOR_update_va_mapping, address_of(window_page), 0, UVMF_INVLPG | UVMF_ALL, 0);
    if (one_mmuext(MMUEXT_PIN_L4_TABLE, at.base + at.l4, domain))
        stop("cannot pin the guest's tables");
    mailbox.guest_mailbox = base + page_number(&mailbox);
    start_vcpu(&at);
    return domain;
}
