/* The block heap: objects too large for slabs and too small for a mapping of their own.
 *
 * A segment is a run of UNIT_BLOCK units.  From its start plus 8 to its end minus 8 it is tiled by
 * blocks; an 8-byte word at its end, a used block of size 0, stops every merge.  Neighbouring
 * segments are one segment.
 *
 *   used:  [tag][payload ............................]
 *   free:  [tag][links: next, prev | left, right, key ... ][footer]
 *
 * Invariants:
 *   - a tag is the block's size in bytes, a multiple of 16 and at least MEM_MIN_BLOCK_SIZE, plus
 *     TAG_USED, TAG_PREVIOUS_USED and TAG_PURGED (free, and its whole pages hold no memory); the
 *     tag lies 8 bytes before a multiple of 16;
 *   - TAG_PREVIOUS_USED is true exactly when the block before is used; only when it is false is
 *     the word before the tag a footer, which repeats the size of the block before;
 *   - no two free blocks are neighbours;
 *   - every free block is in exactly one list, or in the tree;
 *   - class_bits has bit c exactly when a list of class c is not empty, list_bits[c] says which.
 *
 * Class c of the ten holds blocks of more than 2^(c+4) and at most 2^(c+5) bytes; the first holds
 * 32 and the last all above 8192.  Each but the last is cut into up to 16 lists of equal width, so
 * that finding a list is arithmetic and two bit scans (after Masmano et al., TLSF, 2004); up to
 * 512 bytes every list holds one single size.  The last class is a tree: smallest sufficient
 * size, then lowest address.
 *
 * The zone's lock guards all of it. */
#ifndef ALLOCATOR_BLOCK_H
#define ALLOCATOR_BLOCK_H

#include <stdint.h>

#include "allocator/include/allocator.h"
#include "allocator/tree.h"

enum { BLOCK_LISTED_CLASSES = MEM_NUM_SIZE_CLASSES - 1, BLOCK_LISTS = 16 };

struct block;

struct block_heap {
    unsigned class_bits;
    uint16_t list_bits[BLOCK_LISTED_CLASSES];
    struct block *lists[BLOCK_LISTED_CLASSES][BLOCK_LISTS];
    struct tree_node *tree;
    size_t splits, coalesces;
};

/* The largest payload the block heap is asked for, whatever the alignment. */
#define BLOCK_MOST_BYTES ((size_t)MEM_MMAP_THRESHOLD)

/* Returns `bytes` at a multiple of `align` (a power of two, at least MEM_ALIGNMENT), or NULL. */
void *block_alloc(struct block_heap *heap, size_t bytes, size_t align);
/* Returns the usable size of what was freed; aborts where `payload` is not the start of a live
 * block. */
size_t block_free(struct block_heap *heap, void *payload);
/* Resizes in place where the block or the free one behind it is large enough. */
bool block_resize(struct block_heap *heap, void *payload, size_t bytes);
size_t block_usable(const void *payload);
/* Gives every free unit to the zone, and the pages inside the free blocks that remain to the
 * system; returns the number of bytes of the latter. */
size_t block_trim(struct block_heap *heap);

/* Walks the segment that holds `payload` and all lists; returns NULL, or the first broken
 * invariant in words.  For tests. */
const char *block_verify(const struct block_heap *heap, const void *payload);

#endif
