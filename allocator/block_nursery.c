#include "allocator/block_nursery.h"

#include "allocator/arena.h"
#include "allocator/fault.h"

/* As long as the blocks that live for less than a hundred calls are together in a burst, or all of
 * a shorter free block, the shortest that will do: what lives on lies scattered in it, where no
 * long block will find room. */
#define MOST_BYTES  ((size_t)256 * 1024)
#define LEAST_BYTES ((size_t)8 * 1024)
/* Without a longer free block than this what is free is what others have left. */
#define WORTH_BYTES (BLOCK_LISTED_MOST_BYTES + MEM_ALIGNMENT)

/* The next block, which must be where one can be. */
static struct block *next_of(const struct block_nursery *nursery, const struct block *block)
{
    size_t size = block_bytes(block);

    if (size < MEM_MIN_BLOCK_SIZE || size > (size_t)(nursery->end - (const char *)block) ||
        !(block->tag & BLOCK_TAG_PREVIOUS_USED))
        fault_die("heap corrupted: the end of a block was overwritten", block_payload(block));
    return block_after(block);
}

bool block_nursery_resize(struct block_nursery *nursery, void *payload, size_t size)
{
    size_t before = block_size(payload);
    struct block *block = block_of(payload);
    size_t room = (size_t)(nursery->end - (char *)block);

    if ((char *)block + before != nursery->top || size > room)
        return block_may_stay(before, size);
    block_nursery_cut(nursery, block, size);
    nursery->live_bytes -= before;
    return true;
}

/* The free block for a nursery; NULL where none is worth it. */
static struct block *free_block_for(const struct block_heap *heap, size_t size)
{
    size_t least = MEM_MIN_BLOCK_SIZE + size;

    if (!tree_at_least(heap->free.tree, WORTH_BYTES))
        return NULL;
    return block_index_find(&heap->free, least < LEAST_BYTES ? LEAST_BYTES : least);
}

bool block_nursery_may_begin(const struct block_heap *heap, size_t size)
{
    return free_block_for(heap, size) != NULL;
}

bool block_nursery_begin(struct block_nursery *nursery, struct block_heap *heap, size_t size)
{
    const struct block *block = free_block_for(heap, size);
    void *payload = NULL;

    if (block) {
        /* Each thread may have one. */
        size_t most = os_is_single_threaded() ? MOST_BYTES : WORTH_BYTES;
        size_t bytes = block_bytes(block) < most ? block_bytes(block) : most;
        payload = block_alloc(heap, bytes - BLOCK_TAG_BYTES, MEM_ALIGNMENT, false);
    }
    if (!payload)
        return false;
    struct block *fence = block_of(payload);
    char *end = (char *)block_after(fence);
    *nursery = (struct block_nursery){.start = (char *)fence + MEM_MIN_BLOCK_SIZE, .end = end};
    block_nursery_lower(nursery, nursery->start);
    block_count(heap, fence, -1);
    block_set_tag(fence, MEM_MIN_BLOCK_SIZE | (fence->tag & BLOCK_TAG_FLAGS));
    return true;
}

/* Frees all from `first` to `next`. */
static void free_run(struct block_heap *heap, struct block *first, const struct block *next)
{
    size_t size = (size_t)((const char *)next - (char *)first);

    block_set_tag(first, size | BLOCK_TAG_USED | (first->tag & BLOCK_TAG_PREVIOUS_USED));
    block_count(heap, first, 1);
    (void)block_free(heap, block_payload(first));
}

bool block_nursery_retire(struct block_nursery *nursery, struct block_heap *own)
{
    if (!nursery->start)
        return false;
    struct block_heap *heap = arena_or_own(nursery->start, own);
    lock_take(&heap->lock);
    /* The fence goes with what is dead behind it. */
    struct block *dead = block_at(nursery->start, -(size_t)MEM_MIN_BLOCK_SIZE), *next;
    for (struct block *block = block_at(nursery->start, 0); (char *)block < nursery->end;
         block = next) {
        next = next_of(nursery, block);
        if (!block_is_used(block)) {
            dead = dead ? dead : block;
            continue;
        }
        block_set_tag(block, block->tag & ~(size_t)BLOCK_TAG_NURSERY);
        block_count(heap, block, 1);
        if (dead)
            free_run(heap, dead, block);
        dead = NULL;
    }
    if (dead)
        free_run(heap, dead, block_at(nursery->end, 0));
    *nursery = (struct block_nursery){0};
    lock_drop(&heap->lock);
    return true;
}

void block_nursery_recount(struct block_nursery *nursery)
{
    /* It was just about to begin. */
    if (!nursery->start || !nursery->end) {
        *nursery = (struct block_nursery){0};
        return;
    }
    char *top = nursery->start;
    nursery->live_bytes = 0;
    for (struct block *block = block_at(top, 0); (char *)block < nursery->end;
         block = next_of(nursery, block))
        if (block_is_used(block)) {
            nursery->live_bytes += block_bytes(block);
            top = (char *)block_after(block);
        }
    block_nursery_lower(nursery, top);
}
