/* Writes one byte behind an object. */
#include "allocator/include/allocator.h"

int main(void)
{
    volatile char *array = mem_malloc(77);

    array[76] = 1;
    array[77] = 1; /* MARK */
    mem_free((void *)array);
    return 0;
}
