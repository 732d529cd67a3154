/* Decides on a byte that nobody wrote. */
#include "allocator/include/allocator.h"

int main(void)
{
    char *array = mem_malloc(100);
    int answer = 0;

    if (array[50]) /* MARK */
        answer = 1;
    mem_free(array);
    return answer & 0;
}
