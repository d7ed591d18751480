/* A PV kernel that does what the driver asks and nothing else.
 *
 * It comes up, prints where its mailbox is, and waits. At BEGIN it makes the other domain that the driver
 * wants. At RUN it plays the script and waits again. It never reads Xen's table of machine-to-physical frames,
 * takes no interrupt and allocates nothing, so that cases find the machine as the one before found it.
 */
#include "kernel.h"

#define SPINS 2000
#define IDLE_NS 100000UL       /* while waiting for the next script */
#define WATCH_NS 3000000UL     /* between looks at the guest */

struct mailbox mailbox PAGE_ALIGNED;
struct start_info *start_info;

/* What the compiler may call for initialisers. */
void *memset(void *to, int byte, size_t count)
{
    uint8_t *at = to;

    while (count--)
        *at++ = byte;
    return to;
}

void *memcpy(void *to, const void *from, size_t count)
{
    const uint8_t *source = from;
    uint8_t *at = to;

    while (count--)
        *at++ = *source++;
    return to;
}

_Noreturn void stop(const char *why)
{
    struct sched_shutdown op = {.reason = SHUTDOWN_reboot};

    print("duel: stop: ");
    print(why);
    print("\n");
    for (;;)
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, address_of(&op), 0, 0);
}

uint64_t frame_of(uint64_t va)
{
    return ((const uint64_t *)start_info->mfn_list)[(va - VIRT_BASE) / PAGE];
}

/* Nanoseconds since Xen started: what Xen last wrote, and the processor's counter since. */
static uint64_t system_time(void)
{
    const volatile struct vcpu_time_info *time = &shared()->vcpu_info[0].time;
    uint32_t version;
    uint64_t now;

    do {
        uint64_t ticks;

        version = time->version;
        ticks = __builtin_ia32_rdtsc() - time->tsc_timestamp;
        ticks = time->tsc_shift < 0 ? ticks >> -time->tsc_shift : ticks << time->tsc_shift;
        now = time->system_time + (uint64_t)((unsigned __int128)ticks * time->tsc_to_system_mul >> 32);
    } while ((version & 1) || version != time->version);
    return now;
}

void sleep_ns(uint64_t ns)
{
    struct sched_poll op = {.timeout = system_time() + ns};

    hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, address_of(&op), 0, 0);
}

uint64_t next_command(void)
{
    uint64_t command;
    unsigned spins = 0;

    while (!(command = __atomic_exchange_n(&mailbox.command, COMMAND_NONE, __ATOMIC_ACQ_REL))) {
        if (++spins < SPINS)
            asm volatile("pause");
        else
            sleep_ns(IDLE_NS);
    }
    return command;
}

static void enter_state(uint64_t state) { __atomic_store_n(&mailbox.state, state, __ATOMIC_RELEASE); }

static void describe(void)
{
    mailbox.root = frame_of(start_info->pt_base);
    mailbox.tables = start_info->pt_base;
    mailbox.table_pages = start_info->nr_pt_frames;
    mailbox.arena = address_of(arena_begin);
    mailbox.arena_pages = (arena_end - arena_begin) / PAGE;
    mailbox.shared_info = start_info->shared_info / PAGE;
    mailbox.start_info = frame_of(address_of(start_info));
    mailbox.grant_frame = setup_grants(DOMID_SELF);
    mailbox.max_page = hypercall(__HYPERVISOR_memory_op, XENMEM_maximum_ram_page, 0, 0, 0) + 1;
    place_buffers();
    mailbox.version = PROTOCOL_VERSION;
    mailbox.magic = MAILBOX_MAGIC;
}

/* Domain0 beside a guest that is asked in its place: only look whether the guest is still alive. */
static _Noreturn void watch(domid_t guest)
{
    struct xen_domctl_getdomaininfo info;

    for (;;) {
        if (domain_info(guest, &info))
            mailbox.guest_flags = info.flags;
        sleep_ns(WATCH_NS);
    }
}

static void begin(void)
{
    while (next_command() != COMMAND_BEGIN)
        ;
    if (mailbox.want_passive)
        make_passive(mailbox.want_passive);
    if (mailbox.want_guest) {
        domid_t guest = make_guest(mailbox.want_guest);

        enter_state(STATE_READY);
        watch(guest);
    }
}

void kernel_main(struct start_info *info)
{
    start_info = info;
    if (load_traps())
        stop("cannot set the trap table");
    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0, 0);
    if (map_shared_info(start_info->shared_info / PAGE))
        stop("cannot map the shared info page");
    describe();
    enter_state(STATE_BOOTED);
    print_number("duel: mailbox", frame_of(address_of(&mailbox)));
    begin();
    for (;;) {
        enter_state(STATE_READY);
        if (next_command() != COMMAND_RUN)
            stop("unknown command");
        enter_state(STATE_RUNNING);
        run_script(mailbox.cases);
    }
}
