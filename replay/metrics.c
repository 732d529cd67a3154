#include "replay/metrics.h"

#include <math.h>
#include <stdlib.h>

#include "replay/statistics.h"

static double ratio(double numerator, double denominator)
{
    return denominator > 0 ? numerator / denominator : NAN;
}

static bool is_of_source(const struct sample *sample)
{
    return sample->point <= POINT_END;
}

struct integrals {
    double live, resident, events;
    double usable, usable_live; /* over the points at which U is known */
};

/* Add the trapezoid between two points, neighbours among all or among those with a known U. */
static void add_usable_stretch(struct integrals *sum, const struct sample *from,
                               const struct sample *to)
{
    double events = (double)(to->event - from->event);
    sum->usable_live += events * ((double)from->live_bytes + (double)to->live_bytes) / 2;
    sum->usable += events * ((double)from->usable_bytes + (double)to->usable_bytes) / 2;
}

static void add_stretch(struct integrals *sum, const struct sample *from, const struct sample *to)
{
    double events = (double)(to->event - from->event);
    sum->live += events * ((double)from->live_bytes + (double)to->live_bytes) / 2;
    sum->resident += events * ((double)from->resident_bytes + (double)to->resident_bytes) / 2;
    sum->events += events;
}

static double live_bytes(const struct sample *sample)
{
    return (double)sample->live_bytes;
}

static double resident_bytes(const struct sample *sample)
{
    return (double)sample->resident_bytes;
}

/* Theil's and Sen's slope of the points from samples[first] to before samples[end]. */
static double slope_of(const struct sample *samples, uint32_t first, uint32_t end,
                       double (*bytes)(const struct sample *))
{
    size_t points = end - first, count = 0;
    double *slopes =
        points < METRICS_SLOPE_POINTS ? NULL : malloc(points * (points - 1) / 2 * sizeof *slopes);
    if (!slopes)
        return NAN;
    for (uint32_t i = first; i < end; i++)
        for (uint32_t j = i + 1; j < end; j++)
            if (samples[j].event > samples[i].event)
                slopes[count++] = (bytes(&samples[j]) - bytes(&samples[i])) /
                                  (double)(samples[j].event - samples[i].event) * 1e6;
    double slope = statistics_median(slopes, count);
    free(slopes);
    return slope;
}

static void find_slopes(struct fragmentation *result, const struct sample *samples, uint32_t count)
{
    uint32_t end = count, first = 0;
    while (end && !is_of_source(&samples[end - 1]))
        end--;
    while (first < end && 2 * samples[first].event < samples[end - 1].event)
        first++;
    result->rss_slope = slope_of(samples, first, end, resident_bytes);
    result->live_slope = slope_of(samples, first, end, live_bytes);
}

void metrics_of_samples(struct fragmentation *result, const struct sample *samples, uint32_t count,
                        uint64_t peak_resident_bytes, uint64_t peak_live_bytes)
{
    struct integrals sum = {0};
    struct sample start = {0};
    const struct sample *previous = &start, *previous_usable = &start, *fullest = NULL;
    double ratios = 0, ratio_count = 0;

    *result =
        (struct fragmentation){.at_peak_live = NAN, .at_peak_rss = NAN, .drained_rss_bytes = NAN};
    for (uint32_t i = 0; i < count; i++) {
        const struct sample *sample = &samples[i];
        if (sample->point == POINT_DRAIN_1S)
            result->drained_rss_bytes = (double)sample->resident_bytes;
        if (!is_of_source(sample))
            continue;
        add_stretch(&sum, previous, sample);
        previous = sample;
        if (sample->usable_known) {
            add_usable_stretch(&sum, previous_usable, sample);
            previous_usable = sample;
            result->peak_usable_bytes =
                fmax(result->peak_usable_bytes, (double)sample->usable_bytes);
        }
        if (!fullest || sample->resident_bytes > fullest->resident_bytes)
            fullest = sample;
        if (sample->live_bytes) {
            ratios += (double)sample->resident_bytes / (double)sample->live_bytes;
            ratio_count++;
        }
        if (sample->live_bytes == peak_live_bytes)
            result->at_peak_live =
                ratio((double)sample->resident_bytes, (double)sample->live_bytes);
    }
    if (fullest)
        result->at_peak_rss = ratio((double)fullest->resident_bytes, (double)fullest->live_bytes);
    result->mean = ratio(ratios, ratio_count);
    result->peak_ratio = ratio((double)peak_resident_bytes, (double)peak_live_bytes);
    result->integral = ratio(sum.resident, sum.live);
    result->mean_rss_bytes = ratio(sum.resident, sum.events);
    result->internal = ratio(sum.usable - sum.usable_live, sum.usable);
    find_slopes(result, samples, count);
    if (previous_usable == &start)
        result->peak_usable_bytes = NAN;
}
