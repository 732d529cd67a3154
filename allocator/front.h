/* The front of a heap: for every size class a small stack of free objects, used without any lock.
 *
 * Objects in a front are not written to: the stack holds their addresses, so what the program
 * touches is all that is touched, and the lists cannot be corrupted by a write after free.
 *
 * Invariants of a bin: the low FRONT_INDEX_BITS bits of `word` are its height, the number of
 * objects in it times the size of a slot, at most `limit`; the bits above count the allocations
 * served from it.  One addition changes both, and the number of frees follows from them and from
 * `net_refilled` (see front_count): exact statistics cost no instruction on the way.  Only the
 * heap's owner writes a bin; others may read `word` and `net_refilled` for statistics, so these are
 * relaxed atomics. */
#ifndef ALLOCATOR_FRONT_H
#define ALLOCATOR_FRONT_H

#include "allocator/slab.h"

enum { FRONT_SLOTS = 61, FRONT_SLOT_BYTES = sizeof(void *), FRONT_INDEX_BITS = 16 };
#define FRONT_HEIGHT_MASK    ((UINT64_C(1) << FRONT_INDEX_BITS) - 1)
#define FRONT_ONE_ALLOCATION (UINT64_C(1) << FRONT_INDEX_BITS)

struct bin {
    uint64_t word;
    int64_t net_refilled; /* objects taken from slabs less objects put back */
    uint64_t limit;       /* the greatest height */
    void *slots[FRONT_SLOTS];
};

_Static_assert(sizeof(struct bin) == 512, "a bin is found by a shift");

struct front {
    struct bin bins[SLAB_CLASSES + 1]; /* that of SLAB_NO_CLASS is always empty */
};

/* The first free slot of a bin of this height. */
static inline void **front_top(struct bin *bin, uint64_t height)
{
    return (void **)(void *)((char *)bin + height + offsetof(struct bin, slots));
}

/* Sets *object; returns false where the bin is empty. */
static inline bool front_pop(struct bin *bin, void **object)
{
    uint64_t word = __atomic_load_n(&bin->word, __ATOMIC_RELAXED);
    uint64_t height = word & FRONT_HEIGHT_MASK;

    if (__builtin_expect(height == 0, 0))
        return false;
    __atomic_store_n(&bin->word, word + FRONT_ONE_ALLOCATION - FRONT_SLOT_BYTES, __ATOMIC_RELAXED);
    *object = front_top(bin, height)[-1];
    return true;
}

/* Returns false, having done nothing, where the bin is full or has `object` on top: the latter is
 * a double free, left to the slow path to report. */
static inline bool front_push(struct bin *bin, void *object)
{
    uint64_t word = __atomic_load_n(&bin->word, __ATOMIC_RELAXED);
    uint64_t height = word & FRONT_HEIGHT_MASK;
    void **top = front_top(bin, height);

    if (__builtin_expect(height >= bin->limit, 0))
        return false;
    /* For an empty bin this reads `limit`, which is no address. */
    if (__builtin_expect(top[-1] == object, 0))
        return false;
    *top = object;
    __atomic_store_n(&bin->word, word + FRONT_SLOT_BYTES, __ATOMIC_RELAXED);
    return true;
}

/* How many objects a bin holds. */
unsigned front_held(const struct front *front, unsigned size_class);
/* Fills an empty bin and pops one object; NULL where there is no memory.  Takes the set's lock. */
void *front_refill(struct front *front, struct slab_set *set, unsigned size_class);
/* Makes room in a full bin and pushes `object`.  Takes the lock of each set that owns objects. */
void front_spill(struct front *front, unsigned size_class, void *object);
/* Puts everything back into the slabs. */
void front_flush(struct front *front);

struct counters;
/* Adds what went through this front to the counters. */
void front_count(const struct front *front, struct counters *counters);

#endif
