#include "replay/verdicts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/csv.h"
#include "replay/statistics.h"
#include "replay/target.h"

/* Any fixed number: it makes the same results give the same intervals. */
#define BOOTSTRAP_SEED 20180401

struct metric {
    const char *name, *less, *more;
    enum run_mode mode;
    double (*column)(const struct run_row *row);
};

static const struct metric metrics[] = {
    {"ns_per_event", "faster", "slower", RUN_THROUGHPUT, row_ns_per_event},
    {"peak_rss_bytes", "leaner", "fatter", RUN_MEMORY, row_peak_rss},
};
#define METRIC_COUNT (sizeof metrics / sizeof metrics[0])

/* One allocator against another: over one source, or over all traces. */
struct comparison {
    const struct metric *metric;
    const char *allocator, *reference, *source; /* source NULL: all traces */
    struct ratio_estimate estimate;
    size_t least_blocks;
};

static const struct run_row *row_of(const struct campaign_results *results,
                                    const struct metric *metric, const char *source,
                                    const char *allocator, double repetition)
{
    for (size_t i = 0; i < results->row_count; i++) {
        const struct run_row *row = &results->rows[i];
        if (row->repetition == repetition && run_row_is_ok(row) &&
            row->mode == run_mode_names[metric->mode] && !strcmp(row->allocator, allocator) &&
            !strcmp(row->source, source) && metric->column(row) > 0)
            return row;
    }
    return NULL;
}

/* The ratios of the blocks of a source in which both ran. Returns how many; `ratios` has room for
 * row_count. */
static size_t collect_ratios(const struct campaign_results *results,
                             const struct comparison *comparison, const char *source,
                             double *ratios)
{
    size_t count = 0;
    for (size_t i = 0; i < results->row_count; i++) {
        const struct run_row *row = &results->rows[i];
        if (!run_row_is_ok(row) || row->mode != run_mode_names[comparison->metric->mode] ||
            strcmp(row->source, source) || strcmp(row->allocator, comparison->allocator) ||
            !(comparison->metric->column(row) > 0))
            continue;
        const struct run_row *other =
            row_of(results, comparison->metric, source, comparison->reference, row->repetition);
        if (other)
            ratios[count++] = comparison->metric->column(row) / comparison->metric->column(other);
    }
    return count;
}

static bool is_wanted(const struct campaign_results *results, const struct comparison *comparison,
                      unsigned source)
{
    return comparison->source ? !strcmp(results->source_names[source], comparison->source)
                              : results->is_trace[source];
}

static int estimate(const struct campaign_results *results, struct comparison *comparison)
{
    struct ratio_sample samples[CAMPAIGN_SOURCE_LIMIT] = {0};
    double *ratios = malloc((results->row_count + 1) * sizeof *ratios);
    size_t used = 0, sample_count = 0;
    if (!ratios)
        return -ENOMEM;
    comparison->least_blocks = SIZE_MAX;
    for (unsigned i = 0; i < results->source_count; i++) {
        if (!is_wanted(results, comparison, i))
            continue;
        size_t count = collect_ratios(results, comparison, results->source_names[i], ratios + used);
        if (!count)
            continue;
        samples[sample_count++] = (struct ratio_sample){.ratios = ratios + used, .count = count};
        comparison->least_blocks =
            count < comparison->least_blocks ? count : comparison->least_blocks;
        used += count;
    }
    if (!sample_count)
        comparison->least_blocks = 0;
    int error = statistics_estimate(&comparison->estimate, samples, sample_count, BOOTSTRAP_SEED);
    free(ratios);
    return error;
}

/* The comparison of an allocator with itself under a second name; NAN where the plan has none. */
static struct ratio_estimate control_of(const struct campaign_plan *plan,
                                        const struct campaign_results *results,
                                        const struct metric *metric, const char *source)
{
    struct comparison control = {.metric = metric, .source = source, .estimate = {NAN, NAN, NAN}};
    for (unsigned i = 0; i < plan->allocator_count; i++) {
        const char *second = plan->allocators[i], *mark = strchr(second, '#');
        for (unsigned j = 0; mark && j < plan->allocator_count; j++) {
            if (strlen(plan->allocators[j]) != (size_t)(mark - second) ||
                strncmp(plan->allocators[j], second, (size_t)(mark - second)))
                continue;
            control.allocator = second;
            control.reference = plan->allocators[j];
            estimate(results, &control);
            return control.estimate;
        }
    }
    return control.estimate;
}

static const char *words_of(enum verdict verdict, const struct metric *metric)
{
    switch (verdict) {
    case VERDICT_LESS:
        return metric->less;
    case VERDICT_MORE:
        return metric->more;
    case VERDICT_NO_DIFFERENCE:
        return "no difference shown";
    case VERDICT_TOO_FEW_BLOCKS:
        return "refused: too few blocks";
    default:
        return "refused: no control";
    }
}

static void write_row(FILE *stream, const struct comparison *comparison,
                      const struct ratio_estimate *control)
{
    enum verdict verdict =
        statistics_verdict(&comparison->estimate, comparison->least_blocks, control);
    fprintf(stream, "%d,%s,", RUN_SCHEMA_VERSION, comparison->metric->name);
    csv_write_text(stream, comparison->source ? comparison->source : "all traces");
    fputc(',', stream);
    csv_write_text(stream, comparison->allocator);
    fputc(',', stream);
    csv_write_text(stream, comparison->reference);
    const double numbers[] = {comparison->estimate.ratio, comparison->estimate.low,
                              comparison->estimate.high, (double)comparison->least_blocks,
                              statistics_threshold(control)};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        fputc(',', stream);
        csv_write_number(stream, numbers[i]);
    }
    fprintf(stream, ",%s\n", words_of(verdict, comparison->metric));
}

static int write_pairs(FILE *stream, const struct campaign_plan *plan,
                       const struct campaign_results *results, const struct metric *metric,
                       const char *source)
{
    struct ratio_estimate control = control_of(plan, results, metric, source);
    for (unsigned i = 0; i < plan->allocator_count; i++)
        for (unsigned j = 0; j < plan->allocator_count; j++) {
            struct comparison comparison = {.metric = metric,
                                            .allocator = plan->allocators[i],
                                            .reference = plan->allocators[j],
                                            .source = source};
            if (i == j || target_is_null(comparison.allocator) ||
                target_is_null(comparison.reference))
                continue;
            int error = estimate(results, &comparison);
            if (error)
                return error;
            if (comparison.least_blocks)
                write_row(stream, &comparison, &control);
        }
    return 0;
}

int verdicts_write(FILE *stream, const struct campaign_plan *plan,
                   const struct campaign_results *results)
{
    fputs("schema_version,metric,source,allocator,reference,ratio,low,high,blocks,threshold,"
          "verdict\n",
          stream);
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        int error = write_pairs(stream, plan, results, &metrics[i], NULL);
        for (unsigned j = 0; j < results->source_count && !error; j++)
            error = write_pairs(stream, plan, results, &metrics[i], results->source_names[j]);
        if (error)
            return error;
    }
    return ferror(stream) || fflush(stream) ? -(errno ? errno : EIO) : 0;
}

static void say_one(FILE *stream, const struct comparison *comparison,
                    const struct ratio_estimate *control)
{
    enum verdict verdict =
        statistics_verdict(&comparison->estimate, comparison->least_blocks, control);
    fprintf(stream, "  %-14s %.3f of %s's %s (95 %%: %.3f to %.3f): %s\n", comparison->allocator,
            comparison->estimate.ratio, comparison->reference,
            comparison->metric->mode == RUN_MEMORY ? "memory" : "time", comparison->estimate.low,
            comparison->estimate.high, words_of(verdict, comparison->metric));
}

void verdicts_say(FILE *stream, const struct campaign_plan *plan,
                  const struct campaign_results *results, const char *reference)
{
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        struct ratio_estimate control = control_of(plan, results, &metrics[i], NULL);
        fprintf(stream, "%s over the traces that both ran; the control spans %.3f to %.3f:\n",
                metrics[i].name, control.low, control.high);
        for (unsigned j = 0; j < plan->allocator_count; j++) {
            struct comparison comparison = {
                .metric = &metrics[i], .allocator = plan->allocators[j], .reference = reference};
            if (!strcmp(comparison.allocator, reference) || target_is_null(comparison.allocator) ||
                estimate(results, &comparison) || !comparison.least_blocks)
                continue;
            say_one(stream, &comparison, &control);
        }
    }
}
