#include "allocator/heap.h"

#include <errno.h>
#include <string.h>

#include "allocator/checked.h"
#include "allocator/decay.h"
#include "allocator/fault.h"
#include "allocator/large.h"

struct block_heap heap_blocks;

static void count_alloc(struct heap *heap, size_t usable)
{
    counter_add(&heap->counters.allocations, 1);
    counter_add(&heap->counters.allocated_bytes, usable);
}

static void count_free(struct heap *heap, size_t usable)
{
    counter_add(&heap->counters.frees, 1);
    counter_add(&heap->counters.freed_bytes, usable);
}

static void count_resize(struct heap *heap, size_t before, size_t now)
{
    if (now > before)
        counter_add(&heap->counters.allocated_bytes, now - before);
    else
        counter_add(&heap->counters.freed_bytes, before - now);
}

static void count_slow_call(struct heap *heap)
{
    if (++heap->slow_calls % DECAY_PERIOD == 0)
        decay_look();
}

static void *take_small(struct heap *heap, size_t bytes)
{
    unsigned size_class = slab_class(bytes);
    void *ptr;

    if (front_pop(&heap->front.bins[size_class], &ptr))
        return ptr;
    count_slow_call(heap);
    return front_refill(&heap->front, &heap->slabs, size_class);
}

static void *take_block(struct heap *heap, size_t bytes, size_t align)
{
    count_slow_call(heap);
    lock_take(&zone.lock);
    void *ptr = block_alloc(&heap_blocks, bytes, align);
    size_t usable = ptr ? block_usable(ptr) : 0;
    lock_drop(&zone.lock);
    if (ptr)
        count_alloc(heap, usable);
    return ptr;
}

static void *take_large(struct heap *heap, size_t bytes, size_t align, bool zeroed)
{
    count_slow_call(heap);
    void *ptr = large_alloc(bytes ? bytes : 1, align, zeroed);

    if (ptr)
        count_alloc(heap, large_usable(ptr));
    else
        errno = ENOMEM;
    return ptr;
}

void *heap_alloc(struct heap *heap, size_t bytes, size_t align, bool zeroed)
{
    void *ptr = NULL;

    if (bytes > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    if (align < MEM_ALIGNMENT)
        align = MEM_ALIGNMENT;
    if (checked_is_on())
        return checked_alloc(heap, bytes, align, zeroed);

    /* A multiple of the alignment gets a class that is one too, because up to 1 KiB every class is
     * a multiple of the distance to its neighbours; and slabs start at a multiple of 8 KiB. */
    size_t rounded = ((bytes ? bytes : 1) + align - 1) & ~(align - 1);
    if (rounded - 1 < SLAB_MOST_BYTES)
        ptr = take_small(heap, rounded);
    /* Where one kind of memory is exhausted the next may still be had. */
    if (!ptr && bytes < MEM_MMAP_THRESHOLD && align < MEM_MMAP_THRESHOLD)
        ptr = take_block(heap, bytes, align);
    if (!ptr)
        return take_large(heap, bytes, align, zeroed);
    return zeroed ? memset(ptr, 0, bytes) : ptr;
}

static void free_small(struct heap *heap, void *ptr, unsigned kind)
{
    unsigned size_class = kind - UNIT_SLAB;

    if (front_push(&heap->front.bins[size_class], ptr))
        return;
    count_slow_call(heap);
    front_spill(&heap->front, size_class, ptr);
}

void heap_free(struct heap *heap, void *ptr)
{
    size_t usable;

    if (!ptr)
        return;
    unsigned kind = zone_kind(ptr);
    if (checked_is_on()) {
        checked_free(heap, ptr);
        return;
    }
    if (kind >= UNIT_SLAB) {
        free_small(heap, ptr, kind);
        return;
    }
    count_slow_call(heap);
    if (kind == UNIT_BLOCK) {
        lock_take(&zone.lock);
        usable = block_free(&heap_blocks, ptr);
        lock_drop(&zone.lock);
    } else {
        usable = large_free(ptr);
        if (usable == 0)
            fault_die("invalid pointer", ptr);
    }
    count_free(heap, usable);
}

static bool resize_small(const void *ptr, size_t bytes)
{
    size_t usable = slab_class_bytes[zone_kind(ptr) - UNIT_SLAB];

    /* A shrunk object stays while it fills three quarters: moving it costs more than that. */
    return bytes <= usable && usable - bytes <= usable / 4;
}

static bool resize_block(struct heap *heap, void *ptr, size_t bytes)
{
    bool done = false;

    /* What became small moves to a slab. */
    if (bytes <= SLAB_MOST_BYTES || bytes >= MEM_MMAP_THRESHOLD)
        return false;
    lock_take(&zone.lock);
    size_t before = block_usable(ptr);
    done = block_resize(&heap_blocks, ptr, bytes);
    size_t now = block_usable(ptr);
    lock_drop(&zone.lock);
    if (done)
        count_resize(heap, before, now);
    return done;
}

static void *resize_large(struct heap *heap, void *ptr, size_t bytes)
{
    size_t before = large_usable(ptr);

    if (before == 0)
        fault_die("invalid pointer", ptr);
    /* Down to half the threshold an object stays mapped: crossing it to and fro is cheap. */
    void *resized = bytes >= MEM_MMAP_THRESHOLD / 2 ? large_resize(ptr, bytes) : NULL;
    if (resized)
        count_resize(heap, before, large_usable(resized));
    return resized;
}

/* Returns `ptr`, perhaps moved without copying, or NULL where it can't be resized that way. */
static void *resize(struct heap *heap, void *ptr, size_t bytes)
{
    unsigned kind = zone_kind(ptr);

    if (checked_is_on())
        return NULL;
    if (kind >= UNIT_SLAB)
        return resize_small(ptr, bytes) ? ptr : NULL;
    if (kind == UNIT_BLOCK)
        return resize_block(heap, ptr, bytes) ? ptr : NULL;
    return resize_large(heap, ptr, bytes);
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

    void *resized = resize(heap, ptr, bytes);
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
    unsigned kind = zone_kind(ptr);
    size_t usable;

    if (!ptr)
        return 0;
    if (checked_is_on())
        return checked_usable(ptr);
    if (kind >= UNIT_SLAB)
        return slab_class_bytes[kind - UNIT_SLAB];
    if (kind == UNIT_BLOCK) {
        lock_take(&zone.lock);
        usable = block_usable(ptr);
        lock_drop(&zone.lock);
        return usable;
    }
    usable = large_usable(ptr);
    if (usable == 0)
        fault_die("invalid pointer", ptr);
    return usable;
}
