/* Grant tables: the calls, the entries that a guest writes by itself, and giving back what a case has mapped.
 *
 * Both tables have their full size from the start. A case uses references from `first_reference()` on; where it
 * leaves an entry in use for good (its page-table entry is lost, say), later cases use others. */
#include "kernel.h"

#define CASE_REFERENCES 64
#define NO_HANDLE 0xdeadbeef
#define NO_STATUS 0x7fff
#define RESERVED 8 /* entries that a change of the table's layout keeps */

static uint8_t own_table[GRANT_FRAMES * PAGE] PAGE_ALIGNED, other_table[GRANT_FRAMES * PAGE] PAGE_ALIGNED;
static uint64_t status_window[ENTRIES] PAGE_ALIGNED;
static domid_t other = DOMID_INVALID;
static uint64_t first = CASE_REFERENCES;

static long call(unsigned command, void *op) { return hypercall(__HYPERVISOR_grant_table_op, command, address_of(op), 1, 0); }

/* Set up a domain's whole table and map it; return its first frame. */
uint64_t setup_grants(domid_t domain)
{
    static uint64_t frames[GRANT_FRAMES];
    struct gnttab_setup_table setup = {.dom = domain, .nr_frames = GRANT_FRAMES};
    uint8_t *table = domain == DOMID_SELF ? own_table : other_table;

    set_xen_guest_handle(setup.frame_list, frames);
    if (call(GNTTABOP_setup_table, &setup) || setup.status)
        stop("no grant table");
    for (unsigned index = 0; index < GRANT_FRAMES; index++) {
        if (map_page(address_of(table + index * PAGE), frames[index], domain))
            stop("cannot map the grant table");
    }
    if (domain != DOMID_SELF)
        other = domain;
    return frames[0];
}

bool grants_are_free(void) { return first == CASE_REFERENCES; }
bool references_are_left(void) { return first + CASE_REFERENCES <= GRANT_FRAMES * ENTRIES / 2; }
uint64_t first_reference(void) { return first; }

union grant {
    struct gnttab_map_grant_ref map;
    struct gnttab_unmap_grant_ref unmap;
    struct gnttab_unmap_and_replace replace;
    struct gnttab_copy copy;
    struct gnttab_transfer transfer;
    struct gnttab_swap_grant_ref swap;
    struct gnttab_query_size query;
    struct gnttab_setup_table setup;
    struct gnttab_get_status_frames status_frames;
    struct gnttab_set_version set_version;
    struct gnttab_get_version get_version;
    struct gnttab_cache_flush flush;
};

static void note_mapping(struct play *play, const struct gnttab_map_grant_ref *map)
{
    uint64_t flags = map->flags & GNTMAP_readonly ? BOOT_FLAGS & ~2UL : BOOT_FLAGS;

    if (play->mapped == MOST_MAPPINGS)
        stop("too many mappings in a case");
    play->mappings[play->mapped++] = (struct mapping){
        .host = map->flags & GNTMAP_host_map ? map->host_addr : 0,
        .device = map->flags & GNTMAP_device_map ? map->dev_bus_addr : 0,
        .entry = (map->dev_bus_addr & ~(PAGE - 1)) | flags,
        .handle = map->handle,
        .by_entry = map->flags & GNTMAP_contains_pte,
    };
}

static void map(struct play *play, const struct request *request, union grant *op, struct answer *answer)
{
    op->map.host_addr = operand(play, request, 0);
    op->map.flags = operand(play, request, 1);
    op->map.ref = operand(play, request, 2);
    op->map.dom = operand(play, request, 3);
    op->map.handle = NO_HANDLE;
    op->map.status = NO_STATUS;
    answer->out[2] = call(request->a, op);
    answer->rc = op->map.status;
    answer->out[0] = op->map.handle;
    answer->out[1] = op->map.dev_bus_addr;
    if (!answer->rc)
        note_mapping(play, &op->map);
    if (request->b)
        play->saved[request->b - 1] = op->map.handle;
}

/* Both calls name the mapping's address first, something else next, then the handle, and look alike. */
static void unmap(struct play *play, const struct request *request, union grant *op, struct answer *answer)
{
    op->unmap.host_addr = operand(play, request, 0);
    op->unmap.dev_bus_addr = operand(play, request, 1);
    op->unmap.handle = operand(play, request, 2);
    op->unmap.status = NO_STATUS;
    answer->out[2] = call(request->a, op);
    answer->rc = op->unmap.status;
}

static void copy(struct play *play, const struct request *request, union grant *op, struct answer *answer)
{
    op->copy.source.u.gmfn = operand(play, request, 0);
    op->copy.source.domid = operand(play, request, 1);
    op->copy.source.offset = operand(play, request, 2);
    op->copy.dest.u.gmfn = operand(play, request, 3);
    op->copy.dest.domid = operand(play, request, 4);
    op->copy.dest.offset = operand(play, request, 5);
    op->copy.len = operand(play, request, 6);
    op->copy.flags = operand(play, request, 7);
    op->copy.status = NO_STATUS;
    answer->out[2] = call(request->a, op);
    answer->rc = op->copy.status;
}

/* Questions about a table as a whole, and changes of it. */
static void ask_table(struct play *play, const struct request *request, union grant *op, struct answer *answer)
{
    static uint64_t frames[2 * GRANT_FRAMES];
    uint64_t one = operand(play, request, 0), two = operand(play, request, 1);

    switch (request->a) {
    case GNTTABOP_query_size:
        op->query.dom = one;
        op->query.status = NO_STATUS;
        answer->out[2] = call(request->a, op);
        answer->rc = op->query.status;
        answer->out[0] = op->query.nr_frames;
        answer->out[1] = op->query.max_nr_frames;
        return;
    case GNTTABOP_setup_table:
        op->setup.dom = one;
        op->setup.nr_frames = two;
        set_xen_guest_handle(op->setup.frame_list, frames);
        answer->out[2] = call(request->a, op);
        answer->rc = op->setup.status;
        return;
    case GNTTABOP_get_status_frames:
        op->status_frames.dom = one;
        op->status_frames.nr_frames = two;
        set_xen_guest_handle(op->status_frames.frame_list, frames);
        answer->out[2] = call(request->a, op);
        answer->rc = op->status_frames.status;
        return;
    case GNTTABOP_set_version:
        op->set_version.version = one;
        answer->rc = call(request->a, op);
        answer->out[0] = op->set_version.version;
        return;
    case GNTTABOP_get_version:
        op->get_version.dom = one;
        answer->rc = call(request->a, op);
        answer->out[0] = op->get_version.version;
        return;
    }
    stop("unknown grant call");
}

static void move(struct play *play, const struct request *request, union grant *op, struct answer *answer)
{
    uint64_t one = operand(play, request, 0), two = operand(play, request, 1);

    switch (request->a) {
    case GNTTABOP_swap_grant_ref:
        op->swap.ref_a = one;
        op->swap.ref_b = two;
        op->swap.status = NO_STATUS;
        answer->out[2] = call(request->a, op);
        answer->rc = op->swap.status;
        return;
    case GNTTABOP_transfer:
        op->transfer.mfn = one;
        op->transfer.domid = two;
        op->transfer.ref = operand(play, request, 2);
        op->transfer.status = NO_STATUS;
        answer->out[2] = call(request->a, op);
        answer->rc = op->transfer.status;
        return;
    case GNTTABOP_cache_flush:
        op->flush.a.dev_bus_addr = one;
        op->flush.offset = two;
        op->flush.length = operand(play, request, 2);
        op->flush.op = operand(play, request, 3);
        answer->rc = call(request->a, op);
        return;
    }
    ask_table(play, request, op, answer);
}

void do_grant(struct play *play, const struct request *request, struct answer *answer)
{
    union grant op = {0};

    play->touched |= LEFT_GRANTS;
    switch (request->a) {
    case GNTTABOP_map_grant_ref:
        return map(play, request, &op, answer);
    case GNTTABOP_unmap_grant_ref:
    case GNTTABOP_unmap_and_replace:
        return unmap(play, request, &op, answer);
    case GNTTABOP_copy:
        return copy(play, request, &op, answer);
    }
    move(play, request, &op, answer);
}

static volatile uint64_t *entry_at(const struct request *request, uint64_t reference)
{
    uint64_t words = request->b == 2 ? 2 : 1, all = GRANT_FRAMES * ENTRIES;

    return (volatile uint64_t *)(request->a ? other_table : own_table) + reference * words % all;
}

/* As a careful guest writes an entry: the flags last. */
static void write_entry(volatile uint64_t *entry, const struct request *request, uint64_t word, uint64_t second)
{
    entry[0] = 0;
    if (request->b == 2)
        entry[1] = second;
    entry[0] = word & ~0xffffUL;
    entry[0] = word;
}

/* The status of an entry. Its page is mapped for the moment alone: a layout in whose pages of status somebody is
 * interested cannot be left. */
static uint64_t status_of(uint64_t reference)
{
    uint64_t frames[GRANT_FRAMES] = {0}, status;
    struct gnttab_get_status_frames op = {.dom = DOMID_SELF, .nr_frames = GRANT_FRAMES / 8};

    set_xen_guest_handle(op.frame_list, frames);
    if (call(GNTTABOP_get_status_frames, &op) || op.status)
        return ~0UL;
    if (map_page(address_of(status_window), frames[reference / 2048 % op.nr_frames], DOMID_SELF))
        stop("cannot map a page of status");
    status = ((volatile uint16_t *)status_window)[reference % 2048];
    hypercall(__HYPERVISOR_update_va_mapping, address_of(status_window), 0, UVMF_INVLPG | UVMF_ALL, 0);
    return status;
}

void do_grant_entry(struct play *play, const struct request *request, struct answer *answer)
{
    uint64_t reference = operand(play, request, 0);
    volatile uint64_t *entry = entry_at(request, reference);

    play->touched |= LEFT_GRANTS;
    if (request->code == CODE_GRANT_STATUS) {
        answer->out[0] = status_of(reference);
    } else if (request->code == CODE_GRANT_WRITE) {
        write_entry(entry, request, operand(play, request, 1), operand(play, request, 2));
    } else {
        answer->out[0] = entry[0];
        answer->out[1] = request->b == 2 ? entry[1] : 0;
    }
}

static bool try_unmap(const struct mapping *mapping)
{
    struct gnttab_unmap_grant_ref op = {
        .host_addr = mapping->host,
        .dev_bus_addr = mapping->device,
        .handle = mapping->handle,
        .status = NO_STATUS,
    };

    return !call(GNTTABOP_unmap_grant_ref, &op) && (!op.status || op.status == GNTST_bad_handle);
}

/* Put the entry of a mapping back where the case has overwritten it. */
static void restore_entry(const struct mapping *mapping, domid_t owner)
{
    struct mmu_update update = {.ptr = mapping->host, .val = mapping->entry};
    uint64_t flush = UVMF_INVLPG | UVMF_ALL;

    if (mapping->by_entry)
        hypercall(__HYPERVISOR_mmu_update, address_of(&update), 1, 0, owner);
    else if (owner == DOMID_SELF)
        hypercall(__HYPERVISOR_update_va_mapping, mapping->host, mapping->entry, flush, 0);
    else
        hypercall(__HYPERVISOR_update_va_mapping_otherdomain, mapping->host, mapping->entry, flush, owner);
}

static bool end_mapping(const struct mapping *mapping)
{
    if (try_unmap(mapping))
        return true;
    restore_entry(mapping, DOMID_SELF);
    if (try_unmap(mapping))
        return true;
    if (other == DOMID_INVALID)
        return false;
    restore_entry(mapping, other);
    return try_unmap(mapping);
}

static bool restore_version(void)
{
    struct gnttab_get_version now = {.dom = DOMID_SELF};
    struct gnttab_set_version old = {.version = 1};

    if (call(GNTTABOP_get_version, &now) || now.version == 1)
        return true;
    return !call(GNTTABOP_set_version, &old);
}

static void empty_entries(uint8_t *table, unsigned words)
{
    volatile uint64_t *entries = (volatile uint64_t *)table;

    for (uint64_t word = 0; word < RESERVED * words; word++)
        entries[word] = 0;
    for (uint64_t word = first * words; word < (first + CASE_REFERENCES) * words; word++)
        entries[word] = 0;
}

/* Unmap what the case has mapped, the last one first, and empty its entries. */
uint64_t tidy_grants(struct play *play)
{
    uint64_t left = 0;

    while (play->mapped) {
        if (!end_mapping(play->mappings + --play->mapped))
            left |= LEFT_GRANTS;
    }
    empty_entries(own_table, 2); /* what is emptied too much in the old layout is nobody's */
    if (!restore_version())
        left |= LEFT_VERSION;
    empty_entries(own_table, 1);
    empty_entries(other_table, 1);
    if (left)
        first += CASE_REFERENCES;
    return left;
}
