/* The front of a heap for blocks: those that its owner freed last and is likely to ask for again,
 * held without any lock.
 *
 * To the block heap a held block is in use; so it is neither split nor merged, and its size does
 * not change. The search for a block does not read the blocks themselves, which other data may have
 * driven out of the cache: sizes and addresses stand here.
 *
 * Invariants: bit p of `held` is set exactly when place p holds a block, of sizes[p] times
 * MEM_ALIGNMENT bytes, and sizes[p] is 0 otherwise; places are filled one after the other, so that
 * from `next` on they are the oldest first; `held_bytes` is the sum of the sizes, and nothing else
 * holds the blocks. Only the heap's owner reads or writes the front.
 *
 * It never makes the process larger: before the block heap asks the zone for units, the heap that
 * asks puts back what it holds (see heap.c). */
#ifndef ALLOCATOR_BLOCK_FRONT_H
#define ALLOCATOR_BLOCK_FRONT_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "allocator/block.h"

/* A bit each in a word. */
enum { BLOCK_FRONT_PLACES = 32 };

/* Sizes of held blocks, tags included: from the least beyond the slabs to the largest. */
#define BLOCK_FRONT_LEAST_BYTES ((size_t)1 << 9)
#define BLOCK_FRONT_LIMIT_BYTES ((size_t)1 << 18)

/* What the blocks of a size owe: one more for each that went back unused, two less for each that
 * served a request. Those that owe the most are held no longer, but for one in so many, which shows
 * whether that is still right: the places are for what comes again soon (EXPERIMENTS.md, "Which
 * blocks are held"). Sizes share so many accounts. */
enum {
    BLOCK_FRONT_ACCOUNT_BITS = 7,
    BLOCK_FRONT_MOST_DEBT = 16,
    BLOCK_FRONT_REPAID = 2,
    BLOCK_FRONT_TRIAL = 64
};

struct block_front_account {
    uint8_t debt;  /* above the most it counts those that were not held since the last that was */
    uint8_t place; /* of the one that was held last, unless another one lies there by now */
};

struct block_front {
    _Alignas(16) uint16_t sizes[BLOCK_FRONT_PLACES];
    void *blocks[BLOCK_FRONT_PLACES];
    struct block_front_account accounts[1 << BLOCK_FRONT_ACCOUNT_BITS];
    size_t held_bytes, most_bytes;
    size_t refused_bytes; /* the last block that was larger than all it might hold, or 0 */
    uint32_t held;
    uint32_t next;   /* the place for the next block */
    uint32_t spills; /* how often it made room, or was to hold what is too large */
    /* Served a request since its bound was adapted, or would have with a larger one. */
    bool was_hit;
};

static inline bool block_front_serves(size_t size)
{
    return size - BLOCK_FRONT_LEAST_BYTES < BLOCK_FRONT_LIMIT_BYTES - BLOCK_FRONT_LEAST_BYTES;
}

/* Multiplicative hashing by the golden ratio (Knuth, The Art of Computer Programming, 6.4). */
static inline struct block_front_account *block_front_account(struct block_front *front,
                                                              size_t size)
{
    uint32_t hash = (uint32_t)(size / MEM_ALIGNMENT) * UINT32_C(2654435769);

    return &front->accounts[hash >> (32 - BLOCK_FRONT_ACCOUNT_BITS)];
}

static inline uint8_t *block_front_debt(struct block_front *front, size_t size)
{
    return &block_front_account(front, size)->debt;
}

static inline void block_front_repay(struct block_front *front, size_t size)
{
    uint8_t *debt = block_front_debt(front, size);

    /* Most owe nothing. */
    if (__builtin_expect(*debt > 0, 0)) {
        unsigned owed = *debt < BLOCK_FRONT_MOST_DEBT ? *debt : BLOCK_FRONT_MOST_DEBT;
        *debt = (uint8_t)(owed > BLOCK_FRONT_REPAID ? owed - BLOCK_FRONT_REPAID : 0);
    }
}

/* A bit for each place whose size, less `least`, is at most `most_more` without a sign. */
static inline uint32_t block_front_match(const struct block_front *front, uint16_t least,
                                         uint16_t most_more)
{
    uint32_t match = 0;

#ifdef __SSE2__
    const __m128i *sizes = (const __m128i *)front->sizes, zero = _mm_setzero_si128();
    __m128i first = _mm_set1_epi16((short)least), slack = _mm_set1_epi16((short)most_more);
    for (int i = 0; i < BLOCK_FRONT_PLACES / 16; i++) {
        /* Saturated, what is not too large becomes 0. */
        __m128i low = _mm_subs_epu16(_mm_sub_epi16(sizes[2 * i], first), slack);
        __m128i high = _mm_subs_epu16(_mm_sub_epi16(sizes[2 * i + 1], first), slack);
        __m128i both = _mm_packs_epi16(_mm_cmpeq_epi16(low, zero), _mm_cmpeq_epi16(high, zero));
        match |= (uint32_t)_mm_movemask_epi8(both) << (16 * i);
    }
#else
    for (unsigned i = 0; i < BLOCK_FRONT_PLACES; i++)
        match |= (uint32_t)((uint16_t)(front->sizes[i] - least) <= most_more) << i;
#endif
    return match;
}

/* Turns a match so that bit 31 is the place filled last and bit 0 the oldest one, and a bit's place
 * back. */
static inline uint32_t block_front_by_age(const struct block_front *front, uint32_t match)
{
    return match >> front->next | match << (-front->next % BLOCK_FRONT_PLACES);
}

static inline unsigned block_front_place(const struct block_front *front, unsigned bit)
{
    return (front->next + bit) % BLOCK_FRONT_PLACES;
}

static inline const void **block_front_mark(const void *payload)
{
    return (const void **)(uintptr_t)payload + 1;
}

/* Empties a place and returns the size of the block that it held. */
static inline size_t block_front_drop(struct block_front *front, unsigned place)
{
    size_t size = (size_t)front->sizes[place] * MEM_ALIGNMENT;

    /* One store: a fork finds the block held or not. */
    __atomic_store_n(&front->sizes[place], 0, __ATOMIC_RELAXED);
    front->held &= ~(UINT32_C(1) << place);
    front->held_bytes -= size;
    return size;
}

/* A held block may be larger than asked for by this part of it. */
enum { BLOCK_FRONT_SLACK_SHIFT = 4 };

static inline bool block_front_fits(size_t wanted, size_t size)
{
    return size - wanted <= wanted >> BLOCK_FRONT_SLACK_SHIFT;
}

/* Takes the block of a place, and sets *usable to its usable size. */
static inline void *block_front_take(struct block_front *front, unsigned place, size_t *usable)
{
    void *held = front->blocks[place];

    *block_front_mark(held) = NULL;
    size_t size = block_front_drop(front, place);
    *usable = size - BLOCK_TAG_BYTES;
    block_front_repay(front, size);
    front->was_hit = true;
    return held;
}

/* Returns a block with room for `bytes` that lies at a multiple of `align`, and sets *usable to its
 * usable size: the last held of just that size or else, for sizes that do not owe too much, of
 * those that are at most a sixteenth larger; NULL where there is none. */
ALWAYS_INLINE void *block_front_pop(struct block_front *front, size_t bytes, size_t align,
                                    size_t *usable)
{
    size_t size = block_size_for(bytes), least = size / MEM_ALIGNMENT;
    uint32_t match;

    if (!block_front_serves(size))
        return NULL;
    const struct block_front_account *account = block_front_account(front, size);
    if (front->sizes[account->place] == least && align <= MEM_ALIGNMENT)
        return block_front_take(front, account->place, usable);
    if (account->debt > BLOCK_FRONT_MOST_DEBT)
        return NULL;
    match = block_front_match(front, (uint16_t)least, (uint16_t)(least >> BLOCK_FRONT_SLACK_SHIFT));
    for (match = block_front_by_age(front, match); match;) {
        unsigned bit = 31 - (unsigned)__builtin_clz(match);
        unsigned place = block_front_place(front, bit);
        if (((uintptr_t)front->blocks[place] & (align - 1)) == 0)
            return block_front_take(front, place, usable);
        match &= ~(UINT32_C(1) << bit);
    }
    return NULL;
}

/* Tells of a request that it did not serve. */
static inline void block_front_miss(struct block_front *front, size_t bytes)
{
    if (__builtin_expect(front->refused_bytes > 0, 0) &&
        block_front_fits(block_size_for(bytes), front->refused_bytes)) {
        front->refused_bytes = 0;
        front->was_hit = true;
    }
}

/* Whether a block of this size can be held without putting others back. */
static inline bool block_front_has_room(const struct block_front *front, size_t size)
{
    return front->held_bytes + size <= front->most_bytes && !(front->held >> front->next & 1);
}

/* Whether a block of this size is refused a place because blocks of that size owe too much, which
 * this counts. */
static inline bool block_front_refuses(struct block_front *front, size_t size)
{
    uint8_t *debt = block_front_debt(front, size);

    if (*debt < BLOCK_FRONT_MOST_DEBT)
        return false;
    if (++*debt < BLOCK_FRONT_MOST_DEBT + BLOCK_FRONT_TRIAL)
        return true;
    *debt = BLOCK_FRONT_MOST_DEBT;
    return false;
}

/* The same of one that is yet to be cut, and for which there is another place then: the one that is
 * not refused for a trial will not be when it is freed, either. */
static inline bool block_front_will_refuse(struct block_front *front, size_t size)
{
    uint8_t *debt = block_front_debt(front, size);

    if (block_front_refuses(front, size))
        return true;
    if (*debt == BLOCK_FRONT_MOST_DEBT)
        --*debt;
    return false;
}

/* Holds a block for which there is room. */
static inline void block_front_hold(struct block_front *front, void *payload, size_t size)
{
    unsigned place = front->next;

    *block_front_mark(payload) = front;
    front->blocks[place] = payload;
    __atomic_store_n(&front->sizes[place], (uint16_t)(size / MEM_ALIGNMENT), __ATOMIC_RELEASE);
    front->held |= UINT32_C(1) << place;
    front->held_bytes += size;
    block_front_account(front, size)->place = (uint8_t)place;
    front->next = (place + 1) % BLOCK_FRONT_PLACES;
}

/* These put blocks back into `own`, an instance's block heap, or, where that is NULL, into the
 * arenas that they came from, and take the locks.
 *
 * Holds a block for which there is no room, and puts the oldest ones back for it, or puts it back
 * itself where it is larger than all that the front may hold. */
void block_front_hold_in_place(struct block_front *front, struct block_heap *own, void *payload,
                               size_t size);
/* Puts everything back; returns false where there was nothing. */
bool block_front_flush(struct block_front *front, struct block_heap *own);
/* Frees a block that the front does not take, and lets it hold the next ones; returns its usable
 * size.  Aborts where `payload` is not the start of a live block. */
size_t block_front_pass(struct block_front *front, struct block_heap *own, void *payload);
/* Counts anew what is held: for the child of a fork, where the owner was perhaps cut off between
 * two stores. */
void block_front_recount(struct block_front *front);

/* The size of a block that the front can take; 0 for any other, a nursery's among them, for what
 * may be held already and for what is no block. */
static inline size_t block_front_takes(const struct block_front *front, const void *payload)
{
    /* Before the tag is read: under memcheck, where all fronts stay empty, that belongs to nobody.
     */
    if (__builtin_expect(front->most_bytes == 0, 0))
        return 0;
    size_t size = block_size_unless(payload, BLOCK_TAG_NURSERY);
    if (!block_front_serves(size) || *block_front_mark(payload) == front)
        return 0;
    return size;
}

#endif
