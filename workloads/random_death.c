/* Random lifetimes, Zipf sizes: each object is born with the time of its death. */
#include <errno.h>

#include "workloads/death_queue.h"
#include "workloads/emit.h"
#include "workloads/prng.h"
#include "workloads/registry.h"
#include "workloads/zipf.h"

enum parameter { ALLOCATIONS, LIFETIME, LARGEST, STEP, SEED };

static const struct workload_parameter parameters[] = {
    [ALLOCATIONS] = {"allocations", 400000, 1, UINT64_C(1) << 50, "objects in all", NULL},
    [LIFETIME] = {"lifetime", 256 << 10, 1, 1 << 30,
                  "longest life, in allocations; every doubling up to it is equally likely", NULL},
    [LARGEST] = {"largest", 4096, 1, 1 << 20, "bytes of the largest object", NULL},
    [STEP] = {"step", 16, 1, 1 << 20, "bytes per Zipf rank: rank k has sizes up to k steps", NULL},
    [SEED] = {"seed", 1, 0, UINT64_MAX, "of sizes and lifetimes", NULL},
    {0},
};

struct random_death {
    struct object_ids *ids;
    struct zipf zipf;
    struct prng prng;
    struct death_queue living;
    uint64_t allocated, allocation_count, longest_life, step_bytes, largest_bytes;
};

static int start(void *state, const uint64_t *values, struct trace_error *error)
{
    (void)error;
    struct random_death *random = state;
    random->allocation_count = values[ALLOCATIONS];
    random->longest_life = values[LIFETIME];
    random->step_bytes = values[STEP];
    random->largest_bytes = values[LARGEST];
    prng_seed(&random->prng, values[SEED]);
    random->ids = object_ids_new();
    if (!random->ids)
        return -ENOMEM;
    return zipf_init(&random->zipf, (values[LARGEST] + values[STEP] - 1) / values[STEP]);
}

static int give_birth(struct random_death *random, struct trace_event *event)
{
    uint64_t rank = zipf_draw(&random->zipf, &random->prng);
    uint64_t size = rank * random->step_bytes - prng_below(&random->prng, random->step_bytes);
    if (size > random->largest_bytes)
        size = random->largest_bytes;
    uint64_t death = random->allocated++ + prng_log_uniform(&random->prng, random->longest_life);
    int status = emit_malloc(random->ids, event, 0, size);
    if (status < 0)
        return status;
    status = death_queue_add(&random->living, (struct mortal){.death = death, .id = event->object});
    return status < 0 ? status : 1;
}

static int next(void *state, struct trace_event *event)
{
    struct random_death *random = state;
    if (random->living.count && random->living.heap[0].death <= random->allocated)
        return emit_free(random->ids, event, 0, death_queue_take(&random->living).id);
    if (random->allocated == random->allocation_count)
        return 0;
    return give_birth(random, event);
}

static void stop(void *state)
{
    struct random_death *random = state;
    death_queue_clean_up(&random->living);
    zipf_clean_up(&random->zipf);
    object_ids_destroy(random->ids);
}

const struct workload workload_random = {
    .name = "random",
    .summary = "random lifetimes (most die young, few live long) and Zipf sizes",
    .shows = "the general case without phases: placement, size classes and coalescing under churn",
    .origin = "D. E. Knuth, The Art of Computer Programming 1, section 2.5 (simulation); B. Zorn "
              "and D. Grunwald, \"Evaluating Models of Memory Allocation\", 1992",
    .parameters = parameters,
    .state_bytes = sizeof(struct random_death),
    .start = start,
    .next = next,
    .stop = stop,
};
