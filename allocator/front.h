/* The front of a heap: for every size class a small stack of free objects, used without any lock.
 *
 * Objects in a front are not written to: the stack holds their addresses, so what the program
 * touches is all that is touched, and the lists cannot be corrupted by a write after free.
 *
 * Invariants of the bin of a kind k: the low FRONT_TOP_BITS bits of words[k] are its top, the
 * distance in bytes from the front to the slot of the object that was pushed last; bottoms[k] <=
 * top <= limits[k], distances too, and the slots above the bottom up to top hold its objects. The
 * bits above count the allocations served from it. One addition changes both, and the number of
 * frees follows from them and from `net_refilled` (see front_count): exact statistics cost no
 * instruction on the way. The slot at the bottom stays NULL, which tells that the bin is empty. A
 * bin gets its slots when it is first used; until then all three are 0, and its bottom is
 * words[UNIT_FOREIGN], which stays 0. Those of a class that comes to hold much lie at a place of
 * their own, to which the bin moves while it is empty: it is wide then.
 *
 * What every call reads lies apart from the slots, in arrays whose elements the processor addresses
 * without arithmetic: bins that lie far apart, each with its slots, share few sets of the
 * processor's cache and drive each other out of it (EXPERIMENTS.md, "Bins side by side").
 *
 * Only the heap's owner writes a bin; others may read `words`, `bottoms` and `net_refilled` for
 * statistics, so these are atomics. */
#ifndef ALLOCATOR_FRONT_H
#define ALLOCATOR_FRONT_H

#include "allocator/slab.h"

enum {
    FRONT_SLOT_BYTES = sizeof(void *),
    FRONT_TOP_BITS = 16,
    /* A bin holds up to this many objects of up to FRONT_SMALL_BYTES, and of larger ones up to
     * FRONT_MOST_BYTES, half a slab, because what it holds keeps the slabs that it comes from; or
     * 1 / 2^FRONT_PART_SHIFT of what the slabs of its class hold, where several threads run a
     * quarter of that each, if that is more, or as often twice as much as it is pressed
     * (EXPERIMENTS.md, "What a bin holds" and "A depot").  Where several run, which all hold some,
     * a bin of larger ones holds half of that at most while it would be more than
     * 1 / 2^FRONT_LEAST_PART_SHIFT_SHARED of what the slabs of its class hold. */
    FRONT_MOST_OBJECTS = 64,
    FRONT_MOST_SMALL = 256, /* of up to FRONT_SMALL_BYTES */
    FRONT_SMALL_BYTES = 128,
    FRONT_MOST_BYTES = 4096,
    FRONT_PART_SHIFT = 5,
    FRONT_PART_SHIFT_SHARED = 7,
    FRONT_LEAST_PART_SHIFT_SHARED = 4,
    FRONT_MOST_PRESSED = 4,
    /* Even numbers. */
    FRONT_TURNS = 96,
    FRONT_TURNS_IN_CROWD = 16
};
#define FRONT_TOP_MASK       ((UINT64_C(1) << FRONT_TOP_BITS) - 1)
#define FRONT_ONE_ALLOCATION (UINT64_C(1) << FRONT_TOP_BITS)

/* The most objects of each class that a bin which is not wide holds. */
extern const uint8_t front_capacities[SLAB_CLASSES] HIDDEN;

enum {
    /* The capacities of all classes and their bottoms: the first 8 have the most, and
     * 256 / n, rounded down, for n from 9 to 64 add up to 495. */
    FRONT_NARROW_SLOTS = 8 * FRONT_MOST_OBJECTS + 495 + SLAB_CLASSES,
    FRONT_SMALL_CLASSES = FRONT_SMALL_BYTES >> SLAB_STEP_SHIFT,
    FRONT_SLOTS = FRONT_NARROW_SLOTS + FRONT_SMALL_CLASSES * (FRONT_MOST_SMALL + 1) +
                  (SLAB_CLASSES - FRONT_SMALL_CLASSES) * (FRONT_MOST_OBJECTS + 1)
};

/* By kind of unit, so that a free need not tell slabs from other units first: the bins of other
 * kinds, and that of SLAB_NO_CLASS, are always empty and full at once. */
enum { FRONT_BINS = UNIT_SLAB + SLAB_CLASSES + 1 };

struct front {
    uint64_t words[FRONT_BINS];
    uint16_t limits[FRONT_BINS]; /* the greatest top */
    uint16_t bottoms[FRONT_BINS];
    uint16_t slots_used;
    int64_t net_refilled[SLAB_CLASSES]; /* objects taken from slabs less objects put back */
    /* Refills and spills so far, and what each bin's count of allocations ended in at the last look
     * for idle ones, one less where it ran over since. */
    uint16_t calls, seen[SLAB_CLASSES];
    /* How often each bin had reason to hold twice as much lately: it met another thread at its
     * class's slabs, or turned FRONT_TURNS times, in a crowd of threads FRONT_TURNS_IN_CROWD times,
     * from running over to running empty or back. */
    uint8_t pressed[SLAB_CLASSES]; /* FRONT_MOST_PRESSED at most */
    uint8_t turns[SLAB_CLASSES];   /* odd where it ran over last */
    /* One met another although it held as much as it may; its owner forgets that. */
    bool is_crowded;
};

/* The distance of the slots, which end the heap that begins with the front; see heap.h. */
enum {
    FRONT_SLOTS_AT = 2560,
    FRONT_SLOTS_ALIGNMENT = 256,
    FRONT_WIDE_AT = FRONT_SLOTS_AT + FRONT_NARROW_SLOTS * FRONT_SLOT_BYTES
};

static inline void **front_slot(struct front *front, uint64_t top)
{
    return (void **)(void *)((char *)front + top);
}

/* Sets *object; returns false where the bin is empty. */
static inline bool front_pop(struct front *front, size_t size_class, void **object)
{
    uint64_t *bin = &front->words[UNIT_SLAB + size_class];
    uint64_t word = __atomic_load_n(bin, __ATOMIC_RELAXED);

    *object = *front_slot(front, word & FRONT_TOP_MASK);
    if (__builtin_expect(!*object, 0))
        return false;
    __atomic_store_n(bin, word + FRONT_ONE_ALLOCATION - FRONT_SLOT_BYTES, __ATOMIC_RELAXED);
    return true;
}

/* Returns false, having done nothing, where units of `kind` are no slabs, and where the bin is full
 * or has `object` on top: the latter is a double free, left to the slow path to report. */
static inline bool front_push(struct front *front, size_t kind, void *object)
{
    uint64_t word = __atomic_load_n(&front->words[kind], __ATOMIC_RELAXED);
    uint64_t top = word & FRONT_TOP_MASK;

    if (__builtin_expect(top >= front->limits[kind], 0))
        return false;
    void **slot = front_slot(front, top);
    if (__builtin_expect(slot[0] == object, 0))
        return false;
    slot[1] = object;
    /* In this order, for the child of a fork. */
    __atomic_store_n(&front->words[kind], word + FRONT_SLOT_BYTES, __ATOMIC_RELEASE);
    return true;
}

/* How many objects the bin of a kind holds. */
unsigned front_held(const struct front *front, unsigned kind);
/* Fills an empty bin and pops one object; NULL where there is no memory.  Takes a lock of the set,
 * and, as front_spill, of those that own objects of bins that were idle lately, which it empties.
 */
void *front_refill(struct front *front, struct slab_set *set, unsigned size_class);
/* Makes room in a full bin and pushes `object`; what goes is left to the depot of the heap's set,
 * or goes to the slabs.  Takes a lock of each set that owns objects. */
void front_spill(struct front *front, struct slab_set *set, unsigned kind, void *object);
/* Puts everything back into the slabs. */
void front_flush(struct front *front);

/* Makes a front whole again that its owner was perhaps just changing, for the child of a fork: what
 * was on its way is lost. */
void front_repair(struct front *front);

struct counters;
/* Adds what went through this front to the counters. */
void front_count(const struct front *front, struct counters *counters);

#endif
