/* The block heap: objects too large for slabs and too small for a mapping of their own.
 *
 * A segment is a run of units of the heap's kind.  From its start plus 8 to its end minus 8 it is
 * tiled by blocks; an 8-byte word at its end, a used block of size 0, stops every merge.
 * Neighbouring segments are one segment.
 *
 *   used:  [tag][payload ............................]
 *   free:  [tag][links: next, place | left, right, key ...][footer]
 *
 * Invariants:
 *   - a tag is the block's size in bytes, a multiple of 16 and at least MEM_MIN_BLOCK_SIZE, plus
 *     BLOCK_TAG_USED, BLOCK_TAG_PREVIOUS_USED and, in free blocks, BLOCK_TAG_PURGED (no memory in
 *     whole pages) and BLOCK_TAG_IDLE (seen free by block_decay); the tag lies 8 bytes
 *     before a multiple of 16;
 *   - a nursery (block_nursery.h) is used blocks to all others, whatever its tags say;
 *   - BLOCK_TAG_PREVIOUS_USED is true exactly when the block before is used; only when it is
 *     false is the word before the tag a footer, which repeats the size of the block before;
 *   - no two free blocks are neighbours;
 *   - every free block is in the index (block_index.h), and nothing else is.
 *
 * The heap's lock, which comes before the zone's, guards all of it, but for the size in the tag of
 * a used block, which belongs to its user: it may be read without the lock while a neighbour
 * changes the flags beside it. */
#ifndef ALLOCATOR_BLOCK_H
#define ALLOCATOR_BLOCK_H

#include <stdint.h>

#include "allocator/block_index.h"
#include "allocator/include/allocator.h"
#include "allocator/zone.h"

/* The sizes of which it is known how many are in use. */
enum { BLOCK_COUNTED_BYTES = 1024 + BLOCK_TAG_BYTES + MEM_ALIGNMENT };

/* Bytes that are zero, since nobody wrote them; none where `end` is not above `start`. */
struct block_zeros {
    uintptr_t start, end;
};

/* At the start of a segment of a private heap, before its first block. */
struct block_segment {
    struct block_segment *next;
    size_t units;
};

struct block_heap {
    /* Apart from what others write in the arena before this one. */
    _Alignas(CACHE_LINE_BYTES) struct lock lock;
    unsigned arena; /* its index, the number of its units; not of a private heap */
    /* A private heap keeps its segments apart and gives their units back all at once
     * (block_give_all): the units say only that they are some private heap's. */
    bool is_private;
    struct block_segment *segments; /* of a private heap */
    struct block_index free;
    /* Blocks in use, by size in units of MEM_ALIGNMENT, and all larger ones. */
    uint32_t used_counts[BLOCK_COUNTED_BYTES / MEM_ALIGNMENT + 2];
    size_t splits, coalesces;
    /* Of the units that it took last what nobody had before, and no block since: the end of the
     * highest free block, but for its links.  Unless it is empty no block in use lies above. */
    struct block_zeros fresh;
    char *grown_end;        /* the end of the units that it took last, beyond its need; or NULL */
    unsigned lists_visited; /* by block_trim and block_decay so far */
};

/* Whether a unit belongs to the heap, which is no private one. */
static inline bool block_is_segment(const struct block_heap *heap, const char *unit)
{
    return zone_is_of_arena(unit, heap->arena);
}

/* Two blocks of whole pages, side by side, are never some pages and 16 bytes apart: up to the C
 * library of 2.38 a copy from the lower to the upper one takes up to 30 times as long on Zen 3,
 * whose `rep movsb` does not like that (EXPERIMENTS.md, "Distances between blocks"). */
enum { BLOCK_ALIAS_BYTES = 4096 };

static inline size_t block_size_for(size_t bytes)
{
    size_t size = (bytes + BLOCK_TAG_BYTES + MEM_ALIGNMENT - 1) & ~(MEM_ALIGNMENT - 1);

    if (size % BLOCK_ALIAS_BYTES == MEM_ALIGNMENT)
        size += MEM_ALIGNMENT;
    return size < MEM_MIN_BLOCK_SIZE ? MEM_MIN_BLOCK_SIZE : size;
}

static inline size_t block_tag(const void *payload)
{
    return __atomic_load_n((const size_t *)payload - 1, __ATOMIC_RELAXED);
}

/* The size of a block that is in use: its usable size and its tag. */
static inline size_t block_size(const void *payload)
{
    return block_tag(payload) & ~(size_t)BLOCK_TAG_FLAGS;
}

/* The same; 0 where the word before `payload` is not the tag of a block in use, or has any of the
 * `excluded` flags. */
static inline size_t block_size_unless(const void *payload, size_t excluded)
{
    size_t tag = block_tag(payload);
    bool is_tag = (tag & (BLOCK_TAG_USED | excluded)) == BLOCK_TAG_USED &&
                  ((uintptr_t)payload & (MEM_ALIGNMENT - 1)) == 0;

    return is_tag ? tag & ~(size_t)BLOCK_TAG_FLAGS : 0;
}

static inline size_t block_size_if_used(const void *payload)
{
    return block_size_unless(payload, 0);
}

/* Counts a block that comes into use or goes out of it, under the heap's lock.  Larger ones are
 * counted, too, though nobody asks for them: whether a block is one nobody can predict. */
static inline void block_count(struct block_heap *heap, const struct block *block, int change)
{
    const size_t others = BLOCK_COUNTED_BYTES / MEM_ALIGNMENT + 1;
    size_t index = block_bytes(block) / MEM_ALIGNMENT;

    heap->used_counts[index < others ? index : others] += (unsigned)change;
}

/* Returns `bytes` at a multiple of `align` (a power of two, at least MEM_ALIGNMENT), or NULL.
 * Without `may_grow` only free blocks are looked at, and the zone is left alone.  Sets *zeros,
 * unless that is NULL, to a range of which the part in the payload holds zeros. */
void *block_alloc_zeros(struct block_heap *heap, size_t bytes, size_t align, bool may_grow,
                        struct block_zeros *zeros);

static inline void *block_alloc(struct block_heap *heap, size_t bytes, size_t align, bool may_grow)
{
    return block_alloc_zeros(heap, bytes, align, may_grow, NULL);
}

/* Returns the usable size of what was freed; aborts where `payload` is not the start of a live
 * block. */
size_t block_free(struct block_heap *heap, void *payload);
/* The sum of the sizes of the blocks in use that are as large as ones for `least` to `most` bytes,
 * at most SLAB_MOST_BYTES. */
size_t block_live_bytes(const struct block_heap *heap, size_t least, size_t most);
/* Resizes in place where the block or the free one behind it is large enough. */
bool block_resize(struct block_heap *heap, void *payload, size_t bytes);
/* Of a block in use; needs no lock.  Aborts where there is none. */
size_t block_usable(const void *payload);
/* Gives the units of free blocks to the zone where that frees more than purging their insides, and
 * the pages inside the others to the system; returns the number of bytes of the latter. */
size_t block_trim(struct block_heap *heap);
/* Looks at up to `most` free blocks, list by list and the last freed first, and does the same to
 * those that were free, and as large, when it looked at them before. */
void block_decay(struct block_heap *heap, size_t most);
/* Purges the pages inside of free blocks of 128 KiB and more, smallest first, until these are at
 * least `bytes`; returns how many. */
size_t block_purge_long(struct block_heap *heap, size_t bytes);

/* Whether a block that can't be cut may hold an object that shrinks, or grows, to `size`. */
static inline bool block_may_stay(size_t before, size_t size)
{
    return size <= before && before - size <= before / 4;
}

/* Gives the whole units of one free block that holds memory, and is not left of what the heap grew
 * by last, to the zone: of one that is a segment of one unit, or else of the smallest with two
 * units or more; returns false where it finds none. */
bool block_give_some(struct block_heap *heap);
/* Gives all units of a private heap to the zone, whatever lives there. */
void block_give_all(struct block_heap *heap);

#endif
