/* Does nothing wrong, in all sizes: memcheck is expected to find nothing and to count 2004
 * allocations and as many frees. */
#include <string.h>

#include "allocator/include/allocator.h"

int main(void)
{
    static char *live[1000];

    for (int i = 0; i < 1000; i++) {
        live[i] = mem_malloc((size_t)(i * 300));
        memset(live[i], 1, (size_t)(i * 300));
    }
    for (int i = 0; i < 1000; i++)
        live[i] = mem_realloc(live[i], (size_t)(i * 200 + 1));
    for (int i = 0; i < 1000; i++)
        mem_free(live[i]);
    char *aligned = mem_aligned_alloc_ts(4096, 10000);
    memset(aligned, 1, 10000);
    mem_free_ts(aligned);
    aligned = mem_aligned_alloc(1 << 20, 300000);
    memset(aligned, 1, 300000);
    mem_free(aligned);
    char *zeroed = mem_calloc_ts(100, 100);
    int sum = 0;
    for (int i = 0; i < 10000; i++)
        sum += zeroed[i];
    mem_free_ts(zeroed);
    char *text = mem_malloc(100);
    strcpy(text, "text");
    sum += (int)strlen(text) - 4;
    mem_free(text);
    return sum;
}
