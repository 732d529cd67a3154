/* The overview of a campaign: sources down, allocators across, geometric means, and sentences about
 * them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "replay/instrument.h"
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

/* A measure's medians by place of the source and of the allocator; NAN where there is none. */
struct medians {
    const struct measure *measure;
    double values[CAMPAIGN_SOURCE_LIMIT][CAMPAIGN_ALLOCATOR_LIMIT];
};

/* The geometric mean of an allocator over some sources; count is how many it has figures for. */
struct geometric_mean {
    double value;
    unsigned count;
};

static void find_medians(struct medians *medians, const struct campaign_plan *plan,
                         const struct campaign_results *results, const struct measure *measure)
{
    medians->measure = measure;
    for (unsigned i = 0; i < results->source_count; i++)
        for (unsigned j = 0; j < plan->allocator_count; j++)
            medians->values[i][j] =
                campaign_statistic(results, results->source_names[i], plan->allocators[j],
                                   measure->mode, measure->column)
                    .median;
}

/* Over the sources that are marked: a mean over other sources than another allocator's
 * would compare the sources. */
static struct geometric_mean mean_of(const struct campaign_results *results,
                                     const struct medians *medians, unsigned allocator,
                                     const bool *is_compared)
{
    double logarithms = 0;
    struct geometric_mean mean = {NAN, 0};
    for (unsigned i = 0; i < results->source_count; i++) {
        double value = medians->values[i][allocator];
        if (!is_compared[i] || isnan(value) || value <= 0)
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
                         const struct campaign_results *results, const struct medians *medians)
{
    const struct measure *measure = medians->measure;
    fprintf(stream, "%s (medians)\n%-44s", measure->title, "");
    for (unsigned j = 0; j < plan->allocator_count; j++)
        fprintf(stream, " %10.10s", report_short_name(plan->allocators[j]));
    fputc('\n', stream);
    for (unsigned i = 0; i < results->source_count; i++) {
        bool has_any = false;
        for (unsigned j = 0; j < plan->allocator_count; j++)
            has_any |= !isnan(medians->values[i][j]);
        if (!has_any)
            continue;
        fprintf(stream, "%-44.44s", results->source_names[i]);
        for (unsigned j = 0; j < plan->allocator_count; j++)
            print_cell(stream, medians->values[i][j], measure->scale);
        fputc('\n', stream);
    }
    fputc('\n', stream);
}

/* Marks the sources on which every allocator of the group has a figure. */
static unsigned mark_compared(const struct campaign_plan *plan,
                              const struct campaign_results *results, const struct medians *medians,
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
                runs_at_all |= !isnan(medians->values[k][j]);
            if (runs_at_all && isnan(medians->values[i][j]))
                is_compared[i] = false;
        }
        count += is_compared[i];
    }
    return count;
}

/* Says nothing where the group has no source, or as many as another one, `said`: then it is that.
 * Returns how many it has. */
static unsigned say_group(FILE *stream, const struct campaign_plan *plan,
                          const struct campaign_results *results, const struct medians *medians,
                          bool wants_traces, bool with_single_threaded, unsigned said)
{
    bool is_compared[CAMPAIGN_SOURCE_LIMIT] = {false};
    const struct measure *measure = medians->measure;
    unsigned count =
        mark_compared(plan, results, medians, wants_traces, with_single_threaded, is_compared);
    if (!count || count == said)
        return count;
    const char *best = NULL, *worst = NULL;
    double best_value = INFINITY, worst_value = 0;
    fprintf(stream, "%s, geometric mean over %u %s%s:", measure->title, count,
            wants_traces ? "recorded trace" : "synthetic workload", count == 1 ? "" : "s");
    for (unsigned j = 0; j < plan->allocator_count; j++) {
        const char *name = plan->allocators[j];
        struct geometric_mean mean = mean_of(results, medians, j, is_compared);
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
    return count;
}

static void say(FILE *stream, const struct campaign_plan *plan,
                const struct campaign_results *results, const struct medians *medians)
{
    bool has_single_threaded = false;
    for (unsigned j = 0; j < plan->allocator_count; j++)
        has_single_threaded |= target_find(plan->allocators[j])->single_threaded;
    for (int kind = 1; kind >= 0; kind--) {
        unsigned said = say_group(stream, plan, results, medians, kind, false, 0);
        if (has_single_threaded && kind)
            (void)say_group(stream, plan, results, medians, kind, true, said);
    }
}

static bool is_single_threaded(const struct campaign_results *results, unsigned source)
{
    for (size_t i = 0; i < results->row_count; i++)
        if (!strcmp(results->rows[i].source, results->source_names[source]))
            return results->rows[i].threads == 1;
    return false;
}

/* What the harness itself costs, and how evenly: the floor under all times above. */
static void say_null(FILE *stream, const struct campaign_plan *plan,
                     const struct campaign_results *results, const struct medians *medians)
{
    bool is_counted[CAMPAIGN_SOURCE_LIMIT] = {false};
    unsigned null = 0, least = CAMPAIGN_SOURCE_LIMIT, most = CAMPAIGN_SOURCE_LIMIT;
    while (null < plan->allocator_count && !target_is_null(plan->allocators[null]))
        null++;
    for (unsigned i = 0; i < results->source_count && null < plan->allocator_count; i++) {
        double value = medians->values[i][null];
        is_counted[i] = results->is_trace[i] && !isnan(value) && is_single_threaded(results, i);
        if (!is_counted[i])
            continue;
        if (least == CAMPAIGN_SOURCE_LIMIT || value < medians->values[least][null])
            least = i;
        if (most == CAMPAIGN_SOURCE_LIMIT || value > medians->values[most][null])
            most = i;
    }
    if (least == CAMPAIGN_SOURCE_LIMIT)
        return;
    struct geometric_mean mean = mean_of(results, medians, null, is_counted);
    fprintf(stream,
            "The harness itself (null): %.2f ns per call, geometric mean over %u single-threaded "
            "trace%s; from %.2f (%s) to %.2f (%s).\n",
            mean.value, mean.count, mean.count == 1 ? "" : "s", medians->values[least][null],
            results->source_names[least], medians->values[most][null], results->source_names[most]);
}

void report_overview(FILE *stream, const struct campaign_plan *plan,
                     const struct campaign_results *results)
{
    struct medians time, memory;
    find_medians(&time, plan, results, &time_measure);
    find_medians(&memory, plan, results, &memory_measure);
    if (plan->measures_throughput)
        print_matrix(stream, plan, results, &time);
    if (plan->measures_memory)
        print_matrix(stream, plan, results, &memory);
    if (plan->measures_throughput) {
        say(stream, plan, results, &time);
        say_null(stream, plan, results, &time);
    }
    if (plan->measures_memory)
        say(stream, plan, results, &memory);
    precision_say(stream, plan, results);
    instrument_judge(stream, plan, results);
    fputs(
        "These are medians of what was seen. What differs beyond the noise stands in verdicts.csv, "
        "which needs controls and five repetitions (bench --full).\n",
        stream);
}
