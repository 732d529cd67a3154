/* One thread of each pair only allocates, the other only frees what the first hands over. */
#include <errno.h>
#include <stdlib.h>

#include "workloads/emit.h"
#include "workloads/prng.h"
#include "workloads/registry.h"

enum parameter { PAIRS, ALLOCATIONS, QUEUE, LARGEST, SEED };

static const struct workload_parameter parameters[] = {
    [PAIRS] = {"pairs", 1, 1, 64, "of a producer and a consumer", NULL},
    [ALLOCATIONS] = {"allocations", 200000, 1, UINT64_C(1) << 50, "of each producer", NULL},
    [QUEUE] = {"queue", 10000, 1, 1 << 24, "objects on their way between the two at most", NULL},
    [LARGEST] = {"largest", 1024, 1, 1 << 30,
                 "bytes of the largest object; every doubling up to it is equally likely", NULL},
    [SEED] = {"seed", 1, 0, UINT64_MAX, "of sizes and of the interleaving of threads", NULL},
    {0},
};

/* Turns are long enough for the queue to run full and empty from time to time. */
#define LONGEST_TURN 4096

struct pair {
    uint32_t *ring; /* ids of the objects in the queue */
    size_t head, count;
    uint64_t allocations_left;
    uint32_t producer, consumer;
    int has_producer_ended;
};

struct producer_consumer {
    struct object_ids *ids;
    struct pair *pairs;
    struct prng prng;
    uint64_t pair_count, queue_capacity, largest;
    uint64_t started; /* threads */
    uint64_t pairs_left;
    uint64_t turn_left;
    size_t current;
    int is_consuming;
};

static int start(void *state, const uint64_t *values, struct trace_error *error)
{
    (void)error;
    struct producer_consumer *all = state;
    all->pair_count = all->pairs_left = values[PAIRS];
    all->queue_capacity = values[QUEUE];
    all->largest = values[LARGEST];
    prng_seed(&all->prng, values[SEED]);
    all->ids = object_ids_new();
    all->pairs = calloc(all->pair_count, sizeof *all->pairs);
    if (!all->ids || !all->pairs)
        return -ENOMEM;
    for (size_t i = 0; i < all->pair_count; i++) {
        all->pairs[i].ring = calloc(all->queue_capacity, sizeof *all->pairs[i].ring);
        if (!all->pairs[i].ring)
            return -ENOMEM;
        all->pairs[i].allocations_left = values[ALLOCATIONS];
        all->pairs[i].producer = (uint32_t)(2 * i + 1);
        all->pairs[i].consumer = (uint32_t)(2 * i + 2);
    }
    return 0;
}

static int produce(struct producer_consumer *all, struct pair *pair, struct trace_event *event)
{
    uint64_t size = prng_log_uniform(&all->prng, all->largest);
    int status = emit_malloc(all->ids, event, pair->producer, size);
    pair->ring[(pair->head + pair->count++) % all->queue_capacity] = event->object;
    pair->allocations_left--;
    return status;
}

static int consume(struct producer_consumer *all, struct pair *pair, struct trace_event *event)
{
    uint32_t object = pair->ring[pair->head];
    pair->head = (pair->head + 1) % all->queue_capacity;
    pair->count--;
    return emit_free(all->ids, event, pair->consumer, object);
}

/* Nothing to allocate is left: the producer ends at once, the consumer when the queue is empty. */
static int wind_up(struct producer_consumer *all, struct pair *pair, struct trace_event *event)
{
    if (!pair->has_producer_ended) {
        pair->has_producer_ended = 1;
        return emit_thread_end(all->ids, event, pair->producer);
    }
    if (pair->count)
        return consume(all, pair, event);
    struct pair ended = *pair;
    *pair = all->pairs[--all->pairs_left];
    all->pairs[all->pairs_left] = ended; /* `stop` still frees its ring */
    all->turn_left = 0;
    return emit_thread_end(all->ids, event, ended.consumer);
}

static int next(void *state, struct trace_event *event)
{
    struct producer_consumer *all = state;
    if (all->started < 2 * all->pair_count)
        return emit_thread_start(event, 0, (uint32_t)++all->started);
    if (!all->pairs_left)
        return 0;
    if (!all->turn_left) {
        all->current = prng_below(&all->prng, all->pairs_left);
        all->is_consuming = (int)prng_below(&all->prng, 2);
        all->turn_left = prng_between(&all->prng, 1, LONGEST_TURN);
    }
    all->turn_left--;
    struct pair *pair = &all->pairs[all->current];
    if (!pair->allocations_left)
        return wind_up(all, pair, event);
    int can_produce = pair->count < all->queue_capacity;
    if ((all->is_consuming && pair->count) || !can_produce)
        return consume(all, pair, event);
    return produce(all, pair, event);
}

static void stop(void *state)
{
    struct producer_consumer *all = state;
    for (size_t i = 0; all->pairs && i < all->pair_count; i++)
        free(all->pairs[i].ring);
    free(all->pairs);
    object_ids_destroy(all->ids);
}

const struct workload workload_producer_consumer = {
    .name = "producer-consumer",
    .summary = "threads that only allocate, and threads that only free what those hand over",
    .shows = "the cost of remote frees, and memory that piles up with the thread that never "
             "allocates",
    .origin = "xmalloc: C. Lever and D. Boreham, \"malloc() Performance in a Multithreaded Linux "
              "Environment\", USENIX 2000",
    .parameters = parameters,
    .state_bytes = sizeof(struct producer_consumer),
    .start = start,
    .next = next,
    .stop = stop,
};
