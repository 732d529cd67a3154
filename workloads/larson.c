/* A long-running server: lanes of slots whose objects are replaced at random by a thread that hands
 * its lane on to a successor now and then, so that objects outlive the thread that made them. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "workloads/emit.h"
#include "workloads/prng.h"
#include "workloads/registry.h"

enum parameter { THREADS, OBJECTS, GENERATIONS, REPLACEMENTS, SMALLEST, LARGEST, SEED };

static const struct workload_parameter parameters[] = {
    [THREADS] = {"threads", 2, 1, 64, "that run at a time, beside the first one", NULL},
    [OBJECTS] = {"objects", 5000, 1, 1 << 22, "slots of a lane", NULL},
    [GENERATIONS] = {"generations", 4, 1, 1000, "threads that own a lane, one after the other",
                     NULL},
    [REPLACEMENTS] = {"replacements", 50000, 1, UINT64_C(1) << 40,
                      "frees and allocations of a thread's life", NULL},
    [SMALLEST] = {"smallest", 8, 1, 1 << 30, "bytes of the smallest object", NULL},
    [LARGEST] = {"largest", 1000, 1, 1 << 30, "bytes of the largest object", NULL},
    [SEED] = {"seed", 1, 0, UINT64_MAX, "of sizes, slots and the interleaving of threads", NULL},
    {0},
};

/* Threads take turns of up to this many events: real interleavings come in bursts, and a replay
 * whose threads run freely waits only where an object comes from another thread. */
#define LONGEST_TURN 64

struct lane {
    uint32_t *slots; /* ids */
    uint64_t replacements_left, generations_left;
    size_t hole; /* the slot just freed, where `is_filling` */
    uint32_t thread;
    uint32_t
        heir; /* the successor, once it has been started and the owner has only to end; else 0 */
    int is_filling;
};

struct larson {
    struct object_ids *ids;
    struct lane *lanes;
    struct prng prng;
    uint64_t lane_count, lanes_left, slot_count, replacements, smallest, largest;
    uint64_t placed; /* initial objects, of all lanes */
    uint64_t started;
    uint64_t turn_left;
    size_t current;
    uint32_t thread_count;
};

static int make_lanes(struct larson *larson, uint64_t generations)
{
    larson->lanes = calloc(larson->lane_count, sizeof *larson->lanes);
    if (!larson->lanes)
        return -ENOMEM;
    for (size_t i = 0; i < larson->lane_count; i++) {
        struct lane *lane = &larson->lanes[i];
        lane->slots = calloc(larson->slot_count, sizeof *lane->slots);
        if (!lane->slots)
            return -ENOMEM;
        lane->replacements_left = larson->replacements;
        lane->generations_left = generations;
    }
    return 0;
}

static int start(void *state, const uint64_t *values, struct trace_error *error)
{
    struct larson *larson = state;
    if (values[SMALLEST] > values[LARGEST]) {
        snprintf(error->message, sizeof error->message,
                 "smallest=%" PRIu64 " must not be larger than largest=%" PRIu64, values[SMALLEST],
                 values[LARGEST]);
        return -EINVAL;
    }
    larson->lane_count = larson->lanes_left = values[THREADS];
    larson->slot_count = values[OBJECTS];
    larson->replacements = values[REPLACEMENTS];
    larson->smallest = values[SMALLEST];
    larson->largest = values[LARGEST];
    larson->thread_count = 1;
    prng_seed(&larson->prng, values[SEED]);
    larson->ids = object_ids_new();
    return larson->ids ? make_lanes(larson, values[GENERATIONS]) : -ENOMEM;
}

static int allocate(struct larson *larson, struct trace_event *event, uint32_t thread,
                    uint32_t *slot)
{
    uint64_t size = prng_between(&larson->prng, larson->smallest, larson->largest);
    int status = emit_malloc(larson->ids, event, thread, size);
    *slot = event->object;
    return status;
}

/* The first thread fills all lanes, then starts their owners. */
static int prepare(struct larson *larson, struct trace_event *event)
{
    if (larson->placed < larson->lane_count * larson->slot_count) {
        struct lane *lane = &larson->lanes[larson->placed / larson->slot_count];
        return allocate(larson, event, 0, &lane->slots[larson->placed++ % larson->slot_count]);
    }
    larson->lanes[larson->started++].thread = larson->thread_count;
    return emit_thread_start(event, 0, larson->thread_count++);
}

static int replace(struct larson *larson, struct lane *lane, struct trace_event *event)
{
    if (lane->is_filling) {
        lane->is_filling = 0;
        lane->replacements_left--;
        return allocate(larson, event, lane->thread, &lane->slots[lane->hole]);
    }
    lane->is_filling = 1;
    lane->hole = prng_below(&larson->prng, larson->slot_count);
    return emit_free(larson->ids, event, lane->thread, lane->slots[lane->hole]);
}

static void retire(struct larson *larson, struct lane *lane)
{
    struct lane retired = *lane;
    *lane = larson->lanes[--larson->lanes_left];
    larson->lanes[larson->lanes_left] = retired; /* `stop` still frees its slots */
}

/* A thread starts its successor, then ends; the last owner of a lane only ends. */
static int hand_on(struct larson *larson, struct lane *lane, struct trace_event *event)
{
    if (lane->generations_left > 1 && !lane->heir) {
        lane->heir = larson->thread_count++;
        return emit_thread_start(event, lane->thread, lane->heir);
    }
    uint32_t ending = lane->thread;
    if (lane->heir) {
        lane->thread = lane->heir;
        lane->heir = 0;
        lane->replacements_left = larson->replacements;
        lane->generations_left--;
    } else {
        retire(larson, lane);
    }
    larson->turn_left = 0;
    return emit_thread_end(larson->ids, event, ending);
}

static int next(void *state, struct trace_event *event)
{
    struct larson *larson = state;
    if (larson->started < larson->lane_count)
        return prepare(larson, event);
    if (!larson->lanes_left)
        return 0;
    if (!larson->turn_left) {
        larson->current = prng_below(&larson->prng, larson->lanes_left);
        larson->turn_left = prng_between(&larson->prng, 1, LONGEST_TURN);
    }
    struct lane *lane = &larson->lanes[larson->current];
    if (!lane->replacements_left)
        return hand_on(larson, lane, event);
    larson->turn_left--;
    return replace(larson, lane, event);
}

static void stop(void *state)
{
    struct larson *larson = state;
    for (size_t i = 0; larson->lanes && i < larson->lane_count; i++)
        free(larson->lanes[i].slots);
    free(larson->lanes);
    object_ids_destroy(larson->ids);
}

const struct workload workload_larson = {
    .name = "larson",
    .summary = "a server whose threads replace objects at random and hand them on to successors",
    .shows = "frees by other threads than the allocating one, and heaps of threads that are gone",
    .origin = "P. Larson and M. Krishnan, \"Memory Allocation for Long-Running Server "
              "Applications\", ISMM 1998",
    .parameters = parameters,
    .state_bytes = sizeof(struct larson),
    .start = start,
    .next = next,
    .stop = stop,
};
