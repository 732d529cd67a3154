/* A library that registers handlers of forks, which allocate, before anybody else does. */
#include "allocator/tests/fork_handlers.h"

#include <pthread.h>
#include <string.h>

unsigned fork_handlers_ran;

/* More than what a thread's fronts hold, so that it takes locks. */
static void use_memory(void)
{
    enum { OBJECTS = 200, LEAST_BYTES = 40, STEP_BYTES = 300 };
    void *objects[OBJECTS];

    for (size_t i = 0; i < OBJECTS; i++) {
        size_t bytes = LEAST_BYTES + i * STEP_BYTES;
        objects[i] = FORK_HANDLERS_MALLOC(bytes);
        memset(objects[i], 1, bytes);
    }
    for (size_t i = 0; i < OBJECTS; i++)
        FORK_HANDLERS_FREE(objects[i]);
    fork_handlers_ran++;
}

__attribute__((constructor)) static void register_handlers(void)
{
    (void)pthread_atfork(use_memory, use_memory, use_memory);
}
