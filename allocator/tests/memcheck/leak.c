/* Loses 1234 bytes; memcheck is expected to name the marked line. */
#include "allocator/include/allocator.h"

static void lose(void)
{
    char *lost = mem_malloc(1234); /* MARK */

    lost[0] = 1;
}

static void wipe_the_stack(void)
{
    volatile char cover[4096];

    for (unsigned i = 0; i < sizeof cover; i++)
        cover[i] = 0;
}

int main(void)
{
    lose();
    wipe_the_stack();
    mem_free(mem_malloc(10));
    return 0;
}
