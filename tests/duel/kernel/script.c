/* Scripts: case after case, request after request, and after each one what became of the case's frames. */
#include "kernel.h"

#define SCRIPT_BYTES (16UL << 20)
#define RESULTS_BYTES (48UL << 20)

static uint8_t script[SCRIPT_BYTES] PAGE_ALIGNED;
static uint8_t results[RESULTS_BYTES] PAGE_ALIGNED;

/* Reader and writer of the two buffers. */
struct cursor {
    const uint8_t *script;
    uint8_t *results;
};

static const void *take(struct cursor *cursor, size_t bytes)
{
    const void *here = cursor->script;

    cursor->script += bytes;
    return here;
}

static void *give(struct cursor *cursor, size_t bytes)
{
    void *here = cursor->results;

    cursor->results += bytes;
    return here;
}

void place_buffers(void)
{
    mailbox.script = address_of(script);
    mailbox.script_bytes = SCRIPT_BYTES;
    mailbox.results = address_of(results);
    mailbox.results_bytes = RESULTS_BYTES;
}

uint64_t value_of(const struct play *play, const struct operand *operand)
{
    if (!operand->slot)
        return operand->base;
    if (operand->slot == SLOT_REFERENCES)
        return operand->base + first_reference();
    if (operand->slot >= SLOT_SAVED)
        return operand->base + play->saved[operand->slot - SLOT_SAVED];
    return operand->base + (play->frames[operand->slot - 1].mfn << operand->shift);
}

/* Xen's struct page_info is four words, of which the second counts references and the third holds the type. */
struct page_info page_info_of(uint64_t mfn)
{
    const volatile uint64_t *row;

    if (!mailbox.frame_table || mfn >= mailbox.max_page)
        return (struct page_info){0};
    row = (const volatile uint64_t *)mailbox.frame_table + 4 * mfn;
    return (struct page_info){.count = row[1], .type = row[2]};
}

static void note_frames(struct cursor *cursor, const struct play *play)
{
    struct page_info *info = give(cursor, play->head->frames * sizeof *info);

    for (uint32_t slot = 0; slot < play->head->frames; slot++)
        info[slot] = page_info_of(play->frames[slot].mfn);
}

static void open_case(struct cursor *cursor, struct play *play)
{
    const struct case_frame *frames;

    play->head = take(cursor, sizeof *play->head);
    if (play->head->frames > MOST_FRAMES)
        stop("too many frames in a case");
    frames = take(cursor, play->head->frames * sizeof *frames);
    for (uint32_t slot = 0; slot < play->head->frames; slot++)
        play->frames[slot] = frames[slot];
}

/* Give back what the case left behind, as far as the next case could see it. */
static uint64_t tidy_up(struct play *play)
{
    uint64_t left = 0;

    if (play->touched & LEFT_ROOT) {
        if (one_mmuext(MMUEXT_NEW_BASEPTR, mailbox.root, DOMID_SELF) ||
            one_mmuext(MMUEXT_NEW_USER_BASEPTR, 0, DOMID_SELF) || one_mmuext(MMUEXT_SET_LDT, 0, DOMID_SELF))
            left |= LEFT_ROOT;
    }
    if ((play->touched & LEFT_GDT) && hypercall(__HYPERVISOR_set_gdt, 0, 0, 0, 0))
        left |= LEFT_GDT;
    for (unsigned type = 0; type < 64; type++) {
        if ((play->assists >> type & 1) && hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_disable, type, 0, 0))
            left |= LEFT_ASSIST;
    }
    if ((play->touched & LEFT_PORTS) && !tidy_events())
        left |= LEFT_PORTS;
    if (play->touched & LEFT_GRANTS)
        left |= tidy_grants(play);
    return left;
}

/* Returns false where this machine cannot begin the case, or the next one, as every case begins. */
static bool run_case(struct cursor *cursor)
{
    struct play play = {0};
    struct case_result *result = give(cursor, sizeof *result);
    struct answer *answer = give(cursor, sizeof *answer);

    open_case(cursor, &play);
    if (!references_are_left() || ((play.head->needs & NEED_FREE_TABLE) && !grants_are_free()))
        return false;
    *answer = (struct answer){0};
    *result = (struct case_result){.remembered = remembered_ports()};
    note_frames(cursor, &play);
    for (uint32_t index = 0; index < play.head->requests; index++) {
        const struct request *request = take(cursor, sizeof *request);

        take(cursor, request->operands * sizeof(struct operand));
        answer = give(cursor, sizeof *answer);
        *answer = (struct answer){0};
        mailbox.answered = index;
        carry_out(&play, request, answer);
        note_frames(cursor, &play);
        result->answered = index + 1;
    }
    result->leftovers = tidy_up(&play);
    __atomic_store_n(&mailbox.finished, mailbox.finished + 1, __ATOMIC_RELEASE);
    return !(result->leftovers & LEFT_VERSION);
}

void run_script(uint64_t cases)
{
    struct cursor cursor = {.script = script, .results = results};

    while (mailbox.finished < cases && run_case(&cursor))
        ;
}
