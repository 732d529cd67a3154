#include "replay/statistics.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/prng.h"

#define RESAMPLES 2000

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double statistics_median(double *values, size_t count)
{
    if (!count)
        return NAN;
    qsort(values, count, sizeof *values, compare_doubles);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

/* The logarithm of the median of `count` ratios drawn with replacement. */
static double resampled_median(const struct ratio_sample *sample, double *scratch,
                               struct prng *random)
{
    for (size_t i = 0; i < sample->count; i++)
        scratch[i] = sample->ratios[prng_below(random, sample->count)];
    return log(statistics_median(scratch, sample->count));
}

static double plain_median(const struct ratio_sample *sample, double *scratch)
{
    memcpy(scratch, sample->ratios, sample->count * sizeof *scratch);
    return log(statistics_median(scratch, sample->count));
}

int statistics_estimate(struct ratio_estimate *estimate, const struct ratio_sample *samples,
                        size_t count, uint64_t seed)
{
    size_t largest = 0, used = 0;
    struct prng random;
    double sum = 0;
    *estimate = (struct ratio_estimate){NAN, NAN, NAN};
    for (size_t i = 0; i < count; i++) {
        largest = samples[i].count > largest ? samples[i].count : largest;
        used += samples[i].count > 0;
    }
    if (!used)
        return 0;
    double *scratch = malloc(largest * sizeof *scratch), *means = malloc(RESAMPLES * sizeof *means);
    if (!scratch || !means) {
        free(scratch);
        free(means);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++)
        sum += samples[i].count ? plain_median(&samples[i], scratch) : 0;
    estimate->ratio = exp(sum / (double)used);
    prng_seed(&random, seed);
    for (size_t draw = 0; draw < RESAMPLES; draw++) {
        sum = 0;
        for (size_t i = 0; i < count; i++)
            sum += samples[i].count ? resampled_median(&samples[i], scratch, &random) : 0;
        means[draw] = exp(sum / (double)used);
    }
    qsort(means, RESAMPLES, sizeof *means, compare_doubles);
    estimate->low = means[RESAMPLES * 25 / 1000];
    estimate->high = means[RESAMPLES * 975 / 1000 - 1];
    free(scratch);
    free(means);
    return 0;
}

double statistics_threshold(const struct ratio_estimate *control)
{
    return exp(fmax(fabs(log(control->low)), fabs(log(control->high))));
}

enum verdict statistics_verdict(const struct ratio_estimate *estimate, size_t least_blocks,
                                const struct ratio_estimate *control)
{
    double threshold = statistics_threshold(control);
    if (least_blocks < STATISTICS_LEAST_BLOCKS || isnan(estimate->ratio))
        return VERDICT_TOO_FEW_BLOCKS;
    if (isnan(threshold))
        return VERDICT_NO_CONTROL;
    if (estimate->high < 1 / threshold)
        return VERDICT_LESS;
    if (estimate->low > threshold)
        return VERDICT_MORE;
    return VERDICT_NO_DIFFERENCE;
}
