/* Units of a slab set on their way from one slab to the next.
 *
 * Where threads meet at the zone's lock each slab that comes or goes would wait there. So a set
 * that had to wait keeps units of slabs that nobody uses, takes several at a time where it has
 * none, and gives half of them back at a time where it has too many.
 *
 * Invariants: units[0 .. count) are in descending order, so that the lowest is the next to be used
 * and the highest go; each is the set's, as a slab whose objects are all free, or which never had
 * any. The lock guards all of it; it comes after that of a class, and no other is taken under it.
 * `most` is atomic: whoever has to wait changes it. */
#ifndef ALLOCATOR_SLAB_POOL_H
#define ALLOCATOR_SLAB_POOL_H

#include "allocator/lock.h"

enum {
    SLAB_POOL_MOST = 512, /* 4 MiB */
    /* What goes at a time: half of that, and the one that is too many. */
    SLAB_POOL_GOING_MOST = SLAB_POOL_MOST / 2 + 1,
    SLAB_POOL_COMING_MOST = 64
};

struct slab_pool {
    _Alignas(CACHE_LINE_BYTES) struct lock lock;
    uint16_t most;  /* halves where units lie idle; 0 at the end */
    uint16_t count; /* at most SLAB_POOL_MOST */
    uint16_t least; /* since slab_pool_decay */
    uint32_t units[SLAB_POOL_MOST];
};

/* A pool for a set, for ever; NULL where there is no memory. */
struct slab_pool *slab_pool_new(void);
/* Whether it does not matter to slab_pool_press how many units the set has. */
bool slab_pool_is_small(const struct slab_pool *pool);
/* Tells that the set, of so many units, had to wait. */
void slab_pool_press(struct slab_pool *pool, size_t set_units);
/* Sets *unit to the lowest; false where there is none. */
bool slab_pool_take(struct slab_pool *pool, size_t *unit);
/* How many units are to come with one that the zone gives. */
unsigned slab_pool_wants(const struct slab_pool *pool);
/* Adds a unit; returns how many are to go to the zone instead, which it sets. */
unsigned slab_pool_put(struct slab_pool *pool, size_t unit, uint32_t going[SLAB_POOL_GOING_MOST]);
/* Removes those that nobody used since the last call, or all; returns how many are to go to the
 * zone, which it sets. */
unsigned slab_pool_decay(struct slab_pool *pool, bool all, uint32_t going[SLAB_POOL_MOST]);

#endif
