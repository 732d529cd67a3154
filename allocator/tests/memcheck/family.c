/* The whole malloc family, preloaded: memcheck replaces most of it, and must know what the others
 * return. */
#include <malloc.h>
#include <stdlib.h>

int main(void)
{
    free(malloc(100));
    free(calloc(3, 50));
    free(realloc(malloc(10), 1000));
    free(reallocarray(NULL, 10, 20));
    free(reallocarray(malloc(10), 100, 20));
    free(realloc(reallocarray(NULL, 10, 20), 10));
    free(memalign(64, 100));
    free(aligned_alloc(256, 512));
    free(valloc(100));
    free(pvalloc(5000));
    return 0;
}
