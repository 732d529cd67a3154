#include "replay/latency.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "replay/clock.h"

const char *const latency_kind_names[LATENCY_KINDS] = {"malloc",   "calloc", "realloc",
                                                       "memalign", "free",   "all"};
const double latency_percentiles[LATENCY_POINTS] = {50, 90, 99, 99.9, 99.99, 100};

/* Log-linear buckets, as in HdrHistogram (Tene): exact below 32 ticks, then 32 steps for each
 * doubling. 2^40 ticks are minutes. */
#define STEP_BITS    5
#define STEPS        (1u << STEP_BITS)
#define OCTAVES      36u
#define BUCKET_COUNT ((OCTAVES + 1) * STEPS)

#define FLOOR_SAMPLES 10001

static const struct target *timed_target;
static _Atomic uint64_t buckets[LATENCY_ALL][BUCKET_COUNT];
static uint64_t started_ticks, started_ns;

/* ---- the counter ---- */

/* Not before all that stands before it in the program is done, and before anything behind it
 * begins. */
static inline uint64_t read_ticks(void)
{
#if defined(__x86_64__)
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
#else
    return clock_now_ns();
#endif
}

static int compare_ticks(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static uint64_t measure_floor(void)
{
    static uint64_t samples[FLOOR_SAMPLES];
    for (size_t i = 0; i < FLOOR_SAMPLES; i++) {
        uint64_t start = read_ticks();
        samples[i] = read_ticks() - start;
    }
    qsort(samples, FLOOR_SAMPLES, sizeof samples[0], compare_ticks);
    return samples[FLOOR_SAMPLES / 2];
}

/* ---- the histogram ---- */

static unsigned bucket_of(uint64_t ticks)
{
    if (ticks < STEPS)
        return (unsigned)ticks;
    unsigned octave = 63u - (unsigned)__builtin_clzll(ticks) - STEP_BITS;
    if (octave >= OCTAVES)
        return BUCKET_COUNT - 1;
    return (octave + 1) * STEPS + (unsigned)(ticks >> octave & (STEPS - 1));
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_top(unsigned bucket)
{
    if (bucket < STEPS)
        return bucket;
    unsigned octave = bucket / STEPS - 1;
    return ((uint64_t)(STEPS + bucket % STEPS + 1) << octave) - 1;
}

static void note(enum latency_kind kind, uint64_t start)
{
    uint64_t ticks = read_ticks() - start;
    atomic_fetch_add_explicit(&buckets[kind][bucket_of(ticks)], 1, memory_order_relaxed);
}

/* The least value that at least `percentile` per cent of the `count` values do not exceed. */
static uint64_t percentile_of(const uint64_t *counts, uint64_t count, double percentile)
{
    double wanted = (double)count * percentile / 100;
    uint64_t seen = 0;
    for (unsigned i = 0; i < BUCKET_COUNT; i++) {
        seen += counts[i];
        if (counts[i] && (double)seen >= wanted)
            return bucket_top(i);
    }
    return 0;
}

static void summarise(struct latency_figures *figures, enum latency_kind kind,
                      const uint64_t *counts, double ns_per_tick)
{
    figures->counts[kind] = 0;
    for (unsigned i = 0; i < BUCKET_COUNT; i++)
        figures->counts[kind] += counts[i];
    for (unsigned i = 0; i < LATENCY_POINTS; i++) {
        double ns = (double)percentile_of(counts, figures->counts[kind], latency_percentiles[i]) *
                    ns_per_tick;
        figures->ns[kind][i] = ns > figures->floor_ns ? ns : figures->floor_ns;
    }
}

void latency_read(struct latency_figures *figures)
{
    static uint64_t counts[LATENCY_KINDS][BUCKET_COUNT];
    double ns_per_tick =
        (double)(clock_now_ns() - started_ns) / (double)(read_ticks() - started_ticks);
    memset(counts, 0, sizeof counts);
    for (unsigned kind = 0; kind < LATENCY_ALL; kind++)
        for (unsigned i = 0; i < BUCKET_COUNT; i++) {
            counts[kind][i] = atomic_load_explicit(&buckets[kind][i], memory_order_relaxed);
            counts[LATENCY_ALL][i] += counts[kind][i];
        }
    figures->floor_ns = (double)measure_floor() * ns_per_tick;
    for (unsigned kind = 0; kind < LATENCY_KINDS; kind++)
        summarise(figures, (enum latency_kind)kind, counts[kind], ns_per_tick);
}

/* ---- the vtable ---- */

static void *timed_malloc(size_t size)
{
    uint64_t start = read_ticks();
    void *object = timed_target->malloc(size);
    note(LATENCY_MALLOC, start);
    return object;
}

static void *timed_calloc(size_t count, size_t size)
{
    uint64_t start = read_ticks();
    void *object = timed_target->calloc(count, size);
    note(LATENCY_CALLOC, start);
    return object;
}

static void *timed_realloc(void *object, size_t size)
{
    uint64_t start = read_ticks();
    void *moved = timed_target->realloc(object, size);
    note(LATENCY_REALLOC, start);
    return moved;
}

static void *timed_memalign(size_t alignment, size_t size)
{
    uint64_t start = read_ticks();
    void *object = timed_target->memalign(alignment, size);
    note(LATENCY_MEMALIGN, start);
    return object;
}

static void timed_free(void *object)
{
    uint64_t start = read_ticks();
    timed_target->free(object);
    note(LATENCY_FREE, start);
}

void latency_time_target(struct target *timed, const struct target *target)
{
    timed_target = target;
    memset(buckets, 0, sizeof buckets);
    *timed = *target;
    timed->malloc = timed_malloc;
    timed->calloc = timed_calloc;
    timed->realloc = timed_realloc;
    timed->free = timed_free;
    if (target->memalign)
        timed->memalign = timed_memalign;
    started_ticks = read_ticks();
    started_ns = clock_now_ns();
}
