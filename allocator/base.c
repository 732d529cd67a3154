#include "allocator/base.h"

/* All of the first depot, the first table of large objects and the first entries of slabs: 18 KiB
 * together. */
enum { BASE_BYTES = 20 * 1024 };

static size_t taken_bytes;
static _Alignas(CACHE_LINE_BYTES) char memory[BASE_BYTES] COLD_DATA;

void *base_take(size_t bytes)
{
    size_t rounded = (bytes + CACHE_LINE_BYTES - 1) & ~(size_t)(CACHE_LINE_BYTES - 1);
    size_t start = __atomic_fetch_add(&taken_bytes, rounded, __ATOMIC_RELAXED);

    return start + rounded <= sizeof memory ? memory + start : NULL;
}

char *base_start(void)
{
    return memory;
}
