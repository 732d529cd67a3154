/* A server that runs for hours: its live bytes stand still, while what it holds shifts from small
 * objects to large ones and back, too slowly for anyone to notice but the allocator. */
#include <errno.h>
#include <stdbool.h>

#include "workloads/emit.h"
#include "workloads/prng.h"
#include "workloads/registry.h"

enum parameter { ALLOCATIONS, LIVE, PERIOD, OLD, SMALL, LARGE, SEED };

static const struct workload_parameter parameters[] = {
    [ALLOCATIONS] = {"allocations", 400000, 1, UINT64_C(1) << 50, "objects in all", NULL},
    [LIVE] = {"live", 4 << 20, 4096, UINT64_C(1) << 40, "bytes of the objects that stay", NULL},
    [PERIOD] = {"period", 200000, 2, UINT64_C(1) << 50,
                "allocations from all small to all large and back", NULL},
    [OLD] = {"old", 20, 1, 100, "per cent of the objects that stay; the rest serve one request",
             NULL},
    [SMALL] = {"small", 256, 1, 1 << 20, "bytes of the largest small object", NULL},
    [LARGE] = {"large", 4096, 1, 1 << 20, "bytes of the largest large object", NULL},
    [SEED] = {"seed", 1, 0, UINT64_MAX, "of sizes, lifetimes and the order of frees", NULL},
    {0},
};

/* Objects of requests in flight; whose request ends first is random. */
#define YOUNG_OBJECTS 256

struct server {
    struct object_ids *ids;
    struct live_set young, old;
    struct prng prng;
    uint64_t allocated, allocation_count, period, old_percent, small, large;
    uint64_t old_bytes, old_limit;
};

static int start(void *state, const uint64_t *values, struct trace_error *error)
{
    (void)error;
    struct server *server = state;
    server->allocation_count = values[ALLOCATIONS];
    server->period = values[PERIOD];
    server->old_percent = values[OLD];
    server->small = values[SMALL];
    server->large = values[LARGE];
    server->old_limit = values[LIVE];
    prng_seed(&server->prng, values[SEED]);
    server->ids = object_ids_new();
    return server->ids ? 0 : -ENOMEM;
}

/* The share of large objects rises from none to all over half a period and falls again. */
static uint64_t draw_size(struct server *server)
{
    uint64_t moment = server->allocated % server->period, rest = server->period - moment;
    uint64_t nearness = 2 * (moment < rest ? moment : rest);
    bool is_large = prng_below(&server->prng, server->period) < nearness;
    return prng_between(&server->prng, 1, is_large ? server->large : server->small);
}

static int next(void *state, struct trace_event *event)
{
    struct server *server = state;
    if (server->young.count > YOUNG_OBJECTS)
        return emit_free_from(&server->young, prng_below(&server->prng, server->young.count),
                              server->ids, event);
    if (server->old_bytes > server->old_limit) {
        size_t victim = prng_below(&server->prng, server->old.count);
        server->old_bytes -= server->old.objects[victim].size;
        return emit_free_from(&server->old, victim, server->ids, event);
    }
    if (server->allocated == server->allocation_count)
        return 0;
    uint64_t size = draw_size(server);
    bool is_old = prng_below(&server->prng, 100) < server->old_percent;
    server->allocated++;
    server->old_bytes += is_old ? size : 0;
    return emit_malloc_into(is_old ? &server->old : &server->young, server->ids, event, size);
}

static void stop(void *state)
{
    struct server *server = state;
    live_set_clean_up(&server->young);
    live_set_clean_up(&server->old);
    object_ids_destroy(server->ids);
}

const struct workload workload_server = {
    .name = "server",
    .summary = "constant live bytes whose sizes drift to and fro, among short requests",
    .shows = "whether memory goes on growing: the slope of resident bytes over hours",
    .origin = "the growth of long-running servers; phases as in size-shift, without their edges",
    .parameters = parameters,
    .state_bytes = sizeof(struct server),
    .start = start,
    .next = next,
    .stop = stop,
};
