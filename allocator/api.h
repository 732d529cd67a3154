/* The fast paths, inline, for the entry points and for the malloc family of the preload library. */
#ifndef ALLOCATOR_API_H
#define ALLOCATOR_API_H

#include <string.h>

#include "allocator/heaps.h"

/* The slow ways of the thread-safe family. */
NOINLINE void *api_alloc_ts(size_t size, size_t alignment, bool zeroed);
NOINLINE void api_free_ts(void *ptr, unsigned kind); /* not of NULL */

static inline void *api_malloc_ts(size_t size)
{
    void *ptr;

    if (__builtin_expect(heap_try_malloc(heaps_current, size, &ptr), 1))
        return ptr;
    return api_alloc_ts(size, MEM_ALIGNMENT, false);
}

static inline void api_free(void *ptr)
{
    unsigned kind = UNIT_FOREIGN;

    /* Many programs free NULL as often as anything else: before the heap is looked up. */
    if (zone_find_kind(ptr, &kind) ? !heap_try_free(heaps_current, ptr, kind) : ptr != NULL)
        api_free_ts(ptr, kind);
}

/* nmemb * size, or, where that overflows, a size that no allocation can have. */
static inline size_t api_product(size_t nmemb, size_t size)
{
    size_t bytes;

    return __builtin_mul_overflow(nmemb, size, &bytes) ? SIZE_MAX : bytes;
}

static inline bool api_is_power_of_two(size_t number)
{
    return number != 0 && (number & (number - 1)) == 0;
}

#endif
