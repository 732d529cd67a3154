#include "allocator/block_front.h"

#include "allocator/arena.h"
#include "allocator/fault.h"

/* A front holds nothing until its heap has freed a block.  Each time it runs over, its bound
 * doubles if it has served a request since the last time, up to a part of all memory in use and
 * this much at least, and else begins anew: the front of a thread that only frees stays small. */
#define FIRST_BYTES             ((size_t)16 * 1024)
#define MOST_LEAST_BYTES        ((size_t)64 * 1024)
#define MOST_LEAST_SHARED_BYTES ((size_t)256 * 1024) /* where threads may meet behind it */
enum { MOST_SHIFT = 6 };

static void adapt_most(struct block_front *front)
{
    lock_take(&zone.lock);
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

/* The mark alone proves nothing: a program's data may look the same. */
static bool is_held(const struct block_front *front, const void *payload)
{
    size_t size = block_size(payload);

    if (!block_front_serves(size) || ((const struct block_link *)payload)->mark != front)
        return false;
    for (const struct block_link *held = front->lists[block_front_list(size)]; held;
         held = held->next)
        if (held == payload)
            return true;
    return false;
}

/* Takes the lock of a block's heap in place of that of `locked`, if any, and returns the heap. */
static struct block_heap *lock_heap_of(const void *payload, struct block_heap *own,
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

static struct block_heap *put_back_list(struct block_link **list, struct block_heap *own,
                                        struct block_heap *locked)
{
    while (*list) {
        struct block_link *held = *list;
        *list = held->next;
        locked = lock_heap_of(held, own, locked);
        (void)block_free(locked, held);
    }
    return locked;
}

/* Returns the heap whose lock it leaves taken, if any. */
static struct block_heap *put_back_all(struct block_front *front, struct block_heap *own)
{
    struct block_heap *locked = NULL;

    for (unsigned word = 0; word < (BLOCK_FRONT_LISTS + 63) / 64; word++) {
        for (uint64_t bits = front->list_bits[word]; bits; bits &= bits - 1)
            locked = put_back_list(&front->lists[64 * word + (unsigned)__builtin_ctzll(bits)], own,
                                   locked);
        front->list_bits[word] = 0;
    }
    front->held_bytes = 0;
    return locked;
}

bool block_front_flush(struct block_front *front, struct block_heap *own)
{
    if (front->held_bytes == 0)
        return false;
    struct block_heap *locked = put_back_all(front, own);
    if (locked)
        lock_drop(&locked->lock);
    return true;
}

size_t block_front_spill(struct block_front *front, struct block_heap *own, void *payload)
{
    struct block_heap *locked = NULL;

    if (is_held(front, payload))
        fault_die("double free", payload);

    /* All go: what is asked for again soon is soon held again, and what is not would lie here for
     * ever. */
    if (front->held_bytes + block_size(payload) > front->most_bytes) {
        adapt_most(front);
        locked = put_back_all(front, own);
    }
    locked = lock_heap_of(payload, own, locked);
    size_t usable = block_free(locked, payload);
    lock_drop(&locked->lock);
    return usable;
}

void block_front_recount(struct block_front *front)
{
    front->held_bytes = 0;
    for (unsigned list = 0; list < BLOCK_FRONT_LISTS; list++) {
        if (front->lists[list])
            front->list_bits[list / 64] |= UINT64_C(1) << (list % 64);
        for (const struct block_link *held = front->lists[list]; held; held = held->next)
            front->held_bytes += block_size(held);
    }
}
