/* The heap grows to a peak, drains to a residue of random survivors, and grows again with objects
 * of another size. */
#include <errno.h>

#include "workloads/emit.h"
#include "workloads/prng.h"
#include "workloads/registry.h"

enum parameter { PEAK, TEETH, SIZE, OCTAVES, RESIDUE, SEED };

static const struct workload_parameter parameters[] = {
    [PEAK] = {"peak", 8 << 20, 1024, UINT64_C(1) << 40, "live bytes at the tip of a tooth", NULL},
    [TEETH] = {"teeth", 8, 1, UINT64_C(1) << 40, "times it ramps up and drains", NULL},
    [SIZE] = {"size", 64, 1, 1 << 24, "bytes of the first tooth's objects, up to twice that", NULL},
    [OCTAVES] = {"octaves", 4, 1, 16, "doublings of the size before it starts over", NULL},
    [RESIDUE] = {"residue", 5, 0, 99, "per cent of the peak that stays live at the bottom", NULL},
    [SEED] = {"seed", 1, 0, UINT64_MAX, "of sizes and of the order of frees", NULL},
    {0},
};

struct sawtooth {
    struct object_ids *ids;
    struct live_set live;
    struct prng prng;
    uint64_t live_bytes, peak_bytes, residue_bytes;
    uint64_t first_size, octave_count, tooth, tooth_count;
    int draining;
};

static int start(void *state, const uint64_t *values, struct trace_error *error)
{
    (void)error;
    struct sawtooth *saw = state;
    saw->peak_bytes = values[PEAK];
    saw->residue_bytes = values[PEAK] / 100 * values[RESIDUE];
    saw->first_size = values[SIZE];
    saw->octave_count = values[OCTAVES];
    saw->tooth_count = values[TEETH];
    prng_seed(&saw->prng, values[SEED]);
    saw->ids = object_ids_new();
    return saw->ids ? 0 : -ENOMEM;
}

static int ramp_up(struct sawtooth *saw, struct trace_event *event)
{
    uint64_t low = saw->first_size << saw->tooth % saw->octave_count;
    uint64_t size = prng_between(&saw->prng, low, 2 * low - 1);
    saw->live_bytes += size;
    return emit_malloc_into(&saw->live, saw->ids, event, size);
}

static int drain(struct sawtooth *saw, struct trace_event *event)
{
    size_t victim = prng_below(&saw->prng, saw->live.count);
    saw->live_bytes -= saw->live.objects[victim].size;
    return emit_free_from(&saw->live, victim, saw->ids, event);
}

static int next(void *state, struct trace_event *event)
{
    struct sawtooth *saw = state;
    while (saw->tooth < saw->tooth_count) {
        if (!saw->draining) {
            if (saw->live_bytes < saw->peak_bytes)
                return ramp_up(saw, event);
            saw->draining = 1;
        }
        if (saw->live_bytes > saw->residue_bytes)
            return drain(saw, event);
        saw->draining = 0;
        saw->tooth++;
    }
    return 0;
}

static void stop(void *state)
{
    struct sawtooth *saw = state;
    live_set_clean_up(&saw->live);
    object_ids_destroy(saw->ids);
}

const struct workload workload_sawtooth = {
    .name = "sawtooth",
    .summary = "ramps up and drains to a few random survivors, each time with other sizes",
    .shows = "memory kept after a peak, pages pinned by few survivors, no reuse across sizes",
    .origin = "P. R. Wilson et al., \"Dynamic Storage Allocation: A Survey and Critical Review\", "
              "IWMM 1995: ramps, peaks and plateaus",
    .parameters = parameters,
    .state_bytes = sizeof(struct sawtooth),
    .start = start,
    .next = next,
    .stop = stop,
};
