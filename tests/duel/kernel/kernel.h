/* The kernel's own parts, and the public interface of Xen as Debian's libxen-dev gives it. */
#ifndef DUEL_KERNEL_H
#define DUEL_KERNEL_H

#define __XEN_TOOLS__ 1
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#include "protocol.h"

#define PAGE 4096UL
#define VIRT_BASE 0xffffffff80000000UL
#define ENTRIES 512
#define GRANT_FRAMES 64
#define MOST_MAPPINGS 64
#define PAGE_ALIGNED __attribute__((aligned(4096)))
/* Present, writable, user, accessed, dirty: what Xen's builder of Domain0 gives every page. */
#define BOOT_FLAGS 0x67UL

/* link.ld */
extern char image_begin[], image_filled[], image_end[], arena_begin[], arena_end[];

/* entry.S */
extern char hypercall_page[];
extern const uint64_t trap_entries[], trap_entries_end[];

/* One hypercall: the number selects the stub in the page that Xen fills in. */
static inline long hypercall(unsigned nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    register uint64_t fourth asm("r10") = d;
    const char *stub = hypercall_page + nr * 32;
    long rc;

    asm volatile("call *%[stub]"
                 : "=a"(rc), "+D"(a), "+S"(b), "+d"(c), "+r"(fourth)
                 : [stub] "r"(stub)
                 : "rcx", "r8", "r9", "r11", "memory", "cc");
    return rc;
}

static inline uint64_t address_of(const void *object) { return (uint64_t)object; }

/* main.c */
void *memset(void *to, int byte, size_t count);
extern struct mailbox mailbox;
extern struct start_info *start_info;
uint64_t frame_of(uint64_t va);
/* Sleep until the command word of the mailbox is set, and take it. */
uint64_t next_command(void);
void sleep_ns(uint64_t ns);
_Noreturn void stop(const char *why);

/* console.c */
void print(const char *text);
void print_number(const char *label, uint64_t value);

/* traps.c: an access that may fault. */
struct fault {
    uint64_t code;           /* as in `struct answer` */
    uint64_t address;
};
long load_traps(void);
struct fault try_store(uint64_t va, uint64_t value);
struct fault try_load(uint64_t va, uint64_t *value);
struct fault try_selector(uint16_t selector);

/* memory.c */
long map_page(uint64_t va, uint64_t mfn, domid_t owner);
long one_mmuext(unsigned command, uint64_t first, domid_t domain);
long map_shared_info(uint64_t mfn);
volatile struct shared_info *shared(void);
void mask_upcalls(void);

/* A grant that a case has mapped, as it is unmapped again. */
struct mapping {
    uint64_t host, device;   /* addresses, 0: not mapped so */
    uint64_t entry;          /* what the page-table entry was */
    grant_handle_t handle;
    bool by_entry;
};

/* script.c, requests.c: one case in progress. */
struct play {
    const struct case_header *head;
    struct case_frame frames[MOST_FRAMES];
    unsigned touched;        /* LEFT_ bits: what must be tidied up */
    uint64_t assists;        /* types of vm_assist that are on */
    uint64_t saved[MOST_SAVED];
    struct mapping mappings[MOST_MAPPINGS];
    unsigned mapped;
};
uint64_t value_of(const struct play *play, const struct operand *operand);
uint64_t operand(const struct play *play, const struct request *request, unsigned index);
struct page_info page_info_of(uint64_t mfn);
void carry_out(struct play *play, const struct request *request, struct answer *answer);
void place_buffers(void);
void run_script(uint64_t cases);

/* calls.c: the requests that are more than one hypercall. */
void do_memory_op(struct play *play, const struct request *request, struct answer *answer);
void do_page_info(struct play *play, const struct request *request, struct answer *answer);
void do_set_trap_table(struct play *play, const struct request *request, struct answer *answer);

/* events.c */
void share_other_events(uint64_t shared_info, domid_t domain);
void do_event(struct play *play, const struct request *request, struct answer *answer);
void do_event_bits(struct play *play, const struct request *request, struct answer *answer);
void do_poll(struct play *play, const struct request *request, struct answer *answer);
bool tidy_events(void);
uint64_t remembered_ports(void);

/* grants.c */
uint64_t setup_grants(domid_t domain);
bool grants_are_free(void);
bool references_are_left(void);
uint64_t first_reference(void);
void do_grant(struct play *play, const struct request *request, struct answer *answer);
void do_grant_entry(struct play *play, const struct request *request, struct answer *answer);
uint64_t tidy_grants(struct play *play);

/* domains.c, guest.c: other domains. */
long domctl(struct xen_domctl *op);
domid_t create_domain(unsigned vcpus, uint64_t most_pages);
uint64_t populate(domid_t domain, uint64_t *frames, uint64_t extents, unsigned order);
bool domain_info(domid_t domain, struct xen_domctl_getdomaininfo *info);
void make_passive(uint64_t frames);
domid_t make_guest(unsigned order);

#endif
