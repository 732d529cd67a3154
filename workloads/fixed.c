/* Rounds of many objects of one size, freed last-in first-out, first-in first-out or in random
 * order: the micro-benchmark of an allocator's fast path and of its free lists. */
#include <errno.h>

#include "workloads/emit.h"
#include "workloads/prng.h"
#include "workloads/registry.h"

enum parameter { SIZE, ORDER, OBJECTS, ROUNDS, SEED };
enum order { LIFO, FIFO, RANDOM };

static const char *const orders[] = {[LIFO] = "lifo", [FIFO] = "fifo", [RANDOM] = "random", NULL};

static const struct workload_parameter parameters[] = {
    [SIZE] = {"size", 64, 0, 1 << 30, "bytes of every object", NULL},
    [ORDER] = {"order", LIFO, LIFO, RANDOM, "of the frees", orders},
    [OBJECTS] = {"objects", 4096, 1, 1 << 24, "allocated in a round, then freed", NULL},
    [ROUNDS] = {"rounds", 64, 1, UINT64_C(1) << 40, "of allocating and freeing all", NULL},
    [SEED] = {"seed", 1, 0, UINT64_MAX, "of the random order", NULL},
    {0},
};

struct fixed {
    struct object_ids *ids;
    struct live_set live;
    struct prng prng;
    uint64_t size, object_count, rounds_left;
    size_t freed; /* this round; only FIFO leaves freed objects standing in `live` */
    enum order order;
    int freeing;
};

static int start(void *state, const uint64_t *values, struct trace_error *error)
{
    (void)error;
    struct fixed *fixed = state;
    fixed->size = values[SIZE];
    fixed->order = (enum order)values[ORDER];
    fixed->object_count = values[OBJECTS];
    fixed->rounds_left = values[ROUNDS];
    prng_seed(&fixed->prng, values[SEED]);
    fixed->ids = object_ids_new();
    return fixed->ids ? 0 : -ENOMEM;
}

static int free_next(struct fixed *fixed, struct trace_event *event)
{
    fixed->freed++;
    switch (fixed->order) {
    case FIFO:
        return emit_free(fixed->ids, event, 0, fixed->live.objects[fixed->freed - 1].id);
    case RANDOM:
        return emit_free_from(&fixed->live, prng_below(&fixed->prng, fixed->live.count), fixed->ids,
                              event);
    case LIFO:
    default:
        return emit_free_from(&fixed->live, fixed->live.count - 1, fixed->ids, event);
    }
}

static int next(void *state, struct trace_event *event)
{
    struct fixed *fixed = state;
    while (fixed->rounds_left) {
        if (!fixed->freeing) {
            if (fixed->live.count < fixed->object_count)
                return emit_malloc_into(&fixed->live, fixed->ids, event, fixed->size);
            fixed->freeing = 1;
        }
        if (fixed->freed < fixed->object_count)
            return free_next(fixed, event);
        fixed->live.count = 0;
        fixed->freed = 0;
        fixed->freeing = 0;
        fixed->rounds_left--;
    }
    return 0;
}

static void stop(void *state)
{
    struct fixed *fixed = state;
    live_set_clean_up(&fixed->live);
    object_ids_destroy(fixed->ids);
}

const struct workload workload_fixed = {
    .name = "fixed",
    .summary = "rounds of many objects of one size, freed in LIFO, FIFO or random order",
    .shows = "the fast path per size; how locality and cost suffer when frees come out of order",
    .origin = "micro-benchmark; compare glibc's benchtests/bench-malloc-simple.c",
    .parameters = parameters,
    .state_bytes = sizeof(struct fixed),
    .start = start,
    .next = next,
    .stop = stop,
};
