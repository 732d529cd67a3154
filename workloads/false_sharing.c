/* Threads that each allocate, write and free small objects, over and over. Where an allocator gives
 * two threads parts of one cache line, the line travels between their processors all the time.
 *
 * Active: the allocator itself splits a line between threads. Passive: the program does, by handing
 * neighbouring objects of one thread to several, and an allocator that lets each thread reuse what
 * it has freed keeps the line split for ever.
 *
 * A trace has no event for a write. The replay writes the first byte of each new object and the
 * allocator its own links, so the line is fought for once per call instead of for each of the many
 * writes of the original programs: the effect is a fraction of theirs, but it is the same one. */
#include <errno.h>
#include <stdlib.h>

#include "workloads/emit.h"
#include "workloads/registry.h"

enum parameter { THREADS, OBJECTS, ROUNDS, SIZE };

static const struct workload_parameter parameters[] = {
    [THREADS] = {"threads", 2, 2, 64, "that share lines, beside the first one", NULL},
    [OBJECTS] = {"objects", 4, 1, 8, "that a thread holds at a time", NULL},
    [ROUNDS] = {"rounds", 25000, 1, UINT64_C(1) << 40, "of allocating and freeing them, per thread",
                NULL},
    [SIZE] = {"size", 8, 1, 32, "bytes of an object", NULL},
    {0},
};

/* The replay's own table has a word per object id: threads whose ids are neighbours would share its
 * lines, and every allocator would look guilty. A thread first makes and frees objects of another
 * size, whose ids it then reuses; those in the middle of them lie two pairs of lines away from
 * another thread's. */
#define SPACERS      32
#define SPACER_BYTES 1024
/* Nobody waits for anybody, so their length makes no difference to a replay. */
#define TURN_ROUNDS 16

struct sharer {
    uint32_t spacers[SPACERS], handed[8], objects[8];
    uint64_t rounds_left;
    size_t spaced, returned, unspaced, held; /* how many of each */
    int is_freeing, has_ended;
};

struct false_sharing {
    struct object_ids *ids;
    struct sharer *sharers;
    uint64_t thread_count, object_count, size_bytes;
    uint64_t handed, started, ended; /* objects; threads */
    uint64_t current, turn_left;
    int is_passive;
};

static int start(struct false_sharing *all, const uint64_t *values, int is_passive)
{
    all->is_passive = is_passive;
    all->thread_count = values[THREADS];
    all->object_count = values[OBJECTS];
    all->size_bytes = values[SIZE];
    all->ids = object_ids_new();
    all->sharers = calloc(all->thread_count, sizeof *all->sharers);
    if (!all->ids || !all->sharers)
        return -ENOMEM;
    for (size_t i = 0; i < all->thread_count; i++) {
        all->sharers[i].rounds_left = values[ROUNDS];
        all->sharers[i].returned = is_passive ? 0 : all->object_count;
    }
    return 0;
}

static int start_active(void *state, const uint64_t *values, struct trace_error *error)
{
    (void)error;
    return start(state, values, 0);
}

static int start_passive(void *state, const uint64_t *values, struct trace_error *error)
{
    (void)error;
    return start(state, values, 1);
}

static int allocate(struct false_sharing *all, struct trace_event *event, uint32_t thread,
                    uint64_t size, uint32_t *object)
{
    int status = emit_malloc(all->ids, event, thread, size);
    *object = event->object;
    return status;
}

/* The outer spacers go first, so that the ids from the middle are the first to be reused. */
static uint32_t next_spacer(struct sharer *sharer)
{
    size_t turn = sharer->unspaced++;
    return sharer->spacers[turn % 2 ? SPACERS - 1 - turn / 2 : turn / 2];
}

static int run_thread(struct false_sharing *all, struct sharer *sharer, uint32_t thread,
                      struct trace_event *event)
{
    if (sharer->spaced < SPACERS)
        return allocate(all, event, thread, SPACER_BYTES, &sharer->spacers[sharer->spaced++]);
    if (sharer->returned < all->object_count)
        return emit_free(all->ids, event, thread, sharer->handed[sharer->returned++]);
    if (sharer->unspaced < SPACERS)
        return emit_free(all->ids, event, thread, next_spacer(sharer));
    if (!sharer->is_freeing) {
        int status =
            allocate(all, event, thread, all->size_bytes, &sharer->objects[sharer->held++]);
        sharer->is_freeing = sharer->held == all->object_count;
        return status;
    }
    uint32_t object = sharer->objects[--sharer->held];
    if (!sharer->held) {
        sharer->is_freeing = 0;
        sharer->rounds_left--;
        all->turn_left--;
    }
    return emit_free(all->ids, event, thread, object);
}

/* Neighbours go to different threads. */
static int hand_out(struct false_sharing *all, struct trace_event *event)
{
    struct sharer *sharer = &all->sharers[all->handed % all->thread_count];
    size_t index = all->handed++ / all->thread_count;
    return allocate(all, event, 0, all->size_bytes, &sharer->handed[index]);
}

static int next(void *state, struct trace_event *event)
{
    struct false_sharing *all = state;
    if (all->is_passive && all->handed < all->thread_count * all->object_count)
        return hand_out(all, event);
    if (all->started < all->thread_count)
        return emit_thread_start(event, 0, (uint32_t)++all->started);
    if (all->ended == all->thread_count)
        return 0;
    while (!all->turn_left || all->sharers[all->current].has_ended) {
        all->current = (all->current + 1) % all->thread_count;
        all->turn_left = TURN_ROUNDS;
    }
    struct sharer *sharer = &all->sharers[all->current];
    uint32_t thread = (uint32_t)all->current + 1;
    if (sharer->rounds_left)
        return run_thread(all, sharer, thread, event);
    sharer->has_ended = 1;
    all->ended++;
    return emit_thread_end(all->ids, event, thread);
}

static void stop(void *state)
{
    struct false_sharing *all = state;
    free(all->sharers);
    object_ids_destroy(all->ids);
}

const struct workload workload_false_sharing_active = {
    .name = "false-sharing-active",
    .summary = "threads that allocate and free a few small objects of their own, over and over",
    .shows = "an allocator that splits one cache line between threads",
    .origin = "cache-thrash: E. Berger, K. McKinley, R. Blumofe and P. Wilson, \"Hoard: A Scalable "
              "Memory Allocator for Multithreaded Applications\", ASPLOS 2000",
    .parameters = parameters,
    .state_bytes = sizeof(struct false_sharing),
    .start = start_active,
    .next = next,
    .stop = stop,
};

const struct workload workload_false_sharing_passive = {
    .name = "false-sharing-passive",
    .summary = "the same, after each thread freed neighbouring objects that the first one made",
    .shows = "an allocator that lets threads reuse their parts of a line that was split for them",
    .origin = "cache-scratch of the same paper",
    .parameters = parameters,
    .state_bytes = sizeof(struct false_sharing),
    .start = start_passive,
    .next = next,
    .stop = stop,
};
