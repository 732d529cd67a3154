#include "allocator/heap.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "allocator/checked.h"
#include "allocator/fault.h"
#include "allocator/large.h"
#include "allocator/zone.h"

struct heap heap_plain, heap_shared;
struct lock heap_shared_lock;
struct block_heap heap_blocks;

/* What mem_reset subtracts. */
static struct mem_stats reset_point;

/* --- counters ------------------------------------------------------------------------------- */

static void add(size_t *counter, size_t amount)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + amount,
                     __ATOMIC_RELAXED);
}

static size_t get(const size_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void count_alloc(struct heap *heap, size_t usable)
{
    add(&heap->counters.allocations, 1);
    add(&heap->counters.allocated_bytes, usable);
}

static void count_free(struct heap *heap, size_t usable)
{
    add(&heap->counters.frees, 1);
    add(&heap->counters.freed_bytes, usable);
}

static void count_resize(struct heap *heap, size_t before, size_t now)
{
    if (now > before)
        add(&heap->counters.allocated_bytes, now - before);
    else
        add(&heap->counters.freed_bytes, before - now);
}

/* --- allocation ----------------------------------------------------------------------------- */

static void *take_block(struct heap *heap, size_t bytes, size_t align)
{
    lock_take(&zone.lock);
    void *ptr = block_alloc(&heap_blocks, bytes, align);
    size_t usable = ptr ? block_usable(ptr) : 0;
    lock_drop(&zone.lock);
    if (ptr)
        count_alloc(heap, usable);
    return ptr;
}

static void *take_large(struct heap *heap, size_t bytes, size_t align)
{
    void *ptr = large_alloc(bytes ? bytes : 1, align);

    if (ptr)
        count_alloc(heap, large_usable(ptr));
    else
        errno = ENOMEM;
    return ptr;
}

void *heap_alloc(struct heap *heap, size_t bytes, size_t align, bool zeroed)
{
    if (bytes > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    if (align < MEM_ALIGNMENT)
        align = MEM_ALIGNMENT;
    if (checked_is_on())
        return checked_alloc(heap, bytes, align, zeroed);

    if (bytes < MEM_MMAP_THRESHOLD && align < MEM_MMAP_THRESHOLD) {
        void *ptr = take_block(heap, bytes, align);
        if (ptr)
            return zeroed ? memset(ptr, 0, bytes) : ptr;
        /* The zone is exhausted; a mapping of its own may still be had. */
    }
    return take_large(heap, bytes, align);
}

void heap_free(struct heap *heap, void *ptr)
{
    size_t usable;

    if (!ptr)
        return;
    if (checked_is_on()) {
        checked_free(heap, ptr);
        return;
    }
    if (zone_kind(ptr) == UNIT_BLOCK) {
        lock_take(&zone.lock);
        usable = block_usable(ptr);
        block_free(&heap_blocks, ptr);
        lock_drop(&zone.lock);
    } else {
        usable = large_free(ptr);
        if (usable == 0)
            fault_die("invalid pointer", ptr);
    }
    count_free(heap, usable);
}

/* Returns `ptr`, perhaps moved without copying, or NULL where it can't be resized that way. */
static void *resize(struct heap *heap, void *ptr, size_t bytes)
{
    size_t before, now;
    void *resized = NULL;

    if (zone_kind(ptr) == UNIT_BLOCK) {
        lock_take(&zone.lock);
        before = block_usable(ptr);
        if (bytes < MEM_MMAP_THRESHOLD && block_resize(&heap_blocks, ptr, bytes))
            resized = ptr;
        now = block_usable(ptr);
        lock_drop(&zone.lock);
    } else {
        before = large_usable(ptr);
        if (before == 0)
            fault_die("invalid pointer", ptr);
        /* Down to half the threshold an object stays mapped: crossing it to and fro is cheap. */
        if (bytes >= MEM_MMAP_THRESHOLD / 2)
            resized = large_resize(ptr, bytes);
        now = resized ? large_usable(resized) : before;
    }
    if (resized)
        count_resize(heap, before, now);
    return resized;
}

void *heap_realloc(struct heap *heap, void *ptr, size_t bytes)
{
    if (!ptr)
        return heap_alloc(heap, bytes, MEM_ALIGNMENT, false);
    if (bytes == 0) {
        heap_free(heap, ptr);
        return NULL;
    }
    if (bytes > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }

    void *resized = checked_is_on() ? NULL : resize(heap, ptr, bytes);
    if (resized)
        return resized;
    size_t usable = heap_usable(ptr);
    void *moved = heap_alloc(heap, bytes, MEM_ALIGNMENT, false);
    if (!moved)
        return NULL;
    memcpy(moved, ptr, usable < bytes ? usable : bytes);
    heap_free(heap, ptr);
    return moved;
}

size_t heap_usable(const void *ptr)
{
    size_t usable;

    if (!ptr)
        return 0;
    if (checked_is_on())
        return checked_usable(ptr);
    if (zone_kind(ptr) == UNIT_BLOCK) {
        lock_take(&zone.lock);
        usable = block_usable(ptr);
        lock_drop(&zone.lock);
    } else {
        usable = large_usable(ptr);
        if (usable == 0)
            fault_die("invalid pointer", ptr);
    }
    return usable;
}

size_t heap_trim(void)
{
    lock_take(&zone.lock);
    size_t trimmed = block_trim(&heap_blocks);
    trimmed += zone_purge(0) << UNIT_SHIFT;
    lock_drop(&zone.lock);
    return trimmed;
}

/* --- statistics ----------------------------------------------------------------------------- */

static void add_heap(struct mem_stats *stats, const struct heap *heap)
{
    stats->total_allocated += get(&heap->counters.allocated_bytes);
    stats->total_freed += get(&heap->counters.freed_bytes);
    stats->num_allocations += get(&heap->counters.allocations);
    stats->num_frees += get(&heap->counters.frees);
}

static struct mem_stats absolute_stats(void)
{
    struct mem_stats stats = {0};

    add_heap(&stats, &heap_plain);
    add_heap(&stats, &heap_shared);
    stats.current_usage = stats.total_allocated - stats.total_freed;
    stats.num_splits = heap_blocks.splits;
    stats.num_coalesces = heap_blocks.coalesces;
    return stats;
}

struct mem_stats heap_stats(void)
{
    lock_take(&zone.lock);
    struct mem_stats stats = absolute_stats();
    stats.total_allocated -= reset_point.total_allocated;
    stats.total_freed -= reset_point.total_freed;
    stats.num_allocations -= reset_point.num_allocations;
    stats.num_frees -= reset_point.num_frees;
    stats.num_splits -= reset_point.num_splits;
    stats.num_coalesces -= reset_point.num_coalesces;
    lock_drop(&zone.lock);
    return stats;
}

void heap_reset_stats(void)
{
    lock_take(&zone.lock);
    reset_point = absolute_stats();
    lock_drop(&zone.lock);
}

/* --- fork ----------------------------------------------------------------------------------- */

/* The child gets the memory as it is at the fork, with one thread: all locks are taken before, so
 * that nothing is half done in it.  The order is that in which the layers take them. */
static void before_fork(void)
{
    lock_take(&heap_shared_lock);
    lock_take(&zone.lock);
    lock_take(&large_objects.lock);
}

static void after_fork_in_parent(void)
{
    lock_drop(&large_objects.lock);
    lock_drop(&zone.lock);
    lock_drop(&heap_shared_lock);
}

static void after_fork_in_child(void)
{
    lock_reset(&large_objects.lock);
    lock_reset(&zone.lock);
    lock_reset(&heap_shared_lock);
}

__attribute__((constructor)) static void prepare_for_fork(void)
{
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}
