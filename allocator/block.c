#include "allocator/block_layout.h"

#include "allocator/fault.h"

/* Free units inside a block go back to the zone at once from so many on, 512 KiB. Fewer stay until
 * slabs want them or block_decay finds them idle: a heap of blocks that are replaced all the time
 * keeps its memory so, and the zone stays free of small runs (EXPERIMENTS.md, "Giving units back
 * from the block heap, again"). */
enum { RELEASE_UNITS = 64 };

/* Makes the first `size` bytes of a free block, which is not in the index, a used one, and what is
 * left a free one where it can be a block. */
static inline void carve(struct block_heap *heap, struct block *block, size_t size)
{
    size_t rest = block_bytes(block) - size;

    if (rest < MEM_MIN_BLOCK_SIZE) {
        block_set_previous_used(block_after(block), true);
        size += rest;
    } else {
        size_t purged = block->tag & BLOCK_TAG_PURGED;
        block_put_free(heap, block_at(block, size), rest);
        block_at(block, size)->tag |= purged;
        heap->splits++;
    }
    block->tag = size | BLOCK_TAG_USED | BLOCK_TAG_PREVIOUS_USED;
}

/* Cuts a used block down to `size` and frees the rest, if the rest can be a block. */
static void split(struct block_heap *heap, struct block *block, size_t size)
{
    size_t rest = block_bytes(block) - size;

    if (rest < MEM_MIN_BLOCK_SIZE)
        return;
    block->tag -= rest;
    struct block *tail = block_after(block);
    struct block *next = block_at(tail, rest);
    if (!block_is_used(next)) {
        block_index_remove(&heap->free, next);
        rest += block_bytes(next);
        heap->coalesces++;
    }
    block_become_free(heap, tail, rest);
    heap->splits++;
}

/* Takes a free block of at least `size` out of the index, or from the zone where there is none. */
static inline struct block *obtain(struct block_heap *heap, size_t size, bool may_grow,
                                   struct block_zeros *zeros)
{
    struct block *block = block_index_find(&heap->free, size);

    if (block)
        block_index_remove(&heap->free, block);
    else if (may_grow)
        block = block_grow(heap, size, zeros != NULL);
    if (zeros && block)
        *zeros = heap->fresh;
    return block;
}

/* Cuts a used block so that its payload starts at a multiple of `align`. */
static RARE struct block *align_payload(struct block_heap *heap, struct block *block, size_t align)
{
    size_t gap = (size_t)(-(uintptr_t)block_payload(block) & (align - 1));

    if (gap == 0)
        return block;
    while (gap < MEM_MIN_BLOCK_SIZE)
        gap += align;
    struct block *aligned = block_at(block, gap);
    aligned->tag = (block_bytes(block) - gap) | BLOCK_TAG_USED;
    block_become_free(heap, block, gap);
    heap->splits++;
    return aligned;
}

size_t block_live_bytes(const struct block_heap *heap, size_t least, size_t most)
{
    size_t last = block_size_for(most), sum = 0;

    for (size_t size = block_size_for(least); size <= last; size += MEM_ALIGNMENT)
        sum += size * heap->used_counts[size / MEM_ALIGNMENT];
    return sum;
}

static RARE void *alloc_aligned(struct block_heap *heap, size_t size, size_t align, bool may_grow,
                                struct block_zeros *zeros)
{
    /* Wherever that lies there is an aligned block in it. */
    size_t room = size + align + MEM_MIN_BLOCK_SIZE - BLOCK_TAG_BYTES;
    void *whole = block_alloc_zeros(heap, room, MEM_ALIGNMENT, may_grow, zeros);

    if (!whole)
        return NULL;
    block_count(heap, block_of(whole), -1);
    struct block *block = align_payload(heap, block_of(whole), align);
    split(heap, block, size);
    block_count(heap, block, 1);
    return block_payload(block);
}

void *block_alloc_zeros(struct block_heap *heap, size_t bytes, size_t align, bool may_grow,
                        struct block_zeros *zeros)
{
    size_t size = block_size_for(bytes);

    if (__builtin_expect(align > MEM_ALIGNMENT, 0))
        return alloc_aligned(heap, size, align, may_grow, zeros);
    struct block *block = obtain(heap, size, may_grow, zeros);
    if (!block)
        return NULL;
    carve(heap, block, size);
    block_mark_used(heap, block_after(block));
    block_count(heap, block, 1);
    return block_payload(block);
}

/* Returns the live block of `payload`, or aborts: a wrong pointer or a tag that somebody wrote
 * over must not be followed any further. */
static inline struct block *live_block(const void *payload)
{
    struct block *block = block_of(payload);

    if ((uintptr_t)payload & (MEM_ALIGNMENT - 1))
        fault_die("invalid pointer", payload);
    if (!block_is_used(block))
        fault_die("double free or invalid pointer", payload);
    if (block_bytes(block) < MEM_MIN_BLOCK_SIZE || !zone_is_block(zone_kind(block_after(block))))
        fault_die("heap corrupted or invalid pointer: impossible block size", payload);
    /* Which a nursery's owner may be writing. */
    if (!(block_tag(block_payload(block_after(block))) & BLOCK_TAG_PREVIOUS_USED))
        fault_die("heap corrupted or invalid pointer: the end of a block was overwritten", payload);
    return block;
}

size_t block_free(struct block_heap *heap, void *payload)
{
    struct block *block = live_block(payload);
    size_t usable = block_bytes(block) - BLOCK_TAG_BYTES;

    /* Cleared also where the tag ends up inside a larger free block: a second free of the same
     * address finds it. */
    block_set_tag(block, block->tag & ~(size_t)BLOCK_TAG_USED);
    /* The nursery's owner will find it when that retires. */
    if (__builtin_expect(block->tag & BLOCK_TAG_NURSERY, 0))
        return usable;
    block_count(heap, block, -1);
    block = block_coalesce(heap, block);
    if (block_bytes(block) >= RELEASE_UNITS * UNIT_BYTES && !heap->is_private)
        (void)block_release_units(heap, block, RELEASE_UNITS);
    else
        block_put_free(heap, block, block_bytes(block));
    return usable;
}

bool block_resize(struct block_heap *heap, void *payload, size_t bytes)
{
    struct block *block = live_block(payload);
    size_t size = block_size_for(bytes);
    struct block *next = block_after(block);

    if (block->tag & BLOCK_TAG_NURSERY)
        return block_may_stay(block_bytes(block), size);
    if (size > block_bytes(block) &&
        (block_is_used(next) || block_bytes(block) + block_bytes(next) < size))
        return false;
    block_count(heap, block, -1);
    if (size > block_bytes(block)) {
        block_index_remove(&heap->free, next);
        block->tag += block_bytes(next);
        block_set_previous_used(block_after(block), true);
        heap->coalesces++;
    }
    split(heap, block, size);
    block_mark_used(heap, block_after(block));
    block_count(heap, block, 1);
    return true;
}

size_t block_usable(const void *payload)
{
    size_t size = block_size_if_used(payload);

    if (size < MEM_MIN_BLOCK_SIZE)
        fault_die("invalid pointer", payload);
    return size - BLOCK_TAG_BYTES;
}
