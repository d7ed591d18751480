/* Calls with structures of their own: reservations, trap tables, a toolstack's look at a frame. */
#include "kernel.h"

static const struct operand *operands_of(const struct request *request)
{
    return (const struct operand *)(request + 1);
}

/* Frames that were handed out take the slots of the case, and are cleared: what they hold is not promised. */
static void take_frames(struct play *play, const struct request *request, const uint64_t *frames, uint64_t count)
{
    unsigned order = request->b & 0xff;

    for (uint64_t index = 0; index < count; index++) {
        uint64_t slot = request->c >> 8 * index & 0xff;

        play->frames[slot].mfn = frames[index];
        if (!order)
            one_mmuext(MMUEXT_CLEAR_PAGE, frames[index], DOMID_SELF);
    }
}

static struct xen_memory_reservation reservation(const struct request *request, uint64_t *extents, unsigned count)
{
    struct xen_memory_reservation made = {
        .nr_extents = count,
        .extent_order = request->b & 0xff,
        .mem_flags = request->b >> 32,
        .domid = request->b >> 16 & 0xffff,
    };

    set_xen_guest_handle(made.extent_start, extents);
    return made;
}

static uint64_t exchange(const struct request *request, uint64_t *given, uint64_t *places, unsigned count,
                         struct answer *answer)
{
    struct xen_memory_exchange op = {
        .in = reservation(request, given, count),
        .out = reservation(request, places, count),
    };

    answer->rc = hypercall(__HYPERVISOR_memory_op, XENMEM_exchange, address_of(&op), 0, 0);
    return op.nr_exchanged;
}

void do_memory_op(struct play *play, const struct request *request, struct answer *answer)
{
    uint64_t given[MOST_EXTENTS], places[MOST_EXTENTS], *got = given, taken = 0;
    unsigned count = request->operands / 2;

    for (unsigned index = 0; index < count; index++) {
        given[index] = value_of(play, operands_of(request) + 2 * index);
        places[index] = value_of(play, operands_of(request) + 2 * index + 1);
    }
    if (request->a == XENMEM_exchange) {
        answer->out[0] = taken = exchange(request, given, places, count, answer);
        got = places;
    } else {
        struct xen_memory_reservation op = reservation(request, given, count);

        answer->rc = hypercall(__HYPERVISOR_memory_op, request->a, address_of(&op), 0, 0);
        if (request->a != XENMEM_decrease_reservation && answer->rc > 0)
            taken = answer->rc;
    }
    take_frames(play, request, got, taken);
    if (taken)
        answer->out[1] = got[0];
    if (taken > 1)
        answer->out[2] = got[1];
}

void do_page_info(struct play *play, const struct request *request, struct answer *answer)
{
    uint64_t frame = value_of(play, operands_of(request));
    struct xen_domctl op = {.cmd = XEN_DOMCTL_getpageframeinfo3, .domain = request->a};

    op.u.getpageframeinfo3.num = 1;
    set_xen_guest_handle(op.u.getpageframeinfo3.array, &frame);
    answer->rc = domctl(&op);
    answer->out[0] = frame;
}

void do_set_trap_table(struct play *play, const struct request *request, struct answer *answer)
{
    uint64_t address = value_of(play, operands_of(request));
    struct trap_info one[2] = {
        {.vector = request->b, .flags = request->b >> 8, .cs = request->b >> 16, .address = address},
    };

    if (request->a == TRAPS_ONE)
        address = address_of(one);
    else if (request->a == TRAPS_NULL)
        address = 0;
    if (request->a != TRAPS_OURS)
        answer->rc = hypercall(__HYPERVISOR_set_trap_table, address, 0, 0, 0);
    if (load_traps())
        stop("cannot set the trap table again");
}
