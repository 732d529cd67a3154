/* Decay: memory that has been free for a while goes back to the system while the program runs.
 *
 * There is no thread for it; slow calls pay.  Two clocks drive it: the traffic of slow calls, and
 * the time, looked at once in DECAY_PERIOD slow calls.  What was free during the whole of the last
 * interval is what goes: at the pace of traffic no more than costs what the calls did that pay for
 * it; after a tenth of a second, all of it. */
#ifndef ALLOCATOR_DECAY_H
#define ALLOCATOR_DECAY_H

#include "allocator/lock.h"

/* Slow calls of one heap between two looks. */
enum { DECAY_PERIOD = 64 };

/* One look.  Takes the locks of the arenas, the zone and the large objects: none may be held.
 * Returns how many intervals of time have ended, so that a heap notices that another one has. While
 * one thread is at it the others do without. */
unsigned decay_look(void);

/* Calls `change` with decay's own lock, which comes before those of the slabs: for a fork. */
void decay_change_lock(void (*change)(struct lock *));

#endif
