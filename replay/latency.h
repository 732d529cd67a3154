/* Stands between the loop and a target and times every call. One target per process; thread safe.
 *
 * A latency is the time-stamp counter's difference around one call, in a log-linear histogram of 32
 * steps per octave, so a percentile is exact to 3 per cent. The counter itself takes time: its
 * floor, the median of the same two readings with nothing between them, is part of every figure,
 * and no figure below it is claimed.
 */
#ifndef REPLAY_LATENCY_H
#define REPLAY_LATENCY_H

#include <stdint.h>

#include "replay/target.h"

enum latency_kind {
    LATENCY_MALLOC,
    LATENCY_CALLOC,
    LATENCY_REALLOC,
    LATENCY_MEMALIGN,
    LATENCY_FREE,
    LATENCY_ALL,
    LATENCY_KINDS
};
extern const char *const latency_kind_names[LATENCY_KINDS];

#define LATENCY_POINTS 6
/* 50, 90, 99, 99.9, 99.99 and 100 per cent: the last is the maximum. */
extern const double latency_percentiles[LATENCY_POINTS];

struct latency_figures {
    double floor_ns;
    uint64_t counts[LATENCY_KINDS];
    double ns[LATENCY_KINDS][LATENCY_POINTS]; /* meaningless where the count is 0 */
};

/* Fills `timed` with functions that call `target`, which must outlive it. */
void latency_time_target(struct target *timed, const struct target *target);

/* What was seen since latency_time_target. */
void latency_read(struct latency_figures *figures);

#endif
