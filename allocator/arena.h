/* Arenas: the block heaps of all heaps but the instances.
 *
 * There are several so that threads need not wait for each other, and no more are in use than that
 * takes: a heap goes to another arena when it finds its own locked time and again (place.h; in
 * Gloger's ptmalloc at once), and the others are asked before an arena grows. A block goes back to
 * the arena that it came from, which its unit tells.
 *
 * An arena's lock comes before the zone's. Only a fork holds two of them at a time. */
#ifndef ALLOCATOR_ARENA_H
#define ALLOCATOR_ARENA_H

#include "allocator/block.h"
#include "allocator/place.h"

/* The first one, the only one of most processes, lies apart. */
extern struct block_heap first_arena HIDDEN, more_arenas[PLACES_MOST - 1] HIDDEN;

extern struct places arena_places HIDDEN;

static inline struct block_heap *arena_at(unsigned index)
{
    return index == 0 ? &first_arena : &more_arenas[index - 1];
}

/* The arena of a block that is in use; aborts where it can see that there is none. */
static inline struct block_heap *arena_of(const void *payload)
{
    if (places_used(&arena_places) == 1)
        return &first_arena;
    if (__builtin_expect(zone_kind(payload) != UNIT_BLOCK, 0))
        fault_die("double free or invalid pointer", payload);
    return arena_at(zone_arena(zone_unit(payload)));
}

/* Whose a block is: the block heap of an instance, `own`, or where that is NULL its arena. */
static inline struct block_heap *arena_or_own(const void *payload, struct block_heap *own)
{
    return own ? own : arena_of(payload);
}

/* Frees a block of `own` or of an arena, takes the lock, and returns its usable size; aborts where
 * `payload` is not the start of a live block. */
static inline size_t arena_free(void *payload, struct block_heap *own)
{
    struct block_heap *heap = arena_or_own(payload, own);

    lock_take(&heap->lock);
    size_t usable = block_free(heap, payload);
    lock_drop(&heap->lock);
    return usable;
}

/* Waits for the lock of the arena or, where that happens too often, takes that of another one,
 * which becomes the place; for arena_take. */
struct block_heap *arena_take_slow(struct place *place);

/* Takes the lock of the arena at a heap's place, or of another one, and returns it. */
static inline struct block_heap *arena_take(struct place *place)
{
    struct block_heap *arena = arena_at(place->index);

    if (__builtin_expect(!lock_try(&arena->lock), 0))
        arena = arena_take_slow(place);
    /* Nobody may have taken it before. */
    arena->arena = place->index;
    return arena;
}

/* Returns what block_alloc returns without growing, from any arena but `index`; NULL where none has
 * it.  Passes over those whose locks are taken, unless it `waits` for them. */
void *arena_alloc_elsewhere(unsigned index, size_t bytes, size_t align, bool waits);

/* What block.h says of block_give_some, for the first arena that has something to give.  Does not
 * wait for locks. */
bool arena_give_some(void);
/* What block.h says, for each arena.  These take the locks. */
void arena_decay(size_t most);
/* All of them together `bytes`. */
void arena_purge_long(size_t bytes);
size_t arena_trim(void);
/* The sums over all arenas. */
void arena_count(size_t *splits, size_t *coalesces);

/* Call `change` with each arena's lock: to take them all, in order, or to drop them. */
void arena_lock_all(void (*change)(struct lock *));

#endif
