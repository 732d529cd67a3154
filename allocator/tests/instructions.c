/* Calls one pair of functions COUNT times, for counting instructions: instructions FAMILY SIZE
 * COUNT.  FAMILY is plain, ts, or none for the loop alone. */
#include <stdlib.h>
#include <string.h>

#include "allocator/include/allocator.h"

static void *no_malloc(size_t size)
{
    (void)size;
    return NULL;
}

static void no_free(void *ptr)
{
    (void)ptr;
}

int main(int argc, char **argv)
{
    void *(*allocate)(size_t) = no_malloc;
    void (*release)(void *) = no_free;

    if (argc != 4)
        return 2;
    if (strcmp(argv[1], "plain") == 0) {
        allocate = mem_malloc;
        release = mem_free;
    } else if (strcmp(argv[1], "ts") == 0) {
        allocate = mem_malloc_ts;
        release = mem_free_ts;
    }
    size_t size = strtoul(argv[2], NULL, 10);
    for (long count = strtol(argv[3], NULL, 10); count > 0; count--)
        release(allocate(size));
    return 0;
}
