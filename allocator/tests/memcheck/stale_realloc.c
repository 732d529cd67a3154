/* Writes through the pointer that realloc made stale. */
#include "allocator/include/allocator.h"

int main(void)
{
    volatile char *old = mem_malloc(100);
    char *new = mem_realloc((void *)old, 200);

    old[0] = 1; /* MARK */
    mem_free(new);
    return 0;
}
