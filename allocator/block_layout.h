/* What block.c, which cuts and merges blocks, and block_units.c, which gets memory for them and
 * gives it back, share: how free blocks and the ends of segments are written.  See block.h. */
#ifndef ALLOCATOR_BLOCK_LAYOUT_H
#define ALLOCATOR_BLOCK_LAYOUT_H

#include "allocator/block.h"
#include "allocator/fault.h"

/* The block may be in use, and its user read the size beside the flag at this moment. */
static inline void block_set_previous_used(struct block *block, bool is_used_now)
{
    size_t tag = block->tag & ~(size_t)BLOCK_TAG_PREVIOUS_USED;

    __atomic_store_n(&block->tag, is_used_now ? tag | BLOCK_TAG_PREVIOUS_USED : tag,
                     __ATOMIC_RELAXED);
}

/* Puts a free block of which the next one knows into the index; the block before must be in use. */
static inline void block_put_free(struct block_heap *heap, struct block *block, size_t size)
{
    block->tag = size | BLOCK_TAG_PREVIOUS_USED;
    *block_footer_before(block_at(block, size)) = size;
    block_index_insert(&heap->free, block, size);
}

/* Makes [block, block + size) a free block in the index; the block before must be in use. */
static inline void block_become_free(struct block_heap *heap, struct block *block, size_t size)
{
    block_set_previous_used(block_at(block, size), false);
    block_put_free(heap, block, size);
}

static inline void block_check_free(const struct block *block, size_t footer)
{
    if (block_is_used(block) || block_bytes(block) != footer)
        fault_die("heap corrupted: the end of a free block was overwritten", block_payload(block));
}

/* Merges a block that is no longer used with its free neighbours, all out of the index, and tells
 * the next one of it. */
static inline struct block *block_coalesce(struct block_heap *heap, struct block *block)
{
    size_t size = block_bytes(block);
    struct block *next = block_after(block);

    if (!block_is_used(next)) {
        block_index_remove(&heap->free, next);
        size += block_bytes(next);
        heap->coalesces++;
    } else {
        block_set_previous_used(next, false);
    }
    if (!(block->tag & BLOCK_TAG_PREVIOUS_USED)) {
        size_t footer = *block_footer_before(block);
        block = block_at(block, -footer);
        block_check_free(block, footer);
        block_index_remove(&heap->free, block);
        size += footer;
        heap->coalesces++;
    }
    block->tag = size | BLOCK_TAG_PREVIOUS_USED;
    return block;
}

/* What ends at `end` was given to the program, or to the zone, and behind it lie the links of a
 * free block. */
static inline void block_mark_used(struct block_heap *heap, const void *end)
{
    uintptr_t unused = (uintptr_t)end + MEM_MIN_BLOCK_SIZE;

    if (unused > heap->fresh.start)
        heap->fresh.start = unused;
}

static inline void block_put_end(char *end)
{
    block_at(end, -(size_t)BLOCK_TAG_BYTES)->tag = BLOCK_TAG_USED | BLOCK_TAG_PREVIOUS_USED;
}

/* Takes units for a block of `size` at least, which is free and in no list; NULL where there are
 * none. */
struct block *block_grow(struct block_heap *heap, size_t size, bool zeroed);
/* Gives the whole units inside a free block, which is in no list, back to the zone if they are at
 * least `least`; what is left of the block at either end becomes free blocks of their own.  Returns
 * false where the block becomes free as it is. */
bool block_release_units(struct block_heap *heap, struct block *block, size_t least);

#endif
