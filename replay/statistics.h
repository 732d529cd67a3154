/* Paired comparison of two allocators over the blocks of a campaign.
 *
 * A block is one repetition of one source: both ran in it, close in time, so their ratio is free of
 * the machine's slow drift. The estimate for a source is the median of its blocks' ratios; over
 * several sources it is the geometric mean of these medians. Intervals are percentile bootstrap
 * intervals over blocks (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter
 * 13).
 */
#ifndef REPLAY_STATISTICS_H
#define REPLAY_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

/* The ratios of one source's blocks. */
struct ratio_sample {
    const double *ratios; /* all above 0 */
    size_t count;
};

struct ratio_estimate {
    double ratio, low, high; /* the estimate and its 95 % interval; NAN where there is no block */
};

/* Fewer blocks than this can't carry an interval: with four, the chance that all lie on one side of
 * the truth is 1 in 8. */
#define STATISTICS_LEAST_BLOCKS 5

/* Estimates the geometric mean over the samples of their medians. Samples without a ratio are left
 * out. Deterministic by `seed`. Returns 0 or -ENOMEM. */
int statistics_estimate(struct ratio_estimate *estimate, const struct ratio_sample *samples,
                        size_t count, uint64_t seed);

/* The variance of the logarithm of the sample's median, by the same resampling; NAN of an empty
 * sample. Returns 0 or -ENOMEM. */
int statistics_variance(double *variance, const struct ratio_sample *sample, uint64_t seed);

enum verdict {
    VERDICT_LESS,
    VERDICT_MORE,
    VERDICT_NO_DIFFERENCE,
    VERDICT_TOO_FEW_BLOCKS,
    VERDICT_NO_CONTROL
};

/* What an estimate allows to be said. `control` is the interval of an A/A comparison, one allocator
 * under two names: what it spans, no difference between two allocators can be told from. Where
 * there was no control it is NAN, and nothing is said. */
enum verdict statistics_verdict(const struct ratio_estimate *estimate, size_t least_blocks,
                                const struct ratio_estimate *control);

/* The distance from 1, as a factor above 1, that a ratio must exceed for a verdict; NAN without a
 * control. */
double statistics_threshold(const struct ratio_estimate *control);

/* The median of values, which are sorted. NAN where there is none. */
double statistics_median(double *values, size_t count);

#endif
