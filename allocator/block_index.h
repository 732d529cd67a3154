/* The free blocks of a block heap, by size.
 *
 * Class c of the ten documented lists holds blocks of more than 2^(c+4) and at most 2^(c+5) bytes,
 * the first 32 and the last all above 8192. Each is cut into up to 16 lists of equal width, and the
 * last into 16 for each doubling, so that finding a list is arithmetic and a search for a set bit
 * (after Masmano et al., TLSF, 2004). Up to 512 bytes every list holds one single size. Above 64
 * KiB there is a tree: smallest sufficient size, then lowest address.
 *
 * Invariants: bit l of list_bits is set exactly when list l is not empty; a block of a list points
 * to the next one and to the pointer to itself, the tree's nodes lie in the payloads.
 *
 * Its functions are inline: two to four of them make a call of the block heap. */
#ifndef ALLOCATOR_BLOCK_INDEX_H
#define ALLOCATOR_BLOCK_INDEX_H

#include "allocator/fault.h"
#include "allocator/os.h"
#include "allocator/tree.h"

enum {
    BLOCK_TAG_BYTES = sizeof(size_t),
    BLOCK_TAG_USED = 1,
    BLOCK_TAG_PREVIOUS_USED = 2,
    BLOCK_TAG_PURGED = 4,  /* of a free block */
    BLOCK_TAG_NURSERY = 4, /* of any other */
    BLOCK_TAG_IDLE = 8,
    BLOCK_TAG_FLAGS = 15
};

struct block {
    size_t tag;
    struct block *next, **place; /* in a list, and what points to it; for the tree see block_node */
};

/* One list for each 16 bytes to 512, then 16 for each doubling to 64 KiB. */
enum {
    BLOCK_EXACT_SHIFT = 4,
    BLOCK_EXACT_LISTS = 32,
    BLOCK_PART_SHIFT = 4,
    BLOCK_LISTS = BLOCK_EXACT_LISTS + (7 << BLOCK_PART_SHIFT),
    BLOCK_LIST_WORDS = (BLOCK_LISTS + 63) / 64
};
#define BLOCK_LISTED_MOST_BYTES ((size_t)64 * 1024)

struct block_index {
    uint64_t list_bits[BLOCK_LIST_WORDS];
    struct block *lists[BLOCK_LISTS];
    struct tree_node *tree;
};

static inline size_t block_bytes(const struct block *block)
{
    return block->tag & ~(size_t)BLOCK_TAG_FLAGS;
}

static inline void *block_payload(const struct block *block)
{
    return (char *)(uintptr_t)block + BLOCK_TAG_BYTES;
}

static inline struct block *block_of(const void *payload)
{
    return (struct block *)((char *)(uintptr_t)payload - BLOCK_TAG_BYTES);
}

static inline bool block_is_used(const struct block *block)
{
    return block->tag & BLOCK_TAG_USED;
}

static inline struct block *block_at(const void *base, size_t bytes)
{
    return (struct block *)((char *)(uintptr_t)base + bytes);
}

/* Others may read the size beside flags that change. */
static inline void block_set_tag(struct block *block, size_t tag)
{
    __atomic_store_n(&block->tag, tag, __ATOMIC_RELEASE);
}

/* The one right behind it. */
static inline struct block *block_after(const struct block *block)
{
    return block_at(block, block_bytes(block));
}

/* Where the size of the block before stands, if that is free. */
static inline size_t *block_footer_before(const struct block *block)
{
    return (size_t *)(uintptr_t)block - 1;
}

static inline struct tree_node *block_node(struct block *block)
{
    return (struct tree_node *)block_payload(block);
}

/* NULL for NULL. */
static inline struct block *block_of_node(const struct tree_node *node)
{
    return node ? block_of(node) : NULL;
}

/* For sizes of at most BLOCK_LISTED_MOST_BYTES. */
static inline unsigned block_list(size_t size)
{
    enum { LEAST_DOUBLING = BLOCK_EXACT_LISTS << (BLOCK_EXACT_SHIFT - 1) };
    unsigned last = (unsigned)size - 1;
    /* How wide the list is, as a logarithm: below the last doubling of the exact ones as in it. */
    unsigned shift = ((unsigned)__builtin_clz(last | LEAST_DOUBLING) ^ 31) - BLOCK_PART_SHIFT;

    return ((shift - BLOCK_EXACT_SHIFT) << BLOCK_PART_SHIFT) + (last >> shift);
}

/* `size` is block_bytes(block), which was often just written where it takes long to read again. */
static inline void block_index_insert(struct block_index *index, struct block *block, size_t size)
{
    if (__builtin_expect(size > BLOCK_LISTED_MOST_BYTES, 0)) {
        block_node(block)->key = size;
        tree_insert(&index->tree, block_node(block));
        return;
    }
    unsigned list = block_list(size);
    struct block **head = &index->lists[list], *next = *head, none;
    block->next = next;
    block->place = head;
    /* No branch: which lists are empty, nobody can predict. */
    (next ? next : &none)->place = &block->next;
    *head = block;
    index->list_bits[list / 64] |= UINT64_C(1) << (list % 64);
}

static inline void block_index_check(bool is_whole, const struct block *block)
{
    if (__builtin_expect(!is_whole, 0))
        fault_die("heap corrupted: broken list of free blocks", block_payload(block));
}

static inline void block_index_remove(struct block_index *index, struct block *block)
{
    size_t size = block_bytes(block);

    if (__builtin_expect(size > BLOCK_LISTED_MOST_BYTES, 0)) {
        if (!tree_remove(&index->tree, block_node(block)))
            fault_die("heap corrupted: broken tree of free blocks", block_payload(block));
        return;
    }
    struct block *next = block->next, **place = block->place, none = {.place = &block->next};
    struct block *follower = next ? next : &none;
    block_index_check(*place == block && follower->place == &block->next, block);
    follower->place = place;
    *place = next;
    size_t list = ((uintptr_t)place - (uintptr_t)index->lists) / sizeof *place;
    if (list < BLOCK_LISTS)
        index->list_bits[list / 64] &= ~((uint64_t)!next << (list % 64));
}

/* The first block of the first list from `list` on that is not empty. */
static inline struct block *block_index_first_from(const struct block_index *index, unsigned list)
{
    if (list >= BLOCK_LISTS)
        return NULL;
    unsigned word = list / 64;
    uint64_t bits = index->list_bits[word] & (~UINT64_C(0) << (list % 64));
    while (!bits) {
        if (++word == BLOCK_LIST_WORDS)
            return NULL;
        bits = index->list_bits[word];
    }
    return index->lists[64 * word + (unsigned)__builtin_ctzll(bits)];
}

/* The lowest of the first few blocks from `block` on in its list that have at least `size`; NULL
 * where there is none. What lives long gathers below that way, and what is free above merges
 * (EXPERIMENTS.md, "The lowest of a list"). */
static inline struct block *block_index_lowest(struct block *block, size_t size)
{
    /* A bound on time: in a list with several sizes a fit may be missed, and a larger block be
     * taken. */
    enum { FIT_TRIES = 8 };
    const uintptr_t none = UINTPTR_MAX;
    uintptr_t lowest = none;

    /* No branches: nobody can predict which fit, and which of these is lower. */
    for (int tries = 0; block && tries < FIT_TRIES; tries++, block = block->next) {
        uintptr_t fit = block_bytes(block) >= size ? (uintptr_t)block : none;
        lowest = fit < lowest ? fit : lowest;
    }
    return lowest == none ? NULL : (struct block *)lowest;
}

/* Finds a block of at least `size`: in its own list, then in any list above, then in the tree. */
static inline struct block *block_index_find(const struct block_index *index, size_t size)
{
    if (size <= BLOCK_LISTED_MOST_BYTES) {
        unsigned list = block_list(size);
        struct block *block = block_index_lowest(index->lists[list], size);
        if (!block)
            block = block_index_lowest(block_index_first_from(index, list + 1), size);
        if (block)
            return block;
    }
    return block_of_node(tree_at_least(index->tree, size));
}

#endif
