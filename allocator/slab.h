/* Slabs: objects of up to 1 KiB, without headers.
 *
 * A slab is one unit of the zone cut into objects of one size; the zone's map tells the size class
 * of every address.  What is known of a slab (who owns it, which objects are free) is kept outside
 * of it, in a table indexed by unit: objects touch no memory but their own, and pages of a slab
 * that no object has used yet hold no memory.
 *
 * Invariants, for a slab of owner S and class c:
 *   - bit i of free_bits is set exactly when object i is neither with the program nor in a front;
 *     free_count is the number of set bits;
 *   - the slab is in S->open[c] exactly when free_count > 0; a slab whose objects are all free goes
 *     back to the zone, so 0 < free_count < capacity for every slab in it;
 *   - owner and size class do not change as long as an object is out.
 * Objects are taken lowest address first, in the lowest slab first: what lives long gathers below,
 * the slabs above drain and go back as a whole.
 *
 * The set's lock guards the set and all its slabs. */
#ifndef ALLOCATOR_SLAB_H
#define ALLOCATOR_SLAB_H

#include "allocator/tree.h"
#include "allocator/zone.h"

/* 16-byte steps to 128 bytes, then eight classes to each doubling: the rest lost to rounding is at
 * most 1/9 of an object above 128 bytes. */
enum { SLAB_CLASSES = 32, SLAB_STEP_SHIFT = 4 };
#define SLAB_MOST_BYTES ((size_t)1024)

/* 512 objects of 16 bytes fill a unit, and their bitmap a cache line. */
enum { SLAB_WORDS = 8, SLAB_MOST_OBJECTS = 64 * SLAB_WORDS };

struct slab_set {
    struct lock lock;
    struct tree_node *open[SLAB_CLASSES];
};

extern const uint8_t slab_class_table[] HIDDEN;
extern const uint16_t slab_class_bytes[SLAB_CLASSES] HIDDEN;

/* The class that serves `bytes`, at most SLAB_MOST_BYTES. */
static inline unsigned slab_class(size_t bytes)
{
    return slab_class_table[(bytes + (1 << SLAB_STEP_SHIFT) - 1) >> SLAB_STEP_SHIFT];
}

/* Takes up to `count` objects, in ascending order of preference the last; returns how many there
 * were, 0 where the zone is exhausted.  Needs the set's lock, and takes the zone's. */
unsigned slab_take(struct slab_set *set, unsigned size_class, void **objects, unsigned count);
/* Puts one object of this set back; aborts where it is free already or no object.  Needs the
 * set's lock, and may take the zone's. */
void slab_put(struct slab_set *set, void *object);
/* The set that owns the slab of a live object. */
struct slab_set *slab_owner(const void *object);

/* Returns NULL, or the first broken invariant of a set in words.  For tests. */
const char *slab_verify(const struct slab_set *set);

#endif
