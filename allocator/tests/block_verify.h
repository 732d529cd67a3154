/* Whether the invariants of block.h hold. */
#ifndef ALLOCATOR_BLOCK_VERIFY_H
#define ALLOCATOR_BLOCK_VERIFY_H

#include "allocator/block.h"

static bool is_listed(const struct block_heap *heap, struct block *block)
{
    size_t size = block_bytes(block);

    if (size > BLOCK_LISTED_MOST_BYTES) {
        struct tree_node *node = tree_at_least(heap->free.tree, size);
        while (node && node->key == size && node != block_node(block))
            node = tree_after(heap->free.tree, node);
        return node == block_node(block);
    }
    struct block *listed = heap->free.lists[block_list(size)];
    while (listed && listed != block)
        listed = listed->next;
    return listed == block;
}

static const char *verify_block(const struct block_heap *heap, struct block *block)
{
    struct block *next = block_after(block);

    if (block_bytes(block) < MEM_MIN_BLOCK_SIZE || !block_is_segment(heap, (const char *)next))
        return "impossible block size";
    if (block_is_used(block) != !!(next->tag & BLOCK_TAG_PREVIOUS_USED))
        return "the next block is wrong about this one";
    if (block_is_used(block))
        return NULL;
    if (!block_is_used(next) || !(block->tag & BLOCK_TAG_PREVIOUS_USED))
        return "two free blocks side by side";
    if (*block_footer_before(next) != block_bytes(block))
        return "footer and tag differ";
    if (block_bytes(block) <= BLOCK_LISTED_MOST_BYTES && *block->place != block)
        return "what points to a free block does not";
    return is_listed(heap, block) ? NULL : "free block in no list";
}

/* Walks the segment that holds `payload` and all lists; returns NULL, or the first broken
 * invariant in words. */
static const char *block_verify(const struct block_heap *heap, const void *payload)
{
    char *start = zone_address(zone_unit(payload));

    while (block_is_segment(heap, start - UNIT_BYTES))
        start -= UNIT_BYTES;
    for (struct block *block = block_at(start, BLOCK_TAG_BYTES); block_bytes(block) > 0;
         block = block_after(block)) {
        const char *broken = verify_block(heap, block);
        if (broken)
            return broken;
    }
    for (unsigned list = 0; list < BLOCK_LISTS; list++)
        if (!heap->free.lists[list] != !(heap->free.list_bits[list / 64] >> (list % 64) & 1))
            return "list_bits differs from the lists";
    return NULL;
}

#endif
