/* Robson's adversary, played in advance against first fit.
 *
 * Phase i allocates objects of 2^i units. Before it, an offset f within 2^i units is chosen, and
 * every object is freed that does not cover an address equal to f modulo 2^i: whatever is left
 * pins an aligned stretch of 2^i units, so that no hole takes an object of the phase. Of the two
 * offsets that agree with the last phase's, the one with more to pin wins, as in the paper.
 *
 * The adversary of the paper looks at the addresses that its victim returns. A trace is written
 * before it meets an allocator, so this one looks at those that first fit from an empty heap would
 * return; the units of all objects are placed here. That makes it the full adversary of an
 * allocator which places like first fit, and a good guess for any other that fills a fresh heap
 * upwards. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "workloads/emit.h"
#include "workloads/registry.h"

enum parameter { LIVE, LARGEST, UNIT, HEADER };

static const struct workload_parameter parameters[] = {
    [LIVE] = {"live", 4 << 20, 1024, UINT64_C(1) << 36,
              "M: bytes live at a time at most, headers included", NULL},
    [LARGEST] = {"largest", 16 << 10, 2, 1 << 30,
                 "n: bytes of the largest object, its header included; the unit times a power of 2",
                 NULL},
    [UNIT] = {"unit", 16, 1, 4096, "bytes of the smallest object, its header included", NULL},
    [HEADER] = {"header", 0, 0, 64,
                "bytes that the allocator adds to each object, left out of the requests", NULL},
    {0},
};

struct block {
    uint64_t address; /* in units, where first fit puts it */
    uint32_t units, id;
};

/* In the order of their addresses. */
struct blocks {
    struct block *items;
    size_t count;
};

struct robson {
    struct object_ids *ids;
    struct blocks placed, previous; /* `placed` is made anew of `previous` in each phase */
    size_t capacity;                /* of both */
    uint64_t unit_bytes, header_bytes;
    uint64_t live_units, unit_limit; /* M in units */
    uint64_t offset;                 /* f */
    uint64_t end;                    /* of the last block placed: where the next hole begins */
    uint64_t wanted;                 /* objects still to place in this phase */
    size_t looked_at;                /* blocks of `previous` that were freed, kept or passed */
    unsigned phase, phase_count;
    enum { FREE, PLACE } step;
};

static int start(void *state, const uint64_t *values, struct trace_error *error)
{
    struct robson *robson = state;
    uint64_t unit = values[UNIT], ratio = values[LARGEST] / unit;
    if (values[LARGEST] % unit || ratio < 2 || ratio & (ratio - 1)) {
        snprintf(error->message, sizeof error->message,
                 "largest=%" PRIu64 " must be unit=%" PRIu64 " times 2, 4, 8 or another power of 2",
                 values[LARGEST], unit);
        return -EINVAL;
    }
    if (values[HEADER] >= unit || values[LARGEST] > values[LIVE]) {
        snprintf(error->message, sizeof error->message,
                 values[HEADER] >= unit ? "header must be smaller than unit"
                                        : "largest must not be larger than live");
        return -EINVAL;
    }
    robson->unit_bytes = unit;
    robson->header_bytes = values[HEADER];
    robson->unit_limit = values[LIVE] / unit;
    robson->phase_count = 64 - (unsigned)__builtin_clzll(ratio);
    robson->step = PLACE;
    robson->wanted = robson->unit_limit;
    robson->capacity = robson->unit_limit;
    robson->placed.items = calloc(robson->capacity, sizeof *robson->placed.items);
    robson->previous.items = calloc(robson->capacity, sizeof *robson->previous.items);
    robson->ids = object_ids_new();
    return robson->ids && robson->placed.items && robson->previous.items ? 0 : -ENOMEM;
}

/* Whether the block covers an address equal to `offset` modulo `modulus`, a power of two. */
static int is_pinning(const struct block *block, uint64_t offset, uint64_t modulus)
{
    return ((offset - block->address) & (modulus - 1)) < block->units;
}

/* How many units the blocks that pin would keep from the phase's objects: each of them a stretch of
 * `modulus`, less its own. */
static uint64_t units_pinned(const struct blocks *blocks, uint64_t offset, uint64_t modulus)
{
    uint64_t units = 0;
    for (size_t i = 0; i < blocks->count; i++)
        if (is_pinning(&blocks->items[i], offset, modulus))
            units += modulus - blocks->items[i].units;
    return units;
}

static void start_phase(struct robson *robson)
{
    struct blocks placed = robson->placed;
    uint64_t modulus = UINT64_C(1) << robson->phase, other = robson->offset + modulus / 2;
    if (units_pinned(&placed, other, modulus) > units_pinned(&placed, robson->offset, modulus))
        robson->offset = other;
    robson->placed = robson->previous;
    robson->placed.count = 0;
    robson->previous = placed;
    robson->looked_at = 0;
    robson->step = FREE;
}

/* Frees the next block that pins nothing; of those before it, `previous` keeps what stays. Returns
 * 0 when there is none. */
static int free_next(struct robson *robson, struct trace_event *event)
{
    struct blocks *blocks = &robson->previous;
    while (robson->looked_at < blocks->count) {
        struct block block = blocks->items[robson->looked_at++];
        if (!is_pinning(&block, robson->offset, UINT64_C(1) << robson->phase)) {
            robson->live_units -= block.units;
            return emit_free(robson->ids, event, 0, block.id);
        }
        blocks->items[robson->placed.count++] = block;
    }
    return 0;
}

static void start_placing(struct robson *robson)
{
    robson->previous.count = robson->placed.count;
    robson->placed.count = 0;
    robson->looked_at = 0;
    robson->end = 0;
    robson->wanted = (robson->unit_limit - robson->live_units) >> robson->phase;
    robson->step = PLACE;
}

/* Moves the hole that begins at `end` behind the next block of `previous`. */
static void pass_block(struct robson *robson)
{
    struct block block = robson->previous.items[robson->looked_at++];
    robson->placed.items[robson->placed.count++] = block;
    robson->end = block.address + block.units;
}

/* All objects of a phase have one size, so first fit never has to look back. */
static int place_next(struct robson *robson, struct trace_event *event)
{
    const struct blocks *previous = &robson->previous;
    uint32_t units = UINT32_C(1) << robson->phase;
    while (robson->looked_at < previous->count &&
           previous->items[robson->looked_at].address - robson->end < units)
        pass_block(robson);
    int status =
        emit_malloc(robson->ids, event, 0, units * robson->unit_bytes - robson->header_bytes);
    if (status < 0)
        return status;
    robson->placed.items[robson->placed.count++] =
        (struct block){.address = robson->end, .units = units, .id = event->object};
    robson->end += units;
    robson->live_units += units;
    robson->wanted--;
    return 1;
}

static int next(void *state, struct trace_event *event)
{
    struct robson *robson = state;
    while (robson->phase < robson->phase_count) {
        if (robson->step == FREE) {
            int status = free_next(robson, event);
            if (status)
                return status;
            start_placing(robson);
        }
        if (robson->wanted)
            return place_next(robson, event);
        while (robson->looked_at < robson->previous.count)
            pass_block(robson);
        robson->phase++;
        start_phase(robson);
    }
    return 0;
}

static void stop(void *state)
{
    struct robson *robson = state;
    free(robson->placed.items);
    free(robson->previous.items);
    object_ids_destroy(robson->ids);
}

const struct workload workload_robson = {
    .name = "robson",
    .summary = "the adversary that forces the most fragmentation, played in advance on first fit",
    .shows = "how near an allocator comes to the worst that any must suffer that moves nothing",
    .origin = "J. M. Robson, \"Bounds for Some Functions Concerning Dynamic Storage Allocation\", "
              "Journal of the ACM 21 (1974)",
    .parameters = parameters,
    .state_bytes = sizeof(struct robson),
    .start = start,
    .next = next,
    .stop = stop,
};
