/* Memory for the allocator's own tables of which a small program needs little: what is asked for
 * lies side by side, in the order in which it is first needed, so that a process holds a page or
 * two for all of it and none for what it never uses. It lasts as long as the process. */
#ifndef ALLOCATOR_BASE_H
#define ALLOCATOR_BASE_H

#include "allocator/os.h"

/* Returns `bytes` of zeros, apart from the cache lines of others; NULL once all is given out.
 * Needs no lock. */
void *base_take(size_t bytes);
/* Where all of it begins. */
char *base_start(void);

#endif
