/* The slab sets of all heaps but the instances: one for each memory node, and several where threads
 * would meet at the locks of one.
 *
 * What one thread frees is there for all others of its set, so that no more sets are in use than
 * threads need: a heap goes to another one, of its node, when it waited time and again although its
 * bins hold what they may (place.h). An object goes back to the set that its slab is of. */
#ifndef ALLOCATOR_SLAB_SETS_H
#define ALLOCATOR_SLAB_SETS_H

#include "allocator/place.h"
#include "allocator/slab.h"

/* Machines with more nodes share. */
enum { SLAB_NODES = 8, SLAB_SETS_PER_NODE = 16, SLAB_SETS = SLAB_NODES * SLAB_SETS_PER_NODE };

/* The first one, the only one of most processes, lies apart. */
extern struct slab_set first_slab_set HIDDEN, more_slab_sets[SLAB_SETS - 1] HIDDEN;

/* Where heaps of each node are; nobody is at those of a node without users. */
extern struct places first_slab_places HIDDEN, more_slab_places[SLAB_NODES - 1] HIDDEN;

static inline struct places *slab_places_of(unsigned node)
{
    return node == 0 ? &first_slab_places : &more_slab_places[node - 1];
}

static inline struct slab_set *slab_set_at(unsigned index)
{
    return index == 0 ? &first_slab_set : &more_slab_sets[index - 1];
}

static inline struct slab_set *slab_set_of(unsigned node, unsigned place)
{
    return slab_set_at(node * SLAB_SETS_PER_NODE + place);
}

/* The index of a set; SLAB_SETS for an instance's. */
static inline unsigned slab_set_index(const struct slab_set *set)
{
    if (set == &first_slab_set)
        return 0;
    size_t distance = (size_t)((uintptr_t)set - (uintptr_t)more_slab_sets);
    return distance < sizeof more_slab_sets ? 1 + (unsigned)(distance / sizeof *set) : SLAB_SETS;
}

/* How many sets of a node there may be: where no more than three threads run at a time they can
 * well share one, for what is free in one is of no use to the others. */
static inline unsigned slab_sets_most(void)
{
    unsigned most = places_most(SLAB_SETS_PER_NODE);

    return most < 4 ? 1 : most;
}

/* Whether threads had to spread over several sets of the first node. */
static inline bool slab_sets_are_several(void)
{
    return places_used(&first_slab_places) > 1;
}

/* Whether heaps have slabs of several nodes, for ever once they had. */
extern bool slab_sets_of_several_nodes HIDDEN;

/* Tells that heaps use the sets of a node. */
void slab_sets_begin(unsigned node);
/* How many sets of a node are in use. */
unsigned slab_sets_used(unsigned node);
/* The index of the first set from `index` on that is in use; SLAB_SETS where there is none. */
unsigned slab_sets_next(unsigned index);
/* What slab.h says of slab_decay, for each of all sets. */
void slab_sets_decay(bool all);

#endif
