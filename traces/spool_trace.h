/* Turns one spool into one trace: puts the calls of all threads into one legal order and names
 * their objects. */
#ifndef TRACES_SPOOL_TRACE_H
#define TRACES_SPOOL_TRACE_H

#include <stdint.h>

#include "traces/spool_reader.h"
#include "traces/trace.h"

/* Nanoseconds are (ticks * multiplier) >> 32. */
struct spool_clock_rate {
    uint64_t multiplier;
};

/* The rate between two moments in both clocks; one tick a nanosecond where they say nothing. */
struct spool_clock_rate spool_clock_rate(uint64_t ticks_from, uint64_t ns_from, uint64_t ticks_to,
                                         uint64_t ns_to);

/* Writes the trace at `path`. Where the spool holds no event, nothing is written and
 * summary->event_count is 0. Returns 0 or -errno with *error set. */
int spool_write_trace(struct spool_reader *reader, struct spool_clock_rate rate, const char *path,
                      const struct trace_writer_options *options, struct trace_summary *summary,
                      struct trace_error *error);

#endif
