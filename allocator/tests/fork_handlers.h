/* fork_handlers.c with the functions that it allocates with: those of the static library, or the
 * preloaded malloc. */
#ifndef ALLOCATOR_TEST_FORK_HANDLERS_H
#define ALLOCATOR_TEST_FORK_HANDLERS_H

#ifdef FORK_HANDLERS_PRELOADED
#include <stdlib.h>
#define FORK_HANDLERS_MALLOC malloc
#define FORK_HANDLERS_FREE   free
#else
#include "allocator/include/allocator.h"
#define FORK_HANDLERS_MALLOC mem_malloc_ts
#define FORK_HANDLERS_FREE   mem_free_ts
#endif

extern unsigned fork_handlers_ran;

#endif
