/* Where Xen enters, how traps reach C, and the notes that tell Xen's builder what this kernel is. */
#include <xen/elfnote.h>

#define STACK_BYTES 65536

        .section .text.entry, "ax"
        .globl kernel_entry
kernel_entry:
        cld
        movq    $stack_top, %rsp
        movq    %rsi, %rdi              /* Xen passes the start info page in %rsi */
        xorl    %ebp, %ebp
        call    kernel_main
        ud2

        .text
        .balign 4096
        .globl hypercall_page
hypercall_page:                         /* filled in by Xen: 32 bytes a call */
        .skip   4096, 0xcc

/* Xen pushes rcx and r11 below the processor's own frame. Each entry drops them into place, makes every frame
 * alike (error code, vector) and joins the common path. */
        .macro trap_entry vector
        .balign 16
entry_\vector:
        popq    %rcx
        popq    %r11
        .if (\vector < 8) || (\vector == 9) || ((\vector > 14) && (\vector != 17) && (\vector != 21))
        pushq   $0
        .endif
        pushq   $\vector
        jmp     trap_common
        .endm

        .altmacro
        .set    vector, 0
        .rept   22
        trap_entry %vector
        .set    vector, vector + 1
        .endr

        .macro for_registers action, first:vararg
        .irp    register, \first
        \action %\register
        .endr
        .endm

trap_common:
        for_registers pushq, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
        movq    %rsp, %rdi
        cld
        call    trap
        for_registers popq, r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
        addq    $16, %rsp               /* vector, error code */
        orb     $3, 8(%rsp)             /* Xen shows kernel mode as ring 0, but it runs in ring 3 */
        iretq

        .macro entry_address vector
        .quad   entry_\vector
        .endm

        .section .rodata
        .balign 8
        .globl  trap_entries, trap_entries_end
trap_entries:
        .set    vector, 0
        .rept   22
        entry_address %vector
        .set    vector, vector + 1
        .endr
trap_entries_end:

        .bss
        .balign 4096
        .skip   STACK_BYTES
stack_top:

        .macro  note type, kind, value
        .balign 4
        .long   4, 2f - 1f, \type
        .asciz  "Xen"
1:      \kind   \value
2:      .balign 4
        .endm

        .section .note.Xen, "a", @note
        note    XEN_ELFNOTE_GUEST_OS, .asciz, "xencheck duel"
        note    XEN_ELFNOTE_XEN_VERSION, .asciz, "xen-3.0"
        note    XEN_ELFNOTE_LOADER, .asciz, "generic"
        note    XEN_ELFNOTE_VIRT_BASE, .quad, 0xffffffff80000000
        note    XEN_ELFNOTE_PADDR_OFFSET, .quad, 0
        note    XEN_ELFNOTE_ENTRY, .quad, kernel_entry
        note    XEN_ELFNOTE_HYPERCALL_PAGE, .quad, hypercall_page
        note    XEN_ELFNOTE_FEATURES, .asciz, "!writable_page_tables|pae_pgdir_above_4gb"
        note    XEN_ELFNOTE_SUPPORTED_FEATURES, .long, 0x801    /* writable_page_tables, dom0 */

        .section .note.GNU-stack, "", @progbits
