/* Where heaps meet, and how they get out of each other's way.
 *
 * What lies behind the fronts is there several times, with a lock each: arenas, slab sets, sets of
 * large objects. All heaps begin with the first one, since what lies free in one is of little use
 * to the others. A heap that finds its place locked time and again goes to the one that the fewest
 * heaps use which ever had to wait: others do not matter, such as threads that only free.
 *
 * Invariants: the first `used` places have been in use, and users[i] is the number of heaps at
 * place i that ever had to wait. Atomics; what was not in use before is taken into use under a
 * lock, which a fork holds, too, so that it knows all locks to take. */
#ifndef ALLOCATOR_PLACE_H
#define ALLOCATOR_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "allocator/lock.h"

/* Threads on more processors share. */
enum { PLACES_MOST = 64 };

struct places {
    unsigned used;              /* 0 means 1; nobody looks at the others, which take no memory so */
    uint8_t users[PLACES_MOST]; /* 255 means many, for ever */
};

/* A heap's own. */
struct place {
    uint16_t index;
    uint8_t waits; /* how often it was found locked lately; the heap forgets that now and then */
    bool is_user;
};

static inline unsigned places_used(const struct places *places)
{
    unsigned used = __atomic_load_n(&places->used, __ATOMIC_ACQUIRE);

    return used > 0 ? used : 1;
}

/* How many there are, PLACES_MOST at most; tests change it. */
extern unsigned places_processors HIDDEN;
/* The most places of one kind that were in use so far, less 1 where there was one; atomic. */
extern unsigned places_most_used HIDDEN;

/* Whether so many threads had to spread over places that what all of them read and write, the
 * zone's lock and lines of the cache, is to be left alone, at the price of some memory. */
static inline bool places_are_crowded(void)
{
    enum { CROWD = 4 };

    return __atomic_load_n(&places_most_used, __ATOMIC_RELAXED) >= CROWD;
}

/* How many threads may well run at a time, as far as that is known. */
static inline unsigned places_crowd(void)
{
    return places_are_crowded() ? __atomic_load_n(&places_most_used, __ATOMIC_RELAXED) : 1;
}

/* How many places there may be: as many as threads can run at a time, up to `limit`, which is at
 * most PLACES_MOST. */
unsigned places_most(unsigned limit);
/* Lets a new heap, which is at the first of `most` places, begin at another one where threads are
 * crowded. */
void place_begin(struct places *places, struct place *place, unsigned most);
/* Brings a heap back to the first place, for it leaves to use others. */
void place_leave(struct places *places, struct place *place);
/* Tells that the heap found its place, one of `most`, locked: after a few times it goes to another
 * one. */
void place_waits(struct places *places, struct place *place, unsigned most);
/* Takes care that `index` counts as used; false, with nothing done, during a fork, or where another
 * thread does such a thing. */
bool places_use(struct places *places, unsigned index);
/* Calls `change` with that lock: to take it, before those of any places, or to drop it. */
void places_change_lock(void (*change)(struct lock *));

#endif
