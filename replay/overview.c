/* The overview of a campaign: sources down, allocators across, geometric means, and sentences about
 * them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "replay/precision.h"
#include "replay/report.h"
#include "replay/target.h"

typedef double (*column_function)(const struct run_row *row);

struct measure {
    const char *title, *better, *worse;
    enum run_mode mode;
    column_function column;
    double scale;
};

static const struct measure time_measure = {"Nanoseconds per call", "fastest",        "slowest",
                                            RUN_THROUGHPUT,         row_ns_per_event, 1};
static const struct measure memory_measure = {"Peak resident MiB", "leanest",    "fattest",
                                              RUN_MEMORY,          row_peak_rss, 1048576.0};

/* The geometric mean of an allocator over some sources; count is how many it has figures for. */
struct geometric_mean {
    double value;
    unsigned count;
};

static double median_of(const struct campaign_results *results, const struct measure *measure,
                        unsigned source, const char *allocator)
{
    return campaign_statistic(results, results->source_names[source], allocator, measure->mode,
                              measure->column)
        .median;
}

/* Over the sources of one kind that are marked: a mean over other sources than another allocator's
 * would compare the sources. */
static struct geometric_mean mean_of(const struct campaign_results *results,
                                     const struct measure *measure, const char *allocator,
                                     bool wants_traces, const bool *is_compared)
{
    double logarithms = 0;
    struct geometric_mean mean = {NAN, 0};
    for (unsigned i = 0; i < results->source_count; i++) {
        double value = median_of(results, measure, i, allocator);
        if (results->is_trace[i] != wants_traces || !is_compared[i] || isnan(value) || value <= 0)
            continue;
        logarithms += log(value);
        mean.count++;
    }
    if (mean.count)
        mean.value = exp(logarithms / mean.count);
    return mean;
}

static void print_cell(FILE *stream, double value, double scale)
{
    if (isnan(value))
        fprintf(stream, " %10s", "-");
    else
        fprintf(stream, " %10.*f", value / scale < 100 ? 2 : 1, value / scale);
}

static void print_matrix(FILE *stream, const struct campaign_plan *plan,
                         const struct campaign_results *results, const struct measure *measure)
{
    fprintf(stream, "%s (medians)\n%-44s", measure->title, "");
    for (unsigned j = 0; j < plan->allocator_count; j++)
        fprintf(stream, " %10.10s", report_short_name(plan->allocators[j]));
    fputc('\n', stream);
    for (unsigned i = 0; i < results->source_count; i++) {
        bool has_any = false;
        for (unsigned j = 0; j < plan->allocator_count; j++)
            has_any |= !isnan(median_of(results, measure, i, plan->allocators[j]));
        if (!has_any)
            continue;
        fprintf(stream, "%-44.44s", results->source_names[i]);
        for (unsigned j = 0; j < plan->allocator_count; j++)
            print_cell(stream, median_of(results, measure, i, plan->allocators[j]), measure->scale);
        fputc('\n', stream);
    }
    fputc('\n', stream);
}

/* Marks the sources on which every allocator of the group has a figure. */
static unsigned mark_compared(const struct campaign_plan *plan,
                              const struct campaign_results *results, const struct measure *measure,
                              bool wants_traces, bool with_single_threaded, bool *is_compared)
{
    unsigned count = 0;
    for (unsigned i = 0; i < results->source_count; i++) {
        is_compared[i] = results->is_trace[i] == wants_traces;
        for (unsigned j = 0; j < plan->allocator_count; j++) {
            const struct target_adapter *adapter = target_find(plan->allocators[j]);
            if (target_is_null(plan->allocators[j]) ||
                (adapter->single_threaded && !with_single_threaded))
                continue;
            /* An allocator without a single figure (not installed) must not empty the comparison.
             */
            bool runs_at_all = false;
            for (unsigned k = 0; k < results->source_count; k++)
                runs_at_all |= !isnan(median_of(results, measure, k, plan->allocators[j]));
            if (runs_at_all && isnan(median_of(results, measure, i, plan->allocators[j])))
                is_compared[i] = false;
        }
        count += is_compared[i];
    }
    return count;
}

static void say_group(FILE *stream, const struct campaign_plan *plan,
                      const struct campaign_results *results, const struct measure *measure,
                      bool wants_traces, bool with_single_threaded)
{
    bool is_compared[CAMPAIGN_SOURCE_LIMIT] = {false};
    unsigned count =
        mark_compared(plan, results, measure, wants_traces, with_single_threaded, is_compared);
    if (!count)
        return;
    const char *best = NULL, *worst = NULL;
    double best_value = INFINITY, worst_value = 0;
    fprintf(stream, "%s, geometric mean over %u %s%s:", measure->title, count,
            wants_traces ? "recorded trace" : "synthetic workload", count == 1 ? "" : "s");
    for (unsigned j = 0; j < plan->allocator_count; j++) {
        const char *name = plan->allocators[j];
        struct geometric_mean mean = mean_of(results, measure, name, wants_traces, is_compared);
        if (isnan(mean.value) || mean.count < count)
            continue;
        fprintf(stream, " %s %.2f;", name, mean.value / measure->scale);
        if (target_is_null(name) || target_find(name)->is_control || strchr(name, '#'))
            continue; /* they measure the harness and take no part in the contest */
        if (mean.value < best_value)
            best_value = mean.value, best = name;
        if (mean.value > worst_value)
            worst_value = mean.value, worst = name;
    }
    if (best && worst && best != worst)
        fprintf(stream, " %s is the %s, %s the %s at %.2f times as much.", best, measure->better,
                worst, measure->worse, worst_value / best_value);
    fputc('\n', stream);
}

static void say(FILE *stream, const struct campaign_plan *plan,
                const struct campaign_results *results, const struct measure *measure)
{
    bool has_single_threaded = false;
    for (unsigned j = 0; j < plan->allocator_count; j++)
        has_single_threaded |= target_find(plan->allocators[j])->single_threaded;
    for (int kind = 1; kind >= 0; kind--) {
        say_group(stream, plan, results, measure, kind, false);
        if (has_single_threaded && kind)
            say_group(stream, plan, results, measure, kind, true);
    }
}

void report_overview(FILE *stream, const struct campaign_plan *plan,
                     const struct campaign_results *results)
{
    if (plan->measures_throughput)
        print_matrix(stream, plan, results, &time_measure);
    if (plan->measures_memory)
        print_matrix(stream, plan, results, &memory_measure);
    if (plan->measures_throughput)
        say(stream, plan, results, &time_measure);
    if (plan->measures_memory)
        say(stream, plan, results, &memory_measure);
    precision_say(stream, plan, results);
    fputs(
        "These are medians of what was seen. What differs beyond the noise stands in verdicts.csv, "
        "which needs controls and five repetitions (bench --full).\n",
        stream);
}
