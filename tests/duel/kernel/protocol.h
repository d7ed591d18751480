/* What driver and kernel say to each other: the mailbox, scripts, results. All numbers are 64-bit little endian
 * unless a field says otherwise; proofs/xenproofs/duel/live/protocol.py holds the same layout, and a test
 * compares the two.
 *
 * The machine's memory is a file that the driver maps. The kernel prints its mailbox's frame number on the
 * console; from there the driver reads everything else, walking the kernel's page tables itself. It therefore
 * chooses the pages of every case and translates every name to a number; the one thing that it cannot know
 * beforehand is a frame that Xen hands out during the case. Hence an operand is `base + (frame << shift)`, where
 * the frame, if any, is the current one of a slot of the case. Two more things are known here alone, and are
 * named likewise: what an earlier request saved (a port, a handle), and where the case's grant references begin.
 */
#ifndef DUEL_PROTOCOL_H
#define DUEL_PROTOCOL_H

#include <stdint.h>

#define MAILBOX_MAGIC 0x4c455544434e4558ULL /* "XENCDUEL" */
#define PROTOCOL_VERSION 2

enum state { STATE_NONE, STATE_BOOTED, STATE_READY, STATE_RUNNING };
enum command { COMMAND_NONE, COMMAND_BEGIN, COMMAND_RUN };

struct mailbox {
    /* Written by the kernel. */
    uint64_t magic, version;
    uint64_t state;
    uint64_t finished;       /* cases of this batch */
    uint64_t answered;       /* requests of the case in progress */
    uint64_t root;           /* frame of the top-level table */
    uint64_t tables, table_pages;       /* address and number of the boot tables */
    uint64_t script, script_bytes;      /* address and size */
    uint64_t results, results_bytes;
    uint64_t arena, arena_pages;        /* fresh pages */
    uint64_t shared_info, grant_frame, start_info; /* frames */
    uint64_t max_page;       /* number of the first frame beyond all memory */
    uint64_t foreign, foreign_frames;   /* address and length of the list of frames of the second domain */
    uint64_t guest_mailbox;  /* frame; 0: there is no guest */
    uint64_t guest_flags;    /* XEN_DOMINF_* of the guest, refreshed every few milliseconds */
    /* Written by the driver. */
    uint64_t command;
    uint64_t frame_table;    /* address of Xen's frame table; 0: not readable */
    uint64_t cases;          /* in the script */
    uint64_t want_passive;   /* frames of a second domain that never runs; 0: none */
    uint64_t want_guest;     /* order of the memory of a domain that runs this kernel; 0: none */
};

/* A case of a script: the header, its frames, its requests, each followed by its operands. */
struct case_header {
    uint32_t requests, frames;
    uint64_t needs;          /* NEED_ bits */
};

/* The case changes the layout of the grant table: no entry of an earlier case may be in use still. Where one is,
 * the script ends before this case. */
enum { NEED_FREE_TABLE = 1 };

struct case_frame {
    uint64_t mfn;
    uint64_t va;             /* own address; 0: not mapped here */
    uint64_t entry;          /* address of the level-1 entry that maps `va` */
};

struct operand {
    uint64_t base;
    uint32_t slot;           /* number of a frame of the case, from 1; 0: none; or a SLOT_ number */
    uint32_t shift;
};

enum {
    SLOT_SAVED = 0x100,      /* and the following: what was saved there, 0 at first */
    SLOT_REFERENCES = 0x200, /* the case's first grant reference */
};

struct request {
    uint16_t code, operands;
    uint32_t flags;
    uint64_t a, b, c;
};

enum { FLAG_NODONE = 1, FLAG_FORCE = 2, FLAG_NO_LIST = 4 };

enum code {
    CODE_MMU_UPDATE = 1,     /* a: domain; operands: (pointer, value) each */
    CODE_MMUEXT,             /* a: domain; operands: (command, first, second) each */
    CODE_UPDATE_VA,          /* operands: address, entry, flags */
    CODE_UPDATE_VA_OTHER,    /* a: domain; operands: the same */
    CODE_SET_GDT,            /* a: entries; operands: frames */
    CODE_UPDATE_DESCRIPTOR,  /* operands: address, descriptor */
    CODE_SET_TRAP_TABLE,     /* a: a TRAPS_ number, b: vector | flags << 8 | selector << 16; operand: address */
    CODE_MEMORY_OP,          /* a: command, b: order | domain << 16, c: slots, a byte each; operands: (given, place) */
    CODE_STORE,              /* operands: address, value */
    CODE_LOAD,               /* operand: address */
    CODE_LOAD_SELECTOR,      /* a: selector */
    CODE_VM_ASSIST,          /* a: command, b: type */
    CODE_PAGE_INFO,          /* a: domain; operand: frame */
    CODE_EVENT,              /* a: command, b: 1 + where to save the port; operands: the arguments in order */
    CODE_EVENT_DUMP,         /* a: whose, 1: the second domain's */
    CODE_EVENT_READ,         /* a: likewise; operands: port, vCPU */
    CODE_EVENT_WRITE,        /* a: a BITS_ number; operands: port, vCPU */
    CODE_POLL,               /* operands: ports */
    CODE_GRANT,              /* a: command, b: 1 + where to save the handle; operands: the arguments in order */
    CODE_GRANT_WRITE,        /* a: whose table; b: version; operands: reference, first word, second word */
    CODE_GRANT_READ,         /* a, b: the same; operand: reference */
    CODE_GRANT_STATUS,       /* operand: reference */
};

enum { BITS_CLEAR_PENDING, BITS_SET_PENDING, BITS_CLEAR_MASK, BITS_SET_MASK, BITS_CLEAR_SELECTOR, BITS_CLEAR_UPCALL };

enum { TRAPS_OURS, TRAPS_ONE, TRAPS_NULL, TRAPS_AT };

/* Most of anything in one request; the driver keeps to it. */
enum { MOST_UPDATES = 64, MOST_EXTENTS = 8, MOST_FRAMES = 16, MOST_SAVED = 64, MOST_PORTS = 130 };

/* The result of a case: this header, then once before the first request and once after each an answer and the
 * page_info of each frame of the case. */
struct case_result {
    uint64_t answered;
    uint64_t leftovers;      /* LEFT_ bits: what could not be tidied up */
    uint64_t remembered;     /* ports below 64, by bit, whose event Xen still remembers when the case begins */
};

struct answer {
    int64_t rc;
    uint64_t out[3];         /* requests done, a value; new frames; what a structure told */
    uint64_t fault;          /* 0, or FAULTED | vector << 32 | error code */
    uint64_t fault_address;
};

struct page_info {
    uint64_t count, type;
};

#define FAULTED (1ULL << 63)
#define GUARDED (-9999)
#define NOT_TOLD 0xffffffffU /* the number done, where Xen did not write it */

enum { LEFT_ROOT = 1, LEFT_GDT = 2, LEFT_ASSIST = 4, LEFT_PORTS = 8, LEFT_GRANTS = 16, LEFT_VERSION = 32 };

#endif
