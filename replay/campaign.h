/* A campaign: sources x allocators x modes x repetitions, each run in its own process, with one row
 * per run.
 *
 * Within a source the repetitions are blocks: every allocator runs once in each block, in an order
 * shuffled anew, so that drift of the machine falls on all of them alike (randomised complete
 * blocks).
 */
#ifndef REPLAY_CAMPAIGN_H
#define REPLAY_CAMPAIGN_H

#include <stdbool.h>
#include <stdio.h>

#include "replay/run_row.h"

#define CAMPAIGN_ALLOCATOR_LIMIT 32
#define CAMPAIGN_SOURCE_LIMIT    256

struct campaign_plan {
    const char *allocators[CAMPAIGN_ALLOCATOR_LIMIT]; /* names that target_find knows */
    unsigned allocator_count;
    const char *sources[CAMPAIGN_SOURCE_LIMIT];
    unsigned source_count;
    /* NULL, or by place those sources that are no traces and open already, since opening them took
     * long; the campaign closes them and leaves NULL. */
    struct trace_source **opened;
    bool measures_throughput, measures_latency, measures_memory, checks;
    enum run_touch touch;
    enum run_pace pace;   /* of memory runs; nothing else runs at the recorded one */
    unsigned repetitions; /* of throughput; memory and check run once */
    unsigned memory_repetitions, latency_repetitions;
    unsigned limit_s; /* for one window of one run */
    double budget_s;  /* further repetitions of throughput are left out once this is spent; 0 for no
                         limit */
    /* Where control_width is above 0, traces get further blocks of throughput after the planned
     * ones, until the interval of the control over them is narrower, no trace may have more
     * (block_limit), or one start of the program has spent further_s on it; see precision.h. */
    double control_width, further_s;
    unsigned block_limit;
    uint64_t seed;
    bool is_seed_given; /* by the user; else a campaign that is taken up keeps its own */
    bool shows_progress;
    bool resumes;       /* the folder holds the files of a campaign that was cut off */
    const char *folder; /* of runs.csv, timeline.csv and latency.csv, NULL for none; must exist */
};

/* Blocks that a trace gets at a time beyond the planned ones: opening it takes about as long as one
 * block, and the control is judged anew after these. */
#define CAMPAIGN_BATCH 5

/* What ended the repetition of throughput. */
enum repetition_end {
    REPETITION_AS_PLANNED,
    REPETITION_REACHED,
    REPETITION_OUT_OF_TIME,
    REPETITION_OUT_OF_BLOCKS
};

/* All rows of a campaign, and for each source whether it is a trace. */
struct campaign_results {
    struct run_row *rows;
    size_t row_count, row_capacity;
    bool is_trace[CAMPAIGN_SOURCE_LIMIT];
    char source_names[CAMPAIGN_SOURCE_LIMIT][RUN_ROW_TEXT_BYTES];
    unsigned plan_places[CAMPAIGN_SOURCE_LIMIT]; /* of the sources in the plan */
    unsigned source_count;                       /* that could be opened */
    enum repetition_end repetition_end;
    unsigned failed_count;     /* runs that failed */
    unsigned unreadable_count; /* sources that could not be read to their end */
    unsigned skipped_count;    /* runs of allocators that are not there, or can't do this */
};

/* Runs the plan. What fails is reported on standard error at once, kept as a row, and the rest goes
 * on. Returns 0, or -errno where results could not be written (reported as well), -EINTR where an
 * interrupt ended it. The caller clears
 * *results with campaign_results_clear in both cases. */
int campaign_run(const struct campaign_plan *plan, struct campaign_results *results);

/* Whether nothing ran at all: every row, if there is one, tells what was left out. */
bool campaign_is_empty(const struct campaign_results *results);

/* Adds a row. Returns NULL where memory ran out. */
struct run_row *campaign_new_row(struct campaign_results *results);

void campaign_results_clear(struct campaign_results *results);

/* Median, least and largest of a column over the rows of (source, allocator, mode) that are ok. */
struct campaign_statistic {
    double median, minimum, maximum;
    unsigned count;
};
struct campaign_statistic campaign_statistic(const struct campaign_results *results,
                                             const char *source, const char *allocator,
                                             enum run_mode mode,
                                             double (*column)(const struct run_row *row));

/* Columns for campaign_statistic. */
double row_ns_per_event(const struct run_row *row);
double row_peak_rss(const struct run_row *row);
double row_mean_rss(const struct run_row *row);
double row_fragmentation(const struct run_row *row);

#endif
