/* A heap: a front and the slabs behind it, with counters; blocks and large objects are shared by
 * all heaps.
 *
 * Invariant: `front` and `counters` are written by the heap's owner alone: whoever serialises mem_*
 * for heap_plain, one thread for each thread heap, the holder of heap_shared_lock for heap_shared.
 * Counters are read by anybody, as relaxed atomics. */
#ifndef ALLOCATOR_HEAP_H
#define ALLOCATOR_HEAP_H

#include "allocator/block.h"
#include "allocator/counters.h"
#include "allocator/front.h"

struct heap {
    struct front front;
    struct slab_set slabs;
    struct counters counters; /* of blocks and large objects; slabs are counted by the front */
    struct heap *next;        /* all thread heaps; see heaps.h */
    struct heap *next_idle;   /* heaps without a thread */
    bool is_owned;
    unsigned slow_calls;
};

/* The one block heap, guarded by the zone's lock. */
extern struct block_heap heap_blocks HIDDEN;

/* Each returns NULL with errno set on failure.  `align` is a power of two.  These are complete;
 * the entry points try the front themselves before they come here. */
void *heap_alloc(struct heap *heap, size_t bytes, size_t align, bool zeroed);
void heap_free(struct heap *heap, void *ptr);
void *heap_realloc(struct heap *heap, void *ptr, size_t bytes);
size_t heap_usable(const void *ptr);

#endif
