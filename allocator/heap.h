/* A heap: a front for small objects, one for blocks, a nursery for those that it does not hold, and
 * counters. What lies behind the fronts is shared by all heaps, so that what one thread frees is
 * there for all others: the arenas, the large objects, and the slabs of a memory node.
 *
 * Invariant: `front`, `block_front`, `nursery` and `counters` are written by the heap's owner
 * alone: whoever serialises mem_* for heap_plain, one thread for each thread heap, the holder of
 * shared_lock for heap_shared. Counters are read by anybody, as relaxed atomics. */
#ifndef ALLOCATOR_HEAP_H
#define ALLOCATOR_HEAP_H

#include "allocator/arena.h"
#include "allocator/block_front.h"
#include "allocator/block_nursery.h"
#include "allocator/counters.h"
#include "allocator/front.h"
#include "allocator/slab_sets.h"

/* A heap of zeros is an empty one: those that are not used cost neither the library's file nor the
 * process a page. */
struct heap {
    struct front front;            /* first: the frequent ways take the fewest instructions so */
    struct slab_set *own_slabs;    /* an instance's; NULL for those of the node */
    struct block_heap *own_blocks; /* an instance's; NULL for the arenas */
    struct heap *next;             /* all thread heaps, or all instances; see heaps.h */
    struct heap *previous;         /* of the instances */
    struct guard *guards;          /* an instance's live objects, under memcheck; see checked.c */
    struct heap *next_idle;        /* heaps without a thread */
    struct counters counters;      /* of blocks and large objects; slabs are counted by the front */
    unsigned node;                 /* the memory node of its slabs */
    /* Where its slabs, of those of the node, its blocks and its large objects come from. */
    struct place slab_place, arena_place, large_place;
    unsigned slow_calls;
    unsigned decay_rounds; /* when its fronts were emptied last */
    bool is_owned;
    struct block_front block_front;
    struct block_nursery nursery;
    /* Last: most of them lie beyond the page that holds all else, and threads need few. */
    _Alignas(FRONT_SLOTS_ALIGNMENT) void *slots[FRONT_SLOTS];
};

_Static_assert(offsetof(struct heap, slots) == FRONT_SLOTS_AT, "where front.h says");
_Static_assert(sizeof(struct heap) <= FRONT_TOP_MASK, "a top is a distance of 16 bits");

/* Tells whether the heap's objects are its own to destroy. */
static inline bool heap_is_instance(const struct heap *heap)
{
    return heap->own_blocks != NULL;
}

static inline struct slab_set *heap_slabs_of(const struct heap *heap)
{
    return heap->own_slabs ? heap->own_slabs : slab_set_of(heap->node, heap->slab_place.index);
}

/* Sets *ptr to an object from the heap's front; false where that has none of the size. */
static inline bool heap_try_malloc(struct heap *heap, size_t size, void **ptr)
{
    if (__builtin_expect(size > SLAB_MOST_BYTES, 0))
        return false;
    return front_pop(&heap->front, slab_frequent_class(size), ptr);
}

/* The same for an alignment: a multiple of it gets a class that is one too (see slab_class). */
static inline bool heap_try_aligned(struct heap *heap, size_t alignment, size_t size, void **ptr)
{
    if (alignment > SLAB_MOST_BYTES || size > SLAB_MOST_BYTES)
        return false;
    return heap_try_malloc(heap, ((size ? size : 1) + alignment - 1) & ~(alignment - 1), ptr);
}

/* Each returns NULL with errno set on failure.  `align` is a power of two.  These are complete; the
 * entry points try the front for small objects themselves before they come here. */
void *heap_alloc(struct heap *heap, size_t bytes, size_t align, bool zeroed);
/* What heap_try_free leaves; `ptr` is not NULL. */
void heap_free_kind(struct heap *heap, void *ptr, unsigned kind);
/* Puts what the fronts hold back into slabs and the block heap. */
void heap_flush(struct heap *heap);
void *heap_realloc(struct heap *heap, void *ptr, size_t bytes);
size_t heap_usable(const void *ptr);

/* Puts a small object into the heap's front; false where it is not small or there is no room.
 * `kind` is zone_kind(ptr). */
static inline bool heap_try_free(struct heap *heap, void *ptr, unsigned kind)
{
    return __builtin_expect(front_push(&heap->front, kind, ptr), 1);
}

static inline void heap_free(struct heap *heap, void *ptr)
{
    unsigned kind = zone_kind(ptr);

    if (ptr && !heap_try_free(heap, ptr, kind))
        heap_free_kind(heap, ptr, kind);
}

#endif
