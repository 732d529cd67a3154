/* A window of large objects, replaced one by one in random order: buffers of a media or numerical
 * program. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "workloads/emit.h"
#include "workloads/prng.h"
#include "workloads/registry.h"

enum parameter { OBJECTS, ALLOCATIONS, SMALLEST, LARGEST, SEED };

static const struct workload_parameter parameters[] = {
    [OBJECTS] = {"objects", 32, 1, 1 << 20, "live at a time", NULL},
    [ALLOCATIONS] = {"allocations", 2000, 1, UINT64_C(1) << 50, "objects in all", NULL},
    [SMALLEST] = {"smallest", 64 << 10, 1, UINT64_C(1) << 36, "bytes of the smallest object", NULL},
    [LARGEST] = {"largest", 2 << 20, 1, UINT64_C(1) << 36, "bytes of the largest object", NULL},
    [SEED] = {"seed", 1, 0, UINT64_MAX, "of sizes and of the order of replacement", NULL},
    {0},
};

struct large_churn {
    struct object_ids *ids;
    struct live_set live;
    struct prng prng;
    uint64_t object_count, allocations_left, smallest, largest;
};

static int start(void *state, const uint64_t *values, struct trace_error *error)
{
    struct large_churn *churn = state;
    if (values[SMALLEST] > values[LARGEST]) {
        snprintf(error->message, sizeof error->message,
                 "smallest=%" PRIu64 " must not be larger than largest=%" PRIu64, values[SMALLEST],
                 values[LARGEST]);
        return -EINVAL;
    }
    churn->object_count = values[OBJECTS];
    churn->allocations_left = values[ALLOCATIONS];
    churn->smallest = values[SMALLEST];
    churn->largest = values[LARGEST];
    prng_seed(&churn->prng, values[SEED]);
    churn->ids = object_ids_new();
    return churn->ids ? 0 : -ENOMEM;
}

static int next(void *state, struct trace_event *event)
{
    struct large_churn *churn = state;
    if (!churn->allocations_left)
        return 0;
    if (churn->live.count == churn->object_count)
        return emit_free_from(&churn->live, prng_below(&churn->prng, churn->live.count), churn->ids,
                              event);
    churn->allocations_left--;
    uint64_t size = prng_between(&churn->prng, churn->smallest, churn->largest);
    return emit_malloc_into(&churn->live, churn->ids, event, size);
}

static void stop(void *state)
{
    struct large_churn *churn = state;
    live_set_clean_up(&churn->live);
    object_ids_destroy(churn->ids);
}

const struct workload workload_large_churn = {
    .name = "large-churn",
    .summary = "a window of large objects of random sizes, replaced in random order",
    .shows = "whether mappings are kept and reused, or every buffer costs its page faults again",
    .origin = "frame and matrix buffers of media and numerical programs",
    .parameters = parameters,
    .state_bytes = sizeof(struct large_churn),
    .start = start,
    .next = next,
    .stop = stop,
};
