/* heaplab ratios: liballocator against each peer, from a campaign's rows. */
#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/command.h"
#include "replay/report.h"
#include "replay/runs_file.h"
#include "replay/sources.h"
#include "replay/target.h"
#include "replay/verdicts.h"
#include "workloads/workload.h"

/* 28 columns for a source and 23 for each peer stay within 120. */
#define PEERS_ABREAST 4

/* The sources that one of our allocators is for. */
struct contest {
    const char *ours, *sources;
    bool wants_traces, wants_threads;
};

static const struct contest contests[] = {
    {"mem", "single-threaded traces", true, false},
    {"mem_ts", "multi-threaded traces", true, true},
    {"mem_ts", "multi-threaded workloads", false, true},
    {"mem", "single-threaded workloads", false, false},
};

static const char *const titles[METRIC_COUNT] = {
    [METRIC_TIME] = "time per call",
    [METRIC_PEAK_MEMORY] = "peak resident memory",
    [METRIC_MEAN_MEMORY] = "mean resident memory",
};

/* ---- the campaign that the rows are of ---- */

static bool note_allocator(struct campaign_plan *plan, const char *name)
{
    for (unsigned i = 0; i < plan->allocator_count; i++)
        if (!strcmp(plan->allocators[i], name))
            return true;
    if (plan->allocator_count == CAMPAIGN_ALLOCATOR_LIMIT)
        return false;
    plan->allocators[plan->allocator_count++] = name;
    return true;
}

static bool note_source(struct campaign_results *results, const struct run_row *row,
                        bool *has_threads)
{
    for (unsigned i = 0; i < results->source_count; i++)
        if (!strcmp(results->source_names[i], row->source))
            return true;
    if (results->source_count == CAMPAIGN_SOURCE_LIMIT)
        return false;
    unsigned place = results->source_count++;
    memcpy(results->source_names[place], row->source, sizeof row->source);
    results->is_trace[place] = !workload_find(row->source) && !source_is_model(row->source);
    has_threads[place] = row->threads > 1;
    return true;
}

/* Allocators in the order of the registry, others behind them as they come. */
static bool note_all(struct campaign_plan *plan, struct campaign_results *results,
                     bool *has_threads)
{
    bool has_room = true;
    for (size_t i = 0; target_registry[i]; i++)
        for (size_t j = 0; j < results->row_count && has_room; j++)
            if (!strcmp(results->rows[j].allocator, target_registry[i]->name))
                has_room = note_allocator(plan, target_registry[i]->name);
    for (size_t i = 0; i < results->row_count && has_room; i++)
        has_room = note_allocator(plan, results->rows[i].allocator) &&
                   note_source(results, &results->rows[i], has_threads);
    return has_room;
}

/* ---- tables ---- */

static bool is_peer(const char *name)
{
    const struct target_adapter *adapter = target_find(name);
    return adapter && !adapter->is_control && !target_is_null(name) && !strchr(name, '#') &&
           adapter != &target_mem && adapter != &target_mem_ts;
}

static void print_cell(const struct comparison *comparison)
{
    char text[64] = "-";
    const struct ratio_estimate *estimate = &comparison->estimate;
    if (comparison->least_blocks >= STATISTICS_LEAST_BLOCKS)
        snprintf(text, sizeof text, "%.3f (%.3f-%.3f)", estimate->ratio, estimate->low,
                 estimate->high);
    else if (comparison->least_blocks)
        snprintf(text, sizeof text, "%.3f (%zu block%s)", estimate->ratio, comparison->least_blocks,
                 comparison->least_blocks == 1 ? "" : "s");
    printf(" %22s", text);
}

/* A line of ratios to the peers; returns -ENOMEM where there is no memory. `comparison` says which
 * sources. */
static int print_line(const struct verdicts *verdicts, const char *name,
                      struct comparison comparison, const unsigned *peers, unsigned peer_count)
{
    int error = 0;
    printf("%-28.28s", name);
    for (unsigned i = 0; i < peer_count && !error; i++) {
        comparison.reference = peers[i];
        error = verdicts_compare(verdicts, &comparison);
        if (!error)
            print_cell(&comparison);
    }
    putchar('\n');
    return error;
}

static int print_table(const struct verdicts *verdicts, const struct contest *contest,
                       const struct comparison *over_all, const unsigned *peers,
                       unsigned peer_count)
{
    int error = 0;
    printf("%s of %s as a ratio to the others', on %s (95 %% intervals)\n%-28s",
           titles[over_all->metric], contest->ours, contest->sources, "");
    for (unsigned i = 0; i < peer_count; i++)
        printf(" %22.22s", report_short_name(verdicts->plan->allocators[peers[i]]));
    putchar('\n');
    for (unsigned i = 0; i < verdicts->results->source_count && !error; i++) {
        struct comparison of_one = *over_all;
        of_one.group = NULL;
        of_one.source = i;
        if (over_all->group[i])
            error =
                print_line(verdicts, verdicts->results->source_names[i], of_one, peers, peer_count);
    }
    if (!error)
        error = print_line(verdicts, "geometric mean", *over_all, peers, peer_count);
    putchar('\n');
    return error;
}

static bool has_figures(const struct campaign_results *results, enum verdict_metric metric)
{
    enum run_mode mode = metric == METRIC_TIME ? RUN_THROUGHPUT : RUN_MEMORY;
    for (size_t i = 0; i < results->row_count; i++)
        if (!strcmp(results->rows[i].mode, run_mode_names[mode]))
            return true;
    return false;
}

/* All tables of one of our allocators. *has_any is set where there is one. */
static int print_contest(const struct verdicts *verdicts, const struct contest *contest,
                         const bool *has_threads, bool *has_any)
{
    const struct campaign_results *results = verdicts->results;
    struct comparison over_all = {0};
    bool group[CAMPAIGN_SOURCE_LIMIT], has_source = false;
    unsigned peers[CAMPAIGN_ALLOCATOR_LIMIT], peer_count = 0;
    int error = 0;
    for (unsigned i = 0; i < results->source_count; i++) {
        group[i] = results->is_trace[i] == contest->wants_traces &&
                   has_threads[i] == contest->wants_threads;
        has_source |= group[i];
    }
    for (unsigned i = 0; i < verdicts->plan->allocator_count; i++)
        if (is_peer(verdicts->plan->allocators[i]))
            peers[peer_count++] = i;
    if (!has_source || !verdicts_find(verdicts, contest->ours, &over_all.allocator))
        return 0;
    over_all.group = group;
    for (enum verdict_metric metric = 0; metric < METRIC_COUNT; metric++) {
        unsigned shown = has_figures(results, metric) ? peer_count : 0;
        over_all.metric = metric;
        for (unsigned i = 0; i < shown && !error; i += PEERS_ABREAST) {
            *has_any = true;
            error = print_table(verdicts, contest, &over_all, peers + i,
                                shown - i < PEERS_ABREAST ? shown - i : PEERS_ABREAST);
        }
    }
    return error;
}

static int print_contests(const struct campaign_plan *plan, const struct campaign_results *results,
                          const bool *has_threads, bool *has_any)
{
    struct verdicts verdicts;
    int error = verdicts_init(&verdicts, plan, results);
    for (size_t i = 0; i < sizeof contests / sizeof contests[0] && !error; i++)
        error = print_contest(&verdicts, &contests[i], has_threads, has_any);
    verdicts_clear(&verdicts);
    return error;
}

/* ---- */

static error_t parse(int key, char *argument, struct argp_state *state)
{
    const char **folder = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (*folder)
            argp_error(state, "one folder at a time; '%s' is a second one", argument);
        *folder = argument;
        return 0;
    case ARGP_KEY_END:
        if (!*folder)
            argp_error(state, "no folder given; name the folder of a campaign");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .parser = parse,
    .args_doc = "DIR",
    .doc = "Prints the ratios of liballocator's time and memory to every other allocator's in the "
           "campaign in DIR: of mem where one thread runs, of mem_ts where several do. Below 1 is "
           "faster or leaner.",
};

int cmd_ratios(int argc, char **argv)
{
    const char *folder = NULL;
    struct campaign_plan plan = {0};
    struct campaign_results results = {0};
    bool has_threads[CAMPAIGN_SOURCE_LIMIT], has_any = false;
    argp_err_exit_status = COMMAND_USAGE;
    if (argp_parse(&parser, argc, argv, 0, NULL, &folder))
        return COMMAND_USAGE;
    int error =
        runs_file_read(folder, &results, "name a folder that heaplab bench or replay -o wrote");
    if (!error && !note_all(&plan, &results, has_threads)) {
        message("%s/runs.csv: more than %d allocators or %d sources; split it", folder,
                CAMPAIGN_ALLOCATOR_LIMIT, CAMPAIGN_SOURCE_LIMIT);
        error = -1;
    } else if (!error) {
        error = print_contests(&plan, &results, has_threads, &has_any);
        if (error)
            message("no memory for the ratios; free some");
        else if (!has_any)
            message("%s/runs.csv: it has no good runs of mem or mem_ts and another allocator; "
                    "measure with -a mem,mem_ts,system",
                    folder);
    }
    campaign_results_clear(&results);
    return error || !has_any ? COMMAND_ENVIRONMENT : COMMAND_DONE;
}
