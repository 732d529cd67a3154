/* Reads an object after it was freed and others were allocated. */
#include "allocator/include/allocator.h"

int main(void)
{
    volatile char *array = mem_malloc(500);

    array[10] = 1;
    mem_free((void *)array);
    void *other = mem_malloc(500);
    volatile char sink = array[10]; /* MARK */

    (void)sink;
    mem_free(other);
    return 0;
}
