/* Traps. An instruction that may fault has a row in the table of fixups: where it stands, and where to go on.
 * A trap anywhere else is a fault of this kernel, and ends the machine. */
#include "kernel.h"

struct registers {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

struct fixup {
    uint64_t at, landing;
};

/* link.ld */
extern const struct fixup fixups_begin[], fixups_end[];

static struct fault last;

#define FIXUP "\n\t.pushsection .fixups, \"a\"\n\t.quad 1b, 2b\n\t.popsection"

void trap(struct registers *registers)
{
    last.code = FAULTED | registers->vector << 32 | (uint32_t)registers->error;
    last.address = shared()->vcpu_info[0].arch.cr2;
    for (const struct fixup *fixup = fixups_begin; fixup < fixups_end; fixup++) {
        if (fixup->at == registers->rip) {
            registers->rip = fixup->landing;
            return;
        }
    }
    print_number("duel: trap, code", last.code);
    print_number("duel: at", registers->rip);
    print_number("duel: address", last.address);
    print_number("duel: case", mailbox.finished);
    print_number("duel: request", mailbox.answered);
    stop("unexpected trap");
}

long load_traps(void)
{
    static struct trap_info table[32]; /* the row after the last stays zero and ends the table */
    unsigned count = trap_entries_end - trap_entries;

    for (unsigned vector = 0; vector < count; vector++) {
        table[vector].vector = vector;
        table[vector].cs = FLAT_KERNEL_CS;
        table[vector].address = trap_entries[vector];
    }
    return hypercall(__HYPERVISOR_set_trap_table, address_of(table), 0, 0, 0);
}

struct fault try_store(uint64_t va, uint64_t value)
{
    last = (struct fault){0};
    asm volatile("1:\tmovq %1, (%0)\n2:" FIXUP : : "r"(va), "r"(value) : "memory");
    return last;
}

struct fault try_load(uint64_t va, uint64_t *value)
{
    uint64_t word = 0;

    last = (struct fault){0};
    asm volatile("1:\tmovq (%1), %0\n2:" FIXUP : "+&r"(word) : "r"(va) : "memory");
    *value = word;
    return last;
}

struct fault try_selector(uint16_t selector)
{
    last = (struct fault){0};
    asm volatile("1:\tmovw %w0, %%fs\n2:" FIXUP : : "r"(selector) : "memory");
    if (!last.code)
        asm volatile("movw %w0, %%fs" : : "r"(0));
    return last;
}
