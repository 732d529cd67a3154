/* The nursery of a heap: a piece of its block heap from which its owner cuts, one after the other
 * and without any lock, blocks that are likely to die soon.
 *
 *   [fence][block][block] ... [block][rest ............]
 *          start              top                      end
 *
 * A block that is freed here is only marked, and where it was the topmost one it becomes part of
 * the rest; once the owner has freed all of them everything is rest. What lives longer stays where
 * it is: when the rest is too small for a request, and there is memory for another one, the nursery
 * retires, what died in it becomes free blocks as long as can be, and the next one begins. So most
 * blocks of a program that takes and frees ones of ever other sizes are neither searched for nor
 * merged.
 *
 * Which these are tells the front for blocks (block_front.h): blocks of sizes that go back unused
 * time and again.
 *
 * Invariants: from `start` to `end`, multiples of MEM_ALIGNMENT plus MEM_ALIGNMENT / 2, lie blocks,
 * of which those in use have BLOCK_TAG_USED, all but the rest BLOCK_TAG_NURSERY, and all
 * BLOCK_TAG_PREVIOUS_USED, so that nobody merges with what is dead; the rest, of which there is
 * none where `top` is `end`, is not in use; `live_bytes` are those that its owner has not freed.
 * The fence, a used block of MEM_MIN_BLOCK_SIZE, is no part of the nursery: in its tag the block
 * heap may write at any time whether the block before is used, in those behind it may not.
 *
 * Only the heap's owner cuts and retires; under the lock of the block heap others mark what they
 * free. */
#ifndef ALLOCATOR_BLOCK_NURSERY_H
#define ALLOCATOR_BLOCK_NURSERY_H

#include "allocator/block.h"

/* Sizes of blocks, tags included: from those beyond the slabs to a sixteenth of the longest
 * nursery. */
#define BLOCK_NURSERY_LEAST_BYTES ((size_t)1 << 9)
#define BLOCK_NURSERY_LIMIT_BYTES ((size_t)1 << 14)

struct block_nursery {
    char *start, *top, *end; /* NULL where there is none */
    size_t live_bytes;
    unsigned cuts;  /* blocks so far */
    unsigned waits; /* requests for which no other one begins, since there was no memory for it */
};

static inline bool block_nursery_serves(size_t size)
{
    return size - BLOCK_NURSERY_LEAST_BYTES < BLOCK_NURSERY_LIMIT_BYTES - BLOCK_NURSERY_LEAST_BYTES;
}

static inline bool block_nursery_holds(const struct block_nursery *nursery, const void *payload)
{
    return (uintptr_t)payload - (uintptr_t)nursery->start <
           (uintptr_t)nursery->end - (uintptr_t)nursery->start;
}

/* Makes all from `top` on the rest.  The store of its tag is the last that counts, for the child of
 * a fork. */
static inline void block_nursery_lower(struct block_nursery *nursery, char *top)
{
    if (top < nursery->end)
        block_set_tag(block_at(top, 0), (size_t)(nursery->end - top) | BLOCK_TAG_PREVIOUS_USED);
    nursery->top = top;
}

/* Makes `size` bytes, for which there is room, or a little more the topmost block. */
static inline void block_nursery_cut(struct block_nursery *nursery, struct block *block,
                                     size_t size)
{
    size_t room = (size_t)(nursery->end - (char *)block);

    if (room - size < MEM_MIN_BLOCK_SIZE)
        size = room;
    block_nursery_lower(nursery, (char *)block + size);
    block_set_tag(block, size | BLOCK_TAG_USED | BLOCK_TAG_PREVIOUS_USED | BLOCK_TAG_NURSERY);
    nursery->live_bytes += size;
    nursery->cuts++;
}

/* Returns a block of `size` or a little more; NULL where there is no room. */
static inline void *block_nursery_alloc(struct block_nursery *nursery, size_t size)
{
    if ((size_t)(nursery->end - nursery->top) < size)
        return NULL;
    struct block *block = block_at(nursery->top, 0);
    block_nursery_cut(nursery, block, size);
    return block_payload(block);
}

/* Frees one of its blocks and returns its usable size; aborts where there is none. */
static inline size_t block_nursery_free(struct block_nursery *nursery, void *payload)
{
    size_t size = block_size_if_used(payload);
    struct block *block = block_of(payload);
    char *end = (char *)block + size;

    if (__builtin_expect(size < MEM_MIN_BLOCK_SIZE || end > nursery->top, 0))
        fault_die("double free or invalid pointer", payload);
    /* Also where the tag ends up inside the rest: a second free of the same address finds it. */
    block_set_tag(block, size | BLOCK_TAG_PREVIOUS_USED | BLOCK_TAG_NURSERY);
    nursery->live_bytes -= size;
    if (nursery->live_bytes == 0)
        block_nursery_lower(nursery, nursery->start);
    else if (end == nursery->top)
        block_nursery_lower(nursery, (char *)block);
    return size - BLOCK_TAG_BYTES;
}

/* Resizes one of its blocks to `size` in place; false where that can't be, or would waste more than
 * a quarter of it. */
bool block_nursery_resize(struct block_nursery *nursery, void *payload, size_t size);

/* Whether a request for a block of `size` is for this nursery, or for another one that may begin.
 */
static inline bool block_nursery_may_serve(struct block_nursery *nursery, size_t size)
{
    if (!block_nursery_serves(size))
        return false;
    if ((size_t)(nursery->end - nursery->top) >= size || nursery->waits == 0)
        return true;
    nursery->waits--;
    return false;
}

/* Whether there may be room for `size` bytes once it has retired. */
static inline bool block_nursery_has_free(const struct block_nursery *nursery, size_t size)
{
    size_t bytes = (size_t)(nursery->end - nursery->start);

    return bytes >= size && bytes - size >= nursery->live_bytes;
}

/* Whether a block heap, whose lock is held, has memory for a nursery for blocks of `size`. */
bool block_nursery_may_begin(const struct block_heap *heap, size_t size);
/* Begins one there, where there was none; false, with nothing done, where there is no memory. */
bool block_nursery_begin(struct block_nursery *nursery, struct block_heap *heap, size_t size);
/* Ends it: what is dead becomes free blocks, what lives blocks like all others.  Returns false
 * where there was none.  Takes the lock of the block heap, `own` of an instance or, where that is
 * NULL, an arena. */
bool block_nursery_retire(struct block_nursery *nursery, struct block_heap *own);
/* Adds up anew what is live, for the child of a fork, where the owner was perhaps cut off between
 * two stores. */
void block_nursery_recount(struct block_nursery *nursery);

#endif
