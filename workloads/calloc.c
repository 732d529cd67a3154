/* A window of zeroed objects, replaced one by one in random order. */
#include <errno.h>

#include "workloads/emit.h"
#include "workloads/prng.h"
#include "workloads/registry.h"
#include "workloads/zipf.h"

enum parameter { OBJECTS, ALLOCATIONS, LARGEST, COUNT, SEED };

static const struct workload_parameter parameters[] = {
    [OBJECTS] = {"objects", 4096, 1, 1 << 24, "live at a time", NULL},
    [ALLOCATIONS] = {"allocations", 200000, 1, UINT64_C(1) << 50, "objects in all", NULL},
    [LARGEST] = {"largest", 16 << 10, 1, 1 << 20,
                 "bytes of the largest object; sizes follow Zipf's law in steps of 16", NULL},
    [COUNT] = {"count", 4, 1, 1 << 16, "elements that an object is made of", NULL},
    [SEED] = {"seed", 1, 0, UINT64_MAX, "of sizes and of the order of replacement", NULL},
    {0},
};

#define STEP_BYTES 16 /* the alignment of every 64-bit malloc: finer steps are not told apart */

struct zeroed {
    struct object_ids *ids;
    struct live_set live;
    struct zipf zipf;
    struct prng prng;
    uint64_t object_count, allocations_left, largest_bytes, element_count;
};

static int start(void *state, const uint64_t *values, struct trace_error *error)
{
    (void)error;
    struct zeroed *zeroed = state;
    zeroed->object_count = values[OBJECTS];
    zeroed->allocations_left = values[ALLOCATIONS];
    zeroed->largest_bytes = values[LARGEST];
    zeroed->element_count = values[COUNT];
    prng_seed(&zeroed->prng, values[SEED]);
    zeroed->ids = object_ids_new();
    if (!zeroed->ids)
        return -ENOMEM;
    return zipf_init(&zeroed->zipf, (values[LARGEST] + STEP_BYTES - 1) / STEP_BYTES);
}

static int allocate(struct zeroed *zeroed, struct trace_event *event)
{
    uint64_t total = zipf_draw(&zeroed->zipf, &zeroed->prng) * STEP_BYTES;
    if (total > zeroed->largest_bytes)
        total = zeroed->largest_bytes;
    uint64_t count = zeroed->element_count < total ? zeroed->element_count : total;
    zeroed->allocations_left--;
    int status = emit_calloc(zeroed->ids, event, 0, count, total / count);
    if (status < 0)
        return status;
    status = live_set_add(&zeroed->live, (struct live_object){.size = total, .id = event->object});
    return status < 0 ? status : 1;
}

static int next(void *state, struct trace_event *event)
{
    struct zeroed *zeroed = state;
    if (!zeroed->allocations_left)
        return 0;
    if (zeroed->live.count < zeroed->object_count)
        return allocate(zeroed, event);
    size_t victim = prng_below(&zeroed->prng, zeroed->live.count);
    return emit_free_from(&zeroed->live, victim, zeroed->ids, event);
}

static void stop(void *state)
{
    struct zeroed *zeroed = state;
    live_set_clean_up(&zeroed->live);
    zipf_clean_up(&zeroed->zipf);
    object_ids_destroy(zeroed->ids);
}

const struct workload workload_calloc = {
    .name = "calloc",
    .summary = "a window of zeroed objects with Zipf sizes, replaced in random order",
    .shows = "the price of zeroing: recycled memory must be cleared, fresh pages need not be",
    .origin = "micro-benchmark; malloc(3)",
    .parameters = parameters,
    .state_bytes = sizeof(struct zeroed),
    .start = start,
    .next = next,
    .stop = stop,
};
