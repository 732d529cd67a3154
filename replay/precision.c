#include "replay/precision.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/verdicts.h"

unsigned precision_blocks(const struct campaign_results *results, const char *source,
                          enum run_mode mode)
{
    double highest = 0;
    for (size_t i = 0; i < results->row_count; i++) {
        const struct run_row *row = &results->rows[i];
        if (row->mode == run_mode_names[mode] && row->repetition > highest &&
            !strcmp(row->source, source))
            highest = row->repetition;
    }
    return (unsigned)highest;
}

/* What the variance of the mean loses by CAMPAIGN_BATCH further blocks of the source, up to a
 * factor that all sources share: a median's variance falls as one over the number of its blocks. */
static int gain_of(const struct verdicts *verdicts, unsigned source, double *ratios, double *gain)
{
    struct ratio_sample sample = {
        .ratios = ratios,
        .count = block_table_ratios(&verdicts->tables[METRIC_TIME], source, verdicts->control,
                                    verdicts->control_reference, ratios),
    };
    double variance;
    int error = statistics_variance(&variance, &sample, 1);
    *gain = sample.count ? variance / (double)(sample.count + CAMPAIGN_BATCH) : 0;
    return error;
}

static int choose_source(struct precision *precision, const struct verdicts *verdicts,
                         const bool *is_given_up)
{
    const struct campaign_results *results = verdicts->results;
    double best = 0,
           *ratios = malloc((verdicts->tables[METRIC_TIME].block_count + 1) * sizeof *ratios);
    int error = ratios ? 0 : -ENOMEM;
    for (unsigned i = 0; i < results->source_count && !error; i++) {
        double gain;
        if (!results->is_trace[i] || is_given_up[i] ||
            precision_blocks(results, results->source_names[i], RUN_THROUGHPUT) >=
                verdicts->plan->block_limit)
            continue;
        error = gain_of(verdicts, i, ratios, &gain);
        if (error || !(gain > best))
            continue;
        best = gain;
        precision->has_source = true;
        precision->source = i;
    }
    free(ratios);
    return error;
}

int precision_judge(struct precision *precision, const struct campaign_plan *plan,
                    const struct campaign_results *results, const bool *is_given_up)
{
    struct verdicts verdicts;
    struct comparison control;
    *precision = (struct precision){.control = {NAN, NAN, NAN}};
    int error = verdicts_init(&verdicts, plan, results);
    if (!error)
        error = verdicts_compare_control(&verdicts, METRIC_TIME, results->is_trace, 0, &control);
    if (!error) {
        precision->control = control.estimate;
        /* One block's interval has no width at all. */
        precision->is_reached = control.least_blocks >= STATISTICS_LEAST_BLOCKS &&
                                control.estimate.high - control.estimate.low < plan->control_width;
    }
    if (!error && verdicts.has_control && !precision->is_reached)
        error = choose_source(precision, &verdicts, is_given_up);
    verdicts_clear(&verdicts);
    return error;
}

/* ---- saying it ---- */

static void say_end(FILE *stream, const struct campaign_plan *plan,
                    const struct campaign_results *results, const struct precision *precision)
{
    static const char *const ends[] = {
        [REPETITION_REACHED] = "that ended the repetition",
        [REPETITION_OUT_OF_TIME] = "the limit of time ended the repetition",
        [REPETITION_OUT_OF_BLOCKS] = "the limit of blocks ended the repetition",
    };
    fprintf(stream, "Control over the traces, time: %.4f to %.4f, a width of %.4f, ",
            precision->control.low, precision->control.high,
            precision->control.high - precision->control.low);
    fprintf(stream, "%s the %.3f that was wanted; %s.\n",
            precision->is_reached ? "below" : "not below", plan->control_width,
            ends[results->repetition_end]);
}

static void say_blocks(FILE *stream, const struct campaign_results *results)
{
    int column = fprintf(stream, "Blocks:");
    for (unsigned i = 0; i < results->source_count; i++) {
        char text[RUN_ROW_TEXT_BYTES + 16];
        if (!results->is_trace[i])
            continue;
        int length = snprintf(text, sizeof text, " %s %u;", results->source_names[i],
                              precision_blocks(results, results->source_names[i], RUN_THROUGHPUT));
        column += length;
        if (column > 100) {
            fputs("\n ", stream);
            column = 1 + length;
        }
        fputs(text, stream);
    }
    fputs(" workloads as planned.\n", stream);
}

void precision_say(FILE *stream, const struct campaign_plan *plan,
                   const struct campaign_results *results)
{
    static const bool none_given_up[CAMPAIGN_SOURCE_LIMIT];
    struct precision precision;
    if (!(plan->control_width > 0) || precision_judge(&precision, plan, results, none_given_up) ||
        isnan(precision.control.low))
        return;
    say_end(stream, plan, results, &precision);
    say_blocks(stream, results);
}
