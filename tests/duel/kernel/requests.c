/* Requests: each becomes one hypercall or one access, with the arguments exactly as the script gives them. */
#include "kernel.h"

/* The operands of a request follow it in the script. */
uint64_t operand(const struct play *play, const struct request *request, unsigned index)
{
    const struct operand *operands = (const struct operand *)(request + 1);

    return index < request->operands ? value_of(play, operands + index) : 0;
}

static uint32_t *count_or_null(const struct request *request, uint32_t *count)
{
    return request->flags & FLAG_NODONE ? 0 : count;
}

static void do_mmu_update(struct play *play, const struct request *request, struct answer *answer)
{
    static struct mmu_update updates[MOST_UPDATES];
    uint32_t done = NOT_TOLD;
    unsigned count = request->operands / 2;

    for (unsigned index = 0; index < count; index++) {
        updates[index].ptr = operand(play, request, 2 * index);
        updates[index].val = operand(play, request, 2 * index + 1);
    }
    answer->rc = hypercall(__HYPERVISOR_mmu_update, address_of(updates), count,
                           address_of(count_or_null(request, &done)), request->a);
    answer->out[0] = done;
}

/* Would loading this table lose the kernel itself? The load is carried out only where it is certain to fail, or
 * where the table, looked at through its own address, still maps the kernel. */
static bool loses_kernel(const struct play *play, uint64_t mfn)
{
    const uint64_t in_use = (1UL << 56) - 1; /* count and the flags next to it */
    const struct case_frame *page = 0;
    struct page_info info;
    uint64_t entry = 0, kernel_entry;

    if (mfn == mailbox.root || mfn >= mailbox.max_page)
        return false;
    info = page_info_of(mfn);
    if ((info.type & in_use) && info.type >> 61 != 4)
        return false;
    for (uint32_t slot = 0; slot < play->head->frames; slot++) {
        if (play->frames[slot].mfn == mfn && play->frames[slot].va)
            page = play->frames + slot;
    }
    if (!page || (*(const volatile uint64_t *)page->entry >> 12 & 0xffffffffffUL) != mfn)
        return true;
    if (try_load(page->va + (ENTRIES - 1) * 8, &entry).code)
        return true;
    kernel_entry = ((const volatile uint64_t *)start_info->pt_base)[ENTRIES - 1];
    return !(entry & 1) || (entry ^ kernel_entry) >> 12 & 0xffffffffffUL;
}

static bool guarded(const struct play *play, const struct request *request, const struct mmuext_op *op)
{
    return op->cmd == MMUEXT_NEW_BASEPTR && !(request->flags & FLAG_FORCE) && loses_kernel(play, op->arg1.mfn);
}

static void do_mmuext(struct play *play, const struct request *request, struct answer *answer)
{
    static struct mmuext_op ops[MOST_UPDATES];
    uint32_t done = NOT_TOLD;
    unsigned count = request->operands / 3;

    play->touched |= LEFT_ROOT;
    for (unsigned index = 0; index < count; index++) {
        ops[index].cmd = operand(play, request, 3 * index);
        ops[index].arg1.mfn = operand(play, request, 3 * index + 1);
        ops[index].arg2.src_mfn = operand(play, request, 3 * index + 2);
        if (guarded(play, request, ops + index)) {
            answer->rc = GUARDED;
            return;
        }
    }
    answer->rc = hypercall(__HYPERVISOR_mmuext_op, address_of(ops), count,
                           address_of(count_or_null(request, &done)), request->a);
    answer->out[0] = done;
}

static void do_set_gdt(struct play *play, const struct request *request, struct answer *answer)
{
    uint64_t frames[MOST_FRAMES];

    for (unsigned index = 0; index < MOST_FRAMES; index++)
        frames[index] = operand(play, request, index);
    play->touched |= LEFT_GDT;
    answer->rc = hypercall(__HYPERVISOR_set_gdt, request->flags & FLAG_NO_LIST ? 0 : address_of(frames),
                           request->a, 0, 0);
}

static void note_fault(struct answer *answer, struct fault fault)
{
    answer->rc = fault.code ? -1 : 0;
    answer->fault = fault.code;
    answer->fault_address = fault.address;
}

static void do_access(struct play *play, const struct request *request, struct answer *answer)
{
    uint64_t va = operand(play, request, 0);

    one_mmuext(MMUEXT_INVLPG_LOCAL, va, DOMID_SELF); /* no stale translation: the tables alone decide */
    if (request->code == CODE_STORE)
        note_fault(answer, try_store(va, operand(play, request, 1)));
    else
        note_fault(answer, try_load(va, answer->out));
}

static void do_vm_assist(struct play *play, const struct request *request, struct answer *answer)
{
    answer->rc = hypercall(__HYPERVISOR_vm_assist, request->a, request->b, 0, 0);
    if (!answer->rc && request->a == VMASST_CMD_enable && request->b < 64)
        play->assists |= 1UL << request->b;
}

void carry_out(struct play *play, const struct request *request, struct answer *answer)
{
    uint64_t first = operand(play, request, 0), second = operand(play, request, 1);
    uint64_t third = operand(play, request, 2);

    switch (request->code) {
    case CODE_MMU_UPDATE:
        return do_mmu_update(play, request, answer);
    case CODE_MMUEXT:
        return do_mmuext(play, request, answer);
    case CODE_UPDATE_VA:
        answer->rc = hypercall(__HYPERVISOR_update_va_mapping, first, second, third, 0);
        return;
    case CODE_UPDATE_VA_OTHER:
        answer->rc =
            hypercall(__HYPERVISOR_update_va_mapping_otherdomain, first, second, third, request->a);
        return;
    case CODE_SET_GDT:
        return do_set_gdt(play, request, answer);
    case CODE_UPDATE_DESCRIPTOR:
        answer->rc = hypercall(__HYPERVISOR_update_descriptor, first, second, 0, 0);
        return;
    case CODE_SET_TRAP_TABLE:
        return do_set_trap_table(play, request, answer);
    case CODE_MEMORY_OP:
        return do_memory_op(play, request, answer);
    case CODE_STORE:
    case CODE_LOAD:
        return do_access(play, request, answer);
    case CODE_LOAD_SELECTOR:
        return note_fault(answer, try_selector(request->a));
    case CODE_VM_ASSIST:
        return do_vm_assist(play, request, answer);
    case CODE_PAGE_INFO:
        return do_page_info(play, request, answer);
    case CODE_EVENT:
        return do_event(play, request, answer);
    case CODE_EVENT_DUMP:
    case CODE_EVENT_READ:
    case CODE_EVENT_WRITE:
        return do_event_bits(play, request, answer);
    case CODE_POLL:
        return do_poll(play, request, answer);
    case CODE_GRANT:
        return do_grant(play, request, answer);
    case CODE_GRANT_WRITE:
    case CODE_GRANT_READ:
    case CODE_GRANT_STATUS:
        return do_grant_entry(play, request, answer);
    }
    stop("unknown request");
}
