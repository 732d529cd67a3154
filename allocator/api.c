/* The entry points.  Each tries the front of its heap, which is a few instructions, and leaves
 * everything else to the heap. */
#include "allocator/include/allocator.h"

#include <errno.h>
#include <stdio.h>

#include "allocator/api.h"

/* --- mem_*: one heap ------------------------------------------------------------------------ */

/* Functions of their own, so that the frequent way keeps its arguments where they are. */
static NOINLINE void *plain_alloc(size_t size, bool zeroed)
{
    return heap_alloc(&heap_plain, size, MEM_ALIGNMENT, zeroed);
}

static NOINLINE void plain_free(void *ptr, unsigned kind)
{
    heap_free_kind(&heap_plain, ptr, kind);
}

void *mem_malloc(size_t size)
{
    void *ptr;

    if (__builtin_expect(heap_try_malloc(&heap_plain, size, &ptr), 1))
        return ptr;
    return plain_alloc(size, false);
}

void mem_free(void *ptr)
{
    unsigned kind = UNIT_FOREIGN;

    if (zone_find_kind(ptr, &kind) ? !heap_try_free(&heap_plain, ptr, kind) : ptr != NULL)
        plain_free(ptr, kind);
}

void *mem_calloc(size_t nmemb, size_t size)
{
    size_t bytes = api_product(nmemb, size);
    void *ptr;

    if (heap_try_malloc(&heap_plain, bytes, &ptr))
        return api_clear(ptr, bytes);
    return plain_alloc(bytes, true);
}

void *mem_realloc(void *ptr, size_t size)
{
    if (!ptr)
        return mem_malloc(size);
    return heap_realloc(&heap_plain, ptr, size);
}

void *mem_aligned_alloc(size_t alignment, size_t size)
{
    void *ptr;

    if (!api_is_power_of_two(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    if (heap_try_aligned(&heap_plain, alignment, size, &ptr))
        return ptr;
    return heap_alloc(&heap_plain, size, alignment, false);
}

/* --- mem_*_ts: the calling thread's heap ---------------------------------------------------- */

void *api_alloc_ts(size_t size, size_t alignment, bool zeroed)
{
    struct heap *heap = heaps_current;
    void *ptr;

    if (heap != &heap_none)
        return heap_alloc(heap, size, alignment, zeroed);
    heap = heaps_enter();
    ptr = heap_alloc(heap, size, alignment, zeroed);
    heaps_leave(heap);
    return ptr;
}

void api_free_ts(void *ptr, unsigned kind)
{
    struct heap *heap = heaps_current;

    if (heap != &heap_none) {
        heap_free_kind(heap, ptr, kind);
    } else {
        heap = heaps_enter();
        heap_free(heap, ptr);
        heaps_leave(heap);
    }
}

void *mem_malloc_ts(size_t size)
{
    return api_malloc_ts(size);
}

void mem_free_ts(void *ptr)
{
    api_free(ptr);
}

void *mem_calloc_ts(size_t nmemb, size_t size)
{
    size_t bytes = api_product(nmemb, size);
    void *ptr;

    if (heap_try_malloc(heaps_current, bytes, &ptr))
        return api_clear(ptr, bytes);
    return api_alloc_ts(bytes, MEM_ALIGNMENT, true);
}

void *mem_realloc_ts(void *ptr, size_t size)
{
    if (!ptr)
        return api_malloc_ts(size);
    struct heap *heap = heaps_enter();
    void *resized = heap_realloc(heap, ptr, size);

    heaps_leave(heap);
    return resized;
}

void *mem_aligned_alloc_ts(size_t alignment, size_t size)
{
    void *ptr;

    if (!api_is_power_of_two(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    if (heap_try_aligned(heaps_current, alignment, size, &ptr))
        return ptr;
    return api_alloc_ts(size, alignment, false);
}

/* --- both ----------------------------------------------------------------------------------- */

size_t mem_usable_size(const void *ptr)
{
    return heap_usable(ptr);
}

size_t mem_trim(void)
{
    return heaps_trim(false);
}

size_t mem_idle(void)
{
    return heaps_trim(true);
}

mem_stats_t mem_get_stats(void)
{
    return heaps_stats();
}

void mem_print_stats(void)
{
    mem_stats_t stats = mem_get_stats();

    printf("total allocated  %zu bytes\n"
           "total freed      %zu bytes\n"
           "current usage    %zu bytes\n"
           "allocations      %zu\n"
           "frees            %zu\n"
           "block splits     %zu\n"
           "block coalesces  %zu\n",
           stats.total_allocated, stats.total_freed, stats.current_usage, stats.num_allocations,
           stats.num_frees, stats.num_splits, stats.num_coalesces);
}

void mem_reset(void)
{
    heaps_reset_stats();
}
