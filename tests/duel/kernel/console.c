/* The console: what a person reads when something went wrong, and where the driver finds the mailbox. */
#include "kernel.h"

static size_t length(const char *text)
{
    size_t n = 0;

    while (text[n])
        n++;
    return n;
}

void print(const char *text)
{
    hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, length(text), address_of(text), 0);
}

void print_number(const char *label, uint64_t value)
{
    char digits[2 * sizeof value + 1];
    size_t at = sizeof digits - 1;

    digits[at] = 0;
    do {
        digits[--at] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value);
    print(label);
    print(" 0x");
    print(digits + at);
    print("\n");
}
