/* A heap: one user of the layers below, with its counters.
 *
 * Invariant: counters are written by whoever owns the heap at the moment and by nobody else; they
 * are read by anybody, so they are read and written as relaxed atomics. */
#ifndef ALLOCATOR_HEAP_H
#define ALLOCATOR_HEAP_H

#include "allocator/block.h"
#include "allocator/lock.h"

struct counters {
    size_t allocated_bytes, freed_bytes;
    size_t allocations, frees;
};

struct heap {
    struct counters counters;
};

/* The heap of mem_*, and the one of mem_*_ts with the lock of its owner. */
extern struct heap heap_plain, heap_shared;
extern struct lock heap_shared_lock;

/* Each returns NULL with errno set on failure.  `align` is a power of two. */
void *heap_alloc(struct heap *heap, size_t bytes, size_t align, bool zeroed);
void heap_free(struct heap *heap, void *ptr);
void *heap_realloc(struct heap *heap, void *ptr, size_t bytes);
size_t heap_usable(const void *ptr);
/* Returns the number of bytes given back to the system. */
size_t heap_trim(void);

struct mem_stats heap_stats(void);
void heap_reset_stats(void);

/* The only block heap; for tests. */
extern struct block_heap heap_blocks;

#endif
