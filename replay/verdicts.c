#include "replay/verdicts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/csv.h"
#include "replay/target.h"

/* Any fixed number: it makes the same results give the same intervals. */
#define BOOTSTRAP_SEED 20180401

struct metric {
    const char *name, *noun, *less, *more;
    enum run_mode mode;
    double (*column)(const struct run_row *row);
};

static const struct metric metrics[METRIC_COUNT] = {
    [METRIC_TIME] = {"ns_per_event", "time", "faster", "slower", RUN_THROUGHPUT, row_ns_per_event},
    [METRIC_PEAK_MEMORY] = {"peak_rss_bytes", "memory", "leaner", "fatter", RUN_MEMORY,
                            row_peak_rss},
    [METRIC_MEAN_MEMORY] = {"mean_rss_bytes", "mean memory", "leaner", "fatter", RUN_MEMORY,
                            row_mean_rss},
};

/* ---- comparing ---- */

bool verdicts_find(const struct verdicts *verdicts, const char *name, unsigned *place)
{
    for (*place = 0; *place < verdicts->plan->allocator_count; ++*place)
        if (!strcmp(verdicts->plan->allocators[*place], name))
            return true;
    return false;
}

/* The first name with a mark whose plain name is in the plan too. */
static void find_control(struct verdicts *verdicts)
{
    for (unsigned i = 0; i < verdicts->plan->allocator_count && !verdicts->has_control; i++) {
        char plain[RUN_ROW_TEXT_BYTES];
        const char *name = verdicts->plan->allocators[i], *mark = strchr(name, '#');
        if (!mark)
            continue;
        snprintf(plain, sizeof plain, "%.*s", (int)(mark - name), name);
        verdicts->control = i;
        verdicts->has_control = verdicts_find(verdicts, plain, &verdicts->control_reference);
    }
}

int verdicts_init(struct verdicts *verdicts, const struct campaign_plan *plan,
                  const struct campaign_results *results)
{
    int error = 0;
    *verdicts = (struct verdicts){.plan = plan, .results = results};
    for (size_t i = 0; i < METRIC_COUNT && !error; i++)
        error = block_table_init(&verdicts->tables[i], plan, results, metrics[i].mode,
                                 metrics[i].column);
    find_control(verdicts);
    return error;
}

void verdicts_clear(struct verdicts *verdicts)
{
    for (size_t i = 0; i < METRIC_COUNT; i++)
        block_table_clear(&verdicts->tables[i]);
}

static bool is_wanted(const struct comparison *comparison, unsigned source)
{
    return comparison->group ? comparison->group[source] : source == comparison->source;
}

int verdicts_compare(const struct verdicts *verdicts, struct comparison *comparison)
{
    const struct block_table *table = &verdicts->tables[comparison->metric];
    struct ratio_sample samples[CAMPAIGN_SOURCE_LIMIT];
    size_t used = 0, sample_count = 0, least_blocks = SIZE_MAX;
    double *ratios =
        malloc(((size_t)table->source_count * table->block_count + 1) * sizeof *ratios);
    if (!ratios)
        return -ENOMEM;
    for (unsigned i = 0; i < table->source_count; i++) {
        if (!is_wanted(comparison, i))
            continue;
        size_t count = block_table_ratios(table, i, comparison->allocator, comparison->reference,
                                          ratios + used);
        if (!count)
            continue;
        samples[sample_count++] = (struct ratio_sample){.ratios = ratios + used, .count = count};
        least_blocks = count < least_blocks ? count : least_blocks;
        used += count;
    }
    comparison->least_blocks = sample_count ? least_blocks : 0;
    int error = statistics_estimate(&comparison->estimate, samples, sample_count, BOOTSTRAP_SEED);
    free(ratios);
    return error;
}

int verdicts_compare_control(const struct verdicts *verdicts, enum verdict_metric metric,
                             const bool *group, unsigned source, struct comparison *control)
{
    *control = (struct comparison){.metric = metric,
                                   .allocator = verdicts->control,
                                   .reference = verdicts->control_reference,
                                   .group = group,
                                   .source = source,
                                   .estimate = {NAN, NAN, NAN}};
    return verdicts->has_control ? verdicts_compare(verdicts, control) : 0;
}

/* ---- verdicts.csv ---- */

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

static void write_row(FILE *stream, const struct verdicts *verdicts,
                      const struct comparison *comparison, const struct comparison *control)
{
    const struct metric *metric = &metrics[comparison->metric];
    enum verdict verdict =
        statistics_verdict(&comparison->estimate, comparison->least_blocks, &control->estimate);
    fprintf(stream, "%d,%s,", RUN_SCHEMA_VERSION, metric->name);
    csv_write_text(stream, comparison->group ? "all traces"
                                             : verdicts->results->source_names[comparison->source]);
    fputc(',', stream);
    csv_write_text(stream, verdicts->plan->allocators[comparison->allocator]);
    fputc(',', stream);
    csv_write_text(stream, verdicts->plan->allocators[comparison->reference]);
    const double numbers[] = {comparison->estimate.ratio, comparison->estimate.low,
                              comparison->estimate.high, (double)comparison->least_blocks,
                              statistics_threshold(&control->estimate)};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        fputc(',', stream);
        csv_write_number(stream, numbers[i]);
    }
    fprintf(stream, ",%s\n", words_of(verdict, metric));
}

static int write_pairs(FILE *stream, const struct verdicts *verdicts, enum verdict_metric metric,
                       const bool *group, unsigned source)
{
    const struct campaign_plan *plan = verdicts->plan;
    struct comparison control;
    int error = verdicts_compare_control(verdicts, metric, group, source, &control);
    for (unsigned i = 0; i < plan->allocator_count; i++)
        for (unsigned j = 0; j < plan->allocator_count && !error; j++) {
            struct comparison comparison = {
                .metric = metric, .allocator = i, .reference = j, .group = group, .source = source};
            if (i == j || target_is_null(plan->allocators[i]) ||
                target_is_null(plan->allocators[j]))
                continue;
            error = verdicts_compare(verdicts, &comparison);
            if (!error && comparison.least_blocks)
                write_row(stream, verdicts, &comparison, &control);
        }
    return error;
}

int verdicts_write(FILE *stream, const struct campaign_plan *plan,
                   const struct campaign_results *results)
{
    struct verdicts verdicts;
    int error = verdicts_init(&verdicts, plan, results);
    fputs("schema_version,metric,source,allocator,reference,ratio,low,high,blocks,threshold,"
          "verdict\n",
          stream);
    for (enum verdict_metric i = 0; i < METRIC_COUNT && !error; i++) {
        error = write_pairs(stream, &verdicts, i, results->is_trace, 0);
        for (unsigned j = 0; j < results->source_count && !error; j++)
            error = write_pairs(stream, &verdicts, i, NULL, j);
    }
    verdicts_clear(&verdicts);
    if (error)
        return error;
    return ferror(stream) || fflush(stream) ? -(errno ? errno : EIO) : 0;
}

/* ---- sentences ---- */

static void say_one(FILE *stream, const struct verdicts *verdicts,
                    const struct comparison *comparison, const struct comparison *control)
{
    const struct metric *metric = &metrics[comparison->metric];
    enum verdict verdict =
        statistics_verdict(&comparison->estimate, comparison->least_blocks, &control->estimate);
    fprintf(stream, "  %-14s %.3f of %s's %s (95 %%: %.3f to %.3f): %s\n",
            verdicts->plan->allocators[comparison->allocator], comparison->estimate.ratio,
            verdicts->plan->allocators[comparison->reference], metric->noun,
            comparison->estimate.low, comparison->estimate.high, words_of(verdict, metric));
}

static void say_metric(FILE *stream, const struct verdicts *verdicts, enum verdict_metric metric,
                       unsigned reference)
{
    const struct campaign_plan *plan = verdicts->plan;
    const bool *traces = verdicts->results->is_trace;
    struct comparison control;
    if (verdicts_compare_control(verdicts, metric, traces, 0, &control))
        return;
    fprintf(stream, "%s over the traces that both ran; the control spans %.3f to %.3f:\n",
            metrics[metric].name, control.estimate.low, control.estimate.high);
    for (unsigned i = 0; i < plan->allocator_count; i++) {
        struct comparison comparison = {
            .metric = metric, .allocator = i, .reference = reference, .group = traces};
        if (i == reference || target_is_null(plan->allocators[i]) ||
            verdicts_compare(verdicts, &comparison) || !comparison.least_blocks)
            continue;
        say_one(stream, verdicts, &comparison, &control);
    }
}

void verdicts_say(FILE *stream, const struct campaign_plan *plan,
                  const struct campaign_results *results, const char *reference)
{
    struct verdicts verdicts;
    unsigned place;
    if (verdicts_init(&verdicts, plan, results) == 0 && verdicts_find(&verdicts, reference, &place))
        for (enum verdict_metric i = 0; i < METRIC_COUNT; i++)
            say_metric(stream, &verdicts, i, place);
    verdicts_clear(&verdicts);
}
