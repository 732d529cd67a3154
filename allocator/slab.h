/* Slabs: objects of up to 1 KiB, without headers.
 *
 * A slab is one unit of the zone cut into objects of one size; the zone's map tells the size class
 * of every address.  What is known of a slab (who owns it, which objects are free) is kept outside
 * of it, in a table that the unit leads to: objects touch no memory but their own, and pages of a
 * slab that no object has used yet hold no memory.
 *
 * Invariants, for a slab of owner S and class c:
 *   - bit i of free_bits is set exactly when object i is neither with the program nor in a front
 *     nor in the depot; free_count is the number of set bits;
 *   - the slab is in S->classes[c].open exactly when free_count > 0; one whose objects are all free
 *     goes, to S's pool of units or back to the zone;
 *   - S->classes[c].units is the number of slabs of owner S and class c;
 *   - owner and size class do not change as long as an object is out.
 * Objects are taken lowest address first, in the lowest slab first: what lives long gathers below,
 * the slabs above drain and go back as a whole.
 *
 * The lock of a class guards its slabs in the set; an owner is set under the zone's lock. */
#ifndef ALLOCATOR_SLAB_H
#define ALLOCATOR_SLAB_H

#include "allocator/slab_pool.h"
#include "allocator/tree.h"
#include "allocator/zone.h"

/* A class for each multiple of 16 bytes.  Which of them serves a size is a table that adapts: a
 * class that hardly any object needs holds a slab for nothing, so that at first only some are in
 * use, and the sizes that a program asks for often get theirs when it does (slab_sample). */
enum { SLAB_STEP_SHIFT = 4, SLAB_CLASSES = 64 };
#define SLAB_MOST_BYTES ((size_t)SLAB_CLASSES << SLAB_STEP_SHIFT)
/* What they serve from the start. */
#define SLAB_FIRST_MOST_BYTES (SLAB_MOST_BYTES / 2)

/* In place of a class: the block heap serves this size. */
enum { SLAB_NO_CLASS = SLAB_CLASSES };

/* 512 objects of 16 bytes fill a unit, and their bitmap a cache line. */
enum { SLAB_WORDS = 8, SLAB_MOST_OBJECTS = 64 * SLAB_WORDS };

struct slab_class {
    struct lock lock;
    uint32_t units; /* atomic: others read it */
    struct tree_node *open;
};

struct slab_set {
    _Alignas(CACHE_LINE_BYTES) struct slab_class classes[SLAB_CLASSES];
    struct slab_pool *pool; /* NULL for ever, or until it had to wait for the zone's lock */
    bool is_private;        /* nobody calls slab_decay: there is no pool */
};

/* Indexed by the number of steps, rounded up. */
extern uint8_t slab_class_table[SLAB_CLASSES + 1] HIDDEN;

static inline size_t slab_class_bytes(unsigned size_class)
{
    return ((size_t)size_class + 1) << SLAB_STEP_SHIFT;
}

static inline unsigned slab_steps(size_t bytes)
{
    return (unsigned)((bytes + (1 << SLAB_STEP_SHIFT) - 1) >> SLAB_STEP_SHIFT);
}

/* The class that serves `bytes`, at most SLAB_MOST_BYTES, or SLAB_NO_CLASS.  A size that is a
 * multiple of an alignment gets a class that is one too, because a class lies as far above the
 * size as the next multiple of some power of two, and slabs start at a multiple of 8 KiB. */
static inline unsigned slab_class(size_t bytes)
{
    return __atomic_load_n(&slab_class_table[slab_steps(bytes)], __ATOMIC_RELAXED);
}

/* The same for the frequent way of an allocation, which is closed now and then: then it is
 * SLAB_NO_CLASS for all sizes. */
extern uint8_t slab_frequent_class_table[SLAB_CLASSES + 1] HIDDEN;

static inline unsigned slab_frequent_class(size_t bytes)
{
    return __atomic_load_n(&slab_frequent_class_table[slab_steps(bytes)], __ATOMIC_RELAXED);
}

/* Closes the frequent way, so that every allocation goes the slow one, or opens it again.  Frees
 * are as fast as ever.  Threads may notice a little later. */
void slab_close_frequent_way(void);
void slab_open_frequent_way(void);

/* What no class serves comes to slabs together with its neighbours: sizes up to a multiple of this.
 */
#define SLAB_GROUP_BYTES ((size_t)64)

static inline size_t slab_group_most(size_t bytes)
{
    return (bytes + SLAB_GROUP_BYTES - 1) & ~(SLAB_GROUP_BYTES - 1);
}

/* Tells of one request for `bytes`, at most SLAB_MOST_BYTES, taken from `count` that its class
 * served, in this set: the size gets its own class where rounding it up costs more than that would.
 * Needs no lock. */
void slab_sample(const struct slab_set *set, size_t bytes, unsigned count);
/* Tells that blocks of the sizes in the group of `bytes` hold `live_bytes` together: they get a
 * class where that is enough. */
void slab_note_blocks(size_t bytes, size_t live_bytes);

/* Takes up to `count` objects, in ascending order of preference the last; returns how many there
 * were, 0 where the zone is exhausted.  Needs the lock of the class, and takes the zone's and those
 * of arenas. */
unsigned slab_take(struct slab_set *set, unsigned size_class, void **objects, unsigned count);
/* Puts back those of `count` objects of one class that belong to this set, moves the others to the
 * front and returns how many these are; aborts where one is free already or no object.  Needs the
 * lock of the class, and may take the zone's. */
unsigned slab_put(struct slab_set *set, unsigned size_class, void **objects, unsigned count);
/* Puts `count` objects of one class back, each into the set that it is of; takes a lock of each
 * such set once, and changes the order of the objects. */
void slab_put_back(unsigned size_class, void **objects, unsigned count);
/* Gives all slabs of a set that nobody uses to the zone, whatever lives there.  Takes the zone's
 * lock; looks at the whole map. */
void slab_give_all(struct slab_set *set);
/* Gives those units of the set's pool that nobody used since the last call, or all, to the zone,
 * whose lock it takes. */
void slab_decay(struct slab_set *set, bool all);
/* How many slabs of a class a set has; needs no lock. */
static inline size_t slab_class_units(const struct slab_set *set, unsigned size_class)
{
    return __atomic_load_n(&set->classes[size_class].units, __ATOMIC_RELAXED);
}
/* Gives addresses back that are reserved for what is to be known of slabs beyond what the process
 * may use (zone_span_now); returns whether there were any.  Takes the zone's lock. */
bool slab_give_up_room(void);
/* The set that owns the slab of a live object. */
struct slab_set *slab_owner(const void *object);

/* Call `change` with each of the set's locks: to take them all, in order, or to drop them. */
void slab_lock_all(struct slab_set *set, void (*change)(struct lock *));

/* Returns NULL, or the first broken invariant of a set in words.  For tests. */
const char *slab_verify(const struct slab_set *set);

#endif
