#include "allocator/block_front.h"

#include "allocator/arena.h"
#include "allocator/fault.h"

/* A front holds nothing until its heap has freed a block.  After each so many spills its bound
 * doubles if it has served a request since the last time, up to a part of all memory in use and
 * this much at least, and else begins anew: the front of a thread that only frees stays small. */
enum { ADAPT_SPILLS = 16 };
#define FIRST_BYTES             ((size_t)16 * 1024)
#define MOST_LEAST_BYTES        ((size_t)64 * 1024)
#define MOST_LEAST_SHARED_BYTES ((size_t)256 * 1024) /* where threads may meet behind it */
enum { MOST_SHIFT = 6 };

static void adapt_most(struct block_front *front)
{
    /* Or else the next time. */
    if (!lock_try(&zone.lock))
        return;
    size_t used_bytes = (zone.owned_units - zone.free_units) << UNIT_SHIFT;
    lock_drop(&zone.lock);
    size_t most = used_bytes >> MOST_SHIFT;
    size_t wanted = front->was_hit ? 2 * front->most_bytes : FIRST_BYTES;

    size_t least = os_is_single_threaded() ? MOST_LEAST_BYTES : MOST_LEAST_SHARED_BYTES;
    if (most < least)
        most = least;
    front->most_bytes = wanted < most ? wanted : most;
    front->was_hit = false;
}

/* Takes the lock of a block's heap in place of that of `locked`, if any, and returns the heap. */
static inline struct block_heap *lock_heap_of(const void *payload, struct block_heap *own,
                                              struct block_heap *locked)
{
    struct block_heap *heap = arena_or_own(payload, own);

    if (heap == locked)
        return heap;
    if (locked)
        lock_drop(&locked->lock);
    lock_take(&heap->lock);
    return heap;
}

/* Puts back the oldest blocks until there is room for `size` more bytes. */
static void put_back(struct block_front *front, struct block_heap *own, size_t size)
{
    uint32_t held = block_front_by_age(front, front->held);
    struct block_heap *locked = NULL;

    for (; !block_front_has_room(front, size); held &= held - 1) {
        unsigned place = block_front_place(front, (unsigned)__builtin_ctz(held));
        void *payload = front->blocks[place];
        uint8_t *debt = block_front_debt(front, block_front_drop(front, place));
        if (*debt < BLOCK_FRONT_MOST_DEBT)
            ++*debt;
        locked = lock_heap_of(payload, own, locked);
        (void)block_free(locked, payload);
    }
    if (locked)
        lock_drop(&locked->lock);
}

void block_front_hold_in_place(struct block_front *front, struct block_heap *own, void *payload,
                               size_t size)
{
    if (++front->spills % ADAPT_SPILLS == 0)
        adapt_most(front);
    if (size <= front->most_bytes) {
        put_back(front, own, size);
        block_front_hold(front, payload, size);
    } else {
        front->refused_bytes = size;
        /* The bound may just have come down. */
        put_back(front, own, 0);
        (void)arena_free(payload, own);
    }
}

bool block_front_flush(struct block_front *front, struct block_heap *own)
{
    if (front->held_bytes == 0)
        return false;
    put_back(front, own, front->most_bytes);
    return true;
}

/* The mark alone proves nothing: a program's data may look the same. */
static bool holds(const struct block_front *front, const void *payload)
{
    for (uint32_t held = front->held; held; held &= held - 1)
        if (front->blocks[__builtin_ctz(held)] == payload)
            return true;
    return false;
}

size_t block_front_pass(struct block_front *front, struct block_heap *own, void *payload)
{
    if (holds(front, payload))
        fault_die("double free", payload);
    if (front->most_bytes == 0)
        adapt_most(front);
    return arena_free(payload, own);
}

void block_front_recount(struct block_front *front)
{
    front->held = 0;
    front->held_bytes = 0;
    for (unsigned place = 0; place < BLOCK_FRONT_PLACES; place++) {
        front->held |= (uint32_t)(front->sizes[place] != 0) << place;
        front->held_bytes += (size_t)front->sizes[place] * MEM_ALIGNMENT;
    }
}
