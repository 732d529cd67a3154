#include "allocator/fault.h"

#include "allocator/os.h"

static size_t append(char *line, size_t length, size_t room, const char *text)
{
    while (*text && length < room)
        line[length++] = *text++;
    return length;
}

void fault_die(const char *what, const void *address)
{
    char line[160];
    char hex[2 + 2 * sizeof(uintptr_t) + 1] = "0x";
    size_t digits = 2;
    size_t length;

    for (unsigned shift = 8 * sizeof(uintptr_t); shift > 0; shift -= 4) {
        unsigned digit = (unsigned)((uintptr_t)address >> (shift - 4)) & 15;
        if (digit || digits > 2 || shift == 4)
            hex[digits++] = "0123456789abcdef"[digit];
    }
    hex[digits] = '\0';
    length = append(line, 0, sizeof line - 1, "liballocator: ");
    length = append(line, length, sizeof line - 1, what);
    length = append(line, length, sizeof line - 1, " at ");
    length = append(line, length, sizeof line - 1, hex);
    line[length++] = '\n';
    os_die(line, length);
}
