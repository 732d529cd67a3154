/* Where heaps meet, and how they get out of each other's way.
 *
 * What lies behind the fronts is there several times, with a lock each: arenas, slab sets, sets of
 * large objects. All heaps begin with the first one, since what lies free in one is of little use
 * to the others. A heap that finds its place locked time and again goes to the one that the fewest
 * heaps use, if that is better.
 *
 * Invariants: the first `used` places have been in use, and users[i] is the number of heaps, in use
 * or waiting for their next thread, that are at place i. Atomics; what was not in use before is
 * taken into use under a lock, which a fork holds, too, so that it knows all locks to take. */
#ifndef ALLOCATOR_PLACE_H
#define ALLOCATOR_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "allocator/lock.h"

/* Threads on more processors share. */
enum { PLACES_MOST = 64 };

struct places {
    unsigned used; /* 0 until a heap begins; nobody looks at the others, which take no memory so */
    uint16_t users[PLACES_MOST];
};

/* A heap's own. */
struct place {
    uint16_t index;
    uint16_t waits; /* how often it was found locked lately; the heap forgets that now and then */
};

/* At least 1: heaps that are no thread's are at the first place, and not counted. */
static inline unsigned places_used(const struct places *places)
{
    unsigned used = __atomic_load_n(&places->used, __ATOMIC_ACQUIRE);

    return used > 0 ? used : 1;
}

/* As many as threads can run at a time, up to PLACES_MOST. */
unsigned places_most(void);
/* Counts a new heap, which is at the first place. */
void place_begin(struct places *places);
/* Counts a heap no longer that leaves for the places of another node, where it is at the first. */
void place_end(struct places *places, struct place *place);
/* Tells that the heap found its place, one of `most`, locked: after a few times it goes to another
 * one that has fewer users. */
void place_waits(struct places *places, struct place *place, unsigned most);
/* Takes care that `index` counts as used; false, with nothing done, during a fork, or where another
 * thread does such a thing. */
bool places_use(struct places *places, unsigned index);
/* Calls `change` with that lock: to take it, before those of any places, or to drop it. */
void places_change_lock(void (*change)(struct lock *));

#endif
