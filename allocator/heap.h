/* A heap: a front and the slabs behind it, a front for blocks, and counters; the block heap and the
 * large objects are shared by all heaps.
 *
 * Invariant: `front`, `block_front` and `counters` are written by the heap's owner alone: whoever
 * serialises mem_* for heap_plain, one thread for each thread heap, the holder of heap_shared_lock
 * for heap_shared. Counters are read by anybody, as relaxed atomics. */
#ifndef ALLOCATOR_HEAP_H
#define ALLOCATOR_HEAP_H

#include "allocator/block_front.h"
#include "allocator/counters.h"
#include "allocator/front.h"

struct heap {
    struct front front;
    struct slab_set slabs;
    struct block_front block_front;
    struct counters counters;  /* of blocks and large objects; slabs are counted by the front */
    struct block_heap *blocks; /* heap_blocks, or an instance's own */
    struct heap *next;         /* all thread heaps, or all instances; see heaps.h */
    struct heap *previous;     /* of the instances */
    struct guard *guards;      /* an instance's live objects, under memcheck; see checked.c */
    struct heap *next_idle;    /* heaps without a thread */
    bool is_owned;
    unsigned slow_calls;
    unsigned decay_rounds; /* when its fronts were emptied last */
};

/* The block heap of all heaps but the instances; each is guarded by the zone's lock. */
extern struct block_heap heap_blocks HIDDEN;

/* Tells whether the heap's objects are its own to destroy. */
static inline bool heap_is_instance(const struct heap *heap)
{
    return heap->blocks->is_private;
}

/* Takes a block from the heap's front for blocks; NULL where that holds none for `bytes`. */
static inline void *heap_pop_block(struct heap *heap, size_t bytes)
{
    void *ptr = block_front_pop(&heap->block_front, bytes);

    if (ptr) {
        counter_add(&heap->counters.allocations, 1);
        counter_add(&heap->counters.allocated_bytes, block_size(ptr) - BLOCK_TAG_BYTES);
    }
    return ptr;
}

/* Lets the heap's front hold a block; false, with nothing done, where it can't. */
static inline bool heap_push_block(struct heap *heap, void *ptr)
{
    size_t usable = block_front_push(&heap->block_front, ptr);

    if (usable == 0)
        return false;
    counter_add(&heap->counters.frees, 1);
    counter_add(&heap->counters.freed_bytes, usable);
    return true;
}

/* Each returns NULL with errno set on failure.  `align` is a power of two.  These are complete;
 * the entry points try the fronts themselves before they come here. */
void *heap_alloc(struct heap *heap, size_t bytes, size_t align, bool zeroed);
void heap_free(struct heap *heap, void *ptr);
/* Puts what the fronts hold back into slabs and the block heap. */
void heap_flush(struct heap *heap);
void *heap_realloc(struct heap *heap, void *ptr, size_t bytes);
size_t heap_usable(const void *ptr);

#endif
