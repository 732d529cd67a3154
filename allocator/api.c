/* The entry points.  mem_* use one heap and no lock of their own; mem_*_ts another, one thread at
 * a time. */
#include "allocator/include/allocator.h"

#include <errno.h>
#include <stdio.h>

#include "allocator/heap.h"

static bool is_power_of_two(size_t number)
{
    return number != 0 && (number & (number - 1)) == 0;
}

void *mem_malloc(size_t size)
{
    return heap_alloc(&heap_plain, size, MEM_ALIGNMENT, false);
}

void mem_free(void *ptr)
{
    heap_free(&heap_plain, ptr);
}

void *mem_calloc(size_t nmemb, size_t size)
{
    size_t bytes;

    /* The largest size fails with ENOMEM as any impossible one does. */
    if (__builtin_mul_overflow(nmemb, size, &bytes))
        bytes = SIZE_MAX;
    return heap_alloc(&heap_plain, bytes, MEM_ALIGNMENT, true);
}

void *mem_realloc(void *ptr, size_t size)
{
    return heap_realloc(&heap_plain, ptr, size);
}

void *mem_aligned_alloc(size_t alignment, size_t size)
{
    if (!is_power_of_two(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    return heap_alloc(&heap_plain, size, alignment, false);
}

void *mem_malloc_ts(size_t size)
{
    lock_take(&heap_shared_lock);
    void *ptr = heap_alloc(&heap_shared, size, MEM_ALIGNMENT, false);
    lock_drop(&heap_shared_lock);
    return ptr;
}

void mem_free_ts(void *ptr)
{
    lock_take(&heap_shared_lock);
    heap_free(&heap_shared, ptr);
    lock_drop(&heap_shared_lock);
}

void *mem_calloc_ts(size_t nmemb, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(nmemb, size, &bytes))
        bytes = SIZE_MAX;
    lock_take(&heap_shared_lock);
    void *ptr = heap_alloc(&heap_shared, bytes, MEM_ALIGNMENT, true);
    lock_drop(&heap_shared_lock);
    return ptr;
}

void *mem_realloc_ts(void *ptr, size_t size)
{
    lock_take(&heap_shared_lock);
    void *resized = heap_realloc(&heap_shared, ptr, size);
    lock_drop(&heap_shared_lock);
    return resized;
}

void *mem_aligned_alloc_ts(size_t alignment, size_t size)
{
    if (!is_power_of_two(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    lock_take(&heap_shared_lock);
    void *ptr = heap_alloc(&heap_shared, size, alignment, false);
    lock_drop(&heap_shared_lock);
    return ptr;
}

size_t mem_usable_size(const void *ptr)
{
    return heap_usable(ptr);
}

size_t mem_trim(void)
{
    return heap_trim();
}

mem_stats_t mem_get_stats(void)
{
    return heap_stats();
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
    heap_reset_stats();
}
