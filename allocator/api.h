/* The fast paths, inline, for the entry points and for the malloc family of the preload library. */
#ifndef ALLOCATOR_API_H
#define ALLOCATOR_API_H

#include <string.h>

#include "allocator/heaps.h"

/* Sets *ptr to an object from the heap's front; false where that has none of the size. */
static inline bool api_try_malloc(struct heap *heap, size_t size, void **ptr)
{
    if (__builtin_expect(size > SLAB_MOST_BYTES, 0))
        return false;
    return front_pop(&heap->front.bins[slab_class(size)], ptr);
}

/* The same for an alignment: a multiple of it gets a class that is one too (see slab_class). */
static inline bool api_try_aligned(struct heap *heap, size_t alignment, size_t size, void **ptr)
{
    if (alignment > SLAB_MOST_BYTES || size > SLAB_MOST_BYTES)
        return false;
    return api_try_malloc(heap, ((size ? size : 1) + alignment - 1) & ~(alignment - 1), ptr);
}

/* Puts a small object into the heap's front; false where it is not small or there is no room. */
static inline bool api_try_free(struct heap *heap, void *ptr)
{
    unsigned kind = zone_kind(ptr);

    if (__builtin_expect(kind < UNIT_SLAB, 0))
        return false;
    return front_push(&heap->front.bins[kind - UNIT_SLAB], ptr);
}

/* The slow ways of the thread-safe family. */
__attribute__((noinline)) void *api_alloc_ts(size_t size, size_t alignment, bool zeroed);
__attribute__((noinline)) void api_free_ts(void *ptr);

static inline void *api_malloc_ts(size_t size)
{
    void *ptr;

    if (__builtin_expect(api_try_malloc(heaps_current, size, &ptr), 1))
        return ptr;
    return api_alloc_ts(size, MEM_ALIGNMENT, false);
}

static inline void api_free(void *ptr)
{
    if (__builtin_expect(!api_try_free(heaps_current, ptr), 0))
        api_free_ts(ptr);
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
