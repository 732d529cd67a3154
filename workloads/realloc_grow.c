/* Several vectors or strings grow side by side, each step by a factor and a constant, until they
 * reach their limit and start over. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "workloads/emit.h"
#include "workloads/prng.h"
#include "workloads/registry.h"

enum parameter { VECTORS, REALLOCS, FIRST, LIMIT, PACE, SEED };

#define SHARED_PARAMETERS(what, limit)                                                         \
    [VECTORS] = {what, 512, 1, 1 << 22, "that grow side by side, the next one drawn", NULL},   \
    [REALLOCS] = {"reallocs", 300000, 1, UINT64_C(1) << 50, "growing steps in all", NULL},     \
    [FIRST] = {"first", 16, 1, 1 << 30, "bytes of a new one", NULL},                           \
    [LIMIT] = {"limit", limit, 1, UINT64_C(1) << 40, "bytes beyond which one is freed", NULL}, \
    [SEED] = {"seed", 1, 0, UINT64_MAX, "of the order of steps", NULL}

static const struct workload_parameter grow_parameters[] = {
    SHARED_PARAMETERS("vectors", 32 << 10),
    [PACE] = {"growth", 150, 101, 1000, "per cent of its size that a step makes one", NULL},
    [SEED + 1] = {0},
};

static const struct workload_parameter append_parameters[] = {
    SHARED_PARAMETERS("strings", 2 << 10),
    [PACE] = {"step", 32, 1, 1 << 30, "bytes that a step adds to one", NULL},
    [SEED + 1] = {0},
};

struct vector {
    uint64_t size; /* 0: not allocated */
    uint32_t id;
};

struct realloc_grow {
    struct object_ids *ids;
    struct vector *vectors;
    struct prng prng;
    uint64_t vector_count, reallocs_left, first_bytes, limit_bytes, growth_percent, step_bytes;
};

static uint64_t grown(const struct realloc_grow *grow, uint64_t size)
{
    uint64_t larger = size * grow->growth_percent / 100 + grow->step_bytes;
    return larger > size ? larger : size + 1; /* a factor alone is lost on the smallest sizes */
}

/* The pace is set already. */
static int start(struct realloc_grow *grow, const uint64_t *values, struct trace_error *error)
{
    grow->vector_count = values[VECTORS];
    grow->reallocs_left = values[REALLOCS];
    grow->first_bytes = values[FIRST];
    grow->limit_bytes = values[LIMIT];
    prng_seed(&grow->prng, values[SEED]);
    if (grown(grow, grow->first_bytes) > grow->limit_bytes) {
        snprintf(error->message, sizeof error->message,
                 "limit leaves no room for a single step from first; raise limit");
        return -EINVAL;
    }
    grow->vectors = calloc(grow->vector_count, sizeof *grow->vectors);
    grow->ids = object_ids_new();
    return grow->vectors && grow->ids ? 0 : -ENOMEM;
}

static int start_growing(void *state, const uint64_t *values, struct trace_error *error)
{
    struct realloc_grow *grow = state;
    grow->growth_percent = values[PACE];
    return start(grow, values, error);
}

static int start_appending(void *state, const uint64_t *values, struct trace_error *error)
{
    struct realloc_grow *grow = state;
    grow->growth_percent = 100;
    grow->step_bytes = values[PACE];
    return start(grow, values, error);
}

static int next(void *state, struct trace_event *event)
{
    struct realloc_grow *grow = state;
    if (!grow->reallocs_left)
        return 0;
    struct vector *vector = &grow->vectors[prng_below(&grow->prng, grow->vector_count)];
    if (!vector->size) {
        int status = emit_malloc(grow->ids, event, 0, grow->first_bytes);
        *vector = (struct vector){.size = grow->first_bytes, .id = event->object};
        return status;
    }
    uint64_t size = grown(grow, vector->size);
    if (size > grow->limit_bytes) {
        vector->size = 0;
        return emit_free(grow->ids, event, 0, vector->id);
    }
    vector->size = size;
    grow->reallocs_left--;
    return emit_realloc(event, 0, vector->id, size);
}

static void stop(void *state)
{
    struct realloc_grow *grow = state;
    free(grow->vectors);
    object_ids_destroy(grow->ids);
}

const struct workload workload_realloc_grow = {
    .name = "realloc-grow",
    .summary = "vectors that grow by a factor, side by side, then start over",
    .shows = "whether realloc remaps or grows in place instead of copying, and the trail of holes "
             "that growing vectors leave",
    .origin = "growth of std::vector and its kin: factor 1.5 or 2",
    .parameters = grow_parameters,
    .state_bytes = sizeof(struct realloc_grow),
    .start = start_growing,
    .next = next,
    .stop = stop,
};

const struct workload workload_realloc_append = {
    .name = "realloc-append",
    .summary = "strings that are appended to, side by side, then start over",
    .shows = "the cost of a realloc that mostly needs no new memory",
    .origin = "strings and buffers read piece by piece: a constant step",
    .parameters = append_parameters,
    .state_bytes = sizeof(struct realloc_grow),
    .start = start_appending,
    .next = next,
    .stop = stop,
};
