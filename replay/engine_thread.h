/* What the loop and the engine around it share about one replaying thread. */
#ifndef REPLAY_ENGINE_THREAD_H
#define REPLAY_ENGINE_THREAD_H

#include <pthread.h>

#include "replay/run.h"

struct engine;

struct engine_thread {
    const struct target *target;
    _Atomic uint64_t *slots;
    const struct replay_event *events; /* of the window */
    struct engine *engine;
    uint64_t stall_ns, unsupported_count;
    uint32_t index;
    int stack; /* of the shared ones, -1 for an ordinary one */
    pthread_t handle;
};

/* The rare paths of the loop. The first two return once another thread has done its part. */
uint64_t engine_wait_for_object(struct engine_thread *self, _Atomic uint64_t *slot,
                                uint16_t generation);
void engine_wait_for_vacancy(struct engine_thread *self, _Atomic uint64_t *slot, uint64_t vacant);
void engine_wait_for_time(struct engine_thread *self, uint64_t since_start_ns);
void engine_start_thread(struct engine *engine, uint32_t index);
_Noreturn void engine_out_of_memory(struct engine_thread *self, const struct replay_event *event);

#endif
