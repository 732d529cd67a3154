/* What sampling does to the run that is sampled: the shipped single-threaded traces on some
 * allocators with and without it, in turns, and the ratios of their times. This program is its own
 * run process. Exit status 1: the effect is beyond the limit, or nothing could be measured. */
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/child.h"
#include "replay/runner.h"
#include "replay/sources.h"
#include "replay/statistics.h"

#define LIMIT        1.05
#define ROUNDS       15
#define SAMPLE_LIMIT 64

static const char *const allocators[] = {"system", "jemalloc", "mem_ts"};
#define ALLOCATOR_COUNT (sizeof allocators / sizeof allocators[0])

struct pair {
    struct runner *plain, *sampled;
};

static double ns_of(struct runner *runner, const char *allocator)
{
    unsigned lane;
    if (runner_start(runner, &allocator, 1, &lane))
        return NAN;
    const struct run_outcome *outcome = runner_finish(runner, lane);
    if (!outcome->is_complete)
        fprintf(stderr, "sampling_bench: %s: %s\n", allocator, outcome->error);
    return outcome->is_complete ? (double)outcome->wall_ns : NAN;
}

/* Who goes first changes from round to round, so that drift of the machine cancels. */
static double ratio_of(const struct pair *pair, const char *allocator, unsigned round)
{
    double sampled = round % 2 ? ns_of(pair->sampled, allocator) : NAN;
    double plain = ns_of(pair->plain, allocator);
    if (round % 2 == 0)
        sampled = ns_of(pair->sampled, allocator);
    return sampled / plain;
}

static int open_pair(struct pair *pair, struct trace_source **sources)
{
    struct runner_options options = {
        .touch = TOUCH_PAGE, .processor = sched_getcpu(), .limit_s = 60};
    options.mode = RUN_THROUGHPUT;
    if (runner_open(&pair->plain, sources[0], &options))
        return -1;
    options.mode = RUN_MEMORY;
    return runner_open(&pair->sampled, sources[1], &options);
}

static void say(const char *name, const struct ratio_estimate *estimate)
{
    printf("%-28s %.3f (%.3f to %.3f)\n", name, estimate->ratio, estimate->low, estimate->high);
    fflush(stdout);
}

/* Fills the ratios of one trace on one allocator. Returns how many there are. */
static size_t measure(const struct pair *pair, const char *trace, const char *allocator,
                      double *ratios)
{
    size_t count = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        double ratio = ratio_of(pair, allocator, round);
        if (!isnan(ratio))
            ratios[count++] = ratio;
    }
    char name[64];
    struct ratio_estimate estimate;
    struct ratio_sample sample = {ratios, count};
    snprintf(name, sizeof name, "%s, %s", trace, allocator);
    if (count && statistics_estimate(&estimate, &sample, 1, 1) == 0)
        say(name, &estimate);
    return count;
}

/* Two sources, since each runner reads its own. Returns how many samples came of the trace. */
static size_t measure_trace(const char *name, double (*ratios)[ROUNDS],
                            struct ratio_sample *samples)
{
    struct trace_source *sources[2] = {NULL};
    struct trace_error error;
    struct pair pair = {NULL, NULL};
    char *path;
    size_t count = 0;
    if (asprintf(&path, TRACE_FOLDER "/%s.trace", name) < 0)
        return 0;
    if (trace_open(&sources[0], path, &error) == 0 && trace_open(&sources[1], path, &error) == 0 &&
        sources[0]->summary->thread_count == 1 && open_pair(&pair, sources) == 0)
        for (; count < ALLOCATOR_COUNT; count++)
            samples[count] = (struct ratio_sample){
                ratios[count], measure(&pair, name, allocators[count], ratios[count])};
    runner_close(pair.plain);
    runner_close(pair.sampled);
    trace_source_close(sources[0]);
    trace_source_close(sources[1]);
    free(path);
    return count;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], CHILD_COMMAND))
        return child_main(argc - 1, argv + 1);
    static double ratios[SAMPLE_LIMIT][ROUNDS];
    static struct ratio_sample samples[SAMPLE_LIMIT];
    struct ratio_estimate estimate;
    size_t count = 0;
    char **names = source_shipped_names();
    printf("time with sampling over time without: median of %d pairs (95 %% interval)\n", ROUNDS);
    for (size_t i = 0; names && names[i] && count + ALLOCATOR_COUNT <= SAMPLE_LIMIT; i++)
        count += measure_trace(names[i], &ratios[count], &samples[count]);
    source_free_names(names);
    if (!count || statistics_estimate(&estimate, samples, count, 1))
        return 1;
    say("geometric mean", &estimate);
    return estimate.low < LIMIT ? 0 : 1;
}
