/* The depot: free objects that one thread's bins put down and another's take up
 * without a look at their slabs (after the magazines of Bonwick and Adams, "Magazines and Vmem",
 * 2001). Threads that allocate and free the same sizes meet at the lock of a class; with the depot
 * they hold it for as long as it takes to copy some addresses.
 *
 * There is one for each slab set that heaps use. They are used where there are several threads, and
 * only slabs of one memory node. What nobody takes up between two calls of depot_decay goes back to
 * the slabs.
 *
 * Invariants, for class c: the first counts[c] of depot_objects are objects, mostly of the set's
 * slabs, that are in no bin and not free to the slabs; leasts[c] is the least counts[c] since
 * depot_decay. The class's lock in the set guards them. */
#ifndef ALLOCATOR_DEPOT_H
#define ALLOCATOR_DEPOT_H

#include "allocator/slab_sets.h"

enum {
    /* At most so many objects of a class, and so many bytes (EXPERIMENTS.md, "A depot"). */
    DEPOT_OBJECTS = 128,
    DEPOT_BYTES = 8192
};

struct depot {
    _Alignas(CACHE_LINE_BYTES) uint16_t counts[SLAB_CLASSES], leasts[SLAB_CLASSES];
    /* Where the objects of each class lie in the depot's memory, the oldest first, in pointers and
     * 1 more; 0 until some come. */
    uint16_t places[SLAB_CLASSES];
    char *memory; /* atomic; the first depot's is that of base.h */
};

/* Of the first set. */
extern struct depot first_depot HIDDEN;

/* The objects of a class of which there were some. */
static inline void **depot_objects(const struct depot *depot, unsigned size_class)
{
    char *memory = __atomic_load_n(&depot->memory, __ATOMIC_RELAXED);

    return (void **)(void *)memory + (depot->places[size_class] - 1);
}

/* Puts down the last of `count` objects that a heap of the set has freed, as many as there is room
 * for; returns how many, 0 where the set is an instance's, or heaps have slabs of several nodes.
 * Takes the lock of the class. */
unsigned depot_put(struct slab_set *set, unsigned size_class, void *const *objects, unsigned count);
/* Takes up to `count` objects, those put down last, and returns how many.  Needs the lock of the
 * class. */
unsigned depot_take(struct slab_set *set, unsigned size_class, void **objects, unsigned count);
/* Puts what lay there since the last call, or everything, back into the slabs.  Takes the locks of
 * classes. */
void depot_decay(bool all);

#endif
