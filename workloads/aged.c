/* A heap that has lived before it is measured: objects of all lifetimes come and go, most die, and
 * the survivors lie scattered over the pages that the measured phase then has to live with. */
#include <errno.h>
#include <stdio.h>

#include "workloads/emit.h"
#include "workloads/prng.h"
#include "workloads/registry.h"

enum parameter { LITTER, SURVIVORS, LONG_LIVED, OBJECTS, ALLOCATIONS, LARGEST, SEED };

static const struct workload_parameter parameters[] = {
    [LITTER] = {"litter", 200000, 0, UINT64_C(1) << 40,
                "objects that age the heap; 0 is the measured phase on a fresh heap", NULL},
    [SURVIVORS] = {"survivors", 5, 0, 100, "per cent of the litter that stay for good", NULL},
    [LONG_LIVED] = {"long", 45, 0, 100,
                    "per cent of the litter that stay until the heap has aged; the rest die young",
                    NULL},
    [OBJECTS] = {"objects", 20000, 1, 1 << 26, "live at a time in the measured phase", NULL},
    [ALLOCATIONS] = {"allocations", 200000, 1, UINT64_C(1) << 50, "of the measured phase", NULL},
    [LARGEST] = {"largest", 1024, 1, 1 << 30,
                 "bytes of the largest object; every doubling up to it is equally likely", NULL},
    [SEED] = {"seed", 1, 0, UINT64_MAX, "of sizes, lifetimes and the order of frees", NULL},
    {0},
};

/* The young die at random out of so many: long enough a life to leave objects of all ages between
 * two survivors, short enough that most of the litter is gone at once. */
#define YOUNG_OBJECTS 256

struct aged {
    struct object_ids *ids;
    struct live_set young, old; /* the litter that will die */
    struct live_set window;     /* of the measured phase */
    struct prng aging, measured;
    uint64_t litter_left, survivor_percent, long_percent;
    uint64_t object_count, allocations_left, largest;
};

static int start(void *state, const uint64_t *values, struct trace_error *error)
{
    struct aged *aged = state;
    if (values[SURVIVORS] + values[LONG_LIVED] > 100) {
        snprintf(error->message, sizeof error->message,
                 "survivors and long come to more than 100 per cent");
        return -EINVAL;
    }
    aged->litter_left = values[LITTER];
    aged->survivor_percent = values[SURVIVORS];
    aged->long_percent = values[LONG_LIVED];
    aged->object_count = values[OBJECTS];
    aged->allocations_left = values[ALLOCATIONS];
    aged->largest = values[LARGEST];
    /* A generator of its own, so that the measured phase is the same whatever went before. */
    prng_seed(&aged->measured, values[SEED]);
    prng_seed(&aged->aging, ~values[SEED]);
    aged->ids = object_ids_new();
    return aged->ids ? 0 : -ENOMEM;
}

static int free_any(struct aged *aged, struct live_set *set, struct prng *prng,
                    struct trace_event *event)
{
    return emit_free_from(set, prng_below(prng, set->count), aged->ids, event);
}

static int litter(struct aged *aged, struct trace_event *event)
{
    if (aged->young.count > YOUNG_OBJECTS)
        return free_any(aged, &aged->young, &aged->aging, event);
    aged->litter_left--;
    uint64_t size = prng_log_uniform(&aged->aging, aged->largest);
    uint64_t fate = prng_below(&aged->aging, 100);
    if (fate < aged->survivor_percent)
        return emit_malloc(aged->ids, event, 0, size);
    fate -= aged->survivor_percent;
    return emit_malloc_into(fate < aged->long_percent ? &aged->old : &aged->young, aged->ids, event,
                            size);
}

static int measure(struct aged *aged, struct trace_event *event)
{
    if (aged->window.count == aged->object_count)
        return free_any(aged, &aged->window, &aged->measured, event);
    aged->allocations_left--;
    return emit_malloc_into(&aged->window, aged->ids, event,
                            prng_log_uniform(&aged->measured, aged->largest));
}

static int next(void *state, struct trace_event *event)
{
    struct aged *aged = state;
    if (aged->litter_left)
        return litter(aged, event);
    if (aged->young.count)
        return free_any(aged, &aged->young, &aged->aging, event);
    if (aged->old.count)
        return free_any(aged, &aged->old, &aged->aging, event);
    return aged->allocations_left ? measure(aged, event) : 0;
}

static void stop(void *state)
{
    struct aged *aged = state;
    live_set_clean_up(&aged->young);
    live_set_clean_up(&aged->old);
    live_set_clean_up(&aged->window);
    object_ids_destroy(aged->ids);
}

const struct workload workload_aged = {
    .name = "aged",
    .summary = "litter of all lifetimes leaves scattered survivors, then objects are replaced",
    .shows = "what a heap costs that is not fresh: search through holes, spread over many pages",
    .origin = "K. Smith and M. Seltzer, \"File System Aging\", SIGMETRICS 1997, for heaps",
    .parameters = parameters,
    .state_bytes = sizeof(struct aged),
    .start = start,
    .next = next,
    .stop = stop,
};
