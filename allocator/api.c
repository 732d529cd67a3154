/* The entry points.  Each tries the front of its heap, which is a few instructions, and leaves
 * everything else to the heap. */
#include "allocator/include/allocator.h"

#include <errno.h>
#include <stdio.h>

#include "allocator/api.h"

#define NOINLINE __attribute__((noinline))

/* --- mem_*: one heap ------------------------------------------------------------------------ */

static NOINLINE void *plain_alloc(size_t size, bool zeroed)
{
    void *ptr = heap_pop_block(&heap_plain, size);

    if (ptr)
        return zeroed ? memset(ptr, 0, size) : ptr;
    return heap_alloc(&heap_plain, size, MEM_ALIGNMENT, zeroed);
}

static NOINLINE void plain_free(void *ptr)
{
    if (zone_kind(ptr) != UNIT_BLOCK || !heap_push_block(&heap_plain, ptr))
        heap_free(&heap_plain, ptr);
}

void *mem_malloc(size_t size)
{
    void *ptr;

    if (__builtin_expect(api_try_malloc(&heap_plain, size, &ptr), 1))
        return ptr;
    return plain_alloc(size, false);
}

void mem_free(void *ptr)
{
    if (__builtin_expect(!api_try_free(&heap_plain, ptr), 0))
        plain_free(ptr);
}

void *mem_calloc(size_t nmemb, size_t size)
{
    size_t bytes = api_product(nmemb, size);
    void *ptr;

    if (api_try_malloc(&heap_plain, bytes, &ptr))
        return memset(ptr, 0, bytes);
    return plain_alloc(bytes, true);
}

void *mem_realloc(void *ptr, size_t size)
{
    return heap_realloc(&heap_plain, ptr, size);
}

void *mem_aligned_alloc(size_t alignment, size_t size)
{
    void *ptr;

    if (!api_is_power_of_two(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    if (api_try_aligned(&heap_plain, alignment, size, &ptr))
        return ptr;
    return heap_alloc(&heap_plain, size, alignment, false);
}

/* --- mem_*_ts: the calling thread's heap ---------------------------------------------------- */

/* Both fronts of heap_none serve nothing. */
void *api_alloc_ts(size_t size, size_t alignment, bool zeroed)
{
    void *ptr = alignment > MEM_ALIGNMENT ? NULL : heap_pop_block(heaps_current, size);

    if (ptr)
        return zeroed ? memset(ptr, 0, size) : ptr;
    struct heap *heap = heaps_enter();
    ptr = heap_alloc(heap, size, alignment, zeroed);
    heaps_leave(heap);
    return ptr;
}

void api_free_ts(void *ptr)
{
    if (!ptr || (zone_kind(ptr) == UNIT_BLOCK && heap_push_block(heaps_current, ptr)))
        return;
    struct heap *heap = heaps_enter();

    heap_free(heap, ptr);
    heaps_leave(heap);
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

    if (api_try_malloc(heaps_current, bytes, &ptr))
        return memset(ptr, 0, bytes);
    return api_alloc_ts(bytes, MEM_ALIGNMENT, true);
}

void *mem_realloc_ts(void *ptr, size_t size)
{
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
    if (api_try_aligned(heaps_current, alignment, size, &ptr))
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
