/* Decay: memory that has been free for a while goes back to the system while the program runs.
 *
 * There is no thread for it; slow calls pay.  Two clocks drive it: the traffic of slow calls, and
 * the time, looked at once in DECAY_PERIOD slow calls.  What was free during the whole of the last
 * interval is what goes: at the pace of traffic no more than costs what the calls did that pay for
 * it; after a tenth of a second, all of it.  Where slow calls are so few that the system's coarse
 * clock moves before the traffic comes to a step, some of what is free goes, idle or not.
 *
 * What is freed beyond that which may stay (zone.h) waits for as long as the program goes on
 * freeing more than it allocates, for such a program is often about to end, and then the system
 * takes back all at once for less; and for as long as the program takes back what waits. Meanwhile
 * no allocation of a small object goes the frequent way, so that they can be counted: memory does
 * not stay because a program calls only what its fronts serve. Where threads are crowded (place.h)
 * nothing waits: a part of it goes at each slow call. */
#ifndef ALLOCATOR_DECAY_H
#define ALLOCATOR_DECAY_H

#include "allocator/place.h"
#include "allocator/zone.h"

/* Slow calls of one heap between two looks. */
enum { DECAY_PERIOD = 64 };

/* One look by a heap whose large objects are at that place (large.h).  Takes the locks of the
 * arenas, the zone and the large objects: none may be held. Returns how many intervals of time have
 * ended, so that a heap notices that another one has. While one thread is at it the others look at
 * the large objects of their place alone. */
unsigned decay_look(const struct place *large_place);

/* Whether freed memory waits for allocations: of all of them that do not go the frequent way
 * decay_note_alloc is to be told then. */
static inline bool decay_waits(void)
{
    return __builtin_expect(__atomic_load_n(&zone.is_waiting, __ATOMIC_RELAXED), 0);
}

/* Tell of a call that freed something behind the fronts, of an allocation, and of one that may get
 * new memory elsewhere, beside which nothing waits.  They take locks as decay_look does. */
void decay_begin_waiting(void);
void decay_count_alloc(void);
void decay_end_waiting(void);
/* Tells that all that waits was purged; what comes later waits anew. */
void decay_cancel_waiting(void);
static inline void decay_note_free(void)
{
    if (__builtin_expect(__atomic_load_n(&zone.has_excess, __ATOMIC_RELAXED), 0))
        decay_begin_waiting();
}
static inline void decay_note_alloc(void)
{
    if (decay_waits())
        decay_count_alloc();
}

/* Calls `change` with decay's own lock, which comes before those of the slabs: for a fork. */
void decay_change_lock(void (*change)(struct lock *));

#endif
