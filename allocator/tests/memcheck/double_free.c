/* Frees an object twice. */
#include "allocator/include/allocator.h"

int main(void)
{
    char *array = mem_malloc(100);
    char *volatile again = array;

    mem_free(array);
    mem_free(again); /* MARK */
    return 0;
}
