/* Event channels: the calls, and the bits in shared info pages that a guest reads and writes by itself. */
#include "kernel.h"

#define DUMPED_VCPUS 4
#define LAST_PORT 4095
#define LAST_VCPU 31
#define LONG_PAST 1 /* a time, in nanoseconds since Xen started */

/* Mapped over: the second domain's shared info page. */
static union {
    struct shared_info info;
    uint8_t page[PAGE];
} other_page PAGE_ALIGNED;
static domid_t other = DOMID_INVALID;
static bool used_fifo;
static uint64_t remembered;

/* Ports, by bit, whose event Xen still remembers from earlier cases. It keeps what became pending before there was
 * an event word to say so, also when the port is closed, and the ABI left. */
uint64_t remembered_ports(void) { return remembered; }

void share_other_events(uint64_t shared_info, domid_t domain)
{
    if (map_page(address_of(&other_page), shared_info, domain))
        stop("cannot map the second domain's shared info page");
    other = domain;
}

union event {
    struct evtchn_alloc_unbound alloc_unbound;
    struct evtchn_bind_interdomain bind_interdomain;
    struct evtchn_bind_virq bind_virq;
    struct evtchn_bind_pirq bind_pirq;
    struct evtchn_bind_ipi bind_ipi;
    struct evtchn_bind_vcpu bind_vcpu;
    struct evtchn_close close; /* send and unmask look the same */
    struct evtchn_status status;
    struct evtchn_reset reset;
    struct evtchn_init_control init_control;
    struct evtchn_expand_array expand_array;
    struct evtchn_set_priority set_priority;
};

static union event arguments(unsigned command, uint64_t first, uint64_t second, uint64_t third)
{
    union event op = {0};

    switch (command) {
    case EVTCHNOP_alloc_unbound:
        op.alloc_unbound.dom = first;
        op.alloc_unbound.remote_dom = second;
        break;
    case EVTCHNOP_bind_interdomain:
        op.bind_interdomain.remote_dom = first;
        op.bind_interdomain.remote_port = second;
        break;
    case EVTCHNOP_status:
        op.status.dom = first;
        op.status.port = second;
        break;
    case EVTCHNOP_reset:
        op.reset.dom = first;
        break;
    case EVTCHNOP_init_control:
        op.init_control.control_gfn = first;
        op.init_control.offset = second;
        op.init_control.vcpu = third;
        break;
    case EVTCHNOP_expand_array:
        op.expand_array.array_gfn = first;
        break;
    default: /* one or two numbers of 32 bits */
        op.bind_vcpu.port = first;
        op.bind_vcpu.vcpu = second;
    }
    return op;
}

static void tell_status(const struct evtchn_status *status, struct answer *answer)
{
    answer->out[0] = status->status;
    answer->out[1] = status->vcpu;
    switch (status->status) {
    case EVTCHNSTAT_interdomain:
        answer->out[2] = status->u.interdomain.dom | (uint64_t)status->u.interdomain.port << 32;
        break;
    case EVTCHNSTAT_unbound:
        answer->out[2] = status->u.unbound.dom;
        break;
    case EVTCHNSTAT_virq:
        answer->out[2] = status->u.virq;
        break;
    case EVTCHNSTAT_pirq:
        answer->out[2] = status->u.pirq;
        break;
    }
}

static void tell(unsigned command, const union event *op, struct answer *answer)
{
    switch (command) {
    case EVTCHNOP_alloc_unbound:
        answer->out[0] = op->alloc_unbound.port;
        break;
    case EVTCHNOP_bind_interdomain:
        answer->out[0] = op->bind_interdomain.local_port;
        break;
    case EVTCHNOP_bind_virq:
        answer->out[0] = op->bind_virq.port;
        break;
    case EVTCHNOP_bind_pirq:
        answer->out[0] = op->bind_pirq.port;
        break;
    case EVTCHNOP_bind_ipi:
        answer->out[0] = op->bind_ipi.port;
        break;
    case EVTCHNOP_init_control:
        answer->out[0] = op->init_control.link_bits;
        break;
    case EVTCHNOP_status:
        tell_status(&op->status, answer);
        break;
    }
}

void do_event(struct play *play, const struct request *request, struct answer *answer)
{
    union event op = arguments(request->a, operand(play, request, 0), operand(play, request, 1),
                               operand(play, request, 2));

    play->touched |= LEFT_PORTS;
    answer->rc = hypercall(__HYPERVISOR_event_channel_op, request->a, address_of(&op), 0, 0);
    used_fifo |= request->a == EVTCHNOP_init_control && !answer->rc;
    tell(request->a, &op, answer);
    if (request->b && !answer->rc)
        play->saved[request->b - 1] = answer->out[0];
}

static void write_bits(unsigned kind, unsigned port, unsigned vcpu)
{
    volatile struct shared_info *info = shared();
    uint64_t bit = 1UL << port % 64;

    switch (kind) {
    case BITS_CLEAR_PENDING:
        info->evtchn_pending[port / 64] &= ~bit;
        break;
    case BITS_SET_PENDING:
        info->evtchn_pending[port / 64] |= bit;
        break;
    case BITS_CLEAR_MASK:
        info->evtchn_mask[port / 64] &= ~bit;
        break;
    case BITS_SET_MASK:
        info->evtchn_mask[port / 64] |= bit;
        break;
    case BITS_CLEAR_SELECTOR:
        info->vcpu_info[vcpu].evtchn_pending_sel = 0;
        break;
    case BITS_CLEAR_UPCALL:
        info->vcpu_info[vcpu].evtchn_upcall_pending = 0;
        break;
    }
}

static uint64_t upcall_bit(const volatile struct shared_info *info, unsigned vcpu)
{
    return info->vcpu_info[vcpu].evtchn_upcall_pending != 0;
}

static void dump(const volatile struct shared_info *info, struct answer *answer)
{
    answer->out[0] = info->evtchn_pending[0];
    answer->out[1] = info->evtchn_mask[0];
    for (unsigned vcpu = 0; vcpu < DUMPED_VCPUS; vcpu++) {
        uint64_t selector = info->vcpu_info[vcpu].evtchn_pending_sel & 1;

        answer->out[2] |= (selector | upcall_bit(info, vcpu) << 1) << 4 * vcpu;
    }
}

void do_event_bits(struct play *play, const struct request *request, struct answer *answer)
{
    unsigned port = operand(play, request, 0) & LAST_PORT, vcpu = operand(play, request, 1) & LAST_VCPU;
    bool of_other = request->code != CODE_EVENT_WRITE && request->a;
    volatile struct shared_info *info = of_other ? &other_page.info : shared();

    play->touched |= LEFT_PORTS;
    if (request->code == CODE_EVENT_DUMP)
        return dump(info, answer);
    if (request->code == CODE_EVENT_WRITE)
        return write_bits(request->a, port, vcpu);
    answer->out[0] = (info->evtchn_pending[port / 64] >> port % 64 & 1) |
                     (info->evtchn_mask[port / 64] >> port % 64 & 1) << 1 |
                     (info->vcpu_info[vcpu].evtchn_pending_sel >> port / 64 & 1) << 2 |
                     upcall_bit(info, vcpu) << 3;
}

/* Sleep until one of the ports is pending, but not for long: the time to wake up at is over already. */
void do_poll(struct play *play, const struct request *request, struct answer *answer)
{
    static evtchn_port_t ports[MOST_PORTS];
    struct sched_poll op = {.nr_ports = request->operands, .timeout = LONG_PAST};

    for (unsigned index = 0; index < request->operands; index++)
        ports[index] = operand(play, request, index);
    set_xen_guest_handle(op.ports, ports);
    answer->rc = hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, address_of(&op), 0, 0);
}

static void clear_bits(volatile struct shared_info *info)
{
    for (unsigned word = 0; word < 64; word++)
        info->evtchn_pending[word] = info->evtchn_mask[word] = 0;
    for (unsigned vcpu = 0; vcpu <= LAST_VCPU; vcpu++)
        info->vcpu_info[vcpu].evtchn_pending_sel = info->vcpu_info[vcpu].evtchn_upcall_pending = 0;
}

static bool reset(domid_t domain, volatile struct shared_info *info)
{
    struct evtchn_reset op = {.dom = domain};
    long rc = hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_reset, address_of(&op), 0, 0);

    clear_bits(info);
    return !rc;
}

/* Which ports does Xen remember? A new page of event words shows it. */
static bool recall(void)
{
    static uint32_t control[PAGE / 4] PAGE_ALIGNED, words[PAGE / 4] PAGE_ALIGNED;
    struct evtchn_init_control init = {.control_gfn = frame_of(address_of(control))};
    struct evtchn_expand_array expand = {.array_gfn = frame_of(address_of(words))};

    memset(control, 0, sizeof control);
    memset(words, 0, sizeof words);
    if (hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_init_control, address_of(&init), 0, 0) ||
        hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_expand_array, address_of(&expand), 0, 0))
        return false;
    for (unsigned port = 0; port < 64; port++)
        remembered |= (uint64_t)(words[port] != 0) << port;
    return reset(DOMID_SELF, shared());
}

/* Close every port. Returns whether that was possible. */
bool tidy_events(void)
{
    bool done = reset(DOMID_SELF, shared());

    if (used_fifo)
        done = recall() && done;
    used_fifo = false;
    mask_upcalls();
    if (other != DOMID_INVALID)
        done = reset(other, &other_page.info) && done;
    return done;
}
