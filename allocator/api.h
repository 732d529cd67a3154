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

/* Clears the first half of `bytes` at `start` and the last, which may overlap. */
static inline void api_clear_ends(char *start, size_t bytes, size_t half)
{
    memset(start, 0, half);
    memset(start + bytes - half, 0, half);
}

/* memset for an object from a front, in place where it is small: the call takes longer than its
 * work, and callocs of up to 128 bytes are a sixth of what some programs call (EXPERIMENTS.md,
 * "Clearing"). */
static inline void *api_clear(void *ptr, size_t bytes)
{
    /* Objects are whole steps. */
    size_t rounded = (bytes + MEM_ALIGNMENT - 1) & ~(MEM_ALIGNMENT - 1);

    if (rounded <= 32)
        api_clear_ends(ptr, rounded ? rounded : MEM_ALIGNMENT, 16);
    else if (rounded <= 64)
        api_clear_ends(ptr, rounded, 32);
    else if (rounded <= 128)
        api_clear_ends(ptr, rounded, 64);
    else
        memset(ptr, 0, bytes);
    return ptr;
}

static inline bool api_is_power_of_two(size_t number)
{
    return number != 0 && (number & (number - 1)) == 0;
}

#endif
