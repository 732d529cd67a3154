/* What a timeline of live and resident bytes says about fragmentation; the names are those of
 * results/README.md. */
#ifndef REPLAY_METRICS_H
#define REPLAY_METRICS_H

#include "replay/run.h"

#define METRICS_SLOPE_POINTS 8

/* Ratios; NAN where the samples do not tell. Integrals are over the event clock, by the trapezoidal
 * rule. */
struct fragmentation {
    double mean;           /* mean of R/L over the points with L > 0 */
    double at_peak_live;   /* R/L at the peak of L */
    double at_peak_rss;    /* R/L at the peak of R */
    double peak_ratio;     /* peak R / peak L */
    double integral;       /* integral of R / integral of L */
    double internal;       /* integral of (U - L) / integral of U, by the points with a known U */
    double mean_rss_bytes; /* integral of R / events */
    double peak_usable_bytes;
    double drained_rss_bytes; /* R a second after everything was freed */
    /* Bytes per million events over the second half of the run, whose first half is warming up:
     * the median of the slopes between all pairs of its points, which neither a sawtooth's teeth
     * nor single points pull about (H. Theil 1950; P. K. Sen, "Estimates of the Regression
     * Coefficient Based on Kendall's Tau", Journal of the American Statistical Association 63,
     * 1968). NAN of fewer than METRICS_SLOPE_POINTS points. */
    double rss_slope, live_slope;
};

/* `samples` in the order they were taken; those of the drain do not count as part of the source. */
void metrics_of_samples(struct fragmentation *result, const struct sample *samples, uint32_t count,
                        uint64_t peak_resident_bytes, uint64_t peak_live_bytes);

#endif
