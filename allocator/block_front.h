/* The front of a heap for blocks: those that its owner freed and is likely to ask for again, held
 * without any lock.
 *
 * To the block heap a held block is in use; so it is neither split nor merged, and its size does
 * not change.  Whoever holds it writes its payload: a link to the next one and a mark.
 *
 * Invariants: list l holds blocks whose size has list l as block_front_list, the last freed first;
 * `held_bytes` is the sum of their sizes, at most `most_bytes`, and nothing else holds them.  Only
 * the heap's owner reads or writes the front.
 *
 * It never makes the process larger: before the block heap asks the zone for units, the heap that
 * asks puts back what it holds (see heap.c). */
#ifndef ALLOCATOR_BLOCK_FRONT_H
#define ALLOCATOR_BLOCK_FRONT_H

#include "allocator/block.h"

/* Sixteen lists to each doubling, from the least block beyond the slabs to the largest. */
enum { BLOCK_FRONT_SHIFT = 4, BLOCK_FRONT_LOW = 9, BLOCK_FRONT_LISTS = 9 << BLOCK_FRONT_SHIFT };
#define BLOCK_FRONT_LEAST_BYTES ((size_t)1 << BLOCK_FRONT_LOW)
#define BLOCK_FRONT_LIMIT_BYTES ((size_t)1 << (BLOCK_FRONT_LOW + 9))

/* What is written into the payload of a held block. */
struct block_link {
    struct block_link *next;
    const void *mark; /* the front that holds it; a program's data may look the same by chance */
};

struct block_front {
    size_t held_bytes, most_bytes;
    bool was_hit; /* served a request since it ran over */
    uint64_t
        list_bits[(BLOCK_FRONT_LISTS + 63) / 64]; /* bit l: list l was used since the last flush */
    struct block_link *lists[BLOCK_FRONT_LISTS];
};

/* For sizes from BLOCK_FRONT_LEAST_BYTES to less than BLOCK_FRONT_LIMIT_BYTES. */
static inline unsigned block_front_list(size_t size)
{
    unsigned log2 = (unsigned)(63 - __builtin_clzl(size));
    unsigned part =
        (unsigned)(size >> (log2 - BLOCK_FRONT_SHIFT)) & ((1u << BLOCK_FRONT_SHIFT) - 1);

    return ((log2 - BLOCK_FRONT_LOW) << BLOCK_FRONT_SHIFT) + part;
}

static inline bool block_front_serves(size_t size)
{
    return size - BLOCK_FRONT_LEAST_BYTES < BLOCK_FRONT_LIMIT_BYTES - BLOCK_FRONT_LEAST_BYTES;
}

/* Returns a held block with room for `bytes`, at most a sixteenth larger than asked for, at a
 * multiple of `align`, and sets *usable to its usable size; NULL where there is none. */
static inline void *block_front_pop(struct block_front *front, size_t bytes, size_t align,
                                    size_t *usable)
{
    /* As in a list of the block heap, a few are looked at: programs ask for few different sizes of
     * this order, so that the first is nearly always right. */
    enum { FIT_TRIES = 4 };
    size_t size = block_size_for(bytes);

    if (!block_front_serves(size))
        return NULL;
    struct block_link **link = &front->lists[block_front_list(size)];
    for (int tries = 0; *link && tries < FIT_TRIES; tries++) {
        struct block_link *held = *link;
        size_t held_size = block_size(held);
        if (held_size >= size && ((uintptr_t)held & (align - 1)) == 0) {
            *link = held->next;
            front->held_bytes -= held_size;
            held->mark = NULL;
            front->was_hit = true;
            *usable = held_size - BLOCK_TAG_BYTES;
            return held;
        }
        link = &held->next;
    }
    return NULL;
}

/* Returns the usable size of what is held from now on; 0, having done nothing, where the block
 * can't be held, may be held already or is none: block_front_spill looks into that. */
static inline size_t block_front_push(struct block_front *front, void *payload)
{
    struct block_link *freed = payload;

    /* Before the tag is read: under memcheck, where all fronts stay empty, that belongs to nobody.
     */
    if (front->held_bytes >= front->most_bytes)
        return 0;
    size_t size = block_size_if_used(payload);
    if (!block_front_serves(size) || size > front->most_bytes - front->held_bytes ||
        freed->mark == front)
        return 0;
    unsigned list = block_front_list(size);
    freed->next = front->lists[list];
    freed->mark = front;
    if (!freed->next)
        front->list_bits[list / 64] |= UINT64_C(1) << (list % 64);
    front->lists[list] = freed;
    front->held_bytes += size;
    return size - BLOCK_TAG_BYTES;
}

/* Both put blocks back into `own`, an instance's block heap, or, where that is NULL, into the
 * arenas that they came from, and take the locks.
 *
 * Frees a block that block_front_push refused, and makes room for the next ones by putting back all
 * others; returns its usable size.  Aborts where `payload` is not the start of a live block. */
size_t block_front_spill(struct block_front *front, struct block_heap *own, void *payload);
/* Puts everything back; returns false where there was nothing. */
bool block_front_flush(struct block_front *front, struct block_heap *own);
/* Counts anew what is held: for the child of a fork, where the owner was perhaps cut off between
 * two stores. */
void block_front_recount(struct block_front *front);

#endif
