/* Threads that come and go, with objects that outlive them: each thread leaves some of its own
 * behind, and takes what others that are gone have left, to free it one day.
 *
 * In the original a thread also takes what its contemporaries leave. Replayed, it would have to
 * wait for each of those to be allocated, and the waits would be most of what is measured. */
#include <errno.h>
#include <stdlib.h>

#include "workloads/emit.h"
#include "workloads/prng.h"
#include "workloads/registry.h"

enum parameter { THREADS, GENERATIONS, ALLOCATIONS, LEFT, LARGEST, SEED };

static const struct workload_parameter parameters[] = {
    [THREADS] = {"threads", 2, 1, 64, "that run at a time, beside the first one", NULL},
    [GENERATIONS] = {"generations", 40, 1, 100000, "of threads, one after the other", NULL},
    [ALLOCATIONS] = {"allocations", 2500, 1, UINT64_C(1) << 40, "of a thread's life", NULL},
    [LEFT] = {"left", 500, 0, 1 << 24, "objects that a thread leaves behind at most", NULL},
    [LARGEST] = {"largest", 1024, 1, 1 << 30,
                 "bytes of the largest object; every doubling up to it is equally likely", NULL},
    [SEED] = {"seed", 1, 0, UINT64_MAX, "of sizes, choices and the interleaving of threads", NULL},
    {0},
};

/* The probabilities of mimalloc's test-stress.c, per allocation: of a free, and of an exchange. */
#define FREE_PERCENT     66
#define EXCHANGE_PERCENT 25
/* Threads take turns of up to this many events, as in larson. */
#define LONGEST_TURN 64

struct lane {
    struct live_set objects; /* of the thread that runs now */
    struct live_set left;    /* what it will leave behind */
    uint64_t allocations_left, generations_left;
    uint32_t thread;
    uint32_t heir; /* the successor, once it has been started and the owner has only to end */
    int may_free;  /* the last event was an allocation */
};

struct churn {
    struct object_ids *ids;
    struct lane *lanes;
    struct live_set orphans; /* whose threads are gone */
    struct prng prng;
    uint64_t lane_count, lanes_left, left_limit, allocations, largest;
    uint64_t turn_left, started;
    size_t current; /* lane */
    uint32_t thread_count;
};

static int start(void *state, const uint64_t *values, struct trace_error *error)
{
    (void)error;
    struct churn *churn = state;
    churn->lane_count = churn->lanes_left = values[THREADS];
    churn->left_limit = values[LEFT];
    churn->allocations = values[ALLOCATIONS];
    churn->largest = values[LARGEST];
    churn->thread_count = 1;
    prng_seed(&churn->prng, values[SEED]);
    churn->ids = object_ids_new();
    churn->lanes = calloc(churn->lane_count, sizeof *churn->lanes);
    if (!churn->ids || !churn->lanes)
        return -ENOMEM;
    for (size_t i = 0; i < churn->lane_count; i++) {
        churn->lanes[i].allocations_left = churn->allocations;
        churn->lanes[i].generations_left = values[GENERATIONS];
    }
    return 0;
}

static int allocate(struct churn *churn, struct lane *lane, struct trace_event *event)
{
    uint64_t size = prng_log_uniform(&churn->prng, churn->largest);
    lane->allocations_left--;
    lane->may_free = 1;
    int status = emit_malloc(churn->ids, event, lane->thread, size);
    if (status < 0)
        return status;
    status = live_set_add(&lane->objects, (struct live_object){.size = size, .id = event->object});
    return status < 0 ? status : 1;
}

static int release(struct churn *churn, struct lane *lane, struct trace_event *event)
{
    size_t victim = prng_below(&churn->prng, lane->objects.count);
    lane->may_free = 0;
    return emit_free(churn->ids, event, lane->thread, live_set_take(&lane->objects, victim).id);
}

/* Moves any object of one set to the other. Returns 0 or -ENOMEM. */
static int move_any(struct churn *churn, struct live_set *from, struct live_set *to)
{
    return live_set_add(to, live_set_take(from, prng_below(&churn->prng, from->count)));
}

/* Puts an object aside for those who come later, and adopts an orphan. No event of its own. */
static int exchange(struct churn *churn, struct lane *lane)
{
    int status = 0;
    if (lane->left.count < churn->left_limit)
        status = move_any(churn, &lane->objects, &lane->left);
    if (!status && churn->orphans.count)
        status = move_any(churn, &churn->orphans, &lane->objects);
    return status;
}

static void retire(struct churn *churn, struct lane *lane)
{
    struct lane retired = *lane;
    *lane = churn->lanes[--churn->lanes_left];
    churn->lanes[churn->lanes_left] = retired; /* `stop` still frees its sets */
}

/* A thread frees what it holds, starts its successor, and ends. */
static int wind_up(struct churn *churn, struct lane *lane, struct trace_event *event)
{
    if (lane->objects.count)
        return release(churn, lane, event);
    if (lane->generations_left > 1 && !lane->heir) {
        lane->heir = churn->thread_count++;
        return emit_thread_start(event, lane->thread, lane->heir);
    }
    while (lane->left.count)
        if (live_set_add(&churn->orphans, live_set_take(&lane->left, lane->left.count - 1)))
            return -ENOMEM;
    uint32_t ending = lane->thread;
    if (lane->heir) {
        lane->thread = lane->heir;
        lane->heir = 0;
        lane->allocations_left = churn->allocations;
        lane->generations_left--;
    } else {
        retire(churn, lane);
    }
    churn->turn_left = 0;
    return emit_thread_end(churn->ids, event, ending);
}

static int run_thread(struct churn *churn, struct lane *lane, struct trace_event *event)
{
    struct prng *prng = &churn->prng;
    if (!lane->allocations_left)
        return wind_up(churn, lane, event);
    if (lane->may_free && prng_below(prng, 100) < FREE_PERCENT)
        return release(churn, lane, event);
    if (lane->objects.count && prng_below(prng, 100) < EXCHANGE_PERCENT && exchange(churn, lane))
        return -ENOMEM;
    return allocate(churn, lane, event);
}

static int next(void *state, struct trace_event *event)
{
    struct churn *churn = state;
    if (churn->started < churn->lane_count) {
        churn->lanes[churn->started++].thread = churn->thread_count;
        return emit_thread_start(event, 0, churn->thread_count++);
    }
    if (!churn->lanes_left && churn->orphans.count) /* the first thread frees the last of them */
        return emit_free_from(&churn->orphans, churn->orphans.count - 1, churn->ids, event);
    if (!churn->lanes_left)
        return 0;
    if (!churn->turn_left) {
        churn->current = prng_below(&churn->prng, churn->lanes_left);
        churn->turn_left = prng_between(&churn->prng, 1, LONGEST_TURN);
    }
    churn->turn_left--;
    return run_thread(churn, &churn->lanes[churn->current], event);
}

static void stop(void *state)
{
    struct churn *churn = state;
    for (size_t i = 0; churn->lanes && i < churn->lane_count; i++) {
        live_set_clean_up(&churn->lanes[i].objects);
        live_set_clean_up(&churn->lanes[i].left);
    }
    free(churn->lanes);
    live_set_clean_up(&churn->orphans);
    object_ids_destroy(churn->ids);
}

const struct workload workload_churn = {
    .name = "churn",
    .summary = "threads that come and go, and leave objects for later threads to free",
    .shows = "what starting and ending a thread costs, and memory stuck in heaps of dead threads",
    .origin = "mstress: D. Leijen, test-stress.c of mimalloc",
    .parameters = parameters,
    .state_bytes = sizeof(struct churn),
    .start = start,
    .next = next,
    .stop = stop,
};
