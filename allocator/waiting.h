/* What a program frees beyond that which may stay dirty (zone.h) waits before it goes to the
 * system: for as long as the program goes on freeing more than it allocates, for such a program is
 * often about to end, and then the system takes back all at once for less; and for as long as it
 * takes back what waits.
 *
 *               more is dirty than is to stay            nothing goes on growing or shrinking,
 *                                                        or a large object is allocated
 *     (nothing) ----------------------------> watched ----------------------------> settled
 *         ^                                      ^                                     |  |
 *         |                                      +--- the program frees more again ---+   |
 *         +----------------------- no more is dirty than is to stay ----------------------+
 *
 * While something is watched or settled no allocation of a small object goes the frequent way, so
 * that they can be counted, and each ALLOCATIONS_PER_LOOK of them look at it: memory does not stay
 * because a program calls only what its fronts serve. Where threads are crowded (place.h) nothing
 * waits: a part of it goes at each slow call. */
#ifndef ALLOCATOR_WAITING_H
#define ALLOCATOR_WAITING_H

#include "allocator/zone.h"

/* Whether something waits: of all allocations that do not go the frequent way waiting_note_alloc is
 * to be told then. */
static inline bool waiting_is_on(void)
{
    return __builtin_expect(__atomic_load_n(&zone.is_waiting, __ATOMIC_RELAXED), 0);
}

/* Tell of a call that freed something behind the fronts, of an allocation, and of one that may get
 * new memory elsewhere, beside which nothing waits.  They take the zone's lock. */
void waiting_begin(void);
void waiting_count_alloc(void);
void waiting_end(void);
static inline void waiting_note_free(void)
{
    if (__builtin_expect(__atomic_load_n(&zone.has_excess, __ATOMIC_RELAXED), 0))
        waiting_begin();
}
static inline void waiting_note_alloc(void)
{
    if (waiting_is_on())
        waiting_count_alloc();
}

/* Tells that all that waits was purged; what comes later waits anew. */
void waiting_cancel(void);

/* Calls `change` with its own lock, which comes before those of the slabs: for a fork. */
void waiting_change_lock(void (*change)(struct lock *));

#endif
