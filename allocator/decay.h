/* Decay: memory that has been free for a while goes back to the system while the program runs.
 *
 * There is no thread for it; slow calls pay.  Two clocks drive it: the traffic of slow calls, and
 * the time, looked at once in DECAY_PERIOD slow calls.  What was free during the whole of the last
 * interval is what goes: at the pace of traffic no more than costs what the calls did that pay for
 * it; after a tenth of a second, all of it.  Where slow calls are so few that the system's coarse
 * clock moves before the traffic comes to a step, some of what is free goes, idle or not.
 */
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

/* Calls `change` with decay's own lock, which comes before those of the slabs: for a fork. */
void decay_change_lock(void (*change)(struct lock *));

#endif
