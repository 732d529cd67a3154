/* How the zone gets address space and units from the system: by the program break, or, where that
 * is not to be had, from reserved ranges.  All of it needs the zone's lock, which
 * zone_grow drops while the system is asked. */
#ifndef ALLOCATOR_ZONE_GROW_H
#define ALLOCATOR_ZONE_GROW_H

#include "allocator/zone.h"

/* Gets new units from the system, enough for a run of `units` unless somebody else moved the break
 * meanwhile, or waits until another thread got some; false where there are none to be had. */
bool zone_grow(size_t units, unsigned kind);
/* Whether the heap is so large that it grows in huge pages. */
bool zone_is_huge(void);

/* Of zone.c.  Units [first, end) became free: the hints of all lengths of which a run may begin
 * there now are not to lie above it. */
void zone_lower_hints(size_t first, size_t end);

#endif
