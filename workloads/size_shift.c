/* A plateau of live bytes whose sizes shift: each phase replaces the objects of the one before by
 * objects of another size, except for some that stay for good. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "workloads/emit.h"
#include "workloads/prng.h"
#include "workloads/registry.h"

enum parameter { LIVE, PHASES, SIZE, GROWTH, SURVIVORS, SEED };

static const struct workload_parameter parameters[] = {
    [LIVE] = {"live", 8 << 20, 4096, UINT64_C(1) << 40, "live bytes, the same in every phase",
              NULL},
    [PHASES] = {"phases", 6, 1, 64, "sizes in turn", NULL},
    [SIZE] = {"size", 48, 4, 1 << 20, "bytes of the first phase's objects, a quarter more or less",
              NULL},
    [GROWTH] = {"growth", 175, 10, 1000, "per cent of the size from one phase to the next", NULL},
    [SURVIVORS] = {"survivors", 5, 0, 50, "per cent of a phase's objects that stay for good", NULL},
    [SEED] = {"seed", 1, 0, UINT64_MAX, "of sizes, survivors and the order of frees", NULL},
    {0},
};

#define SMALLEST_BYTES   4  /* below, a quarter of the size is nothing */
#define OBJECTS_AT_LEAST 16 /* on the plateau, or a phase has nothing to leave behind */

struct size_shift {
    struct object_ids *ids;
    struct live_set dying; /* of the phase before */
    struct live_set young; /* of this phase */
    struct prng prng;
    uint64_t live_bytes, plateau_bytes;
    uint64_t size, growth_percent, survivor_percent, phases_left;
    uint64_t wanted; /* size of the next object, already drawn */
};

static void draw_wanted(struct size_shift *shift)
{
    uint64_t spread = shift->size / 4;
    shift->wanted = prng_between(&shift->prng, shift->size - spread, shift->size + spread);
}

static int start(void *state, const uint64_t *values, struct trace_error *error)
{
    struct size_shift *shift = state;
    uint64_t size = values[SIZE];
    for (uint64_t phase = 0; phase < values[PHASES]; phase++) {
        if (size < SMALLEST_BYTES || size > values[LIVE] / OBJECTS_AT_LEAST) {
            snprintf(error->message, sizeof error->message,
                     "in phase %" PRIu64 " size and growth come to %" PRIu64
                     " bytes; they must stay between %d and live/%d",
                     phase + 1, size, SMALLEST_BYTES, OBJECTS_AT_LEAST);
            return -EINVAL;
        }
        size = size * values[GROWTH] / 100;
    }
    shift->plateau_bytes = values[LIVE];
    shift->size = values[SIZE];
    shift->growth_percent = values[GROWTH];
    shift->survivor_percent = values[SURVIVORS];
    shift->phases_left = values[PHASES];
    prng_seed(&shift->prng, values[SEED]);
    draw_wanted(shift);
    shift->ids = object_ids_new();
    return shift->ids ? 0 : -ENOMEM;
}

/* Lets go of the survivors, which nobody frees any more, and makes the rest the next to die. */
static void shift_phase(struct size_shift *shift)
{
    size_t survivors = shift->young.count * shift->survivor_percent / 100;
    while (survivors--)
        live_set_take(&shift->young, prng_below(&shift->prng, shift->young.count));
    struct live_set emptied = shift->dying;
    shift->dying = shift->young;
    shift->young = emptied;
    shift->size = shift->size * shift->growth_percent / 100;
    draw_wanted(shift);
    shift->phases_left--;
}

static int next(void *state, struct trace_event *event)
{
    struct size_shift *shift = state;
    while (shift->phases_left) {
        if (shift->live_bytes + shift->wanted <= shift->plateau_bytes) {
            uint64_t size = shift->wanted;
            shift->live_bytes += size;
            draw_wanted(shift);
            return emit_malloc_into(&shift->young, shift->ids, event, size);
        }
        if (shift->dying.count) {
            size_t victim = prng_below(&shift->prng, shift->dying.count);
            shift->live_bytes -= shift->dying.objects[victim].size;
            return emit_free_from(&shift->dying, victim, shift->ids, event);
        }
        shift_phase(shift);
    }
    return 0;
}

static void stop(void *state)
{
    struct size_shift *shift = state;
    live_set_clean_up(&shift->young);
    live_set_clean_up(&shift->dying);
    object_ids_destroy(shift->ids);
}

const struct workload workload_size_shift = {
    .name = "size-shift",
    .summary = "constant live bytes whose sizes shift from phase to phase, survivors left behind",
    .shows = "memory bound to a size that is no longer asked for: resident bytes climb while live "
             "bytes stand still",
    .origin = "phases of P. R. Wilson et al., IWMM 1995; the case that Redis's active "
              "defragmentation was written for (redis.conf)",
    .parameters = parameters,
    .state_bytes = sizeof(struct size_shift),
    .start = start,
    .next = next,
    .stop = stop,
};
