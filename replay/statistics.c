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

/* A sample in ascending order. A resample is how often each of its ratios was drawn, so that its
 * median is found by counting, without sorting anew. */
struct sorted_sample {
    double *ratios;
    unsigned *draws;
    size_t count;
};

static void sorted_sample_clear(struct sorted_sample *sorted)
{
    free(sorted->ratios);
    free(sorted->draws);
}

static int sorted_sample_init(struct sorted_sample *sorted, const struct ratio_sample *sample)
{
    sorted->count = sample->count;
    sorted->ratios = malloc((sample->count + 1) * sizeof *sorted->ratios);
    sorted->draws = malloc((sample->count + 1) * sizeof *sorted->draws);
    if (!sorted->ratios || !sorted->draws)
        return -ENOMEM;
    if (sample->count)
        memcpy(sorted->ratios, sample->ratios, sample->count * sizeof *sorted->ratios);
    qsort(sorted->ratios, sample->count, sizeof *sorted->ratios, compare_doubles);
    return 0;
}

/* The ratio of that rank, from 0, among those drawn. */
static double drawn_of_rank(const struct sorted_sample *sorted, size_t rank)
{
    size_t at = 0;
    for (size_t passed = sorted->draws[0]; passed <= rank; passed += sorted->draws[at])
        at++;
    return sorted->ratios[at];
}

/* The logarithm of the median of as many ratios, drawn with replacement. */
static double resampled_median(const struct sorted_sample *sorted, struct prng *random)
{
    memset(sorted->draws, 0, sorted->count * sizeof *sorted->draws);
    for (size_t i = 0; i < sorted->count; i++)
        sorted->draws[prng_below(random, sorted->count)]++;
    return log((drawn_of_rank(sorted, (sorted->count - 1) / 2) +
                drawn_of_rank(sorted, sorted->count / 2)) /
               2);
}

static double plain_median(const struct sorted_sample *sorted)
{
    return log((sorted->ratios[(sorted->count - 1) / 2] + sorted->ratios[sorted->count / 2]) / 2);
}

/* The geometric mean of medians, of the samples or of resamples of them. */
static double mean_of_medians(const struct sorted_sample *sorted, size_t count, struct prng *random)
{
    double sum = 0;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (!sorted[i].count)
            continue;
        sum += random ? resampled_median(&sorted[i], random) : plain_median(&sorted[i]);
        used++;
    }
    return exp(sum / (double)used);
}

static int estimate_sorted(struct ratio_estimate *estimate, const struct sorted_sample *sorted,
                           size_t count, uint64_t seed)
{
    struct prng random;
    double *means = malloc(RESAMPLES * sizeof *means);
    if (!means)
        return -ENOMEM;
    prng_seed(&random, seed);
    for (size_t draw = 0; draw < RESAMPLES; draw++)
        means[draw] = mean_of_medians(sorted, count, &random);
    qsort(means, RESAMPLES, sizeof *means, compare_doubles);
    estimate->ratio = mean_of_medians(sorted, count, NULL);
    estimate->low = means[RESAMPLES * 25 / 1000];
    estimate->high = means[RESAMPLES * 975 / 1000 - 1];
    free(means);
    return 0;
}

int statistics_estimate(struct ratio_estimate *estimate, const struct ratio_sample *samples,
                        size_t count, uint64_t seed)
{
    size_t used = 0;
    int error = 0;
    *estimate = (struct ratio_estimate){NAN, NAN, NAN};
    for (size_t i = 0; i < count; i++)
        used += samples[i].count;
    if (!used)
        return 0;
    struct sorted_sample *sorted = calloc(count, sizeof *sorted);
    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < count && !error; i++)
        error = sorted_sample_init(&sorted[i], &samples[i]);
    if (!error)
        error = estimate_sorted(estimate, sorted, count, seed);
    for (size_t i = 0; i < count; i++)
        sorted_sample_clear(&sorted[i]);
    free(sorted);
    return error;
}

int statistics_variance(double *variance, const struct ratio_sample *sample, uint64_t seed)
{
    struct sorted_sample sorted = {0};
    struct prng random;
    double sum = 0, square_sum = 0;
    *variance = NAN;
    int error = sample->count ? sorted_sample_init(&sorted, sample) : 0;
    if (!error && sample->count) {
        prng_seed(&random, seed);
        for (size_t draw = 0; draw < RESAMPLES; draw++) {
            double median = resampled_median(&sorted, &random);
            sum += median;
            square_sum += median * median;
        }
        double mean = sum / RESAMPLES;
        *variance = fmax(0, square_sum / RESAMPLES - mean * mean);
    }
    sorted_sample_clear(&sorted);
    return error;
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
