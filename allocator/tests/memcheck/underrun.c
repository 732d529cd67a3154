/* Reads one byte in front of an object of the thread-safe family. */
#include "allocator/include/allocator.h"

int main(void)
{
    volatile char *array = mem_calloc_ts(10, 10);
    volatile char sink = array[-1]; /* MARK */

    (void)sink;
    mem_free_ts((void *)array);
    return 0;
}
